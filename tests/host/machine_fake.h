/* SPDX-License-Identifier: MIT */
/*
 * What core/machine.h tells of processors and keys, for tests: a small
 * processor, and a record of the keys that were pressed. Other functions of
 * machine.h are each test's own.
 */
#pragma once

#include "core/machine.h"

/*
 * What CPUID of the fake processor says. Guests see the same, less the bits
 * that FAKE_CPUID_HIDDEN names of leaf 1 edx and leaf 7 ebx.
 */
#define FAKE_CPUID_1D 0x178bfbffu
#define FAKE_CPUID_7B 0x219cu
#define FAKE_CPUID_HIDDEN 0x88u

#define FAKE_KEYS 16u

extern char fake_keys[FAKE_KEYS + 1];
