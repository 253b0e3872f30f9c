/* SPDX-License-Identifier: MIT */
/*
 * xenpmu_op(cmd, struct xenpmu_params *): performance counters. Mica has
 * none to offer: -EOPNOTSUPP for every command, and the kernel goes without.
 */
#pragma once

#include "hypercall_abi/abi.h"

#define XENPMU_VER_MAJ 0
#define XENPMU_VER_MIN 1

enum {
    XENPMU_mode_get = 0,
    XENPMU_mode_set = 1,
    XENPMU_feature_get = 2,
    XENPMU_feature_set = 3,
    XENPMU_init = 4,
    XENPMU_finish = 5,
    XENPMU_lvtpc_set = 6,
    XENPMU_flush = 7
};

struct xenpmu_params {
    uint32_t version_maj; /* in:  XENPMU_VER_MAJ; out: ours */
    uint32_t version_min; /* in:  XENPMU_VER_MIN; out: ours */
    uint64_t val;         /* by command */
    uint32_t vcpu;        /* in */
    uint32_t pad;
};
ABI_SIZE(struct xenpmu_params, 24);
ABI_AT(struct xenpmu_params, version_min, 4);
ABI_AT(struct xenpmu_params, val, 8);
ABI_AT(struct xenpmu_params, vcpu, 16);
ABI_AT(struct xenpmu_params, pad, 20);
