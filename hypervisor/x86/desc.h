/* SPDX-License-Identifier: MIT */
/*
 * Guests' descriptor tables. Their frames have the type FRAME_SEGDESC: every
 * descriptor in them was checked, and guests can't write to them directly.
 * They are mapped, read-only, in the gate of the pCPU that runs the vCPU: the
 * GDT as a whole, the LDT page by page as the processor first reads it.
 *
 * A vCPU holds one reference to each frame of its GDT and to each page of its
 * LDT that was mapped since the last MMUEXT_SET_LDT.
 */
#pragma once

#include "core/types.h"

struct cpu;
struct domain;
struct vcpu;

/* Brings the tables of `v` into this pCPU's gate, or takes all out of it. */
void desc_load(struct cpu *c, struct vcpu *v);
void desc_unload(struct cpu *c);

/* Replaces a GDT, for a vCPU that is loaded here or nowhere. */
must_check int desc_set_gdt(struct vcpu *v, const uint64_t *frames,
                            unsigned entries);
void desc_release(struct vcpu *v);

/*
 * A fault at `address` while the processor read a descriptor: maps the LDT
 * page if that is what was missing. Whether to try again.
 */
bool desc_fault(struct vcpu *v, uint64_t address);

/* Whether `address` lies in this pCPU's view of a guest's tables. */
bool desc_is_guest_table(uint64_t address);
