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

#include "x86/cpu.h"
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
 * with `count` words more, and makes that context the kernel's at `to`. A
 * stack that can't be written crashes the domain.
 */
void bounce_to_kernel(struct vcpu *v, const struct callback *to,
                      const uint64_t *extra, unsigned count);

/* Hands `vector` to the guest when it next runs, as if it had faulted now. */
void trap_inject(struct vcpu *v, unsigned vector, uint32_t error_code);
void trap_inject_page_fault(struct vcpu *v, uint64_t address,
                            uint32_t error_code);

/* Delivers what is due to the loaded vCPU before it goes on. */
void deliver_pending(struct vcpu *v);

struct trap_info;

/* Installs one entry of the trap table, whose address was checked. */
void trap_table_set(struct vcpu *v, const struct trap_info *t);

/* --- descriptor tables (desc.c) ------------------------------------------ */

/*
 * Guests' descriptor tables. Their frames have the type FRAME_SEGDESC: every
 * descriptor in them was checked, and guests can't write to them directly.
 * They are mapped, read-only, in the gate of the pCPU that runs the vCPU.
 *
 * A vCPU holds one reference to each frame of its GDT, and to each page of its
 * LDT that could be a table when MMUEXT_SET_LDT named it. The processor misses
 * the others when it reads them: a page fault where the guest has the page.
 */

/* Brings the tables of `v` into this pCPU's gate, or takes all out of it. */
void desc_load(struct cpu *c, const struct vcpu *v);
void desc_unload(struct cpu *c);

/* Replaces a GDT, for a vCPU that is loaded here or nowhere. */
must_check int desc_set_gdt(struct vcpu *v, const uint64_t *frames,
                            unsigned entries);

/*
 * Where the guest has what the processor missed at `address`: another place if
 * that lies in this pCPU's view of the LDT of `v`.
 */
uint64_t desc_guest_address(const struct vcpu *v, uint64_t address);

/* --- floating point (fpu.c) ---------------------------------------------- */

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
#define FXSAVE_BYTES 512

void fpu_init_this_cpu(void);

void fpu_reset(struct vcpu *v);
void fpu_set_image(struct vcpu *v, const void *fxsave_image);

void fpu_save(struct vcpu *v);
void fpu_restore(struct vcpu *v);

must_check int fpu_set_xcr0(struct vcpu *v, uint32_t index, uint64_t value);
void fpu_set_task_switched(struct vcpu *v, bool is_set);

/* --- debug registers (debug_regs.c) -------------------------------------- */

/*
 * A guest's debug registers. v->arch->dr holds what the guest sees; the
 * processor's own are loaded only for a vCPU that has a breakpoint enabled,
 * and never with an address in Mica's range. Everything here runs on the pCPU
 * that has, or is about to have, the vCPU loaded.
 */
#define DR6_FIXED 0xffff0ff0ull
#define DR6_SINGLE_STEP (1ull << 14)
#define DR7_FIXED 0x400ull

void debug_regs_reset(struct vcpu *v);
void debug_regs_load(const struct vcpu *v);
void debug_regs_note_trap(struct vcpu *v);
