/* SPDX-License-Identifier: MIT */
/*
 * The buddy allocator (heap.h).
 *
 * Free blocks are naturally aligned. Zone z holds those that lie in frames
 * [2^z, 2^(z+1)): a block never straddles zones, since frame 0 is never ours,
 * and a limit on the address is a limit on the zone. The record of a block's
 * first frame keeps its links in `state`, its order in `progress` and the
 * newest flush stamp of all its frames in `stamp`.
 */
#include "core/heap.h"

#include "core/frame.h"
#include "core/log.h"
#include "core/spinlock.h"

#define LINK_BITS 31 /* frames below 8 TiB; Mica can't map more */
#define LINK_MASK ((1ull << LINK_BITS) - 1)
#define ZONES LINK_BITS
#define ORDERS (HEAP_MAX_ORDER + 1)
#define RESET_SPINS 50000000u /* seconds */

static struct {
    struct spinlock lock;
    uint32_t head[ZONES][ORDERS]; /* first block; 0: none */
    uint64_t free_frames;
} buddy;

static uint64_t state_of(uint64_t n)
{
    return __atomic_load_n(&frame_table[n].state, __ATOMIC_RELAXED);
}

static void set_state(uint64_t n, uint64_t state)
{
    __atomic_store_n(&frame_table[n].state, state, __ATOMIC_RELAXED);
}

static void set_links(uint64_t n, uint64_t next, uint64_t prev)
{
    set_state(n, FRAME_FREE | next | prev << LINK_BITS);
}

static uint64_t link_next(uint64_t n)
{
    return state_of(n) & LINK_MASK;
}

static uint64_t link_prev(uint64_t n)
{
    return state_of(n) >> LINK_BITS & LINK_MASK;
}

static unsigned zone_of(uint64_t n)
{
    return 63 - (unsigned)__builtin_clzll(n);
}

/* The later reading of the flush clock, which wraps. */
static uint32_t newer_stamp(uint32_t a, uint32_t b)
{
    return (int32_t)(a - b) > 0 ? a : b;
}

static void insert_block(uint64_t n, unsigned order, uint32_t stamp)
{
    uint32_t *head = &buddy.head[zone_of(n)][order];
    uint64_t next = *head;

    frame_table[n].progress = (uint16_t)order;
    frame_table[n].stamp = stamp;
    set_links(n, next, 0);
    if (next)
        set_links(next, link_next(next), n);
    *head = (uint32_t)n;
}

static void remove_block(uint64_t n, unsigned order)
{
    uint64_t next = link_next(n), prev = link_prev(n);

    if (next)
        set_links(next, link_next(next), prev);
    if (prev)
        set_links(prev, next, link_prev(prev));
    else
        buddy.head[zone_of(n)][order] = (uint32_t)next;
    frame_table[n].progress = 0;
    set_state(n, 0);
}

static bool is_free_block(uint64_t n, unsigned order)
{
    const struct frame *f = frame_lookup(MFN(n));

    return f && (state_of(n) & FRAME_FREE) && f->progress == order;
}

/* Puts a block on its list, after joining it with free neighbours. */
static void release_block(uint64_t n, unsigned order, uint32_t stamp)
{
    buddy.free_frames += 1ull << order;
    for (; order < HEAP_MAX_ORDER; order++) {
        uint64_t other = n ^ 1ull << order;

        if (!is_free_block(other, order))
            break;
        stamp = newer_stamp(stamp, frame_table[other].stamp);
        remove_block(other, order);
        n &= ~(1ull << order);
    }
    insert_block(n, order, stamp);
}

/* The largest order of a block at `n` within `frames` frames. */
static unsigned order_at(uint64_t n, uint64_t frames)
{
    unsigned aligned = (unsigned)__builtin_ctzll(n);
    unsigned fits = 63 - (unsigned)__builtin_clzll(frames);
    unsigned order = aligned < fits ? aligned : fits;

    return order < HEAP_MAX_ORDER ? order : HEAP_MAX_ORDER;
}

/* Puts frames in a row on lists, as large blocks as their numbers allow. */
static void release_run(uint64_t n, uint64_t frames, uint32_t stamp)
{
    while (frames > 0) {
        unsigned order = order_at(n, frames);

        spin_lock(&buddy.lock);
        release_block(n, order, stamp);
        spin_unlock(&buddy.lock);
        n += 1ull << order;
        frames -= 1ull << order;
    }
}

/*
 * Gives RAM to the heap: `frames` frames that frame_lookup knows, at any
 * alignment, never to be given twice, and not frame 0: that ends lists. For
 * boot, but safe later as well.
 */
