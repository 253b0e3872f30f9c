/* SPDX-License-Identifier: MIT */
/*
 * I/O ports of domains: which ones a domain may use, and PCI configuration
 * mechanism 1, which is emulated for dom0. A port that a domain may not use
 * reads as all ones and swallows what is written.
 *
 * A domain's bitmap (arch_domain.io_bitmap) has a bit set for each port that
 * is refused or emulated; the others are the domain's at native speed: the
 * bitmap lies right behind the TSS. Its two frames are mapped there; it changes
 * only while no vCPU of the domain is loaded (core/arch.h:
 * arch_domain_give_ports). Since a guest's kernel and its applications may
 * share a ring, what is native for the one must not be for the other:
 *
 * - whoever loads a vCPU calls ioport_load;
 * - whoever changes a loaded vCPU between kernel and application, or changes
 *   its IOPL, calls ioport_mode_changed. It moves tss->io_bitmap_offset to
 *   the bitmap or beyond the TSS's limit; then the processor refuses every
 *   port, and the #GP comes to emulate_privileged.
 *
 * Ports that a kernel lets single applications use (PHYSDEVOP_set_iobitmap)
 * are emulated: each access looks into the guest's own bitmap.
 */
#pragma once

#include "core/types.h"

struct domain;
struct vcpu;

void ioport_give_all(struct domain *d);

void ioport_load(const struct vcpu *v);
void ioport_mode_changed(const struct vcpu *v);
void ioport_leave_light(const struct vcpu *v);
bool ioport_may_access(const struct vcpu *v, uint16_t port, unsigned size);

uint32_t ioport_read(struct domain *d, uint16_t port, unsigned size);
void ioport_write(struct domain *d, uint16_t port, unsigned size,
                  uint32_t value);
