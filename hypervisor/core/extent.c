/* SPDX-License-Identifier: MIT */
/* Lists of extents, and clean frames for them (extent.h). */
#include "core/extent.h"

#include "core/arch.h"
#include "core/domain.h"
#include "core/guest_copy.h"
#include "core/heap.h"
#include "hypercall_abi/memory.h"

/* The most frames in an extent: zeroing them is one step. */
#define MAX_ORDER_GUEST 9u
#define MAX_ORDER_PRIVILEGED 12u

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

/*
 * Zeroed frames that nobody owns, where mem_flags allow, and at `pfn` unless
 * that is PFN_INVALID's number. The first, or MFN_INVALID.
 */
mfn_t extent_alloc(unsigned order, uint32_t mem_flags, uint64_t pfn)
{
    unsigned bits = mem_flags & XENMEMF_ADDRESS_BITS_MASK;
    mfn_t first = heap_alloc(
        order, bits && bits < HEAP_ANY_ADDRESS ? bits : HEAP_ANY_ADDRESS);

    if (mfn_equal(first, MFN_INVALID))
        return first;
    for (uint64_t i = 0; i < 1ull << order; i++) {
        mfn_t mfn = mfn_add(first, i);

        memset(arch_frame_ptr(mfn), 0, PAGE_SIZE);
        arch_m2p_set(mfn, pfn == PFN_INVALID.n ? pfn : pfn + i);
    }
    return first;
}

/* Takes back frames from extent_alloc that no domain got. */
void extent_free(mfn_t first, unsigned order)
{
    for (uint64_t i = 0; i < 1ull << order; i++)
        arch_m2p_set(mfn_add(first, i), PFN_INVALID.n);
    heap_free(first, order);
}
