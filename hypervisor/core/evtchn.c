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
#define BUCKETS (EVTCHN_PORTS / BUCKET_PORTS)

/* How often a closer follows a channel whose other end keeps changing. */
#define CHASE_LIMIT 16

struct port {
    uint8_t state;           /* enum port_state */
    domid_t allowed;         /* unbound: who may bind */
    uint32_t vcpu;           /* atomic: whom it notifies */
    evtchn_port_t peer_port; /* interdomain */
    uint32_t irq;            /* VIRQ or PIRQ */
    struct domain *peer;     /* interdomain */
};

/*
 * Buckets appear when their first port is needed and stay until the domain is
 * freed, so that a pointer once read remains good.
 */
struct evtchn_table {
    struct port *buckets[BUCKETS];             /* atomic, event_lock */
    uint64_t used[BITMAP_WORDS(EVTCHN_PORTS)]; /* event_lock */
    bool is_closed;                            /* event_lock: no new ports */
    evtchn_port_t pirq_port[MAX_PIRQS];        /* event_lock */
};

/* --- the table ----------------------------------------------------------- */

/* Gives a domain that is being created its table. 0 or -ENOMEM. */
int evtchn_create(struct domain *d)
{
    d->events = heap_zalloc(sizeof(*d->events));
    if (!d->events)
        return -ENOMEM;
    bit_set(d->events->used, 0);
    return 0;
}

/* Frees the table of a domain whose ports are closed; NULL is none. */
void evtchn_destroy(struct domain *d)
{
    struct evtchn_table *table = d->events;

    if (!table)
        return;
    for (unsigned i = 0; i < BUCKETS; i++)
        if (table->buckets[i])
            heap_zfree(table->buckets[i], BUCKET_PORTS * sizeof(struct port));
    heap_zfree(table, sizeof(*table));
    d->events = NULL;
}

/* The record of a port, bound or not; NULL for a number never used. */
static struct port *port_of(const struct domain *d, evtchn_port_t number)
{
    uint64_t n = index_clamp(number, EVTCHN_PORTS);
    struct port *bucket = __atomic_load_n(&d->events->buckets[n / BUCKET_PORTS],
                                          __ATOMIC_ACQUIRE);

    return n && bucket ? &bucket[n % BUCKET_PORTS] : NULL;
}

/* The record of a port that is bound, or NULL. With the event_lock. */
static struct port *bound_port(const struct domain *d, evtchn_port_t number)
{
    struct port *port = port_of(d, number);

    return port && port->state > PORT_RESERVED ? port : NULL;
}

static int make_bucket(struct evtchn_table *table, unsigned index)
{
    struct port *bucket;

    if (table->buckets[index])
        return 0;
    bucket = heap_zalloc(BUCKET_PORTS * sizeof(*bucket));
    if (!bucket)
        return -ENOMEM;
    __atomic_store_n(&table->buckets[index], bucket, __ATOMIC_RELEASE);
    return 0;
}

static int find_free(const struct evtchn_table *table)
{
    for (unsigned i = 0; i < ARRAY_LEN(table->used); i++)
        if (~table->used[i])
            return (int)(i * 64) + __builtin_ctzll(~table->used[i]);
    return -ENOSPC;
}

static int reserve_locked(struct domain *d)
{
    struct evtchn_table *table = d->events;
    int port = table->is_closed ? -ESRCH : find_free(table);

    if (port < 0)
        return port;
    if (make_bucket(table, (unsigned)port / BUCKET_PORTS))
        return -ENOMEM;
    bit_set(table->used, (size_t)port);
    port_of(d, (evtchn_port_t)port)->state = PORT_RESERVED;
    return port;
}

/*
 * Sets a free port aside: nobody can use, bind or close it. Its number, or
 * -ENOSPC, -ENOMEM, or -ESRCH for a domain that is going away.
 */
int evtchn_reserve(struct domain *d)
{
    int port;

    spin_lock(&d->event_lock);
    port = reserve_locked(d);
    spin_unlock(&d->event_lock);
    return port;
}

/* With the event_lock. The bit of a late event must not greet the next user. */
static void free_port(struct domain *d, evtchn_port_t number)
{
    struct port *port = port_of(d, number);

    *port = (struct port){.state = PORT_FREE};
    atomic_bit_clear(d->shared_info->evtchn_pending, number);
    bit_clear(d->events->used, number);
}

/* Gives a reserved port back. */
void evtchn_unreserve(struct domain *d, evtchn_port_t port)
{
    spin_lock(&d->event_lock);
    free_port(d, port);
    spin_unlock(&d->event_lock);
}

