/* SPDX-License-Identifier: MIT */
/*
 * Extents, 2^order frames in a row, as memory_op deals in them: lists of
 * their first numbers in guest memory, and frames for them that show nothing
 * of their past.
 *
 * Frames are announced to the guest before they become its own: a request
 * that fails half way has then nothing to take back that a guest could use.
 *
 * Zeroing the frames of a large extent takes longer than a call may last. It
 * goes on in the next call of the same vCPU, which keeps the extent meanwhile;
 * no locks, since nobody else looks at it.
 */
#pragma once

#include "core/types.h"
#include "hypercall_abi/abi.h"

struct domain;

/* An extent that is being zeroed, and nobody's yet. */
struct extent {
    mfn_t first; /* number 0: there is none */
    unsigned order;
    unsigned address_bits; /* as asked for */
    uint64_t cleared;      /* frames from the first on */
};

must_check bool extent_order_is_allowed(const struct domain *d, uint32_t order);
must_check int extent_read(guest_va list, uint64_t index, uint64_t *number);
must_check int extent_write(guest_va list, uint64_t index, mfn_t first);
must_check int extent_clear_next(struct extent *e, unsigned order,
                                 uint32_t mem_flags);
mfn_t extent_take(struct extent *e, uint64_t pfn);
void extent_drop(struct extent *e);
mfn_t extent_alloc(unsigned order, uint32_t mem_flags, uint64_t pfn);
void extent_free(mfn_t first, unsigned order);

/* memory_exchange.c: XENMEM_exchange for the running vCPU's domain */
long xenmem_exchange(struct domain *d, guest_va arg);
