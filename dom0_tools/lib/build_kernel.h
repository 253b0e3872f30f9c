/* SPDX-License-Identifier: MIT */
/*
 * Kernel files on their way into a domain: read, unpacked, and understood.
 * Part of the builder (build.h). The file is untrusted, and is copied before
 * it is looked at, so that nobody can change it between check and use.
 */
#pragma once

#include "core/kernel.h"
#include "dom0_tools/lib/error.h"

struct build_kernel {
    int fd;               /* the unpacked kernel, a file of our own */
    const uint8_t *bytes; /* the same, mapped; NULL if there is none */
    size_t size;
    struct kernel elf; /* points into bytes */
};

/*
 * Reads the kernel at `path`. 0; -1 with EXIT_STATUS_BAD_KERNEL, or
 * EXIT_STATUS_NO_MEMORY for one that unpacks to more than `limit` bytes, or
 * what the system says.
 */
int build_kernel_open(struct build_kernel *k, const char *path, uint64_t limit,
                      struct error *e);

/* Frees what build_kernel_open() got, also after a failure. */
void build_kernel_close(struct build_kernel *k);
