/* SPDX-License-Identifier: MIT */
/* Run queues; run_queue.h has the idea. */
#include "core/run_queue.h"

#include "core/arch.h"
#include "core/domain.h"
#include "core/pcpu.h"
#include "core/sched.h"

#define WAKING_SLICE NSEC_PER_MS

/* Units of virtual time in a nanosecond at weight 1. */
#define VIRTUAL_SHIFT 16

/* 19 hours: even at weight 1 such a step is a difference that has its sign. */
#define LONGEST_STEP (1ull << 46)

/* The vCPUs of a capped domain buy together what it gets in this time. */
#define CAP_PERIOD (10 * NSEC_PER_MS)

/* Its clock is behind by no more than this. */
#define CAP_BURST (2 * CAP_PERIOD)

/* Less than this is not worth a switch. */
#define LEAST_STRETCH (500 * NSEC_PER_US)

/* Locks the queue that `v` belongs to. */
struct pcpu *run_queue_lock(const struct vcpu *v)
{
    for (;;) {
        unsigned cpu = __atomic_load_n(&v->cpu, __ATOMIC_RELAXED);
        struct pcpu *p = &pcpus[cpu];

        spin_lock(&p->run_lock);
        if (__atomic_load_n(&v->cpu, __ATOMIC_RELAXED) == cpu)
            return p;
        spin_unlock(&p->run_lock);
    }
}

/* --- virtual time -------------------------------------------------------- */

static uint64_t to_virtual(nsec_t t, uint64_t weight)
{
    return (min_u64(t, LONGEST_STEP) << VIRTUAL_SHIFT) / weight;
}

/* Brings the queue's time up to `now`, which whoever runs pays for. */
void run_queue_advance(struct pcpu *p, nsec_t now)
{
    struct vcpu *v = p->current;
    nsec_t passed = now - p->run_clock_at;

    if (now <= p->run_clock_at)
        return;
    p->run_clock_at = now;
    if (p->run_weight)
        __atomic_store_n(&p->run_clock,
                         p->run_clock + to_virtual(passed, p->run_weight),
                         __ATOMIC_RELAXED);
    if (v) {
        v->virtual_start += to_virtual(passed, v->weight);
        if (v->bought) /* else it has no cap, or had none when it began */
            v->bought -= (int64_t)passed;
    } else {
        p->idle_time += passed;
    }
}

/* How much longer `v` may run until its request is served. */
nsec_t run_queue_request_left(const struct vcpu *v)
{
    if (!prioq_key_before(v->virtual_start, v->virtual_deadline))
        return 0;
    return (v->virtual_deadline - v->virtual_start) * v->weight >>
           VIRTUAL_SHIFT;
}

/* `v` asks for `length` of time from its virtual start on. */
void run_queue_new_request(struct vcpu *v, nsec_t length)
{
    v->virtual_deadline = v->virtual_start + to_virtual(length, v->weight);
}

/*
 * Lets `v` be ahead of the queue's time or behind it by no more than a slice's
 * worth: whatever made it so, it keeps nobody from running for long.
 */
void run_queue_clamp(const struct pcpu *p, struct vcpu *v)
{
    int64_t most = (int64_t)to_virtual(SCHED_SLICE, v->weight);
    int64_t ahead = (int64_t)(v->virtual_start - p->run_clock);

    if (ahead < -most)
        ahead = -most;
    else if (ahead > most)
        ahead = most;
    v->virtual_start = p->run_clock + (uint64_t)ahead;
}

/*
 * The place of one that begins to wait here. That it fell behind while it did
 * not want to run is enough to come before those who never sleep.
 */
void run_queue_join(const struct pcpu *p, struct vcpu *v)
{
    run_queue_clamp(p, v);
    run_queue_new_request(v, WAKING_SLICE);
}

/*
 * Makes `v`, which does not wait, belong to queue `to`, as far ahead of its
 * time or behind as it was in `from` when that last advanced. The lock of
 * `from` is enough.
 */
