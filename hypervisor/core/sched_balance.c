/* SPDX-License-Identifier: MIT */
/* Placement and balance; run_queue.h has the rules. */
#include "core/pcpu.h"
#include "core/run_queue.h"

#define BALANCE_PERIOD (100 * NSEC_PER_MS)

/* How many queued vCPUs one attempt to move looks at. */
#define SEARCH_LIMIT 16

static uint64_t idle_pcpus[BITMAP_WORDS(MAX_PCPUS)]; /* atomic */

/* Notes whether pCPU `cpu` has nothing to do. Called by itself. */
void sched_set_idle(unsigned cpu, bool is_idle)
{
    if (is_idle)
        atomic_bit_set(idle_pcpus, cpu);
    else if (bit_test(idle_pcpus, cpu))
        atomic_bit_clear(idle_pcpus, cpu);
}

/* Whether `v` is allowed on pCPU `cpu` and that takes part. */
bool sched_may_run_on(const struct vcpu *v, unsigned cpu)
{
    return bit_test(v->affinity, cpu) && pcpu_is_online(cpu);
}

/* The pCPU that has the registers of `v`, or NO_PCPU. */
unsigned sched_loaded_on(const struct vcpu *v)
{
    return __atomic_load_n(&v->loaded_on, __ATOMIC_ACQUIRE);
}

static bool is_idle_for(const struct vcpu *v, const uint64_t *wanted,
                        size_t cpu)
{
    return bit_test(idle_pcpus, cpu) && bit_test(wanted, cpu) &&
           sched_may_run_on(v, (unsigned)cpu);
}

/*
 * An idle pCPU for `v`, one of `wanted`, or NO_PCPU. The last one comes first:
 * its caches may still know `v`.
 */
static unsigned find_idle(const struct vcpu *v, const uint64_t *wanted)
{
    if (is_idle_for(v, wanted, v->cpu))
        return v->cpu;
    bitmap_for_each(cpu, idle_pcpus, pcpu_count)
    {
        if (is_idle_for(v, wanted, cpu))
            return (unsigned)cpu;
    }
    return NO_PCPU;
}

/* Such a one, which no longer is marked idle. */
static unsigned claim_idle(const struct vcpu *v, const uint64_t *wanted)
{
    unsigned cpu;

    do
        cpu = find_idle(v, wanted);
    while (cpu != NO_PCPU && !atomic_bit_clear(idle_pcpus, cpu));
    return cpu;
}

/*
 * Whether a pCPU waits for `v`, on that of `p`: any if another runs here and
 * the registers of `v` are saved, else one where it would rather be.
 */
bool sched_has_better_place(const struct vcpu *v, const struct pcpu *p)
{
    if (p->current && p->current != v && sched_loaded_on(v) == NO_PCPU)
        return find_idle(v, v->affinity) != NO_PCPU;
    return !bit_test(v->soft_affinity, p->id) &&
           find_idle(v, v->soft_affinity) != NO_PCPU;
}

static uint64_t load_of(unsigned cpu)
{
    return __atomic_load_n(&pcpus[cpu].run_weight, __ATOMIC_RELAXED);
}

/* The pCPU with the smallest load; `best` unless there is one with less. */
static unsigned least_loaded(const uint64_t *among, unsigned best)
{
    for (unsigned cpu = 0; cpu < pcpu_count; cpu++)
        if (pcpu_is_online(cpu) && (!among || bit_test(among, cpu)) &&
            (best == NO_PCPU || load_of(cpu) < load_of(best)))
            best = cpu;
    return best;
}

/*
 * Where `v` should queue; NO_PCPU while its registers are on a pCPU where it
 * may not run any more.
 */
unsigned sched_choose_pcpu(const struct vcpu *v)
{
    unsigned at = sched_loaded_on(v);

    if (at != NO_PCPU)
        return sched_may_run_on(v, at) ? at : NO_PCPU;
    at = claim_idle(v, v->soft_affinity);
    if (at == NO_PCPU)
        at = claim_idle(v, v->affinity);
    if (at == NO_PCPU)
        at = sched_may_run_on(v, v->cpu) ? v->cpu
                                         : least_loaded(v->affinity, NO_PCPU);
    return at;
}

