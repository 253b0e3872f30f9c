/* SPDX-License-Identifier: MIT */
/* Configuration space by ports, and the list of capabilities in it. */
#include "x86/pci.h"

#include "core/spinlock.h"

#include "x86/insn.h"

#define PORT_ADDRESS 0xcf8
#define PORT_DATA 0xcfc
#define ADDRESS_ENABLE 0x80000000u
#define MAX_CAPABILITIES 48u /* all that fit into 192 bytes */

static struct spinlock lock; /* the two ports */

/*
 * The value behind a guest's 0xcf8 setting at port 0xcfc + `offset`, `size`
 * bytes (1, 2 or 4); all ones for an access across the four ports' end.
 */
uint32_t pci_port_read(uint32_t cf8, unsigned offset, unsigned size)
{
    uint32_t value = UINT32_MAX >> (32 - 8 * size);

    if (cf8 & ADDRESS_ENABLE && offset + size <= 4) {
        spin_lock(&lock);
        outl(PORT_ADDRESS, cf8);
        value = port_read((uint16_t)(PORT_DATA + offset), size);
        spin_unlock(&lock);
    }
    return value;
}

/* The store that goes with pci_port_read. */
void pci_port_write(uint32_t cf8, unsigned offset, unsigned size,
                    uint32_t value)
{
    if (cf8 & ADDRESS_ENABLE && offset + size <= 4) {
        spin_lock(&lock);
        outl(PORT_ADDRESS, cf8);
        port_write((uint16_t)(PORT_DATA + offset), size, value);
        spin_unlock(&lock);
    }
}

/* What to write to 0xcf8 for a register; nothing enabled beyond the last. */
static uint32_t make_address(uint16_t device, unsigned reg)
{
    return reg > 0xff ? 0
                      : ADDRESS_ENABLE | (uint32_t)device << 8 | (reg & 0xfc);
}

/*
 * `size` bytes (1, 2 or 4) of a function's register `reg`, aligned; all ones
 * where there is no function or a register above 255.
 */
uint32_t pci_read(uint16_t device, unsigned reg, unsigned size)
{
    return pci_port_read(make_address(device, reg), reg & 3, size);
}

/* The store that goes with pci_read. */
void pci_write(uint16_t device, unsigned reg, unsigned size, uint32_t value)
{
    pci_port_write(make_address(device, reg), reg & 3, size, value);
}

/* The register where the capability with this id starts, or 0. */
uint8_t pci_find_capability(uint16_t device, uint8_t id)
{
    uint8_t at = PCI_CAPABILITIES - 1; /* as if it were a capability's */

    if (!(pci_read(device, PCI_STATUS, 2) & PCI_STATUS_CAPABILITIES))
        return 0;
    for (unsigned i = 0; i < MAX_CAPABILITIES; i++) {
        at = pci_read(device, at + 1u, 1) & 0xfc;
        if (at < 0x40)
            return 0;
        if (pci_read(device, at, 1) == id)
            return at;
    }
    return 0;
}
