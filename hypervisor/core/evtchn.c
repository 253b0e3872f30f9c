/* SPDX-License-Identifier: MIT */
/* Ports, what they say, and event_channel_op (evtchn.h). */
#include "core/evtchn.h"

#include "hypercall_abi/event_channel.h"
#include "hypercall_abi/hypercall.h"

#include "core/arch.h"
#include "core/bitmap.h"
#include "core/domain.h"
#include "core/heap.h"
#include "core/hypercall.h"
#include "core/log.h"
#include "core/sched.h"
#include "core/spinlock.h"
#include "core/sub_op.h"
#include "core/vcpu.h"

#define BUCKET_PORTS 128u
#define BUCKET_SIZE (BUCKET_PORTS * sizeof(struct port_info))
#define BUCKETS (EVTCHN_PORTS / BUCKET_PORTS)

/*
 * Buckets appear when their first port is needed and stay until the domain is
 * freed, so that a pointer once read remains good.
 */
struct evtchn_table {
    struct port_info *buckets[BUCKETS];        /* atomic, event_lock */
    uint64_t free[BITMAP_WORDS(EVTCHN_PORTS)]; /* event_lock */
    bool is_closed;                            /* event_lock: no new ports */
    evtchn_port_t last;                        /* event_lock: highest allowed */
    evtchn_port_t pirq_port[MAX_PIRQS];        /* event_lock */
};

static struct spinlock binding_lock = SPINLOCK_INIT; /* evtchn.h */

/* --- the table ----------------------------------------------------------- */

/* Gives a domain that is being created its table. 0 or -ENOMEM. */
int evtchn_create(struct domain *d)
{
    d->events = heap_zalloc(sizeof(*d->events));
    if (!d->events)
        return -ENOMEM;
    d->events->last = EVTCHN_PORTS - 1;
    memset(d->events->free, 0xff, sizeof(d->events->free));
    return 0;
}

/* `d` gets no new ports above `last`; those it has stay. */
void evtchn_set_limit(struct domain *d, evtchn_port_t last)
{
    spin_lock(&d->event_lock);
    d->events->last = (evtchn_port_t)min_u64(last, EVTCHN_PORTS - 1);
    spin_unlock(&d->event_lock);
}

/* Frees the table of a domain whose ports are closed; NULL is none. */
void evtchn_destroy(struct domain *d)
{
    struct evtchn_table *table = d->events;

    if (!table)
        return;
    for (unsigned i = 0; i < BUCKETS; i++)
        heap_zfree(table->buckets[i], BUCKET_SIZE);
    heap_zfree(table, sizeof(*table));
    d->events = NULL;
}

/* The record of a port, bound or not; NULL for a number never used. */
static struct port_info *port_of(const struct domain *d, evtchn_port_t number)
{
    uint64_t n = index_clamp(number, EVTCHN_PORTS);
    struct port_info *bucket = __atomic_load_n(
        &d->events->buckets[n / BUCKET_PORTS], __ATOMIC_ACQUIRE);

    return n && bucket ? &bucket[n % BUCKET_PORTS] : NULL;
}

/* The record of a port that is bound, or NULL. With the event_lock. */
static struct port_info *bound_port(const struct domain *d,
                                    evtchn_port_t number)
{
    struct port_info *port = port_of(d, number);

    return port && port->state != PORT_FREE ? port : NULL;
}

/* --- raising events ------------------------------------------------------ */

static void notify(struct vcpu *v, evtchn_port_t port)
{
    struct vcpu_info *info = vcpu_info_of(v);

    if (!atomic_bit_set(&info->evtchn_pending_sel, port / 64) &&
        !__atomic_exchange_n(&info->evtchn_upcall_pending, 1, __ATOMIC_SEQ_CST))
        sched_notify(v);
}

/* Wakes those who poll for `port`, whether it is masked or not. */
static void wake_pollers(struct domain *d, evtchn_port_t port)
{
    bitmap_for_each(id, d->pollers, MAX_VCPUS)
    {
        struct vcpu *v = domain_vcpu(d, id);
        evtchn_port_t polled = __atomic_load_n(&v->poll_port, __ATOMIC_RELAXED);

        if (polled == port || polled == POLL_ANY)
            sched_wake(v);
    }
}

