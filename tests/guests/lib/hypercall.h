/* SPDX-License-Identifier: MIT */
/*
 * Hypercalls of a test kernel: hc_<name>(...) for each row of the table, and
 * hypercall() for any number.
 */
#pragma once

#include "hypercall_abi/hypercall.h"

/* Pointers and numbers as arguments. */
#define ARG(x) ((uint64_t)(x))

static inline long hypercall(uint64_t nr, uint64_t a0, uint64_t a1, uint64_t a2,
                             uint64_t a3, uint64_t a4)
{
    register uint64_t r10 __asm__("r10") = a3;
    register uint64_t r8 __asm__("r8") = a4;
    long result = (long)nr;

    __asm__ volatile("syscall"
                     : "+a"(result), "+D"(a0), "+S"(a1), "+d"(a2), "+r"(r10),
                       "+r"(r8)
                     :
                     : "rcx", "r11", "memory");
    return result;
}

#define HYPERCALL_STUB_0(nr, name)                                             \
    static inline long hc_##name(void)                                         \
    {                                                                          \
        return hypercall(nr, 0, 0, 0, 0, 0);                                   \
    }
#define HYPERCALL_STUB_1(nr, name)                                             \
    static inline long hc_##name(uint64_t a)                                   \
    {                                                                          \
        return hypercall(nr, a, 0, 0, 0, 0);                                   \
    }
#define HYPERCALL_STUB_2(nr, name)                                             \
    static inline long hc_##name(uint64_t a, uint64_t b)                       \
    {                                                                          \
        return hypercall(nr, a, b, 0, 0, 0);                                   \
    }
#define HYPERCALL_STUB_3(nr, name)                                             \
    static inline long hc_##name(uint64_t a, uint64_t b, uint64_t c)           \
    {                                                                          \
        return hypercall(nr, a, b, c, 0, 0);                                   \
    }
#define HYPERCALL_STUB_4(nr, name)                                             \
    static inline long hc_##name(uint64_t a, uint64_t b, uint64_t c,           \
                                 uint64_t d)                                   \
    {                                                                          \
        return hypercall(nr, a, b, c, d, 0);                                   \
    }

#define HYPERCALL(nr, name, args) HYPERCALL_STUB_##args(nr, name)
#include "hypercall_abi/hypercalls.def"
#undef HYPERCALL
