/* SPDX-License-Identifier: MIT */
/*
 * Registers are reached by an index and a data window. The 82093AA data sheet
 * describes the chip.
 */
#include "x86/ioapic.h"

#include "core/log.h"
#include "core/machine.h"
#include "core/spinlock.h"

#include "x86/acpi.h"
#include "x86/apic.h"
#include "x86/machine_early.h"

#define WINDOW_INDEX 0
#define WINDOW_DATA 4
#define REG_VERSION 0x01u
#define REG_ARBITRATION 0x02u
#define REG_ENTRY(pin) (0x10u + 2 * (pin))
#define MAX_PINS 240u

struct ioapic {
    volatile uint32_t *window; /* lock; const pointer after boot */
    uint64_t address;          /* const after boot */
    unsigned gsi_base, pins;   /* const after boot */
};

static struct ioapic ioapics[ACPI_MAX_IOAPICS]; /* const after boot */
static unsigned ioapic_count;                   /* const after boot */
static struct spinlock lock;                    /* the registers */

static uint32_t reg_read(const struct ioapic *io, unsigned reg)
{
    io->window[WINDOW_INDEX] = reg;
    return io->window[WINDOW_DATA];
}

static void reg_write(const struct ioapic *io, unsigned reg, uint32_t value)
{
    io->window[WINDOW_INDEX] = reg;
    io->window[WINDOW_DATA] = value;
}

static struct ioapic *find(unsigned gsi)
{
    for (unsigned i = 0; i < ioapic_count; i++)
        if (gsi - ioapics[i].gsi_base < ioapics[i].pins)
            return &ioapics[i];
    return NULL;
}

static void add(const struct acpi_ioapic *found)
{
    struct ioapic *io = &ioapics[ioapic_count];
    uint32_t apic_id = apic_id_of_cpu(0), version;

    io->address = found->address;
    io->gsi_base = found->gsi_base;
    io->window = map_device(found->address, 0x20);
    version = reg_read(io, REG_VERSION);
    io->pins = (version >> 16 & 0xff) + 1;
    if (io->pins > MAX_PINS || apic_id > 0xff ||
        io->gsi_base > IOAPIC_MAX_GSIS - io->pins) {
        log_warning("IO-APIC at 0x%x ignored: GSIs %u, version 0x%x",
                    found->address, found->gsi_base, version);
        return;
    }
    for (unsigned pin = 0; pin < io->pins; pin++) {
        reg_write(io, REG_ENTRY(pin), IOAPIC_MASKED);
        reg_write(io, REG_ENTRY(pin) + 1, apic_id << 24);
    }
    ioapic_count++;
    log_info("IO-APIC %u at 0x%x: GSIs %u to %u", found->id, found->address,
             io->gsi_base, io->gsi_base + io->pins - 1);
}

/*
 * Finds the IO-APICs of the ACPI tables and masks every line. Needs map_device
 * and apic_init.
 */
void ioapic_init(void)
{
    const struct acpi_info *acpi = acpi_info();

    for (unsigned i = 0; i < acpi->ioapic_count; i++)
        add(&acpi->ioapics[i]);
    if (!ioapic_count)
        log_warning("No IO-APIC: interrupt lines of devices do not work");
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

/* Connects a line that there is to a vector: that and IOAPIC_*. */
void ioapic_set_line(unsigned gsi, uint32_t line)
{
    const struct ioapic *io = find(gsi);

    spin_lock(&lock);
    reg_write(io, REG_ENTRY(gsi - io->gsi_base), line);
    spin_unlock(&lock);
}

/* Whether the frame holds an IO-APIC, which no guest may map for writing. */
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
        if (ioapics[i].address != address)
            continue;
        if (reg > REG_ARBITRATION)
            return -EINVAL;
        spin_lock(&lock);
        *value = reg_read(&ioapics[i], reg);
        spin_unlock(&lock);
        return 0;
    }
    return -ENODEV;
}
