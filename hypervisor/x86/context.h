/* SPDX-License-Identifier: MIT */
/*
 * Which guest context a pCPU has loaded: the switch between vCPUs, between a
 * vCPU's kernel and its applications, and frames bounced to a guest kernel.
 *
 * While a vCPU is loaded, its general registers are in guest_regs(), and its
 * segment registers, FS and GS bases and FPU state in the processor: the GS
 * base is the kernel's or the application's, whichever runs, and
 * MSR_KERNEL_GS_BASE holds the other.
 */
#pragma once

#include "x86/regs.h"
#include "x86/vcpu.h"

/* Moves from the guest's kernel to its applications, or back. */
void context_toggle_mode(struct vcpu *v);

/* Loads what the tables of `v`, which is loaded here, are now. */
void context_load_root(struct vcpu *v);

/* Lets go of the loaded vCPU, if any, and loads `next`, unless NULL. */
void context_switch(struct vcpu *next);

/*
 * Pushes a frame for the context in guest_regs() on the guest kernel's stack,
 * with *error_code unless NULL, and makes that context the kernel's at `to`. A
 * stack that can't be written crashes the domain.
 */
void bounce_to_kernel(struct vcpu *v, const struct callback *to,
                      const uint32_t *error_code);

/* Hands `vector` to the guest when it next runs, as if it had faulted now. */
void trap_inject(struct vcpu *v, unsigned vector, uint32_t error_code);
void trap_inject_page_fault(struct vcpu *v, uint64_t address,
                            uint32_t error_code);

/* Delivers what is due to the loaded vCPU before it goes on. */
void deliver_pending(struct vcpu *v);

struct trap_info;

/* Installs one entry of the trap table, whose address was checked. */
void trap_table_set(struct vcpu *v, const struct trap_info *t);
