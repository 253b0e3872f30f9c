/* SPDX-License-Identifier: MIT */
/*
 * Recognises containers by their first bytes and computes the kernel's place.
 * A segment is loaded where its *physical* address says: Linux's per-CPU
 * segment has the virtual address 0.
 */
#include "core/kernel_image.h"

/* The fields of a bzImage's header, by file offset. */
enum {
    SETUP_SECTORS = 0x1f1,
    MAGIC = 0x202,
    PROTOCOL = 0x206,
    PAYLOAD_OFFSET = 0x248,
    PAYLOAD_LENGTH = 0x24c,
    HEADER_END = 0x250,
    SECTOR = 512,
    SETUP_SECTORS_DEFAULT = 4,
    PROTOCOL_WITH_PAYLOAD = 0x0208,
    SIZE_TRAILER = 4,
};

/* Guests may use all addresses but the hole and slots 256 to 271. */
#define LOW_HALF_END 0x0000800000000000ull
#define HIGH_HALF_START 0xffff880000000000ull
#define HYPERVISOR_START 0xffff800000000000ull

static const struct {
    uint8_t bytes[6];
    uint8_t length;
    uint8_t method;
} magics[] = {
    {"\177ELF", 4, UNPACK_NONE},
    {"\037\213", 2, UNPACK_GZIP},
    {"BZh", 3, UNPACK_BZIP2},
    {"\135\0\0", 3, UNPACK_LZMA},
    {{0xfd, '7', 'z', 'X', 'Z', 0}, 6, UNPACK_XZ},
    {{0x89, 'L', 'Z', 'O'}, 4, UNPACK_LZO},
    {{0x02, 0x21, 0x4c, 0x18}, 4, UNPACK_LZ4},
    {{0x28, 0xb5, 0x2f, 0xfd}, 4, UNPACK_ZSTD},
};

static uint32_t read32(const uint8_t *p)
{
    uint32_t value;

    memcpy(&value, p, sizeof(value));
    return value;
}

static bool find_method(const uint8_t *bytes, size_t size,
                        enum unpack_method *method)
{
    for (size_t i = 0; i < ARRAY_LEN(magics); i++) {
        *method = magics[i].method;
        if (size >= magics[i].length &&
            !memcmp(bytes, magics[i].bytes, magics[i].length))
            return true;
    }
    return false;
}

/*
 * Linux's build puts the unpacked size behind every payload; gzip has it at
 * the end of its own stream, so there it must stay.
 */
static int read_size(struct kernel_image *kernel, const char **why)
{
    const uint8_t *trailer;

    if (kernel->method == UNPACK_NONE) {
        kernel->unpacked_size = kernel->payload_size;
        return 0;
    }
    if (kernel->payload_size <= SIZE_TRAILER)
        return elf_refuse(why, "its packed payload is cut short");
    trailer = kernel->payload + kernel->payload_size - SIZE_TRAILER;
    kernel->unpacked_size = read32(trailer);
    if (kernel->method != UNPACK_GZIP)
        kernel->payload_size -= SIZE_TRAILER;
    if (!kernel->unpacked_size)
        return elf_refuse(why, "its packed payload claims to be empty");
    return 0;
}

static bool is_bzimage(const uint8_t *file, size_t size)
{
    return size >= HEADER_END && !memcmp(file + MAGIC, "HdrS", 4);
}

static int open_bzimage(struct kernel_image *kernel, const uint8_t *file,
                        size_t size, const char **why)
{
    uint32_t sectors = file[SETUP_SECTORS];
    uint64_t start = read32(file + PAYLOAD_OFFSET);
    uint64_t length = read32(file + PAYLOAD_LENGTH);

    if ((uint16_t)read32(file + PROTOCOL) < PROTOCOL_WITH_PAYLOAD)
        return elf_refuse(why,
                          "it is a Linux kernel from before 2.6.26, whose boot "
                          "protocol (below 2.08) has no ELF payload");
    if (!length)
        return elf_refuse(why, "its bzImage header says there is no payload");
    if (!sectors)
        sectors = SETUP_SECTORS_DEFAULT;
    start += (sectors + 1) * SECTOR;
    if (start > size || length > size - start)
        return elf_refuse(why,
                          "the bzImage is cut short: its payload lies past the "
                          "end of the file");
    kernel->payload = file + start;
    kernel->payload_size = length;
    if (!find_method(kernel->payload, kernel->payload_size, &kernel->method))
        return elf_refuse(why, "its payload is packed by an unknown method");
    return read_size(kernel, why);
}

