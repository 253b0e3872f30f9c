/* SPDX-License-Identifier: MIT */
/* domctl: what of the machine a domain may use and see (domctl.h). */
#include "core/domctl.h"

#include "core/arch.h"
#include "core/cpu_policy.h"
#include "core/domain.h"
#include "core/evtchn.h"
#include "core/frame.h"
#include "core/guest_copy.h"
#include "core/log.h"
#include "core/vcpu.h"

#define IO_PORTS 65536u
#define MAX_FRAME (1ull << 40)

/* --- rights -------------------------------------------------------------- */

/* XEN_DOMCTL_irq_permission: whether it may bind a pirq. */
long domctl_irq_permission(struct domctl *c)
{
    const struct xen_domctl_irq_permission *op = &c->op.u.irq_permission;
    struct domain *d = c->d;
    int error;

    if (op->pirq >= MAX_PIRQS)
        return refuse(-EINVAL, "pirq %u", op->pirq);
    spin_lock(&d->event_lock);
    error = op->allow_access ? rangeset_add(d->irqs, op->pirq, op->pirq)
                             : rangeset_remove(d->irqs, op->pirq, op->pirq);
    spin_unlock(&d->event_lock);
    return error;
}

/* Mappings that the domain has made already stay. */
long domctl_iomem_permission(struct domctl *c)
{
    const struct xen_domctl_iomem_permission *op = &c->op.u.iomem_permission;
    struct domain *d = c->d;
    uint64_t last;
    int error;

    if (!op->nr_mfns || add_overflows(op->first_mfn, op->nr_mfns - 1, &last) ||
        last >= MAX_FRAME)
        return refuse(-EINVAL, "device frames %#llx, %llu of them",
                      (unsigned long long)op->first_mfn,
                      (unsigned long long)op->nr_mfns);
    if (!rangeset_contains(c->caller->domain->io_frames, op->first_mfn, last))
        return refuse(-EPERM, "device frames %#llx to %#llx",
                      (unsigned long long)op->first_mfn,
                      (unsigned long long)last);
    spin_lock(&d->pt_lock);
    error = op->allow_access
                ? rangeset_add(d->io_frames, op->first_mfn, last)
                : rangeset_remove(d->io_frames, op->first_mfn, last);
    spin_unlock(&d->pt_lock);
    return error;
}

static int change_ports(struct domain *d, unsigned first, unsigned last,
                        bool allow)
{
    int error = 0;

    domain_pause(d);
    if (allow)
        error = arch_domain_give_ports(d, first, last);
    else
        arch_domain_take_ports(d, first, last);
    domain_unpause(d);
    return error;
}

/* XEN_DOMCTL_ioport_permission: of ports that the caller has, or -EPERM. */
long domctl_ioport_permission(struct domctl *c)
{
    const struct xen_domctl_ioport_permission *op = &c->op.u.ioport_permission;
    unsigned last = op->first_port + op->nr_ports - 1;

    if (op->first_port >= IO_PORTS || op->nr_ports > IO_PORTS - op->first_port)
        return refuse(-EINVAL, "ports %#x, %u of them", op->first_port,
                      op->nr_ports);
    if (!op->nr_ports)
        return 0;
    if (!arch_domain_has_ports(c->caller->domain, op->first_port, last))
        return refuse(-EPERM, "ports %#x to %#x", op->first_port, last);
    return change_ports(c->d, op->first_port, last, op->allow_access);
}

/* XEN_DOMCTL_hypercall_init: -EINVAL for another's frame, -EBUSY. */
long domctl_hypercall_init(struct domctl *c)
{
    mfn_t mfn = MFN(c->op.u.hypercall_init.gmfn);
    struct frame *f = frame_get(mfn, c->d);
    int error;

    if (!f)
        return refuse(-EINVAL, "frame %#llx is not d%u's",
                      (unsigned long long)mfn.n, c->d->id);
    error = frame_get_writable(f);
    frame_put(f);
    if (error)
        return error;
    arch_hypercall_page_fill(arch_frame_ptr(mfn));
    frame_put_writable(f);
    return 0;
}

/* --- processors ---------------------------------------------------------- */

/* What every guest sees; there are no MSRs to describe. */
long domctl_get_cpu_policy(struct domctl *c)
{
    struct xen_domctl_cpu_policy *op = &c->op.u.cpu_policy;

    op->nr_msrs = 0;
    return cpu_policy_put(MACHINE_CPUID_GUEST, op->leaves, &op->nr_leaves);
}

/* One that asks for less changes nothing; of too much the caller hears. */
long domctl_set_cpu_policy(struct domctl *c)
{
    struct xen_domctl_cpu_policy *op = &c->op.u.cpu_policy;
    struct xen_cpuid_leaf bad;
    int error;

    if (op->nr_msrs)
        return refuse(-EINVAL, "a policy has no MSRs");
    error = cpu_policy_check(op->leaves, op->nr_leaves, &bad);
    if (error != -EINVAL)
        return error;
    op->err_leaf = bad.leaf;
    op->err_subleaf = bad.subleaf;
    op->err_msr = XEN_CPUID_INPUT_UNUSED;
    return copy_out(c->arg, &c->op, sizeof(c->op)) ? -EFAULT : -EINVAL;
}
