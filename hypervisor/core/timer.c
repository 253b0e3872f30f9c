/* SPDX-License-Identifier: MIT */
/* Timer queues. They own no timer: they only know which ones are armed. */
#include "core/timer.h"

#include "core/arch.h"
#include "core/pcpu.h"

/* Later deadlines, 292 years from the start, count as this one. */
#define LATEST ((nsec_t)INT64_MAX)

/* A pCPU looks at its guest again after this many handlers. */
#define HANDLERS_AT_ONCE 64

/* Locks the queue that `t` belongs to. */
static struct pcpu *lock_queue_of(const struct timer *t)
{
    for (;;) {
        unsigned cpu = __atomic_load_n(&t->cpu, __ATOMIC_RELAXED);
        struct pcpu *p = &pcpus[cpu];

        spin_lock(&p->timer_lock);
        if (__atomic_load_n(&t->cpu, __ATOMIC_RELAXED) == cpu)
            return p;
        spin_unlock(&p->timer_lock);
    }
}

/*
 * Moves `t`, whose queue the caller has locked, to `deadline` there, or takes
 * it out. Whether it is the first then.
 */
static bool set_deadline(struct pcpu *p, struct timer *t, nsec_t deadline)
{
    if (prioq_contains(&t->node))
        prioq_remove(&p->timers, &t->node);
    __atomic_store_n(&t->deadline, deadline, __ATOMIC_RELAXED);
    if (deadline != NSEC_NEVER)
        prioq_insert(&p->timers, &t->node, deadline);
    return prioq_first(&p->timers) == &t->node;
}

static nsec_t first_deadline(const struct pcpu *p)
{
    return p->timers.root ? p->timers.root->key : NSEC_NEVER;
}

/* The hardware of another pCPU can only be set by that pCPU. */
static void serve(struct pcpu *p, nsec_t first)
{
    if (p == this_pcpu()) {
        arch_timer_arm(first);
        return;
    }
    __atomic_store_n(&p->timers_changed, true, __ATOMIC_SEQ_CST);
    __atomic_store_n(&p->need_resched, true, __ATOMIC_SEQ_CST);
    arch_pcpu_kick(p->id);
}

/* Makes `t` an idle timer of pCPU `cpu`. */
void timer_init(struct timer *t, unsigned cpu,
                void (*handler)(struct timer *t, nsec_t now))
{
    *t = (struct timer){
        .handler = handler,
        .deadline = NSEC_NEVER,
        .cpu = cpu,
    };
}

/*
 * Calls the handler once at `deadline`, soon if that has passed; replaces an
 * earlier deadline. NSEC_NEVER cancels. Nothing happens after
 * timer_cancel_sync.
 */
void timer_arm(struct timer *t, nsec_t deadline)
{
    struct pcpu *p = lock_queue_of(t);
    bool is_first;

    if (t->is_ended)
        deadline = NSEC_NEVER;
    if (deadline != NSEC_NEVER)
        deadline = min_u64(deadline, LATEST);
    is_first = set_deadline(p, t, deadline);
    spin_unlock(&p->timer_lock);
    if (is_first)
        serve(p, deadline);
}

/* Disarms `t`. Its handler may still be running on another pCPU. */
void timer_cancel(struct timer *t)
{
    timer_arm(t, NSEC_NEVER);
}

/*
 * Disarms `t` for good and waits for its handler to end, unless called from
 * it: arming it has no effect any more, so no handler runs afterwards. The
 * caller has no lock that the handler takes.
 */
void timer_cancel_sync(struct timer *t)
{
    struct pcpu *p = lock_queue_of(t);

    set_deadline(p, t, NSEC_NEVER);
    t->is_ended = true; /* only handlers that run already know of it now */
    spin_unlock(&p->timer_lock);
    for (p = pcpus; p < pcpus + pcpu_count; p++)
        while (p != this_pcpu() &&
               __atomic_load_n(&p->timer_running, __ATOMIC_ACQUIRE) == t)
            arch_spin_wait();
}

/* Has pCPU `cpu` serve `t` from now on, armed or not. */
void timer_move(struct timer *t, unsigned cpu)
{
    struct pcpu *to = &pcpus[cpu], *from;
    nsec_t deadline;
    bool is_first;

    for (;;) {
        from = &pcpus[__atomic_load_n(&t->cpu, __ATOMIC_RELAXED)];
        if (from == to)
            return;
        spin_lock_both(&from->timer_lock, &to->timer_lock);
        if (__atomic_load_n(&t->cpu, __ATOMIC_RELAXED) == from->id)
            break;
        spin_unlock_both(&from->timer_lock, &to->timer_lock);
    }
    deadline = t->deadline;
    set_deadline(from, t, NSEC_NEVER);
    is_first = set_deadline(to, t, deadline);
    __atomic_store_n(&t->cpu, cpu, __ATOMIC_RELAXED);
    spin_unlock_both(&from->timer_lock, &to->timer_lock);
    if (is_first)
        serve(to, deadline);
}

/* Takes the first timer out whose deadline is not after `now`, or NULL. */
static struct timer *take_expired(struct pcpu *p, nsec_t now)
{
    struct timer *t = NULL;

    spin_lock(&p->timer_lock);
    if (first_deadline(p) <= now) {
        t = container_of(prioq_first(&p->timers), struct timer, node);
        set_deadline(p, t, NSEC_NEVER);
        __atomic_store_n(&p->timer_running, t, __ATOMIC_RELAXED);
    }
    spin_unlock(&p->timer_lock);
    return t;
}

/*
 * Calls the handlers of this pCPU's timers that are due, a bounded number of
 * them, and programs the hardware for the next. With no lock held.
 */
void timers_run(nsec_t now)
{
    struct pcpu *p = this_pcpu();

    for (unsigned i = 0; i < HANDLERS_AT_ONCE; i++) {
        struct timer *t = take_expired(p, now);

        if (!t)
            break;
        t->handler(t, now);
        __atomic_store_n(&p->timer_running, NULL, __ATOMIC_RELEASE);
    }
    arch_timer_arm(timers_next());
}

/*
 * Programs the hardware for what other pCPUs armed here. Part of every pass of
 * the scheduler.
 */
void timers_notice(void)
{
    if (__atomic_exchange_n(&this_pcpu()->timers_changed, false,
                            __ATOMIC_SEQ_CST))
        arch_timer_arm(timers_next());
}

/* When this pCPU's next timer is due, or NSEC_NEVER. */
nsec_t timers_next(void)
{
    struct pcpu *p = this_pcpu();
    nsec_t next;

    spin_lock(&p->timer_lock);
    next = first_deadline(p);
    spin_unlock(&p->timer_lock);
    return next;
}
