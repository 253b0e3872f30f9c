/* SPDX-License-Identifier: MIT */
/*
 * Each operation is a function of the old operand, the source and, for
 * CMPXCHG, the accumulator. Results reach registers only after the entry has
 * taken the new value, so that a refused or contended store changes nothing.
 */
#include "x86/pte_store.h"

#define FLAG_PF 0x004ul
#define FLAG_AF 0x010ul
#define FLAG_ZF 0x040ul
#define FLAG_SF 0x080ul
#define FLAG_OF 0x800ul
#define FLAGS_ARITHMETIC                                                       \
    (RFLAGS_CF | FLAG_PF | FLAG_AF | FLAG_ZF | FLAG_SF | FLAG_OF)

/* Contention means other processors in the same entry: rare, and short. */
#define STORE_ATTEMPTS 8

struct outcome {
    uint64_t operand;    /* the new value, as wide as the instruction's */
    uint64_t flags;      /* arithmetic flags */
    uint64_t flags_mask; /* those that change */
    bool writes;
};

static uint64_t flags_of(uint64_t result, unsigned size)
{
    uint64_t sign = 1ull << (8 * size - 1);

    return (result & insn_operand_mask(size) ? 0 : FLAG_ZF) |
           (result & sign ? FLAG_SF : 0) |
           (__builtin_parity((unsigned)(result & 0xff)) ? 0 : FLAG_PF);
}

/* Flags of the difference a - b = rest, for CMPXCHG. */
static uint64_t borrows(uint64_t a, uint64_t b, uint64_t rest, unsigned size)
{
    uint64_t sign = 1ull << (8 * size - 1);

    return ((a ^ b ^ rest) & FLAG_AF) | (a < b ? RFLAGS_CF : 0) |
           ((a ^ b) & (a ^ rest) & sign ? FLAG_OF : 0);
}

static struct outcome logic(uint64_t operand, unsigned size)
{
    return (struct outcome){operand, flags_of(operand, size), FLAGS_ARITHMETIC,
                            true};
}

static struct outcome bit_operation(const struct insn *i, uint64_t old,
                                    uint64_t source)
{
    uint64_t bit = 1ull << (source & (8u * i->size - 1));
    struct outcome o = {old, old & bit ? RFLAGS_CF : 0, RFLAGS_CF, true};

    o.operand = i->kind == INSN_BTS ? old | bit : old & ~bit;
    return o;
}

static struct outcome compare_exchange(unsigned size, uint64_t old,
                                       uint64_t source, uint64_t accumulator)
{
    uint64_t wanted = accumulator & insn_operand_mask(size);
    uint64_t rest = (wanted - old) & insn_operand_mask(size);
    uint64_t flags = flags_of(rest, size) | borrows(wanted, old, rest, size);

    return (struct outcome){source, flags, FLAGS_ARITHMETIC, old == wanted};
}

static struct outcome operate(const struct insn *i, uint64_t old,
                              uint64_t source, uint64_t accumulator)
{
    switch (i->kind) {
    case INSN_AND:
        return logic(old & source, i->size);
    case INSN_OR:
        return logic(old | source, i->size);
    case INSN_BTS:
    case INSN_BTR:
        return bit_operation(i, old, source);
    case INSN_CMPXCHG:
        return compare_exchange(i->size, old, source, accumulator);
    default: /* moves and exchanges */
        return (struct outcome){source, 0, 0, true};
    }
}

static void commit(const struct insn *i, struct regs *r, uint64_t old,
                   const struct outcome *o)
{
    r->rflags = (r->rflags & ~o->flags_mask) | (o->flags & o->flags_mask);
    if (i->kind == INSN_XCHG)
        insn_merge(insn_reg(r, i->reg), old, i->size);
    else if (i->kind == INSN_CMPXCHG && !o->writes)
        insn_merge(&r->rax, old, i->size);
}

/*
 * Carries out `i` (insn_writes_memory) on the entry behind `target`; `source`
 * is its source operand. The operand must lie within the entry. 0 with
 * registers and flags updated, but for rip; -EAGAIN when others kept changing
 * the entry, or the error of the update: then nothing has changed.
 */
int pte_store(const struct insn *i, struct regs *r, uint64_t source,
              const struct pte_target *target)
{
    uint64_t mask = insn_operand_mask(i->size);
    unsigned shift = 8 * target->byte;
    uint64_t entry = target->entry;

    for (unsigned attempt = 0; attempt < STORE_ATTEMPTS; attempt++) {
        uint64_t old = entry >> shift & mask;
        struct outcome o = operate(i, old, source & mask, r->rax);
        uint64_t stored = (o.operand & mask) << shift;
        uint64_t value = (entry & ~(mask << shift)) | stored;
        int error = 0;

        if (o.writes)
            error = target->update(target->context, entry, value, &entry);
        if (!error)
            commit(i, r, old, &o);
        if (error != -EAGAIN)
            return error;
    }
    return -EAGAIN;
}
