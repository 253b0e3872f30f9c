/* SPDX-License-Identifier: MIT */
/* The arithmetic of a new guest's address space (guest_layout.h). */
#include "core/guest_layout.h"

#include "hypercall_abi/start_info.h"
#include "hypercall_abi/vcpu.h"

#define MAPPING_ALIGNMENT 1024u /* pages: 4 MiB */
#define SPARE_AFTER_STACK 128u  /* pages: 512 KiB */
#define KERNEL_FLAGS 0x202
#define KERNEL_SELECTOR_CS 0xe033
#define KERNEL_SELECTOR_SS 0xe02b
#define MAX_PAGES (1ull << 40)

/* More than the pages that the mapping's end and a table's table can add. */
#define SPARE_PAGES 4096u

static uint64_t spans(uint64_t start, uint64_t end, unsigned shift)
{
    return ((end - 1) >> shift) - (start >> shift) + 1;
}

/* Tables that map `pages` pages from `va` on, without the L4. */
static uint64_t tables_for(uint64_t va, uint64_t pages)
{
    uint64_t end = va + (pages << PAGE_SHIFT);

    return spans(va, end, 21) + spans(va, end, 30) + spans(va, end, 39);
}

/* Whether `pages` pages and the tables for them fit in its half after `va`. */
static bool has_room(uint64_t va, uint64_t pages)
{
    uint64_t room = (va < LOW_HALF_END ? LOW_HALF_END : 0) - va;

    return pages + pages / 256 + SPARE_PAGES <= room >> PAGE_SHIFT;
}

/* The next `pages` pages: the first of them. */
static uint64_t take(struct guest_layout *l, uint64_t pages)
{
    l->used += pages;
    return l->used - pages;
}

const char *guest_layout_plan(struct guest_layout *l,
                              const struct kernel *kernel, size_t initrd_size,
                              uint64_t pages)
{
    static const char too_large[] =
        "kernel, initrd and tables do not fit in the domain's memory: give it "
        "more with dom0_mem=";
    uint64_t p2m_pages = pages_of(pages * sizeof(uint64_t));
    uint64_t initrd_pages = pages_of(initrd_size);

    if (pages > MAX_PAGES || initrd_size >> PAGE_SHIFT >= pages ||
        p2m_pages >= pages)
        return too_large;
    *l = (struct guest_layout){.kernel = kernel,
                               .initrd_size = initrd_size,
                               .pages = pages,
                               .p2m_pages = p2m_pages,
                               .used = pages_of(kernel->end)};
    if (!kernel->mod_start_is_pfn)
        l->initrd = take(l, initrd_pages);
    if (!kernel->init_p2m) {
        l->p2m_first = take(l, p2m_pages);
        l->p2m = guest_layout_va(l, l->p2m_first);
    }
    l->start_info = take(l, 1);
    l->tables = l->used;
    if (!has_room(kernel->virt_base, l->used) ||
        (kernel->init_p2m && !has_room(kernel->init_p2m, p2m_pages)))
        return "kernel, initrd and tables do not fit at its addresses";

    /* How many tables there are depends on where the mapping ends. */
    for (uint64_t needed = 1; l->table_count < needed;) {
        l->table_count = needed;
        l->mapped = align_up(l->tables + needed + 1 + SPARE_AFTER_STACK,
                             MAPPING_ALIGNMENT);
        needed = 1 + tables_for(kernel->virt_base, l->mapped);
    }
    l->used = l->mapped;
    if (kernel->mod_start_is_pfn)
        l->initrd = take(l, initrd_pages);
    if (kernel->init_p2m) {
        l->p2m = kernel->init_p2m;
        l->p2m_table_count = tables_for(l->p2m, p2m_pages);
        l->p2m_tables = take(l, l->p2m_table_count);
        l->p2m_first = take(l, p2m_pages);
    }
    return l->used <= pages ? NULL : too_large;
}

void guest_layout_describe(const struct guest_layout *l,
                           struct start_info *info)
{
    memcpy(info->magic, "xen-3.0-x86_64", sizeof("xen-3.0-x86_64"));
    info->nr_pages = l->pages;
    info->pt_base = guest_layout_va(l, l->tables);
    info->nr_pt_frames = l->table_count;
    info->mfn_list = l->p2m;
    info->flags = l->kernel->mod_start_is_pfn ? SIF_MOD_START_PFN : 0;
    if (l->initrd_size)
        info->mod_start = l->kernel->mod_start_is_pfn
                              ? l->initrd
                              : guest_layout_va(l, l->initrd);
    info->mod_len = l->initrd_size;
    if (l->p2m_table_count) {
        info->first_p2m_pfn = l->p2m_tables;
        info->nr_p2m_frames = l->p2m_table_count + l->p2m_pages;
    }
}

void guest_layout_start(const struct guest_layout *l,
                        struct vcpu_guest_context *c)
{
    c->flags = VGCF_in_kernel;
    c->user_regs.rip = l->kernel->entry;
    c->user_regs.rsi = guest_layout_va(l, l->start_info);
    c->user_regs.rsp = guest_layout_va(l, l->tables + l->table_count + 1);
    c->user_regs.rflags = KERNEL_FLAGS;
    c->user_regs.cs = KERNEL_SELECTOR_CS;
    c->user_regs.ss = KERNEL_SELECTOR_SS;
    c->kernel_ss = KERNEL_SELECTOR_SS;
    c->kernel_sp = c->user_regs.rsp;
}
