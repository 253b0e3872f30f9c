/* SPDX-License-Identifier: MIT */
/*
 * zstd by way of libzstd. This file sees the C library's headers, since
 * zstd.h wants them; nothing of the C library itself is called.
 *
 * The whole output is in memory, so the decoder takes its window from there
 * and its own state is small however large a window the frame asks for. One
 * frame of the current format is all that is let through: distributions
 * build the library with decoders for ancient formats, which call malloc.
 */
#include "core/unpack.h"

#define ZSTD_STATIC_LINKING_ONLY
#include <zstd.h>

/* Unpacks one zstd frame; see unpack(). */
const char *unpack_zstd(const struct unpack_job *job)
{
    static const uint8_t magic[] = {0x28, 0xb5, 0x2f, 0xfd};
    size_t state_size = ZSTD_estimateDCtxSize();
    void *state = arena_alloc(job->arena, 1, state_size);
    ZSTD_DCtx *decoder = state ? ZSTD_initStaticDCtx(state, state_size) : NULL;

    if (!decoder)
        return UNPACK_NO_MEMORY;
    if (job->packed_size < sizeof(magic) ||
        memcmp(job->packed, magic, sizeof(magic)) ||
        ZSTD_findFrameCompressedSize(job->packed, job->packed_size) !=
            job->packed_size ||
        ZSTD_decompressDCtx(decoder, job->out, job->out_size, job->packed,
                            job->packed_size) != job->out_size)
        return UNPACK_DAMAGED;
    return NULL;
}
