/* SPDX-License-Identifier: MIT */
/*
 * The arithmetic of instructions that write page-table entries: what a store
 * of one to eight bytes makes of the eight-byte entry it falls into, and what
 * it leaves in registers and flags. Portable; touches no machine state.
 */
#pragma once

#include "core/types.h"
#include "x86/insn_decode.h"
#include "x86/regs.h"

/* What comes out of an instruction. */
struct pte_store {
    uint64_t entry;  /* the whole entry; as it was when nothing is stored */
    uint64_t loaded; /* the operand as it was */
    uint64_t rflags;
};

struct pte_store pte_store(const struct insn *i, struct regs *r, uint64_t entry,
                           unsigned byte);
void pte_store_commit(const struct insn *i, struct regs *r,
                      const struct pte_store *s);
