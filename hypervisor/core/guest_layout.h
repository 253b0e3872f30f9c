/* SPDX-License-Identifier: MIT */
/*
 * Where the pieces of a new PV guest lie. Its first mapping has one page for
 * each pfn, from the kernel's virt_base on: kernel, initrd, p2m list,
 * start_info, page tables and boot stack, in that order. A kernel may want
 * initrd and p2m list elsewhere: then they come after the first mapping. Pure
 * arithmetic, shared by every builder of domains.
 */
#pragma once

#include "core/kernel.h"

struct start_info;
struct vcpu_guest_context;

struct guest_layout {
    const struct kernel *kernel;
    uint64_t p2m; /* address of the p2m list */
    size_t initrd_size;

    /* pfns and numbers of pages */
    uint64_t pages; /* of the guest */
    uint64_t initrd;
    uint64_t p2m_first;
    uint64_t p2m_pages;
    uint64_t p2m_tables;      /* tables of a p2m list mapped elsewhere */
    uint64_t p2m_table_count; /* 0 when the list is in the mapping */
    uint64_t start_info;
    uint64_t tables; /* the first is the L4, behind them lies the stack */
    uint64_t table_count;
    uint64_t mapped; /* pfns 0 to this are the first mapping */
    uint64_t used;   /* pfns beyond are free memory */
};

static inline uint64_t pages_of(uint64_t bytes)
{
    return align_up(bytes, PAGE_SIZE) >> PAGE_SHIFT;
}

/* The address of page `pfn` in the first mapping. */
static inline uint64_t guest_layout_va(const struct guest_layout *l,
                                       uint64_t pfn)
{
    return l->kernel->virt_base + (pfn << PAGE_SHIFT);
}

/* NULL, or why the pieces do not fit in `pages` pages. */
must_check const char *guest_layout_plan(struct guest_layout *l,
                                         const struct kernel *kernel,
                                         size_t initrd_size, uint64_t pages);

/* Fills in what a zeroed start_info says of the pieces. */
void guest_layout_describe(const struct guest_layout *l,
                           struct start_info *info);

/* The same for the registers of its first vCPU, but for CR3. */
void guest_layout_start(const struct guest_layout *l,
                        struct vcpu_guest_context *c);
