/* SPDX-License-Identifier: MIT */
/* Copies of bitmaps from and to guest memory (guest_bitmap.h). */
#include "core/guest_bitmap.h"

#include "core/bitmap.h"
#include "core/guest_copy.h"

#define MAX_GUEST_BITS 65536u

static unsigned bytes_for(unsigned bits)
{
    return (bits + 7) / 8;
}

/*
 * Reads `count` bits, a multiple of 64, of the running vCPU's *from. 0,
 * -EFAULT, -EINVAL for one that is absurdly long.
 */
int guest_bitmap_read(uint64_t *bits, unsigned count,
                      const struct xenctl_bitmap *from)
{
    unsigned have = (unsigned)min_u64(count, from->nr_bits);

    if (from->nr_bits > MAX_GUEST_BITS)
        return -EINVAL;
    memset(bits, 0, count / 8);
    if (copy_in(bits, from->bitmap, bytes_for(have)))
        return -EFAULT;
    for (unsigned i = have; i < align_up(have, 8); i++)
        bit_clear(bits, i);
    return 0;
}

/*
 * Writes `count` bits, a multiple of 64, to the running vCPU's *to, which is
 * filled to its end. Errors as above.
 */
int guest_bitmap_write(const struct xenctl_bitmap *to, const uint64_t *bits,
                       unsigned count)
{
    unsigned size = bytes_for(to->nr_bits);
    unsigned copied = (unsigned)min_u64(size, count / 8);

    if (to->nr_bits > MAX_GUEST_BITS)
        return -EINVAL;
    if (copy_out(to->bitmap, bits, copied) ||
        clear_out(guest_va_add(to->bitmap, copied), size - copied))
        return -EFAULT;
    return 0;
}
