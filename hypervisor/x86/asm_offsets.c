/* SPDX-License-Identifier: MIT */
/*
 * Structure offsets for the assembly sources. Compiled to assembly only; the
 * build turns each `->NAME value` into a #define.
 */
#include "x86/cpu.h"
#include "x86/gate.h"
#include "x86/regs.h"

#define DEFINE(name, value)                                                    \
    __asm__ volatile("\n->" #name " %0" : : "i"((unsigned long)(value)))

void asm_offsets(void);

void asm_offsets(void)
{
    DEFINE(REGS_RAX, offsetof(struct regs, rax));
    DEFINE(REGS_VECTOR, offsetof(struct regs, vector));
    DEFINE(REGS_RIP, offsetof(struct regs, rip));
    DEFINE(REGS_CS, offsetof(struct regs, cs));
    DEFINE(REGS_SIZE, sizeof(struct regs));
    DEFINE(CONST_STACK, offsetof(struct gate_const, stack));
    DEFINE(CONST_ENTRY_SYSCALL, offsetof(struct gate_const, entry_syscall));
    DEFINE(CONST_ENTRY_SYSENTER, offsetof(struct gate_const, entry_sysenter));
    DEFINE(REGS_RSP, offsetof(struct regs, rsp));
    DEFINE(CONST_EXCEPTION_STACK,
           offsetof(struct gate_const, exception_stack));
    DEFINE(CONST_ENTRY_TRAP, offsetof(struct gate_const, entry_trap));
    DEFINE(SCRATCH_GUEST_RSP, offsetof(struct gate_scratch, guest_rsp));
}
