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

/* Unpacks one gzip member; see unpack(). */
const char *unpack_gzip(const struct unpack_job *job)
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
    int result;

    if (job->packed_size > UINT32_MAX || job->out_size > UINT32_MAX)
        return "its gzip data are larger than 4 GiB";
    result = inflateInit2(&stream, WINDOW_BITS + GZIP_ONLY);
    if (result == Z_OK)
        result = inflate(&stream, Z_FINISH);
    if (result == Z_MEM_ERROR)
        return UNPACK_NO_MEMORY;
    return result == Z_STREAM_END && !stream.avail_in && !stream.avail_out
               ? NULL
               : UNPACK_DAMAGED;
}
