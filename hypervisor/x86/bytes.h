/* SPDX-License-Identifier: MIT */
/*
 * Numbers in tables that firmware and loaders leave: little-endian, not
 * aligned, and of lengths that may be lies. What lies beyond the end of a
 * range reads as zero.
 */
#pragma once

#include "core/types.h"

struct bytes {
    const uint8_t *at;
    size_t size;
};

static inline uint64_t bytes_number(struct bytes b, size_t offset, size_t count)
{
    uint64_t value = 0;

    if (offset < b.size)
        memcpy(&value, b.at + offset, min_u64(count, b.size - offset));
    return value;
}

static inline uint8_t bytes_8(struct bytes b, size_t offset)
{
    return (uint8_t)bytes_number(b, offset, 1);
}

static inline uint16_t bytes_16(struct bytes b, size_t offset)
{
    return (uint16_t)bytes_number(b, offset, 2);
}

static inline uint32_t bytes_32(struct bytes b, size_t offset)
{
    return (uint32_t)bytes_number(b, offset, 4);
}

static inline uint64_t bytes_64(struct bytes b, size_t offset)
{
    return bytes_number(b, offset, 8);
}

/* Up to `size` bytes from `offset` on, as far as they are there. */
static inline struct bytes bytes_part(struct bytes b, size_t offset,
                                      size_t size)
{
    size_t skipped = min_u64(offset, b.size);

    return (struct bytes){skipped ? b.at + skipped : b.at,
                          min_u64(size, b.size - skipped)};
}
