/* SPDX-License-Identifier: MIT */
/*
 * What core keeps for each physical processor. A member is written by its own
 * pCPU only, unless its comment names a lock.
 */
#pragma once

#include "core/bitmap.h"
#include "core/prioq.h"
#include "core/spinlock.h"
#include "core/timer.h"
#include "core/types.h"

#define MAX_PCPUS CONFIG_MAX_PCPUS
#define NO_PCPU (~0u)

struct vcpu;

struct pcpu {
    unsigned id;          /* const after boot */
    bool online;          /* atomic: takes part in scheduling */
    bool need_resched;    /* atomic: pass the scheduler before the guest */
    struct vcpu *current; /* atomic, run_lock: NULL while idle */
    struct vcpu *loaded;  /* whose page tables and registers are live */
    nsec_t entered_at;    /* of this stay in Mica; 0 until a call asks */
    uint32_t flushed_at;  /* atomic: flush clock at the last full flush */
    bool clean;           /* atomic: holds no guest translation at all */

    struct spinlock timer_lock;
    struct prioq timers;         /* timer_lock: by deadline */
    struct timer *timer_running; /* atomic: whose handler runs */

    struct spinlock run_lock; /* the run queue (core/run_queue.h) */
    struct prioq waiting;     /* run_lock: vCPUs, by virtual deadline */
    unsigned run_count;       /* atomic, run_lock: how many */
    uint64_t run_weight;      /* atomic, run_lock: of them and `current` */
    uint64_t run_clock;       /* atomic, run_lock: the queue's virtual time */
    nsec_t run_clock_at;      /* run_lock: when run_clock was right, and all
                                 who ran were charged */
    nsec_t balance_at;        /* atomic: when to compare queues next */
    struct timer slice_timer;
    nsec_t idle_time; /* run_lock: without any `current`, before that */
};

extern struct pcpu pcpus[MAX_PCPUS];
extern unsigned pcpu_count; /* const after boot */

static inline struct pcpu *this_pcpu(void)
{
    return arch_this_pcpu();
}

/* The vCPU whose hypercall or trap is being served; NULL while idle. */
static inline struct vcpu *current_vcpu(void)
{
    return this_pcpu()->current;
}

static inline bool pcpu_is_online(unsigned cpu)
{
    return __atomic_load_n(&pcpus[cpu].online, __ATOMIC_ACQUIRE);
}

/* sched.c */
void pcpu_init(unsigned cpu);
void pcpu_set_online(unsigned cpu);
