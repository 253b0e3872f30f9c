/* SPDX-License-Identifier: MIT */
/*
 * Guests' descriptor tables. Their frames have the type FRAME_SEGDESC: every
 * descriptor in them was checked, and guests can't write to them directly.
 * They are mapped, read-only, in the gate of the pCPU that runs the vCPU.
 *
 * A vCPU holds one reference to each frame of its GDT, and to each page of its
 * LDT that could be a table when MMUEXT_SET_LDT named it. The processor misses
 * the others when it reads them: a page fault where the guest has the page.
 */
#pragma once

#include "core/types.h"

struct cpu;
struct vcpu;

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
