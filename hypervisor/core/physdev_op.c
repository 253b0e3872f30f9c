/* SPDX-License-Identifier: MIT */
/*
 * physdev_op: interrupts of devices, all of them dom0's, and port I/O. Numbers
 * of pirqs are the machine's: GSIs, then messages.
 */
#include "core/arch.h"
#include "core/domain.h"
#include "core/evtchn.h"
#include "core/hypercall.h"
#include "core/log.h"
#include "core/machine.h"
#include "core/sub_op.h"

#define IO_PORTS 65536u

/* --- mapping ------------------------------------------------------------- */

static int map(struct physdev_map_pirq_args *op)
{
    switch (op->type) {
    case MAP_PIRQ_TYPE_GSI:
        if ((unsigned)op->index >= machine_gsi_count() ||
            (op->pirq >= 0 && op->pirq != op->index))
            break;
        op->pirq = op->index;
        return 0;
    case MAP_PIRQ_TYPE_MSI:
    case MAP_PIRQ_TYPE_MSI_SEG:
        if ((unsigned)op->entry_nr > 0xffff || (unsigned)op->devfn > 0xff ||
            (unsigned)op->bus > 0xff || op->pirq >= 0)
            break;
        return machine_msi_map(op);
    }
    return refuse(-EINVAL,
                  "map_pirq of type %d: GSI %d or message %d of "
                  "device %x:%x as pirq %d",
                  op->type, op->index, op->entry_nr, op->bus, op->devfn,
                  op->pirq);
}

/* The machine interrupts dom0 alone, so pirqs are nobody else's. */
static long physdevop_map_pirq(struct sub_call *c, void *arg)
{
    struct physdev_map_pirq_args *op = arg;
    int error;

    if (c->d != c->v->domain)
        return refuse(-EOPNOTSUPP, "interrupts of devices are dom0's");
    error = map(op);
    if (error || !sub_op_answer(c))
        return error;
    machine_msi_unmap((unsigned)op->pirq); /* changes nothing for a GSI */
    return -EFAULT;
}

static long physdevop_unmap_pirq(struct sub_call *c, void *arg)
{
    const struct physdev_unmap_pirq_args *op = arg;
    unsigned pirq = (unsigned)op->pirq;

    (void)c;
    if (pirq >= machine_gsi_count())
        return machine_msi_unmap(pirq);
    arch_pirq_change(pirq, PIRQ_CLOSE);
    return 0;
}

/* --- interrupts in use --------------------------------------------------- */

/* Domains that have no pirqs may ask, and hear that there is nothing to do. */
static long physdevop_irq_status_query(struct sub_call *c, void *arg)
{
    struct physdev_irq_status_query_args *op = arg;
    bool needs_eoi = c->d->is_privileged && machine_pirq_needs_eoi(op->irq);

    op->flags = needs_eoi ? XENIRQSTAT_needs_eoi : 0;
    return op->irq < MAX_PIRQS ? 0 : -EINVAL;
}

static long physdevop_eoi(struct sub_call *c, void *arg)
{
    const struct physdev_eoi_args *op = arg;

    if (op->irq >= MAX_PIRQS)
        return -EINVAL;
    if (c->d->is_privileged)
        arch_pirq_change(op->irq, PIRQ_SERVED);
    return 0;
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

static long physdevop_restore_msi_ext(struct sub_call *c, void *arg)
{
    const struct physdev_pci_device_args *op = arg;

    (void)c;
    if (op->seg)
        return -ENODEV;
    machine_msi_restore((uint16_t)(op->bus << 8 | op->devfn));
    return 0;
}

/* What Xen keeps a list of and Mica needn't know: devices, windows to them. */
static long nothing_to_do(struct sub_call *c, void *arg)
{
    (void)c;
    (void)arg;
    return 0;
}

/* --- dispatch ------------------------------------------------------------ */

#define OP(name, handler, type, flags)                                         \
    [PHYSDEVOP_##name] = {handler, sizeof(struct physdev_##type##_args), flags}

/* Without pirq_eoi_gmfn_v1 and _v2 guests ask with irq_status_query. */
static const struct sub_op ops[] = {
    OP(irq_status_query, physdevop_irq_status_query, irq_status_query,
       OP_ANSWERS),
    OP(set_iopl, physdevop_set_iopl, set_iopl, 0),
    OP(set_iobitmap, physdevop_set_iobitmap, set_iobitmap, 0),
    OP(apic_read, physdevop_apic_read, apic, OP_DOM0 | OP_ANSWERS),
    OP(alloc_irq_vector, physdevop_alloc_irq_vector, irq, OP_DOM0 | OP_ANSWERS),
    OP(eoi, physdevop_eoi, eoi, 0),
    OP(map_pirq, physdevop_map_pirq, map_pirq, OP_DOM0 | OP_SUBJECT),
    OP(unmap_pirq, physdevop_unmap_pirq, unmap_pirq, OP_DOM0),
    OP(setup_gsi, physdevop_setup_gsi, setup_gsi, OP_DOM0),
    [PHYSDEVOP_pci_mmcfg_reserved] = {nothing_to_do, 0, OP_DOM0},
    [PHYSDEVOP_pci_device_add] = {nothing_to_do, 0, OP_DOM0},
    [PHYSDEVOP_pci_device_remove] = {nothing_to_do, 0, OP_DOM0},
    OP(restore_msi_ext, physdevop_restore_msi_ext, pci_device, OP_DOM0),
};
static const struct sub_op_table table = {ops, ARRAY_LEN(ops), HC_physdev_op,
                                          0};

/* physdev_op(cmd, arg) */
long hc_physdev_op(struct vcpu *v, const struct hc_args *args)
{
    return sub_op_run(&table, v, args->a[0], HC_ARG_VA(args, 1));
}
