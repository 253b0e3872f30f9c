/* SPDX-License-Identifier: MIT */
/*
 * Unpacking of kernels. One call turns a packed stream into exactly as many
 * bytes as its container promised, or fails with a reason; a truncated,
 * damaged, longer or shorter stream is never a success. All memory that a
 * decoder wants comes from the caller's arena, so a hostile stream can
 * exhaust nothing else; time is bounded by input and output size.
 *
 * No locks: a call uses nothing but its arguments. What a failed call left in
 * the output is undefined.
 */
#pragma once

#include "core/types.h"

enum unpack_method {
    UNPACK_NONE, /* not packed */
    UNPACK_GZIP,
    UNPACK_LZMA,
    UNPACK_XZ,
    UNPACK_LZ4,
    UNPACK_ZSTD,
    UNPACK_METHODS,
};

/* A piece of memory that is handed out from its start and never taken back. */
struct arena {
    uint8_t *base;
    size_t size;
    size_t used;
};

struct unpack_job {
    const uint8_t *packed;
    size_t packed_size;
    uint8_t *out;
    size_t out_size;
    struct arena *arena;
    enum unpack_method method;
};

/* Unpacks all of the job; NULL, or why not, as in kernel.h. */
typedef const char *unpack_fn(const struct unpack_job *job);

unpack_fn unpack_gzip;
unpack_fn unpack_xz;
unpack_fn unpack_zstd;

/* What decoders have to say. */
#define UNPACK_NO_MEMORY "unpacking it takes more memory than is set aside"
#define UNPACK_DAMAGED                                                         \
    "its packed data are damaged, cut short or not of the declared size"

size_t unpack_arena_size(enum unpack_method method);
must_check const char *unpack(const struct unpack_job *job);

/* As libraries call them; `arena` is a struct arena. */
void *arena_alloc(void *arena, size_t count, size_t size);
void arena_release(void *arena, void *memory);
