/* SPDX-License-Identifier: MIT */
/*
 * Conversion between two clocks' units the way the guest ABI's clock page
 * does it: out = (in shifted left by `shift`, right when negative) * mul / 2^32.
 */
#pragma once

#include "core/types.h"

struct time_scale {
    uint32_t mul;
    int8_t shift;
};

/* From a clock of `from` Hz to one of `to` Hz; both 1 to 2^62. */
static inline struct time_scale time_scale_make(uint64_t from, uint64_t to)
{
    struct time_scale s = {0, 0};

    for (; to >= from; s.shift++) /* to / from is to come into [1/2, 1) */
        from <<= 1;
    for (; to < from - to; s.shift--)
        to <<= 1;
    for (; to >> 32; to >>= 1)
        from >>= 1;
    s.mul = (uint32_t)min_u64((to << 32) / from, UINT32_MAX);
    return s;
}

static inline uint64_t time_scale_apply(struct time_scale s, uint64_t in)
{
    if (s.shift >= 0)
        in <<= s.shift;
    else
        in >>= -s.shift;
    return (uint64_t)(((unsigned __int128)in * s.mul) >> 32);
}
