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
#include "core/machine.h"
#include "core/spinlock.h"

#include "x86/acpi.h"
#include "x86/apic.h"
#include "x86/debug_keys.h"
#include "x86/ioapic.h"
#include "x86/msi.h"

#define VECTORS 256u

enum pirq_kind {
    PIRQ_FREE,
    PIRQ_GSI,
    PIRQ_MSI,
    PIRQ_OWN, /* a GSI that Mica itself uses */
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

        if (p->vector && p->kind != PIRQ_OWN)
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
    gsi_count = machine_gsi_count();
    pirqs = heap_zalloc(IRQ_MAX_PIRQS * sizeof(*pirqs));
    if (!pirqs)
        panic("No memory for the table of interrupts");
    for (unsigned i = 0; i < gsi_count; i++)
        if (ioapic_has_gsi(i))
            pirqs[i].kind = PIRQ_GSI;
    debug_key_register('i', "show the interrupts of dom0", show_pirqs);
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

/* Gives a vector back; its source has been silenced. */
static void free_vector(unsigned vector)
{
    __atomic_store_n(&vectors[vector].handler, NULL, __ATOMIC_RELEASE);
}

static struct pirq *find_gsi(unsigned gsi)
{
    bool is_one = gsi < gsi_count && pirqs[gsi].kind != PIRQ_FREE;

    return is_one ? &pirqs[gsi] : NULL;
}

static unsigned number_of(const struct pirq *p)
{
    return (unsigned)(p - pirqs);
}

/* Wires a GSI, masked; the caller holds its lock. */
static int route(struct pirq *p, void (*handler)(void *context), void *context)
{
    int vector = p->vector;
    int error;

    if (!vector)
        vector = take_vectors(1, handler, context, 0);
    if (vector < 0)
        return vector;
    error = ioapic_route(number_of(p), (unsigned)vector, p->is_level,
                         p->is_active_low);
    if (error)
        free_vector((unsigned)vector);
    p->vector = error ? 0 : (uint8_t)vector;
    p->is_in_service = false;
    return error;
}

/* How a line that dom0 never described is wired: by ACPI, else as PCI's are. */
static void assume_wiring(struct pirq *p)
{
    const struct acpi_isa_irq *isa = acpi_info()->isa;

    p->is_level = p->is_active_low = true;
    for (unsigned i = 0; i < ACPI_ISA_IRQS; i++)
        if (isa[i].gsi == number_of(p)) {
            p->is_level = isa[i].is_level;
            p->is_active_low = isa[i].is_active_low;
            return;
        }
}

/*
 * Takes a legacy line, wired as ACPI says, for Mica itself, before dom0 runs.
 * `handler` finds interrupts off and no lock held; `context` lives for good.
 * -EINVAL when there is no such line, or it is taken.
 */
int irq_isa_start(unsigned irq, void (*handler)(void *context), void *context)
{
    unsigned gsi = irq < ACPI_ISA_IRQS ? acpi_info()->isa[irq].gsi : gsi_count;
    struct pirq *p = find_gsi(gsi);
    int error;

    if (!p || p->kind == PIRQ_OWN)
        return -EINVAL;
    spin_lock(&p->lock);
    assume_wiring(p);
    error = route(p, handler, context);
    if (!error) {
        p->kind = PIRQ_OWN;
        ioapic_set_masked(gsi, false);
    }
    spin_unlock(&p->lock);
    return error;
}

/*
 * One interrupt for dom0. A level line is closed before the local APIC's EOI,
 * or it would interrupt again at once.
 */
static void serve_pirq(void *context)
{
    struct pirq *p = context;
    unsigned number = number_of(p);
    bool is_wanted;

    spin_lock(&p->lock);
    is_wanted = p->is_open;
    if (p->kind == PIRQ_GSI && p->is_level) {
        ioapic_set_masked(number, true);
        p->is_in_service = is_wanted;
    }
    spin_unlock(&p->lock);
    if (is_wanted && dom0)
        evtchn_raise_pirq(dom0, number);
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
    if (p->kind == PIRQ_OWN)
        return -EEXIST;
    spin_lock(&p->lock);
    if (!p->vector || p->is_level != level || p->is_active_low != active_low) {
        p->is_level = level;
        p->is_active_low = active_low;
        error = route(p, serve_pirq, p);
        if (!error && p->is_open)
            ioapic_set_masked(gsi, false);
    }
    spin_unlock(&p->lock);
    return error;
}

/* Opens or closes the line; the caller holds its lock. */
static void set_gsi_open(struct pirq *p, bool is_open)
{
    if (is_open && !p->vector) {
        assume_wiring(p);
        if (route(p, serve_pirq, p))
            log_warning("GSI %u cannot be routed: no vector is free",
                        number_of(p));
    }
    if (!is_open)
        p->is_in_service = false;
    if (p->vector && !p->is_in_service)
        ioapic_set_masked(number_of(p), !is_open);
}

static struct pirq *find(unsigned pirq)
{
    return pirq < IRQ_MAX_PIRQS ? &pirqs[pirq] : NULL;
}

/* The lock of messages is the outer one to a pirq's, hence the order. */
static void set_open(unsigned pirq, bool is_open)
{
    struct pirq *p = find(pirq);

    if (!p)
        return;
    spin_lock(&p->lock);
    p->is_open = is_open && p->kind != PIRQ_FREE;
    if (p->kind == PIRQ_GSI)
        set_gsi_open(p, is_open);
    spin_unlock(&p->lock);
    msi_set_masked(pirq, !is_open);
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
    struct pirq *p = find(pirq);

    if (!p)
        return;
    spin_lock(&p->lock);
    if (p->is_in_service) {
        p->is_in_service = false;
        if (p->is_open)
            ioapic_set_masked(pirq, false);
    }
    spin_unlock(&p->lock);
}

/* Whether dom0 must end each service of the pirq with an EOI. */
bool machine_pirq_needs_eoi(unsigned pirq)
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
    free_vector(p->vector);
    p->vector = 0;
    p->is_open = false;
    p->kind = PIRQ_FREE;
    spin_unlock(&p->lock);
}
