/* SPDX-License-Identifier: MIT */
/*
 * The run queue of a pCPU and its virtual time: earliest virtual deadline
 * first, as in weighted fair queueing (Demers, Keshav, Shenker, 1989).
 *
 * A queue's virtual time advances by real time / total weight; a vCPU's
 * virtual start by the time it ran / its own weight. Its deadline is when its
 * request would end at its own weight's pace, and whoever has the earliest one
 * runs. A request is a slice long, but shorter for a vCPU that just woke up:
 * so its deadline comes early without its share growing. All arithmetic is
 * modulo 2^64; only differences mean something.
 *
 * A capped domain has a clock as well, on which the time that its vCPUs run
 * costs 100 / percent as much. Each buys a stretch of it before it runs, gives
 * back what it did not use when it does not want to run, and owes what it used
 * beyond that. Whoever buys while the clock is ahead of the real time is parked
 * until that has come up: it stays runnable, but is on no queue. The clock is
 * never far behind, so that nothing is saved up but for what a domain missed
 * while it waited for a pCPU.
 *
 * Where vCPUs run: one that wakes up takes its last pCPU if that is idle, else
 * any idle one, else queues where it was. One that waits leaves for an idle
 * pCPU as soon as its registers are saved, an idle pCPU takes work from others,
 * and a crowded one gives to less crowded ones now and then, so that in the
 * long run shares hold between pCPUs too. A vCPU never changes queues while
 * some pCPU still has its registers.
 *
 * Of idle pCPUs a vCPU gets one of its soft affinity first. Where that has not
 * the pCPU it runs on, it looks at the end of each slice whether one that has
 * is idle. It never waits for one while another pCPU is idle.
 *
 * For the scheduler alone. run_queue_lock, sched_balance and sched_pull take
 * run_locks; run_queue_request and sched_loaded_on want none; all others want
 * that of their queue. The cap's lock nests inside it.
 */
#pragma once

#include "core/prioq.h"
#include "core/types.h"
#include "core/vcpu.h"

#define SCHED_SLICE (5 * NSEC_PER_MS)

struct pcpu;

/* run_queue.c */
struct pcpu *run_queue_lock(const struct vcpu *v);
void run_queue_advance(struct pcpu *p, nsec_t now);
nsec_t run_queue_request_left(const struct vcpu *v);
void run_queue_new_request(struct vcpu *v, nsec_t length);
void run_queue_clamp(const struct pcpu *p, struct vcpu *v);
void run_queue_join(const struct pcpu *p, struct vcpu *v);
void run_queue_change(struct vcpu *v, const struct pcpu *from,
                      const struct pcpu *to);
bool run_queue_buy(struct vcpu *v, nsec_t now);
void run_queue_give_back(struct vcpu *v);
void run_queue_add_weight(struct pcpu *p, int64_t weight);
void run_queue_insert(struct pcpu *p, struct vcpu *v);
void run_queue_remove(struct pcpu *p, struct vcpu *v);
void run_queue_request(struct pcpu *p);
void run_queue_check_preemption(struct pcpu *p, const struct vcpu *v,
                                nsec_t now);

/* sched_balance.c */
bool sched_may_run_on(const struct vcpu *v, unsigned cpu);
bool sched_has_better_place(const struct vcpu *v, const struct pcpu *p);
unsigned sched_loaded_on(const struct vcpu *v);
unsigned sched_choose_pcpu(const struct vcpu *v);
void sched_set_idle(unsigned cpu, bool is_idle);
bool sched_pull(struct pcpu *p, nsec_t now);
void sched_balance(struct pcpu *p, nsec_t now);

/* Whether it waits on the queue of pcpus[v->cpu]. */
static inline bool run_queue_has(const struct vcpu *v)
{
    return prioq_contains(&v->run_node);
}
