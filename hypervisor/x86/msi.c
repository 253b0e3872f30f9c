/* SPDX-License-Identifier: MIT */
/*
 * Pages with MSI-X tables are mapped once and remembered, since mappings of
 * devices are for good. PCI Local Bus Specification 3.0, section 6.8, has the
 * registers.
 */
#include "x86/msi.h"

#include "core/arch.h"
#include "core/frame.h"
#include "core/machine.h"

#include "x86/apic.h"
#include "x86/machine_early.h"
#include "x86/pci.h"

#define MSI_CONTROL 2
#define MSI_CONTROL_COUNT (7u << 4) /* log2 of the messages in use */
#define MSI_CONTROL_64BIT 0x0080u
#define MSI_CONTROL_MASKS 0x0100u
#define MSI_ADDRESS 4
#define MSI_ADDRESS_HIGH 8
#define MSI_DATA_32 8
#define MSI_DATA_64 12
#define MSI_MASK 4 /* behind the data */

#define MSIX_CONTROL 2
#define MSIX_CONTROL_LAST_ENTRY 0x07ffu
#define MSIX_TABLE 4
#define MSIX_TABLE_BAR 7u
#define MSIX_ENTRY_SIZE 16u
#define MSIX_ENTRY_MASKED 1u
#define MAX_TABLE_PAGES 256u

#define MESSAGE_ADDRESS 0xfee00000u

static struct {
    mfn_t frame;
    char *mapping; /* NULL: none yet */
} table_pages[MAX_TABLE_PAGES];

/*
 * Mica's own address of an entry at `address`; NULL where that is not plain
 * device memory, which is neither RAM nor Mica's, or there are too many pages,
 * or the entry would leave its page: tables begin at any multiple of 8.
 */
static volatile uint32_t *map_entry(uint64_t address)
{
    mfn_t frame = MFN(address >> PAGE_SHIFT);
    unsigned i = 0;

    if (address % 8 || address % PAGE_SIZE > PAGE_SIZE - MSIX_ENTRY_SIZE)
        return NULL;
    if (frame_lookup(frame) || arch_io_frame_is_forbidden(frame) ||
        arch_io_frame_is_read_only(frame))
        return NULL;
    while (i < MAX_TABLE_PAGES && table_pages[i].mapping &&
           !mfn_equal(table_pages[i].frame, frame))
        i++;
    if (i == MAX_TABLE_PAGES)
        return NULL;
    table_pages[i].frame = frame;
    if (!table_pages[i].mapping)
        table_pages[i].mapping = map_device(frame.n << PAGE_SHIFT, PAGE_SIZE);
    return (volatile uint32_t *)(table_pages[i].mapping + address % PAGE_SIZE);
}

/*
 * Finds the message that dom0 wants. -ENODEV: no such device or capability;
 * -ENXIO: an MSI-X table while the device's memory is off; -EINVAL.
 */
int msi_find(const struct physdev_map_pirq_args *wanted, struct msi *m)
{
    uint16_t device = (uint16_t)(wanted->bus << 8 | wanted->devfn);
    uint64_t entry = (uint64_t)wanted->entry_nr, table = wanted->table_base;
    uint8_t at = pci_find_capability(device, table ? PCI_CAPABILITY_MSIX
                                                   : PCI_CAPABILITY_MSI);
    uint32_t control;

    *m = (struct msi){.device = device, .capability = at};
    if (!at)
        return -ENODEV;
    if (!table) {
        control = pci_read(device, at + MSI_CONTROL, 2);
        m->data =
            at + (control & MSI_CONTROL_64BIT ? MSI_DATA_64 : MSI_DATA_32);
        m->mask = control & MSI_CONTROL_MASKS ? m->data + MSI_MASK : 0;
        return 0;
    }
    if (!(pci_read(device, PCI_COMMAND, 2) & PCI_COMMAND_MEMORY))
        return -ENXIO;
    if (entry >
        (pci_read(device, at + MSIX_CONTROL, 2) & MSIX_CONTROL_LAST_ENTRY))
        return -EINVAL;
    table += pci_read(device, at + MSIX_TABLE, 4) & ~MSIX_TABLE_BAR;
    m->entry = map_entry(table + entry * MSIX_ENTRY_SIZE);
    return m->entry ? 0 : -EINVAL;
}

/* Lets the message go or holds it back, as far as the device can. */
void msi_set_masked(const struct msi *m, bool is_masked)
{
    if (m->entry)
        m->entry[3] = is_masked ? MSIX_ENTRY_MASKED : 0;
    else if (m->mask) /* else dom0 keeps the capability off */
        pci_write(m->device, m->mask, 4, is_masked);
}

/* Has the message interrupt the boot processor; MSI-X masked. */
void msi_write(const struct msi *m, uint8_t vector)
{
    uint32_t address = MESSAGE_ADDRESS | (apic_id_of_cpu(0) & 0xff) << 12;
    unsigned at = m->capability;

    if (m->entry) {
        m->entry[3] = MSIX_ENTRY_MASKED;
        m->entry[0] = address;
        m->entry[1] = 0;
        m->entry[2] = vector;
        return;
    }
    pci_write(m->device, at + MSI_CONTROL, 2,
              pci_read(m->device, at + MSI_CONTROL, 2) & ~MSI_CONTROL_COUNT);
    pci_write(m->device, at + MSI_ADDRESS, 4, address);
    if (m->data == at + MSI_DATA_64)
        pci_write(m->device, at + MSI_ADDRESS_HIGH, 4, 0);
    pci_write(m->device, m->data, 2, vector);
}
