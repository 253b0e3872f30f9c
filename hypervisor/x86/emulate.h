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

bool emulate_is_soft_interrupt(const struct vcpu *v, const struct regs *r,
                               uint8_t *vector);

/* What the files of the emulator share. */
must_check int emulate_fetch(const struct vcpu *v, const struct regs *r,
                             struct insn *out);
void emulate_advance(struct vcpu *v, struct regs *r, unsigned length);
