/* SPDX-License-Identifier: MIT */
/*
 * The hypervisor's CPUID leaves, and the instruction prefix that asks for
 * them where CPUID itself cannot be intercepted: UD2 followed by "xen".
 */
#pragma once

#include "hypercall_abi/abi.h"

/* eax: the last leaf; ebx, ecx, edx: "XenVMMXenVMM". */
#define XEN_CPUID_FIRST_LEAF 0x40000000u
#define XEN_CPUID_SIGNATURE_EBX 0x566e6558u
#define XEN_CPUID_SIGNATURE_ECX 0x65584d4du
#define XEN_CPUID_SIGNATURE_EDX 0x4d4d566eu
#define XEN_CPUID_MAX_NUM_LEAVES 5

#define XEN_CPUID_LEAF_VERSION 0x40000001u /* eax: major << 16 | minor */
#define XEN_CPUID_LEAF_CALLS 0x40000002u   /* eax, ebx: 0, ecx: */
#define XEN_CPUID_LEAF_TIME 0x40000003u    /* subleaf 0 */
#define XEN_CPUID_LEAF_HVM 0x40000004u     /* zero for PV */
#define XEN_CPUID_LEAF_PV 0x40000005u      /* ebx: see below */

/*
 * LEAF_CALLS: eax, pages of stubs that an MSR places, ebx, that MSR: none, the
 * builder places one; ecx, features.
 */
#define XEN_CPUID_FEAT1_MMU_PT_UPDATE_PRESERVE_AD 0x1u

/*
 * LEAF_TIME: subleaf 0: eax XEN_CPUID_TIME_*, ebx TSC mode, ecx TSC in kHz,
 * edx 0. Those of other subleaves, for virtual counters, are not served.
 */
#define XEN_CPUID_TIME_TSC_EMULATED 0x1u
#define XEN_CPUID_TIME_TSC_RELIABLE 0x2u
#define XEN_CPUID_TIME_HAS_RDTSCP 0x4u

/* LEAF_PV: ebx, width of machine addresses; above 44 grants need version 2. */
#define XEN_CPUID_MACHINE_ADDRESS_WIDTH_MASK 0xffu

/* The bytes of the prefix, and its length; CPUID's 0f a2 follow. */
#define XEN_EMULATE_PREFIX_BYTES 0x0f, 0x0b, 0x78, 0x65, 0x6e
#define XEN_EMULATE_PREFIX_LEN 5
