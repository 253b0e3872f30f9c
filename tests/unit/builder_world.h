/* SPDX-License-Identifier: MIT */
/*
 * A hypervisor for the builder of domains: the calls it makes, served from an
 * array of frames, and a kernel to build from. One domain, number 7.
 */
#pragma once

#include "core/types.h"
#include "dom0_tools/lib/build.h"
#include "dom0_tools/lib/control_domain.h"
#include "dom0_tools/lib/control_memory.h"

#define WORLD_DOMAIN 7
#define WORLD_FRAMES 32768u
#define WORLD_SHARED_INFO 0xabcdeull

/* The kernel: a page of code at 1 MiB, and two more that are 0. */
#define KERNEL_PFN 0x100u
#define KERNEL_TEXT "a kernel's first bytes"
#define KERNEL_BASE 0xffffffff80000000ull
#define KERNEL_P2M 0x8000000000ull

struct world {
    uint64_t free_pages;  /* of the machine */
    uint64_t largest;     /* order of the largest extents it can give */
    uint64_t given;       /* frames that the domain has */
    unsigned mappings;    /* that the builder holds */
    uint64_t max_kib;     /* limit set */
    uint64_t map_size;    /* bytes in the memory map set */
    uint32_t flags;       /* that describe the kernel */
    uint64_t pinned;      /* frame pinned as an L4; 0: none */
    uint64_t stubs_frame; /* made a hypercall page; 0: none */
    bool is_started;
    struct vcpu_guest_context context; /* of vCPU 0 */
    struct grant_entry_v1 *grants;     /* a page */
};

extern struct world world;

/* The world as it is before a test, with 100 MiB free. */
void world_reset(void);
void world_free(void);

/* What the domain has in frame `mfn`; fails the test if it is not its own. */
void *world_frame(uint64_t mfn);

/* The frame that `va` leads to in the tables pinned, and its entry; or 0. */
uint64_t world_walk(uint64_t va, uint64_t *entry);

/* Whether a kernel lies in the high half with notes as Linux has them. */
enum world_kernel { WORLD_LINUX, WORLD_OLD, WORLD_LOW };

/* Writes a kernel, or text of `size` bytes, to a new file; its path. */
const char *world_kernel_file(enum world_kernel kind);
const char *world_file(const void *bytes, size_t size);

/* Packs the file at `path` by gzip; the path of the new one. */
const char *world_gzip_file(const char *path);
