/* SPDX-License-Identifier: MIT */
/*
 * The memory of a domain under construction: which frame is behind each of
 * its pages, and writing to them in batches, since mapping frames is what
 * building costs. All of it starts as zeros, so zeros are never written.
 * Part of the builder (build.h).
 */
#pragma once

#include "core/types.h"
#include "dom0_tools/lib/control.h"

/* Bytes for one page, from this process to the domain. */
struct build_copy {
    uint64_t pfn;
    unsigned offset; /* into the page; offset + size is at most a page */
    unsigned size;
    const void *from;
};

#define BUILD_BATCH 1024u

struct build_memory {
    struct control *c;
    domid_t domain;
    uint64_t pages;
    uint64_t *frames; /* of each pfn, padded with 0 to whole pages */
    struct build_copy batch[BUILD_BATCH];
    unsigned waiting; /* copies in the batch */
};

/* Gives the domain its memory. -1 with *e; close it in any case. */
int build_memory_populate(struct build_memory *m, struct control *c,
                          domid_t domain, uint64_t pages, struct error *e);

/* Frees this process's part. */
void build_memory_close(struct build_memory *m);

/*
 * Writes `size` bytes to the domain, from byte `offset` of its page `pfn` on,
 * now or later: `from` must stay as it is until build_memory_flush().
 */
int build_memory_write(struct build_memory *m, uint64_t pfn, uint64_t offset,
                       const void *from, uint64_t size, struct error *e);

/* Does all writes that wait. */
int build_memory_flush(struct build_memory *m, struct error *e);

/*
 * Reads `size` bytes from byte `at` of a file on into the domain, from byte
 * `offset` of its page `pfn` on. Holes of the file are passed over, since the
 * domain's memory starts as zeros. A file that ends sooner is an error.
 */
int build_memory_read_file(struct build_memory *m, uint64_t pfn,
                           uint64_t offset, int fd, uint64_t at, uint64_t size,
                           struct error *e);
