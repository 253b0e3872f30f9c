/* SPDX-License-Identifier: MIT */
/*
 * The numbers of the hypercalls, HC_<name>, and the hypercall page that
 * lends a guest the instructions to make them.
 */
#pragma once

#include "hypercall_abi/abi.h"

enum hypercall_nr {
#define HYPERCALL(nr, name, args) HC_##name = (nr),
#include "hypercall_abi/hypercalls.def"
#undef HYPERCALL
    HC_COUNT = 64 /* every number is below */
};

/*
 * The hypercall page: stub n, 32 bytes long, at n * 32. It is filled for a
 * kernel that names one in an ELF note, or that writes the page's machine
 * address to the MSR that CPUID reports (cpuid.h).
 */
#define HYPERCALL_PAGE_STRIDE 32
#define HYPERCALL_PAGE_STUBS 128
