/* SPDX-License-Identifier: MIT */
/*
 * PCI configuration space by mechanism 1 (ports 0xcf8 and 0xcfc), segment 0.
 * One lock guards the pair of ports. A function's number is its bus << 8 |
 * device << 3 | function.
 */
#pragma once

#include "core/types.h"

#define PCI_COMMAND 0x04
#define PCI_COMMAND_MEMORY 0x0002u
#define PCI_STATUS 0x06
#define PCI_STATUS_CAPABILITIES 0x0010u
#define PCI_CAPABILITIES 0x34
#define PCI_CAPABILITY_MSI 0x05
#define PCI_CAPABILITY_MSIX 0x11

uint32_t pci_read(uint16_t device, unsigned reg, unsigned size);
void pci_write(uint16_t device, unsigned reg, unsigned size, uint32_t value);
uint8_t pci_find_capability(uint16_t device, uint8_t id);

/*
 * The ports as a guest drives them: its last dword at 0xcf8, then an access of
 * `size` bytes at 0xcfc + `offset`.
 */
uint32_t pci_port_read(uint32_t cf8, unsigned offset, unsigned size);
void pci_port_write(uint32_t cf8, unsigned offset, unsigned size,
                    uint32_t value);
