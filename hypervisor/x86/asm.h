/* SPDX-License-Identifier: MIT */
/* Macros of the assembly sources. */
#pragma once

#ifndef __ASSEMBLER__
#error "for assembly only"
#endif

#define LOCAL_FUNC(name)                                                       \
    .type name, @function;                                                     \
    name:

#define FUNC(name)                                                             \
    .globl name;                                                               \
    LOCAL_FUNC(name)

#define END(name) .size name, . - name

/*
 * In ring 0, a fault from `from` up to `end` leads to `to`, with the registers
 * as they are; 0: it is an iretq, whose context the processor refused.
 */
#define FAULT(from, end, to)                                                   \
    .pushsection .fault_table, "a";                                            \
    .balign 8;                                                                 \
    .quad from, end, to;                                                       \
    .popsection

/* Leaves for a context on the stack that the processor may refuse. */
.macro guest_iret
1:      iretq
2:      FAULT(1b, 2b, 0)
.endm

/* Takes r15 to rdi of struct regs off the stack, up to the return frame. */
.macro pop_registers
        .irp    to, r15, r14, r13, r12, rbp, rbx
        pop     %\to
        .endr
        .irp    to, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi
        pop     %\to
        .endr
        add     $8, %rsp                        # error code and vector
.endm

/* Pushes a return address at which speculation goes round in a circle. */
.macro catch_speculation
        call    9f
8:      pause
        lfence
        jmp     8b
9:
.endm

/* A retpoline: a jump to the address in a register, never predicted. */
.macro jump_unpredicted register
        catch_speculation
        mov     %\register, (%rsp)
        ret
.endm
