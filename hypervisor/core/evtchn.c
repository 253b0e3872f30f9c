/* SPDX-License-Identifier: MIT */
/*
 * Ports and their states. evtchn.h has the locking; evtchn_op.c the calls that
 * guests make.
 */
#include "core/evtchn.h"

#include "core/arch.h"
#include "core/bitmap.h"
#include "core/domain.h"
#include "core/heap.h"
#include "core/hypercall.h"
#include "core/log.h"
#include "core/sched.h"
#include "core/spinlock.h"
#include "core/vcpu.h"

#define BUCKET_PORTS 128u
#define BUCKET_SIZE (BUCKET_PORTS * sizeof(struct port_info))
#define BUCKETS (EVTCHN_PORTS / BUCKET_PORTS)

/* How often a closer follows a channel whose other end keeps changing. */
#define CHASE_LIMIT 16

/*
 * Buckets appear when their first port is needed and stay until the domain is
 * freed, so that a pointer once read remains good.
 */
struct evtchn_table {
    struct port_info *buckets[BUCKETS];        /* atomic, event_lock */
    uint64_t used[BITMAP_WORDS(EVTCHN_PORTS)]; /* event_lock */
    bool is_closed;                            /* event_lock: no new ports */
    evtchn_port_t last;                        /* event_lock: highest allowed */
    evtchn_port_t pirq_port[MAX_PIRQS];        /* event_lock */
};

/* --- the table ----------------------------------------------------------- */

/* Gives a domain that is being created its table. 0 or -ENOMEM. */
int evtchn_create(struct domain *d)
{
    d->events = heap_zalloc(sizeof(*d->events));
    if (!d->events)
        return -ENOMEM;
    d->events->last = EVTCHN_PORTS - 1;
    bit_set(d->events->used, 0);
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

    return port && port->state > PORT_RESERVED ? port : NULL;
}

static int find_free(const struct evtchn_table *table)
{
    for (unsigned i = 0; i < ARRAY_LEN(table->used); i++)
        if (~table->used[i])
            return (int)(i * 64) + __builtin_ctzll(~table->used[i]);
    return -ENOSPC;
}

