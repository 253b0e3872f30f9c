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

/*
 * Names a FEATURES note may use. Writable page tables and the address of
 * the page directory are history: nothing has to be done for them on a 64-bit
 * machine.
 */
static const struct {
    const char *name;
    unsigned int bit;
} feature_names[] = {
    {"writable_page_tables", XENFEAT_writable_page_tables},
    {"writable_descriptor_tables", XENFEAT_writable_descriptor_tables},
    {"auto_translated_physmap", XENFEAT_auto_translated_physmap},
    {"supervisor_mode_kernel", XENFEAT_supervisor_mode_kernel},
    {"pae_pgdir_above_4gb", XENFEAT_pae_pgdir_above_4gb},
    {"dom0", XENFEAT_dom0},
};

/* A kernel that can't live without one of these can't be a guest of ours. */
#define FEATURES_NOT_OFFERED                                                   \
    (1u << XENFEAT_writable_descriptor_tables |                                \
     1u << XENFEAT_auto_translated_physmap |                                   \
     1u << XENFEAT_supervisor_mode_kernel)

static bool is_xen_note(const struct elf_note *note)
{
    return note->owner_size == 4 && !memcmp(note->owner, "Xen", 4);
}

static int read_number(const struct elf_note *note, uint64_t *number,
                       const char **why)
{
    uint32_t narrow;

    if (note->value_size == sizeof(*number)) {
        memcpy(number, note->value, sizeof(*number));
        return 0;
    }
    if (note->value_size == sizeof(narrow)) {
        memcpy(&narrow, note->value, sizeof(narrow));
        *number = narrow;
        return 0;
    }
    return elf_refuse(why,
                      "one of its Xen notes holds a number that is neither 4 "
                      "nor 8 bytes long");
}

static int read_string(const struct elf_note *note,
                       char string[ELF_NOTE_STRING], const char **why)
{
    const char *text = (const char *)note->value;
    size_t length = strnlen(text, note->value_size);

    if (length >= ELF_NOTE_STRING)
        return elf_refuse(why,
                          "one of its Xen notes holds a name of more than 31 "
                          "characters");
    for (size_t i = 0; i < length; i++)
        string[i] = text[i] >= ' ' && text[i] <= '~' ? text[i] : '?';
    string[length] = '\0';
    return 0;
}

/* One word of FEATURES; an exclamation mark says that it is required. */
static int read_feature(struct elf_notes *notes, const char *text,
                        size_t length, const char **why)
{
    bool required = length > 0 && text[0] == '!';

    text += required;
    length -= required;
    for (size_t i = 0; i < ARRAY_LEN(feature_names); i++) {
        const char *name = feature_names[i].name;

        if (strlen(name) != length || memcmp(text, name, length))
            continue;
        notes->offered_features |= 1u << feature_names[i].bit;
        if (required)
            notes->required_features |= 1u << feature_names[i].bit;
        return 0;
    }
    if (required)
        return elf_refuse(why, "it requires a feature of an unknown name");
    return 0;
}

static int read_features(struct elf_notes *notes, const struct elf_note *note,
                         const char **why)
{
    const char *text = (const char *)note->value;
    size_t left = strnlen(text, note->value_size);
    int error = 0;

    while (left > 0 && !error) {
        const char *bar = memchr(text, '|', left);
        size_t length = bar ? (size_t)(bar - text) : left;
        size_t step = bar ? length + 1 : length;

        error = read_feature(notes, text, length, why);
        text += step;
        left -= step;
    }
    return error;
}

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
    NOTE(HV_START_LOW, false, hv_start_low),
    NOTE(INIT_P2M, false, init_p2m),
    NOTE(XEN_VERSION, true, xen_version),
    NOTE(GUEST_OS, true, guest_os),
    NOTE(LOADER, true, loader),
#undef NOTE
};

static int read_plain_note(struct elf_notes *notes, const struct elf_note *note,
                           const char **why)
{
    for (size_t i = 0; i < ARRAY_LEN(plain_notes); i++) {
        void *to = (char *)notes + plain_notes[i].offset;

        if (plain_notes[i].type == note->type)
            return plain_notes[i].is_name ? read_string(note, to, why)
                                          : read_number(note, to, why);
    }
    return 0;
}

