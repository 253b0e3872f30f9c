/* SPDX-License-Identifier: MIT */
/*
 * Vectors and pirqs. A vector's handler is read without a lock: whoever frees
 * a vector has silenced its source first, and a late interrupt finds either
 * the old handler, whose context lives for good, or none.
 */
#include "x86/irq.h"

#include "core/arch.h"
#include "core/domain.h"
#include "core/evtchn.h"
#include "core/heap.h"
#include "core/log.h"
#include "core/spinlock.h"

#include "x86/acpi.h"
#include "x86/apic.h"
#include "x86/debug_keys.h"
#include "x86/ioapic.h"
#include "x86/msi.h"
#include "x86/uart.h"

#define VECTORS 256u
#define ISA_IRQS 16u

enum pirq_kind {
    PIRQ_FREE,
    PIRQ_GSI,
    PIRQ_MSI,
};

struct pirq {
    struct spinlock lock;
    enum pirq_kind kind; /* lock */
    uint8_t vector;      /* lock; 0: not routed */
    bool is_level;       /* lock; GSI only */
    bool is_active_low;  /* lock; GSI only */
    bool is_open;        /* lock: dom0 wants interrupts */
    bool is_in_service;  /* lock: level, delivered, waits for its EOI */
};

static struct {
    void (*handler)(void *context); /* atomic; NULL while free */
    void *context;                  /* written before handler */
} vectors[VECTORS];

static struct spinlock vectors_lock = SPINLOCK_INIT; /* allocation */
static struct pirq *pirqs;  /* const pointer after irq_init */
static unsigned gsi_count;  /* const after irq_init */
static uint32_t unexpected; /* atomic: interrupts nobody waited for */

static void show_pirqs(void)
{
    log_info("Interrupts of dom0:");
    for (unsigned i = 0; i < IRQ_MAX_PIRQS; i++) {
        const struct pirq *p = &pirqs[i];

        if (p->vector)
            log_info("  pirq %u: %s, vector 0x%x, %s%s", i,
                     p->kind == PIRQ_MSI ? "message"
                     : p->is_level       ? "level"
                                         : "edge",
                     p->vector, p->is_open ? "open" : "closed",
                     p->is_in_service ? ", not ended by dom0 yet" : "");
    }
}

/* Prepares pirqs; needs the heap and ioapic_init. */
void irq_init(void)
{
    gsi_count = ioapic_gsi_count();
    pirqs = heap_zalloc(IRQ_MAX_PIRQS * sizeof(*pirqs));
    if (!pirqs)
        panic("No memory for the table of interrupts");
    for (unsigned i = 0; i < gsi_count; i++)
        if (ioapic_has_gsi(i))
            pirqs[i].kind = PIRQ_GSI;
    debug_key_register('i', "show the interrupts of dom0", show_pirqs);
}

/* The pirqs that are GSIs are those below this number. */
unsigned irq_gsi_count(void)
{
    return gsi_count;
}

/*
 * Serves an interrupt of vectors 0x20 to 0xef and ends it at the local APIC.
 * Called with interrupts off and no lock held.
 */
void irq_dispatch(unsigned vector)
{
    void (*handler)(void *context);

    if (vector < VECTOR_DEVICE_FIRST)
        return; /* a PIC's spurious interrupt knows no EOI */
    handler = __atomic_load_n(&vectors[vector].handler, __ATOMIC_ACQUIRE);
    if (handler)
        handler(vectors[vector].context);
    else if (!(__atomic_fetch_add(&unexpected, 1, __ATOMIC_RELAXED) & 0xff))
        log_warning("Interrupt with vector 0x%x, which nobody uses", vector);
    apic_eoi();
}

static unsigned find_vectors(unsigned count)
{
    for (unsigned first = (unsigned)align_up(VECTOR_DEVICE_FIRST, count);
         first + count <= VECTOR_DEVICE_LAST + 1u; first += count) {
        unsigned i = 0;

        while (i < count && !vectors[first + i].handler &&
               first + i != VECTOR_SOFTWARE)
            i++;
        if (i == count)
            return first;
    }
    return 0;
}

/*
 * Takes `count` vectors, a power of two, that follow each other and start at
 * a multiple of `count`, as multiple messages need them. Context `i`
 * is `stride` bytes behind the first. The first vector, or -ENOSPC.
 */
static int take_vectors(unsigned count, void (*handler)(void *context),
                        void *context, size_t stride)
{
    unsigned first;

    spin_lock(&vectors_lock);
    first = find_vectors(count);
    for (unsigned i = 0; first && i < count; i++) {
        vectors[first + i].context = (char *)context + i * stride;
        __atomic_store_n(&vectors[first + i].handler, handler,
                         __ATOMIC_RELEASE);
    }
    spin_unlock(&vectors_lock);
    return first ? (int)first : -ENOSPC;
}

