/* SPDX-License-Identifier: MIT */
/*
 * Instructions that a guest may execute but the processor refuses: decoded
 * from guest memory, checked, and carried out on the registers in which the
 * guest was interrupted. The bytes are fetched anew, so that they may differ
 * from those that faulted; what is found is what is carried out, and nothing
 * is carried out that the guest could not have asked for otherwise.
 *
 * All functions are called on the pCPU that has `v` loaded, with its live
 * segment bases and floating-point state, and hold no lock on return.
 */
#pragma once

#include "core/types.h"
#include "x86/insn_decode.h"
#include "x86/regs.h"

struct vcpu;

/*
 * Each says whether the guest goes on at r->rip: the instruction was carried
 * out; or it is to be executed again; or it raised another exception than the
 * one that led here, which v->arch->trap then holds. If not, nothing changed,
 * and the guest gets its exception.
 */
bool emulate_privileged(struct vcpu *v, struct regs *r);
bool emulate_forced_cpuid(struct vcpu *v, struct regs *r);
bool emulate_pte_write(struct vcpu *v, struct regs *r, uint64_t va);

/* What the files of the emulator share. */
must_check int emulate_fetch(const struct vcpu *v, const struct regs *r,
                             struct insn *out);
void emulate_advance(struct vcpu *v, struct regs *r, unsigned length);

/* --- machine registers (msr.c) ------------------------------------------- */

/*
 * RDMSR and WRMSR by guest kernels. Nothing a guest writes reaches an MSR of
 * the processor but the segment bases and TSC_AUX, which are its own.
 *
 * To be called for the vCPU that is loaded here, in kernel mode: then
 * MSR_FS_BASE is its FS base, MSR_GS_BASE the base its kernel runs with and
 * MSR_KERNEL_GS_BASE the one of its applications.
 */
/* The only memory type table there is: guests' page tables are built on it. */
#define PAT_VALUE 0x0000050100070406ull

must_check int msr_read(const struct vcpu *v, uint32_t msr, uint64_t *value);
must_check int msr_write(struct vcpu *v, uint32_t msr, uint64_t value);
