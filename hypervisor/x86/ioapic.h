/* SPDX-License-Identifier: MIT */
/*
 * The IO-APICs: one line per global system interrupt (GSI). A lock in each
 * controller guards its registers and Mica's copy of them; it is held for a
 * few register accesses only.
 */
#pragma once

#include "core/types.h"

#define IOAPIC_MAX_GSIS 512u

enum ioapic_trigger {
    IOAPIC_EDGE,
    IOAPIC_LEVEL,
};

enum ioapic_polarity {
    IOAPIC_ACTIVE_HIGH,
    IOAPIC_ACTIVE_LOW,
};

void ioapic_init(void);
unsigned ioapic_gsi_count(void);
bool ioapic_has_gsi(unsigned gsi);
must_check int ioapic_route(unsigned gsi, unsigned vector, uint32_t apic_id,
                            enum ioapic_trigger trigger,
                            enum ioapic_polarity polarity);
void ioapic_mask(unsigned gsi);
void ioapic_unmask(unsigned gsi);
bool ioapic_owns_frame(mfn_t mfn);
must_check int ioapic_guest_read(uint64_t address, uint32_t reg,
                                 uint32_t *value);
