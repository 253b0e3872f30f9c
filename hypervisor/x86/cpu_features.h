/* SPDX-License-Identifier: MIT */
/*
 * What the processors can do. Detected once on the boot processor; the
 * others are taken to be alike.
 */
#pragma once

#include "core/machine.h"

#include "x86/insn.h"

struct cpu_features {
    bool is_intel, is_amd; /* AMD includes Hygon */
    bool hypervisor;       /* Mica runs in a virtual machine */
    uint8_t physical_bits;

    bool x2apic, tsc_deadline, invariant_tsc, rdtscp, smep, ibpb, xsave;
    uint64_t xcr0; /* features XSAVE may keep; x87 and SSE at least */

    /*
     * Also L1TF: user code may read what is mapped supervisor, and, by entries
     * that are not present, the L1 cache.
     */
    bool meltdown;
    bool clear_buffers; /* VERW before a guest: MDS, TAA, MMIO stale data */
};

typedef struct cpuid_leaf cpuid_fn(uint32_t leaf, uint32_t subleaf);

cpuid_fn cpu_leaf;
const struct cpu_features *cpu_features(void);

/* topology.c */
struct machine_place topology_place(cpuid_fn *host, uint32_t apic_id);
