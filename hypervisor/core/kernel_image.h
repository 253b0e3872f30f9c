/* SPDX-License-Identifier: MIT */
/*
 * Kernel files as distributions ship them: a Linux bzImage with a packed
 * payload, a plain ELF file, or an ELF file packed by gzip; and where the
 * kernel inside wants to lie in its virtual address space.
 *
 * kernel_image_open() says what there is to unpack; the caller provides the
 * memory, calls unpack(), elf_open() and elf_notes_read() on the result, and
 * kernel_layout() at last. No number of the file is trusted. No locks; the
 * buffer must not change meanwhile. Results are as elf.h says.
 */
#pragma once

#include "core/elf_notes.h"
#include "core/unpack.h"

/* What the first mapping of a guest can span: one page-table tree of 1 GiB. */
#define KERNEL_SPAN_MAX (1ull << 30)

struct kernel_image {
    const uint8_t *payload;
    size_t payload_size;
    enum unpack_method method;
    /* What the file claims, below 4 GiB if packed; allocate with a bound. */
    uint64_t unpacked_size;
};

/*
 * Virtual addresses; pfn = (address - virt_base) / PAGE_SIZE. A segment goes
 * to virt_base + paddr - paddr_offset: where its *physical* address says, for
 * Linux's per-CPU segment has the virtual address 0.
 */
struct kernel_layout {
    uint64_t virt_base;
    uint64_t virt_start; /* first byte of the kernel, page aligned */
    uint64_t virt_end;   /* end, not aligned */
    uint64_t entry;
    bool is_high_half; /* in the upper half of the address space */
};

must_check const char *kernel_image_open(struct kernel_image *kernel,
                                         const void *file, size_t size);
must_check const char *kernel_layout(struct kernel_layout *layout,
                                     const struct elf_image *elf,
                                     const struct elf_notes *notes);
