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
