/* SPDX-License-Identifier: MIT */
/*
 * The frame table: for each frame of RAM its owner, a reference count, a type
 * and a type count, in 16 bytes.
 *
 * Invariants
 * - A frame with references has an owner and is not on the heap. Being
 *   allocated to a domain is itself one reference.
 * - The type changes only while the type count is zero and the frame is not
 *   partial. So a frame is never at once writable by a guest and a page table
 *   or descriptor table.
 * - Each type reference comes with a general reference.
 * - A table type with a nonzero count is validated: every present entry holds
 *   the references it implies.
 * - A partial table has type count zero and one general reference of its own;
 *   exactly its first `progress` entries hold their references. Whoever has
 *   the owner's page-table lock may finish or undo it.
 *
 * The rule for stale translations: when the last type reference or the last
 * general reference goes, the frame is stamped with the flush clock; before
 * it takes another type or owner, arch_flush_since(stamp) returned.
 *
 * Counts change by compare-and-swap and need no lock; whoever sets CHANGING has
 * the type to itself until it clears it. Changes to or from a table or
 * descriptor type need the page-table lock of the frame's owner as well.
 */
#pragma once

#include "core/arch.h"
#include "core/types.h"
#include "hypercall_abi/abi.h"

struct domain;

enum frame_type {
    FRAME_NONE,
    FRAME_WRITABLE,
    FRAME_L1,
    FRAME_L2,
    FRAME_L3,
    FRAME_L4,
    FRAME_SEGDESC,
    FRAME_SHARED, /* Mica's own page, lent to its owner for reading/writing */
};

static inline bool frame_type_is_table(enum frame_type type)
{
    return type >= FRAME_L1 && type <= FRAME_L4;
}

struct frame {
    uint64_t state;    /* atomic: FRAME_* fields below */
    uint32_t stamp;    /* flush clock at the last release; free: next frame */
    domid_t owner;     /* atomic: DOMID_* when no domain's */
    uint16_t progress; /* partial: entries that hold references; free: order */
};

_Static_assert(sizeof(struct frame) == 16, "0.4 % of RAM");

/* struct frame.state: general count 31:0, type count 55:32, then */
#define FRAME_COUNT_MASK 0xffffffffull
#define FRAME_TYPE_COUNT_SHIFT 32
#define FRAME_TYPE_COUNT_MASK (0xffffffull << FRAME_TYPE_COUNT_SHIFT)
#define FRAME_TYPE_SHIFT 56
#define FRAME_TYPE_MASK (7ull << FRAME_TYPE_SHIFT)
#define FRAME_PARTIAL (1ull << 59)
#define FRAME_PINNED (1ull << 60)
#define FRAME_ALLOCATED (1ull << 61) /* the domain's own reference is held */
#define FRAME_FREE (1ull << 62)      /* head of a free block */
#define FRAME_CHANGING (1ull << 63)  /* type and stamp belong to one pCPU */

/* Frames for which a domain has one bit that says whether it may own any. */
#define FRAME_CHUNK 512u

/* Owners that are not domains. */
#define OWNER_NOBODY 0x7ff4 /* on the heap, or Mica's own */
#define OWNER_IO 0x7ff1     /* not RAM */

/* The records, and the first number beyond; the machine sets them at start. */
extern struct frame *frame_table;
extern uint64_t frame_table_end;

/* At start each record is one of these two: of no RAM, of Mica's own. */
#define FRAME_NO_RAM ((struct frame){.owner = OWNER_IO})
#define FRAME_OWN_RAM ((struct frame){.state = 1, .owner = OWNER_NOBODY})

static inline mfn_t frame_mfn(const struct frame *f)
{
    return MFN((uint64_t)(f - frame_table));
}

static inline enum frame_type frame_type_of(uint64_t state)
{
    return (enum frame_type)((state & FRAME_TYPE_MASK) >> FRAME_TYPE_SHIFT);
}

static inline enum frame_type frame_type(const struct frame *f)
{
    return frame_type_of(__atomic_load_n(&f->state, __ATOMIC_RELAXED));
}

static inline uint64_t frame_type_count(uint64_t state)
{
    return (state & FRAME_TYPE_COUNT_MASK) >> FRAME_TYPE_COUNT_SHIFT;
}

/*
 * The type of `f` while it has references, else FRAME_NONE: both read at one
 * moment, for a type without references can change at any time.
 */
static inline enum frame_type frame_used_type(const struct frame *f)
{
    uint64_t state = __atomic_load_n(&f->state, __ATOMIC_RELAXED);

    return frame_type_count(state) ? frame_type_of(state) : FRAME_NONE;
}

static inline domid_t frame_owner(const struct frame *f)
{
    return __atomic_load_n(&f->owner, __ATOMIC_RELAXED);
}

/* The record of RAM frame `mfn`, or NULL when there is no such RAM. */
static inline struct frame *frame_lookup(mfn_t mfn)
{
    struct frame *f = &frame_table[index_clamp(mfn.n, frame_table_end)];

    return mfn.n < frame_table_end && frame_owner(f) != OWNER_IO ? f : NULL;
}

/*
 * The flush clock counts full flushes on any pCPU. A pCPU that flushes first
 * advances the clock, then flushes, then notes the reading it advanced to.
 */
uint32_t flush_clock_read(void);
uint32_t flush_clock_advance(void);
void flush_clock_note(uint32_t reading);
bool flush_is_needed(uint32_t flushed_at, uint32_t stamp);

must_check int frame_domain_create(struct domain *d);
void frame_domain_destroy(struct domain *d);

/* Domain frames: allocation, and the way back to the heap. */
must_check int frame_assign(mfn_t first, unsigned order, struct domain *d);
must_check int frame_unassign(struct frame *f, struct domain *d);
void frame_give_up(mfn_t first, uint64_t count, struct domain *d);
bool frame_next_owned(struct domain *d, uint64_t *cursor, struct frame **out);
void frame_share(mfn_t mfn, struct domain *d);
must_check int frame_unshare(mfn_t mfn, struct domain *d);

/* General references. */
struct frame *frame_get(mfn_t mfn, const struct domain *owner);
must_check bool frame_get_known(struct frame *f, const struct domain *owner);
void frame_put(struct frame *f);

/* Writable references: a general one and a type one together. */
must_check int frame_get_writable(struct frame *f);
must_check int frame_find_writable(mfn_t mfn, const struct domain *owner,
                                   struct frame **out);
must_check bool frame_get_writable_of(struct frame *f,
                                      const struct domain *owner);
#define frame_put_writable frame_put_typed

/* From a general reference to a writable one, and back. */
must_check bool frame_upgrade(struct frame *f);
void frame_downgrade(struct frame *f);

/* Changes of type; pt_validate.c is the user. */
must_check int frame_begin_change(struct frame *f);
void frame_end_change(struct frame *f, enum frame_type type, uint64_t flags);
must_check int frame_get_typed(struct frame *f, enum frame_type type);
void frame_put_typed(struct frame *f);
