/* SPDX-License-Identifier: MIT */
/* What the tools are told of the processors: CPUID, and where each one is. */
#include "core/machine.h"

#include "x86/apic.h"
#include "x86/cpu_policy.h"
#include "x86/topology.h"

static struct machine_cpuid answer(struct cpuid_leaf l)
{
    return (struct machine_cpuid){l.eax, l.ebx, l.ecx, l.edx};
}

struct machine_cpuid machine_guest_cpuid(uint64_t allowed, uint64_t enabled,
                                         uint32_t leaf, uint32_t subleaf)
{
    struct cpuid_view view = cpu_policy_view(0);

    view.xcr0_allowed &= allowed;
    view.xcr0 = view.xcr0_allowed & enabled;
    return answer(cpuid_policy_leaf(&view, leaf, subleaf));
}

struct machine_cpuid machine_cpuid(enum machine_cpuid_view view, uint32_t leaf,
                                   uint32_t subleaf)
{
    return view == MACHINE_CPUID_GUEST
               ? machine_guest_cpuid(~0ull, ~0ull, leaf, subleaf)
               : answer(cpuid(leaf, subleaf));
}

struct machine_place machine_cpu_place(unsigned cpu)
{
    struct topology t = topology_detect(cpuid);
    uint32_t apic_id = apic_id_of_cpu(cpu);

    return (struct machine_place){topology_core(t, apic_id),
                                  topology_socket(t, apic_id)};
}
