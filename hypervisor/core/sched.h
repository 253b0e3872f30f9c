/* SPDX-License-Identifier: MIT */
/*
 * Who runs where and for how long. One run queue per pCPU; fair sharing by
 * virtual deadlines, in proportion to weights; a vCPU that wakes up is served
 * early.
 *
 * Locks: the run_lock of pcpus[v->cpu] guards the scheduling members of `v`
 * and v->cpu itself; of two run_locks that of the lower pCPU comes first.
 * Locks of caps and timers nest inside them, nothing else does. `current` is
 * one vCPU's from the sched_pick that chose it to the next sched_pick on that pCPU, even
 * if it blocks, goes down or is paused in between.
 *
 * What the machine does, on its way from Mica to a guest, while need_resched:
 *   next = sched_pick(arch_now());
 *   if `loaded` is not `next`: save the registers of `loaded` where another
 *     pCPU finds them, loaded = NULL, call sched_unloaded() for it
 *   no `next`: halt until an interrupt; else load it
 * sched_unloaded is what lets a vCPU run elsewhere and what
 * sched_wait_until_saved waits for, so a pCPU that goes idle unloads its last vCPU as well.
 */
#pragma once

#include "core/spinlock.h"
#include "core/types.h"

#define SCHED_WEIGHT_DEFAULT 256u
#define SCHED_WEIGHT_MAX 65535u

struct domain;
struct vcpu;

/* What the vCPUs of a domain may use together (core/run_queue.h). */
struct sched_cap {
    struct spinlock lock;
    uint32_t percent; /* atomic, lock: of one pCPU; 0: no limit */
    int64_t clock;    /* lock: up to when time has been sold */
};

void sched_init_vcpu(struct vcpu *v, uint32_t weight, unsigned pauses);

struct vcpu *sched_pick(nsec_t now);
nsec_t sched_idle_time(unsigned cpu);
void sched_unloaded(struct vcpu *v);

void sched_wake(struct vcpu *v);
void sched_notify(struct vcpu *v);
void sched_block_current(void);
void sched_yield_current(void);
void sched_bring_up(struct vcpu *v);
void sched_take_down(struct vcpu *v);

void sched_pause(struct vcpu *v);
void sched_wait_until_saved(struct vcpu *v);
void sched_unpause(struct vcpu *v);

void sched_set_cap(struct domain *d, uint32_t percent);
void sched_set_weight(struct vcpu *v, uint32_t weight);
must_check int sched_set_affinity(struct vcpu *v,
                                  const uint64_t *pcpus_allowed);
void sched_set_soft_affinity(struct vcpu *v, const uint64_t *pcpus_preferred);
nsec_t sched_rate_limit(void);
void sched_set_rate_limit(nsec_t limit);
