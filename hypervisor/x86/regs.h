/* SPDX-License-Identifier: MIT */
/*
 * The registers of an interrupted context as Mica's entry code stores them,
 * lowest address first. The last five are the frame the processor pushes.
 */
#pragma once

#define ENTRY_SYSCALL 0x100
#define ENTRY_SYSENTER 0x101

#define RFLAGS_CF 0x1
#define RFLAGS_FIXED 0x2
#define RFLAGS_TF 0x100
#define RFLAGS_IF 0x200
#define RFLAGS_DF 0x400
#define RFLAGS_IOPL 0x3000
#define RFLAGS_NT 0x4000
#define RFLAGS_RF 0x10000
#define RFLAGS_VM 0x20000
#define RFLAGS_AC 0x40000
#define RFLAGS_ID 0x200000

/* What a guest may choose in the flags that iret gives it. */
#define IRET_FLAGS_KEPT                                                        \
    (0xcd5 | RFLAGS_TF | RFLAGS_NT | RFLAGS_RF | RFLAGS_AC | RFLAGS_ID)

/* Page-fault error code. */
#define PFEC_PRESENT 1u
#define PFEC_WRITE 2u
#define PFEC_USER 4u
#define PFEC_RESERVED 8u
#define PFEC_FETCH 16u

#ifndef __ASSEMBLER__
#include "core/types.h"

struct regs {
    uint64_t r15, r14, r13, r12, rbp, rbx;
    uint64_t r11, r10, r9, r8;
    uint64_t rax, rcx, rdx, rsi, rdi;
    uint32_t error_code;
    uint32_t vector; /* or ENTRY_SYSCALL, ENTRY_SYSENTER */
    uint64_t rip, cs, rflags, rsp, ss;
};

_Static_assert(sizeof(struct regs) == 21 * 8, "entry.S counts on it");

enum exception {
    EXC_DB = 1,
    EXC_NMI = 2,
    EXC_BP = 3,
    EXC_OF = 4,
    EXC_UD = 6,
    EXC_NM = 7,
    EXC_DF = 8,
    EXC_TS = 10,
    EXC_NP = 11,
    EXC_SS = 12,
    EXC_GP = 13,
    EXC_PF = 14,
    EXC_AC = 17,
    EXC_MC = 18,
    EXC_CP = 21,
};
#endif
