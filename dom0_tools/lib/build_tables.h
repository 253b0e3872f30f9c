/* SPDX-License-Identifier: MIT */
/*
 * The first page tables of a domain, made in this process's memory and then
 * written to the domain in one go. Part of the builder (build.h).
 */
#pragma once

#include "core/guest_layout.h"
#include "dom0_tools/lib/build_memory.h"

struct build_tables {
    const struct guest_layout *layout;
    const uint64_t *frames; /* of each pfn */
    uint64_t (*entries)[512];
    uint8_t *levels; /* of each table; 0: unused */
    uint64_t count;  /* tables there is room for */
    uint64_t next;   /* the next unused one */
};

/*
 * Makes the tables that the layout asks for: the initial mapping, and the p2m
 * list where it lies apart. 0, or -1 with *e.
 */
int build_tables_make(struct build_tables *t, const struct guest_layout *layout,
                      const struct build_memory *m, struct error *e);

/* Queues the tables for writing; keep them until that is flushed. */
int build_tables_write(const struct build_tables *t, struct build_memory *m,
                       struct error *e);

void build_tables_free(struct build_tables *t);