static int read_note(struct elf_notes *notes, const struct elf_note *note,
                     const char **why)
{
    uint64_t number = 0;
    int error;

    switch (note->type) {
    case XEN_ELFNOTE_FEATURES:
        return read_features(notes, note, why);
    case XEN_ELFNOTE_MOD_START_PFN:
        error = read_number(note, &number, why);
        notes->mod_start_is_pfn = number;
        return error;
    case XEN_ELFNOTE_SUPPORTED_FEATURES:
        error = read_number(note, &number, why);
        notes->offered_features |= (uint32_t)number;
        return error;
    default:
        return read_plain_note(notes, note, why);
    }
}

/* Read every Xen note of a segment; *seen collects one bit per type. */
static int read_segment(struct elf_notes *notes,
                        const struct elf_segment *segment, uint32_t *seen,
                        const char **why)
{
    struct elf_note_cursor cursor = elf_segment_notes(segment);
    struct elf_note note;
    int more;

    while ((more = elf_next_note(&cursor, &note, why)) > 0) {
        int error;

        if (!is_xen_note(&note))
            continue;
        error = read_note(notes, &note, why);
        if (error)
            return error;
        if (note.type <= XEN_ELFNOTE_MAX)
            *seen |= 1u << note.type;
    }
    return more;
}

static int check_notes(const struct elf_notes *notes, uint32_t seen,
                       const char **why)
{
    const struct elf_check checks[] = {
        {!seen, "it has no Xen notes, so it isn't built for paravirtual guests "
                "(Linux: CONFIG_XEN_PV)"},
        {seen & 1u << XEN_ELFNOTE_PHYS32_ENTRY &&
             !(seen & 1u << XEN_ELFNOTE_ENTRY),
         "it can be entered as a PVH guest only, not as a paravirtual one "
         "(Linux: CONFIG_XEN_PV)"},
        {strncmp(notes->xen_version, "xen-3.0", 7),
         "its Xen notes ask for another interface than xen-3.0"},
        {strncmp(notes->loader, "generic", 7) && !elf_notes_is_linux(notes),
         "its Xen notes ask for a loader of its own"},
        {notes->required_features & FEATURES_NOT_OFFERED,
         "its Xen note FEATURES requires one that Mica doesn't offer"},
    };

    return ELF_REFUSE_ANY(checks, why);
}

/*
 * Gather the Xen notes of *elf. Returns 0, or -ENOEXEC with *why when a note
 * is malformed or the kernel is none that Mica can run.
 */
int elf_notes_read(struct elf_notes *notes, const struct elf_image *elf,
                   const char **why)
{
    struct elf_segment segment;
    unsigned int index = 0;
    uint32_t seen = 0;

    *notes = (struct elf_notes){.entry = elf->entry};
    while (elf_next_segment(elf, ELF_SEGMENT_NOTE, &index, &segment)) {
        int error = read_segment(notes, &segment, &seen, why);

        if (error)
            return error;
    }
    notes->has_hypercall_page = seen >> XEN_ELFNOTE_HYPERCALL_PAGE & 1;
    notes->has_init_p2m = seen >> XEN_ELFNOTE_INIT_P2M & 1;
    notes->has_supported_features = seen >> XEN_ELFNOTE_SUPPORTED_FEATURES & 1;
    return check_notes(notes, seen, why);
}

/*
 * May this kernel run as the first domain? Kernels older than the note
 * SUPPORTED_FEATURES don't say, and get the benefit of the doubt.
 */
bool elf_notes_can_be_dom0(const struct elf_notes *notes)
{
    return !notes->has_supported_features ||
           (notes->offered_features & 1u << XENFEAT_dom0);
}

/* Is it Linux, by its own words? */
bool elf_notes_is_linux(const struct elf_notes *notes)
{
    return !strncmp(notes->guest_os, "linux", 5);
}
