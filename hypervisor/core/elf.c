/* SPDX-License-Identifier: MIT */
/*
 * The ELF reader. Offsets are compared with what is left of the buffer, never
 * added to a pointer first, so no value in the file can wrap. Overlapping
 * segments are refused because loading one would destroy another, and the
 * order in which that happens is nobody's business to know.
 */
#include "core/elf.h"

enum {
    CLASS_64 = 2,
    DATA_LITTLE_ENDIAN = 1,
    TYPE_EXECUTABLE = 2,
    TYPE_SHARED = 3,
    MACHINE_X86_64 = 62,
    NOTE_ALIGNMENT = 4,
};

struct file_header {
    uint8_t magic[4], class, data, ident_version, ident_rest[9];
    uint16_t type, machine;
    uint32_t version;
    uint64_t entry, phoff, shoff;
    uint32_t flags;
    uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};
_Static_assert(sizeof(struct file_header) == 64, "ELF header");

struct program_header {
    uint32_t type, flags;
    uint64_t offset, vaddr, paddr, filesz, memsz, align;
};
_Static_assert(sizeof(struct program_header) == 56, "ELF program header");

struct note_header {
    uint32_t owner_size, value_size, type;
};
_Static_assert(sizeof(struct note_header) == 12, "ELF note header");

static bool is_inside(const struct elf_image *elf, uint64_t offset,
                      uint64_t length)
{
    return offset <= elf->size && length <= elf->size - offset;
}

/* Refuses for the first of the reasons that holds; 0 when none does. */
int elf_refuse_any(const struct elf_check *checks, size_t count,
                   const char **why)
{
    for (size_t i = 0; i < count; i++)
        if (checks[i].is_wrong)
            return elf_refuse(why, checks[i].reason);
    return 0;
}

static int check_header(const struct file_header *h, const char **why)
{
    const struct elf_check checks[] = {
        {memcmp(h->magic, "\177ELF", sizeof(h->magic)),
         "it is not an ELF file"},
        {h->class != CLASS_64,
         "it is a 32-bit ELF file; only 64-bit kernels run"},
        {h->data != DATA_LITTLE_ENDIAN || h->ident_version != 1,
         "its ELF header is of an unknown kind"},
        {h->machine != MACHINE_X86_64,
         "it was built for another processor than x86-64"},
        {h->type == TYPE_SHARED, "it is a relocatable (position independent) "
                                 "ELF file; link it at a fixed address"},
        {h->type != TYPE_EXECUTABLE, "it is an ELF file but not an executable"},
        {h->phentsize != sizeof(struct program_header),
         "its ELF program headers have an unknown size"},
        {h->phnum == 0, "its ELF file has no program headers"},
        {h->phnum > ELF_MAX_SEGMENTS,
         "its ELF file has more than 64 program headers"},
    };

    return ELF_REFUSE_ANY(checks, why);
}

static struct program_header read_header(const struct elf_image *elf,
                                         unsigned int index)
{
    struct program_header p;

    memcpy(&p, elf->bytes + elf->headers + index * sizeof(p), sizeof(p));
    return p;
}

static bool is_loaded(const struct program_header *p)
{
    return p->type == ELF_SEGMENT_LOAD && p->memsz > 0;
}

static int check_segment(const struct elf_image *elf,
                         const struct program_header *p, const char **why)
{
    bool is_load = p->type == ELF_SEGMENT_LOAD;
    uint64_t end;
    const struct elf_check checks[] = {
        {!is_inside(elf, p->offset, p->filesz),
         "the ELF file is cut short: a segment lies past its end"},
        {is_load && p->filesz > p->memsz,
         "an ELF segment is larger in the file than in memory"},
        {is_load && (add_overflows(p->paddr, p->memsz, &end) ||
                     (add_overflows(p->vaddr, p->memsz, &end) && end)),
         "an ELF segment reaches past the end of the address space"},
    };

    return is_load || p->type == ELF_SEGMENT_NOTE ? ELF_REFUSE_ANY(checks, why)
                                                  : 0;
}

static bool overlaps_earlier(const struct elf_image *elf, unsigned int index,
                             const struct program_header *p)
{
    for (unsigned int i = 0; i < index; i++) {
        struct program_header q = read_header(elf, i);

        if (is_loaded(&q) && p->paddr < q.paddr + q.memsz &&
            q.paddr < p->paddr + p->memsz)
            return true;
    }
    return false;
}

