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

/* From a clock of `from` Hz to one of `to` Hz; neither is 0. */
static inline struct time_scale time_scale_make(uint64_t from, uint64_t to)
{
    struct time_scale s = {0, 0};

    while (to >= from) { /* to / from is to come into [1/2, 1) */
        if (from >> 63)
            to >>= 1;
        else
            from <<= 1;
        s.shift++;
    }
    while (to < from - to) {
        if (to >> 62)
            from >>= 1;
        else
            to <<= 1;
        s.shift--;
    }
    while (to >> 32) {
        from >>= 1;
        to >>= 1;
    }
    s.mul =
        from ? (uint32_t)min_u64((to << 32) / from, UINT32_MAX) : UINT32_MAX;
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
