/* SPDX-License-Identifier: MIT */
/*
 * The table of packing methods and the arena. The decoders proper, wrapped
 * around the distribution's libraries, are in unpack_*.c; which of them is
 * linked is a matter of configuration.
 */
#include "core/unpack.h"

enum {
    ARENA_ALIGNMENT = 64,
    KIB = 1024,
    MIB = 1024 * 1024,
};

/*
 * Arena sizes hold what Linux's build asks for: xz with a dictionary of
 * 32 MiB, lzma -9 with one of 64 MiB, zstd and gzip none beside the output.
 */
static const struct {
    unpack_fn *unpack;
    size_t arena_size;
} methods[UNPACK_METHODS] = {
    [UNPACK_GZIP] = {CONFIG_KERNEL_GZIP ? unpack_gzip : NULL, 64 * KIB},
    [UNPACK_LZMA] = {CONFIG_KERNEL_XZ ? unpack_xz : NULL, 65 * MIB},
    [UNPACK_XZ] = {CONFIG_KERNEL_XZ ? unpack_xz : NULL, 33 * MIB},
    [UNPACK_ZSTD] = {CONFIG_KERNEL_ZSTD ? unpack_zstd : NULL, 256 * KIB},
};

/* Bytes of arena that suffice for kernels as Linux's own build packs them. */
size_t unpack_arena_size(enum unpack_method method)
{
    return methods[method].arena_size;
}

/*
 * Unpacks job->packed into job->out, filling it to the last byte; NULL, or why
 * not.
 */
const char *unpack(const struct unpack_job *job)
{
    if (!methods[job->method].unpack)
        return "it is packed by a method that this build can't unpack "
               "(CONFIG_KERNEL_XZ, _ZSTD, _GZIP)";
    return methods[job->method].unpack(job);
}

/*
 * Room for `count` objects of `size` bytes, aligned for any of them, or NULL
 * if the arena has no more.
 */
void *arena_alloc(void *from, size_t count, size_t size)
{
    struct arena *arena = from;
    uint64_t base = (uintptr_t)arena->base, bytes, end;
    uint64_t first = align_up(base + arena->used, ARENA_ALIGNMENT) - base;

    if (mul_overflows(count, size, &bytes) ||
        add_overflows(first, bytes, &end) || end > arena->size)
        return NULL;
    arena->used = end;
    return arena->base + first;
}

/* Does nothing: the arena goes back to the caller as a whole. */
void arena_release(void *arena, void *memory)
{
    (void)arena;
    (void)memory;
}
