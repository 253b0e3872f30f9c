/* SPDX-License-Identifier: MIT */
/*
 * event_channel_op. Who binds a port reserves it first, then hears its number
 * and only then gets what was asked for.
 */
#include "hypercall_abi/event_channel.h"
#include "hypercall_abi/hypercall.h"

#include "core/domain.h"
#include "core/evtchn.h"
#include "core/guest_copy.h"
#include "core/hypercall.h"
#include "core/log.h"
#include "core/sub_op.h"
#include "core/vcpu.h"

/* Makes a new port, whose number goes to *port of the answer, what it says. */
static long bind(const struct sub_call *c, evtchn_port_t *port,
                 const struct port_info *what)
{
    int error, number = evtchn_reserve(c->d, what);

    if (number < 0)
        return number;
    *port = (evtchn_port_t)number;
    error = sub_op_answer(c);
    if (!error)
        error = evtchn_publish(c->d, *port, what);
    if (error)
        evtchn_unreserve(c->d, *port);
    return error;
}

/* EVTCHNOP_alloc_unbound: a port that another domain may bind to. */
static long evtchnop_alloc_unbound(struct sub_call *c, void *arg)
{
    struct evtchn_alloc_unbound_args *op = arg;
    bool is_own = op->remote_dom == DOMID_SELF;
    struct port_info what = {
        .state = PORT_UNBOUND,
        .remote_domain = is_own ? c->v->domain->id : op->remote_dom,
    };

    return bind(c, &op->port, &what);
}

/* EVTCHNOP_bind_interdomain: a port joined to one of another domain. */
static long evtchnop_bind_interdomain(struct sub_call *c, void *arg)
{
    struct evtchn_bind_interdomain_args *op = arg;
    struct domain *remote = domain_resolve_get(op->remote_dom);
    struct port_info what = {
        .state = PORT_INTERDOMAIN,
        .remote_port = op->remote_port,
        .peer = remote,
    };
    long result;

    if (!remote)
        return refuse(-ESRCH, "no domain %u", op->remote_dom);
    what.remote_domain = remote->id;
    result = bind(c, &op->local_port, &what);
    domain_put(remote);
    return result;
}

/* EVTCHNOP_bind_virq: a port for a virtual interrupt. */
static long evtchnop_bind_virq(struct sub_call *c, void *arg)
{
    struct evtchn_bind_virq_args *op = arg;
    struct port_info what = {
        .state = PORT_VIRQ,
        .vcpu = op->vcpu,
        .irq = (uint32_t)index_clamp(op->virq, NR_VIRQS),
    };

    if (op->virq >= NR_VIRQS)
        return refuse(-EINVAL, "VIRQ %u", op->virq);
    if (!domain_vcpu(c->d, op->vcpu))
        return refuse(-ENOENT, "no vCPU %u", op->vcpu);
    if (evtchn_virq_is_global(op->virq) && op->vcpu)
        return refuse(-EINVAL, "VIRQ %u is vCPU 0's", op->virq);
    if (evtchn_virq_is_global(op->virq) && !c->d->is_privileged)
        return refuse(-EPERM, "VIRQ %u is not this domain's", op->virq);
    return bind(c, &op->port, &what);
}

/* EVTCHNOP_bind_pirq: a port for a physical interrupt. */
static long evtchnop_bind_pirq(struct sub_call *c, void *arg)
{
    struct evtchn_bind_pirq_args *op = arg;
    struct port_info what = {
        .state = PORT_PIRQ,
        .irq = (uint32_t)index_clamp(op->pirq, MAX_PIRQS),
    };

    if (op->pirq >= MAX_PIRQS)
        return refuse(-EINVAL, "interrupt %u", op->pirq);
    return bind(c, &op->port, &what);
}

/* EVTCHNOP_bind_ipi: a port with which the caller interrupts its own vCPU. */
static long evtchnop_bind_ipi(struct sub_call *c, void *arg)
{
    struct evtchn_bind_ipi_args *op = arg;
    struct port_info what = {.state = PORT_IPI, .vcpu = op->vcpu};

    if (!domain_vcpu(c->d, op->vcpu))
        return refuse(-ENOENT, "no vCPU %u", op->vcpu);
    return bind(c, &op->port, &what);
}

