/* SPDX-License-Identifier: MIT */
/*
 * Scalar types that must not be mixed up, and the few constants that every
 * module shares. Frame numbers are one-member structs: the compiler refuses
 * to add a guest's page number to a machine frame number.
 */
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "generated/config.h"

#include "core/errno.h"
#include "core/string.h"

#define PAGE_SHIFT 12
#define PAGE_SIZE 4096ul
#define PAGE_MASK (~(PAGE_SIZE - 1))

/* A machine frame: RAM or device memory, in units of PAGE_SIZE. */
typedef struct {
    uint64_t n;
} mfn_t;

#define MFN(number) ((mfn_t){(number)})
#define MFN_INVALID MFN(~0ull)
#define PFN_INVALID (~0ull) /* in the M2P: no page of a guest's */

/* Nanoseconds since Mica started. */
typedef uint64_t nsec_t;
#define NSEC_NEVER UINT64_MAX
#define NSEC_PER_SEC 1000000000ull
#define NSEC_PER_MS 1000000ull
#define NSEC_PER_US 1000ull

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define must_check __attribute__((warn_unused_result))
/* On the way of a page fault: laid out together, to share few pages. */
#define hot_path __attribute__((hot))
/* Beside that way: to cost the functions on it no registers. */
#define out_of_line __attribute__((noinline))
#define container_of(ptr, type, member)                                        \
    ((type *)((char *)(ptr)-offsetof(type, member)))

static inline bool mfn_equal(mfn_t a, mfn_t b)
{
    return a.n == b.n;
}

static inline mfn_t mfn_add(mfn_t m, uint64_t frames)
{
    return MFN(m.n + frames);
}

static inline bool add_overflows(uint64_t a, uint64_t b, uint64_t *sum)
{
    return __builtin_add_overflow(a, b, sum);
}

static inline bool mul_overflows(uint64_t a, uint64_t b, uint64_t *product)
{
    return __builtin_mul_overflow(a, b, product);
}

static inline uint64_t min_u64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static inline uint64_t max_u64(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static inline uint64_t align_up(uint64_t value, uint64_t alignment)
{
    return (value + alignment - 1) & ~(alignment - 1);
}
