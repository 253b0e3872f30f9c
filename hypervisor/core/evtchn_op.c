/* SPDX-License-Identifier: MIT */
/*
 * event_channel_op. A handler copies in, validates, reserves a port, copies
 * the answer out and only then makes the port what was asked for.
 */
#include "hypercall_abi/event_channel.h"
#include "hypercall_abi/hypercall.h"

#include "core/domain.h"
#include "core/evtchn.h"
#include "core/guest_copy.h"
#include "core/hypercall.h"
#include "core/log.h"
#include "core/vcpu.h"

/* The domain a call is about, with a reference. 0, -ESRCH, -EPERM. */
static int find_subject(struct domain *caller, domid_t id, struct domain **out)
{
    *out = domain_resolve_get(id);
    if (!*out)
        return refuse(-ESRCH, "no domain %u", id);
    if (*out == caller || caller->is_privileged)
        return 0;
    domain_put(*out);
    return refuse(-EPERM, "domain %u is another", id);
}

static domid_t resolve_id(const struct domain *caller, domid_t id)
{
    return id == DOMID_SELF ? caller->id : id;
}

/* EVTCHNOP_alloc_unbound: a port that another domain may bind to. */
static long evtchnop_alloc_unbound(struct domain *d, guest_va arg)
{
    struct evtchn_alloc_unbound_args op;
    struct domain *owner;
    int error, port;

    if (copy_in(&op, arg, sizeof(op)))
        return -EFAULT;
    error = find_subject(d, op.dom, &owner);
    if (error)
        return error;
    port = evtchn_reserve(owner);
    if (port < 0) {
        error = port;
        goto put_owner;
    }
    op.port = (evtchn_port_t)port;
    if (copy_out(arg, &op, sizeof(op))) {
        evtchn_unreserve(owner, op.port);
        error = -EFAULT;
        goto put_owner;
    }
    evtchn_publish_unbound(owner, op.port, resolve_id(d, op.remote_dom));
put_owner:
    domain_put(owner);
    return error;
}

static int bind_interdomain_to(struct domain *d, struct domain *remote,
                               struct evtchn_bind_interdomain_args *op,
                               guest_va arg)
{
    struct port_info there;
    int port, error = evtchn_get_info(remote, op->remote_port, &there);

    if (error || there.state != PORT_UNBOUND || there.remote_domain != d->id)
        return refuse(-EINVAL, "port %u of domain %u is not for domain %u",
                      op->remote_port, remote->id, d->id);
    port = evtchn_reserve(d);
    if (port < 0)
        return port;
    op->local_port = (evtchn_port_t)port;
    if (copy_out(arg, op, sizeof(*op)))
        error = -EFAULT;
    else
        error = evtchn_publish_interdomain(d, op->local_port, remote,
                                           op->remote_port);
    if (error)
        evtchn_unreserve(d, op->local_port);
    return error;
}

/* EVTCHNOP_bind_interdomain: a port joined to one of another domain. */
static long evtchnop_bind_interdomain(struct domain *d, guest_va arg)
{
    struct evtchn_bind_interdomain_args op;
    struct domain *remote;
    int error;

    if (copy_in(&op, arg, sizeof(op)))
        return -EFAULT;
    remote = domain_resolve_get(op.remote_dom);
    if (!remote)
        return refuse(-ESRCH, "no domain %u", op.remote_dom);
    error = bind_interdomain_to(d, remote, &op, arg);
    domain_put(remote);
    return error;
}

static int check_virq(const struct domain *d, uint32_t virq, uint32_t vcpu)
{
    if (virq >= NR_VIRQS)
        return refuse(-EINVAL, "VIRQ %u", virq);
    if (!domain_vcpu(d, vcpu))
        return refuse(-ENOENT, "no vCPU %u", vcpu);
    if (!evtchn_virq_is_global(virq))
        return 0;
    if (vcpu)
        return refuse(-EINVAL, "VIRQ %u is vCPU 0's", virq);
    if (!d->is_privileged)
        return refuse(-EPERM, "VIRQ %u is not this domain's", virq);
    return 0;
}

