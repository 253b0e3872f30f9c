/* SPDX-License-Identifier: MIT */
/*
 * Arrays of bits in 64-bit words. The `atomic_` forms may race with any
 * other processor, guests included; the plain forms need the caller's lock.
 */
#pragma once

#include "core/types.h"

#define BITMAP_WORDS(bits) (((bits) + 63) / 64)

static inline bool bit_test(const uint64_t *map, size_t bit)
{
    return __atomic_load_n(&map[bit / 64], __ATOMIC_RELAXED) >> (bit % 64) & 1;
}

static inline void bit_set(uint64_t *map, size_t bit)
{
    map[bit / 64] |= 1ull << (bit % 64);
}

static inline void bit_clear(uint64_t *map, size_t bit)
{
    map[bit / 64] &= ~(1ull << (bit % 64));
}

/* The bit's former value; a full barrier. */
static inline bool atomic_bit_set(uint64_t *map, size_t bit)
{
    uint64_t mask = 1ull << (bit % 64);

    return __atomic_fetch_or(&map[bit / 64], mask, __ATOMIC_SEQ_CST) & mask;
}

/* The bit's former value; a full barrier. */
static inline bool atomic_bit_clear(uint64_t *map, size_t bit)
{
    uint64_t mask = 1ull << (bit % 64);

    return __atomic_fetch_and(&map[bit / 64], ~mask, __ATOMIC_SEQ_CST) & mask;
}

/* The first set bit at or after `from`, or `bits` when there is none. */
static inline size_t bitmap_next(const uint64_t *map, size_t bits, size_t from)
{
    while (from < bits) {
        uint64_t word =
            __atomic_load_n(&map[from / 64], __ATOMIC_SEQ_CST) >> (from % 64);

        if (word) {
            from += (size_t)__builtin_ctzll(word);
            return from < bits ? from : bits;
        }
        from = (from / 64 + 1) * 64;
    }
    return bits;
}

/* Each set bit of the first `bits`, as size_t `bit`. Others may race. */
#define bitmap_for_each(bit, map, bits)                                        \
    for (size_t bit = bitmap_next(map, bits, 0); bit < (bits);                 \
         bit = bitmap_next(map, bits, bit + 1))
