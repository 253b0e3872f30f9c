/* SPDX-License-Identifier: MIT */
/* What guests see of this machine's processors. */
#pragma once

#include "x86/cpuid_policy.h"

/* The view of a vCPU that has enabled the features `xcr0`. */
struct cpuid_view cpu_policy_view(uint64_t xcr0);
