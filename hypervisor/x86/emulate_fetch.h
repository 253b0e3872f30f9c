/* SPDX-License-Identifier: MIT */
/* What the files of the emulator share. Locks and pCPU as in emulate.h. */
#pragma once

#include "x86/emulate.h"
#include "x86/insn_decode.h"

must_check int emulate_fetch(const struct vcpu *v, const struct regs *r,
                             struct insn *out);
void emulate_advance(struct vcpu *v, struct regs *r, unsigned length);
