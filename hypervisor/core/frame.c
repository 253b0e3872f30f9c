/* SPDX-License-Identifier: MIT */
/*
 * Owners, counts and the simple types of frames (frame.h). Promotion to and
 * demotion from table types is pt_validate.c's.
 */
#include "core/frame.h"

#include "core/arch.h"
#include "core/bitmap.h"
#include "core/domain.h"
#include "core/heap.h"
#include "core/log.h"
#include "core/pcpu.h"

#define ONE_TYPE (1ull << FRAME_TYPE_COUNT_SHIFT)
#define ONE_TYPED (ONE_TYPE + 1) /* a type reference with its general one */
#define MAX_TYPE_COUNT (FRAME_TYPE_COUNT_MASK >> FRAME_TYPE_COUNT_SHIFT)

struct frame *frame_table;
uint64_t frame_table_end;

static uint32_t flush_clock;

uint32_t flush_clock_read(void)
{
    return __atomic_load_n(&flush_clock, __ATOMIC_SEQ_CST);
}

/*
 * The clock's new reading. Readings are compared modulo 2^32, which is right
 * while they are less than 2^31 apart: every 2^30 flushes all pCPUs flush.
 */
uint32_t flush_clock_advance(void)
{
    uint32_t now = __atomic_add_fetch(&flush_clock, 1, __ATOMIC_SEQ_CST);

    if (!(now & ((1u << 30) - 1)))
        arch_flush_since(now - 2);
    return now;
}

void flush_clock_note(uint32_t reading)
{
    __atomic_store_n(&this_pcpu()->flushed_at, reading, __ATOMIC_SEQ_CST);
}

/* Whether a pCPU that last flushed at `flushed_at` may know of `stamp`. */
bool flush_is_needed(uint32_t flushed_at, uint32_t stamp)
{
    return (int32_t)(flushed_at - stamp) <= 0;
}

static uint64_t state_read(const struct frame *f)
{
    return __atomic_load_n(&f->state, __ATOMIC_ACQUIRE);
}

static bool state_swap(struct frame *f, uint64_t *old, uint64_t new)
{
    return __atomic_compare_exchange_n(&f->state, old, new, false,
                                       __ATOMIC_SEQ_CST, __ATOMIC_ACQUIRE);
}

/* --- ownership ----------------------------------------------------------- */

static size_t chunk_bytes(void)
{
    return BITMAP_WORDS(frame_table_end / FRAME_CHUNK + 1) * sizeof(uint64_t);
}

/* The record of where the frames of `d` are, and its end. */
int frame_domain_create(struct domain *d)
{
    d->owned_chunks = heap_zalloc(chunk_bytes());
    return d->owned_chunks ? 0 : -ENOMEM;
}

void frame_domain_destroy(struct domain *d)
{
    ASSERT(!d->page_count);
    if (d->owned_chunks)
        heap_zfree(d->owned_chunks, chunk_bytes());
    d->owned_chunks = NULL;
}

/*
 * Gives 2^order frames fresh from the heap to `d`, which then holds one
 * reference to each. -E2BIG beyond the domain's limit, -ESRCH when it is
 * dying: whoever ends it takes the lock once and then knows all its frames.
 */
int frame_assign(mfn_t first, unsigned order, struct domain *d)
{
    uint64_t count = 1ull << order;
    int error = 0;

    spin_lock(&d->memory_lock);
    if (domain_is_dying(d))
        error = -ESRCH;
    else if (d->page_count + count > d->max_pages)
        error = -E2BIG;
    if (error) {
        spin_unlock(&d->memory_lock);
        return error;
    }
    d->page_count += count;
    for (uint64_t n = first.n; n < first.n + count; n++) {
        struct frame *f = &frame_table[n];

        bit_set(d->owned_chunks, n / FRAME_CHUNK);
        ASSERT(f->owner == OWNER_NOBODY);
        __atomic_store_n(&f->owner, d->id, __ATOMIC_RELAXED);
        /* Not a store: a passing frame_get may hold the count up. */
        __atomic_fetch_or(&f->state, FRAME_ALLOCATED, __ATOMIC_SEQ_CST);
    }
    spin_unlock(&d->memory_lock);
    return 0;
}

