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
#include "core/vcpu.h"

static long schedop_yield(void)
{
    sched_yield_current();
    return 0;
}

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

static long shut_down(struct domain *d, uint32_t reason)
{
    if (reason > SHUTDOWN_MAX)
        return refuse(-EINVAL, "shutdown reason %u", reason);
    if (reason == SHUTDOWN_suspend && d == dom0)
        return 1; /* cancelled: nobody could resume it */
    domain_shut_down(d, reason);
    return 0;
}

/* SCHEDOP_shutdown: the end of the calling domain. */
static long schedop_shutdown(struct domain *d, guest_va arg)
{
    struct sched_shutdown_args op;

    if (copy_in(&op, arg, sizeof(op)))
        return -EFAULT;
    return shut_down(d, op.reason);
}

/* SCHEDOP_shutdown_code: the reason to give should the domain crash. */
static long schedop_shutdown_code(struct domain *d, guest_va arg)
{
    struct sched_shutdown_args op;

    if (copy_in(&op, arg, sizeof(op)))
        return -EFAULT;
    return domain_set_shutdown_code(d, op.reason);
}

static bool any_is_pending(const struct domain *d, const evtchn_port_t *ports,
                           uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (evtchn_is_pending(
                d, (evtchn_port_t)index_clamp(ports[i], EVTCHN_PORTS)))
            return true;
    return false;
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

/* From here on an event on the ports wakes `v`, which is about to block. */
static void register_poller(struct vcpu *v, const evtchn_port_t *ports,
                            uint32_t count)
{
    evtchn_port_t one = POLL_ANY;

    if (count == 1 && ports[0])
        one = ports[0];
    __atomic_store_n(&v->poll_port, one, __ATOMIC_SEQ_CST);
    atomic_bit_set(v->domain->pollers, v->id);
}

/*
 * SCHEDOP_poll: sleeps until a port is pending, masked or not. An event that
 * comes while we look is seen here or its sender sees the poller. Events due
 * for an upcall end it too: the sender of one may hold what we wait for.
 */
static long schedop_poll(struct vcpu *v, guest_va arg)
{
    evtchn_port_t ports[SCHED_POLL_MAX_PORTS];
    struct sched_poll_args op;
    int error;

    if (copy_in(&op, arg, sizeof(op)))
        return -EFAULT;
    error = read_ports(ports, &op);
    if (error)
        return error;
    if (any_is_pending(v->domain, ports, op.nr_ports) || vcpu_has_event(v))
        return 0;
    register_poller(v, ports, op.nr_ports);
    if (op.timeout)
        timer_arm(&v->poll_timer, min_u64(op.timeout, NSEC_NEVER - 1));
    sched_block_current();
    if (any_is_pending(v->domain, ports, op.nr_ports) || vcpu_has_event(v))
        sched_wake(v);
    return 0;
}

/* SCHEDOP_remote_shutdown: dom0 says that another domain has ended. */
static long schedop_remote_shutdown(struct domain *caller, guest_va arg)
{
    struct sched_remote_shutdown_args op;
    struct domain *d;
    long result;

    if (!caller->is_privileged)
        return refuse(-EPERM, "domain %u is not privileged", caller->id);
    if (copy_in(&op, arg, sizeof(op)))
        return -EFAULT;
    d = domain_find_get(op.domain_id);
    if (!d)
        return refuse(-ESRCH, "no domain %u", op.domain_id);
    result = d == caller ? -EINVAL : shut_down(d, op.reason);
    domain_put(d);
    return result;
}

/* SCHEDOP_watchdog: ends the domain unless it comes back in time. */
static long schedop_watchdog(struct domain *d, guest_va arg)
{
    struct sched_watchdog_args op;

    if (copy_in(&op, arg, sizeof(op)))
        return -EFAULT;
    return domain_set_watchdog(d, op.id, op.timeout);
}

/* sched_op(cmd, arg). */
long hc_sched_op(struct vcpu *v, const struct hc_args *args)
{
    guest_va arg = HC_ARG_VA(args, 1);

    switch (args->a[0]) {
    case SCHEDOP_yield:
        return schedop_yield();
    case SCHEDOP_block:
        return schedop_block(v);
    case SCHEDOP_shutdown:
        return schedop_shutdown(v->domain, arg);
    case SCHEDOP_poll:
        return schedop_poll(v, arg);
    case SCHEDOP_remote_shutdown:
        return schedop_remote_shutdown(v->domain, arg);
    case SCHEDOP_shutdown_code:
        return schedop_shutdown_code(v->domain, arg);
    case SCHEDOP_watchdog:
        return schedop_watchdog(v->domain, arg);
    default:
        return -ENOSYS;
    }
}

/* sched_op_compat(cmd, arg): three commands, of which shutdown's arg is it. */
long hc_sched_op_compat(struct vcpu *v, const struct hc_args *args)
{
    switch (args->a[0]) {
    case SCHEDOP_yield:
        return schedop_yield();
    case SCHEDOP_block:
        return schedop_block(v);
    case SCHEDOP_shutdown:
        return shut_down(v->domain, (uint32_t)min_u64(args->a[1], UINT32_MAX));
    default:
        return -ENOSYS;
    }
}
