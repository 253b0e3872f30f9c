/* SPDX-License-Identifier: MIT */
/*
 * physdev_op: interrupts and PCI devices of domains (physdev.h). Numbers of
 * pirqs are the machine's, the same for every domain: GSIs, then messages.
 */
#include "core/physdev.h"

#include "core/arch.h"
#include "core/domain.h"
#include "core/evtchn.h"
#include "core/guest_copy.h"
#include "core/hypercall.h"
#include "core/log.h"
#include "core/machine.h"
#include "core/sub_op.h"
#include "core/vcpu.h"
#include "hypercall_abi/physdev.h"

#define IO_PORTS 65536u
#define MULTI_MSI_MAX 32

#define NOT_MAPPED 0 /* in `owners` */
#define OWNED_BY(d) ((uint16_t)((d)->id + 1))

static struct {
    struct spinlock lock;
    uint16_t owners[MAX_PIRQS]; /* domid + 1 */
} pirqs;

/* Whether `pirq` is mapped to `d`. */
static bool is_mapped(const struct domain *d, uint64_t pirq)
{
    uint64_t index = index_clamp(pirq, MAX_PIRQS);

    return pirq < MAX_PIRQS && __atomic_load_n(&pirqs.owners[index],
                                               __ATOMIC_RELAXED) == OWNED_BY(d);
}

/* --- the map; all need pirqs.lock ---------------------------------------- */

/*
 * Notes that `pirq` is `d`'s. Again is fine; -EBUSY if it is another's, -ESRCH
 * for a dying domain, whose pirqs physdev_release takes but once.
 */
static int add_to_map(struct domain *d, unsigned pirq)
{
    int error;

    if (domain_is_dying(d))
        return refuse(-ESRCH, "domain %u is dying", d->id);
    if (pirqs.owners[pirq] == OWNED_BY(d))
        return 0;
    if (pirqs.owners[pirq] != NOT_MAPPED)
        return refuse(-EBUSY, "pirq %u is another domain's", pirq);
    spin_lock(&d->event_lock);
    error = rangeset_add(d->irqs, pirq, pirq);
    spin_unlock(&d->event_lock);
    if (!error)
        __atomic_store_n(&pirqs.owners[pirq], OWNED_BY(d), __ATOMIC_RELAXED);
    return error;
}

/*
 * Takes `pirq` from `d`, which it is mapped to, and the machine. Where memory
 * is too short to split a range the number stays allowed, which gives the
 * domain nothing while the pirq isn't mapped.
 */
static void remove_from_map(struct domain *d, unsigned pirq)
{
    int error;

    arch_pirq_mask(pirq);
    spin_lock(&d->event_lock);
    error = rangeset_remove(d->irqs, pirq, pirq);
    spin_unlock(&d->event_lock);
    if (error)
        log_warning("d%u keeps the right to bind pirq %u", d->id, pirq);
    __atomic_store_n(&pirqs.owners[pirq], NOT_MAPPED, __ATOMIC_RELAXED);
    if (pirq >= machine_gsi_count())
        machine_msi_unmap(pirq);
}

/* Ends all mappings of `d`, whose ports are closed. */
void physdev_release(struct domain *d)
{
    spin_lock(&pirqs.lock);
    for (unsigned pirq = 0; pirq < MAX_PIRQS; pirq++)
        if (pirqs.owners[pirq] == OWNED_BY(d))
            remove_from_map(d, pirq);
    spin_unlock(&pirqs.lock);
}

/* --- mapping ------------------------------------------------------------- */

static int map_gsi(struct domain *d, struct physdev_map_pirq_args *op)
{
    unsigned count = machine_gsi_count();
    unsigned gsi = (unsigned)op->index;
    int error;

    if (gsi >= count || gsi >= MAX_PIRQS)
        return refuse(-EINVAL, "GSI %d: there are %u", op->index, count);
    if (op->pirq >= 0 && op->pirq != op->index)
        return refuse(-EINVAL, "GSI %d can't be pirq %d", op->index, op->pirq);
    spin_lock(&pirqs.lock);
    error = add_to_map(d, (unsigned)index_clamp(gsi, MAX_PIRQS));
    spin_unlock(&pirqs.lock);
    op->pirq = op->index;
    return error;
}

static int parse_msi(const struct physdev_map_pirq_args *op,
                     struct machine_msi *msi)
{
    bool has_segment = op->type != MAP_PIRQ_TYPE_MSI;
    bool is_multi = op->type == MAP_PIRQ_TYPE_MULTI_MSI;

    if (is_multi && (op->entry_nr < 1 || op->entry_nr > MULTI_MSI_MAX ||
                     (op->entry_nr & (op->entry_nr - 1))))
        return -EINVAL;
    if (op->entry_nr < 0 || op->devfn < 0 || op->devfn > 0xff)
        return -EINVAL;
    *msi = (struct machine_msi){
        .segment = has_segment ? (uint16_t)((uint32_t)op->bus >> 16) : 0,
        .bus = (uint8_t)op->bus,
        .devfn = (uint8_t)op->devfn,
        .is_msix = op->table_base != 0 && !is_multi,
        .entry = is_multi ? 0 : (unsigned)op->entry_nr,
        .count = is_multi ? (unsigned)op->entry_nr : 1,
        .table_base = op->table_base,
    };
    return 0;
}

