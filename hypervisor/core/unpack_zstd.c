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

static int fail(const char **why, const char *reason)
{
    *why = reason;
    return -EINVAL;
}

static bool has_magic(const struct unpack_job *job)
{
    const uint8_t *p = job->packed;

    return job->packed_size >= 4 && p[0] == 0x28 && p[1] == 0xb5 &&
           p[2] == 0x2f && p[3] == 0xfd;
}

static int check_frame(const struct unpack_job *job, const char **why)
{
    size_t length;

    if (!has_magic(job))
        return fail(why, "its zstd data don't begin like zstd data");
    length = ZSTD_findFrameCompressedSize(job->packed, job->packed_size);
    if (ZSTD_getErrorCode(length) == ZSTD_error_srcSize_wrong)
        return fail(why, "its zstd data are cut short");
    if (ZSTD_isError(length))
        return fail(why, "its zstd data are damaged");
    if (length != job->packed_size)
        return fail(why, "something follows its zstd data");
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
        return fail(why, "its zstd data unpack to more than the declared size");
    if (ZSTD_isError(result))
        return fail(why, "its zstd data are damaged");
    if (result != job->out_size)
        return fail(why, "its zstd data unpack to less than the declared size");
    return 0;
}
