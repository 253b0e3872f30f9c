/* SPDX-License-Identifier: MIT */
/* sched_op: how a vCPU gives up its pCPU and a domain ends. */
#include "hypercall_abi/hypercall.h"
#include "hypercall_abi/sched.h"

#include "core/bitmap.h"
#include "core/domain.h"
#include "core/evtchn.h"
#include "core/guest_copy.h"
#include "core/hypercall.h"
#include "core/log.h"
#include "core/sched.h"
#include "core/sub_op.h"
#include "core/vcpu.h"

/*
 * SCHEDOP_block: unmasks events and sleeps until one. Whoever raises an event
 * sees the vCPU blocked, or we see the event.
 */
static long schedop_block(struct vcpu *v)
{
    struct vcpu_info *info = vcpu_info_of(v);

    __atomic_store_n(&info->evtchn_upcall_mask, 0, __ATOMIC_SEQ_CST);
    if (vcpu_has_event(v))
        return 0;
    sched_block_current();
    if (vcpu_has_event(v))
        sched_wake(v);
    return 0;
}

/*
 * SCHEDOP_shutdown and SCHEDOP_remote_shutdown, by which dom0 says that another
 * domain has ended.
 */
static long schedop_shutdown(struct sub_call *c, void *arg)
{
    const struct sched_remote_shutdown_args *remote = arg;
    const struct sched_shutdown_args *own = arg;
    bool is_remote = c->cmd == SCHEDOP_remote_shutdown;
    uint32_t reason = is_remote ? remote->reason : own->reason;

    if (reason > SHUTDOWN_MAX || (is_remote && c->d == c->v->domain))
        return refuse(-EINVAL, "shutdown reason %u", reason);
    if (reason == SHUTDOWN_suspend && c->d == dom0)
        return 1; /* cancelled: nobody could resume it */
    domain_shut_down(c->d, reason);
    return 0;
}

static bool is_over(const struct vcpu *v, const evtchn_port_t *ports,
                    uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (evtchn_is_pending(
                v->domain, (evtchn_port_t)index_clamp(ports[i], EVTCHN_PORTS)))
            return true;
    return vcpu_has_event(v);
}

static int read_ports(evtchn_port_t *ports, const struct sched_poll_args *op)
{
    if (op->nr_ports > SCHED_POLL_MAX_PORTS)
        return refuse(-EINVAL, "poll of %u ports", op->nr_ports);
    if (copy_in(ports, op->ports, op->nr_ports * sizeof(*ports)))
        return -EFAULT;
    for (uint32_t i = 0; i < op->nr_ports; i++)
        if (ports[i] >= EVTCHN_PORTS)
            return refuse(-EINVAL, "poll of port %u", ports[i]);
    return 0;
}

/*
 * SCHEDOP_poll: sleeps until a port is pending, masked or not. An event that
 * comes while we look is seen here or its sender sees the poller. Events due
 * for an upcall end it too: the sender of one may hold what we wait for.
 */
static long schedop_poll(struct sub_call *c, void *arg)
{
    const struct sched_poll_args *op = arg;
    evtchn_port_t ports[SCHED_POLL_MAX_PORTS];
    struct vcpu *v = c->v;
    int error = read_ports(ports, op);

    if (error)
        return error;
    if (is_over(v, ports, op->nr_ports))
        return 0;
    __atomic_store_n(&v->poll_port,
                     op->nr_ports == 1 && ports[0] ? ports[0] : POLL_ANY,
                     __ATOMIC_SEQ_CST);
    atomic_bit_set(c->d->pollers, v->id);
    if (op->timeout)
        timer_arm(&v->wake_timer, op->timeout);
    sched_block_current();
    if (is_over(v, ports, op->nr_ports))
        sched_wake(v);
    return 0;
}

/* SCHEDOP_watchdog: ends the domain unless it comes back in time. */
static long schedop_watchdog(struct sub_call *c, void *arg)
{
    const struct sched_watchdog_args *op = arg;

    return domain_set_watchdog(c->d, op->id, op->timeout);
}

static const struct sub_op ops[] = {
    [SCHEDOP_shutdown] = {schedop_shutdown, sizeof(struct sched_shutdown_args),
                          0},
    [SCHEDOP_poll] = {schedop_poll, sizeof(struct sched_poll_args), 0},
    [SCHEDOP_remote_shutdown] = {schedop_shutdown,
                                 sizeof(struct sched_remote_shutdown_args),
                                 OP_DOM0 | OP_SUBJECT},
    [SCHEDOP_watchdog] = {schedop_watchdog, sizeof(struct sched_watchdog_args),
                          0},
};
static const struct sub_op_table table = {ops, ARRAY_LEN(ops), HC_sched_op, 0};

/* sched_op(cmd, arg). */
long hc_sched_op(struct vcpu *v, const struct hc_args *args)
{
    switch ((uint32_t)args->a[0]) {
    case SCHEDOP_yield:
        sched_yield_current();
        return 0;
    case SCHEDOP_block:
        return schedop_block(v);
    default:
        return sub_op_run(&table, v, args->a[0], HC_ARG_VA(args, 1));
    }
}