/* The last references are gone: `count` frames of `d` go back to the heap. */
static void release(uint64_t first, uint64_t count, struct domain *d)
{
    uint32_t now = flush_clock_read();

    for (uint64_t n = first; n < first + count; n++) {
        struct frame *f = &frame_table[n];

        f->stamp = now;
        arch_m2p_set(MFN(n), PFN_INVALID);
        __atomic_store_n(&f->owner, OWNER_NOBODY, __ATOMIC_RELAXED);
        __atomic_store_n(&f->state, 1, __ATOMIC_RELEASE);
    }
    spin_lock(&d->memory_lock);
    d->page_count -= count;
    spin_unlock(&d->memory_lock);
    heap_free(MFN(first), count);
}

/*
 * Takes `f` away from `d`, its owner; it is to be released. -EBUSY, and no
 * change, when anything else refers to it.
 */
static int withdraw(struct frame *f, struct domain *d)
{
    uint64_t old;
    int error = 0;

    if (!frame_get_known(f, d)) /* or it could change hands meanwhile */
        return -EINVAL;
    old = state_read(f);
    do {
        if (!(old & FRAME_ALLOCATED))
            error = -EINVAL;
        else if ((old & ~FRAME_TYPE_MASK) != (FRAME_ALLOCATED | 2))
            error = -EBUSY;
    } while (!error && !state_swap(f, &old, 0));
    if (error)
        frame_put(f);
    return error;
}

/*
 * Takes `f` away from `d`, its owner, and frees it. -EBUSY, and no change,
 * when anything else refers to it.
 */
int frame_unassign(struct frame *f, struct domain *d)
{
    int error = withdraw(f, d);

    if (!error)
        release(frame_mfn(f).n, 1, d);
    return error;
}

/* Drops the reference that `d` has to `f` as its own. */
static void give_up(struct frame *f, struct domain *d)
{
    if (!frame_get_known(f, d))
        return;
    if (__atomic_fetch_and(&f->state, ~FRAME_ALLOCATED, __ATOMIC_SEQ_CST) &
        FRAME_ALLOCATED)
        frame_put(f);
    frame_put(f);
}

/*
 * Drops the references that `d`, which is dying, has as its own to frames
 * among `count` from `first` on. Those who still use one keep it, and the last
 * of them frees it; the others are freed together.
 */
void frame_give_up(mfn_t first, uint64_t count, struct domain *d)
{
    uint64_t end = first.n + count;

    for (uint64_t n = first.n, run = n; n < end; run = n) {
        struct frame *f = frame_lookup(MFN(n));

        while (f && !withdraw(f, d))
            f = ++n < end ? frame_lookup(MFN(n)) : NULL;
        if (n > run)
            release(run, n - run, d);
        if (f)
            give_up(f, d);
        n++;
    }
}

/*
 * Walks the frames of `d`: sets *out and returns true while there are more at
 * or after *cursor, which it moves on. Start with 0. One call may look at all
 * of the machine's memory: for debugging, and for no call that guests make.
 */
bool frame_next_owned(struct domain *d, uint64_t *cursor, struct frame **out)
{
    while (*cursor < frame_table_end) {
        uint64_t n = *cursor;

        if (!bit_test(d->owned_chunks, n / FRAME_CHUNK)) {
            *cursor = (n / FRAME_CHUNK + 1) * FRAME_CHUNK;
            continue;
        }
        ++*cursor;
        *out = frame_lookup(MFN(n));
        if (*out && frame_owner(*out) == d->id)
            return true;
    }
    return false;
}

/*
 * Lends a frame of Mica's own to `d`, which may map it for reading and
 * writing; Mica keeps a reference, so that it stays Mica's.
 */
void frame_share(mfn_t mfn, struct domain *d)
{
    struct frame *f = &frame_table[mfn.n];

    ASSERT(f->owner == OWNER_NOBODY);
    __atomic_store_n(&f->owner, d->id, __ATOMIC_RELAXED);
    __atomic_fetch_or(&f->state, (uint64_t)FRAME_SHARED << FRAME_TYPE_SHIFT,
                      __ATOMIC_SEQ_CST);
}

/*
 * Ends frame_share. Guests may still hold references; the frame is usable by
 * Mica again once they are gone, so -EBUSY asks to come back.
 */
