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

static int fail(const char **why, const char *reason)
{
    *why = reason;
    return -ENOEXEC;
}

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
    return fail(why, "one of its Xen notes holds a number that is neither 4 "
                     "nor 8 bytes long");
}

static int read_flag(const struct elf_note *note, bool *flag, const char **why)
{
    uint64_t number;
    int error = read_number(note, &number, why);

    if (!error)
        *flag = number != 0;
    return error;
}

static int read_string(const struct elf_note *note,
                       char string[ELF_NOTE_STRING], const char **why)
{
    const char *text = (const char *)note->value;
    size_t length = strnlen(text, note->value_size);
    size_t i;

    if (length >= ELF_NOTE_STRING)
        return fail(why, "one of its Xen notes holds a name of more than 31 "
                         "characters");
    for (i = 0; i < length; i++)
        string[i] = text[i] >= ' ' && text[i] <= '~' ? text[i] : '?';
    string[length] = '\0';
    return 0;
}

/* Does the word of `length` characters at `text` equal `name`? */
static bool is_word(const char *text, size_t length, const char *name)
{
    return strlen(name) == length && !memcmp(text, name, length);
}

static int read_feature(struct elf_notes *notes, const char *text,
                        size_t length, const char **why)
{
    bool required = length > 0 && text[0] == '!';
    size_t i;

    if (required) {
        text++;
        length--;
    }
    for (i = 0; i < ARRAY_LEN(feature_names); i++) {
        if (!is_word(text, length, feature_names[i].name))
            continue;
        notes->offered_features |= 1u << feature_names[i].bit;
        if (required)
            notes->required_features |= 1u << feature_names[i].bit;
        return 0;
    }
    if (required)
        return fail(why, "it requires a feature of an unknown name");
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

static int read_supported_features(struct elf_notes *notes,
                                   const struct elf_note *note,
                                   const char **why)
{
    uint64_t bits;
    int error = read_number(note, &bits, why);

    if (error)
        return error;
    notes->has_supported_features = true;
    notes->offered_features |= (uint32_t)bits;
    return 0;
}

/* The value is a list of (mask, value) pairs; the first is the one in use. */
static int read_l1_mfn_valid(struct elf_notes *notes,
                             const struct elf_note *note, const char **why)
{
    uint64_t pair[2];

    if (note->value_size < sizeof(pair))
        return fail(why, "its Xen note L1_MFN_VALID is too short");
    memcpy(pair, note->value, sizeof(pair));
    notes->has_l1_mfn_valid = true;
    notes->l1_mfn_mask = pair[0];
    notes->l1_mfn_value = pair[1];
    return 0;
}

static int read_note(struct elf_notes *notes, const struct elf_note *note,
                     const char **why)
{
    switch (note->type) {
    case XEN_ELFNOTE_ENTRY:
        return read_number(note, &notes->entry, why);
    case XEN_ELFNOTE_HYPERCALL_PAGE:
        notes->has_hypercall_page = true;
        return read_number(note, &notes->hypercall_page, why);
    case XEN_ELFNOTE_VIRT_BASE:
        return read_number(note, &notes->virt_base, why);
    case XEN_ELFNOTE_PADDR_OFFSET:
        return read_number(note, &notes->paddr_offset, why);
    case XEN_ELFNOTE_HV_START_LOW:
        return read_number(note, &notes->hv_start_low, why);
    case XEN_ELFNOTE_INIT_P2M:
        notes->has_init_p2m = true;
        return read_number(note, &notes->init_p2m, why);
    case XEN_ELFNOTE_MOD_START_PFN:
        return read_flag(note, &notes->mod_start_is_pfn, why);
    case XEN_ELFNOTE_SUSPEND_CANCEL:
        return read_flag(note, &notes->suspend_cancel, why);
    case XEN_ELFNOTE_XEN_VERSION:
        return read_string(note, notes->xen_version, why);
    case XEN_ELFNOTE_GUEST_OS:
        return read_string(note, notes->guest_os, why);
    case XEN_ELFNOTE_GUEST_VERSION:
        return read_string(note, notes->guest_version, why);
    case XEN_ELFNOTE_LOADER:
        return read_string(note, notes->loader, why);
    case XEN_ELFNOTE_FEATURES:
        return read_features(notes, note, why);
    case XEN_ELFNOTE_SUPPORTED_FEATURES:
        return read_supported_features(notes, note, why);
    case XEN_ELFNOTE_L1_MFN_VALID:
        return read_l1_mfn_valid(notes, note, why);
    default:
        return 0;
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
    if (!seen)
        return fail(why, "it has no Xen notes, so it isn't built for "
                         "paravirtual guests (Linux: CONFIG_XEN_PV)");
    if ((seen & 1u << XEN_ELFNOTE_PHYS32_ENTRY) &&
        !(seen & 1u << XEN_ELFNOTE_ENTRY))
        return fail(why, "it can be entered as a PVH guest only, not as a "
                         "paravirtual one (Linux: CONFIG_XEN_PV)");
    if (strncmp(notes->xen_version, "xen-3.0", 7))
        return fail(why, "its Xen notes ask for another interface than "
                         "xen-3.0");
    if (strncmp(notes->loader, "generic", 7) && !elf_notes_is_linux(notes))
        return fail(why, "its Xen notes ask for a loader of its own");
    if (notes->required_features & FEATURES_NOT_OFFERED)
        return fail(why, "its Xen note FEATURES requires one that Mica doesn't "
                         "offer");
    return 0;
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