/* --- raising events ------------------------------------------------------ */

/* A bit of pending_sel was set: the upcall is due. */
static void mark_upcall(struct vcpu *v, struct vcpu_info *info)
{
    if (!__atomic_exchange_n(&info->evtchn_upcall_pending, 1, __ATOMIC_SEQ_CST))
        sched_notify(v);
}

static void notify(struct vcpu *v, evtchn_port_t port)
{
    struct vcpu_info *info = vcpu_info_of(v);

    if (!atomic_bit_set(&info->evtchn_pending_sel, port / 64))
        mark_upcall(v, info);
}

/* Wakes those who poll for `port`, whether it is masked or not. */
static void wake_pollers(struct domain *d, evtchn_port_t port)
{
    for (unsigned word = 0; word < ARRAY_LEN(d->pollers); word++) {
        uint64_t left = __atomic_load_n(&d->pollers[word], __ATOMIC_SEQ_CST);

        for (; left; left &= left - 1) {
            unsigned id = word * 64 + (unsigned)__builtin_ctzll(left);
            struct vcpu *v = domain_vcpu(d, id);
            evtchn_port_t polled =
                __atomic_load_n(&v->poll_port, __ATOMIC_RELAXED);

            if (polled == port || polled == POLL_ANY)
                sched_wake(v);
        }
    }
}

/* Makes `port` pending, and tells `v` if the guest has it unmasked. */
static void set_pending(struct vcpu *v, evtchn_port_t port)
{
    struct shared_info *shared = v->domain->shared_info;

    if (atomic_bit_set(shared->evtchn_pending, port))
        return;
    if (!bit_test(shared->evtchn_mask, port))
        notify(v, port);
    wake_pollers(v->domain, port);
}

/* The vCPU that a port notifies; vCPU 0 should that one be no more. */
static struct vcpu *target_of(const struct domain *d, const struct port *port)
{
    struct vcpu *v =
        domain_vcpu(d, __atomic_load_n(&port->vcpu, __ATOMIC_RELAXED));

    return v ? v : domain_vcpu(d, 0);
}

static void raise_port(struct domain *d, evtchn_port_t number)
{
    const struct port *port = port_of(d, number);
    struct vcpu *v = port ? target_of(d, port) : NULL;

    if (v)
        set_pending(v, number);
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
    struct vcpu *v = domain_vcpu(d, 0);
    evtchn_port_t port = 0;

    if (v)
        port = __atomic_load_n(&v->virq_port[virq], __ATOMIC_ACQUIRE);
    if (port)
        raise_port(d, port);
}

/*
 * Raises a physical interrupt; false if `d` has not bound it. Takes the
 * event_lock: a device may interrupt while its domain is being torn down.
 */
bool evtchn_raise_pirq(struct domain *d, unsigned pirq)
{
    evtchn_port_t port = 0;

    spin_lock(&d->event_lock);
    if (pirq < MAX_PIRQS)
        port = d->events->pirq_port[index_clamp(pirq, MAX_PIRQS)];
    if (port)
        raise_port(d, port);
    spin_unlock(&d->event_lock);
    return port != 0;
}

/* --- publishing ---------------------------------------------------------- */

static void publish(struct domain *d, evtchn_port_t number, struct port what)
{
    spin_lock(&d->event_lock);
    *port_of(d, number) = what;
    spin_unlock(&d->event_lock);
}

/* The reserved port may be bound by domain `remote` from now on. */
void evtchn_publish_unbound(struct domain *d, evtchn_port_t port,
                            domid_t remote)
{
    publish(d, port, (struct port){.state = PORT_UNBOUND, .allowed = remote});
}

/* The reserved port interrupts `v`, of the same domain, from now on. */
void evtchn_publish_ipi(struct domain *d, evtchn_port_t port, struct vcpu *v)
{
    publish(d, port, (struct port){.state = PORT_IPI, .vcpu = v->id});
}

/* Binds the reserved port to a virtual interrupt of `v`. 0 or -EEXIST. */
int evtchn_publish_virq(struct domain *d, evtchn_port_t port, unsigned virq,
                        struct vcpu *v)
{
    int error = -EEXIST;

    spin_lock(&d->event_lock);
    if (!v->virq_port[virq]) {
        *port_of(d, port) =
            (struct port){.state = PORT_VIRQ, .vcpu = v->id, .irq = virq};
        __atomic_store_n(&v->virq_port[virq], port, __ATOMIC_RELEASE);
        error = 0;
    }
    spin_unlock(&d->event_lock);
    return error;
}

