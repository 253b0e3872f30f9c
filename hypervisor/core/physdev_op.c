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
#include "core/heap.h"
#include "core/hypercall.h"
#include "core/log.h"
#include "core/machine.h"
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

static long put(guest_va arg, const void *data, size_t size)
{
    return copy_out(arg, data, size) ? -EFAULT : 0;
}

/* Whether `pirq` is mapped to `d`. */
static bool is_mapped(const struct domain *d, uint64_t pirq)
{
    uint64_t index = index_clamp(pirq, MAX_PIRQS);

    return pirq < MAX_PIRQS && __atomic_load_n(&pirqs.owners[index],
                                               __ATOMIC_RELAXED) == OWNED_BY(d);
}

/* --- the map; all need pirqs.lock ---------------------------------------- */

/* Notes that `pirq` is `d`'s. Again is fine; -EBUSY if it is another's. */
static int add_to_map(struct domain *d, unsigned pirq)
{
    int error;

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

/* A domain that dom0 names. With a reference. */
static int get_target(struct vcpu *v, domid_t id, struct domain **out)
{
    if (id == DOMID_SELF || id == v->domain->id) {
        domain_get(v->domain);
        *out = v->domain;
        return 0;
    }
    if (!v->domain->is_privileged)
        return -EPERM;
    *out = domain_find_get(id);
    return *out ? 0 : -ESRCH;
}

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

/* Gives `d` the `count` pirqs from `first` on, or none of them. */
static int add_messages(struct domain *d, unsigned first, unsigned count)
{
    unsigned done = 0;
    int error = 0;

    if (first >= MAX_PIRQS || count > MAX_PIRQS - first)
        error = -ENOSPC;
    spin_lock(&pirqs.lock);
    while (!error && done < count) {
        error = add_to_map(d, first + done);
        done += !error;
    }
    if (error) {
        for (unsigned i = 0; i < done; i++)
            remove_from_map(d, first + i);
        for (unsigned i = done; i < count; i++)
            machine_msi_unmap(first + i);
    }
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

static long physdevop_map_pirq(struct vcpu *v, guest_va arg)
{
    struct physdev_map_pirq_args op;
    struct domain *d;
    int error;

    if (copy_in(&op, arg, sizeof(op)))
        return -EFAULT;
    error = get_target(v, op.domid, &d);
    if (error)
        return error;
    error = map_pirq(d, &op);
    if (!error && copy_out(arg, &op, sizeof(op))) {
        bool is_multi = op.type == MAP_PIRQ_TYPE_MULTI_MSI;

        unmap(d, (unsigned)op.pirq, is_multi ? (unsigned)op.entry_nr : 1);
        error = -EFAULT;
    }
    domain_put(d);
    return error;
}

static long physdevop_unmap_pirq(struct vcpu *v, guest_va arg)
{
    struct physdev_unmap_pirq_args op;
    struct domain *d;
    int error;

    if (copy_in(&op, arg, sizeof(op)))
        return -EFAULT;
    error = get_target(v, op.domid, &d);
    if (error)
        return error;
    if (op.pirq >= 0 && is_mapped(d, (unsigned)op.pirq))
        unmap(d, (unsigned)index_clamp((unsigned)op.pirq, MAX_PIRQS), 1);
    else
        error = -EINVAL;
    domain_put(d);
    return error;
}

/* --- interrupts in use --------------------------------------------------- */

static long physdevop_irq_status_query(struct vcpu *v, guest_va arg)
{
    struct physdev_irq_status_query_args op;

    if (copy_in(&op, arg, sizeof(op)))
        return -EFAULT;
    if (op.irq >= MAX_PIRQS)
        return -EINVAL;
    op.flags = 0;
    if (is_mapped(v->domain, op.irq) && machine_pirq_needs_eoi(op.irq))
        op.flags = XENIRQSTAT_needs_eoi;
    return put(arg, &op, sizeof(op));
}

static long physdevop_eoi(struct vcpu *v, guest_va arg)
{
    struct physdev_eoi_args op;

    if (copy_in(&op, arg, sizeof(op)))
        return -EFAULT;
    if (op.irq >= MAX_PIRQS)
        return -EINVAL;
    if (is_mapped(v->domain, op.irq) && machine_pirq_needs_eoi(op.irq))
        arch_pirq_eoi((unsigned)index_clamp(op.irq, MAX_PIRQS));
    return 0;
}

/* The vector is Mica's business; the caller only wants to hear of success. */
static long physdevop_alloc_irq_vector(guest_va arg)
{
    struct physdev_irq_args op;

    if (copy_in(&op, arg, sizeof(op)))
        return -EFAULT;
    if (op.irq >= machine_gsi_count())
        return -EINVAL;
    op.vector = op.irq;
    return put(arg, &op, sizeof(op));
}

static long physdevop_setup_gsi(guest_va arg)
{
    struct physdev_setup_gsi_args op;

    if (copy_in(&op, arg, sizeof(op)))
        return -EFAULT;
    if (op.gsi < 0 || (unsigned)op.gsi >= machine_gsi_count() ||
        op.triggering > 1 || op.polarity > 1)
        return -EINVAL;
    return arch_gsi_setup((unsigned)op.gsi, op.triggering == 1,
                          op.polarity == 1);
}

static long physdevop_apic_read(guest_va arg)
{
    struct physdev_apic_args op;
    int error;

    if (copy_in(&op, arg, sizeof(op)))
        return -EFAULT;
    error = machine_ioapic_read(op.apic_physbase, op.reg, &op.value);
    return error ? error : put(arg, &op, sizeof(op));
}

/* --- ports --------------------------------------------------------------- */

static long physdevop_set_iopl(struct vcpu *v, guest_va arg)
{
    struct physdev_set_iopl_args op;

    if (copy_in(&op, arg, sizeof(op)))
        return -EFAULT;
    if (op.iopl > 3)
        return -EINVAL;
    machine_set_iopl(v, op.iopl);
    return 0;
}

static long physdevop_set_iobitmap(struct vcpu *v, guest_va arg)
{
    struct physdev_set_iobitmap_args op;
    uint64_t *bitmap;
    long result;

    if (copy_in(&op, arg, sizeof(op)))
        return -EFAULT;
    if (op.nr_ports > IO_PORTS)
        return -EINVAL;
    if (!op.bitmap.va || !op.nr_ports)
        return machine_set_iobitmap(v, NULL, 0);
    bitmap = heap_zalloc(IO_PORTS / 8);
    if (!bitmap)
        return -ENOMEM;
    memset(bitmap, 0xff, IO_PORTS / 8);
    if (copy_in(bitmap, op.bitmap, (op.nr_ports + 7) / 8))
        result = -EFAULT;
    else
        result = machine_set_iobitmap(v, bitmap, op.nr_ports);
    heap_zfree(bitmap, IO_PORTS / 8);
    return result;
}

/* --- PCI devices --------------------------------------------------------- */

static long physdevop_pci_device_add(guest_va arg)
{
    struct physdev_pci_device_add_args op;

    if (copy_in(&op, arg, sizeof(op)))
        return -EFAULT;
    return machine_pci_device(op.seg, op.bus, op.devfn, true);
}

static long pci_device_op(unsigned cmd, guest_va arg)
{
    struct physdev_pci_device_args op;

    if (copy_in(&op, arg, sizeof(op)))
        return -EFAULT;
    switch (cmd) {
    case PHYSDEVOP_pci_device_remove:
        return machine_pci_device(op.seg, op.bus, op.devfn, false);
    case PHYSDEVOP_restore_msi_ext:
        return machine_msi_restore(op.seg, op.bus, op.devfn);
    default:
        return -ENOSYS;
    }
}

/* The way to say so before there were segments. */
static long manage_pci_op(unsigned cmd, guest_va arg)
{
    struct physdev_manage_pci_args op;

    /* The extended form begins with the same two members. */
    if (copy_in(&op, arg, sizeof(op)))
        return -EFAULT;
    if (cmd == PHYSDEVOP_restore_msi)
        return machine_msi_restore(0, op.bus, op.devfn);
    return machine_pci_device(0, op.bus, op.devfn,
                              cmd != PHYSDEVOP_manage_pci_remove);
}

static long physdevop_pci_mmcfg_reserved(guest_va arg)
{
    struct physdev_pci_mmcfg_reserved_args op;

    if (copy_in(&op, arg, sizeof(op)))
        return -EFAULT;
    if (!(op.flags & XEN_PCI_MMCFG_RESERVED))
        return 0;
    return machine_pci_window(op.address, op.segment, op.start_bus, op.end_bus);
}

/* --- dispatch ------------------------------------------------------------ */

/* What only dom0 may do. */
static long privileged_op(struct vcpu *v, unsigned cmd, guest_va arg)
{
    switch (cmd) {
    case PHYSDEVOP_apic_read:
        return physdevop_apic_read(arg);
    case PHYSDEVOP_alloc_irq_vector:
        return physdevop_alloc_irq_vector(arg);
    case PHYSDEVOP_free_irq_vector:
        return 0;
    case PHYSDEVOP_map_pirq:
        return physdevop_map_pirq(v, arg);
    case PHYSDEVOP_setup_gsi:
        return physdevop_setup_gsi(arg);
    case PHYSDEVOP_manage_pci_add:
    case PHYSDEVOP_manage_pci_add_ext:
    case PHYSDEVOP_manage_pci_remove:
    case PHYSDEVOP_restore_msi:
        return manage_pci_op(cmd, arg);
    case PHYSDEVOP_pci_device_add:
        return physdevop_pci_device_add(arg);
    case PHYSDEVOP_pci_device_remove:
    case PHYSDEVOP_restore_msi_ext:
        return pci_device_op(cmd, arg);
    case PHYSDEVOP_pci_mmcfg_reserved:
        return physdevop_pci_mmcfg_reserved(arg);
    default:
        return refuse(-ENOSYS, "physdev_op %u is not served", cmd);
    }
}

static long dispatch(struct vcpu *v, unsigned cmd, guest_va arg)
{
    switch (cmd) {
    case PHYSDEVOP_IRQ_UNMASK_NOTIFY:
        return 0;
    case PHYSDEVOP_irq_status_query:
        return physdevop_irq_status_query(v, arg);
    case PHYSDEVOP_set_iopl:
        return physdevop_set_iopl(v, arg);
    case PHYSDEVOP_set_iobitmap:
        return physdevop_set_iobitmap(v, arg);
    case PHYSDEVOP_eoi:
        return physdevop_eoi(v, arg);
    case PHYSDEVOP_unmap_pirq:
        return physdevop_unmap_pirq(v, arg);
    case PHYSDEVOP_pirq_eoi_gmfn_v1:
    case PHYSDEVOP_pirq_eoi_gmfn_v2:
        return -ENOSYS; /* the guest then asks with irq_status_query */
    default:
        return v->domain->is_privileged ? privileged_op(v, cmd, arg) : -EPERM;
    }
}

/* physdev_op(cmd, arg) */
long hc_physdev_op(struct vcpu *v, const struct hc_args *args)
{
    return dispatch(v, (uint32_t)args->a[0], HC_ARG_VA(args, 1));
}

/* physdev_op_compat(struct physdev_op *): the oldest commands, as one piece. */
long hc_physdev_op_compat(struct vcpu *v, const struct hc_args *args)
{
    guest_va arg = HC_ARG_VA(args, 0);
    uint32_t cmd;

    if (copy_in(&cmd, arg, sizeof(cmd)))
        return -EFAULT;
    if (cmd > PHYSDEVOP_free_irq_vector)
        return -ENOSYS;
    return dispatch(v, cmd, guest_va_add(arg, offsetof(struct physdev_op, u)));
}
