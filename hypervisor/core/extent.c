/* SPDX-License-Identifier: MIT */
/* Lists of extents, and clean frames for them (extent.h). */
#include "core/extent.h"

#include "core/arch.h"
#include "core/domain.h"
#include "core/guest_copy.h"
#include "core/heap.h"
#include "core/hypercall.h"
#include "hypercall_abi/memory.h"

/*
 * The most frames in an extent. What a guest may ask for is zeroed in one go,
 * so that none has memory on the way that its limit does not count.
 */
#define MAX_ORDER_GUEST 9u
#define MAX_ORDER_PRIVILEGED 12u
#define STEP_FRAMES 64u /* zeroed between two looks at the clock */

#define MAX_FRAME_NUMBER (1ull << 40)

/* Whether `d` may ask for extents of this order. */
bool extent_order_is_allowed(const struct domain *d, uint32_t order)
{
    return order <= (d->is_privileged ? MAX_ORDER_PRIVILEGED : MAX_ORDER_GUEST);
}

static guest_va at(guest_va list, uint64_t index)
{
    return guest_va_add(list, index * sizeof(uint64_t));
}

/* Reads a first frame, to which an order can be added. 0, -EFAULT, -EINVAL. */
int extent_read(guest_va list, uint64_t index, uint64_t *number)
{
    if (copy_in(number, at(list, index), sizeof(*number)))
        return -EFAULT;
    return *number < MAX_FRAME_NUMBER ? 0 : -EINVAL;
}

/* Writes one. 0, -EFAULT. */
int extent_write(guest_va list, uint64_t index, mfn_t first)
{
    return copy_out(at(list, index), &first.n, sizeof(first.n)) ? -EFAULT : 0;
}

static unsigned address_bits(uint32_t mem_flags)
{
    unsigned bits = mem_flags & XENMEMF_ADDRESS_BITS_MASK;

    return bits && bits < HEAP_ANY_ADDRESS ? bits : HEAP_ANY_ADDRESS;
}

/* Frames for *e, unless it is half zeroed and as wanted. 0, -ENOMEM. */
static int prepare(struct extent *e, unsigned order, uint32_t mem_flags)
{
    struct extent new = {.order = order,
                         .address_bits = address_bits(mem_flags)};

    if (e->first.n && e->order == order && e->address_bits == new.address_bits)
        return 0;
    extent_drop(e);
    new.first = heap_alloc(order, new.address_bits);
    if (mfn_equal(new.first, MFN_INVALID))
        return -ENOMEM;
    *e = new;
    return 0;
}

/* Whether to make way now that so much of *e is zeroed. */
static bool makes_way(const struct extent *e)
{
    return e->order > MAX_ORDER_GUEST && e->cleared < 1ull << e->order &&
           e->cleared % STEP_FRAMES == 0 && hypercall_should_restart();
}

/*
 * Makes *e, of no order or half zeroed, 2^order zeroed frames where mem_flags
 * allow. 0; -ENOMEM; -ERESTART to be called again for the same.
 */
int extent_clear_next(struct extent *e, unsigned order, uint32_t mem_flags)
{
    int error = prepare(e, order, mem_flags);

    while (!error && e->cleared < 1ull << order) {
        memset(arch_frame_ptr(mfn_add(e->first, e->cleared)), 0, PAGE_SIZE);
        e->cleared++;
        if (makes_way(e))
            error = -ERESTART;
    }
    return error;
}

/*
 * Takes the zeroed frames out of *e, which is empty then. They are nobody's,
 * and at `pfn` unless that is PFN_INVALID's number. The first.
 */
mfn_t extent_take(struct extent *e, uint64_t pfn)
{
    mfn_t first = e->first;

    for (uint64_t i = 0; i < 1ull << e->order; i++)
        arch_m2p_set(mfn_add(first, i), pfn == PFN_INVALID.n ? pfn : pfn + i);
    e->first = MFN(0);
    return first;
}

/* Frees the frames of *e, if it has any. */
void extent_drop(struct extent *e)
{
    if (e->first.n)
        heap_free(e->first, e->order);
    e->first = MFN(0);
}

/*
 * Zeroed frames that nobody owns, as extent_take has them, but in one go. The
 * first, or MFN_INVALID.
 */
mfn_t extent_alloc(unsigned order, uint32_t mem_flags, uint64_t pfn)
{
    struct extent e = {.first = MFN(0)};
    int error;

    do
        error = extent_clear_next(&e, order, mem_flags);
    while (error == -ERESTART);
    return error ? MFN_INVALID : extent_take(&e, pfn);
}

/* Takes back frames from extent_alloc that no domain got. */
void extent_free(mfn_t first, unsigned order)
{
    for (uint64_t i = 0; i < 1ull << order; i++)
        arch_m2p_set(mfn_add(first, i), PFN_INVALID.n);
    heap_free(first, order);
}