static int publish_pirq_locked(struct domain *d, evtchn_port_t port,
                               unsigned pirq)
{
    struct evtchn_table *table = d->events;

    if (pirq >= MAX_PIRQS)
        return -EINVAL;
    if (table->is_closed)
        return -ESRCH;
    if (!d->is_privileged && !rangeset_contains(d->irqs, pirq, pirq))
        return -EPERM;
    if (table->pirq_port[pirq])
        return -EEXIST;
    *port_of(d, port) = (struct port){.state = PORT_PIRQ, .irq = pirq};
    table->pirq_port[pirq] = port;
    return 0;
}

/*
 * Binds the reserved port to a physical interrupt and lets it come. 0, or
 * -EINVAL for no such, -EPERM, -EEXIST when bound, -ESRCH for a dying domain.
 */
int evtchn_publish_pirq(struct domain *d, evtchn_port_t port, unsigned pirq)
{
    int error;

    spin_lock(&d->event_lock);
    error = publish_pirq_locked(d, port, pirq);
    if (!error)
        arch_pirq_unmask(pirq);
    spin_unlock(&d->event_lock);
    return error;
}

/* Locks one domain, or two of them in order. */
static void lock_domains(struct domain *a, struct domain *b)
{
    struct domain *first = a->id <= b->id ? a : b;

    spin_lock(&first->event_lock);
    if (a != b)
        spin_lock(first == a ? &b->event_lock : &a->event_lock);
}

static void unlock_domains(struct domain *a, struct domain *b)
{
    spin_unlock(&a->event_lock);
    if (a != b)
        spin_unlock(&b->event_lock);
}

static int join_locked(struct domain *d, evtchn_port_t local,
                       struct domain *remote, evtchn_port_t remote_port)
{
    struct port *there = bound_port(remote, remote_port);
    struct port *here = port_of(d, local);

    if (d->events->is_closed || remote->events->is_closed)
        return -EINVAL;
    if (!there || there->state != PORT_UNBOUND || there->allowed != d->id)
        return -EINVAL;
    *here = (struct port){
        .state = PORT_INTERDOMAIN, .peer = remote, .peer_port = remote_port};
    there->state = PORT_INTERDOMAIN;
    there->peer = d;
    there->peer_port = local;
    return 0;
}

/*
 * Joins the reserved port to one that `remote` left unbound for `d`, whose
 * event may have come already: the local port becomes pending at once. 0, or
 * -EINVAL when there is no such port.
 */
int evtchn_publish_interdomain(struct domain *d, evtchn_port_t port,
                               struct domain *remote, evtchn_port_t remote_port)
{
    int error;

    lock_domains(d, remote);
    error = join_locked(d, port, remote, remote_port);
    if (!error)
        raise_port(d, port);
    unlock_domains(d, remote);
    return error;
}

/* --- closing ------------------------------------------------------------- */

/*
 * Takes the event_lock of `d` and, if `number` is an interdomain port, of its
 * peer, which is returned and must be put by unlock_with_peer. NULL in *peer
 * for another kind of port. -EAGAIN if the port changes all the time.
 */
static int lock_with_peer(struct domain *d, evtchn_port_t number,
                          struct domain **peer)
{
    *peer = NULL;
    for (unsigned i = 0; i < CHASE_LIMIT; i++) {
        const struct port *port;
        struct domain *now = NULL;

        if (*peer)
            lock_domains(d, *peer);
        else
            spin_lock(&d->event_lock);
        port = bound_port(d, number);
        if (port && port->state == PORT_INTERDOMAIN)
            now = port->peer;
        if (now == *peer)
            return 0;
        if (now)
            domain_get(now);
        if (*peer) {
            unlock_domains(d, *peer);
            domain_put(*peer);
        } else {
            spin_unlock(&d->event_lock);
        }
        *peer = now;
    }
    if (*peer)
        domain_put(*peer);
    return -EAGAIN;
}

static void unlock_with_peer(struct domain *d, struct domain *peer)
{
    if (!peer) {
        spin_unlock(&d->event_lock);
        return;
    }
    unlock_domains(d, peer);
    domain_put(peer);
}

static void unbind_virq(struct domain *d, evtchn_port_t number, unsigned virq)
{
    for (unsigned i = 0; i < d->max_vcpus; i++) {
        struct vcpu *v = domain_vcpu(d, i);

        if (v && v->virq_port[virq] == number)
            __atomic_store_n(&v->virq_port[virq], 0, __ATOMIC_RELEASE);
    }
}

