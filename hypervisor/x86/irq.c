/* SPDX-License-Identifier: MIT */
/*
 * Vectors, pirqs and the IO-APICs, whose registers are reached by an index and
 * a data window (data sheet of the 82093AA). A vector's pirq is read without a
 * lock: whoever frees a vector has silenced its source first, and a late
 * interrupt finds either the old pirq, whose record stays for good, or none.
 */
#include "x86/irq.h"

#include "core/arch.h"
#include "core/domain.h"
#include "core/evtchn.h"
#include "core/log.h"
#include "core/machine.h"

#include "x86/acpi.h"
#include "x86/apic.h"
#include "x86/machine_early.h"
#include "x86/msi.h"
#include "x86/start.h"
#include "x86/uart.h"

#define VECTORS 256u

#define IOAPIC_SIZE 0x20
#define WINDOW_INDEX 0
#define WINDOW_DATA 4
#define REG_VERSION 0x01u
#define REG_ARBITRATION 0x02u
#define REG_ENTRY(pin) (0x10u + 2 * (pin))
#define LINE_ACTIVE_LOW (1u << 13)
#define LINE_LEVEL (1u << 15)
#define LINE_MASKED (1u << 16)
#define MAX_PINS 240u
#define MAX_GSIS 512u

_Static_assert(MAX_GSIS < MAX_PIRQS, "messages have numbers too");

/* A line of an IO-APIC, a message, or neither: a free number. */
struct pirq {
    uint8_t vector;     /* lock; 0: not routed */
    bool is_own;        /* a line of Mica's serial ports; only ever set */
    bool is_open;       /* lock: interrupts are wanted */
    bool is_in_service; /* lock: level, delivered, waits for its EOI */
    unsigned entry;     /* of a line: its register; const after boot */
    uint32_t wiring;    /* of a line: LINE_ACTIVE_LOW, LINE_LEVEL; lock */
    volatile uint32_t *ioapic; /* of a line: its window; const after boot */
    struct msi msi; /* lock: where a message is; its capability 0: no message */
};

static struct spinlock lock;
static struct pirq pirqs[MAX_PIRQS];
static struct pirq *vectors[VECTORS]; /* atomic; lock to change */
static unsigned gsi_count; /* const after boot: one more than the highest GSI */
static uint32_t unexpected; /* atomic: interrupts nobody waited for */

/* --- IO-APICs ------------------------------------------------------------ */

static uint32_t reg_read(volatile uint32_t *window, unsigned reg)
{
    window[WINDOW_INDEX] = reg;
    return window[WINDOW_DATA];
}

static void reg_write(volatile uint32_t *window, unsigned reg, uint32_t value)
{
    window[WINDOW_INDEX] = reg;
    window[WINDOW_DATA] = value;
}

/* Masks its lines. Those that nobody describes are wired as PCI's are. */
static void add_ioapic(const struct acpi_ioapic *io)
{
    volatile uint32_t *window = map_device(io->address, IOAPIC_SIZE);
    uint32_t apic_id = apic_id_of_cpu(0),
             version = reg_read(window, REG_VERSION);
    unsigned pins = (version >> 16 & 0xff) + 1, first = io->gsi_base;

    if (pins > MAX_PINS || apic_id > 0xff || first > MAX_GSIS - pins) {
        log_warning("IO-APIC at 0x%x ignored: GSIs %u, version 0x%x",
                    io->address, first, version);
        return;
    }
    for (unsigned pin = 0; pin < pins; pin++) {
        pirqs[first + pin] = (struct pirq){
            .ioapic = window,
            .entry = REG_ENTRY(pin),
            .wiring = LINE_LEVEL | LINE_ACTIVE_LOW,
        };
        reg_write(window, REG_ENTRY(pin), LINE_MASKED);
        reg_write(window, REG_ENTRY(pin) + 1, apic_id << 24);
    }
    gsi_count = (unsigned)max_u64(gsi_count, first + pins);
    log_info("IO-APIC %u at 0x%x: GSIs %u to %u", io->id, io->address, first,
             first + pins - 1);
}

static uint32_t make_wiring(bool level, bool active_low)
{
    return (level ? LINE_LEVEL : 0) | (active_low ? LINE_ACTIVE_LOW : 0);
}

