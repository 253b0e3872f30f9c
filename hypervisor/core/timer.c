/* SPDX-License-Identifier: MIT */
/* Timer queues. They own no timer: they only know which ones are armed. */
#include "core/timer.h"

#include "core/arch.h"
#include "core/pcpu.h"

/* Later deadlines, 292 years from the start, count as this one. */
#define LATEST ((nsec_t)INT64_MAX)

/* A pCPU looks at its guest again after this many handlers. */
#define HANDLERS_AT_ONCE 64u

/* Makes `t` an idle timer. */
void timer_init(struct timer *t, void (*handler)(struct timer *t, nsec_t now))
{
    *t = (struct timer){.handler = handler, .deadline = NSEC_NEVER};
}

/* Takes `t` out of its queue, which is locked. */
static void take_out(struct timer *t)
{
    if (prioq_contains(&t->node))
        prioq_remove(&t->node);
    __atomic_store_n(&t->deadline, NSEC_NEVER, __ATOMIC_RELAXED);
}

/*
 * Locks the queue that `t` is in, if any, and that of this pCPU; the first of
 * them.
 */
static struct pcpu *lock_queues(const struct timer *t, struct pcpu *here)
{
    for (;;) {
        unsigned cpu = __atomic_load_n(&t->cpu, __ATOMIC_RELAXED);
        struct pcpu *p = &pcpus[cpu];

        spin_lock_both(&p->timer_lock, &here->timer_lock);
        if (__atomic_load_n(&t->cpu, __ATOMIC_RELAXED) == cpu)
            return p;
        spin_unlock_both(&p->timer_lock, &here->timer_lock);
    }
}

/*
 * Calls the handler once at `deadline` on this pCPU, soon if that has passed;
 * replaces an earlier deadline. NSEC_NEVER cancels. Nothing happens after
 * timer_cancel_sync.
 */
void timer_arm(struct timer *t, nsec_t deadline)
{
    struct pcpu *here = this_pcpu(), *from = lock_queues(t, here);
    bool is_first;

    take_out(t);
    __atomic_store_n(&t->cpu, here->id, __ATOMIC_RELAXED);
    if (deadline != NSEC_NEVER && !t->is_ended) {
        __atomic_store_n(&t->deadline, deadline, __ATOMIC_RELAXED);
        prioq_insert(&here->timers, &t->node, min_u64(deadline, LATEST));
    }
    is_first = prioq_first(&here->timers) == &t->node;
    spin_unlock_both(&from->timer_lock, &here->timer_lock);
    if (is_first)
        arch_timer_arm(deadline);
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
    struct pcpu *here = this_pcpu(), *p = lock_queues(t, here);

    take_out(t);
    t->is_ended = true; /* only handlers that run already know of it now */
    spin_unlock_both(&p->timer_lock, &here->timer_lock);
    for (p = pcpus; p < pcpus + pcpu_count; p++)
        while (p != here &&
               __atomic_load_n(&p->timer_running, __ATOMIC_ACQUIRE) == t)
            arch_spin_wait();
}

/*
 * Calls the handlers of this pCPU's timers that are due, a bounded number of
 * them, and programs the hardware for the next. With no lock held.
 */
void timers_run(nsec_t now)
{
    struct pcpu *p = this_pcpu();
    struct prioq_node *first;

    for (unsigned i = 0;; i++) {
        struct timer *t;

        spin_lock(&p->timer_lock);
        first = prioq_first(&p->timers);
        if (!first || first->key > now || i == HANDLERS_AT_ONCE)
            break;
        t = container_of(first, struct timer, node);
        take_out(t);
        __atomic_store_n(&p->timer_running, t, __ATOMIC_RELAXED);
        spin_unlock(&p->timer_lock);
        t->handler(t, now);
        __atomic_store_n(&p->timer_running, NULL, __ATOMIC_RELEASE);
    }
    arch_timer_arm(first ? first->key : NSEC_NEVER);
    spin_unlock(&p->timer_lock);
}