void run_queue_change(struct vcpu *v, const struct pcpu *from,
                      const struct pcpu *to)
{
    uint64_t shift =
        __atomic_load_n(&to->run_clock, __ATOMIC_RELAXED) - from->run_clock;

    v->virtual_start += shift;
    v->virtual_deadline += shift;
    __atomic_store_n(&v->cpu, to->id, __ATOMIC_RELEASE);
}

/* --- caps ---------------------------------------------------------------- */

/*
 * Sees to it that `v`, which is about to run, has time of its domain if that is
 * capped: as much as all its vCPUs can have in turn. False if it has not come
 * yet: `v` is parked now.
 */
bool run_queue_buy(struct vcpu *v, nsec_t now)
{
    struct sched_cap *cap = &v->domain->cap;
    int64_t percent, earliest = (int64_t)(now - CAP_BURST);

    if (!__atomic_load_n(&cap->percent, __ATOMIC_RELAXED) || v->bought > 0)
        return true;
    spin_lock(&cap->lock);
    percent = cap->percent;
    if (percent) {
        if (cap->clock < earliest)
            cap->clock = earliest;
        v->parked_until = cap->clock;
        v->bought = (int64_t)max_u64(LEAST_STRETCH, CAP_PERIOD / 100 * percent /
                                                        v->domain->max_vcpus);
        cap->clock += v->bought * 100 / percent;
    }
    spin_unlock(&cap->lock);
    return v->parked_until <= (int64_t)now;
}

/* Gives back what `v` did not use, or takes what it used beyond. */
void run_queue_give_back(struct vcpu *v)
{
    struct sched_cap *cap = &v->domain->cap;

    if (__atomic_load_n(&cap->percent, __ATOMIC_RELAXED)) {
        spin_lock(&cap->lock);
        if (cap->percent)
            cap->clock -= v->bought * 100 / cap->percent;
        spin_unlock(&cap->lock);
    }
    v->bought = 0;
}

/* --- who waits ----------------------------------------------------------- */

/* Changes the weight that shares the pCPU. */
void run_queue_add_weight(struct pcpu *p, int64_t weight)
{
    __atomic_store_n(&p->run_weight, p->run_weight + (uint64_t)weight,
                     __ATOMIC_RELAXED);
}

/* Adds a vCPU that has its place in the virtual time. */
void run_queue_insert(struct pcpu *p, struct vcpu *v)
{
    prioq_insert(&p->waiting, &v->run_node, v->virtual_deadline);
    __atomic_store_n(&p->run_count, p->run_count + 1, __ATOMIC_RELAXED);
    run_queue_add_weight(p, v->weight);
}

/* Takes a vCPU out, by whatever end. */
void run_queue_remove(struct pcpu *p, struct vcpu *v)
{
    prioq_remove(&v->run_node);
    __atomic_store_n(&p->run_count, p->run_count - 1, __ATOMIC_RELAXED);
    run_queue_add_weight(p, -(int64_t)v->weight);
}

/* Makes `p` pass sched_pick soon. */
void run_queue_request(struct pcpu *p)
{
    __atomic_store_n(&p->need_resched, true, __ATOMIC_SEQ_CST);
    if (p != this_pcpu())
        arch_pcpu_kick(p->id);
}

/*
 * Ends the current slice early if `v`, just queued, should come first. Of a
 * slice that is to end later this pCPU keeps the time, though `p` may be
 * another: `p` would have to pass sched_pick for that, which knows no rate
 * limit.
 */
void run_queue_check_preemption(struct pcpu *p, const struct vcpu *v,
                                nsec_t now)
{
    const struct vcpu *current = p->current;
    nsec_t end;

    if (!current || current->state != VCPU_RUNNING) {
        run_queue_request(p);
        return;
    }
    end = now + run_queue_request_left(current);
    if (prioq_key_before(v->virtual_deadline, current->virtual_deadline))
        end = min_u64(end,
                      current->runstate.state_entry_time + sched_rate_limit());
    if (end <= now)
        run_queue_request(p);
    else if (end < __atomic_load_n(&p->slice_timer.deadline, __ATOMIC_RELAXED))
        timer_arm(&p->slice_timer, end);
}