/* Masks all lines, to the boot processor, whose APIC is set up. */
void irq_init(void)
{
    const struct acpi_info *acpi = acpi_info();

    for (unsigned i = 0; i < acpi->ioapic_count; i++)
        add_ioapic(&acpi->ioapics[i]);
    if (!gsi_count)
        log_warning("No IO-APIC: interrupt lines of devices do not work");
    for (unsigned i = ACPI_ISA_IRQS; i-- > 0;) {
        const struct acpi_isa_irq *isa = &acpi->isa[i];

        if (isa->gsi < gsi_count)
            pirqs[isa->gsi].wiring =
                make_wiring(isa->is_level, isa->is_active_low);
    }
}

unsigned machine_gsi_count(void)
{
    return gsi_count;
}

int machine_ioapic_read(uint64_t address, uint32_t reg, uint32_t *value)
{
    const struct acpi_info *acpi = acpi_info();
    volatile uint32_t *window = NULL;

    for (unsigned i = 0; i < acpi->ioapic_count; i++)
        if (acpi->ioapics[i].address == address &&
            acpi->ioapics[i].gsi_base < gsi_count)
            window = pirqs[acpi->ioapics[i].gsi_base].ioapic;
    if (!window)
        return -ENODEV;
    if (reg > REG_ARBITRATION)
        return -EINVAL;
    spin_lock(&lock);
    *value = reg_read(window, reg);
    spin_unlock(&lock);
    return 0;
}

/* --- sources; with the lock ---------------------------------------------- */

/* Has the source of `p` interrupt, or not, as `p` says. */
static void update_source(const struct pirq *p)
{
    bool is_masked = !p->is_open || p->is_in_service;

    if (p->msi.capability)
        msi_set_masked(&p->msi, is_masked);
    else if (p->vector)
        reg_write(p->ioapic, p->entry,
                  p->wiring | p->vector | (is_masked ? LINE_MASKED : 0));
}

/* Gives `p` a vector unless it has one. 0, -ENOSPC. */
static int take_vector(struct pirq *p)
{
    for (unsigned v = VECTOR_DEVICE_FIRST;
         !p->vector && v <= VECTOR_DEVICE_LAST; v++)
        if (!vectors[v] && v != VECTOR_SOFTWARE) {
            p->vector = (uint8_t)v;
            __atomic_store_n(&vectors[v], p, __ATOMIC_RELEASE);
        }
    return p->vector ? 0 : refuse(-ENOSPC, "no vector is free");
}

/* --- service ------------------------------------------------------------- */

/*
 * Takes a legacy line, wired as ACPI says, for a serial port of Mica's, before
 * dom0 runs. -EINVAL when there is no such line, or another port has it: as an
 * edge line it would fall silent between the two. -ENOSPC.
 */
int irq_take_isa(unsigned irq)
{
    unsigned gsi = irq < ACPI_ISA_IRQS ? acpi_info()->isa[irq].gsi : gsi_count;
    struct pirq *p = &pirqs[index_clamp(gsi, gsi_count)];
    int error;

    if (gsi >= gsi_count || !p->ioapic || p->is_own)
        return -EINVAL;
    spin_lock(&lock);
    error = take_vector(p);
    if (!error) {
        p->is_own = p->is_open = true;
        update_source(p);
    }
    spin_unlock(&lock);
    return error;
}

/*
 * A level line is masked until dom0 has served it, since it would interrupt
 * again at once.
 */
static void serve_pirq(struct pirq *p)
{
    bool is_wanted;

    spin_lock(&lock);
    is_wanted = p->is_open;
    if (p->wiring & LINE_LEVEL) {
        p->is_in_service = is_wanted;
        update_source(p);
    }
    spin_unlock(&lock);
    if (is_wanted && dom0)
        evtchn_raise_pirq(dom0, (unsigned)(p - pirqs));
}

/*
 * Serves an interrupt that is not Mica's own and ends it at the local APIC.
 * Called with interrupts off and no lock held.
 */
