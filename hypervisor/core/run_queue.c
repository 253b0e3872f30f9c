/* SPDX-License-Identifier: MIT */
/* Run queues; run_queue.h has the idea. */
#include "core/run_queue.h"

#include "core/pcpu.h"
#include "core/vcpu.h"

#define WAKING_SLICE NSEC_PER_MS

/* Units of virtual time in a nanosecond at weight 1. */
#define VIRTUAL_SHIFT 16

/* 19 hours: even at weight 1 such a step is a difference that has its sign. */
#define LONGEST_STEP (1ull << 46)

static uint64_t to_virtual(nsec_t t, uint64_t weight)
{
    return (min_u64(t, LONGEST_STEP) << VIRTUAL_SHIFT) / weight;
}

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

/* Brings the queue's virtual time up to `now`. */
void run_queue_advance(struct pcpu *p, nsec_t now)
{
    if (now <= p->run_clock_at)
        return;
    if (p->run_weight)
        __atomic_store_n(&p->run_clock,
                         p->run_clock +
                             to_virtual(now - p->run_clock_at, p->run_weight),
                         __ATOMIC_RELAXED);
    p->run_clock_at = now;
}

/* Makes `v`, which is running, pay for its time up to `now`. */
void run_queue_charge(struct vcpu *v, nsec_t now)
{
    if (now <= v->charged_at)
        return;
    v->virtual_start += to_virtual(now - v->charged_at, v->weight);
    v->charged_at = now;
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
 * `from` is enough. Its timers come along.
 */
void run_queue_change(struct vcpu *v, const struct pcpu *from,
                      const struct pcpu *to)
{
    uint64_t shift =
        __atomic_load_n(&to->run_clock, __ATOMIC_RELAXED) - from->run_clock;

    v->virtual_start += shift;
    v->virtual_deadline += shift;
    timer_move(&v->singleshot, to->id);
    timer_move(&v->periodic, to->id);
    timer_move(&v->poll_timer, to->id);
    __atomic_store_n(&v->cpu, to->id, __ATOMIC_RELEASE);
}

/* Changes the weight that shares the pCPU. */
void run_queue_add_weight(struct pcpu *p, int64_t weight)
{
    __atomic_store_n(&p->run_weight, p->run_weight + (uint64_t)weight,
                     __ATOMIC_RELAXED);
}

/* Adds a vCPU that has its place in the virtual time. */
void run_queue_insert(struct pcpu *p, struct vcpu *v)
{
    v->is_queued = true;
    list_add_tail(&v->run_link, &p->run_queue);
    prioq_insert(&p->by_deadline, &v->run_node, v->virtual_deadline);
    __atomic_store_n(&p->run_count, p->run_count + 1, __ATOMIC_RELAXED);
    run_queue_add_weight(p, v->weight);
}

/* Takes a vCPU out, by whatever end. */
void run_queue_remove(struct pcpu *p, struct vcpu *v)
{
    v->is_queued = false;
    list_del(&v->run_link);
    prioq_remove(&p->by_deadline, &v->run_node);
    __atomic_store_n(&p->run_count, p->run_count - 1, __ATOMIC_RELAXED);
    run_queue_add_weight(p, -(int64_t)v->weight);
}

/* The queued vCPU that should run now, or NULL. It stays queued. */
struct vcpu *run_queue_first(struct pcpu *p)
{
    struct prioq_node *first = prioq_first(&p->by_deadline);

    return first ? container_of(first, struct vcpu, run_node) : NULL;
}
