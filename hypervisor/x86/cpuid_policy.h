/* SPDX-License-Identifier: MIT */
/*
 * What a guest reads with CPUID: the processor's own answers, less what a
 * paravirtualized kernel could not use, and the hypervisor's leaves. A pure
 * function of its arguments. It governs the intercepted forms of CPUID only;
 * an application that executes the instruction directly sees the processor.
 */
#pragma once

#include "core/types.h"
#include "x86/insn.h"

/* The hypervisor version that guests are told. */
#define GUEST_VISIBLE_VERSION (4u << 16 | 17u)

struct cpuid_view {
    /* The processor; zeros for a leaf that it does not have. */
    struct cpuid_leaf (*host)(uint32_t leaf, uint32_t subleaf);
    uint64_t xcr0_allowed; /* features the guest may enable; 0: no XSAVE */
    uint64_t xcr0;         /* those it has enabled */
    uint32_t tsc_khz;
    bool tsc_is_stable;     /* one rate everywhere, for ever */
    unsigned address_width; /* bits of the highest machine address */
};

struct cpuid_leaf cpuid_policy_leaf(const struct cpuid_view *view,
                                    uint32_t leaf, uint32_t subleaf);

/* cpu_policy.c: on this machine */
struct cpuid_leaf cpu_guest_leaf(uint64_t xcr0, uint32_t leaf,
                                 uint32_t subleaf);
