/* SPDX-License-Identifier: MIT */
/*
 * Limits on the processor time of a domain. A capped domain has a budget that
 * grows by its percentage of every period. A vCPU takes a part of it when it
 * is given a pCPU and has none, gives back what it did not use when it does
 * not want to run, and owes what it used beyond that. While there is nothing
 * to take the vCPU is parked: it stays runnable, but is on no queue until a
 * timer lets it go on with a part of its own, one after the other. What a
 * period leaves over is kept for one period more, so that having to wait for a
 * pCPU does not cost a domain its time at once.
 *
 * The lock nests inside the run_locks and outside those of the timers. A
 * domain without a cap does not take it.
 */
#pragma once

#include "core/bitmap.h"
#include "core/spinlock.h"
#include "core/timer.h"
#include "core/types.h"
#include "core/vcpu.h"

#define SCHED_CAP_PERIOD (10 * NSEC_PER_MS)

struct domain;

struct sched_cap {
    struct spinlock lock;
    uint32_t percent;   /* atomic, lock: of one pCPU; 0: no limit */
    int64_t budget;     /* lock: nanoseconds; below 0: owed */
    nsec_t refilled_at; /* lock: when the budget last grew */
    unsigned next;      /* lock: whose turn it is to be let go */
    uint64_t parked[BITMAP_WORDS(MAX_VCPUS)]; /* atomic, run_lock of the
                                                 vCPU; set with lock too */
    struct timer timer;                       /* armed while a vCPU is parked */
};

void sched_cap_init(struct sched_cap *cap);
void sched_set_cap(struct domain *d, uint32_t percent);

/* For the scheduler alone, with the run_lock of the vCPU's queue. */
bool sched_cap_take(struct vcpu *v, nsec_t now);
void sched_cap_give_back(struct vcpu *v, int64_t unused);

/* sched.c, for sched_cap.c alone: with no lock held. */
void sched_unpark(struct vcpu *v, nsec_t grant);