/* Makes `port` pending, and tells `v` if the guest has it unmasked. */
static void set_pending(struct vcpu *v, evtchn_port_t port)
{
    struct shared_info *shared = v->domain->shared_info;

    if (atomic_bit_set(shared->evtchn_pending, port))
        return;
    __atomic_fetch_add(&v->events, 1, __ATOMIC_RELAXED);
    if (!bit_test(shared->evtchn_mask, port))
        notify(v, port);
    wake_pollers(v->domain, port);
}

/* The vCPU that a port notifies; vCPU 0 should that one be no more. */
static struct vcpu *target_of(const struct domain *d,
                              const struct port_info *port)
{
    struct vcpu *v =
        domain_vcpu(d, __atomic_load_n(&port->vcpu, __ATOMIC_RELAXED));

    return v ? v : domain_vcpu(d, 0);
}

/* Nothing happens for port 0, which stands for none. */
static void raise_port(struct domain *d, evtchn_port_t number)
{
    const struct port_info *port = port_of(d, number);
    struct vcpu *v = port ? target_of(d, port) : NULL;

    if (v)
        set_pending(v, number);
}

/* Whether a virtual interrupt is one per machine, not one per vCPU. */
static bool evtchn_virq_is_global(unsigned virq)
{
    return virq != VIRQ_TIMER && virq != VIRQ_DEBUG && virq != VIRQ_XENOPROF &&
           virq != VIRQ_XENPMU;
}

/* Whether the guest has yet to see the last event of `port`, below 4096. */
bool evtchn_is_pending(const struct domain *d, evtchn_port_t port)
{
    return bit_test(d->shared_info->evtchn_pending, port);
}

/* Has the guest look at every port. */
void evtchn_mark_all_pending(struct vcpu *v)
{
    struct vcpu_info *info = vcpu_info_of(v);

    __atomic_store_n(&info->evtchn_pending_sel, ~0ull, __ATOMIC_SEQ_CST);
    __atomic_store_n(&info->evtchn_upcall_pending, 1, __ATOMIC_SEQ_CST);
    sched_notify(v);
}

/* Raises a virtual interrupt, if `v` has bound it: global ones are vCPU 0's. */
void evtchn_raise_virq(struct vcpu *v, unsigned virq)
{
    raise_port(v->domain,
               __atomic_load_n(&v->virq_port[virq], __ATOMIC_ACQUIRE));
}

/* Raises a global virtual interrupt, if `d` has bound it. */
void evtchn_raise_global_virq(struct domain *d, unsigned virq)
{
    struct vcpu *v = domain_vcpu(d, 0);

    if (v)
        evtchn_raise_virq(v, virq);
}

/*
 * Raises a physical interrupt, if `d` has bound it. Takes the event_lock: a
 * device may interrupt while its domain is being torn down.
 */
void evtchn_raise_pirq(struct domain *d, unsigned pirq)
{
    spin_lock(&d->event_lock);
    raise_port(d, d->events->pirq_port[index_clamp(pirq, MAX_PIRQS)]);
    spin_unlock(&d->event_lock);
}

/* --- binding ------------------------------------------------------------- */

/* The domain at the other end of a port, or the port's own. */
static struct domain *other_end(struct domain *d, const struct port_info *port)
{
    return port && port->peer ? port->peer : d;
}

/* The port that its owner left unbound for `d` to join, or NULL. */
static struct port_info *partner_of(const struct domain *d,
                                    const struct port_info *what)
{
    struct port_info *there = bound_port(what->peer, what->remote_port);
    bool is_ours = !what->peer->events->is_closed && there &&
                   there->state == PORT_UNBOUND &&
                   there->remote_domain == d->id;

    return is_ours ? there : NULL;
}

/* Where the port that has bound an interrupt is noted, or NULL. */
static evtchn_port_t *binding_of(const struct domain *d,
                                 const struct port_info *port)
{
    if (port->state == PORT_PIRQ)
        return &d->events->pirq_port[port->irq];
    if (port->state != PORT_VIRQ)
        return NULL;
    return &domain_vcpu(d, evtchn_virq_is_global(port->irq) ? 0 : port->vcpu)
                ->virq_port[port->irq];
}

