/* SPDX-License-Identifier: MIT */
/* What guests and tools are told of the processors, and where each one is. */
#include "x86/cpuid_policy.h"

#include "core/arch.h"
#include "core/frame.h"

#include "x86/apic.h"
#include "x86/cpu_features.h"
#include "x86/time.h"

/* The bits of the highest machine address. */
static unsigned address_width(void)
{
    uint64_t last = ((frame_table_end << PAGE_SHIFT) - 1) | 1;

    return 64 - (unsigned)__builtin_clzll(last);
}

/* What CPUID says to a guest that has enabled the features `xcr0`. */
struct cpuid_leaf cpu_guest_leaf(uint64_t xcr0, uint32_t leaf, uint32_t subleaf)
{
    struct cpuid_view view = {
        .host = cpu_leaf,
        .xcr0_allowed = cpu_features()->xsave ? cpu_features()->xcr0 : 0,
        .xcr0 = xcr0,
        .tsc_khz = arch_tsc_khz(),
        .tsc_is_stable = time_tsc_is_stable(),
        .address_width = address_width(),
    };

    return cpuid_policy_leaf(&view, leaf, subleaf);
}

struct machine_cpuid machine_cpuid(enum machine_cpuid_view view, uint32_t leaf,
                                   uint32_t subleaf)
{
    struct cpuid_leaf l = view == MACHINE_CPUID_GUEST
                              ? cpu_guest_leaf(~0ull, leaf, subleaf)
                              : cpu_leaf(leaf, subleaf);

    return (struct machine_cpuid){l.eax, l.ebx, l.ecx, l.edx};
}

struct machine_place machine_cpu_place(unsigned cpu)
{
    return topology_place(cpuid, apic_id_of_cpu(cpu));
}
