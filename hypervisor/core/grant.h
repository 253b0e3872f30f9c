/* SPDX-License-Identifier: MIT */
/*
 * Grant tables, version 1: a domain's list of frames that others may use, and
 * the record of what it uses of others.
 *
 * While a granted frame is in use, by a mapping or by a copy under way, it is
 * held: GTF_reading is set in the granter's entry, and GTF_writing if the use
 * may write; a reference, a writable one if it may write, keeps the frame the
 * granter's and no page table; and the granter itself has a reference. The
 * flags go last, when no processor has a translation of the mapping any more,
 * so a granter that finds them clear has its frame to itself.
 *
 * An entry is shared memory: it is read as a whole, and put in use by a
 * compare-and-swap of the whole. What a use needs to know of it is in its hold;
 * here the uses are only counted, so that the flags are right. A granter who
 * changes an entry in use changes nothing for those who use it already.
 *
 * The grant_lock of a domain guards its table and the uses of its entries; no
 * function may be called with one. The pt_lock guards the mappings that a
 * domain made of others' frames, so that they and its page tables change
 * together.
 */
#pragma once

#include "core/frame_audit.h"
#include "core/types.h"
#include "hypercall_abi/grant_table.h"

struct domain;

#define GRANT_FRAMES_LIMIT 64u /* of entries, in any domain */
#define GRANTS_PER_FRAME 512u
#define GRANT_MAPS_LIMIT 131072u /* mappings that a domain has at a time */
#define GRANT_MAPS_PER_CHUNK 1024u

enum grant_access { GRANT_READ, GRANT_WRITE };

/* One use of a granted frame. Const while it is held. */
struct grant_hold {
    struct domain *granter; /* NULL: the frame is the holder's own */
    struct frame *frame;
    grant_ref_t ref;
    enum grant_access access;
};

/* A mapping; pt_lock. Zeroed ones are free, each followed by its neighbour. */
struct grant_mapping {
    struct grant_hold hold; /* its frame is NULL while the mapping is free */
    uint32_t skip;          /* free: what the next free one is further on */
    uint32_t flags;         /* GNTMAP_* as it was made */
};

/* grant_lock: a frame of entries, and how each of them is used. */
struct grant_frame {
    uint64_t entries[GRANTS_PER_FRAME]; /* lent to the domain */
    struct grant_uses {
        uint32_t all, writing; /* fewer than all domains' mappings together */
    } uses[GRANTS_PER_FRAME];
};

struct grant_table {
    uint32_t frame_count; /* grant_lock, as the frames */
    uint32_t max_frames;  /* const after build */
    struct grant_frame *frames[GRANT_FRAMES_LIMIT];

    uint32_t max_maps;       /* const after build */
    uint32_t map_count;      /* pt_lock, as what follows */
    grant_handle_t free_map; /* map_count: all are taken */
    struct grant_mapping *chunks[GRANT_MAPS_LIMIT / GRANT_MAPS_PER_CHUNK];
};

/* The table of a domain. */
must_check int grant_create(struct domain *d);
void grant_destroy(struct domain *d);
void grant_set_limits(struct domain *d, uint32_t frames, uint32_t map_pages);
must_check int grant_release_all(struct domain *d);
must_check int grant_frame_at(struct domain *d, uint32_t index, mfn_t *out);

/* Uses of granted frames; results are GNTST_*. */
must_check int grant_hold_frame(struct domain *owner, mfn_t mfn,
                                enum grant_access access, struct frame **out);
must_check int grant_hold(struct grant_hold *h, struct domain *granter,
                          grant_ref_t ref, domid_t grantee,
                          enum grant_access access);
void grant_drop(const struct grant_hold *h);

/* grant_op.c: the mappings that `d` has. */
must_check int grant_release_mappings(struct domain *d);
void grant_frame_refs(struct domain *d, frame_ref_visitor *visit,
                      void *context);
