/* SPDX-License-Identifier: MIT */
/* What guests see of this machine's processors. */
#pragma once

#include "x86/insn.h"

struct cpuid_leaf cpu_guest_leaf(uint64_t xcr0, uint32_t leaf,
                                 uint32_t subleaf);
