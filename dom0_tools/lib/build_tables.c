/* SPDX-License-Identifier: MIT */
/*
 * Page tables in the making (build_tables.h). While they grow, an entry that
 * leads to another table holds that table's index in place of its frame; the
 * frames are put in at the end.
 */
#include "dom0_tools/lib/build_tables.h"

#include <stdlib.h>

#include "core/pte.h"

#define MAP_PAGE (PTE_PRESENT | PTE_WRITE | PTE_USER | PTE_ACCESSED | PTE_DIRTY)
#define MAP_TABLE (PTE_PRESENT | PTE_USER | PTE_ACCESSED)

/* The page that will hold table `index`. */
static uint64_t pfn_of(const struct guest_layout *l, uint64_t index)
{
    return index < l->table_count ? l->tables + index
                                  : l->p2m_tables + (index - l->table_count);
}

/* The L1 table for `va`, made with what leads to it; NULL if none is left. */
static uint64_t *l1_for(struct build_tables *t, uint64_t va)
{
    uint64_t table = 0;

    for (unsigned level = 4; level > 1; level--) {
        uint64_t *entry = &t->entries[table][pt_index(va, level)];

        if (!(*entry & PTE_PRESENT)) {
            if (t->next == t->count)
                return NULL;
            t->levels[t->next] = (uint8_t)(level - 1);
            *entry = pte_make(MFN(t->next++), MAP_PAGE);
        }
        table = pte_frame(*entry).n;
    }
    return t->entries[table];
}

static bool is_in_tables(const struct guest_layout *l, uint64_t pfn)
{
    return pfn - l->tables < l->table_count;
}

/* Maps `pages` pages from `pfn` on at `va`; tables read-only. */
static int map(struct build_tables *t, uint64_t va, uint64_t pfn,
               uint64_t pages)
{
    uint64_t *table = NULL;

    for (uint64_t i = 0; i < pages; i++, va += PAGE_SIZE, pfn++) {
        uint64_t flags = is_in_tables(t->layout, pfn) ? MAP_TABLE : MAP_PAGE;

        if (!table || pt_index(va, 1) == 0)
            table = l1_for(t, va);
        if (!table)
            return -1;
        table[pt_index(va, 1)] = pte_make(MFN(t->frames[pfn]), flags);
    }
    return 0;
}

static void put_frames(struct build_tables *t)
{
    for (uint64_t i = 0; i < t->count; i++)
        for (unsigned n = 0; t->levels[i] > 1 && n < PT_ENTRIES; n++) {
            uint64_t *entry = &t->entries[i][n];
            uint64_t index = pte_frame(*entry).n;

            if (*entry & PTE_PRESENT)
                *entry = pte_make(MFN(t->frames[pfn_of(t->layout, index)]),
                                  MAP_PAGE);
        }
}

/* See build_tables.h. */
int build_tables_make(struct build_tables *t, const struct guest_layout *layout,
                      const struct build_memory *m, struct error *e)
{
    *t = (struct build_tables){
        .layout = layout,
        .frames = m->frames,
        .count = layout->table_count + layout->p2m_table_count,
        .next = 1,
    };
    t->entries = calloc(t->count, sizeof(*t->entries));
    t->levels = calloc(t->count, 1);
    if (!t->entries || !t->levels)
        return error_set_errno(e, ENOMEM, "can't make page tables");
    t->levels[0] = 4;
    if (map(t, layout->kernel->virt_base, 0, layout->mapped))
        goto too_few;
    if (layout->p2m_table_count) {
        t->next = layout->table_count;
        if (map(t, layout->p2m, layout->p2m_first, layout->p2m_pages))
            goto too_few;
    }
    put_frames(t);
    return 0;
too_few:
    error_set(e, EXIT_STATUS_BAD_KERNEL, "can't make page tables");
    return error_why(e, "the kernel's layout takes more than planned");
}

/* See build_tables.h. */
int build_tables_write(const struct build_tables *t, struct build_memory *m,
                       struct error *e)
{
    for (uint64_t i = 0; i < t->count; i++)
        if (build_memory_write(m, pfn_of(t->layout, i), 0, t->entries[i],
                               PAGE_SIZE, e))
            return -1;
    return 0;
}

/* See build_tables.h. */
void build_tables_free(struct build_tables *t)
{
    free(t->entries);
    free(t->levels);
    t->entries = NULL;
    t->levels = NULL;
}
