/* SPDX-License-Identifier: MIT */
/* Copies of bitmaps from and to guest memory (guest_bitmap.h). */
#include "core/guest_bitmap.h"

#include "core/guest_copy.h"

#define MAX_GUEST_BITS 65536u
#define OWN_BYTES (PCPU_WORDS * sizeof(uint64_t))

/* Reads *from. 0, -EFAULT. */
int guest_bitmap_read(uint64_t bits[PCPU_WORDS],
                      const struct xenctl_bitmap *from)
{
    unsigned have = (unsigned)min_u64(OWN_BYTES * 8, from->nr_bits);

    memset(bits, 0, OWN_BYTES);
    if (copy_in(bits, from->bitmap, (have + 7) / 8))
        return -EFAULT;
    for (unsigned i = have; i < align_up(have, 8); i++)
        bit_clear(bits, i);
    return 0;
}

/* Fills *to to its end. 0, -EFAULT, -EINVAL: it is absurdly long. */
int guest_bitmap_write(const struct xenctl_bitmap *to,
                       const uint64_t bits[PCPU_WORDS])
{
    unsigned size = (to->nr_bits + 7) / 8;
    unsigned copied = (unsigned)min_u64(size, OWN_BYTES);

    if (to->nr_bits > MAX_GUEST_BITS)
        return -EINVAL;
    if (copy_out(to->bitmap, bits, copied) ||
        clear_out(guest_va_add(to->bitmap, copied), size - copied))
        return -EFAULT;
    return 0;
}
