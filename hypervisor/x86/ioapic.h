/* SPDX-License-Identifier: MIT */
/*
 * The IO-APICs: one line per global system interrupt (GSI), each to a vector of
 * the boot processor. A lock guards the registers of all of them; it is held
 * for a few register accesses only.
 */
#pragma once

#include "core/types.h"

#define IOAPIC_MAX_GSIS 512u

/* How a line is wired, and whether it is held back: beside its vector. */
#define IOAPIC_ACTIVE_LOW (1u << 13)
#define IOAPIC_LEVEL (1u << 15)
#define IOAPIC_MASKED (1u << 16)

void ioapic_init(void);
bool ioapic_has_gsi(unsigned gsi);
void ioapic_set_line(unsigned gsi, uint32_t line);
bool ioapic_owns_frame(mfn_t mfn);