/*
 * Find the kernel inside a file. Returns 0 with *kernel filled: payload and
 * method for unpack(), or with UNPACK_NONE an ELF file in place; -ENOEXEC
 * with *why. Whether the method is linked in is unpack()'s to say.
 */
int kernel_image_open(struct kernel_image *kernel, const void *file,
                      size_t size, const char **why)
{
    *kernel = (struct kernel_image){.payload = file, .payload_size = size};
    if (is_bzimage(file, size))
        return open_bzimage(kernel, file, size, why);
    if (!find_method(file, size, &kernel->method))
        return elf_refuse(why, "it is neither a Linux bzImage nor an ELF file");
    if (kernel->method != UNPACK_NONE && kernel->method != UNPACK_GZIP)
        return elf_refuse(why,
                          "it is a packed file that doesn't say how large it "
                          "is; give it unpacked or packed by gzip");
    return read_size(kernel, why);
}

/*
 * Where a loadable segment goes in the guest's virtual address space. Only
 * for an image that kernel_layout() has accepted.
 */
uint64_t kernel_segment_address(const struct elf_notes *notes,
                                const struct elf_segment *segment)
{
    return notes->virt_base + (segment->paddr - notes->paddr_offset);
}

static bool is_guest_range(uint64_t start, uint64_t end)
{
    return end <= LOW_HALF_END || start >= HIGH_HALF_START;
}

static int check_p2m(const struct elf_notes *notes, const char **why)
{
    uint64_t p2m = notes->init_p2m;
    const struct elf_check checks[] = {
        {p2m % PAGE_SIZE, "its Xen note INIT_P2M isn't page aligned"},
        {!is_guest_range(p2m, p2m + 1),
         "its Xen note INIT_P2M is no address that a guest can use"},
        {p2m - notes->virt_base < KERNEL_SPAN_MAX,
         "its Xen note INIT_P2M lies inside the kernel's own mapping"},
    };

    return notes->has_init_p2m ? ELF_REFUSE_ANY(checks, why) : 0;
}

static bool is_in_kernel(const struct kernel_layout *layout, uint64_t va)
{
    return va >= layout->virt_start && va < layout->virt_end;
}

static int check_addresses(const struct kernel_layout *layout,
                           const struct elf_notes *notes, const char **why)
{
    const struct elf_check checks[] = {
        {notes->virt_base % PAGE_SIZE,
         "its Xen note VIRT_BASE isn't page aligned"},
        {layout->virt_end - layout->virt_base > KERNEL_SPAN_MAX,
         "it ends more than 1 GiB above VIRT_BASE"},
        {!is_guest_range(layout->virt_base, layout->virt_end),
         "it lies at addresses that a guest can't use (0x800000000000 to "
         "0xffff87ffffffffff)"},
        {!is_in_kernel(layout, layout->entry),
         "its entry point lies outside the kernel"},
        {notes->hv_start_low > HYPERVISOR_START,
         "its Xen note HV_START_LOW leaves no room for the hypervisor at "
         "0xffff800000000000"},
        {notes->has_hypercall_page &&
             (notes->hypercall_page % PAGE_SIZE ||
              !is_in_kernel(layout, notes->hypercall_page)),
         "its hypercall page isn't a page of the kernel"},
    };
    int error = ELF_REFUSE_ANY(checks, why);

    return error ? error : check_p2m(notes, why);
}

/*
 * Compute where the kernel lies and check that a guest can have it there.
 * Returns 0, or -ENOEXEC with *why. The arguments come from successful
 * elf_open() and elf_notes_read().
 */
int kernel_layout(struct kernel_layout *layout, const struct elf_image *elf,
                  const struct elf_notes *notes, const char **why)
{
    uint64_t start, end;

    if (elf->load_start < notes->paddr_offset)
        return elf_refuse(why,
                          "a segment lies below its Xen note PADDR_OFFSET");
    if (add_overflows(notes->virt_base, elf->load_start - notes->paddr_offset,
                      &start) ||
        add_overflows(notes->virt_base, elf->load_end - notes->paddr_offset,
                      &end))
        return elf_refuse(why, "it reaches past the end of the address space");
    *layout = (struct kernel_layout){
        .virt_base = notes->virt_base,
        .virt_start = start & PAGE_MASK,
        .virt_end = end,
        .entry = notes->entry,
        .is_high_half = notes->virt_base >= HIGH_HALF_START,
    };
    return check_addresses(layout, notes, why);
}