/*
 * A free vector, from now on served by `handler`, which finds interrupts off
 * and no lock held. `context` must live for good. -ENOSPC when none is free.
 */
int irq_vector_alloc(void (*handler)(void *context), void *context)
{
    return take_vectors(1, handler, context, 0);
}

/* Gives a vector back; its source has been silenced. */
void irq_vector_free(unsigned vector)
{
    __atomic_store_n(&vectors[vector].handler, NULL, __ATOMIC_RELEASE);
}

/* The GSI at which legacy line `irq` arrives. */
unsigned irq_isa_gsi(unsigned irq)
{
    return irq < ISA_IRQS ? acpi_info()->isa[irq].gsi : irq;
}

/*
 * Takes a legacy line, edge-triggered unless ACPI says otherwise, for Mica
 * itself. -EBUSY when dom0 has set it up, -EINVAL when there is no such line.
 */
int irq_isa_start(unsigned irq, void (*handler)(void *context), void *context)
{
    unsigned gsi = irq_isa_gsi(irq);
    const struct acpi_isa_irq *isa;
    int vector, error;

    if (irq >= ISA_IRQS || gsi >= gsi_count)
        return -EINVAL;
    if (pirqs[gsi].vector)
        return -EBUSY;
    vector = irq_vector_alloc(handler, context);
    if (vector < 0)
        return vector;
    isa = &acpi_info()->isa[irq];
    error = ioapic_route(gsi, (unsigned)vector, apic_id_of_cpu(0),
                         isa->is_level ? IOAPIC_LEVEL : IOAPIC_EDGE,
                         isa->is_active_low ? IOAPIC_ACTIVE_LOW
                                            : IOAPIC_ACTIVE_HIGH);
    if (error) {
        irq_vector_free((unsigned)vector);
        return error;
    }
    ioapic_unmask(gsi);
    return 0;
}

/*
 * One interrupt for dom0. A level line is closed before the local APIC's EOI,
 * or it would interrupt again at once.
 */
static void serve_pirq(void *context)
{
    struct pirq *p = context;
    unsigned number = (unsigned)(p - pirqs);
    bool is_wanted;

    spin_lock(&p->lock);
    is_wanted = p->is_open;
    if (p->kind == PIRQ_GSI && p->is_level) {
        ioapic_mask(number);
        p->is_in_service = is_wanted;
    }
    spin_unlock(&p->lock);
    if (is_wanted && dom0)
        evtchn_raise_pirq(dom0, number);
}

/* Wires a GSI; the caller holds its lock. */
static int route(struct pirq *p)
{
    unsigned gsi = (unsigned)(p - pirqs);
    int vector = p->vector;
    int error;

    if (!vector)
        vector = take_vectors(1, serve_pirq, p, 0);
    if (vector < 0)
        return vector;
    error =
        ioapic_route(gsi, (unsigned)vector, apic_id_of_cpu(0),
                     p->is_level ? IOAPIC_LEVEL : IOAPIC_EDGE,
                     p->is_active_low ? IOAPIC_ACTIVE_LOW : IOAPIC_ACTIVE_HIGH);
    if (error) {
        irq_vector_free((unsigned)vector);
        p->vector = 0;
        return error;
    }
    p->vector = (uint8_t)vector;
    p->is_in_service = false;
    if (p->is_open)
        ioapic_unmask(gsi);
    return 0;
}

static struct pirq *find_gsi(unsigned gsi)
{
    if (gsi >= gsi_count || pirqs[gsi].kind != PIRQ_GSI)
        return NULL;
    return &pirqs[gsi];
}

/*
 * Wires line `gsi` for dom0, masked until arch_pirq_unmask. -EEXIST for a
 * line that is Mica's own, -EINVAL for one that does not exist, -ENOSPC when
 * vectors are used up. Setting up again the same way changes nothing.
 */
int arch_gsi_setup(unsigned gsi, bool level, bool active_low)
{
    struct pirq *p = find_gsi(gsi);
    int error = 0;

    if (!p)
        return -EINVAL;
    if (uart_gsi_is_owned(gsi))
        return -EEXIST;
    spin_lock(&p->lock);
    if (!p->vector || p->is_level != level || p->is_active_low != active_low) {
        p->is_level = level;
        p->is_active_low = active_low;
        error = route(p);
    }
    spin_unlock(&p->lock);
    return error;
}

