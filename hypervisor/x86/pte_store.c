/* SPDX-License-Identifier: MIT */
/*
 * Each operation is a function of the old operand, the source and, for
 * CMPXCHG, the accumulator. Results reach registers by another call, so that a
 * refused or contended store changes nothing.
 */
#include "x86/pte_store.h"

#define FLAG_PF 0x004ul
#define FLAG_AF 0x010ul
#define FLAG_ZF 0x040ul
#define FLAG_SF 0x080ul
#define FLAG_OF 0x800ul
#define FLAGS_ARITHMETIC                                                       \
    (RFLAGS_CF | FLAG_PF | FLAG_AF | FLAG_ZF | FLAG_SF | FLAG_OF)

/* Flags of a - b = rest, in operands of which `sign` is the highest bit. */
static uint64_t flags_of(uint64_t a, uint64_t b, uint64_t rest, uint64_t sign)
{
    return (rest ? 0 : FLAG_ZF) | (rest & sign ? FLAG_SF : 0) |
           (__builtin_parity((unsigned)(rest & 0xff)) ? 0 : FLAG_PF) |
           ((a ^ b ^ rest) & FLAG_AF) | (a < b ? RFLAGS_CF : 0) |
           ((a ^ b) & (a ^ rest) & sign ? FLAG_OF : 0);
}

/*
 * What `i` (insn_writes_memory) does to `entry`, of which its operand is what
 * begins at `byte` and ends within.
 */
struct pte_store pte_store(const struct insn *i, struct regs *r, uint64_t entry,
                           unsigned byte)
{
    uint64_t mask = insn_operand_mask(i->size), sign = mask ^ mask >> 1;
    uint64_t source = insn_operand_read(i, r) & mask, wanted = r->rax & mask;
    uint64_t bit = 1ull << (source & (8u * i->size - 1));
    uint64_t old = entry >> 8 * byte & mask, new = source;
    uint64_t flags = 0, changed = FLAGS_ARITHMETIC;

    switch (i->kind) {
    case INSN_AND:
    case INSN_OR:
        new = i->kind == INSN_AND ? old &source : old | source;
        flags = flags_of(new, 0, new, sign);
        break;
    case INSN_BTS:
    case INSN_BTR:
        new = i->kind == INSN_BTS ? old | bit : old & ~bit;
        flags = old & bit ? RFLAGS_CF : 0;
        changed = RFLAGS_CF;
        break;
    case INSN_CMPXCHG:
        new = old == wanted ? source : old;
        flags = flags_of(wanted, old, (wanted - old) & mask, sign);
        break;
    default: /* moves and exchanges */
        changed = 0;
    }
    return (struct pte_store){
        .entry = (entry & ~(mask << 8 * byte)) | new << 8 * byte,
        .loaded = old,
        .rflags = (r->rflags & ~changed) | flags,
    };
}

/* The store is done: flags and registers follow, but for rip. */
void pte_store_commit(const struct insn *i, struct regs *r,
                      const struct pte_store *s)
{
    r->rflags = s->rflags;
    if (i->kind == INSN_XCHG)
        insn_merge(insn_reg(r, i->reg), s->loaded, i->size);
    else if (i->kind == INSN_CMPXCHG && !(s->rflags & FLAG_ZF))
        insn_merge(&r->rax, s->loaded, i->size);
}