int frame_unshare(mfn_t mfn, struct domain *d)
{
    struct frame *f = &frame_table[mfn.n];
    uint64_t idle = 1ull | (uint64_t)FRAME_SHARED << FRAME_TYPE_SHIFT;

    ASSERT(frame_owner(f) == d->id && frame_type(f) == FRAME_SHARED);
    if (!state_swap(f, &idle, 0)) /* no frame_get succeeds from here on */
        return -EBUSY;
    f->stamp = flush_clock_read();
    __atomic_store_n(&f->owner, OWNER_NOBODY, __ATOMIC_RELEASE);
    __atomic_store_n(&f->state, 1, __ATOMIC_RELEASE);
    return 0;
}

/* --- references ---------------------------------------------------------- */

/* One more general reference, unless `f` has none or too many. */
static bool try_get(struct frame *f)
{
    uint64_t old = state_read(f);

    do {
        if (!(old & FRAME_COUNT_MASK) || old & FRAME_FREE ||
            (old & FRAME_COUNT_MASK) >= FRAME_COUNT_MASK - 1)
            return false;
    } while (!state_swap(f, &old, old + 1));
    return true;
}

/* A reference to `f` if it belongs to `owner`; whether it does. */
hot_path bool frame_get_known(struct frame *f, const struct domain *owner)
{
    if (frame_owner(f) != owner->id || !try_get(f))
        return false;
    if (frame_owner(f) == owner->id)
        return true;
    frame_put(f);
    return false;
}

/* A reference to RAM frame `mfn` if it belongs to `owner`, else NULL. */
hot_path struct frame *frame_get(mfn_t mfn, const struct domain *owner)
{
    struct frame *f = frame_lookup(mfn);

    return f && frame_get_known(f, owner) ? f : NULL;
}

/* Drops a general reference; the last one frees the frame. */
hot_path void frame_put(struct frame *f)
{
    uint64_t left = __atomic_sub_fetch(&f->state, 1, __ATOMIC_SEQ_CST);
    struct domain *d;

    ASSERT((left & FRAME_COUNT_MASK) != FRAME_COUNT_MASK);
    if (left & FRAME_COUNT_MASK)
        return;
    d = domain_find_get(frame_owner(f));
    if (!d)
        panic("frame %#lx: its owner d%u is gone", frame_mfn(f).n,
              frame_owner(f));
    release(frame_mfn(f).n, 1, d);
    domain_put(d);
}

/*
 * Waits for a change of the type by another pCPU to end; the state then.
 * The holder of CHANGING never waits for anything but flushes.
 */
static uint64_t state_settled(const struct frame *f)
{
    uint64_t state;

    while ((state = state_read(f)) & FRAME_CHANGING)
        arch_spin_wait();
    return state;
}

/*
 * Takes the type of `f` for this pCPU alone while nobody uses it: sets
 * CHANGING. -EBUSY while the type has references or the table is partial, and
 * for Mica's own. What the type was is certain only then: when this returns no
 * pCPU has translations from that time.
 */
int frame_begin_change(struct frame *f)
{
    uint64_t old;

    do {
        old = state_settled(f);
        if (frame_type_count(old) || old & FRAME_PARTIAL ||
            frame_type_of(old) == FRAME_SHARED)
            return -EBUSY;
    } while (!state_swap(f, &old, old | FRAME_CHANGING));
    if (frame_type(f) != FRAME_NONE)
        arch_flush_since(f->stamp);
    return 0;
}

/* Ends a change: `type` and `flags` replace what there was. */
void frame_end_change(struct frame *f, enum frame_type type, uint64_t flags)
{
    uint64_t keep = FRAME_COUNT_MASK | FRAME_ALLOCATED | FRAME_PINNED;
    uint64_t old = state_read(f);
    uint64_t new;

    do
        new = ((old & keep) | (uint64_t)type << FRAME_TYPE_SHIFT) + flags;
    while (!state_swap(f, &old, new));
}

/* One more reference of the type `f` has, and so many general ones: 0 or 1. */
static inline int get_same_type(struct frame *f, uint64_t old, unsigned general)
{
    if (frame_type_count(old) >= MAX_TYPE_COUNT ||
        (old & FRAME_COUNT_MASK) >= FRAME_COUNT_MASK - 1)
        return -ENOMEM;
    return state_swap(f, &old, old + ONE_TYPE + general) ? 0 : -EAGAIN;
}

