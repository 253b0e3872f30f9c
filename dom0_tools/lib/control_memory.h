/* SPDX-License-Identifier: MIT */
/*
 * Domains' memory and page tables from outside. Conventions of error.h and
 * control.h.
 */
#pragma once

#include "dom0_tools/lib/control.h"

struct control_memory_range {
    uint64_t start; /* bytes */
    uint64_t size;
    uint32_t type; /* E820_TYPE_* (memory.h) */
};

/* What a page table is pinned as. */
enum control_table_level {
    CONTROL_TABLE_L1,
    CONTROL_TABLE_L2,
    CONTROL_TABLE_L3,
    CONTROL_TABLE_L4,
};

/*
 * Gives a domain frames for `count` extents of 2^order pages. `pfns` lists
 * the first pfn of each, and gets the first frame of each. The number of
 * extents that were populated, which is less than `count` when memory of that
 * shape runs out; -1 for any other failure.
 */
long control_populate(struct control *c, domid_t domain, unsigned order,
                      uint64_t *pfns, size_t count, struct error *e);

/* Takes `count` single frames from a domain. The number taken, or -1. */
long control_release(struct control *c, domid_t domain, const uint64_t *frames,
                     size_t count, struct error *e);

/* Pages a domain has, or may have. -1 on failure. */
long control_pages(struct control *c, domid_t domain, struct error *e);
long control_max_pages(struct control *c, domid_t domain, struct error *e);

/* The memory map that the guest will ask for. */
int control_set_memory_map(struct control *c, domid_t domain,
                           const struct control_memory_range *ranges,
                           unsigned count, struct error *e);

/* Validates and pins a page table of a domain. */
int control_pin_table(struct control *c, domid_t domain,
                      enum control_table_level level, uint64_t frame,
                      struct error *e);

/*
 * Maps the first `count` frames of a domain's grant table for writing. The
 * table exists from the domain's creation on. Unmap with
 * control_unmap_frames().
 */
void *control_map_grant_table(struct control *c, domid_t domain, size_t count,
                              struct error *e);
