/* SPDX-License-Identifier: MIT */
/*
 * A stream is a magic number and blocks: 32 bits of packed size, then the
 * data of up to 8 MiB. The magic number may come again between blocks.
 */
#include "dom0_tools/lib/build_lz4.h"

#include <lz4.h>

#define MAGIC 0x184c2102u
#define WORD sizeof(uint32_t)

/* Unpacks all of the job; NULL, or why not. */
const char *build_unpack_lz4(const struct unpack_job *job)
{
    const uint8_t *in = job->packed;
    size_t left = job->packed_size, done = 0;
    uint32_t size;

    while (left >= WORD) {
        int n;

        memcpy(&size, in, WORD);
        in += WORD;
        left -= WORD;
        if (size == MAGIC)
            continue;
        if (!size || size > left)
            return UNPACK_DAMAGED;
        n = LZ4_decompress_safe((const char *)in, (char *)job->out + done,
                                (int)size,
                                (int)min_u64(job->out_size - done, INT_MAX));
        if (n < 0)
            return UNPACK_DAMAGED;
        in += size;
        left -= size;
        done += (size_t)n;
    }
    return left || done != job->out_size ? UNPACK_DAMAGED : NULL;
}
