/* SPDX-License-Identifier: MIT */
/* Configuration space by ports, and the list of capabilities in it. */
#include "x86/pci.h"

#include "core/spinlock.h"

#include "x86/insn.h"

#define PORT_ADDRESS 0xcf8
#define PORT_DATA 0xcfc
#define ADDRESS_ENABLE 0x80000000u
#define MAX_CAPABILITIES 48u /* all that fit into 192 bytes */

static struct spinlock lock = SPINLOCK_INIT; /* the two ports */

static bool is_in_dword(unsigned offset, unsigned size)
{
    return (size == 1 || size == 2 || size == 4) && offset + size <= 4;
}

/* All ones, `size` bytes wide: what a read of nothing gives. */
static uint32_t nothing(unsigned size)
{
    return size >= 4 ? UINT32_MAX : (1u << (8 * size)) - 1;
}

/*
 * The value behind a guest's 0xcf8 setting at port 0xcfc + `offset`; all ones
 * for an access across the four ports' end.
 */
uint32_t pci_port_read(uint32_t cf8, unsigned offset, unsigned size)
{
    uint16_t port = (uint16_t)(PORT_DATA + offset);
    uint32_t value;

    if (!is_in_dword(offset, size) || !(cf8 & ADDRESS_ENABLE))
        return nothing(size);
    spin_lock(&lock);
    outl(PORT_ADDRESS, cf8);
    value = port_read(port, size);
    spin_unlock(&lock);
    return value;
}

/* The store that goes with pci_port_read. */
void pci_port_write(uint32_t cf8, unsigned offset, unsigned size,
                    uint32_t value)
{
    uint16_t port = (uint16_t)(PORT_DATA + offset);

    if (!is_in_dword(offset, size) || !(cf8 & ADDRESS_ENABLE))
        return;
    spin_lock(&lock);
    outl(PORT_ADDRESS, cf8);
    port_write(port, size, value);
    spin_unlock(&lock);
}

static uint32_t make_address(struct pci_address a, unsigned reg)
{
    return ADDRESS_ENABLE | (uint32_t)a.bus << 16 | (uint32_t)a.devfn << 8 |
           (reg & 0xfc);
}

/*
 * `size` bytes (1, 2 or 4) of a function's register `reg`, aligned; all ones
 * where there is no function, another segment or a register above 255.
 */
uint32_t pci_read(struct pci_address a, unsigned reg, unsigned size)
{
    if (a.segment || reg > 0xff)
        return nothing(size);
    return pci_port_read(make_address(a, reg), reg & 3, size);
}

/* The store that goes with pci_read. */
void pci_write(struct pci_address a, unsigned reg, unsigned size,
               uint32_t value)
{
    if (!a.segment && reg <= 0xff)
        pci_port_write(make_address(a, reg), reg & 3, size, value);
}

/* Whether there is such a function. */
bool pci_exists(struct pci_address a)
{
    return pci_read(a, PCI_VENDOR, 2) != 0xffff;
}

/* The register where the capability with this id starts, or 0. */
unsigned pci_find_capability(struct pci_address a, uint8_t id)
{
    unsigned at;

    if (!(pci_read(a, PCI_STATUS, 2) & PCI_STATUS_CAPABILITIES))
        return 0;
    at = pci_read(a, PCI_CAPABILITIES, 1) & 0xfc;
    for (unsigned i = 0; i < MAX_CAPABILITIES && at >= 0x40; i++) {
        uint32_t head = pci_read(a, at, 2);

        if ((head & 0xff) == id)
            return at;
        at = head >> 8 & 0xfc;
    }
    return 0;
}
