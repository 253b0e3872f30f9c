/* SPDX-License-Identifier: MIT */
/*
 * Floating-point and vector state of vCPUs: saved and restored as a whole
 * when a pCPU changes vCPUs, never lazily. Works from FXSAVE alone up to
 * AVX-512; supervisor states, protection keys and AMX stay off.
 *
 * While a vCPU is loaded, the registers, XCR0 and CR0.TS are its own: XCR0 is
 * v->arch->xcr0 and CR0.TS is v->arch->cr0_ts. Mica itself uses no
 * floating point. Everything here runs on the pCPU that has the vCPU loaded,
 * or on a vCPU that is loaded nowhere.
 */
#pragma once

#include "core/types.h"

struct vcpu;

#define FXSAVE_BYTES 512

void fpu_init_this_cpu(void);

void fpu_reset(struct vcpu *v);
void fpu_set_image(struct vcpu *v, const void *fxsave_image);

void fpu_save(struct vcpu *v);
void fpu_restore(struct vcpu *v);

must_check int fpu_set_xcr0(struct vcpu *v, uint32_t index, uint64_t value);
void fpu_set_task_switched(struct vcpu *v, bool is_set);
