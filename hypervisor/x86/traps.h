/* SPDX-License-Identifier: MIT */
/*
 * What the entry code calls, and the way out. Each `handle_` gets the
 * registers of what was interrupted; guests' are those in guest_regs().
 */
#pragma once

#include "x86/regs.h"

void handle_syscall(struct regs *r);
void handle_guest_trap(struct regs *r);
void handle_own_trap(struct regs *r);
void handle_ist_trap(struct regs *r);

/*
 * Runs what is due and finds a guest context to go on with, in *r. Where to
 * leave for it: 0 or exit_sysret for the full side, else the gate's code for
 * the light one.
 */
uint64_t prepare_exit(struct regs *r);

/* Leaves for the guest, dropping this stack; entry.S. */
_Noreturn void exit_restart(struct regs *r);

/* Ends Mica: an exception of its own, at `r`, that nothing expected; crash.c. */
_Noreturn void crash_own(const struct regs *r);

/* Gives this pCPU to the scheduler for good. */
_Noreturn void idle_loop(void);
