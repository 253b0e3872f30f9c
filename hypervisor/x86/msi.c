/* SPDX-License-Identifier: MIT */
/*
 * The records are per pirq. MSI-X tables are mapped once and remembered by
 * address, since mappings of devices are for good. PCI Local Bus
 * Specification 3.0, section 6.8, has the registers.
 */
#include "x86/msi.h"

#include "core/arch.h"
#include "core/frame.h"
#include "core/heap.h"
#include "core/log.h"
#include "core/machine.h"
#include "core/spinlock.h"

#include "x86/apic.h"
#include "x86/irq.h"
#include "x86/machine_early.h"
#include "x86/pci.h"

#define MSI_CONTROL 2
#define MSI_CONTROL_COUNT_SHIFT 1
#define MSI_CONTROL_ENABLED_SHIFT 4
#define MSI_CONTROL_64BIT 0x0080u
#define MSI_CONTROL_MASKS 0x0100u
#define MSI_ADDRESS 4
#define MSI_ADDRESS_HIGH 8
#define MSI_DATA_32 8
#define MSI_DATA_64 12
#define MSI_MASK_32 12
#define MSI_MASK_64 16

#define MSIX_CONTROL 2
#define MSIX_CONTROL_LAST_ENTRY 0x07ffu
#define MSIX_TABLE 4
#define MSIX_TABLE_BAR 7u
#define MSIX_ENTRY_SIZE 16u
#define MSIX_ENTRY_MASKED 1u
#define MAX_TABLES 128u

#define BAR_IS_PORT 1u
#define BAR_TYPE 6u
#define BAR_TYPE_64BIT 4u
#define BAR_COUNT 6u

#define MESSAGE_ADDRESS 0xfee00000u
#define MAX_MESSAGES 32u

struct msi {
    struct pci_address device;
    unsigned capability;      /* register */
    unsigned index;           /* message or table entry */
    unsigned count;           /* messages of the device; 0: no record */
    volatile uint32_t *entry; /* MSI-X: address, address, data, control */
    bool is_masked;
};

struct msix_table {
    uint64_t address;
    unsigned size;
    volatile uint8_t *mapping; /* NULL until an entry is used */
    struct pci_address device;
    bool is_used; /* the device is there */
};

static struct spinlock lock = SPINLOCK_INIT; /* all below */
static struct msi *msis;                     /* IRQ_MAX_PIRQS of them */
static struct msix_table tables[MAX_TABLES];
static unsigned table_count;

/* Prepares the records; needs the heap. */
void msi_init(void)
{
    msis = heap_zalloc(IRQ_MAX_PIRQS * sizeof(*msis));
    if (!msis)
        panic("No memory for the table of messages");
}

static bool is_same_device(struct pci_address a, struct pci_address b)
{
    return a.segment == b.segment && a.bus == b.bus && a.devfn == b.devfn;
}

/* The memory address in BAR `n`, or 0. */
static uint64_t read_bar(struct pci_address a, unsigned n)
{
    uint32_t low;
    uint64_t high = 0;

    if (n >= BAR_COUNT)
        return 0;
    low = pci_read(a, PCI_BAR0 + 4 * n, 4);
    if (low == UINT32_MAX || low & BAR_IS_PORT)
        return 0;
    if ((low & BAR_TYPE) == BAR_TYPE_64BIT && n + 1 < BAR_COUNT)
        high = pci_read(a, PCI_BAR0 + 4 * n + 4, 4);
    return high << 32 | (low & ~0xfu);
}

/* Device memory that is nobody's own: neither RAM nor Mica's devices. */
static bool is_plain_device_memory(uint64_t address, unsigned size)
{
    uint64_t end;

    if (!address || add_overflows(address, size, &end) || end >> 52)
        return false;
    for (uint64_t n = address >> PAGE_SHIFT; n <= (end - 1) >> PAGE_SHIFT; n++)
        if (frame_lookup(MFN(n)) || arch_io_frame_is_forbidden(MFN(n)))
            return false;
    return true;
}

/* The record of a table at `address`, new or known; NULL: no room, or bad. */
static struct msix_table *note_table(struct pci_address a, uint64_t address,
                                     unsigned size)
{
    struct msix_table *t = tables;

    while (t < tables + table_count &&
           !(t->address == address && t->size >= size))
        t++;
    if (t == tables + MAX_TABLES)
        return NULL;
    if (t == tables + table_count) {
        if (!is_plain_device_memory(address, size))
            return NULL;
        t->address = address;
        t->size = size;
        __atomic_store_n(&table_count, table_count + 1, __ATOMIC_RELEASE);
    }
    t->device = a;
    t->is_used = true;
    return t;
}

