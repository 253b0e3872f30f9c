/* SPDX-License-Identifier: MIT */
/*
 * What tools and guests are told of the processor: lists of CPUID leaves, and
 * feature words cut out of them, as domctl and sysctl hand them out. A domain
 * for which the tools have set no policy sees what every guest may see; a
 * policy shows it less than that, or names another model, but shows no more.
 *
 * No machine registers are part of a policy: their number is always 0.
 */
#pragma once

#include "core/machine.h"
#include "core/types.h"
#include "hypercall_abi/domctl.h"
#include "hypercall_abi/sysctl.h"

struct cpu_policy;
struct domain;

/* Room enough for the leaves of any policy, and the most that one can have. */
#define CPU_POLICY_MAX_LEAVES 128u

/* Room that the tools need for registers of their own making. */
#define CPU_POLICY_MAX_MSRS 2u

must_check int cpu_policy_put(enum machine_cpuid_view view, guest_va leaves,
                              uint32_t *nr_leaves);
must_check int cpu_policy_put_own(const struct domain *d, guest_va leaves,
                                  uint32_t *nr_leaves);
must_check int cpu_policy_set(struct domain *d, guest_va leaves,
                              uint32_t nr_leaves, struct xen_cpuid_leaf *bad);
void cpu_policy_destroy(struct domain *d);
struct machine_cpuid cpu_policy_read(const struct domain *d, uint64_t xcr0,
                                     uint32_t leaf, uint32_t subleaf);
uint32_t cpu_policy_feature(enum machine_cpuid_view view, unsigned word);
