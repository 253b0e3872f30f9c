/* SPDX-License-Identifier: MIT */
/* The last words: registers, stack and backtrace of a dead Mica or guest. */
#pragma once

#include "x86/regs.h"

struct vcpu;

/* An exception in Mica itself that nothing expected. */
_Noreturn void crash_own(const struct regs *r);

/* Registers, stack and the page walk of the address of `v`. */
void crash_show_guest(struct vcpu *v);