/* Whether guests may write to a frame in this state. */
static bool is_writable(uint64_t state)
{
    return (1u << FRAME_WRITABLE | 1u << FRAME_SHARED) >> frame_type_of(state) &
           1;
}

/*
 * One more reference of `type`, which others hold as well. -EAGAIN when
 * nobody does, -ENOMEM at the counter's end.
 */
hot_path int frame_get_typed(struct frame *f, enum frame_type type)
{
    int error;

    do {
        uint64_t old = state_settled(f);

        if (!frame_type_count(old) || frame_type_of(old) != type)
            return -EAGAIN;
        error = get_same_type(f, old, 1);
    } while (error == -EAGAIN);
    return error;
}

/*
 * A reference that allows writable mappings. The caller holds a general
 * reference already or otherwise knows that `f` stays. -EBUSY while `f` is a
 * page table or descriptor table.
 */
hot_path int frame_get_writable(struct frame *f)
{
    int error = -EAGAIN;

    while (error == -EAGAIN) {
        uint64_t old = state_settled(f);

        if (is_writable(old)) {
            error = get_same_type(f, old, 1);
        } else if (frame_type_count(old) || old & FRAME_PARTIAL) {
            error = -EBUSY;
        } else if (!frame_begin_change(f)) {
            frame_end_change(f, FRAME_WRITABLE, ONE_TYPED);
            error = 0;
        }
    }
    return error;
}

/*
 * A writable reference to frame `mfn` of `owner`, in *out. -EINVAL when it is
 * not `owner`'s, or what frame_get_writable says.
 */
int frame_find_writable(mfn_t mfn, const struct domain *owner,
                        struct frame **out)
{
    struct frame *f = frame_get(mfn, owner);
    int error;

    if (!f)
        return refuse(-EINVAL, "frame %#lx is not d%u's", mfn.n, owner->id);
    error = frame_get_writable(f);
    frame_put(f);
    *out = f;
    return error;
}

/*
 * As frame_get_writable when all is plain: `f` is `owner`'s, and writable
 * already. False when it isn't, or must be looked at more closely.
 */
hot_path bool frame_get_writable_of(struct frame *f, const struct domain *owner)
{
    uint64_t old = state_read(f);

    if (frame_owner(f) != owner->id || !(old & FRAME_COUNT_MASK) ||
        old & (FRAME_FREE | FRAME_CHANGING) || !is_writable(old) ||
        get_same_type(f, old, 1))
        return false;
    if (frame_owner(f) == owner->id)
        return true;
    frame_put_writable(f);
    return false;
}

/*
 * A writable reference in place of the caller's general one, if `f` is
 * writable already. False when it isn't, or must be looked at more closely.
 */
hot_path bool frame_upgrade(struct frame *f)
{
    uint64_t old = state_read(f);

    return !(old & FRAME_CHANGING) && is_writable(old) &&
           !get_same_type(f, old, 0);
}

/*
 * Drops a type reference and `general` others, 0 or 1. When it was the last
 * of its type, stamps the frame.
 */
static inline void drop_type(struct frame *f, unsigned general)
{
    uint64_t old, new;

    do {
        old = state_settled(f);
        ASSERT(frame_type_count(old));
        new = old - ONE_TYPE;
        if (frame_type_count(new))
            new -= general;
        else
            new |= FRAME_CHANGING;
    } while (!state_swap(f, &old, new));
    if (!(new &FRAME_CHANGING))
        return;
    f->stamp = flush_clock_read();
    __atomic_and_fetch(&f->state, ~FRAME_CHANGING, __ATOMIC_SEQ_CST);
    if (general)
        frame_put(f);
}

/*
 * Drops a type reference, and with it a general one. When it was the last of
 * a table, the caller must have emptied the table first.
 */
hot_path void frame_put_typed(struct frame *f)
{
    drop_type(f, 1);
}

/* A general reference in place of the caller's writable one. */
hot_path void frame_downgrade(struct frame *f)
{
    drop_type(f, 0);
}
