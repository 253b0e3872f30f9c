/* SPDX-License-Identifier: MIT */
/*
 * Containers and decoders. Input: a method, a number of changes, the changes
 * (offset, value), then the data. The data are packed by the library itself,
 * wrapped in a bzImage, changed in those places and given to the reader; so
 * streams are nearly valid and no corpus is needed. Method 0 takes the data
 * as the file, methods from 8 give them to a decoder as they are.
 */
#include <stdlib.h>

#include "core/kernel.h"

#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

enum {
    PAYLOAD = 1024 + 0x10,
    FILE_MAX = 1 << 17,
    OUT_MAX = 1 << 20,
    ARENA_SIZE = 1 << 22,
    DICTIONARY = 1 << 16,
    CHANGE = 3,
    RAW_METHODS = 8,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t file[FILE_MAX];
static uint8_t arena_memory[ARENA_SIZE];

static void claim(bool claim_holds)
{
    if (!claim_holds)
        abort();
}

static size_t pack_xz(const uint8_t *in, size_t size, uint8_t *out, size_t max)
{
    lzma_options_lzma options;
    lzma_filter filters[] = {
        {LZMA_FILTER_X86, NULL},
        {LZMA_FILTER_LZMA2, &options},
        {LZMA_VLI_UNKNOWN, NULL},
    };
    size_t used = 0;

    lzma_lzma_preset(&options, 0);
    options.dict_size = DICTIONARY;
    claim(lzma_stream_buffer_encode(filters, LZMA_CHECK_NONE, NULL, in, size,
                                    out, &used, max) == LZMA_OK);
    return used;
}

static size_t pack_lzma(const uint8_t *in, size_t size, uint8_t *out,
                        size_t max)
{
    lzma_stream stream = LZMA_STREAM_INIT;
    lzma_options_lzma options;

    lzma_lzma_preset(&options, 0);
    options.dict_size = DICTIONARY;
    claim(lzma_alone_encoder(&stream, &options) == LZMA_OK);
    stream.next_in = in;
    stream.avail_in = size;
    stream.next_out = out;
    stream.avail_out = max;
    claim(lzma_code(&stream, LZMA_FINISH) == LZMA_STREAM_END);
    lzma_end(&stream);
    return max - stream.avail_out;
}

static size_t pack_gzip(const uint8_t *in, size_t size, uint8_t *out,
                        size_t max)
{
    z_stream stream = {.next_in = (z_const Bytef *)in,
                       .avail_in = (uInt)size,
                       .next_out = out,
                       .avail_out = (uInt)max};

    claim(deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8,
                       Z_DEFAULT_STRATEGY) == Z_OK);
    claim(deflate(&stream, Z_FINISH) == Z_STREAM_END);
    deflateEnd(&stream);
    return max - stream.avail_out;
}

static size_t pack(enum unpack_method method, const uint8_t *in, size_t size,
                   uint8_t *out, size_t max)
{
    switch (method) {
    case UNPACK_XZ:
        return pack_xz(in, size, out, max);
    case UNPACK_LZMA:
        return pack_lzma(in, size, out, max);
    case UNPACK_GZIP:
        return pack_gzip(in, size, out, max);
    default:
        return ZSTD_compress(out, max, in, size, 1);
    }
}

static void write32(size_t at, uint32_t value)
{
    memcpy(file + at, &value, sizeof(value));
}

/* Build a bzImage around the data in `file` and return its size. */
static size_t make_bzimage(enum unpack_method method, const uint8_t *data,
                           size_t size)
{
    size_t length =
        pack(method, data, size, file + PAYLOAD, FILE_MAX - PAYLOAD - 4);

    memset(file, 0, PAYLOAD);
    file[0x1f1] = 1;
    memcpy(file + 0x202, "HdrS\x0f\x02", 6);
    if (method != UNPACK_GZIP) {
        write32(PAYLOAD + length, (uint32_t)size);
        length += 4;
    }
    write32(0x248, PAYLOAD - 1024);
    write32(0x24c, (uint32_t)length);
    return PAYLOAD + length;
}

/* Unpack from and to buffers of the exact size. True on success. */
static bool try_unpack(enum unpack_method method, const uint8_t *in,
                       size_t size, size_t out_size, uint8_t **out)
{
    struct arena arena = {arena_memory, sizeof(arena_memory), 0};
    uint8_t *packed = malloc(size + 1);
    struct unpack_job job = {packed, size, NULL, out_size, &arena, method};
    const char *why;

    *out = malloc(out_size + 1);
    job.out = *out;
    memcpy(packed, in, size);
    why = unpack(&job);
    claim(arena.used <= arena.size);
    free(packed);
    return !why;
}

static void check_file(size_t size, const uint8_t *original,
                       size_t original_size)
{
    struct unpack_job job;
    uint8_t *exact = malloc(size + 1);
    uint8_t *out;

    memcpy(exact, file, size);
    if (kernel_image_open(&job, exact, size)) {
        free(exact);
        return;
    }
    claim(job.packed >= exact && job.packed_size <= size);
    claim((size_t)(job.packed - exact) <= size - job.packed_size);
    claim(job.out_size <= UINT32_MAX);
    if (job.method != UNPACK_NONE && job.out_size <= OUT_MAX) {
        bool is_good = try_unpack(job.method, job.packed, job.packed_size,
                                  job.out_size, &out);

        claim(!original || (is_good && job.out_size == original_size &&
                            !memcmp(out, original, original_size)));
        free(out);
    }
    free(exact);
}

static void fuzz_raw(unsigned int selector, const uint8_t *data, size_t size)
{
    uint8_t *out;
    size_t out_size;

    if (size < 2)
        return;
    out_size = data[0] | data[1] << 8;
    try_unpack(selector % UNPACK_METHODS, data + 2, size - 2, out_size, &out);
    free(out);
}

static void fuzz_packed(enum unpack_method method, unsigned int changes,
                        const uint8_t *data, size_t size)
{
    const uint8_t *plain = data + changes * CHANGE;
    size_t plain_size, length;
    unsigned int i;

    if (size <= changes * CHANGE)
        return;
    plain_size = size - changes * CHANGE;
    length = make_bzimage(method, plain, plain_size);
    for (i = 0; i < changes; i++, data += CHANGE) {
        size_t at = data[0] | data[1] << 8;

        file[at < 512 ? 0x1f1 + at % 96 : PAYLOAD + at % (length - PAYLOAD)] ^=
            data[2];
    }
    check_file(length, changes ? NULL : plain, plain_size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum unpack_method methods[] = {UNPACK_XZ, UNPACK_LZMA,
                                                 UNPACK_GZIP, UNPACK_ZSTD};
    unsigned int selector;

    if (size < 3 || size > FILE_MAX / 4)
        return 0;
    selector = data[0] % 16;
    if (selector >= RAW_METHODS) {
        fuzz_raw(selector, data + 1, size - 1);
    } else if (selector == 0) {
        memcpy(file, data + 1, size - 1);
        check_file(size - 1, NULL, 0);
    } else {
        fuzz_packed(methods[selector % 4], data[1] % 8, data + 2, size - 2);
    }
    return 0;
}
