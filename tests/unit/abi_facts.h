/* SPDX-License-Identifier: MIT */
/*
 * The two tables that test_abi.c compares: what hypercall_abi/ says and what
 * the reference headers say, entry by entry about the same thing.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct abi_fact {
    const char *name; /* in our spelling */
    int64_t value;
};

extern const struct abi_fact abi_ours[];
extern const size_t abi_ours_count;

extern const struct abi_fact abi_reference[];
extern const size_t abi_reference_count; /* 0: no reference headers here */

#define ABI_FACT_SIZE(name, type) {"size of " name, (int64_t)sizeof(type)},
#define ABI_FACT_MEMBER(name, type, member)                                    \
    {"offset of " name, (int64_t)offsetof(type, member)},                      \
        {"size of " name, (int64_t)sizeof(((type *)0)->member)},
#define ABI_FACT_NUMBER(name, value) {name, (int64_t)(value)},
