/* SPDX-License-Identifier: MIT */
/* The last words: registers, stack and backtrace of a dead Mica or guest. */
#pragma once

#include "x86/regs.h"

struct vcpu;

/* An exception in Mica itself that nothing expected. */
_Noreturn void crash_own(const struct regs *r);

/* A non-maskable interrupt: reported, and dom0's to handle. */
void crash_nmi(const struct regs *r);

/* Registers, code, stack and the page walk of the address of `v`. */
void crash_show_guest(struct vcpu *v);
