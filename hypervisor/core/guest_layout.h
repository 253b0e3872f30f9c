/* SPDX-License-Identifier: MIT */
/*
 * Where the pieces of a new PV guest lie in its first mapping: kernel,
 * initrd, p2m list, start_info, page tables and boot stack, in that order,
 * from virt_base on with one page for each pfn. Pure arithmetic, shared by
 * every builder of domains.
 */
#pragma once

#include "core/kernel_image.h"
#include "core/types.h"

struct guest_layout {
    uint64_t virt_base;
    uint64_t mapped_end; /* end of the initial mapping */
    uint64_t initrd;     /* address, when it is mapped */
    uint64_t p2m;        /* address of the p2m list */
    uint64_t start_info;
    uint64_t page_tables; /* the first is the L4 */
    uint64_t page_table_count;
    uint64_t stack_top;

    uint64_t mapped_pages;    /* pfns 0 to this are the initial mapping */
    uint64_t initrd_pfn;      /* in any case */
    uint64_t p2m_pfn;         /* in any case: the first frame of the list */
    uint64_t p2m_pages;       /* how many it has */
    uint64_t p2m_table_pfn;   /* tables of a p2m list mapped elsewhere */
    uint64_t p2m_table_count; /* 0 when the list is in the mapping */
    uint64_t used_pages;      /* pfns beyond are free memory */
};

static inline uint64_t pages_of(uint64_t bytes)
{
    return align_up(bytes, PAGE_SIZE) >> PAGE_SHIFT;
}

/* Tables that map [start, end), without the L4. */
uint64_t guest_table_count(uint64_t start, uint64_t end);

/* NULL, or why the pieces do not fit in `pages` pages. */
must_check const char *guest_layout_plan(struct guest_layout *layout,
                                         const struct kernel_layout *kernel,
                                         const struct elf_notes *notes,
                                         size_t initrd_size, uint64_t pages);