/* EVTCHNOP_bind_virq: a port for a virtual interrupt. */
static long evtchnop_bind_virq(struct domain *d, guest_va arg)
{
    struct evtchn_bind_virq_args op;
    int error, port;

    if (copy_in(&op, arg, sizeof(op)))
        return -EFAULT;
    error = check_virq(d, op.virq, op.vcpu);
    if (error)
        return error;
    op.virq = (uint32_t)index_clamp(op.virq, NR_VIRQS);
    if (domain_vcpu(d, op.vcpu)->virq_port[op.virq])
        return -EEXIST;
    port = evtchn_reserve(d);
    if (port < 0)
        return port;
    op.port = (evtchn_port_t)port;
    if (copy_out(arg, &op, sizeof(op)))
        error = -EFAULT;
    else
        error =
            evtchn_publish_virq(d, op.port, op.virq, domain_vcpu(d, op.vcpu));
    if (error)
        evtchn_unreserve(d, op.port);
    return error;
}

/* EVTCHNOP_bind_pirq: a port for a physical interrupt. */
static long evtchnop_bind_pirq(struct domain *d, guest_va arg)
{
    struct evtchn_bind_pirq_args op;
    int error, port;

    if (copy_in(&op, arg, sizeof(op)))
        return -EFAULT;
    if (op.pirq >= MAX_PIRQS)
        return refuse(-EINVAL, "interrupt %u", op.pirq);
    port = evtchn_reserve(d);
    if (port < 0)
        return port;
    op.port = (evtchn_port_t)port;
    if (copy_out(arg, &op, sizeof(op)))
        error = -EFAULT;
    else
        error = evtchn_publish_pirq(d, op.port,
                                    (unsigned)index_clamp(op.pirq, MAX_PIRQS));
    if (error)
        evtchn_unreserve(d, op.port);
    return error;
}

/* EVTCHNOP_bind_ipi: a port with which the caller interrupts its own vCPU. */
static long evtchnop_bind_ipi(struct domain *d, guest_va arg)
{
    struct evtchn_bind_ipi_args op;
    struct vcpu *target;
    int port;

    if (copy_in(&op, arg, sizeof(op)))
        return -EFAULT;
    target = domain_vcpu(d, op.vcpu);
    if (!target)
        return refuse(-ENOENT, "no vCPU %u", op.vcpu);
    port = evtchn_reserve(d);
    if (port < 0)
        return port;
    op.port = (evtchn_port_t)port;
    if (copy_out(arg, &op, sizeof(op))) {
        evtchn_unreserve(d, op.port);
        return -EFAULT;
    }
    evtchn_publish_ipi(d, op.port, target);
    return 0;
}

/* EVTCHNOP_close: frees a port. */
static long evtchnop_close(struct vcpu *v, const struct hc_args *args)
{
    struct evtchn_close_args op;
    int error;

    if (copy_in(&op, HC_ARG_VA(args, 1), sizeof(op)))
        return -EFAULT;
    error = evtchn_close(v->domain, op.port);
    if (error == -EAGAIN)
        return hypercall_restart(v, HC_event_channel_op, args);
    return error;
}

/* EVTCHNOP_send: notifies the other end. */
static long evtchnop_send(struct domain *d, guest_va arg)
{
    struct evtchn_send_args op;

    if (copy_in(&op, arg, sizeof(op)))
        return -EFAULT;
    return evtchn_send(d, op.port);
}

static uint32_t status_of(enum port_state state)
{
    switch (state) {
    case PORT_UNBOUND:
        return EVTCHNSTAT_unbound;
    case PORT_INTERDOMAIN:
        return EVTCHNSTAT_interdomain;
    case PORT_VIRQ:
        return EVTCHNSTAT_virq;
    case PORT_IPI:
        return EVTCHNSTAT_ipi;
    case PORT_PIRQ:
        return EVTCHNSTAT_pirq;
    case PORT_FREE:
    case PORT_RESERVED:
        break;
    }
    return EVTCHNSTAT_closed;
}

static void fill_status(struct evtchn_status_args *op,
                        const struct port_info *info)
{
    op->status = status_of(info->state);
    op->vcpu = info->vcpu;
    memset(&op->u, 0, sizeof(op->u));
    if (info->state == PORT_UNBOUND) {
        op->u.unbound.dom = info->remote_domain;
    } else if (info->state == PORT_INTERDOMAIN) {
        op->u.interdomain.dom = info->remote_domain;
        op->u.interdomain.port = info->remote_port;
    } else if (info->state == PORT_VIRQ) {
        op->u.virq = info->irq;
    } else if (info->state == PORT_PIRQ) {
        op->u.pirq = info->irq;
    }
}