/* Gives `d` the `count` new pirqs from `first` on, or none of them. */
static int add_messages(struct domain *d, unsigned first, unsigned count)
{
    int error = 0;

    if (first >= MAX_PIRQS || count > MAX_PIRQS - first)
        error = -ENOSPC;
    spin_lock(&pirqs.lock);
    for (unsigned i = 0; i < count && !error; i++)
        error = add_to_map(d, first + i);
    for (unsigned i = 0; i < count && error; i++)
        if (is_mapped(d, first + i))
            remove_from_map(d, first + i);
        else
            machine_msi_unmap(first + i);
    spin_unlock(&pirqs.lock);
    return error;
}

static int map_msi(struct domain *d, struct physdev_map_pirq_args *op)
{
    struct machine_msi msi;
    unsigned first;
    int error = parse_msi(op, &msi);

    if (error)
        return error;
    if (op->pirq >= 0)
        return refuse(-EINVAL, "the pirq of a message can't be chosen");
    error = machine_msi_map(&msi, &first);
    if (error)
        return error;
    error = add_messages(d, first, msi.count);
    if (!error)
        op->pirq = (int32_t)first;
    return error;
}

static void unmap(struct domain *d, unsigned first, unsigned count)
{
    spin_lock(&pirqs.lock);
    for (unsigned i = 0; i < count; i++)
        if (is_mapped(d, first + i))
            remove_from_map(d, first + i);
    spin_unlock(&pirqs.lock);
}

static int map_pirq(struct domain *d, struct physdev_map_pirq_args *op)
{
    switch (op->type) {
    case MAP_PIRQ_TYPE_GSI:
        return map_gsi(d, op);
    case MAP_PIRQ_TYPE_MSI:
    case MAP_PIRQ_TYPE_MSI_SEG:
    case MAP_PIRQ_TYPE_MULTI_MSI:
        return map_msi(d, op);
    default:
        return refuse(-EINVAL, "map_pirq of type %d", op->type);
    }
}

static long physdevop_map_pirq(struct sub_call *c, void *arg)
{
    struct physdev_map_pirq_args *op = arg;
    bool is_multi = op->type == MAP_PIRQ_TYPE_MULTI_MSI;
    int error = map_pirq(c->d, op);

    if (!error && sub_op_answer(c)) {
        unmap(c->d, (unsigned)op->pirq, is_multi ? (unsigned)op->entry_nr : 1);
        error = -EFAULT;
    }
    return error;
}

static long physdevop_unmap_pirq(struct sub_call *c, void *arg)
{
    const struct physdev_unmap_pirq_args *op = arg;

    if (op->pirq < 0 || !is_mapped(c->d, (unsigned)op->pirq))
        return -EINVAL;
    unmap(c->d, (unsigned)index_clamp((unsigned)op->pirq, MAX_PIRQS), 1);
    return 0;
}

/* --- interrupts in use --------------------------------------------------- */

static bool needs_eoi(const struct domain *d, uint32_t pirq)
{
    return is_mapped(d, pirq) && machine_pirq_needs_eoi(pirq);
}

static long physdevop_irq_status_query(struct sub_call *c, void *arg)
{
    struct physdev_irq_status_query_args *op = arg;

    op->flags = needs_eoi(c->d, op->irq) ? XENIRQSTAT_needs_eoi : 0;
    return op->irq < MAX_PIRQS ? 0 : -EINVAL;
}

static long physdevop_eoi(struct sub_call *c, void *arg)
{
    const struct physdev_eoi_args *op = arg;

    if (needs_eoi(c->d, op->irq))
        arch_pirq_eoi((unsigned)index_clamp(op->irq, MAX_PIRQS));
    return op->irq < MAX_PIRQS ? 0 : -EINVAL;
}

/* The vector is Mica's business; the caller only wants to hear of success. */
static long physdevop_alloc_irq_vector(struct sub_call *c, void *arg)
{
    struct physdev_irq_args *op = arg;

    (void)c;
    op->vector = op->irq;
    return op->irq < machine_gsi_count() ? 0 : -EINVAL;
}

static long physdevop_setup_gsi(struct sub_call *c, void *arg)
{
    const struct physdev_setup_gsi_args *op = arg;

    (void)c;
    if (op->gsi < 0 || (unsigned)op->gsi >= machine_gsi_count() ||
        op->triggering > 1 || op->polarity > 1)
        return -EINVAL;
    return arch_gsi_setup((unsigned)op->gsi, op->triggering == 1,
                          op->polarity == 1);
}

static long physdevop_apic_read(struct sub_call *c, void *arg)
{
    struct physdev_apic_args *op = arg;

    (void)c;
    return machine_ioapic_read(op->apic_physbase, op->reg, &op->value);
}

