/* SPDX-License-Identifier: MIT */
/*
 * What a vCPU sees of its domain's memory, for gdb: the page tables as runs of
 * virtual pages that lie in a row in the dump as well. Tables are a guest's,
 * which may be as tangled as it likes: what a walk costs is bounded by the
 * number of dumped pages.
 */
#pragma once

#include "dom0_tools/lib/control.h"

/* A page of a dump; the index of a page is its place there. */
struct core_page {
    uint64_t pfn, frame;
};

/* The pages from index `first` on are seen from `address` on. */
struct core_segment {
    uint64_t address, first, count;
};

/* As many as the head of an ELF file can count, with room for a few more. */
enum { CORE_SEGMENTS_MAX = 65000 };

struct core_segments {
    struct core_segment *list; /* for free() */
    size_t count;
};

/* Copies one frame of a domain; false if it can't be read. */
bool core_copy_frame(struct control *control, domid_t domain, uint64_t frame,
                     void *copy);

/*
 * Walks the tables below the L4 table in frame `root`: first the upper half,
 * which kernels have, in the order of addresses, then the lower one. Frames
 * that are not among `pages` are left out, and so is what goes beyond
 * CORE_SEGMENTS_MAX. -1 with *e when memory is short.
 */
int core_segments_find(struct control *control, domid_t domain, uint64_t root,
                       const struct core_page *pages, uint64_t page_count,
                       struct core_segments *found, struct error *e);
