/* SPDX-License-Identifier: MIT */
/*
 * One-shot software timers, a queue per pCPU, driven by that pCPU's hardware
 * timer. They live inside their owners and need no memory, so arming cannot
 * fail. A timer fires on the pCPU that armed it last, so that nobody ever
 * programs the hardware of another. Its handler runs at the scheduling point
 * there, with no lock held, at or after the deadline; it may arm its own timer
 * again.
 *
 * A timer may be armed and cancelled from any pCPU; its members belong to the
 * timer_lock of pcpus[cpu], which nests inside every lock but the heap's and
 * the log's.
 */
#pragma once

#include "core/prioq.h"
#include "core/types.h"

struct timer {
    void (*handler)(struct timer *t, nsec_t now); /* const after init */
    nsec_t deadline;                              /* NSEC_NEVER when idle */
    bool is_ended;                                /* can't be armed any more */
    struct prioq_node node;
    unsigned cpu; /* atomic: whose queue it was put into last */
};

void timer_init(struct timer *t, void (*handler)(struct timer *t, nsec_t now));
void timer_arm(struct timer *t, nsec_t deadline);
void timer_cancel(struct timer *t);
void timer_cancel_sync(struct timer *t);
void timers_run(nsec_t now);

/* Whether it is armed; without the lock, only a hint. */
static inline bool timer_is_armed(const struct timer *t)
{
    return __atomic_load_n(&t->deadline, __ATOMIC_RELAXED) != NSEC_NEVER;
}
