/* SPDX-License-Identifier: MIT */
/*
 * Vectors and pirqs. A vector's pirq is read without a lock: whoever frees a
 * vector has silenced its source first, and a late interrupt finds either the
 * old pirq, whose record stays for good, or none.
 */
#include "x86/irq.h"

#include "core/arch.h"
#include "core/domain.h"
#include "core/evtchn.h"
#include "core/log.h"
#include "core/machine.h"
#include "core/spinlock.h"

#include "x86/acpi.h"
#include "x86/apic.h"
#include "x86/ioapic.h"
#include "x86/msi.h"
#include "x86/pci.h"

#define VECTORS 256u

_Static_assert(IOAPIC_MAX_GSIS < MAX_PIRQS, "messages have numbers too");

enum pirq_kind { PIRQ_FREE, PIRQ_GSI, PIRQ_MSI };

struct pirq {
    enum pirq_kind kind; /* lock */
    uint8_t vector;      /* lock; 0: not routed */
    bool is_open;        /* lock: interrupts are wanted */
    bool is_in_service;  /* lock: level, delivered, waits for its EOI */
    uint32_t line;       /* lock: how a GSI is wired, IOAPIC_* */
    struct msi msi;      /* lock: where a message is */

    /* A GSI that Mica itself uses; const from then on. */
    void (*handler)(void *context);
    void *context;
};

static struct spinlock lock;
static struct pirq pirqs[MAX_PIRQS];
static struct pirq *vectors[VECTORS]; /* atomic; lock to change */
static unsigned gsi_count;            /* const after irq_init */
static uint32_t unexpected;           /* atomic: interrupts nobody waited for */

/*
 * Prepares pirqs; needs ioapic_init. Lines that dom0 never describes are wired
 * as ACPI says, others as PCI's are.
 */
void irq_init(void)
{
    const struct acpi_isa_irq *isa = acpi_info()->isa;

    gsi_count = machine_gsi_count();
    for (unsigned i = 0; i < gsi_count; i++)
        if (ioapic_has_gsi(i))
            pirqs[i] = (struct pirq){.kind = PIRQ_GSI,
                                     .line = IOAPIC_LEVEL | IOAPIC_ACTIVE_LOW};
    for (unsigned i = ACPI_ISA_IRQS; i-- > 0;)
        if (isa[i].gsi < gsi_count)
            pirqs[isa[i].gsi].line =
                (isa[i].is_level ? IOAPIC_LEVEL : 0) |
                (isa[i].is_active_low ? IOAPIC_ACTIVE_LOW : 0);
}

static unsigned number_of(const struct pirq *p)
{
    return (unsigned)(p - pirqs);
}

/* --- sources; with the lock ---------------------------------------------- */

