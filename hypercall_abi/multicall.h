/* SPDX-License-Identifier: MIT */
/* Several hypercalls in one. */
#pragma once

#include "hypercall_abi/abi.h"

/*
 * multicall(struct multicall_entry *, count): runs the entries in order.
 * A failing entry does not stop the ones after it. Any domain.
 * Returns 0, or -EFAULT when an entry cannot be read or written.
 */
struct multicall_entry {
    uint64_t op;      /* in:  a hypercall number */
    int64_t result;   /* out: what that call returned */
    uint64_t args[6]; /* in:  its arguments in order */
};
ABI_SIZE(struct multicall_entry, 64);
ABI_AT(struct multicall_entry, result, 8);
ABI_AT(struct multicall_entry, args, 16);
