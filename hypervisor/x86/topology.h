/* SPDX-License-Identifier: MIT */
/*
 * How an APIC id is made up: the number of a thread in its core, of the core
 * in its socket, of the socket, from the lowest bit on. After the Intel SDM,
 * volume 3A, 9.9 (Hierarchical Mapping of Shared Resources).
 */
#pragma once

#include "core/types.h"
#include "x86/insn.h"

struct topology {
    unsigned core_shift;   /* bits below the number of the core */
    unsigned socket_shift; /* and below that of the socket */
};

typedef struct cpuid_leaf cpuid_fn(uint32_t leaf, uint32_t subleaf);

struct topology topology_detect(cpuid_fn *host);
uint32_t topology_core(struct topology t, uint32_t apic_id);
uint32_t topology_socket(struct topology t, uint32_t apic_id);