/* How a line that dom0 never described is wired: by ACPI, else as PCI's are. */
static void assume_wiring(struct pirq *p)
{
    unsigned gsi = (unsigned)(p - pirqs);
    const struct acpi_info *acpi = acpi_info();

    p->is_level = p->is_active_low = true;
    for (unsigned i = 0; i < ISA_IRQS; i++) {
        if (acpi->isa[i].gsi != gsi)
            continue;
        p->is_level = acpi->isa[i].is_level;
        p->is_active_low = acpi->isa[i].is_active_low;
        return;
    }
}

static void open_gsi(struct pirq *p)
{
    unsigned gsi = (unsigned)(p - pirqs);

    if (uart_gsi_is_owned(gsi))
        return;
    if (!p->vector) {
        assume_wiring(p);
        if (route(p))
            log_warning("GSI %u cannot be routed: no vector is free", gsi);
    }
    if (p->vector && !p->is_in_service)
        ioapic_unmask(gsi);
}

static struct pirq *find(unsigned pirq)
{
    return pirq < IRQ_MAX_PIRQS ? &pirqs[pirq] : NULL;
}

/*
 * Lets the interrupt through to dom0. Unknown numbers are ignored. The lock
 * of messages is the outer one to a pirq's, hence the order here and below.
 */
void arch_pirq_unmask(unsigned pirq)
{
    struct pirq *p = find(pirq);

    if (!p)
        return;
    spin_lock(&p->lock);
    p->is_open = p->kind != PIRQ_FREE;
    if (p->kind == PIRQ_GSI)
        open_gsi(p);
    spin_unlock(&p->lock);
    msi_set_masked(pirq, false);
}

/* Holds the interrupt back. Unknown numbers are ignored. */
void arch_pirq_mask(unsigned pirq)
{
    struct pirq *p = find(pirq);

    if (!p)
        return;
    spin_lock(&p->lock);
    p->is_open = false;
    if (p->kind == PIRQ_GSI && p->vector) {
        ioapic_mask(pirq);
        p->is_in_service = false;
    }
    spin_unlock(&p->lock);
    msi_set_masked(pirq, true);
}

/* dom0 has served the interrupt: a level line may come again. */
void arch_pirq_eoi(unsigned pirq)
{
    struct pirq *p = find(pirq);

    if (!p)
        return;
    spin_lock(&p->lock);
    if (p->is_in_service) {
        p->is_in_service = false;
        if (p->is_open)
            ioapic_unmask(pirq);
    }
    spin_unlock(&p->lock);
}

/* Whether dom0 must end each service of the pirq with an EOI. */
bool irq_pirq_needs_eoi(unsigned pirq)
{
    struct pirq *p = find(pirq);

    return p && p->kind == PIRQ_GSI && p->is_level;
}

/* The pirq's vector, or 0 while it has none. */
unsigned irq_pirq_vector(unsigned pirq)
{
    struct pirq *p = find(pirq);

    return p ? p->vector : 0;
}

static unsigned find_free_pirqs(unsigned count)
{
    unsigned run = 0;

    for (unsigned i = gsi_count; i < IRQ_MAX_PIRQS; i++) {
        run = pirqs[i].kind == PIRQ_FREE ? run + 1 : 0;
        if (run == count)
            return i + 1 - count;
    }
    return IRQ_MAX_PIRQS;
}

/*
 * Takes `count` pirqs in a row (a power of two up to 32) with vectors in a
 * row, for messages, held back until arch_pirq_unmask. The caller (msi.c)
 * serialises with irq_pirq_free_msi. -ENOSPC when there are not enough.
 */
int irq_pirq_alloc_msi(unsigned count, unsigned *first_pirq)
{
    unsigned first = find_free_pirqs(count);
    int vector;

    if (first == IRQ_MAX_PIRQS)
        return -ENOSPC;
    vector = take_vectors(count, serve_pirq, &pirqs[first], sizeof(*pirqs));
    if (vector < 0)
        return vector;
    for (unsigned i = 0; i < count; i++) {
        struct pirq *p = &pirqs[first + i];

        spin_lock(&p->lock);
        p->kind = PIRQ_MSI;
        p->vector = (uint8_t)((unsigned)vector + i);
        p->is_open = p->is_in_service = p->is_level = false;
        spin_unlock(&p->lock);
    }
    *first_pirq = first;
    return 0;
}

/* Gives a message's pirq back; its device has been silenced. */
void irq_pirq_free_msi(unsigned pirq)
{
    struct pirq *p = &pirqs[pirq];

    spin_lock(&p->lock);
    irq_vector_free(p->vector);
    p->vector = 0;
    p->is_open = false;
    p->kind = PIRQ_FREE;
    spin_unlock(&p->lock);
}
