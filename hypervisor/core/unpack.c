/* SPDX-License-Identifier: MIT */
/*
 * The table of packing methods and the arena. The decoders proper, wrapped
 * around the distribution's libraries, are in unpack_*.c; which of them is
 * linked is a matter of configuration.
 */
#include "core/unpack.h"

#define LEFT_OUT(name, option)                                                 \
    "it is packed with " name ", which this build can't unpack (" option ")"
#define UNSUPPORTED(name) "it is packed with " name ", which Mica can't unpack"

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
    size_t arena_size;
    unpack_fn *unpack;
    const char *refusal; /* where there is no decoder */
} methods[UNPACK_METHODS] = {
    [UNPACK_NONE] = {"no packing", 0, NULL, "it isn't packed"},
    [UNPACK_GZIP] = {"gzip", 64 * KIB, CONFIG_KERNEL_GZIP ? unpack_gzip : NULL,
                     LEFT_OUT("gzip", "CONFIG_KERNEL_GZIP")},
    [UNPACK_BZIP2] = {"bzip2", 0, NULL, UNSUPPORTED("bzip2")},
    [UNPACK_LZMA] = {"lzma", 65 * MIB, CONFIG_KERNEL_XZ ? unpack_lzma : NULL,
                     LEFT_OUT("lzma", "CONFIG_KERNEL_XZ")},
    [UNPACK_XZ] = {"xz", 33 * MIB, CONFIG_KERNEL_XZ ? unpack_xz : NULL,
                   LEFT_OUT("xz", "CONFIG_KERNEL_XZ")},
    [UNPACK_LZO] = {"lzo", 0, NULL, UNSUPPORTED("lzo")},
    [UNPACK_LZ4] = {"lz4", 0, NULL, UNSUPPORTED("lz4")},
    [UNPACK_ZSTD] = {"zstd", 256 * KIB, CONFIG_KERNEL_ZSTD ? unpack_zstd : NULL,
                     LEFT_OUT("zstd", "CONFIG_KERNEL_ZSTD")},
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

int unpack_check_size(const struct unpack_job *job, uint64_t produced,
                      uint64_t left, const char **why)
{
    if (produced > job->out_size)
        return unpack_refuse(why, "its packed data unpack to more than the "
                                  "declared size");
    if (produced < job->out_size)
        return unpack_refuse(why, "its packed data unpack to less than the "
                                  "declared size");
    return left ? unpack_refuse(why, "something follows its packed data") : 0;
}

/*
 * Room for `count` objects of `size` bytes, aligned for any of them, or NULL
 * if the arena has no more.
 */
void *arena_alloc(void *from, size_t count, size_t size)
{
    struct arena *arena = from;
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

/* Does nothing: the arena goes back to the caller as a whole. */
void arena_release(void *arena, void *memory)
{
    (void)arena;
    (void)memory;
}
