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
#include <zstd_errors.h>

static int check_frame(const struct unpack_job *job, const char **why)
{
    static const uint8_t magic[] = {0x28, 0xb5, 0x2f, 0xfd};
    size_t length;

    if (job->packed_size < sizeof(magic) ||
        memcmp(job->packed, magic, sizeof(magic)))
        return unpack_refuse(why, "its zstd data don't begin like zstd data");
    length = ZSTD_findFrameCompressedSize(job->packed, job->packed_size);
    if (ZSTD_getErrorCode(length) == ZSTD_error_srcSize_wrong)
        return unpack_refuse(why, "its zstd data are cut short");
    if (ZSTD_isError(length))
        return unpack_refuse(why, "its zstd data are damaged");
    if (length != job->packed_size)
        return unpack_refuse(why, "something follows its zstd data");
    return 0;
}

/* Unpack one zstd frame; see unpack(). */
int unpack_zstd(const struct unpack_job *job, const char **why)
{
    size_t state_size = ZSTD_estimateDCtxSize();
    void *state = arena_alloc(job->arena, 1, state_size);
    ZSTD_DCtx *decoder = state ? ZSTD_initStaticDCtx(state, state_size) : NULL;
    size_t result;
    int error;

    if (!decoder) {
        *why = "unpacking it (zstd) takes more memory than is set aside";
        return -ENOMEM;
    }
    error = check_frame(job, why);
    if (error)
        return error;
    result = ZSTD_decompressDCtx(decoder, job->out, job->out_size, job->packed,
                                 job->packed_size);
    if (ZSTD_getErrorCode(result) == ZSTD_error_dstSize_tooSmall)
        return unpack_refuse(
            why, "its zstd data unpack to more than the declared size");
    if (ZSTD_isError(result))
        return unpack_refuse(why, "its zstd data are damaged");
    return unpack_check_size(job, result, 0, why);
}
