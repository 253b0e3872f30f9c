/* SPDX-License-Identifier: MIT */
/*
 * The only way to touch guest memory: a software walk of the running vCPU's
 * kernel page tables, then a copy through Mica's own map of RAM. The walk
 * checks presence, Write for stores, the canonical form and Mica's own range;
 * it cannot fault.
 *
 * A walk is to the flush protocol what a TLB entry is: between the walk and
 * the copy this pCPU serves no flush request, so that the frames it passed
 * keep their type and owner. Each page of a copy is walked anew.
 */
#pragma once

#include "core/types.h"
#include "hypercall_abi/abi.h"

struct vcpu;

/* The number of bytes not copied: 0 on success. */
must_check size_t copy_in(void *dst, guest_va src, size_t size);
must_check size_t copy_out(guest_va dst, const void *src, size_t size);
must_check size_t clear_out(guest_va dst, size_t size);

/* As above, in the address space of `root`, for a vCPU not in its kernel. */
must_check size_t copy_in_root(mfn_t root, void *dst, uint64_t src,
                               size_t size);
must_check size_t copy_out_root(mfn_t root, uint64_t dst, const void *src,
                                size_t size);

enum walk_access { WALK_READ, WALK_WRITE };

/*
 * What the tables of `root` hold for `va`: the machine address of each
 * level's entry down to the last one present.
 */
struct walk {
    unsigned level;    /* of the last entry read: 1, or one not present */
    uint64_t entry[5]; /* by level, 1 to 4 */
    mfn_t table[5];    /* by level: the frame that holds entry[] */
};

/* Whether bits 63 to 47 of `va` are equal, as the processor demands. */
static inline bool va_is_canonical(uint64_t va)
{
    return va >> 47 == 0 || va >> 47 == 0x1ffff;
}

bool guest_va_is_usable(uint64_t va);
void guest_walk(mfn_t root, uint64_t va, struct walk *out);
void *guest_translate(mfn_t root, uint64_t va, enum walk_access access);

static inline guest_va guest_va_add(guest_va va, uint64_t bytes)
{
    return (guest_va){va.va + bytes};
}
