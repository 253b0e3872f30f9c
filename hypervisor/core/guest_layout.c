/* SPDX-License-Identifier: MIT */
/* The arithmetic of a new guest's address space (guest_layout.h). */
#include "core/guest_layout.h"

#define MAPPING_ALIGNMENT (4ull << 20)
#define SPARE_AFTER_STACK (512ull << 10)
#define LOW_HALF_END (1ull << 47)
#define MAX_PAGES (1ull << 40)

/* More than the pages that mapping_end and a table's table can add. */
#define SPARE_PAGES 4096u

static uint64_t spans(uint64_t start, uint64_t end, unsigned shift)
{
    return ((end - 1) >> shift) - (start >> shift) + 1;
}

uint64_t guest_table_count(uint64_t start, uint64_t end)
{
    return spans(start, end, 21) + spans(start, end, 30) +
           spans(start, end, 39);
}

static uint64_t mapping_end(uint64_t stack_top, uint64_t virt_base)
{
    uint64_t used = stack_top - virt_base;
    uint64_t end = align_up(used, MAPPING_ALIGNMENT);

    if (end - used < SPARE_AFTER_STACK)
        end += MAPPING_ALIGNMENT;
    return virt_base + end;
}

/* Places tables and stack: how many tables depends on where the end is. */
static void place_tables(struct guest_layout *l)
{
    uint64_t count = 0, needed = 1;

    while (count < needed) {
        count = needed;
        l->stack_top = l->page_tables + (count + 1) * PAGE_SIZE;
        l->mapped_end = mapping_end(l->stack_top, l->virt_base);
        needed = 1 + guest_table_count(l->virt_base, l->mapped_end);
    }
    l->page_table_count = count;
    l->mapped_pages = (l->mapped_end - l->virt_base) >> PAGE_SHIFT;
}

/* Whether `pages` pages and the tables for them fit in its half after `va`. */
static bool has_room(uint64_t va, uint64_t pages)
{
    uint64_t room = (va < LOW_HALF_END ? LOW_HALF_END : 0) - va;

    return pages + pages / 256 + SPARE_PAGES <= room >> PAGE_SHIFT;
}

const char *guest_layout_plan(struct guest_layout *l,
                              const struct kernel_layout *kernel,
                              const struct elf_notes *notes, size_t initrd_size,
                              uint64_t pages)
{
    static const char too_large[] =
        "kernel, initrd and tables do not fit in the domain's memory: give it "
        "more with dom0_mem=";
    uint64_t p2m_pages = pages_of(pages * sizeof(uint64_t));
    uint64_t initrd_pages = pages_of(initrd_size);
    uint64_t at = align_up(kernel->virt_end, PAGE_SIZE), pfn;

    *l = (struct guest_layout){.virt_base = kernel->virt_base,
                               .p2m_pages = p2m_pages};
    if (pages > MAX_PAGES || initrd_size >> PAGE_SHIFT >= pages ||
        p2m_pages >= pages)
        return too_large;
    if (!notes->mod_start_is_pfn) {
        l->initrd = at;
        l->initrd_pfn = (at - l->virt_base) >> PAGE_SHIFT;
        at += initrd_pages * PAGE_SIZE;
    }
    if (!notes->has_init_p2m) {
        l->p2m = at;
        l->p2m_pfn = (at - l->virt_base) >> PAGE_SHIFT;
        at += p2m_pages * PAGE_SIZE;
    }
    l->start_info = at;
    l->page_tables = at + PAGE_SIZE;
    if (!has_room(l->virt_base,
                  (l->page_tables - l->virt_base) >> PAGE_SHIFT) ||
        (notes->has_init_p2m && !has_room(notes->init_p2m, p2m_pages)))
        return "kernel, initrd and tables do not fit at its addresses";
    place_tables(l);

    pfn = l->mapped_pages;
    if (notes->mod_start_is_pfn) {
        l->initrd_pfn = pfn;
        pfn += initrd_pages;
    }
    if (notes->has_init_p2m) {
        l->p2m = notes->init_p2m;
        l->p2m_table_pfn = pfn;
        l->p2m_table_count =
            guest_table_count(l->p2m, l->p2m + p2m_pages * PAGE_SIZE);
        l->p2m_pfn = pfn + l->p2m_table_count;
        pfn = l->p2m_pfn + p2m_pages;
    }
    l->used_pages = pfn;
    return pfn <= pages ? NULL : too_large;
}
