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
#include "core/spinlock.h"

#include "x86/apic.h"
#include "x86/irq.h"
#include "x86/machine_early.h"

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

enum msi_kind {
    MSI_FREE,
    MSI_PLAIN,
    MSI_X,
};

struct msi {
    enum msi_kind kind;
    struct pci_address device;
    unsigned capability; /* register */
    unsigned index;      /* message or table entry */
    unsigned count;      /* messages of the device; plain only */
    bool is_masked;
    volatile uint32_t *entry; /* MSI-X: address, address, data, control */
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

static uint32_t message_address(void)
{
    return MESSAGE_ADDRESS | (apic_id_of_cpu(0) & 0xff) << 12;
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
    struct msix_table *t = NULL;

    for (unsigned i = 0; i < table_count; i++)
        if (tables[i].address == address && tables[i].size >= size)
            t = &tables[i];
    if (!t) {
        if (table_count == MAX_TABLES || !is_plain_device_memory(address, size))
            return NULL;
        t = &tables[table_count++];
        t->address = address;
        t->size = size;
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

/*
 * dom0 has found a device: protects its MSI-X table from now on, before a
 * driver maps it.
 */
void msi_device_add(struct pci_address a)
{
    unsigned at = pci_find_capability(a, PCI_CAPABILITY_MSIX);

    if (!at)
        return;
    spin_lock(&lock);
    find_table(a, at, 0);
    spin_unlock(&lock);
}

static void write_mask(struct msi *m)
{
    uint32_t control, mask;
    unsigned reg;

    if (m->kind == MSI_X) {
        m->entry[3] = m->is_masked ? MSIX_ENTRY_MASKED : 0;
        return;
    }
    control = pci_read(m->device, m->capability + MSI_CONTROL, 2);
    if (!(control & MSI_CONTROL_MASKS))
        return; /* dom0 keeps the capability off until it is ready */
    reg = m->capability +
          (control & MSI_CONTROL_64BIT ? MSI_MASK_64 : MSI_MASK_32);
    mask = pci_read(m->device, reg, 4) & ~(1u << m->index);
    if (m->is_masked)
        mask |= 1u << m->index;
    pci_write(m->device, reg, 4, mask);
}

/* Address and data of the device's first message, and how many it has. */
static void write_plain(const struct msi *m, unsigned vector)
{
    unsigned at = m->capability;
    uint32_t control = pci_read(m->device, at + MSI_CONTROL, 2);
    unsigned count_log2 = (unsigned)__builtin_ctz(m->count);

    control &= ~(7u << MSI_CONTROL_ENABLED_SHIFT);
    control |= count_log2 << MSI_CONTROL_ENABLED_SHIFT;
    pci_write(m->device, at + MSI_CONTROL, 2, control);
    pci_write(m->device, at + MSI_ADDRESS, 4, message_address());
    if (control & MSI_CONTROL_64BIT)
        pci_write(m->device, at + MSI_ADDRESS_HIGH, 4, 0);
    pci_write(m->device,
              at + (control & MSI_CONTROL_64BIT ? MSI_DATA_64 : MSI_DATA_32), 2,
              vector);
}

static void write_x(const struct msi *m, unsigned vector)
{
    m->entry[3] = MSIX_ENTRY_MASKED;
    m->entry[0] = message_address();
    m->entry[1] = 0;
    m->entry[2] = vector;
}

/* Programs the device for the pirq, as far as that is this pirq's to do. */
static void program(unsigned pirq)
{
    struct msi *m = &msis[pirq];

    if (m->kind == MSI_X)
        write_x(m, irq_pirq_vector(pirq));
    else if (m->index == 0)
        write_plain(m, irq_pirq_vector(pirq));
    write_mask(m);
}

static bool has_messages(struct pci_address a)
{
    for (unsigned i = irq_gsi_count(); i < IRQ_MAX_PIRQS; i++)
        if (msis[i].kind == MSI_PLAIN && is_same_device(msis[i].device, a))
            return true;
    return false;
}

static int map_locked(struct pci_address a, unsigned at, unsigned count,
                      unsigned *first_pirq)
{
    uint32_t control = pci_read(a, at + MSI_CONTROL, 2);
    int error;

    if (count > 1u << (control >> MSI_CONTROL_COUNT_SHIFT & 7))
        return -EINVAL;
    if (has_messages(a))
        return -EEXIST;
    error = irq_pirq_alloc_msi(count, first_pirq);
    if (error)
        return error;
    for (unsigned i = 0; i < count; i++) {
        msis[*first_pirq + i] = (struct msi){
            .kind = MSI_PLAIN,
            .device = a,
            .capability = at,
            .index = i,
            .count = count,
            .is_masked = true,
        };
        program(*first_pirq + i);
    }
    return 0;
}

/*
 * Gives a device `count` messages (a power of two up to 32), masked, on pirqs
 * in a row. -ENODEV without such a device or capability, -EINVAL for more
 * than it has, -EEXIST when it has some already, -ENOSPC.
 */
int msi_map(struct pci_address a, unsigned count, unsigned *first_pirq)
{
    unsigned at = pci_find_capability(a, PCI_CAPABILITY_MSI);
    int error;

    if (!at)
        return -ENODEV;
    if (!count || count > MAX_MESSAGES || count & (count - 1))
        return -EINVAL;
    spin_lock(&lock);
    error = map_locked(a, at, count, first_pirq);
    spin_unlock(&lock);
    return error;
}

static bool entry_is_used(struct pci_address a, unsigned entry)
{
    for (unsigned i = irq_gsi_count(); i < IRQ_MAX_PIRQS; i++)
        if (msis[i].kind == MSI_X && msis[i].index == entry &&
            is_same_device(msis[i].device, a))
            return true;
    return false;
}

static int map_x_locked(struct pci_address a, unsigned at, unsigned entry,
                        uint64_t table_base, unsigned *pirq)
{
    struct msix_table *t = find_table(a, at, table_base);
    int error;

    if (!t || entry >= t->size / MSIX_ENTRY_SIZE)
        return -EINVAL;
    if (entry_is_used(a, entry))
        return -EEXIST;
    if (!(pci_read(a, PCI_COMMAND, 2) & PCI_COMMAND_MEMORY))
        return -ENXIO;
    if (!t->mapping)
        t->mapping = map_device(t->address, t->size);
    error = irq_pirq_alloc_msi(1, pirq);
    if (error)
        return error;
    msis[*pirq] = (struct msi){
        .kind = MSI_X,
        .device = a,
        .capability = at,
        .index = entry,
        .count = 1,
        .is_masked = true,
        .entry = (volatile uint32_t *)(t->mapping + entry * MSIX_ENTRY_SIZE),
    };
    program(*pirq);
    return 0;
}

/*
 * Gives entry `entry` of a device's MSI-X table a pirq, masked. `table_base`
 * is the address of the BAR with the table as dom0 knows it. -ENODEV without
 * such a device or capability, -EINVAL for an entry or a table that cannot
 * be, -EEXIST, -ENXIO while the device's memory is off, -ENOSPC.
 */
int msi_map_x(struct pci_address a, unsigned entry, uint64_t table_base,
              unsigned *pirq)
{
    unsigned at = pci_find_capability(a, PCI_CAPABILITY_MSIX);
    int error;

    if (!at)
        return -ENODEV;
    spin_lock(&lock);
    error = map_x_locked(a, at, entry, table_base, pirq);
    spin_unlock(&lock);
    return error;
}

static void release(unsigned pirq)
{
    struct msi *m = &msis[pirq];

    m->is_masked = true;
    if (pci_exists(m->device))
        write_mask(m);
    m->kind = MSI_FREE;
    irq_pirq_free_msi(pirq);
}

/* Takes a message's pirq back, masked. -EINVAL when it is none. */
int msi_unmap(unsigned pirq)
{
    int error = -EINVAL;

    if (pirq >= IRQ_MAX_PIRQS)
        return error;
    spin_lock(&lock);
    if (msis[pirq].kind != MSI_FREE) {
        release(pirq);
        error = 0;
    }
    spin_unlock(&lock);
    return error;
}

/* The device goes away: its pirqs are free, its table is plain memory. */
void msi_device_remove(struct pci_address a)
{
    spin_lock(&lock);
    for (unsigned i = irq_gsi_count(); i < IRQ_MAX_PIRQS; i++)
        if (msis[i].kind != MSI_FREE && is_same_device(msis[i].device, a))
            release(i);
    for (unsigned i = 0; i < table_count; i++)
        if (is_same_device(tables[i].device, a))
            tables[i].is_used = false;
    spin_unlock(&lock);
}

/* Writes the device's messages again after it lost them to a reset. */
void msi_restore(struct pci_address a)
{
    spin_lock(&lock);
    for (unsigned i = irq_gsi_count(); i < IRQ_MAX_PIRQS; i++)
        if (msis[i].kind != MSI_FREE && is_same_device(msis[i].device, a))
            program(i);
    spin_unlock(&lock);
}

/* Holds a pirq's message back or lets it go, as far as the device can. */
void msi_set_masked(unsigned pirq, bool is_masked)
{
    spin_lock(&lock);
    if (msis[pirq].kind != MSI_FREE) {
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
