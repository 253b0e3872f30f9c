/* SPDX-License-Identifier: MIT */
/*
 * The IO-APICs: one line per global system interrupt (GSI). A lock in each
 * controller guards its registers and Mica's copy of them; it is held for a
 * few register accesses only.
 */
#pragma once

#include "core/types.h"

#define IOAPIC_MAX_GSIS 512u

void ioapic_init(void);
bool ioapic_has_gsi(unsigned gsi);
must_check int ioapic_route(unsigned gsi, unsigned vector, bool is_level,
                            bool is_active_low);
void ioapic_set_masked(unsigned gsi, bool is_masked);
bool ioapic_owns_frame(mfn_t mfn);
