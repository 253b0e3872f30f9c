/* SPDX-License-Identifier: MIT */
/*
 * Registers are reached by an index and a data window. The low halves of the
 * redirection entries are kept in memory, so that masking a line costs no
 * read of the device. The 82093AA data sheet describes the chip.
 */
#include "x86/ioapic.h"

#include "core/heap.h"
#include "core/log.h"
#include "core/machine.h"
#include "core/spinlock.h"

#include "x86/acpi.h"
#include "x86/apic.h"
#include "x86/machine_early.h"

#define WINDOW_INDEX 0
#define WINDOW_DATA 4
#define REG_ID 0x00u
#define REG_VERSION 0x01u
#define REG_ARBITRATION 0x02u
#define REG_ENTRY(pin) (0x10u + 2 * (pin))
#define ENTRY_ACTIVE_LOW (1u << 13)
#define ENTRY_LEVEL (1u << 15)
#define ENTRY_MASKED (1u << 16)
#define MAX_PINS 240u

struct ioapic {
    volatile uint32_t *window; /* lock; const pointer after boot */
    uint64_t address;          /* const after boot */
    unsigned gsi_base, pins;   /* const after boot */
    struct spinlock lock;
    uint32_t *entries; /* lock: low halves, one per pin */
};

static struct ioapic ioapics[ACPI_MAX_IOAPICS]; /* const after boot */
static unsigned ioapic_count;                   /* const after boot */

static uint32_t reg_read(struct ioapic *io, unsigned reg)
{
    io->window[WINDOW_INDEX] = reg;
    return io->window[WINDOW_DATA];
}

static void reg_write(struct ioapic *io, unsigned reg, uint32_t value)
{
    io->window[WINDOW_INDEX] = reg;
    io->window[WINDOW_DATA] = value;
}

static bool overlaps_known(unsigned base, unsigned pins)
{
    for (unsigned i = 0; i < ioapic_count; i++)
        if (base < ioapics[i].gsi_base + ioapics[i].pins &&
            ioapics[i].gsi_base < base + pins)
            return true;
    return false;
}

static void add(const struct acpi_ioapic *found)
{
    struct ioapic *io = &ioapics[ioapic_count];
    uint32_t version;

    io->address = found->address;
    io->gsi_base = found->gsi_base;
    io->window = map_device(found->address, 0x20);
    version = reg_read(io, REG_VERSION);
    io->pins = (version >> 16 & 0xff) + 1;
    if (version == UINT32_MAX || io->pins > MAX_PINS ||
        io->gsi_base > IOAPIC_MAX_GSIS - io->pins ||
        overlaps_known(io->gsi_base, io->pins)) {
        log_warning("IO-APIC at 0x%x ignored: GSIs %u, version 0x%x",
                    found->address, found->gsi_base, version);
        return;
    }
    io->entries = heap_zalloc(io->pins * sizeof(*io->entries));
    if (!io->entries)
        panic("No memory for the IO-APIC at 0x%x", found->address);
    for (unsigned pin = 0; pin < io->pins; pin++) {
        io->entries[pin] = ENTRY_MASKED;
        reg_write(io, REG_ENTRY(pin), ENTRY_MASKED);
        reg_write(io, REG_ENTRY(pin) + 1, 0);
    }
    ioapic_count++;
    log_info("IO-APIC %u at 0x%x: GSIs %u to %u", found->id, found->address,
             io->gsi_base, io->gsi_base + io->pins - 1);
}

/*
 * Finds the IO-APICs of the ACPI tables and masks every line. Needs the heap
 * and map_device.
 */
void ioapic_init(void)
{
    const struct acpi_info *acpi = acpi_info();

    for (unsigned i = 0; i < acpi->ioapic_count; i++)
        add(&acpi->ioapics[i]);
    if (!ioapic_count)
        log_warning("No IO-APIC: interrupt lines of devices do not work");
}

static struct ioapic *find(unsigned gsi)
{
    for (unsigned i = 0; i < ioapic_count; i++)
        if (gsi >= ioapics[i].gsi_base &&
            gsi - ioapics[i].gsi_base < ioapics[i].pins)
            return &ioapics[i];
    return NULL;
}

/* One more than the highest GSI. */
unsigned machine_gsi_count(void)
{
    unsigned count = 0;

    for (unsigned i = 0; i < ioapic_count; i++)
        count = (unsigned)max_u64(count, ioapics[i].gsi_base + ioapics[i].pins);
    return count;
}

/* Whether some IO-APIC has this line. */
bool ioapic_has_gsi(unsigned gsi)
{
    return find(gsi);
}

/*
 * Connects a line to `vector` on the boot processor and leaves it masked.
 * -EINVAL when there is no such line, or its APIC id is beyond 8 bits.
 */
int ioapic_route(unsigned gsi, unsigned vector, bool is_level,
                 bool is_active_low)
{
    struct ioapic *io = find(gsi);
    uint32_t apic_id = apic_id_of_cpu(0);
    unsigned pin;

    if (!io || apic_id > 0xff)
        return -EINVAL;
    pin = gsi - io->gsi_base;
    spin_lock(&io->lock);
    io->entries[pin] = vector | ENTRY_MASKED | (is_level ? ENTRY_LEVEL : 0) |
                       (is_active_low ? ENTRY_ACTIVE_LOW : 0);
    reg_write(io, REG_ENTRY(pin), io->entries[pin]);
    reg_write(io, REG_ENTRY(pin) + 1, apic_id << 24);
    spin_unlock(&io->lock);
    return 0;
}

/* Closes or opens a line that has been routed. */
void ioapic_set_masked(unsigned gsi, bool is_masked)
{
    struct ioapic *io = find(gsi);
    unsigned pin;
    uint32_t entry;

    if (!io)
        return;
    pin = gsi - io->gsi_base;
    spin_lock(&io->lock);
    entry = (io->entries[pin] & ~ENTRY_MASKED) | (is_masked ? ENTRY_MASKED : 0);
    if (entry != io->entries[pin]) {
        io->entries[pin] = entry;
        reg_write(io, REG_ENTRY(pin), entry);
    }
    spin_unlock(&io->lock);
}

/* Whether the frame holds an IO-APIC, which no guest may map. */
bool ioapic_owns_frame(mfn_t mfn)
{
    for (unsigned i = 0; i < ioapic_count; i++)
        if (ioapics[i].address >> PAGE_SHIFT == mfn.n)
            return true;
    return false;
}

int machine_ioapic_read(uint64_t address, uint32_t reg, uint32_t *value)
{
    for (unsigned i = 0; i < ioapic_count; i++) {
        struct ioapic *io = &ioapics[i];

        if (io->address != address)
            continue;
        if (reg > REG_ARBITRATION)
            return -EINVAL;
        spin_lock(&io->lock);
        *value = reg_read(io, reg);
        spin_unlock(&io->lock);
        return 0;
    }
    return -ENODEV;
}
