/* SPDX-License-Identifier: MIT */
/*
 * The arithmetic of instructions that write page-table entries: what a store
 * of one to eight bytes makes of the eight-byte entry it falls into, and what
 * it leaves in registers and flags. The entry itself is reached through a
 * compare-and-swap that the caller supplies, since the processor may set its
 * Accessed and Dirty bits at any moment. Portable; touches no machine state.
 */
#pragma once

#include "core/types.h"
#include "x86/insn_decode.h"
#include "x86/regs.h"

/*
 * Replaces the entry by `value` if it is still `expected`. 0; -EAGAIN with
 * *seen, the value found instead; another error when `value` is refused.
 */
typedef int pte_update(void *context, uint64_t expected, uint64_t value,
                       uint64_t *seen);

struct pte_target {
    uint64_t entry; /* as read just before */
    unsigned byte;  /* the first byte of the entry that is written */
    pte_update *update;
    void *context;
};

must_check int pte_store(const struct insn *i, struct regs *r, uint64_t source,
                         const struct pte_target *target);
