/* SPDX-License-Identifier: MIT */
/*
 * RDMSR and WRMSR by guest kernels. Nothing a guest writes reaches an MSR of
 * the processor but the segment bases and TSC_AUX, which are its own.
 *
 * To be called for the vCPU that is loaded here, in kernel mode: then
 * MSR_FS_BASE is its FS base, MSR_GS_BASE the base its kernel runs with and
 * MSR_KERNEL_GS_BASE the one of its applications.
 */
#pragma once

#include "core/types.h"

struct vcpu;

/* The only memory type table there is: guests' page tables are built on it. */
#define PAT_VALUE 0x0000050100070406ull

must_check int msr_read(const struct vcpu *v, uint32_t msr, uint64_t *value);
must_check int msr_write(struct vcpu *v, uint32_t msr, uint64_t value);