/*
 * Of the vCPUs of `from` that can go to `to` and weigh at most `limit`, the
 * one that moved least recently; or NULL.
 */
static struct vcpu *find_movable(const struct pcpu *from, const struct pcpu *to,
                                 uint64_t limit)
{
    struct prioq_node *nodes[SEARCH_LIMIT];
    unsigned count = prioq_peek(&from->waiting, nodes, SEARCH_LIMIT);
    struct vcpu *found = NULL;

    for (unsigned i = 0; i < count; i++) {
        struct vcpu *v = container_of(nodes[i], struct vcpu, run_node);

        if (sched_loaded_on(v) == NO_PCPU && sched_may_run_on(v, to->id) &&
            v->weight <= limit && (!found || v->moved_at < found->moved_at))
            found = v;
    }
    return found;
}

/* Moves a queued vCPU between queues that are both locked. */
static void move_queued(struct pcpu *from, struct pcpu *to, struct vcpu *v,
                        nsec_t now)
{
    run_queue_advance(from, now); /* while the weight of `v` counts there */
    run_queue_remove(from, v);
    run_queue_advance(to, now);
    run_queue_change(v, from, to);
    run_queue_insert(to, v);
    v->moved_at = now;
    __atomic_store_n(&to->balance_at, now + BALANCE_PERIOD, __ATOMIC_RELAXED);
    run_queue_check_preemption(to, v, now);
}

static bool has_queued(const struct pcpu *p)
{
    return __atomic_load_n(&p->run_count, __ATOMIC_RELAXED);
}

/* Takes work from the next busy pCPU where some waits that can go. */
bool sched_pull(struct pcpu *p, nsec_t now)
{
    struct vcpu *v = NULL;

    for (unsigned i = 1; i < pcpu_count && !v; i++) {
        struct pcpu *from = &pcpus[(p->id + i) % pcpu_count];

        if (!has_queued(from) ||
            !__atomic_load_n(&from->current, __ATOMIC_RELAXED))
            continue;
        spin_lock_both(&from->run_lock, &p->run_lock);
        v = find_movable(from, p, UINT64_MAX);
        if (v)
            move_queued(from, p, v, now);
        spin_unlock_both(&from->run_lock, &p->run_lock);
    }
    return v;
}

/*
 * Gives one vCPU to the least loaded pCPU if that does not just turn the
 * tables. When it makes them even the other way round it still does, and
 * whoever moved least recently goes: all wander, and everybody has the pCPU
 * with less company in turn. Whether that is settled for now.
 */
static bool push_to_least_loaded(struct pcpu *p, nsec_t now)
{
    struct pcpu *to = &pcpus[least_loaded(NULL, p->id)];
    const struct vcpu *current = p->current;
    bool settled = true;
    struct vcpu *v;

    if (to == p)
        return true;
    spin_lock_both(&p->run_lock, &to->run_lock);
    v = find_movable(p, to,
                     p->run_weight - min_u64(to->run_weight, p->run_weight));
    if (v && current->moved_at < v->moved_at && current->weight <= v->weight &&
        sched_may_run_on(current, to->id))
        settled = false; /* its turn comes when it waits */
    else if (v)
        move_queued(p, to, v, now);
    spin_unlock_both(&p->run_lock, &to->run_lock);
    return settled;
}

/* The part of a scheduling point in which pCPU `p` shares its work. */
void sched_balance(struct pcpu *p, nsec_t now)
{
    const struct vcpu *v = p->current;

    if (now >= __atomic_load_n(&p->balance_at, __ATOMIC_RELAXED) && v &&
        v->state == VCPU_RUNNING && !v->pause_count && has_queued(p) &&
        push_to_least_loaded(p, now))
        __atomic_store_n(&p->balance_at, now + BALANCE_PERIOD,
                         __ATOMIC_RELAXED);
}
