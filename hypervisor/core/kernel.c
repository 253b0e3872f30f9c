/* SPDX-License-Identifier: MIT */
/*
 * The reader of kernels' ELF files and notes. Offsets are compared with what
 * is left of the buffer, never added to a pointer first, so no value in the
 * file can wrap.
 *
 * The notes are found by file offset: a loader such as GRUB's has them in no
 * loadable segment. Where a note occurs twice the last one holds. Notes of
 * other owners and of unknown types are passed over, so that newer kernels
 * can say more.
 */
#include "core/kernel.h"

#include "hypercall_abi/elfnote.h"
#include "hypercall_abi/version.h"

/* What the first mapping of a guest can span: one page-table tree of 1 GiB. */
#define SPAN_MAX (1ull << 30)

/* More program headers than this are refused; a kernel has about five. */
#define MAX_SEGMENTS 64u

enum {
    CLASS_64 = 2,
    TYPE_EXECUTABLE = 2,
    MACHINE_X86_64 = 62,
    SEGMENT_LOAD = 1,
    SEGMENT_NOTE = 4,
    NOTE_ALIGNMENT = 4,
};

struct file_header {
    uint8_t magic[4], class, ident_rest[11];
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

/* --- notes --------------------------------------------------------------- */

/* Where the number of a note goes. */
static const uint16_t number_at[] = {
    [XEN_ELFNOTE_ENTRY] = offsetof(struct kernel, entry),
    [XEN_ELFNOTE_HYPERCALL_PAGE] = offsetof(struct kernel, hypercall_page),
    [XEN_ELFNOTE_VIRT_BASE] = offsetof(struct kernel, virt_base),
    [XEN_ELFNOTE_PADDR_OFFSET] = offsetof(struct kernel, paddr_offset),
    [XEN_ELFNOTE_INIT_P2M] = offsetof(struct kernel, init_p2m),
    [XEN_ELFNOTE_MOD_START_PFN] = offsetof(struct kernel, mod_start_is_pfn),
    [XEN_ELFNOTE_SUPPORTED_FEATURES] = offsetof(struct kernel, features),
};

static const char *read_note(struct kernel *k, uint32_t type,
                             const uint8_t *value, uint32_t size)
{
    uint64_t number = 0;

    if (type == XEN_ELFNOTE_GUEST_OS) {
        memset(k->guest_os, 0, sizeof(k->guest_os));
        for (size_t i = 0; i < size && i < KERNEL_NAME_ROOM - 1 && value[i];
             i++)
            k->guest_os[i] =
                value[i] >= ' ' && value[i] <= '~' ? (char)value[i] : '?';
    }
    if (type >= ARRAY_LEN(number_at) || !number_at[type])
        return NULL;
    if (size != sizeof(uint32_t) && size != sizeof(number))
        return "one of its Xen notes holds a number that is neither 4 nor 8 "
               "bytes long";
    memcpy(&number, value, size);
    memcpy((char *)k + number_at[type], &number, sizeof(number));
    return NULL;
}

/* Reads every Xen note of a segment; *seen collects one bit per type. */
static const char *read_notes(struct kernel *k, const uint8_t *at,
                              uint64_t left, uint32_t *seen)
{
    const char *why = NULL;
    struct note_header h;

    while (!why && left >= sizeof(h)) {
        uint64_t value, end;

        memcpy(&h, at, sizeof(h));
        value = sizeof(h) + align_up(h.owner_size, NOTE_ALIGNMENT);
        end = value + h.value_size;
        if (end > left)
            return "one of its ELF notes is longer than the notes segment";
        if (h.owner_size == 4 && !memcmp(at + sizeof(h), "Xen", 4)) {
            why = read_note(k, h.type, at + value, h.value_size);
            *seen |= h.type <= XEN_ELFNOTE_MAX ? 1u << h.type : 0;
        }
        end = min_u64(align_up(end, NOTE_ALIGNMENT), left);
        at += end;
        left -= end;
    }
    return why;
}

static const char *check_notes(uint32_t seen)
{
    if (!seen)
        return "it has no Xen notes, so it isn't built for paravirtual guests "
               "(Linux: CONFIG_XEN_PV)";
    if (seen & 1u << XEN_ELFNOTE_PHYS32_ENTRY &&
        !(seen & 1u << XEN_ELFNOTE_ENTRY))
        return "it can be entered as a PVH guest only, not as a paravirtual "
               "one (Linux: CONFIG_XEN_PV)";
    return NULL;
}

/* --- segments ------------------------------------------------------------ */

static bool is_inside(const struct kernel *k, uint64_t offset, uint64_t length)
{
    return offset <= k->size && length <= k->size - offset;
}

static struct program_header read_header(const struct kernel *k, unsigned index)
{
    struct program_header p;

