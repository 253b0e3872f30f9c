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
 * An entry is shared memory: it is read once, as a whole, and put in use by a
 * compare-and-swap of the whole. What a use needs to know of it is kept here.
 *
 * The grant_lock of a domain guards its table and which entries of it are in
 * use; no function may be called with one. The pt_lock guards the mappings that
 * a domain made of others' frames, so that they and its page tables change
 * together.
 */
#pragma once

#include "core/frame_audit.h"
#include "core/types.h"
#include "hypercall_abi/grant_table.h"

struct domain;

#define GRANT_FRAMES_LIMIT 128u /* of entries, in any domain */
#define GRANT_FRAMES_DEFAULT 64u
#define GRANT_MAP_PAGES_LIMIT 1024u /* of records of mappings */
#define GRANTS_PER_FRAME 512u
#define GRANT_MAX_USES 255u /* of one entry at a time */
#define GRANT_MAPS_PER_PAGE 128u

enum grant_access { GRANT_READ, GRANT_WRITE };

/* One use of a granted frame. Const while it is held. */
struct grant_hold {
    struct domain *granter; /* NULL: the frame is the holder's own */
    struct frame *frame;
    grant_ref_t ref;
    enum grant_access access;
};

/* A mapping; pt_lock. */
struct grant_mapping {
    struct grant_hold hold; /* its frame is NULL while the mapping is free */
    grant_handle_t next;    /* free: the next free one */
    uint32_t flags;         /* GNTMAP_* as it was made */
};

_Static_assert(sizeof(struct grant_mapping) * GRANT_MAPS_PER_PAGE == PAGE_SIZE,
               "no page wasted");

/* The table of a domain. */
must_check int grant_create(struct domain *d);
void grant_destroy(struct domain *d);
must_check int grant_set_limits(struct domain *d, uint32_t frames,
                                uint32_t map_pages);
must_check int grant_release_all(struct domain *d);
must_check int grant_frame_at(struct domain *d, uint32_t index, mfn_t *out);
void grant_size(struct domain *d, uint32_t *frames, uint32_t *max_frames);

/* Uses of granted frames; results are GNTST_*. */
must_check int grant_hold_frame(struct domain *owner, mfn_t mfn,
                                enum grant_access access, struct frame **out);
must_check int grant_hold(struct grant_hold *h, struct domain *granter,
                          grant_ref_t ref, domid_t grantee,
                          enum grant_access access);
void grant_drop(const struct grant_hold *h);

/* Mappings that `d` has; with its pt_lock. */
struct grant_mapping *grant_mapping_new(struct domain *d,
                                        grant_handle_t *handle);
struct grant_mapping *grant_mapping_at(struct domain *d, grant_handle_t handle);
void grant_mapping_free(struct domain *d, grant_handle_t handle);
void grant_flush(struct domain *d);
void grant_frame_refs(struct domain *d, frame_ref_visitor *visit,
                      void *context);