void irq_dispatch(unsigned vector)
{
    struct pirq *p;

    if (vector < VECTOR_DEVICE_FIRST)
        return; /* a PIC's spurious interrupt knows no EOI */
    p = __atomic_load_n(&vectors[vector], __ATOMIC_ACQUIRE);
    if (p && p->is_own)
        uart_interrupt();
    else if (p)
        serve_pirq(p);
    else if (!(__atomic_fetch_add(&unexpected, 1, __ATOMIC_RELAXED) & 0xff))
        log_warning("Interrupt with vector 0x%x, which nobody uses", vector);
    apic_eoi();
}

/* --- what dom0 asks for -------------------------------------------------- */

/*
 * Wires line `gsi` for dom0, masked until it is opened. -EEXIST for a
 * line that is Mica's own, -EINVAL for one that does not exist, -ENOSPC when
 * vectors are used up. Setting up again the same way changes nothing, but for
 * a line that was opened when vectors were used up: it opens now.
 */
int arch_gsi_setup(unsigned gsi, bool level, bool active_low)
{
    struct pirq *p = &pirqs[index_clamp(gsi, gsi_count)];
    uint32_t wiring = make_wiring(level, active_low);
    int error;

    if (gsi >= gsi_count || !p->ioapic)
        return -EINVAL;
    if (p->is_own)
        return -EEXIST;
    spin_lock(&lock);
    error = take_vector(p);
    if (!error) {
        p->is_in_service &= p->wiring == wiring;
        p->wiring = wiring;
        update_source(p);
    }
    spin_unlock(&lock);
    return error;
}

/*
 * Lets the interrupt through to dom0, holds it back, or lets a level line come
 * again. Numbers that are free, or Mica's own, are ignored.
 */
void arch_pirq_change(unsigned pirq, enum pirq_change what)
{
    struct pirq *p = &pirqs[index_clamp(pirq, MAX_PIRQS)];

    spin_lock(&lock);
    if (pirq < MAX_PIRQS && (p->ioapic || p->msi.capability) && !p->is_own) {
        p->is_open = what == PIRQ_SERVED ? p->is_open : what == PIRQ_OPEN;
        p->is_in_service = false;
        if (what == PIRQ_OPEN && take_vector(p))
            log_warning("GSI %u cannot be routed", pirq);
        update_source(p);
    }
    spin_unlock(&lock);
}

/* Whether dom0 must end each service of the pirq with an EOI. */
bool machine_pirq_needs_eoi(unsigned pirq)
{
    return pirq < MAX_PIRQS &&
           pirqs[index_clamp(pirq, MAX_PIRQS)].wiring & LINE_LEVEL;
}

/* --- messages ------------------------------------------------------------ */

/* A pirq for the message `m`, which has none. */
static int find_place(const struct msi *m, struct pirq **out)
{
    *out = NULL;
    for (struct pirq *p = &pirqs[MAX_PIRQS - 1]; p >= &pirqs[gsi_count]; p--)
        if (!p->msi.capability)
            *out = p;
        else if (p->msi.device == m->device && p->msi.entry == m->entry)
            return -EEXIST;
    return *out ? 0 : -ENOSPC;
}

int machine_msi_map(struct physdev_map_pirq_args *op)
{
    struct pirq *p;
    struct msi m;
    int error;

    spin_lock(&lock);
    error = msi_find(op, &m);
    if (!error)
        error = find_place(&m, &p);
    if (!error)
        error = take_vector(p);
    if (!error) {
        p->msi = m;
        msi_write(&m, p->vector);
        update_source(p);
        op->pirq = (int32_t)(p - pirqs);
    }
    spin_unlock(&lock);
    return error;
}

int machine_msi_unmap(unsigned pirq)
{
    struct pirq *p = &pirqs[index_clamp(pirq, MAX_PIRQS)];
    int error = -EINVAL;

    spin_lock(&lock);
    if (pirq < MAX_PIRQS && p->msi.capability) {
        msi_set_masked(&p->msi, true);
        __atomic_store_n(&vectors[p->vector], NULL, __ATOMIC_RELEASE);
        *p = (struct pirq){0};
        error = 0;
    }
    spin_unlock(&lock);
    return error;
}

void machine_msi_restore(uint16_t device)
{
    spin_lock(&lock);
    for (struct pirq *p = pirqs; p < pirqs + MAX_PIRQS; p++)
        if (p->msi.capability && p->msi.device == device) {
            msi_write(&p->msi, p->vector);
            update_source(p);
        }
    spin_unlock(&lock);
}