    memcpy(&p, k->file + k->headers + index * sizeof(p), sizeof(p));
    return p;
}

/* Checks one segment, and counts it in or reads the notes in it. */
static const char *take_segment(struct kernel *k, unsigned index,
                                uint32_t *seen)
{
    struct program_header p = read_header(k, index);
    uint64_t end;

    if (p.type != SEGMENT_LOAD && p.type != SEGMENT_NOTE)
        return NULL;
    if (!is_inside(k, p.offset, p.filesz))
        return "the ELF file is cut short: a segment lies past its end";
    if (p.type == SEGMENT_NOTE)
        return read_notes(k, k->file + p.offset, p.filesz, seen);
    if (p.filesz > p.memsz)
        return "an ELF segment is larger in the file than in memory";
    if (add_overflows(p.paddr, p.memsz, &end))
        return "an ELF segment reaches past the end of the address space";
    if (p.memsz) {
        k->start = min_u64(k->start, p.paddr);
        k->end = max_u64(k->end, end);
    }
    return NULL;
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
    if (h->phentsize != sizeof(struct program_header) ||
        h->phnum > MAX_SEGMENTS)
        return "its ELF header is damaged or of an unknown kind";
    return NULL;
}

/* --- its place ----------------------------------------------------------- */

static bool is_guest_range(uint64_t start, uint64_t end)
{
    return end <= LOW_HALF_END || start >= HIGH_HALF_START;
}

static bool is_in_kernel(const struct kernel *k, uint64_t va)
{
    return va - k->virt_base >= k->start && va - k->virt_base < k->end;
}

/* Turns start and end, still physical addresses, into distances. */
static const char *place(struct kernel *k)
{
    uint64_t p2m = k->init_p2m, virt_end;

    if (k->start < k->paddr_offset)
        return "a segment lies below its Xen note PADDR_OFFSET";
    k->start -= k->paddr_offset;
    k->end -= k->paddr_offset;
    if (k->virt_base % PAGE_SIZE)
        return "its Xen note VIRT_BASE isn't page aligned";
    if (k->end > SPAN_MAX)
        return "it ends more than 1 GiB above VIRT_BASE";
    if (add_overflows(k->virt_base, k->end, &virt_end) ||
        !is_guest_range(k->virt_base, virt_end))
        return "it lies at addresses that a guest can't use (0x800000000000 to "
               "0xffff87ffffffffff)";
    if (!is_in_kernel(k, k->entry))
        return "its entry point lies outside the kernel";
    if (k->hypercall_page &&
        (k->hypercall_page % PAGE_SIZE || !is_in_kernel(k, k->hypercall_page)))
        return "its hypercall page isn't a page of the kernel";
    if (p2m % PAGE_SIZE || !is_guest_range(p2m, p2m + 1))
        return "its Xen note INIT_P2M is no page that a guest can use";
    if (p2m && p2m - k->virt_base < SPAN_MAX)
        return "its Xen note INIT_P2M lies inside the kernel's own mapping";
    return NULL;
}

/*
 * Looks at `size` bytes as an ELF file with a kernel that a guest can have,
 * and fills *k; NULL, or why not. The buffer stays the caller's and must
 * outlive *k.
 */
const char *kernel_open(struct kernel *k, const void *file, size_t size)
{
    struct file_header h;
    const char *why;
    uint32_t seen = 0;

    if (size < sizeof(h))
        return "it is too short for an ELF file";
    memcpy(&h, file, sizeof(h));
    /* Kernels older than SUPPORTED_FEATURES get the benefit of the doubt. */
    *k = (struct kernel){.file = file,
                         .size = size,
                         .headers = h.phoff,
                         .segment_count = h.phnum,
                         .entry = h.entry,
                         .features = 1u << XENFEAT_dom0,
                         .start = UINT64_MAX};
    why = check_header(&h);
    if (!why && !is_inside(k, h.phoff, h.phnum * sizeof(struct program_header)))
        why = "the ELF file is cut short: its headers lie past its end";
    for (unsigned i = 0; !why && i < h.phnum; i++)
        why = take_segment(k, i, &seen);
    if (!why && !k->end)
        why = "its ELF file has nothing to load";
    if (!why)
        why = check_notes(seen);
    return why ? why : place(k);
}

/*
 * The next segment to load at or after *index, which moves past it; start with
 * *index = 0. False at the end. A segment goes where its *physical* address
 * says, for Linux's per-CPU segment has the virtual address 0. *k must come
 * from a successful kernel_open().
 */
bool kernel_next_segment(const struct kernel *k, unsigned *index,
                         struct kernel_segment *segment)
{
    while (*index < k->segment_count) {
        struct program_header p = read_header(k, (*index)++);

        if (p.type != SEGMENT_LOAD || !p.memsz)
            continue;
        *segment = (struct kernel_segment){p.paddr - k->paddr_offset,
                                           k->file + p.offset, p.filesz};
        return true;
    }
    return false;
}

/* Whether its roots have equal lower halves: Linux, linked high. */
bool kernel_shares_lower_half(const struct kernel *k)
{
    return k->virt_base >= HIGH_HALF_START && !strncmp(k->guest_os, "linux", 5);
}
