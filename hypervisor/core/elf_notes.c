/* SPDX-License-Identifier: MIT */
/*
 * The notes are found by file offset: a loader such as GRUB's has them in no
 * loadable segment. Where a note occurs twice the last one holds. Notes of
 * other owners and of unknown types are passed over, so that newer kernels
 * can say more.
 */
#include "core/elf_notes.h"

#include "hypercall_abi/elfnote.h"
#include "hypercall_abi/version.h"

#define NOTE_ALIGNMENT 4

struct note_header {
    uint32_t owner_size, value_size, type;
};
_Static_assert(sizeof(struct note_header) == 12, "ELF note header");

/* Notes that are a number or a name, and where it goes. */
static const struct {
    uint8_t type;
    bool is_name;
    uint16_t offset;
} plain_notes[] = {
#define NOTE(name, is_name, member)                                            \
    {                                                                          \
        XEN_ELFNOTE_##name, is_name, offsetof(struct elf_notes, member)        \
    }
    NOTE(ENTRY, false, entry),
    NOTE(HYPERCALL_PAGE, false, hypercall_page),
    NOTE(VIRT_BASE, false, virt_base),
    NOTE(PADDR_OFFSET, false, paddr_offset),
    NOTE(INIT_P2M, false, init_p2m),
    NOTE(MOD_START_PFN, false, mod_start_is_pfn),
    NOTE(SUPPORTED_FEATURES, false, features),
    NOTE(XEN_VERSION, true, xen_version),
    NOTE(GUEST_OS, true, guest_os),
    NOTE(LOADER, true, loader),
#undef NOTE
};

static const char *read_number(uint64_t *number, const void *value, size_t size)
{
    if (size != sizeof(uint32_t) && size != sizeof(*number))
        return "one of its Xen notes holds a number that is neither 4 nor 8 "
               "bytes long";
    *number = 0;
    memcpy(number, value, size);
    return NULL;
}

static const char *read_name(char *name, const char *text, size_t size)
{
    size_t length = strnlen(text, size);

    if (length >= ELF_NOTE_STRING)
        return "one of its Xen notes holds a name of more than 31 characters";
    for (size_t i = 0; i < length; i++)
        name[i] = text[i] >= ' ' && text[i] <= '~' ? text[i] : '?';
    name[length] = '\0';
    return NULL;
}

static bool is_name(const char *text, size_t length, const char *name)
{
    return strlen(name) == length && !memcmp(text, name, length);
}

/*
 * Features that may be required. Writable page tables and the address of the
 * page directory are history: on a 64-bit machine nothing is to be done.
 */
static bool is_offered(const char *name, size_t length)
{
    return is_name(name, length, "writable_page_tables") ||
           is_name(name, length, "pae_pgdir_above_4gb") ||
           is_name(name, length, "dom0");
}

/* Names joined by bars; one after an exclamation mark is required. */
static const char *read_features(struct elf_notes *notes, const char *text,
                                 size_t size)
{
    const char *end = text + strnlen(text, size);

    while (text < end) {
        const char *bar = memchr(text, '|', (size_t)(end - text));
        const char *stop = bar ? bar : end;
        bool is_required = *text == '!';
        size_t length;

        text += is_required;
        length = (size_t)(stop - text);
        if (is_required && !is_offered(text, length))
            return "its Xen note FEATURES requires one that Mica doesn't offer";
        notes->names_dom0 |= is_name(text, length, "dom0");
        text = stop + 1;
    }
    return NULL;
}

static const char *read_note(struct elf_notes *notes, uint32_t type,
                             const void *value, size_t size)
{
    if (type == XEN_ELFNOTE_FEATURES)
        return read_features(notes, value, size);
    for (size_t i = 0; i < ARRAY_LEN(plain_notes); i++) {
        void *to = (char *)notes + plain_notes[i].offset;

        if (plain_notes[i].type == type)
            return plain_notes[i].is_name ? read_name(to, value, size)
                                          : read_number(to, value, size);
    }
    return NULL;
}

/* Cuts off the front of `left` a field and its padding; NULL if too long. */
static const uint8_t *take(struct elf_segment *left, size_t length)
{
    const uint8_t *field = left->data;
    size_t padded = min_u64(align_up(length, NOTE_ALIGNMENT), left->data_size);

    if (length > left->data_size)
        return NULL;
    left->data += padded;
    left->data_size -= padded;
    return field;
}

/* Reads every Xen note of a segment; *seen collects one bit per type. */
static const char *read_segment(struct elf_notes *notes,
                                struct elf_segment left, uint32_t *seen)
{
    const char *why = NULL;
    struct note_header h;

    while (!why && left.data_size >= sizeof(h)) {
        const uint8_t *owner, *value;

        memcpy(&h, take(&left, sizeof(h)), sizeof(h));
        owner = take(&left, h.owner_size);
        value = take(&left, h.value_size);
        if (!owner || !value)
            return "one of its ELF notes is longer than the notes segment";
        if (h.owner_size != 4 || memcmp(owner, "Xen", 4))
            continue;
        why = read_note(notes, h.type, value, h.value_size);
        if (h.type <= XEN_ELFNOTE_MAX)
            *seen |= 1u << h.type;
    }
    return why;
}

static const char *check_notes(const struct elf_notes *notes, uint32_t seen)
{
    if (!seen)
        return "it has no Xen notes, so it isn't built for paravirtual guests "
               "(Linux: CONFIG_XEN_PV)";
    if (seen & 1u << XEN_ELFNOTE_PHYS32_ENTRY &&
        !(seen & 1u << XEN_ELFNOTE_ENTRY))
        return "it can be entered as a PVH guest only, not as a paravirtual "
               "one (Linux: CONFIG_XEN_PV)";
    if (strncmp(notes->xen_version, "xen-3.0", 7))
        return "its Xen notes ask for another interface than xen-3.0";
    if (strncmp(notes->loader, "generic", 7) && !elf_notes_is_linux(notes))
        return "its Xen notes ask for a loader of its own";
    return NULL;
}

/*
 * Gathers the Xen notes of *elf. NULL, or why when a note is malformed or the
 * kernel is none that Mica can run.
 */
const char *elf_notes_read(struct elf_notes *notes, const struct elf_image *elf)
{
    struct elf_segment segment;
    unsigned int index = 0;
    uint32_t seen = 0;
    const char *why = NULL;

    /* Kernels older than SUPPORTED_FEATURES get the benefit of the doubt. */
    *notes =
        (struct elf_notes){.entry = elf->entry, .features = 1u << XENFEAT_dom0};
    while (!why && elf_next_segment(elf, ELF_SEGMENT_NOTE, &index, &segment))
        why = read_segment(notes, segment, &seen);
    notes->has_hypercall_page = seen >> XEN_ELFNOTE_HYPERCALL_PAGE & 1;
    notes->has_init_p2m = seen >> XEN_ELFNOTE_INIT_P2M & 1;
    return why ? why : check_notes(notes, seen);
}

/* May this kernel run as the first domain? */
bool elf_notes_can_be_dom0(const struct elf_notes *notes)
{
    return notes->names_dom0 || notes->features >> XENFEAT_dom0 & 1;
}

/* Is it Linux, by its own words? */
bool elf_notes_is_linux(const struct elf_notes *notes)
{
    return !strncmp(notes->guest_os, "linux", 5);
}