/*
 * The table of a device whose MSI-X capability is at `at`. `base` is the
 * address of the BAR where the device cannot tell (a virtual function), or 0.
 */
static struct msix_table *find_table(struct pci_address a, unsigned at,
                                     uint64_t base)
{
    uint32_t where = pci_read(a, at + MSIX_TABLE, 4);
    unsigned entries =
        (pci_read(a, at + MSIX_CONTROL, 2) & MSIX_CONTROL_LAST_ENTRY) + 1;
    uint64_t bar = read_bar(a, where & MSIX_TABLE_BAR);
    uint64_t address;

    if (!bar)
        bar = base;
    if (!bar || add_overflows(bar, where & ~MSIX_TABLE_BAR, &address))
        return NULL;
    return note_table(a, address, entries * MSIX_ENTRY_SIZE);
}

static void write_mask(struct msi *m)
{
    uint32_t control, mask;
    unsigned reg;

    if (m->entry) {
        m->entry[3] = m->is_masked ? MSIX_ENTRY_MASKED : 0;
        return;
    }
    control = pci_read(m->device, m->capability + MSI_CONTROL, 2);
    if (!(control & MSI_CONTROL_MASKS))
        return; /* dom0 keeps the capability off until it is ready */
    reg = m->capability +
          (control & MSI_CONTROL_64BIT ? MSI_MASK_64 : MSI_MASK_32);
    mask = pci_read(m->device, reg, 4) & ~(1u << m->index);
    pci_write(m->device, reg, 4, mask | (uint32_t)m->is_masked << m->index);
}

/* Address and data of the device's first message, and how many it has. */
static void write_plain(const struct msi *m, uint32_t address, unsigned vector)
{
    unsigned at = m->capability;
    uint32_t control = pci_read(m->device, at + MSI_CONTROL, 2);
    bool is_64bit = control & MSI_CONTROL_64BIT;
    unsigned count_log2 = (unsigned)__builtin_ctz(m->count);

    control &= ~(7u << MSI_CONTROL_ENABLED_SHIFT);
    control |= count_log2 << MSI_CONTROL_ENABLED_SHIFT;
    pci_write(m->device, at + MSI_CONTROL, 2, control);
    pci_write(m->device, at + MSI_ADDRESS, 4, address);
    if (is_64bit)
        pci_write(m->device, at + MSI_ADDRESS_HIGH, 4, 0);
    pci_write(m->device, at + (is_64bit ? MSI_DATA_64 : MSI_DATA_32), 2,
              vector);
}

static void write_x(const struct msi *m, uint32_t address, unsigned vector)
{
    m->entry[3] = MSIX_ENTRY_MASKED;
    m->entry[0] = address;
    m->entry[1] = 0;
    m->entry[2] = vector;
}

/* Programs the device for the message, as far as that is this one's to do. */
static void program(struct msi *m)
{
    uint32_t address = MESSAGE_ADDRESS | (apic_id_of_cpu(0) & 0xff) << 12;
    unsigned vector = irq_pirq_vector((unsigned)(m - msis));

    if (m->entry)
        write_x(m, address, vector);
    else if (m->index == 0)
        write_plain(m, address, vector);
    write_mask(m);
}

/* The record of the device's next message after `m`, or first one; or NULL. */
static struct msi *next_of(struct pci_address a, struct msi *m)
{
    for (m = m ? m + 1 : msis; m < msis + IRQ_MAX_PIRQS; m++)
        if (m->count && is_same_device(m->device, a))
            return m;
    return NULL;
}

/* Takes pirqs for messages that are like `first`, with ascending indices. */
static int add_messages(struct msi first, unsigned *first_pirq)
{
    int error;

    for (struct msi *m = NULL; (m = next_of(first.device, m));)
        if (first.entry ? m->entry && m->index == first.index : !m->entry)
            return -EEXIST;
    error = irq_pirq_alloc_msi(first.count, first_pirq);
    if (error)
        return error;
    first.is_masked = true;
    for (unsigned i = 0; i < first.count; i++, first.index++) {
        msis[*first_pirq + i] = first;
        program(&msis[*first_pirq + i]);
    }
    return 0;
}

/* A power of two of plain messages, no more than the device has. */
static int map_plain(struct msi m, const struct machine_msi *wanted,
                     unsigned *pirq)
{
    uint32_t control = pci_read(m.device, m.capability + MSI_CONTROL, 2);

    m.count = wanted->count;
    if (!m.count || m.count > MAX_MESSAGES || m.count & (m.count - 1) ||
        m.count > 1u << (control >> MSI_CONTROL_COUNT_SHIFT & 7))
        return -EINVAL;
    return add_messages(m, pirq);
}