void heap_add(mfn_t first, uint64_t frames)
{
    uint32_t stamp = flush_clock_read();

    for (uint64_t n = first.n; n < first.n + frames; n++)
        frame_table[n] = (struct frame){.stamp = stamp, .owner = OWNER_NOBODY};
    release_run(first.n, frames, stamp);
}

/* Takes a block out of the highest zone below `zones`; 0 when there is none. */
static uint64_t take_block(unsigned order, unsigned zones, uint32_t *stamp)
{
    for (unsigned zone = zones; zone-- > 0;) {
        unsigned found = order;
        uint64_t n;

        while (found < HEAP_MAX_ORDER && !buddy.head[zone][found])
            found++;
        n = buddy.head[zone][found];
        if (!n)
            continue;
        *stamp = frame_table[n].stamp;
        remove_block(n, found);
        while (found > order) {
            found--;
            insert_block(n, found, *stamp);
            n += 1ull << found;
        }
        buddy.free_frames -= 1ull << order;
        return n;
    }
    return 0;
}

/*
 * 2^order frames in a row, aligned to their size, all bytes of which have
 * physical addresses below 2^address_bits. Their contents are whatever their
 * last user left. MFN_INVALID when there is no such block.
 */
mfn_t heap_alloc(unsigned order, unsigned address_bits)
{
    unsigned zones = 0;
    uint32_t stamp = 0;
    uint64_t n;

    if (order > HEAP_MAX_ORDER)
        return MFN_INVALID;
    if (address_bits > PAGE_SHIFT)
        zones = (unsigned)min_u64(address_bits - PAGE_SHIFT, ZONES);
    spin_lock(&buddy.lock);
    n = take_block(order, zones, &stamp);
    spin_unlock(&buddy.lock);
    if (!n)
        return MFN_INVALID;
    for (uint64_t i = 0; i < 1ull << order; i++)
        set_state(n + i, 1);
    arch_flush_since(stamp);
    return MFN(n);
}

/*
 * Makes a record that of a free frame; its flush stamp. Another pCPU that
 * looked for a frame of a domain's (frame_get) may hold a reference for the
 * moment it takes to see that this isn't one.
 */
static uint32_t reset_record(uint64_t n)
{
    struct frame *f = &frame_table[n];
    unsigned spins = 0;
    uint64_t state = (state_of(n) & FRAME_TYPE_MASK) | 1;

    while (!__atomic_compare_exchange_n(&f->state, &state, 0, false,
                                        __ATOMIC_SEQ_CST, __ATOMIC_RELAXED)) {
        if (!(state & FRAME_COUNT_MASK) ||
            state & ~(FRAME_COUNT_MASK | FRAME_TYPE_MASK) ||
            spins++ == RESET_SPINS)
            panic("heap: frame %#llx freed in state %#llx",
                  (unsigned long long)n, (unsigned long long)state);
        arch_spin_wait();
        state = (state & FRAME_TYPE_MASK) | 1;
    }
    __atomic_store_n(&f->owner, (domid_t)OWNER_NOBODY, __ATOMIC_RELAXED);
    f->progress = 0;
    return f->stamp;
}

/*
 * Takes back `frames` frames in a row from heap_alloc. No references may be
 * left but the one each came with. Each frame's `stamp` says when a translation
 * of it may last have been in use.
 */
void heap_free(mfn_t first, uint64_t frames)
{
    uint32_t stamp = frames ? frame_table[first.n].stamp : 0;

    for (uint64_t n = first.n; n < first.n + frames; n++)
        stamp = newer_stamp(stamp, reset_record(n));
    release_run(first.n, frames, stamp);
}

/* The number of free frames, at some moment during the call. */
uint64_t heap_free_frames(void)
{
    return __atomic_load_n(&buddy.free_frames, __ATOMIC_RELAXED);
}

static uint64_t frames_for(size_t size)
{
    return size / PAGE_SIZE + (!size || size % PAGE_SIZE);
}

/*
 * Zeroed frames for at least `size` bytes of Mica's own use; NULL when there
 * are none. What a power of two of them has too much goes back.
 */
void *heap_zalloc(size_t size)
{
    uint64_t frames = frames_for(size);
    unsigned order = 0;
    mfn_t first;

    while (order <= HEAP_MAX_ORDER && 1ull << order < frames)
        order++;
    first = heap_alloc(order, HEAP_ANY_ADDRESS);
    if (mfn_equal(first, MFN_INVALID))
        return NULL;
    heap_free(mfn_add(first, frames), (1ull << order) - frames);
    return memset(arch_frame_ptr(first), 0, frames * PAGE_SIZE);
}

/* The way back for heap_zalloc of the same size; NULL is fine. */
void heap_zfree(void *ptr, size_t size)
{
    if (ptr)
        heap_free(arch_frame_of(ptr), frames_for(size));
}
