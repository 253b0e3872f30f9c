/* SPDX-License-Identifier: MIT */
/*
 * Extents, 2^order frames in a row, as memory_op deals in them: lists of
 * their first numbers in guest memory, and frames for them that show nothing
 * of their past.
 *
 * Frames are announced to the guest before they become its own: a request
 * that fails half way has then nothing to take back that a guest could use.
 */
#pragma once

#include "core/types.h"
#include "hypercall_abi/abi.h"

struct domain;

must_check bool extent_order_is_allowed(const struct domain *d, uint32_t order);
must_check int extent_read(guest_va list, uint64_t index, uint64_t *number);
must_check int extent_write(guest_va list, uint64_t index, mfn_t first);
mfn_t extent_alloc(unsigned order, uint32_t mem_flags, uint64_t pfn);
void extent_free(mfn_t first, unsigned order);

/* memory_exchange.c: XENMEM_exchange for the running vCPU's domain */
long xenmem_exchange(struct domain *d, guest_va arg);