/* Whether a port of `d` can be what `what` says. */
static int check(const struct domain *d, const struct port_info *what)
{
    const evtchn_port_t *binding = binding_of(d, what);

    if (d->events->is_closed)
        return -ESRCH;
    if (what->state == PORT_INTERDOMAIN && !partner_of(d, what))
        return refuse(-EINVAL, "port %u of d%u is not for d%u",
                      what->remote_port, what->peer->id, d->id);
    if (what->state == PORT_PIRQ && !d->is_privileged &&
        !rangeset_contains(d->irqs, what->irq, what->irq))
        return -EPERM;
    return binding && *binding ? -EEXIST : 0;
}

/* Sets *number to that of the lowest free port, whose record there is then. */
static int find_free(struct domain *d, evtchn_port_t *number)
{
    struct evtchn_table *table = d->events;
    struct port_info **bucket;

    *number = (evtchn_port_t)bitmap_next(table->free, table->last + 1, 1);
    if (*number > table->last)
        return refuse(-ENOSPC, "no port up to %u is free", table->last);
    bucket = &table->buckets[*number / BUCKET_PORTS];
    if (!*bucket)
        __atomic_store_n(bucket, heap_zalloc(BUCKET_SIZE), __ATOMIC_RELEASE);
    return *bucket ? 0 : -ENOMEM;
}

/*
 * Makes a port what it is to be: a pirq may come from now on, and an
 * interdomain port becomes pending at once, for its event may have come
 * already.
 */
static void bind_locked(struct domain *d, evtchn_port_t number,
                        const struct port_info *what)
{
    struct port_info *there = what->peer ? partner_of(d, what) : NULL;
    evtchn_port_t *binding = binding_of(d, what);

    *port_of(d, number) = *what;
    bit_clear(d->events->free, number);
    if (binding)
        __atomic_store_n(binding, number, __ATOMIC_RELEASE);
    if (there) {
        there->state = PORT_INTERDOMAIN;
        there->remote_port = number;
        there->peer = d;
        raise_port(d, number);
    }
    if (what->state == PORT_PIRQ && d->is_privileged)
        arch_pirq_unmask(what->irq); /* the machine interrupts nobody else */
}

/*
 * Makes a new port what `what` says, whose numbers exist. Its number goes to
 * *number of the argument: the guest hears of it first, and so of every port
 * there is. -EINVAL when the peer has left no such port unbound for the
 * domain, -EEXIST for an interrupt that is bound, -EPERM for a pirq that is
 * not the domain's, -ESRCH for a dying domain, -ENOSPC, -ENOMEM, -EFAULT.
 */
static int bind(const struct sub_call *c, evtchn_port_t *number,
                const struct port_info *what)
{
    struct domain *d = c->d, *peer = other_end(d, what);
    int error;

    spin_lock(&binding_lock);
    spin_lock_both(&d->event_lock, &peer->event_lock);
    error = check(d, what);
    if (!error)
        error = find_free(d, number);
    if (!error)
        error = sub_op_answer(c);
    if (!error)
        bind_locked(d, *number, what);
    spin_unlock_both(&d->event_lock, &peer->event_lock);
    spin_unlock(&binding_lock);
    return error;
}

/* Undoes what binding the port did. */
static void close_locked(struct domain *d, evtchn_port_t number)
{
    struct port_info *port = port_of(d, number), *there;
    evtchn_port_t *binding = binding_of(d, port);

    if (port->peer) { /* the other end waits for us to come again */
        there = port_of(port->peer, port->remote_port);
        there->state = PORT_UNBOUND;
        there->remote_port = 0;
        there->peer = NULL;
    }
    if (port->state == PORT_PIRQ && d->is_privileged)
        arch_pirq_mask(port->irq);
    if (binding)
        __atomic_store_n(binding, 0, __ATOMIC_RELEASE);
    *port = (struct port_info){.state = PORT_FREE};
    bit_set(d->events->free, number);
    /* The bit of a late event must not greet the next user. */
    atomic_bit_clear(d->shared_info->evtchn_pending, number);
}

/*
 * Frees a port; the other end of an interdomain channel becomes unbound. 0, or
 * -EINVAL for a port that is not bound.
 */
