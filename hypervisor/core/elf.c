/* SPDX-License-Identifier: MIT */
/*
 * The ELF reader. Offsets are compared with what is left of the buffer, never
 * added to a pointer first, so no value in the file can wrap.
 */
#include "core/elf.h"

enum {
    CLASS_64 = 2,
    DATA_LITTLE_ENDIAN = 1,
    TYPE_EXECUTABLE = 2,
    MACHINE_X86_64 = 62,
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

static bool is_inside(const struct elf_image *elf, uint64_t offset,
                      uint64_t length)
{
    return offset <= elf->size && length <= elf->size - offset;
}

static const char *check_header(const struct file_header *h)
{
    if (memcmp(h->magic, "\177ELF", sizeof(h->magic)))
        return "it is not an ELF file";
    if (h->class != CLASS_64 || h->machine != MACHINE_X86_64)
        return "it was built for another processor than 64-bit x86";
    if (h->type != TYPE_EXECUTABLE)
        return "it is an ELF file, but not an executable linked at a fixed "
               "address";
    if (h->data != DATA_LITTLE_ENDIAN || h->ident_version != 1 ||
        h->phentsize != sizeof(struct program_header) ||
        h->phnum > ELF_MAX_SEGMENTS)
        return "its ELF header is damaged or of an unknown kind";
    return NULL;
}

static struct program_header read_header(const struct elf_image *elf,
                                         unsigned int index)
{
    struct program_header p;

    memcpy(&p, elf->bytes + elf->headers + index * sizeof(p), sizeof(p));
    return p;
}

/* Checks one segment and counts it in. */
static const char *take_segment(struct elf_image *elf, unsigned int index)
{
    struct program_header p = read_header(elf, index);
    uint64_t end;

    if (p.type != ELF_SEGMENT_LOAD && p.type != ELF_SEGMENT_NOTE)
        return NULL;
    if (!is_inside(elf, p.offset, p.filesz))
        return "the ELF file is cut short: a segment lies past its end";
    if (p.type == ELF_SEGMENT_NOTE)
        return NULL;
    if (p.filesz > p.memsz)
        return "an ELF segment is larger in the file than in memory";
    if ((add_overflows(p.vaddr, p.memsz, &end) && end) ||
        add_overflows(p.paddr, p.memsz, &end))
        return "an ELF segment reaches past the end of the address space";
    if (!p.memsz)
        return NULL;
    elf->load_start = min_u64(elf->load_start, p.paddr);
    elf->load_end = max_u64(elf->load_end, end);
    return NULL;
}

/*
 * Looks at `size` bytes as an ELF executable and fills *elf; NULL, or why not.
 * The buffer stays the caller's and must outlive *elf.
 */
const char *elf_open(struct elf_image *elf, const void *image, size_t size)
{
    struct file_header h;
    const char *why;

    if (size < sizeof(h))
        return "it is too short for an ELF file";
    memcpy(&h, image, sizeof(h));
    *elf = (struct elf_image){.bytes = image,
                              .size = size,
                              .entry = h.entry,
                              .load_start = UINT64_MAX,
                              .headers = h.phoff,
                              .segments = h.phnum};
    why = check_header(&h);
    if (!why &&
        !is_inside(elf, h.phoff, h.phnum * sizeof(struct program_header)))
        why = "the ELF file is cut short: its headers lie past its end";
    for (unsigned int i = 0; !why && i < h.phnum; i++)
        why = take_segment(elf, i);
    if (!why && !elf->load_end)
        why = "its ELF file has nothing to load";
    return why;
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

        if (p.type != type || (type == ELF_SEGMENT_LOAD && !p.memsz))
            continue;
        *segment = (struct elf_segment){p.paddr, p.memsz, elf->bytes + p.offset,
                                        p.filesz};
        return true;
    }
    return false;
}
