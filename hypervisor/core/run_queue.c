/* SPDX-License-Identifier: MIT */
/* Run queues; run_queue.h has the idea. */
#include "core/run_queue.h"

#include "core/pcpu.h"
#include "core/vcpu.h"

#define WAKING_SLICE NSEC_PER_MS

/* Units of virtual time in a nanosecond at weight 1. */
#define VIRTUAL_SHIFT 16

static uint64_t to_virtual(nsec_t t, uint64_t weight)
{
    return (min_u64(t, NSEC_PER_SEC) << VIRTUAL_SHIFT) / weight;
}

static struct vcpu *vcpu_of(struct prioq_node *node)
{
    return container_of(node, struct vcpu, run_node);
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
        p->run_clock += to_virtual(now - p->run_clock_at, p->run_weight);
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

/* Notes how far ahead of its queue or behind it `v` is as it leaves. */
void run_queue_leave(const struct pcpu *p, struct vcpu *v)
{
    v->lag = (int64_t)(v->virtual_start - p->run_clock);
    v->left_at = p->run_clock;
}

/*
 * How far ahead of the queue's time a sleeper is now. It fell behind while it
 * slept, but to no more than a slice's worth: enough to come before those
 * who never sleep, too little to keep them from running for long.
 */
static int64_t lag_after_sleep(const struct vcpu *v, uint64_t passed)
{
    int64_t least = -(int64_t)to_virtual(SCHED_SLICE, v->weight);

    if (v->lag < least || passed > (uint64_t)(v->lag - least))
        return least;
    return v->lag - (int64_t)passed;
}

/* Gives `v` its place in the time of the queue it now joins. */
void run_queue_join(const struct pcpu *p, struct vcpu *v, bool moved)
{
    uint64_t request = v->virtual_deadline - v->virtual_start;
    uint64_t passed = moved ? 0 : p->run_clock - v->left_at;

    if (v->is_waking)
        v->lag = lag_after_sleep(v, passed);
    v->virtual_start = p->run_clock + (uint64_t)v->lag;
    if (v->is_waking)
        run_queue_new_request(v, WAKING_SLICE);
    else
        v->virtual_deadline = v->virtual_start + request;
    v->is_waking = false;
}

/* Changes the weight that shares the pCPU. */
void run_queue_add_weight(struct pcpu *p, int64_t weight)
{
    __atomic_store_n(&p->run_weight, p->run_weight + (uint64_t)weight,
                     __ATOMIC_RELAXED);
}

static void file(struct pcpu *p, struct vcpu *v)
{
    v->is_eligible = !prioq_key_before(p->run_clock, v->virtual_start);
    if (v->is_eligible)
        prioq_insert(&p->eligible, &v->run_node, v->virtual_deadline);
    else
        prioq_insert(&p->waiting, &v->run_node, v->virtual_start);
}

static void unfile(struct pcpu *p, struct vcpu *v)
{
    prioq_remove(v->is_eligible ? &p->eligible : &p->waiting, &v->run_node);
}

/* Adds a vCPU that has its place in the virtual time. */
void run_queue_insert(struct pcpu *p, struct vcpu *v)
{
    v->is_queued = true;
    list_add_tail(&v->run_link, &p->run_queue);
    file(p, v);
    __atomic_store_n(&p->run_count, p->run_count + 1, __ATOMIC_RELAXED);
    run_queue_add_weight(p, v->weight);
}

/* Takes a vCPU out, by whatever end. */
void run_queue_remove(struct pcpu *p, struct vcpu *v)
{
    v->is_queued = false;
    list_del(&v->run_link);
    unfile(p, v);
    __atomic_store_n(&p->run_count, p->run_count - 1, __ATOMIC_RELAXED);
    run_queue_add_weight(p, -(int64_t)v->weight);
}

static void promote_eligible(struct pcpu *p)
{
    struct prioq_node *node;

    while ((node = prioq_first(&p->waiting)) &&
           !prioq_key_before(p->run_clock, node->key)) {
        unfile(p, vcpu_of(node));
        file(p, vcpu_of(node));
    }
}

/* The queued vCPU that should run now, or NULL. It stays queued. */
struct vcpu *run_queue_first(struct pcpu *p)
{
    promote_eligible(p);
    if (!p->eligible.root && p->waiting.root) {
        p->run_clock = p->waiting.root->key;
        promote_eligible(p);
    }
    return p->eligible.root ? vcpu_of(p->eligible.root) : NULL;
}
