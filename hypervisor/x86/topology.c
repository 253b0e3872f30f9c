/* SPDX-License-Identifier: MIT */
/*
 * APIC ids taken apart: the number of a thread in its core, of the core in
 * its socket, of the socket, from the lowest bit on. After the Intel SDM,
 * volume 3A, 9.9 (Hierarchical Mapping of Shared Resources).
 */
#include "x86/cpu_features.h"

#define LEAF_TOPOLOGY 0xbu
#define LEVEL_THREAD 1u
#define MAX_LEVELS 8u
#define APIC_ID_BITS 8u

/*
 * Where the processor with `apic_id` is by CPUID, asked by `host`, of which
 * each level of leaf 0xb says how many bits lie below the next one's number.
 * Older processors count as cores of one socket.
 */
struct machine_place topology_place(cpuid_fn *host, uint32_t apic_id)
{
    uint32_t core_shift = 0, socket_shift = APIC_ID_BITS, type;

    for (uint32_t i = 0; i < MAX_LEVELS && host(0, 0).eax >= LEAF_TOPOLOGY;
         i++) {
        struct cpuid_leaf l = host(LEAF_TOPOLOGY, i);

        type = l.ecx >> 8 & 0xff;
        if (!type)
            break;
        socket_shift = l.eax & 31;
        if (type == LEVEL_THREAD)
            core_shift = socket_shift;
    }
    return (struct machine_place){
        .core = (apic_id & ((1u << socket_shift) - 1)) >> core_shift,
        .socket = apic_id >> socket_shift,
    };
}
