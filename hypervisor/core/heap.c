/* SPDX-License-Identifier: MIT */
/*
 * The buddy allocator and the slabs above it (heap.h).
 *
 * Free blocks are naturally aligned. Zone z holds those that lie in frames
 * [2^z, 2^(z+1)): a block never straddles zones, since frame 0 is never ours,
 * and a limit on the address is a limit on the zone. The record of a block's
 * first frame keeps its links in `state`, its order in `progress` and the
 * newest flush stamp of all its frames in `stamp`.
 */
#include "core/heap.h"

#include "core/frame.h"
#include "core/list.h"
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

/*
 * Gives RAM to the heap: `frames` frames that frame_lookup knows, at any
 * alignment, never to be given twice. Frame 0 and what lies beyond Mica's
 * reach is left out. For boot, but safe later as well.
 */
void heap_add(mfn_t first, uint64_t frames)
{
    uint64_t n = first.n;
    uint32_t stamp = flush_clock_read();

    if (n == 0 && frames > 0) {
        n++;
        frames--;
    }
    if (n > LINK_MASK)
        return;
    frames = min_u64(frames, LINK_MASK + 1 - n);
    for (uint64_t i = n; i < n + frames; i++)
        frame_table[i] = (struct frame){.stamp = stamp, .owner = OWNER_NOBODY};
    while (frames > 0) {
        unsigned order = order_at(n, frames);

        spin_lock(&buddy.lock);
        release_block(n, order, stamp);
        spin_unlock(&buddy.lock);
        n += 1ull << order;
        frames -= 1ull << order;
    }
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
 * Takes back 2^order frames from heap_alloc, or any aligned part of such a
 * block. No references may be left but the one they came with. Each
 * frame's `stamp` says when a translation of it may last have been in use.
 */
void heap_free(mfn_t first, unsigned order)
{
    uint64_t n = first.n;
    uint32_t stamp;

    if (!n || n > LINK_MASK || order > HEAP_MAX_ORDER ||
        (n & ((1ull << order) - 1)))
        panic("heap: not a block: %#llx order %u", (unsigned long long)n,
              order);
    stamp = frame_table[n].stamp;
    for (uint64_t i = 0; i < 1ull << order; i++)
        stamp = newer_stamp(stamp, reset_record(n + i));
    spin_lock(&buddy.lock);
    release_block(n, order, stamp);
    spin_unlock(&buddy.lock);
}

/* As heap_free for `frames` frames in a row, at any alignment. */
void heap_free_run(mfn_t first, uint64_t frames)
{
    for (uint64_t n = first.n; frames > 0;) {
        unsigned order = order_at(n, frames);

        heap_free(MFN(n), order);
        n += 1ull << order;
        frames -= 1ull << order;
    }
}

/* The number of free frames, at some moment during the call. */
uint64_t heap_free_frames(void)
{
    return __atomic_load_n(&buddy.free_frames, __ATOMIC_RELAXED);
}

static uint64_t frames_for(size_t size)
{
    return size / PAGE_SIZE + (size % PAGE_SIZE != 0);
}

/* Whole frames for a large object; what a power of two has too much goes back. */
static void *pages_zalloc(size_t size)
{
    uint64_t frames = frames_for(size);
    unsigned order = 0;
    mfn_t first;

    while (order <= HEAP_MAX_ORDER && 1ull << order < frames)
        order++;
    first = heap_alloc(order, HEAP_ANY_ADDRESS);
    if (mfn_equal(first, MFN_INVALID))
        return NULL;
    heap_free_run(mfn_add(first, frames), (1ull << order) - frames);
    return memset(arch_frame_ptr(first), 0, frames * PAGE_SIZE);
}

/* 2^order zeroed frames for Mica's own use; NULL when there are none. */
void *frames_alloc(unsigned order)
{
    return pages_zalloc(PAGE_SIZE << order);
}

/* The way back for frames_alloc. */
void frames_free(void *ptr, unsigned order)
{
    if (ptr)
        heap_free(arch_frame_of(ptr), order);
}

/*
 * Slabs: frames of objects of one size, a power of two. A slab begins with this
 * header; free objects are chained through their first word. Slabs with a free
 * object are on their class's list.
 */
#define SLAB_MIN_SHIFT 4
#define SLAB_MAX_SIZE 1024u
#define SLAB_CLASSES 7
#define POISON 0x5a

struct slab {
    struct list link;
    void *free;    /* the first free object */
    unsigned used; /* objects handed out */
};

static struct slab_class {
    struct spinlock lock;
    struct list partial; /* zero until the first slab is made */
} slab_classes[SLAB_CLASSES];

/* The class of objects of `size` bytes, whose own size takes its place. */
static struct slab_class *class_of(size_t *size)
{
    unsigned index = 0;

    while (1ul << (index + SLAB_MIN_SHIFT) < *size)
        index++;
    *size = 1ul << (index + SLAB_MIN_SHIFT);
    return &slab_classes[index];
}

static void check_poison(const void *object, size_t size)
{
    const uint8_t *bytes = object;

    for (size_t i = sizeof(void *); CONFIG_DEBUG && i < size; i++)
        if (bytes[i] != POISON)
            panic("heap: %p of %zu bytes was written after its release", object,
                  size);
}

static void push_object(struct slab *slab, void *object, size_t size)
{
    if (CONFIG_DEBUG)
        memset(object, POISON, size);
    *(void **)object = slab->free;
    slab->free = object;
}

static struct slab *slab_create(struct slab_class *c, size_t size)
{
    struct slab *slab = frames_alloc(0);

    if (!slab)
        return NULL;
    for (size_t at = PAGE_SIZE - size; at >= sizeof(*slab); at -= size)
        push_object(slab, (char *)slab + at, size);
    list_add(&slab->link, &c->partial);
    return slab;
}

static void *slab_alloc(struct slab_class *c, size_t size)
{
    struct slab *slab;
    void *object = NULL;

    spin_lock(&c->lock);
    if (!c->partial.next)
        list_init(&c->partial);
    slab = list_is_empty(&c->partial)
               ? slab_create(c, size)
               : list_first(&c->partial, struct slab, link);
    if (slab) {
        object = slab->free;
        slab->free = *(void **)object;
        slab->used++;
        if (!slab->free)
            list_del(&slab->link);
    }
    spin_unlock(&c->lock);
    return object;
}

static void check_not_on_slab(const struct slab *slab, const void *object)
{
    for (void *const *p = slab->free; CONFIG_DEBUG && p; p = *p)
        if (p == object)
            panic("heap: %p freed twice", object);
}

static void slab_free(struct slab_class *c, void *object, size_t size)
{
    struct slab *slab = arch_frame_ptr(arch_frame_of(object));

    spin_lock(&c->lock);
    check_not_on_slab(slab, object);
    if (!slab->free)
        list_add(&slab->link, &c->partial);
    push_object(slab, object, size);
    if (--slab->used == 0) {
        list_del(&slab->link);
        frames_free(slab, 0);
    }
    spin_unlock(&c->lock);
}

/*
 * Zeroed memory of `size` bytes for Mica's own use, aligned to 16 and to the
 * largest power of two in `size` up to a page; NULL when there is none.
 */
void *heap_zalloc(size_t size)
{
    struct slab_class *c;
    void *object;

    if (size > SLAB_MAX_SIZE)
        return pages_zalloc(size);
    c = class_of(&size);
    object = slab_alloc(c, size);
    if (!object)
        return NULL;
    check_poison(object, size);
    return memset(object, 0, size);
}

/* The way back for heap_zalloc of the same size; NULL is fine. */
void heap_zfree(void *ptr, size_t size)
{
    if (ptr && size > SLAB_MAX_SIZE)
        heap_free_run(arch_frame_of(ptr), frames_for(size));
    else if (ptr)
        slab_free(class_of(&size), ptr, size);
}