/* --- ports --------------------------------------------------------------- */

static long physdevop_set_iopl(struct sub_call *c, void *arg)
{
    const struct physdev_set_iopl_args *op = arg;

    if (op->iopl > 3)
        return -EINVAL;
    machine_set_iopl(c->v, op->iopl);
    return 0;
}

static long physdevop_set_iobitmap(struct sub_call *c, void *arg)
{
    const struct physdev_set_iobitmap_args *op = arg;

    if (op->nr_ports > IO_PORTS)
        return -EINVAL;
    machine_set_iobitmap(c->v, op->bitmap, op->bitmap.va ? op->nr_ports : 0);
    return 0;
}

/* --- PCI devices --------------------------------------------------------- */

/* pci_device_add, whose argument begins like the other's, and _remove. */
static long physdevop_pci_device(struct sub_call *c, void *arg)
{
    const struct physdev_pci_device_args *op = arg;

    return machine_pci_device(op->seg, op->bus, op->devfn,
                              c->cmd == PHYSDEVOP_pci_device_add);
}

static long physdevop_restore_msi_ext(struct sub_call *c, void *arg)
{
    const struct physdev_pci_device_args *op = arg;

    (void)c;
    return machine_msi_restore(op->seg, op->bus, op->devfn);
}

/*
 * manage_pci_add, _add_ext and _remove: the way to say so before there were
 * segments. The extended form begins with the same two members.
 */
static long physdevop_manage_pci(struct sub_call *c, void *arg)
{
    const struct physdev_manage_pci_args *op = arg;

    return machine_pci_device(0, op->bus, op->devfn,
                              c->cmd != PHYSDEVOP_manage_pci_remove);
}

static long physdevop_restore_msi(struct sub_call *c, void *arg)
{
    const struct physdev_manage_pci_args *op = arg;

    (void)c;
    return machine_msi_restore(0, op->bus, op->devfn);
}

static long physdevop_pci_mmcfg_reserved(struct sub_call *c, void *arg)
{
    const struct physdev_pci_mmcfg_reserved_args *op = arg;

    (void)c;
    if (!(op->flags & XEN_PCI_MMCFG_RESERVED))
        return 0;
    return machine_pci_window(op->address, op->segment, op->start_bus,
                              op->end_bus);
}

/* --- dispatch ------------------------------------------------------------ */

static long nothing_to_do(struct sub_call *c, void *arg)
{
    (void)c;
    (void)arg;
    return 0;
}

#define OP(name, handler, type, flags)                                         \
    [PHYSDEVOP_##name] = {handler, sizeof(struct physdev_##type##_args), flags}

/* Without pirq_eoi_gmfn_v1 and _v2 guests ask with irq_status_query. */
static const struct sub_op ops[] = {
    [PHYSDEVOP_IRQ_UNMASK_NOTIFY] = {nothing_to_do, 0, 0},
    OP(irq_status_query, physdevop_irq_status_query, irq_status_query,
       OP_ANSWERS),
    OP(set_iopl, physdevop_set_iopl, set_iopl, 0),
    OP(set_iobitmap, physdevop_set_iobitmap, set_iobitmap, 0),
    OP(apic_read, physdevop_apic_read, apic, OP_DOM0 | OP_ANSWERS),
    OP(alloc_irq_vector, physdevop_alloc_irq_vector, irq, OP_DOM0 | OP_ANSWERS),
    [PHYSDEVOP_free_irq_vector] = {nothing_to_do, 0, OP_DOM0},
    OP(eoi, physdevop_eoi, eoi, 0),
    OP(map_pirq, physdevop_map_pirq, map_pirq, OP_DOM0 | OP_SUBJECT),
    OP(unmap_pirq, physdevop_unmap_pirq, unmap_pirq, OP_SUBJECT),
    OP(manage_pci_add, physdevop_manage_pci, manage_pci, OP_DOM0),
    OP(manage_pci_add_ext, physdevop_manage_pci, manage_pci, OP_DOM0),
    OP(manage_pci_remove, physdevop_manage_pci, manage_pci, OP_DOM0),
    OP(restore_msi, physdevop_restore_msi, manage_pci, OP_DOM0),
    OP(setup_gsi, physdevop_setup_gsi, setup_gsi, OP_DOM0),
    OP(pci_mmcfg_reserved, physdevop_pci_mmcfg_reserved, pci_mmcfg_reserved,
       OP_DOM0),
    OP(pci_device_add, physdevop_pci_device, pci_device, OP_DOM0),
    OP(pci_device_remove, physdevop_pci_device, pci_device, OP_DOM0),
    OP(restore_msi_ext, physdevop_restore_msi_ext, pci_device, OP_DOM0),
};
static const struct sub_op_table table = {ops, ARRAY_LEN(ops), HC_physdev_op};

/* physdev_op(cmd, arg) */
long hc_physdev_op(struct vcpu *v, const struct hc_args *args)
{
    return sub_op_run(&table, v, args->a[0], HC_ARG_VA(args, 1));
}