/* With the event_lock. The bit of a late event must not greet the next user. */
static void free_port(struct domain *d, evtchn_port_t number)
{
    struct port_info *port = port_of(d, number);

    *port = (struct port_info){.state = PORT_FREE};
    atomic_bit_clear(d->shared_info->evtchn_pending, number);
    bit_clear(d->events->used, number);
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
bool evtchn_virq_is_global(unsigned virq)
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

/* Raises a per-vCPU virtual interrupt, if `v` has bound it. */
void evtchn_raise_virq(struct vcpu *v, unsigned virq)
{
    evtchn_port_t port = __atomic_load_n(&v->virq_port[virq], __ATOMIC_ACQUIRE);

    if (port)
        set_pending(v, port);
}

/* Raises a global virtual interrupt, if `d` has bound it. */
void evtchn_raise_global_virq(struct domain *d, unsigned virq)
{
    const struct vcpu *v = domain_vcpu(d, 0);

    if (v)
        raise_port(d, __atomic_load_n(&v->virq_port[virq], __ATOMIC_ACQUIRE));
}

/*
 * Raises a physical interrupt; false if `d` has not bound it. Takes the
 * event_lock: a device may interrupt while its domain is being torn down.
 */
bool evtchn_raise_pirq(struct domain *d, unsigned pirq)
{
    evtchn_port_t port;

    if (pirq >= MAX_PIRQS)
        return false;
    spin_lock(&d->event_lock);
    port = d->events->pirq_port[index_clamp(pirq, MAX_PIRQS)];
    raise_port(d, port);
    spin_unlock(&d->event_lock);
    return port != 0;
}

/* --- binding ------------------------------------------------------------- */

/* Locks `d` and the peer that a port of it has or is to have. */
static void lock_for(struct domain *d, const struct port_info *what)
{
    spin_lock_both(&d->event_lock,
                   what->peer ? &what->peer->event_lock : &d->event_lock);
}

static void unlock_for(struct domain *d, const struct port_info *what)
{
    spin_unlock_both(&d->event_lock,
                     what->peer ? &what->peer->event_lock : &d->event_lock);
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

/* Whether a port of `d` can be what `what` says at the moment. */
static int check(const struct domain *d, const struct port_info *what)
{
    if (d->events->is_closed)
        return -ESRCH;
    switch ((enum port_state)what->state) {
    case PORT_INTERDOMAIN:
        if (partner_of(d, what))
            return 0;
        return refuse(-EINVAL, "port %u of d%u is not for d%u",
                      what->remote_port, what->peer->id, d->id);
    case PORT_VIRQ:
        return domain_vcpu(d, what->vcpu)->virq_port[what->irq] ? -EEXIST : 0;
    case PORT_PIRQ:
        if (!d->is_privileged &&
            !rangeset_contains(d->irqs, what->irq, what->irq))
            return -EPERM;
        return d->events->pirq_port[what->irq] ? -EEXIST : 0;
    default:
        return 0;
    }
}

static int reserve_locked(struct domain *d)
{
    struct evtchn_table *table = d->events;
    struct port_info **bucket;
    int port = find_free(table);

    if (port < 0 || (evtchn_port_t)port > table->last)
        return refuse(-ENOSPC, "no port up to %u is free", table->last);
    bucket = &table->buckets[(unsigned)port / BUCKET_PORTS];
    if (!*bucket)
        __atomic_store_n(bucket, heap_zalloc(BUCKET_SIZE), __ATOMIC_RELEASE);
    if (!*bucket)
        return -ENOMEM;
    bit_set(table->used, (size_t)port);
    port_of(d, (evtchn_port_t)port)->state = PORT_RESERVED;
    return port;
}

/*
 * Sets a free port aside for what `what` says, whose numbers exist: nobody can
 * use, bind or close it. Its number, or -ENOSPC, -ENOMEM, or what
 * evtchn_publish would say now.
 */
int evtchn_reserve(struct domain *d, const struct port_info *what)
{
    int result;

    lock_for(d, what);
    result = check(d, what);
    if (!result)
        result = reserve_locked(d);
    unlock_for(d, what);
    return result;
}

/* Gives a reserved port back. */
void evtchn_unreserve(struct domain *d, evtchn_port_t port)
{
    spin_lock(&d->event_lock);
    free_port(d, port);
    spin_unlock(&d->event_lock);
}

/* Has others know of the port, whose record is complete. */
static void take_effect(struct domain *d, evtchn_port_t number,
                        const struct port_info *port)
{
    struct port_info *there;

    switch ((enum port_state)port->state) {
    case PORT_INTERDOMAIN:
        there = port_of(port->peer, port->remote_port);
        there->state = PORT_INTERDOMAIN;
        there->remote_port = number;
        there->peer = d;
        raise_port(d, number);
        break;
    case PORT_VIRQ:
        __atomic_store_n(&domain_vcpu(d, port->vcpu)->virq_port[port->irq],
                         number, __ATOMIC_RELEASE);
        break;
    case PORT_PIRQ:
        d->events->pirq_port[port->irq] = number;
        if (d->is_privileged) /* the machine interrupts nobody else */
            arch_pirq_unmask(port->irq);
        break;
    default:
        break;
    }
}

/*
 * Makes a reserved port what it was reserved for. It works from now on: a pirq
 * may come, and an interdomain port becomes pending at once, for its event may
 * have come already. On an error it is still reserved: -EINVAL when the peer
 * has left no such port unbound for `d`, -EEXIST for an interrupt that is
 * bound, -EPERM for a pirq that is not the domain's, -ESRCH for a dying domain.
 */
int evtchn_publish(struct domain *d, evtchn_port_t number,
                   const struct port_info *what)
{
    int error;

    lock_for(d, what);
    error = check(d, what);
    if (!error) {
        *port_of(d, number) = *what;
        take_effect(d, number, what);
    }
    unlock_for(d, what);
    return error;
}

/* --- closing ------------------------------------------------------------- */

/*
 * Takes the event_lock of `d` and, if `number` is an interdomain port, of its
 * peer: *locked, with a reference, or else `d` itself. -ERESTART if the port
 * changes all the time.
 */
static int lock_with_peer(struct domain *d, evtchn_port_t number,
                          struct domain **locked)
{
    struct domain *peer = d;

    domain_get(d);
    for (unsigned i = 0; i < CHASE_LIMIT; i++) {
        const struct port_info *port;
        struct domain *now;

        spin_lock_both(&d->event_lock, &peer->event_lock);
        port = bound_port(d, number);
        now = port && port->peer ? port->peer : d;
        *locked = peer;
        if (now == peer)
            return 0;
        domain_get(now);
        spin_unlock_both(&d->event_lock, &peer->event_lock);
        domain_put(peer);
        peer = now;
    }
    domain_put(peer);
    return -ERESTART;
}

/* The vCPU that has bound a virtual interrupt: for global ones vCPU 0. */
static struct vcpu *virq_owner(const struct domain *d,
                               const struct port_info *port)
{
    return domain_vcpu(d, evtchn_virq_is_global(port->irq) ? 0 : port->vcpu);
}

/* Undoes what binding the port did. With the lock, or both. */
static void close_locked(struct domain *d, evtchn_port_t number)
{
    const struct port_info *port = port_of(d, number);
    struct port_info *there;

    switch ((enum port_state)port->state) {
    case PORT_INTERDOMAIN: /* the other end waits for us to come again */
        there = port_of(port->peer, port->remote_port);
        there->state = PORT_UNBOUND;
        there->remote_port = 0;
        there->peer = NULL;
        break;
    case PORT_VIRQ:
        __atomic_store_n(&virq_owner(d, port)->virq_port[port->irq], 0,
                         __ATOMIC_RELEASE);
        break;
    case PORT_PIRQ:
        if (d->is_privileged)
            arch_pirq_mask(port->irq);
        d->events->pirq_port[port->irq] = 0;
        break;
    default:
        break;
    }
    free_port(d, number);
}

/*
 * Frees a port; the other end of an interdomain channel becomes unbound.
 * 0; -EINVAL for a port that is not bound; -ERESTART to be called again.
 */
int evtchn_close(struct domain *d, evtchn_port_t port)
{
    struct domain *peer;
    int error = lock_with_peer(d, port, &peer);

    if (error)
        return error;
    if (bound_port(d, port))
        close_locked(d, port);
    else
        error = -EINVAL;
    spin_unlock_both(&d->event_lock, &peer->event_lock);
    domain_put(peer);
    return error;
}

/* No port can be reserved or bound any more. For a domain that is ending. */
void evtchn_refuse_new(struct domain *d)
{
    spin_lock(&d->event_lock);
    d->events->is_closed = true;
    spin_unlock(&d->event_lock);
}

/*
 * Closes every bound port, a long job: -ERESTART asks to be called again.
 * Ports that are reserved by a call under way stay. 0 when done.
 */
int evtchn_close_all(struct domain *d)
{
    for (evtchn_port_t port = 1; port < EVTCHN_PORTS; port++)
        if (bit_test(d->events->used, port) &&
            (evtchn_close(d, port) == -ERESTART || hypercall_should_restart()))
            return -ERESTART;
    return 0;
}

/* --- what else guests do with ports -------------------------------------- */

/*
 * Raises the other end of a channel, or an IPI port. Nobody hears of an
 * unbound one. 0 or -EINVAL.
 */
int evtchn_send(struct domain *d, evtchn_port_t number)
{
    const struct port_info *port;
    int error = 0;

    spin_lock(&d->event_lock);
    port = bound_port(d, number);
    if (port && port->state == PORT_INTERDOMAIN)
        raise_port(port->peer, port->remote_port);
    else if (port && port->state == PORT_IPI)
        raise_port(d, number);
    else if (!port || port->state != PORT_UNBOUND)
        error = refuse(-EINVAL, "port %u can't be sent to", number);
    spin_unlock(&d->event_lock);
    return error;
}

/* Unmasks a port and raises it again if it is pending. 0 or -EINVAL. */
int evtchn_unmask(struct domain *d, evtchn_port_t number)
{
    const struct port_info *port;
    struct vcpu *v = NULL;

    spin_lock(&d->event_lock);
    port = bound_port(d, number);
    if (port)
        v = target_of(d, port);
    if (v && atomic_bit_clear(d->shared_info->evtchn_mask, number) &&
        evtchn_is_pending(d, number))
        notify(v, number);
    spin_unlock(&d->event_lock);
    return v ? 0 : -EINVAL;
}

/* IPIs and virtual interrupts of one vCPU stay where they were bound. */
static bool port_can_move(const struct port_info *port)
{
    return port->state != PORT_IPI &&
           (port->state != PORT_VIRQ || evtchn_virq_is_global(port->irq));
}

/* Has a port notify another vCPU, which exists. 0 or -EINVAL. */
int evtchn_set_vcpu(struct domain *d, evtchn_port_t number, unsigned vcpu)
{
    struct port_info *port;
    int error = -EINVAL;

    spin_lock(&d->event_lock);
    port = bound_port(d, number);
    if (port && port_can_move(port)) {
        __atomic_store_n(&port->vcpu, vcpu, __ATOMIC_RELAXED);
        error = 0;
    }
    spin_unlock(&d->event_lock);
    return error;
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
