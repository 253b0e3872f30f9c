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

static void *allocate(void *arena, size_t count, size_t size)
{
    return arena_alloc(arena, count, size);
}

/* The arena goes back to the caller as a whole. */
static void release(void *arena, void *memory)
{
    (void)arena;
    (void)memory;
}

static int fail(const char **why, const char *reason)
{
    *why = reason;
    return -EINVAL;
}

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
    if (stream->total_out > job->out_size)
        return fail(why, "its packed data (xz or lzma) unpack to more than "
                         "the declared size");
    if (result == LZMA_BUF_ERROR)
        return fail(why, "its packed data (xz or lzma) are cut short");
    if (result == LZMA_OPTIONS_ERROR)
        return fail(why, "its packed data (xz or lzma) need a newer decoder");
    if (result != LZMA_STREAM_END)
        return fail(why, "its packed data (xz or lzma) are damaged");
    if (stream->total_out < job->out_size)
        return fail(why, "its packed data (xz or lzma) unpack to less than "
                         "the declared size");
    if (stream->avail_in > 0)
        return fail(why, "something follows its packed data (xz or lzma)");
    return 0;
}

/* Decode by a decoder that `stream` was just given, with result `init`. */
static int run(lzma_stream *stream, lzma_ret init, const struct unpack_job *job,
               const char **why)
{
    uint8_t spare;

    if (init == LZMA_OK)
        init = decode_all(stream, &spare);
    lzma_end(stream);
    return judge(stream, init, job, why);
}

static lzma_stream make_stream(const struct unpack_job *job,
                               const lzma_allocator *allocator)
{
    lzma_stream stream = LZMA_STREAM_INIT;

    stream.next_in = job->packed;
    stream.avail_in = job->packed_size;
    stream.next_out = job->out;
    stream.avail_out = job->out_size;
    stream.allocator = allocator;
    return stream;
}

/* Unpack one xz stream; see unpack(). */
int unpack_xz(const struct unpack_job *job, const char **why)
{
    const lzma_allocator allocator = {allocate, release, job->arena};
    lzma_stream stream = make_stream(job, &allocator);
    lzma_stream_flags flags;

    if (job->packed_size < LZMA_STREAM_HEADER_SIZE)
        return fail(why, "its xz data are cut short");
    if (lzma_stream_header_decode(&flags, job->packed) != LZMA_OK)
        return fail(why, "the header of its xz data is damaged");
    if (flags.check != LZMA_CHECK_NONE && flags.check != LZMA_CHECK_CRC32)
        return fail(why, "its xz data carry another check than CRC32 (pack "
                         "with xz --check=crc32)");
    return run(&stream, lzma_stream_decoder(&stream, job->arena->size, 0), job,
               why);
}

/* Unpack one stream of the older lzma format; see unpack(). */
int unpack_lzma(const struct unpack_job *job, const char **why)
{
    const lzma_allocator allocator = {allocate, release, job->arena};
    lzma_stream stream = make_stream(job, &allocator);

    return run(&stream, lzma_alone_decoder(&stream, job->arena->size), job,
               why);
}