/* EVTCHNOP_close: frees a port. */
static long evtchnop_close(struct sub_call *c, void *arg)
{
    const struct evtchn_close_args *op = arg;

    return evtchn_close(c->d, op->port);
}

/* EVTCHNOP_send: notifies the other end. */
static long evtchnop_send(struct sub_call *c, void *arg)
{
    const struct evtchn_send_args *op = arg;

    return evtchn_send(c->d, op->port);
}

/* EVTCHNOP_status: what a port is. Port 0 is there, and closed for good. */
static long evtchnop_status(struct sub_call *c, void *arg)
{
    static const uint32_t names[] = {
        [PORT_FREE] = EVTCHNSTAT_closed,
        [PORT_UNBOUND] = EVTCHNSTAT_unbound,
        [PORT_INTERDOMAIN] = EVTCHNSTAT_interdomain,
        [PORT_VIRQ] = EVTCHNSTAT_virq,
        [PORT_IPI] = EVTCHNSTAT_ipi,
        [PORT_PIRQ] = EVTCHNSTAT_pirq,
    };
    struct evtchn_status_args *op = arg;
    struct port_info info;
    int error = evtchn_get_info(c->d, op->port, &info);

    if (error)
        return error;
    op->status = names[info.state];
    op->vcpu = info.vcpu;
    memset(&op->u, 0, sizeof(op->u));
    if (info.state == PORT_VIRQ || info.state == PORT_PIRQ) {
        op->u.virq = info.irq;
    } else { /* zeroes for ports of other kinds */
        op->u.interdomain.dom = info.remote_domain;
        op->u.interdomain.port = info.remote_port;
    }
    return 0;
}

/* EVTCHNOP_bind_vcpu: has a port notify another vCPU of the caller. */
static long evtchnop_bind_vcpu(struct sub_call *c, void *arg)
{
    const struct evtchn_bind_vcpu_args *op = arg;

    if (!domain_vcpu(c->d, op->vcpu))
        return refuse(-ENOENT, "no vCPU %u", op->vcpu);
    return evtchn_set_vcpu(c->d, op->port, op->vcpu);
}

/* EVTCHNOP_unmask: clears the mask bit, and notifies if there is cause. */
static long evtchnop_unmask(struct sub_call *c, void *arg)
{
    const struct evtchn_unmask_args *op = arg;

    return evtchn_unmask(c->d, op->port);
}

/* EVTCHNOP_reset: closes every port of a domain. */
static long evtchnop_reset(struct sub_call *c, void *arg)
{
    (void)arg;
    return evtchn_close_all(c->d);
}

#define OP(name, flags)                                                        \
    [EVTCHNOP_##                                                               \
        name] = {evtchnop_##name, sizeof(struct evtchn_##name##_args), flags}

/* The FIFO ABI is not served: guests then use the two-level one. */
static const struct sub_op ops[] = {
    OP(bind_interdomain, 0),
    OP(bind_virq, 0),
    OP(bind_pirq, 0),
    OP(close, 0),
    OP(send, 0),
    OP(status, OP_SUBJECT | OP_ANSWERS),
    OP(alloc_unbound, OP_SUBJECT),
    OP(bind_ipi, 0),
    OP(bind_vcpu, 0),
    OP(unmask, 0),
    OP(reset, OP_SUBJECT),
};
static const struct sub_op_table table = {ops, ARRAY_LEN(ops),
                                          HC_event_channel_op};

/* event_channel_op(cmd, arg). */
long hc_event_channel_op(struct vcpu *v, const struct hc_args *args)
{
    return sub_op_run(&table, v, args->a[0], HC_ARG_VA(args, 1));
}

/*
 * event_channel_op_compat(op): the same commands, up to unmask, with the
 * argument right behind the command.
 */
long hc_event_channel_op_compat(struct vcpu *v, const struct hc_args *args)
{
    guest_va op = HC_ARG_VA(args, 0);
    uint32_t cmd;

    if (copy_in(&cmd, op, sizeof(cmd)))
        return -EFAULT;
    if (cmd > EVTCHNOP_unmask)
        return -ENOSYS;
    return sub_op_run(&table, v, cmd,
                      guest_va_add(op, offsetof(struct evtchn_op, u)));
}
