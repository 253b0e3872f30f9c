/* SPDX-License-Identifier: MIT */
/* The machine's side of cpuid_policy.c. */
#include "x86/cpu_policy.h"

#include "core/arch.h"

#include "x86/cpu_features.h"
#include "x86/fpu.h"
#include "x86/paging.h"
#include "x86/time.h"

/* The bits of the highest machine address. */
static unsigned address_width(void)
{
    uint64_t last = ((ram_end_frame() << PAGE_SHIFT) - 1) | 1;

    return 64 - (unsigned)__builtin_clzll(last);
}

static uint64_t xcr0_allowed(void)
{
    return cpu_features()->xsave ? fpu_xcr0_allowed() : 0;
}

struct cpuid_view cpu_policy_view(uint64_t xcr0)
{
    return (struct cpuid_view){
        .host = cpuid,
        .xcr0_allowed = xcr0_allowed(),
        .xcr0 = xcr0,
        .tsc_khz = arch_tsc_khz(),
        .tsc_is_stable = time_tsc_is_stable(),
        .address_width = address_width(),
    };
}
