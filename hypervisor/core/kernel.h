/* SPDX-License-Identifier: MIT */
/*
 * Kernels for paravirtual guests: the files in which distributions ship them
 * (a Linux bzImage with a packed payload, a plain ELF file, or one packed by
 * gzip), the ELF file inside, what it says about itself in its ELF notes
 * (owner "Xen"), and where it wants to lie.
 *
 * kernel_image_open() says what there is to unpack; the caller adds the memory,
 * calls unpack(), and kernel_open() on the result. No number of the
 * file is trusted: what is accepted lies inside the buffer and does not wrap.
 *
 * No locks and no state but the caller's; the buffers must not change
 * meanwhile. A check returns NULL, or what is wrong: a constant sentence which
 * reads well after "dom0 kernel: ".
 */
#pragma once

#include "core/unpack.h"

#define KERNEL_NAME_ROOM 32

/* Guests may use all addresses but the hole and slots 256 to 271. */
#define LOW_HALF_END 0x0000800000000000ull
#define HIGH_HALF_START 0xffff880000000000ull

struct kernel {
    const uint8_t *file;
    size_t size;
    uint64_t headers;       /* file offset of the program headers */
    unsigned segment_count; /* number of them */

    /* From the notes; virtual addresses. */
    uint64_t entry;            /* first instruction */
    uint64_t virt_base;        /* where pfn 0 is */
    uint64_t paddr_offset;     /* what to subtract from p_paddr */
    uint64_t hypercall_page;   /* 0: none */
    uint64_t init_p2m;         /* 0: anywhere */
    uint64_t features;         /* it can use these; bit n: XENFEAT n */
    uint64_t mod_start_is_pfn; /* not 0: the initrd needs no mapping */
    char guest_os[KERNEL_NAME_ROOM];

    /* Its bytes, from virt_base on: at most 1 GiB, for guests to use. */
    uint64_t start, end;
};

/* What is to be copied to `at`, in bytes from virt_base on. */
struct kernel_segment {
    uint64_t at;
    const uint8_t *data;
    uint64_t size;
};

/* kernel_image.c */
must_check const char *kernel_image_open(struct unpack_job *job,
                                         const void *file, size_t size);

/* kernel.c */
must_check const char *kernel_open(struct kernel *k, const void *file,
                                   size_t size);
bool kernel_next_segment(const struct kernel *k, unsigned *index,
                         struct kernel_segment *segment);
bool kernel_shares_lower_half(const struct kernel *k);
