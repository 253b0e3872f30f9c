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
    uint64_t flags = 0;

    if (!(result & insn_operand_mask(size)))
        flags |= FLAG_ZF;
    if (result & sign)
        flags |= FLAG_SF;
    if (!__builtin_parity((unsigned)(result & 0xff)))
        flags |= FLAG_PF;
    return flags;
}

static uint64_t flags_of_add(uint64_t a, uint64_t b, unsigned size)
{
    uint64_t mask = insn_operand_mask(size);
    uint64_t sign = 1ull << (8 * size - 1);
    uint64_t sum = (a + b) & mask;
    uint64_t flags = flags_of(sum, size);

    if (sum < a)
        flags |= RFLAGS_CF;
    if ((a ^ sum) & (b ^ sum) & sign)
        flags |= FLAG_OF;
    return flags | ((a ^ b ^ sum) & FLAG_AF);
}

static uint64_t flags_of_sub(uint64_t a, uint64_t b, unsigned size)
{
    uint64_t mask = insn_operand_mask(size);
    uint64_t sign = 1ull << (8 * size - 1);
    uint64_t difference = (a - b) & mask;
    uint64_t flags = flags_of(difference, size);

    if (a < b)
        flags |= RFLAGS_CF;
    if ((a ^ b) & (a ^ difference) & sign)
        flags |= FLAG_OF;
    return flags | ((a ^ b ^ difference) & FLAG_AF);
}

static struct outcome arithmetic(uint64_t operand, uint64_t flags)
{
    return (struct outcome){operand, flags, FLAGS_ARITHMETIC, true};
}

static struct outcome logic(uint64_t operand, unsigned size)
{
    return arithmetic(operand, flags_of(operand, size));
}

static struct outcome bit_operation(const struct insn *i, uint64_t old,
                                    uint64_t source)
{
    uint64_t bit = 1ull << (source & (8u * i->size - 1));
    struct outcome o = {old, old & bit ? RFLAGS_CF : 0, RFLAGS_CF, true};

    if (i->kind == INSN_BTS)
        o.operand |= bit;
    else if (i->kind == INSN_BTR)
        o.operand &= ~bit;
    else
        o.operand ^= bit;
    return o;
}

static struct outcome compare_exchange(unsigned size, uint64_t old,
                                       uint64_t source, uint64_t accumulator)
{
    uint64_t wanted = accumulator & insn_operand_mask(size);
    struct outcome o = arithmetic(source, flags_of_sub(wanted, old, size));

    o.writes = old == wanted;
    return o;
}

static struct outcome operate(const struct insn *i, uint64_t old,
                              uint64_t source, uint64_t accumulator)
{
    switch (i->kind) {
    case INSN_AND:
        return logic(old & source, i->size);
    case INSN_OR:
        return logic(old | source, i->size);
    case INSN_XOR:
        return logic(old ^ source, i->size);
    case INSN_ADD:
    case INSN_XADD:
        return arithmetic(old + source, flags_of_add(old, source, i->size));
    case INSN_SUB:
        return arithmetic(old - source, flags_of_sub(old, source, i->size));
    case INSN_BTS:
    case INSN_BTR:
    case INSN_BTC:
        return bit_operation(i, old, source);
    case INSN_CMPXCHG:
        return compare_exchange(i->size, old, source, accumulator);
    default: /* moves and exchanges */
        return (struct outcome){source, 0, 0, true};
    }
}

static void advance_strings(const struct insn *i, struct regs *r)
{
    uint64_t step = r->rflags & RFLAGS_DF ? 0 - (uint64_t)i->size : i->size;

    r->rdi += step;
    if (i->kind == INSN_MOVS)
        r->rsi += step;
    if (i->is_repeated)
        r->rcx--;
}

static void commit(const struct insn *i, struct regs *r, uint64_t old,
                   const struct outcome *o)
{
    r->rflags = (r->rflags & ~o->flags_mask) | (o->flags & o->flags_mask);
    switch (i->kind) {
    case INSN_XCHG:
    case INSN_XADD:
        insn_operand_write(i, r, old);
        break;
    case INSN_CMPXCHG:
        if (!o->writes)
            insn_merge(&r->rax, old, i->size);
        break;
    case INSN_STOS:
    case INSN_MOVS:
        advance_strings(i, r);
        break;
    default:
        break;
    }
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
