/* SPDX-License-Identifier: MIT */
/* Macros of the assembly sources. */
#pragma once

#ifndef __ASSEMBLER__
#error "for assembly only"
#endif

#define FUNC(name)                                                             \
    .globl name;                                                               \
    .type name, @function;                                                     \
    name:

#define LOCAL_FUNC(name)                                                       \
    .type name, @function;                                                     \
    name:

#define END(name) .size name, . - name

/* A fault at `from` continues at `to`. */
#define FAULT_FIXUP(from, to)                                                  \
    .pushsection .fault_table, "a";                                            \
    .balign 8;                                                                 \
    .quad from, to;                                                            \
    .popsection

/* Takes r15 to rdi of struct regs off the stack, up to the return frame. */
.macro pop_registers
        pop     %r15
        pop     %r14
        pop     %r13
        pop     %r12
        pop     %rbp
        pop     %rbx
        pop     %r11
        pop     %r10
        pop     %r9
        pop     %r8
        pop     %rax
        pop     %rcx
        pop     %rdx
        pop     %rsi
        pop     %rdi
        add     $8, %rsp                        # error code and vector
.endm
