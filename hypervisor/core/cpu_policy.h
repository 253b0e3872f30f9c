/* SPDX-License-Identifier: MIT */
/*
 * What tools are told of the processor: lists of CPUID leaves, and feature
 * words cut out of them, as domctl and sysctl hand them out. All guests see
 * the same, whatever the tools would have one see.
 *
 * No machine registers are part of a policy: their number is always 0.
 */
#pragma once

#include "core/machine.h"
#include "core/types.h"
#include "hypercall_abi/domctl.h"
#include "hypercall_abi/sysctl.h"

/* Room enough for the leaves of any policy. */
#define CPU_POLICY_MAX_LEAVES 128u

/* Room that the tools need for registers of their own making. */
#define CPU_POLICY_MAX_MSRS 2u

must_check int cpu_policy_put(enum machine_cpuid_view view, guest_va leaves,
                              uint32_t *nr_leaves);
uint32_t cpu_policy_feature(enum machine_cpuid_view view, unsigned word);