/* EVTCHNOP_status: what a port is. */
static long evtchnop_status(struct domain *d, guest_va arg)
{
    struct evtchn_status_args op;
    struct port_info info;
    struct domain *owner;
    int error;

    if (copy_in(&op, arg, sizeof(op)))
        return -EFAULT;
    error = find_subject(d, op.dom, &owner);
    if (error)
        return error;
    info = (struct port_info){.state = PORT_FREE};
    if (op.port) /* port 0 is there, and closed for good */
        error = evtchn_get_info(owner, op.port, &info);
    domain_put(owner);
    if (error)
        return error;
    fill_status(&op, &info);
    return copy_out(arg, &op, sizeof(op)) ? -EFAULT : 0;
}

/* EVTCHNOP_bind_vcpu: has a port notify another vCPU of the caller. */
static long evtchnop_bind_vcpu(struct domain *d, guest_va arg)
{
    struct evtchn_bind_vcpu_args op;

    if (copy_in(&op, arg, sizeof(op)))
        return -EFAULT;
    if (!domain_vcpu(d, op.vcpu))
        return refuse(-ENOENT, "no vCPU %u", op.vcpu);
    return evtchn_set_vcpu(d, op.port, op.vcpu);
}

/* EVTCHNOP_unmask: clears the mask bit, and notifies if there is cause. */
static long evtchnop_unmask(struct domain *d, guest_va arg)
{
    struct evtchn_unmask_args op;

    if (copy_in(&op, arg, sizeof(op)))
        return -EFAULT;
    return evtchn_unmask(d, op.port);
}

/* EVTCHNOP_reset: closes every port of a domain. */
static long evtchnop_reset(struct vcpu *v, const struct hc_args *args)
{
    struct evtchn_reset_args op;
    struct domain *owner;
    int error;

    if (copy_in(&op, HC_ARG_VA(args, 1), sizeof(op)))
        return -EFAULT;
    error = find_subject(v->domain, op.dom, &owner);
    if (error)
        return error;
    error = evtchn_close_all(owner);
    domain_put(owner);
    if (error == -ERESTART)
        return hypercall_restart(v, HC_event_channel_op, args);
    return error;
}

/* event_channel_op(cmd, arg). */
long hc_event_channel_op(struct vcpu *v, const struct hc_args *args)
{
    struct domain *d = v->domain;
    guest_va arg = HC_ARG_VA(args, 1);

    switch (args->a[0]) {
    case EVTCHNOP_bind_interdomain:
        return evtchnop_bind_interdomain(d, arg);
    case EVTCHNOP_bind_virq:
        return evtchnop_bind_virq(d, arg);
    case EVTCHNOP_bind_pirq:
        return evtchnop_bind_pirq(d, arg);
    case EVTCHNOP_close:
        return evtchnop_close(v, args);
    case EVTCHNOP_send:
        return evtchnop_send(d, arg);
    case EVTCHNOP_status:
        return evtchnop_status(d, arg);
    case EVTCHNOP_alloc_unbound:
        return evtchnop_alloc_unbound(d, arg);
    case EVTCHNOP_bind_ipi:
        return evtchnop_bind_ipi(d, arg);
    case EVTCHNOP_bind_vcpu:
        return evtchnop_bind_vcpu(d, arg);
    case EVTCHNOP_unmask:
        return evtchnop_unmask(d, arg);
    case EVTCHNOP_reset:
        return evtchnop_reset(v, args);
    default: /* the FIFO ABI among them: guests then use the two-level one */
        return -ENOSYS;
    }
}

/*
 * event_channel_op_compat(op): the same commands, up to unmask, with the
 * argument right behind the command.
 */
long hc_event_channel_op_compat(struct vcpu *v, const struct hc_args *args)
{
    struct hc_args split = {{0}};
    guest_va op = HC_ARG_VA(args, 0);
    uint32_t cmd;

    if (copy_in(&cmd, op, sizeof(cmd)))
        return -EFAULT;
    if (cmd > EVTCHNOP_unmask)
        return -ENOSYS;
    split.a[0] = cmd;
    split.a[1] = guest_va_add(op, offsetof(struct evtchn_op, u)).va;
    return hc_event_channel_op(v, &split);
}
