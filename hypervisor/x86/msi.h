/* SPDX-License-Identifier: MIT */
/*
 * Messages as interrupts (MSI and MSI-X) of dom0's devices. Mica alone writes
 * addresses, data and mask bits; dom0 switches the capability on and off in
 * configuration space. A lock guards the records and the devices' registers.
 */
#pragma once

#include "x86/pci.h"

void msi_init(void);
void msi_device_add(struct pci_address a);
void msi_device_remove(struct pci_address a);
must_check int msi_map(struct pci_address a, unsigned count,
                       unsigned *first_pirq);
must_check int msi_map_x(struct pci_address a, unsigned entry,
                         uint64_t table_base, unsigned *pirq);
must_check int msi_unmap(unsigned pirq);
void msi_restore(struct pci_address a);
void msi_set_masked(unsigned pirq, bool is_masked);
bool msi_frame_is_table(mfn_t mfn);
