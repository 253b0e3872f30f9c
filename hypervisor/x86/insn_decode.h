/* SPDX-License-Identifier: MIT */
/*
 * A decoder for the few instructions that Mica carries out for a guest: the
 * privileged ones, and those with which kernels write page-table entries. It
 * reads at most INSN_MAX_LENGTH bytes that it is given, touches nothing else,
 * and knows no CPU: the same file serves the fuzzer on a developer's machine.
 *
 * Where an operand in memory is, the processor has said: it faulted there. So
 * addressing modes are only skipped. Code is taken to be 64-bit; for the few
 * instructions that applications have here, 32-bit code is the same. What
 * guests have no need of is refused: FS and GS, another address size, ah, ch,
 * dh and bh.
 *
 * Encodings are those of the Intel SDM, volume 2, chapter 2 and appendix A.
 */
#pragma once

#include "core/types.h"
#include "x86/regs.h"

#define INSN_MAX_LENGTH 15u

enum insn_kind {
    /* also for applications, with the rights to */
    INSN_IN,
    INSN_OUT,
    INSN_INS,
    INSN_OUTS,
    INSN_CLI,
    INSN_STI,
    /* privileged */
    INSN_RDMSR,
    INSN_WRMSR,
    INSN_CLTS,
    INSN_WBINVD,
    INSN_XSETBV,
    INSN_READ_CR, /* mov crN, r: N in `reg`, r in `rm` */
    INSN_WRITE_CR,
    /* writes to memory; the destination is always the memory operand */
    INSN_MOV,
    INSN_XCHG,
    INSN_AND,
    INSN_OR,
    INSN_BTS,
    INSN_BTR,
    INSN_CMPXCHG,
};

struct insn {
    enum insn_kind kind;
    uint8_t length;     /* in bytes, prefixes included */
    uint8_t size;       /* of the operand: 1, 2, 4 or 8 */
    bool is_repeated;   /* string instructions: counted by rcx */
    bool has_immediate; /* the source is `immediate`, not `reg` */
    uint8_t reg;        /* register operand */
    uint8_t rm;         /* second register of moves to and from crN */
    uint64_t immediate; /* sign-extended */
};

must_check int insn_decode(struct insn *out, const uint8_t *bytes,
                           size_t length);

/* Whether `i` stores to memory without being an input instruction. */
static inline bool insn_writes_memory(const struct insn *i)
{
    return i->kind >= INSN_MOV;
}

/* The bits of an operand of `size` bytes: 1, 2, 4 or 8. */
static inline uint64_t insn_operand_mask(unsigned size)
{
    return ~0ull >> (64 - 8 * size);
}

uint64_t *insn_reg(struct regs *r, unsigned number);
uint64_t insn_operand_read(const struct insn *i, struct regs *r);
void insn_merge(uint64_t *reg, uint64_t value, unsigned size);
