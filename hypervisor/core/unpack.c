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
    const char *name;
    const char *refusal;
    size_t arena_size;
    unpack_fn *unpack;
} methods[UNPACK_METHODS] = {
    [UNPACK_NONE] = {"no packing", "it isn't packed", 0, NULL},
    [UNPACK_GZIP] = {"gzip",
                     "it is packed with gzip, which this build can't "
                     "unpack (CONFIG_KERNEL_GZIP)",
                     64 * KIB, CONFIG_KERNEL_GZIP ? unpack_gzip : NULL},
    [UNPACK_BZIP2] = {"bzip2",
                      "it is packed with bzip2, which Mica can't "
                      "unpack",
                      0, NULL},
    [UNPACK_LZMA] = {"lzma",
                     "it is packed with lzma, which this build can't "
                     "unpack (CONFIG_KERNEL_XZ)",
                     65 * MIB, CONFIG_KERNEL_XZ ? unpack_lzma : NULL},
    [UNPACK_XZ] = {"xz",
                   "it is packed with xz, which this build can't unpack "
                   "(CONFIG_KERNEL_XZ)",
                   33 * MIB, CONFIG_KERNEL_XZ ? unpack_xz : NULL},
    [UNPACK_LZO] = {"lzo", "it is packed with lzo, which Mica can't unpack", 0,
                    NULL},
    [UNPACK_LZ4] = {"lz4", "it is packed with lz4, which Mica can't unpack", 0,
                    NULL},
    [UNPACK_ZSTD] = {"zstd",
                     "it is packed with zstd, which this build can't "
                     "unpack (CONFIG_KERNEL_ZSTD)",
                     256 * KIB, CONFIG_KERNEL_ZSTD ? unpack_zstd : NULL},
};

/* The method's name for messages. */
const char *unpack_method_name(enum unpack_method method)
{
    return methods[method].name;
}

/* Can this build unpack it? False for UNPACK_NONE: there is nothing to do. */
bool unpack_is_supported(enum unpack_method method)
{
    return methods[method].unpack != NULL;
}

/* Bytes of arena that suffice for kernels as Linux's own build packs them. */
size_t unpack_arena_size(enum unpack_method method)
{
    return methods[method].arena_size;
}

/*
 * Unpack job->packed into job->out, filling it to the last byte.
 * Returns 0; -EOPNOTSUPP for a method that isn't linked in; -ENOMEM if the
 * arena is too small; -E2BIG for sizes that a library can't express;
 * -EINVAL for damage of every kind. On error *why says what is wrong.
 */
int unpack(enum unpack_method method, const struct unpack_job *job,
           const char **why)
{
    if (!methods[method].unpack) {
        *why = methods[method].refusal;
        return -EOPNOTSUPP;
    }
    return methods[method].unpack(job, why);
}

/*
 * Room for `count` objects of `size` bytes, aligned for any of them, or NULL
 * if the arena has no more.
 */
void *arena_alloc(struct arena *arena, size_t count, size_t size)
{
    uint64_t bytes, first, end;

    if (mul_overflows(count, size, &bytes))
        return NULL;
    first = align_up((uintptr_t)arena->base + arena->used, ARENA_ALIGNMENT) -
            (uintptr_t)arena->base;
    if (add_overflows(first, bytes, &end) || end > arena->size)
        return NULL;
    arena->used = end;
    return arena->base + first;
}