static int check_segments(struct elf_image *elf, const char **why)
{
    elf->load_start = UINT64_MAX;
    elf->load_end = 0;
    for (unsigned int i = 0; i < elf->segments; i++) {
        struct program_header p = read_header(elf, i);
        int error = check_segment(elf, &p, why);

        if (error)
            return error;
        if (!is_loaded(&p))
            continue;
        if (overlaps_earlier(elf, i, &p))
            return elf_refuse(why, "two of its ELF segments overlap");
        elf->load_start = min_u64(elf->load_start, p.paddr);
        elf->load_end = max_u64(elf->load_end, p.paddr + p.memsz);
    }
    if (!elf->load_end)
        return elf_refuse(why, "its ELF file has nothing to load");
    return 0;
}

/*
 * Look at `size` bytes as an ELF executable and fill *elf.
 * Returns 0, or -ENOEXEC with *why. The buffer stays the caller's and must
 * outlive *elf.
 */
int elf_open(struct elf_image *elf, const void *image, size_t size,
             const char **why)
{
    struct file_header h;
    int error;

    elf->bytes = image;
    elf->size = size;
    if (!is_inside(elf, 0, sizeof(h)))
        return elf_refuse(why, "it is too short for an ELF file");
    memcpy(&h, elf->bytes, sizeof(h));
    error = check_header(&h, why);
    if (error)
        return error;
    if (!is_inside(elf, h.phoff, h.phnum * sizeof(struct program_header)))
        return elf_refuse(why,
                          "the ELF file is cut short: its program headers lie "
                          "past its end");
    elf->entry = h.entry;
    elf->headers = h.phoff;
    elf->segments = h.phnum;
    return check_segments(elf, why);
}

/*
 * The next segment of `type` at or after *index, which moves past it; start
 * with *index = 0. Loadable segments without memory are skipped. Returns
 * false at the end. *elf must come from a successful elf_open().
 */
bool elf_next_segment(const struct elf_image *elf, enum elf_segment_type type,
                      unsigned int *index, struct elf_segment *segment)
{
    while (*index < elf->segments) {
        struct program_header p = read_header(elf, (*index)++);

        if (p.type != (uint32_t)type)
            continue;
        if (type == ELF_SEGMENT_LOAD && !is_loaded(&p))
            continue;
        *segment = (struct elf_segment){
            .paddr = p.paddr,
            .memory_size = p.memsz,
            .data = elf->bytes + p.offset,
            .data_size = p.filesz,
        };
        return true;
    }
    return false;
}

/* A cursor before the first note of a segment of type ELF_SEGMENT_NOTE. */
struct elf_note_cursor elf_segment_notes(const struct elf_segment *segment)
{
    return (struct elf_note_cursor){segment->data, segment->data_size};
}

/* Cut a field off the front, with the padding that the file has behind it. */
static bool take(struct elf_note_cursor *cursor, size_t length,
                 const uint8_t **field)
{
    size_t padded;

    if (length > cursor->left)
        return false;
    padded = min_u64(align_up(length, NOTE_ALIGNMENT), cursor->left);
    *field = cursor->at;
    cursor->at += padded;
    cursor->left -= padded;
    return true;
}

/*
 * Read one note and move on. Returns 1 with *note filled, 0 at the end (fewer
 * bytes than a header are padding), -ENOEXEC with *why for a note that is
 * longer than its segment. Notes are aligned to 4 bytes whatever the segment
 * says, as those of every kernel are.
 */
int elf_next_note(struct elf_note_cursor *cursor, struct elf_note *note,
                  const char **why)
{
    struct note_header h;
    const uint8_t *owner;
    const uint8_t *value;

    if (cursor->left < sizeof(h))
        return 0;
    memcpy(&h, cursor->at, sizeof(h));
    cursor->at += sizeof(h);
    cursor->left -= sizeof(h);
    if (!take(cursor, h.owner_size, &owner) ||
        !take(cursor, h.value_size, &value))
        return elf_refuse(why, "one of its ELF notes is longer than the notes "
                               "segment");
    *note = (struct elf_note){
        .type = h.type,
        .owner = (const char *)owner,
        .owner_size = h.owner_size,
        .value = value,
        .value_size = h.value_size,
    };
    return 1;
}
