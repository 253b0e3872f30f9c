/* SPDX-License-Identifier: MIT */
/* APIC ids taken apart (topology.h). A pure function of CPUID. */
#include "x86/topology.h"

#define MAX_LEVELS 8u
#define LEVEL_THREAD 1u
#define HTT (1u << 28)

/* Bits that the numbers below `count` need. */
static unsigned bits_for(uint32_t count)
{
    return count > 1 ? 32 - (unsigned)__builtin_clz(count - 1) : 0;
}

/* Leaf 0xb: each level says how many bits lie below the next one's number. */
static struct topology from_levels(cpuid_fn *host)
{
    struct topology t = {0, 0};

    for (uint32_t i = 0; i < MAX_LEVELS; i++) {
        struct cpuid_leaf l = host(0xb, i);
        unsigned type = l.ecx >> 8 & 0xff;

        if (!type)
            break;
        t.socket_shift = l.eax & 31;
        if (type == LEVEL_THREAD)
            t.core_shift = t.socket_shift;
    }
    return t;
}

/*
 * Without it a socket's threads and cores are counted, the cores by Intel in
 * leaf 4 and by AMD in leaf 0x80000008; the other one has zeros there.
 */
static struct topology from_counts(cpuid_fn *host)
{
    struct cpuid_leaf one = host(1, 0);
    unsigned socket = one.edx & HTT ? bits_for(one.ebx >> 16 & 0xff) : 0;
    unsigned cores =
        bits_for(1 + (host(4, 0).eax >> 26 | (host(0x80000008, 0).ecx & 0xff)));

    return (struct topology){socket > cores ? socket - cores : 0, socket};
}

/* What CPUID, asked by `host`, says of all processors alike. */
struct topology topology_detect(cpuid_fn *host)
{
    if (host(0, 0).eax >= 0xb && host(0xb, 0).ebx)
        return from_levels(host);
    return from_counts(host);
}

/* The number of the core with `apic_id`, in its socket. */
uint32_t topology_core(struct topology t, uint32_t apic_id)
{
    return (apic_id & ((1u << t.socket_shift) - 1)) >> t.core_shift;
}

/* The number of the socket with `apic_id`. */
uint32_t topology_socket(struct topology t, uint32_t apic_id)
{
    return apic_id >> t.socket_shift;
}
