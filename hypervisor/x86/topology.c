/* SPDX-License-Identifier: MIT */
/* APIC ids taken apart (topology.h). A pure function of CPUID. */
#include "x86/topology.h"

#define LEAF_TOPOLOGY 0xbu
#define LEVEL_THREAD 1u
#define MAX_LEVELS 8u
#define APIC_ID_BITS 8u

/*
 * What CPUID, asked by `host`, says of all processors alike: each level of
 * leaf 0xb how many bits lie below the next one's number. Older processors
 * count as cores of one socket.
 */
struct topology topology_detect(cpuid_fn *host)
{
    struct topology t = {0, APIC_ID_BITS};

    if (host(0, 0).eax < LEAF_TOPOLOGY)
        return t;
    for (uint32_t i = 0; i < MAX_LEVELS; i++) {
        struct cpuid_leaf l = host(LEAF_TOPOLOGY, i);
        unsigned type = l.ecx >> 8 & 0xff;

        if (!type)
            break;
        t.socket_shift = l.eax & 31;
        if (type == LEVEL_THREAD)
            t.core_shift = t.socket_shift;
    }
    return t;
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
