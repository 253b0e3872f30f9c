/* SPDX-License-Identifier: MIT */
/* What the tools are told of the processors: CPUID, and where each one is. */
#include "core/machine.h"

#include "x86/apic.h"
#include "x86/cpu_features.h"
#include "x86/cpu_policy.h"
#include "x86/fpu.h"
#include "x86/topology.h"

struct machine_cpuid machine_cpuid(enum machine_cpuid_view view, uint32_t leaf,
                                   uint32_t subleaf)
{
    struct cpuid_view guest =
        cpu_policy_view(cpu_features()->xsave ? fpu_xcr0_allowed() : 0);
    struct cpuid_leaf l = view == MACHINE_CPUID_GUEST
                              ? cpuid_policy_leaf(&guest, leaf, subleaf)
                              : cpuid(leaf, subleaf);

    return (struct machine_cpuid){l.eax, l.ebx, l.ecx, l.edx};
}

struct machine_place machine_cpu_place(unsigned cpu)
{
    struct topology t = topology_detect(cpuid);
    uint32_t apic_id = apic_id_of_cpu(cpu);

    return (struct machine_place){topology_core(t, apic_id),
                                  topology_socket(t, apic_id)};
}