/* The other end waits for a new partner from the same domain. */
static void leave_peer(struct domain *d, const struct port *port)
{
    struct port *there = port_of(port->peer, port->peer_port);

    there->state = PORT_UNBOUND;
    there->allowed = d->id;
    there->peer = NULL;
    there->peer_port = 0;
}

/* Undoes what binding the port did. With the lock, or both. */
static void close_locked(struct domain *d, evtchn_port_t number)
{
    struct port *port = port_of(d, number);

    switch ((enum port_state)port->state) {
    case PORT_INTERDOMAIN:
        leave_peer(d, port);
        break;
    case PORT_VIRQ:
        unbind_virq(d, number, port->irq);
        break;
    case PORT_PIRQ:
        arch_pirq_mask(port->irq);
        d->events->pirq_port[port->irq] = 0;
        break;
    case PORT_FREE:
    case PORT_RESERVED:
    case PORT_UNBOUND:
    case PORT_IPI:
        break;
    }
    free_port(d, number);
}

/*
 * Frees a port; the other end of an interdomain channel becomes unbound.
 * 0; -EINVAL for a port that is not bound; -EAGAIN.
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
    unlock_with_peer(d, peer);
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
    const struct evtchn_table *table = d->events;

    for (evtchn_port_t port = 1; port < EVTCHN_PORTS; port++) {
        if (!bit_test(table->used, port))
            continue;
        if (evtchn_close(d, port) == -EAGAIN)
            return -ERESTART;
        if (hypercall_should_restart())
            return -ERESTART;
    }
    return 0;
}

/* --- what else guests do with ports -------------------------------------- */

static int send_locked(struct domain *d, evtchn_port_t number)
{
    const struct port *port = bound_port(d, number);

    if (!port)
        return refuse(-EINVAL, "port %u is closed", number);
    switch ((enum port_state)port->state) {
    case PORT_INTERDOMAIN:
        raise_port(port->peer, port->peer_port);
        return 0;
    case PORT_IPI:
        raise_port(d, number);
        return 0;
    case PORT_UNBOUND:
        return 0;
    default:
        return refuse(-EINVAL, "port %u can't be sent to", number);
    }
}

/* Raises the other end of a channel, or an IPI port. 0 or -EINVAL. */
int evtchn_send(struct domain *d, evtchn_port_t port)
{
    int error;

    spin_lock(&d->event_lock);
    error = send_locked(d, port);
    spin_unlock(&d->event_lock);
    return error;
}

/* Unmasks a port and raises it again if it is pending. 0 or -EINVAL. */
int evtchn_unmask(struct domain *d, evtchn_port_t number)
{
    const struct port *port;
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

/* Whether a virtual interrupt is one per machine, not one per vCPU. */
bool evtchn_virq_is_global(unsigned virq)
{
    return virq != VIRQ_TIMER && virq != VIRQ_DEBUG && virq != VIRQ_XENOPROF &&
           virq != VIRQ_XENPMU;
}

static bool port_can_move(const struct port *port)
{
    switch ((enum port_state)port->state) {
    case PORT_UNBOUND:
    case PORT_INTERDOMAIN:
    case PORT_PIRQ:
        return true;
    case PORT_VIRQ:
        return evtchn_virq_is_global(port->irq);
    default:
        return false;
    }
}

/* Has a port notify another vCPU, which exists. 0 or -EINVAL. */
int evtchn_set_vcpu(struct domain *d, evtchn_port_t number, unsigned vcpu)
{
    struct port *port;
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

static void describe(const struct port *port, struct port_info *out)
{
    *out = (struct port_info){
        .state = (enum port_state)port->state,
        .vcpu = port->vcpu,
        .remote_domain = port->allowed,
        .remote_port = port->peer_port,
        .irq = port->irq,
    };
    if (port->state == PORT_INTERDOMAIN)
        out->remote_domain = port->peer->id;
    if (port->state == PORT_RESERVED)
        out->state = PORT_FREE;
}

/* What a port is. 0; -EINVAL for a number that is none. */
int evtchn_get_info(struct domain *d, evtchn_port_t number,
                    struct port_info *out)
{
    const struct port *port;

    if (!number || number >= EVTCHN_PORTS)
        return -EINVAL;
    *out = (struct port_info){.state = PORT_FREE};
    spin_lock(&d->event_lock);
    port = port_of(d, number);
    if (port)
        describe(port, out);
    spin_unlock(&d->event_lock);
    return 0;
}
