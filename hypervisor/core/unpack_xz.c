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
 * Run the decoder to its end. Once the output is full it must still see the
 * end of the stream; it gets one byte of room for data that must not come.
 * Every turn but the last makes progress or the library says so.
 */
static lzma_ret decode_all(lzma_stream *stream, uint8_t *spare)
{
    bool is_full = false;
    lzma_ret result;

    do {
        if (stream->avail_out == 0) {
            if (is_full)
                return LZMA_OK;
            is_full = true;
            stream->next_out = spare;
            stream->avail_out = 1;
        }
        result = lzma_code(stream, LZMA_FINISH);
    } while (result == LZMA_OK);
    return result;
}

static int judge(const lzma_stream *stream, lzma_ret result,
                 const struct unpack_job *job, const char **why)
{
    if (result == LZMA_MEM_ERROR || result == LZMA_MEMLIMIT_ERROR) {
        *why = "unpacking it (xz or lzma) takes more memory than is set aside";
        return -ENOMEM;
    }
    if (stream->total_out <= job->out_size && result != LZMA_STREAM_END)
        return unpack_refuse(
            why, result == LZMA_BUF_ERROR || result == LZMA_OK
                     ? "its packed data (xz or lzma) are cut short"
                 : result == LZMA_OPTIONS_ERROR
                     ? "its packed data (xz or lzma) need a newer decoder"
                     : "its packed data (xz or lzma) are damaged");
    return unpack_check_size(job, stream->total_out, stream->avail_in, why);
}

/* Decodes with what `start` makes of a new stream. */
static int run(const struct unpack_job *job, const char **why,
               lzma_ret (*start)(lzma_stream *stream, uint64_t memory_limit))
{
    const lzma_allocator allocator = {arena_alloc, arena_release, job->arena};
    lzma_stream stream = LZMA_STREAM_INIT;
    uint8_t spare;
    lzma_ret result;

    stream.next_in = job->packed;
    stream.avail_in = job->packed_size;
    stream.next_out = job->out;
    stream.avail_out = job->out_size;
    stream.allocator = &allocator;
    result = start(&stream, job->arena->size);
    if (result == LZMA_OK)
        result = decode_all(&stream, &spare);
    lzma_end(&stream);
    return judge(&stream, result, job, why);
}

static lzma_ret start_xz(lzma_stream *stream, uint64_t memory_limit)
{
    return lzma_stream_decoder(stream, memory_limit, 0);
}

/* Unpack one xz stream; see unpack(). */
int unpack_xz(const struct unpack_job *job, const char **why)
{
    lzma_stream_flags flags;

    if (job->packed_size < LZMA_STREAM_HEADER_SIZE)
        return unpack_refuse(why, "its xz data are cut short");
    if (lzma_stream_header_decode(&flags, job->packed) != LZMA_OK)
        return unpack_refuse(why, "the header of its xz data is damaged");
    if (flags.check != LZMA_CHECK_NONE && flags.check != LZMA_CHECK_CRC32)
        return unpack_refuse(why,
                             "its xz data carry another check than CRC32 (pack "
                             "with xz --check=crc32)");
    return run(job, why, start_xz);
}

/* Unpack one stream of the older lzma format; see unpack(). */
int unpack_lzma(const struct unpack_job *job, const char **why)
{
    return run(job, why, lzma_alone_decoder);
}
