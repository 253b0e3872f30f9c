/* SPDX-License-Identifier: MIT */
/*
 * A decoder for the few instructions that Mica carries out for a guest: the
 * privileged ones, and those with which kernels write page-table entries. It
 * reads at most INSN_MAX_LENGTH bytes that it is given, touches nothing else,
 * and knows no CPU: the same file serves the fuzzer on a developer's machine.
 *
 * Segments are taken to be flat. What guests have no need of here is refused:
 * FS and GS, another address size, ah, ch, dh and bh.
 *
 * Encodings are those of the Intel SDM, volume 2, chapter 2 and appendix A.
 */
#pragma once

#include "core/types.h"
#include "x86/regs.h"

#define INSN_MAX_LENGTH 15u

enum insn_kind {
    /* privileged */
    INSN_RDMSR,
    INSN_WRMSR,
    INSN_IN,
    INSN_OUT,
    INSN_INS,
    INSN_OUTS,
    INSN_CLI,
    INSN_STI,
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

enum insn_mode {
    INSN_MODE_64,
    INSN_MODE_32, /* compatibility mode: nothing with a memory operand */
};

struct insn {
    enum insn_kind kind;
    uint8_t length;       /* in bytes, prefixes included */
    uint8_t size;         /* of the operand: 1, 2, 4 or 8 */
    uint8_t address_size; /* 4 or 8 */
    bool is_repeated;     /* string instructions: counted by rcx */
    bool has_immediate;   /* the source is `immediate`, not `reg` */
    uint8_t reg;          /* register operand */
    uint8_t rm;           /* second register of moves to and from crN */
    uint64_t immediate;   /* sign-extended */
    uint64_t address;     /* of the memory operand, but for strings */
};

must_check int insn_decode(struct insn *out, const uint8_t *bytes,
                           size_t length, enum insn_mode mode, struct regs *r);

bool insn_writes_memory(const struct insn *i);
uint64_t insn_operand_mask(unsigned size);

uint64_t *insn_reg(struct regs *r, unsigned number);
uint64_t insn_operand_read(const struct insn *i, struct regs *r);
void insn_operand_write(const struct insn *i, struct regs *r, uint64_t value);
void insn_merge(uint64_t *reg, uint64_t value, unsigned size);
void insn_string_advance(const struct insn *i, struct regs *r);