/* Has the source of `p` interrupt, or not, as `p` says. */
static void update_source(const struct pirq *p)
{
    bool is_masked = !p->is_open || p->is_in_service;

    if (p->kind == PIRQ_MSI)
        msi_set_masked(&p->msi, is_masked);
    else if (p->vector)
        ioapic_set_line(number_of(p),
                        p->line | p->vector | (is_masked ? IOAPIC_MASKED : 0));
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

/*
 * Takes a legacy line, wired as ACPI says, for Mica itself, before dom0 runs.
 * `handler` finds interrupts off and no lock held; `context` lives for good.
 * -EINVAL when there is no such line, or it is taken.
 */
int irq_isa_start(unsigned irq, void (*handler)(void *context), void *context)
{
    unsigned gsi = irq < ACPI_ISA_IRQS ? acpi_info()->isa[irq].gsi : gsi_count;
    struct pirq *p = &pirqs[index_clamp(gsi, gsi_count)];
    int error;

    if (gsi >= gsi_count || p->kind == PIRQ_FREE || p->handler)
        return -EINVAL;
    spin_lock(&lock);
    error = take_vector(p);
    if (!error) {
        p->handler = handler;
        p->context = context;
        p->is_open = true;
        update_source(p);
    }
    spin_unlock(&lock);
    return error;
}

/* --- delivery ------------------------------------------------------------ */

/*
 * One interrupt for dom0. A level line is closed before the local APIC's EOI,
 * or it would interrupt again at once.
 */
static void serve_pirq(struct pirq *p)
{
    bool is_wanted;

    spin_lock(&lock);
    is_wanted = p->is_open;
    if (p->kind == PIRQ_GSI && p->line & IOAPIC_LEVEL) {
        p->is_in_service = is_wanted;
        update_source(p);
    }
    spin_unlock(&lock);
    if (is_wanted && dom0)
        evtchn_raise_pirq(dom0, number_of(p));
}

/*
 * Serves an interrupt of vectors 0x20 to 0xef and ends it at the local APIC.
 * Called with interrupts off and no lock held.
 */
void irq_dispatch(unsigned vector)
{
    struct pirq *p;

    if (vector < VECTOR_DEVICE_FIRST)
        return; /* a PIC's spurious interrupt knows no EOI */
    p = __atomic_load_n(&vectors[vector], __ATOMIC_ACQUIRE);
    if (p && p->handler)
        p->handler(p->context);
    else if (p)
        serve_pirq(p);
    else if (!(__atomic_fetch_add(&unexpected, 1, __ATOMIC_RELAXED) & 0xff))
        log_warning("Interrupt with vector 0x%x, which nobody uses", vector);
    apic_eoi();
}

/* --- what dom0 asks for -------------------------------------------------- */

/*
 * Wires line `gsi` for dom0, masked until arch_pirq_unmask. -EEXIST for a
 * line that is Mica's own, -EINVAL for one that does not exist, -ENOSPC when
 * vectors are used up. Setting up again the same way changes nothing, but for
 * a line that was opened when vectors were used up: it opens now.
 */
int arch_gsi_setup(unsigned gsi, bool level, bool active_low)
{
    struct pirq *p = &pirqs[index_clamp(gsi, gsi_count)];
    uint32_t line =
        (level ? IOAPIC_LEVEL : 0) | (active_low ? IOAPIC_ACTIVE_LOW : 0);
    int error;

    if (gsi >= gsi_count || p->kind == PIRQ_FREE)
        return -EINVAL;
    if (p->handler)
        return -EEXIST;
    spin_lock(&lock);
    error = take_vector(p);
    if (!error && p->line != line) {
        p->line = line;
        p->is_in_service = false;
    }
    if (!error)
        update_source(p);
    spin_unlock(&lock);
    return error;
}

/* Opens or closes a pirq that dom0 may have. Others are ignored. */
static void set_open(unsigned pirq, bool is_open)
{
    struct pirq *p = &pirqs[index_clamp(pirq, MAX_PIRQS)];

    spin_lock(&lock);
    if (pirq < MAX_PIRQS && p->kind != PIRQ_FREE && !p->handler) {
        p->is_open = is_open;
        p->is_in_service = false;
        if (is_open && take_vector(p))
            log_warning("GSI %u cannot be routed", pirq);
        update_source(p);
    }
    spin_unlock(&lock);
}

/* Lets the interrupt through to dom0. Unknown numbers are ignored. */
void arch_pirq_unmask(unsigned pirq)
{
    set_open(pirq, true);
}

/* Holds the interrupt back. Unknown numbers are ignored. */
void arch_pirq_mask(unsigned pirq)
{
    set_open(pirq, false);
}

/* dom0 has served the interrupt: a level line may come again. */
void arch_pirq_eoi(unsigned pirq)
{
    struct pirq *p = &pirqs[index_clamp(pirq, MAX_PIRQS)];

    spin_lock(&lock);
    if (pirq < MAX_PIRQS && p->is_in_service) {
        p->is_in_service = false;
        update_source(p);
    }
    spin_unlock(&lock);
}

/* Whether dom0 must end each service of the pirq with an EOI. */
bool machine_pirq_needs_eoi(unsigned pirq)
{
    return pirq < gsi_count &&
           pirqs[index_clamp(pirq, gsi_count)].line & IOAPIC_LEVEL;
}

/* --- messages ------------------------------------------------------------ */

/* A pirq for the message `m`, which has none. */
static int find_place(const struct msi *m, struct pirq **out)
{
    *out = NULL;
    for (struct pirq *p = &pirqs[MAX_PIRQS - 1]; p >= &pirqs[gsi_count]; p--)
        if (p->kind == PIRQ_FREE)
            *out = p;
        else if (msi_is_same(&p->msi, m))
            return -EEXIST;
    return *out ? 0 : -ENOSPC;
}

int machine_msi_map(const struct machine_msi *wanted, unsigned *pirq)
{
    struct pirq *p;
    struct msi m;
    int error;

    spin_lock(&lock);
    error = msi_find(wanted, &m);
    if (!error)
        error = find_place(&m, &p);
    if (!error)
        error = take_vector(p);
    if (!error) {
        p->kind = PIRQ_MSI;
        p->msi = m;
        msi_write(&m, p->vector);
        update_source(p);
        *pirq = number_of(p);
    }
    spin_unlock(&lock);
    return error;
}

int machine_msi_unmap(unsigned pirq)
{
    struct pirq *p = &pirqs[index_clamp(pirq, MAX_PIRQS)];
    int error = -EINVAL;

    spin_lock(&lock);
    if (pirq < MAX_PIRQS && p->kind == PIRQ_MSI) {
        msi_set_masked(&p->msi, true);
        __atomic_store_n(&vectors[p->vector], NULL, __ATOMIC_RELEASE);
        *p = (struct pirq){.kind = PIRQ_FREE};
        error = 0;
    }
    spin_unlock(&lock);
    return error;
}

int machine_msi_restore(uint16_t device)
{
    if (!pci_exists(device))
        return -ENODEV;
    spin_lock(&lock);
    for (struct pirq *p = pirqs; p < pirqs + MAX_PIRQS; p++)
        if (p->kind == PIRQ_MSI && p->msi.device == device) {
            msi_write(&p->msi, p->vector);
            update_source(p);
        }
    spin_unlock(&lock);
    return 0;
}
