/* SPDX-License-Identifier: MIT */
/*
 * What the files of the control interface share, and nobody else includes:
 * the handle, and its scratch memory, from which small calls take arguments
 * and lists without a system call of their own.
 */
#pragma once

#include "dom0_tools/lib/control.h"
#include "hypercall_abi/hypercall.h"

#define CONTROL_SCRATCH_SIZE (16 * CONTROL_PAGE_SIZE)

struct control {
    int privcmd;
    int buffers;      /* of /dev/xen/hypercall, or -1 */
    uint8_t *scratch; /* CONTROL_SCRATCH_SIZE bytes from control_alloc() */
    size_t scratch_used;
};

/* Forgets what scratch memory was handed out: the start of a call. */
void control_scratch_reset(struct control *c);

/*
 * `size` bytes of zeroed scratch memory, until the next reset. Callers bound
 * their sizes; asking for more than there is aborts.
 */
void *control_scratch(struct control *c, size_t size);

/* The guest address of a pointer, for the hypervisor. */
static inline guest_va control_va(const void *p)
{
    return (guest_va){(uint64_t)(uintptr_t)p};
}

/* A hypercall with the arguments that follow, up to five. */
#define CONTROL_CALL(c, name, ...)                                             \
    control_hypercall(c, HC_##name, (const uint64_t[5]){__VA_ARGS__})