/* One entry of the table; needs the device's memory to be on. */
static int map_x(struct msi m, const struct machine_msi *wanted, unsigned *pirq)
{
    struct msix_table *t =
        find_table(m.device, m.capability, wanted->table_base);

    if (!t || wanted->entry >= t->size / MSIX_ENTRY_SIZE)
        return -EINVAL;
    if (!(pci_read(m.device, PCI_COMMAND, 2) & PCI_COMMAND_MEMORY))
        return -ENXIO;
    if (!t->mapping)
        t->mapping = map_device(t->address, t->size);
    m.count = 1;
    m.index = wanted->entry;
    m.entry =
        (volatile uint32_t *)(t->mapping + wanted->entry * MSIX_ENTRY_SIZE);
    return add_messages(m, pirq);
}

/*
 * Beyond what machine.h says: -EEXIST for messages that the device has
 * already, -ENXIO for an MSI-X table while the device's memory is off.
 */
int machine_msi_map(const struct machine_msi *msi, unsigned *pirq)
{
    struct msi m = {.device = {msi->segment, msi->bus, msi->devfn}};
    int error;

    m.capability = pci_find_capability(
        m.device, msi->is_msix ? PCI_CAPABILITY_MSIX : PCI_CAPABILITY_MSI);
    if (!m.capability)
        return -ENODEV;
    spin_lock(&lock);
    error = msi->is_msix ? map_x(m, msi, pirq) : map_plain(m, msi, pirq);
    spin_unlock(&lock);
    return error;
}

static void release(struct msi *m)
{
    m->is_masked = true;
    if (pci_exists(m->device))
        write_mask(m);
    m->count = 0;
    irq_pirq_free_msi((unsigned)(m - msis));
}

void machine_msi_unmap(unsigned pirq)
{
    bool is_known = false;

    spin_lock(&lock);
    if (pirq < IRQ_MAX_PIRQS && msis[pirq].count) {
        release(&msis[pirq]);
        is_known = true;
    }
    spin_unlock(&lock);
    if (!is_known)
        log_warning("pirq %u is to be unmapped, but is no message", pirq);
}

/* A device is there: protects its MSI-X table before a driver maps it. */
static void add_device(struct pci_address a)
{
    unsigned at = pci_find_capability(a, PCI_CAPABILITY_MSIX);

    if (at)
        find_table(a, at, 0);
}

/* A device goes away: its pirqs are free, its table is plain memory. */
static void remove_device(struct pci_address a)
{
    for (struct msi *m = NULL; (m = next_of(a, m));)
        release(m);
    for (unsigned i = 0; i < table_count; i++)
        if (is_same_device(tables[i].device, a))
            tables[i].is_used = false;
}

int machine_pci_device(uint16_t segment, uint8_t bus, uint8_t devfn,
                       bool is_present)
{
    struct pci_address a = {segment, bus, devfn};

    if (is_present && !pci_exists(a))
        return -ENODEV;
    spin_lock(&lock);
    if (is_present)
        add_device(a);
    else
        remove_device(a);
    spin_unlock(&lock);
    return 0;
}

int machine_msi_restore(uint16_t segment, uint8_t bus, uint8_t devfn)
{
    struct pci_address a = {segment, bus, devfn};

    if (!pci_exists(a))
        return -ENODEV;
    spin_lock(&lock);
    for (struct msi *m = NULL; (m = next_of(a, m));)
        program(m);
    spin_unlock(&lock);
    return 0;
}

/* Holds a pirq's message back or lets it go, as far as the device can. */
void msi_set_masked(unsigned pirq, bool is_masked)
{
    spin_lock(&lock);
    if (msis[pirq].count) {
        msis[pirq].is_masked = is_masked;
        write_mask(&msis[pirq]);
    }
    spin_unlock(&lock);
}

/* Whether the frame holds an MSI-X table, which dom0 may only read. */
bool msi_frame_is_table(mfn_t mfn)
{
    for (unsigned i = 0; i < __atomic_load_n(&table_count, __ATOMIC_ACQUIRE);
         i++) {
        const struct msix_table *t = &tables[i];

        if (t->is_used && mfn.n >= t->address >> PAGE_SHIFT &&
            mfn.n <= (t->address + t->size - 1) >> PAGE_SHIFT)
            return true;
    }
    return false;
}
