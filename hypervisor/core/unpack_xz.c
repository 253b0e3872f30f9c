/* SPDX-License-Identifier: MIT */
/*
 * xz and its older relative lzma by way of liblzma. This file sees the C
 * library's headers, since lzma.h wants them; nothing of the C library itself
 * is called.
 *
 * Only the integrity checks that Linux's own decoder knows are let through.
 * liblzma's CRC64 would jump through a pointer that a constructor sets, and
 * nobody runs constructors in the boot stage.
 */
#include "core/unpack.h"

#include <lzma.h>

/*
 * Unpacks one stream of either format; see unpack(). Its end comes after the
 * output is full; every turn but the last makes progress or the library says
 * so.
 */
const char *unpack_xz(const struct unpack_job *job)
{
    const lzma_allocator allocator = {arena_alloc, arena_release, job->arena};
    lzma_stream stream = LZMA_STREAM_INIT;
    lzma_stream_flags flags;
    lzma_ret result;

    if (job->packed_size < LZMA_STREAM_HEADER_SIZE)
        return UNPACK_DAMAGED;
    if (lzma_stream_header_decode(&flags, job->packed) == LZMA_OK &&
        flags.check != LZMA_CHECK_NONE && flags.check != LZMA_CHECK_CRC32)
        return "its xz data carry another check than CRC32 (pack with xz "
               "--check=crc32)";
    stream.next_in = job->packed;
    stream.avail_in = job->packed_size;
    stream.next_out = job->out;
    stream.avail_out = job->out_size;
    stream.allocator = &allocator;
    result = lzma_auto_decoder(&stream, job->arena->size, 0);
    while (result == LZMA_OK)
        result = lzma_code(&stream, LZMA_FINISH);
    lzma_end(&stream);
    if (result == LZMA_MEM_ERROR || result == LZMA_MEMLIMIT_ERROR)
        return UNPACK_NO_MEMORY;
    return result == LZMA_STREAM_END && !stream.avail_in && !stream.avail_out
               ? NULL
               : UNPACK_DAMAGED;
}