static int close_port(struct domain *d, evtchn_port_t number)
{
    const struct port_info *port;
    struct domain *peer;

    spin_lock(&binding_lock);
    port = bound_port(d, number);
    peer = other_end(d, port);
    spin_lock_both(&d->event_lock, &peer->event_lock);
    if (port)
        close_locked(d, number);
    spin_unlock_both(&d->event_lock, &peer->event_lock);
    spin_unlock(&binding_lock);
    return port ? 0 : -EINVAL;
}

/* From now on `d` gets no new ports, and nobody joins those it has. */
void evtchn_refuse_new(struct domain *d)
{
    spin_lock(&d->event_lock);
    d->events->is_closed = true;
    spin_unlock(&d->event_lock);
}

/*
 * Closes every bound port, a long job: -ERESTART asks to be called again. 0
 * when done.
 */
int evtchn_close_all(struct domain *d)
{
    for (evtchn_port_t port = 1; port < EVTCHN_PORTS; port++)
        if (bound_port(d, port) && !close_port(d, port) &&
            hypercall_should_restart())
            return -ERESTART;
    return 0;
}

/*
 * What a port is; the peer is not for the caller, who has no reference. 0;
 * -EINVAL for a number that can't be one.
 */
int evtchn_get_info(struct domain *d, evtchn_port_t number,
                    struct port_info *out)
{
    const struct port_info *port;

    if (number >= EVTCHN_PORTS)
        return -EINVAL;
    spin_lock(&d->event_lock);
    port = bound_port(d, number);
    *out = port ? *port : (struct port_info){.state = PORT_FREE};
    spin_unlock(&d->event_lock);
    return 0;
}

/* --- event_channel_op ---------------------------------------------------- */

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

    return close_port(c->d, op->port);
}

/* EVTCHNOP_send: notifies the other end. Nobody hears of an unbound port. */
static long evtchnop_send(struct sub_call *c, void *arg)
{
    const struct evtchn_send_args *op = arg;
    const struct port_info *port;
    int error = 0;

    spin_lock(&c->d->event_lock);
    port = bound_port(c->d, op->port);
    if (port && port->state == PORT_INTERDOMAIN)
        raise_port(port->peer, port->remote_port);
    else if (port && port->state == PORT_IPI)
        raise_port(c->d, op->port);
    else if (!port || port->state != PORT_UNBOUND)
        error = refuse(-EINVAL, "port %u can't be sent to", op->port);
    spin_unlock(&c->d->event_lock);
    return error;
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

/*
 * EVTCHNOP_bind_vcpu: has a port notify another vCPU of the caller. IPIs and
 * virtual interrupts of one vCPU stay where they were bound.
 */
static long evtchnop_bind_vcpu(struct sub_call *c, void *arg)
{
    const struct evtchn_bind_vcpu_args *op = arg;
    struct port_info *port;
    bool can_move;

    if (!domain_vcpu(c->d, op->vcpu))
        return refuse(-ENOENT, "no vCPU %u", op->vcpu);
    spin_lock(&c->d->event_lock);
    port = bound_port(c->d, op->port);
    can_move = port && port->state != PORT_IPI &&
               (port->state != PORT_VIRQ || evtchn_virq_is_global(port->irq));
    if (can_move)
        __atomic_store_n(&port->vcpu, op->vcpu, __ATOMIC_RELAXED);
    spin_unlock(&c->d->event_lock);
    return can_move ? 0 : -EINVAL;
}

/* EVTCHNOP_unmask: clears the mask bit, and notifies if there is cause. */
static long evtchnop_unmask(struct sub_call *c, void *arg)
{
    const struct evtchn_unmask_args *op = arg;
    const struct port_info *port;
    struct vcpu *v;

    spin_lock(&c->d->event_lock);
    port = bound_port(c->d, op->port);
    v = port ? target_of(c->d, port) : NULL;
    if (v && atomic_bit_clear(c->d->shared_info->evtchn_mask, op->port) &&
        evtchn_is_pending(c->d, op->port))
        notify(v, op->port);
    spin_unlock(&c->d->event_lock);
    return v ? 0 : -EINVAL;
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
