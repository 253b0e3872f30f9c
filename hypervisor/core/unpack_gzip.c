/* SPDX-License-Identifier: MIT */
/*
 * gzip by way of zlib. This file sees the C library's headers, since zlib.h
 * wants them; nothing of the C library itself is called.
 */
#include "core/unpack.h"

#include <zlib.h>

enum {
    WINDOW_BITS = 15,
    GZIP_ONLY = 16,
};

static voidpf allocate(voidpf arena, uInt count, uInt size)
{
    return arena_alloc(arena, count, size);
}

/*
 * Once the output is full the decoder must still see the trailer; it gets one
 * byte of room for data that must not come.
 */
static int inflate_all(z_stream *stream, Bytef *spare)
{
    int result = inflate(stream, Z_FINISH);

    if (stream->avail_out > 0 || (result != Z_OK && result != Z_BUF_ERROR))
        return result;
    stream->next_out = spare;
    stream->avail_out = 1;
    return inflate(stream, Z_FINISH);
}

static int judge(const z_stream *stream, int result,
                 const struct unpack_job *job, const char **why)
{
    if (result == Z_MEM_ERROR) {
        *why = "unpacking it (gzip) takes more memory than is set aside";
        return -ENOMEM;
    }
    if (stream->total_out <= job->out_size && result != Z_STREAM_END)
        return unpack_refuse(why, result == Z_OK || result == Z_BUF_ERROR
                                      ? "its gzip data are cut short"
                                      : "its gzip data are damaged");
    return unpack_check_size(job, stream->total_out, stream->avail_in, why);
}

/* Unpack one gzip member; see unpack(). */
int unpack_gzip(const struct unpack_job *job, const char **why)
{
    z_stream stream = {
        .next_in = (z_const Bytef *)job->packed,
        .avail_in = (uInt)job->packed_size,
        .next_out = job->out,
        .avail_out = (uInt)job->out_size,
        .zalloc = allocate,
        .zfree = arena_release,
        .opaque = job->arena,
    };
    Bytef spare;
    int result;

    if (job->packed_size > UINT32_MAX || job->out_size > UINT32_MAX) {
        *why = "its gzip data are larger than 4 GiB";
        return -E2BIG;
    }
    result = inflateInit2(&stream, WINDOW_BITS + GZIP_ONLY);
    if (result == Z_OK)
        result = inflate_all(&stream, &spare);
    return judge(&stream, result, job, why);
}
