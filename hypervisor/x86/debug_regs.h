/* SPDX-License-Identifier: MIT */
/*
 * A guest's debug registers. v->arch->dr holds what the guest sees; the
 * processor's own are loaded only for a vCPU that has a breakpoint enabled,
 * and never with an address in Mica's range. Everything here runs on the pCPU
 * that has, or is about to have, the vCPU loaded.
 */
#pragma once

#include "core/types.h"

struct vcpu;

#define DR6_FIXED 0xffff0ff0ull
#define DR6_SINGLE_STEP (1ull << 14)
#define DR7_FIXED 0x400ull

void debug_regs_reset(struct vcpu *v);
void debug_regs_load(const struct vcpu *v);
void debug_regs_note_trap(struct vcpu *v);
