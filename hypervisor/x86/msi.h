/* SPDX-License-Identifier: MIT */
/*
 * Messages as interrupts (MSI and MSI-X) of dom0's devices. Mica alone writes
 * addresses, data and mask bits; dom0 switches the capability on and off in
 * configuration space. A lock guards the records and the devices' registers.
 */
#pragma once

#include "core/types.h"

void msi_init(void);
void msi_set_masked(unsigned pirq, bool is_masked);
bool msi_frame_is_table(mfn_t mfn);
