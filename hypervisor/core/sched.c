/* SPDX-License-Identifier: MIT */
/*
 * The scheduler's decisions and a vCPU's changes of state. The order within a
 * queue is run_queue.c's, the choice of the queue sched_balance.c's.
 */
#include "core/sched.h"

#include "core/arch.h"
#include "core/domain.h"
#include "core/pcpu.h"
#include "core/run_queue.h"
#include "core/vcpu.h"

/* What is left of a request below this is not worth a switch. */
#define LEAST_SLICE (100 * NSEC_PER_US)

struct pcpu pcpus[MAX_PCPUS];
unsigned pcpu_count;

/* Whoever runs has this long before one that wakes up takes its pCPU. */
static nsec_t rate_limit; /* atomic */

static void set_state(struct vcpu *v, enum vcpu_state state)
{
    __atomic_store_n(&v->state, state, __ATOMIC_SEQ_CST);
}

/* Has the pCPU with the registers of `v` save them; sched_unloaded goes on. */
static void unload_elsewhere(const struct vcpu *v)
{
    unsigned at = sched_loaded_on(v);

    if (at != NO_PCPU)
        run_queue_request(&pcpus[at]);
}

/* Whether `v` wants a pCPU and may have one. */
static bool is_competing(const struct vcpu *v, nsec_t now)
{
    return v->state >= VCPU_RUNNABLE && !v->pause_count &&
           v->parked_until <= (int64_t)now;
}

/* Whether it should do so here. */
static bool belongs_on(const struct vcpu *v, const struct pcpu *p, nsec_t now)
{
    return is_competing(v, now) && sched_may_run_on(v, p->id) &&
           !sched_has_better_place(v, p);
}

/* The runstate of a vCPU that is not running. */
static int idle_runstate(const struct vcpu *v)
{
    if (v->state == VCPU_DOWN || v->pause_count)
        return RUNSTATE_offline;
    return v->state == VCPU_BLOCKED ? RUNSTATE_blocked : RUNSTATE_runnable;
}

/* Puts `v`, of queue `p`, on the right queue. Unlocks `p`. */
static void place(struct pcpu *p, struct vcpu *v, nsec_t now)
{
    unsigned target = sched_choose_pcpu(v);
    bool moves = target != NO_PCPU && target != p->id;

    if (target == NO_PCPU)
        unload_elsewhere(v);
    if (moves) {
        run_queue_change(v, p, &pcpus[target]);
        spin_unlock(&p->run_lock);
        p = run_queue_lock(v);
        run_queue_advance(p, now);
    }
    if (target != NO_PCPU && is_competing(v, now) && !run_queue_has(v) &&
        p->current != v) {
        run_queue_join(p, v);
        run_queue_insert(p, v);
        run_queue_check_preemption(p, v, now);
    } else if (moves) {
        run_queue_request(&pcpus[target]); /* it may no longer count as idle */
    }
    spin_unlock(&p->run_lock);
}

/*
 * After any change of where `v` belongs: puts it on the right queue or on
 * none, or has its pCPU pass sched_pick. Unlocks `p`, where it was so far.
 */
static void settle(struct pcpu *p, struct vcpu *v)
{
    nsec_t now = arch_now();

    run_queue_advance(p, now);
    if (p->current == v) {
        if (v->state == VCPU_RUNNABLE)
            set_state(v, VCPU_RUNNING);
        run_queue_request(p);
        spin_unlock(&p->run_lock);
        return;
    }
    vcpu_set_runstate(v, idle_runstate(v), now);
    if (run_queue_has(v) && !belongs_on(v, p, now))
        run_queue_remove(p, v);
    if (v->state == VCPU_RUNNABLE && !v->pause_count && !is_competing(v, now))
        timer_arm(&v->wake_timer, (nsec_t)v->parked_until);
    if (is_competing(v, now) && !run_queue_has(v))
        place(p, v, now);
    else
        spin_unlock(&p->run_lock);
}

/* --- the choice ---------------------------------------------------------- */

/*
 * Takes the pCPU from `v`, and what it bought if that is of no use to it now.
 * Whether it belongs on the queue again.
 */
static bool retire(struct pcpu *p, struct vcpu *v, nsec_t now)
{
    run_queue_clamp(p, v);
    run_queue_add_weight(p, -(int64_t)v->weight);
    if (v->state == VCPU_RUNNING)
        set_state(v, VCPU_RUNNABLE);
    if (run_queue_request_left(v) < LEAST_SLICE || v->has_yielded)
        run_queue_new_request(v, SCHED_SLICE);
    if (v->bought < (int64_t)LEAST_SLICE || !is_competing(v, now))
        run_queue_give_back(v);
    return belongs_on(v, p, now);
}

/* The queued vCPU that should run now, or NULL; parks those that may not. */
static struct vcpu *choose(struct pcpu *p, nsec_t now)
{
    struct prioq_node *first;

    while ((first = prioq_first(&p->waiting))) {
        struct vcpu *v = container_of(first, struct vcpu, run_node);

        if (run_queue_buy(v, now))
            return v;
        run_queue_remove(p, v);
        timer_arm(&v->wake_timer, (nsec_t)v->parked_until);
    }
    return NULL;
}

/*
 * Has the tick of `v` come to `p`, this pCPU, so that no other works for it.
 * One that fires or changes meanwhile comes once too often, or at the old time.
 */
static void bring_tick(const struct pcpu *p, struct vcpu *v)
{
    nsec_t due = __atomic_load_n(&v->periodic.deadline, __ATOMIC_RELAXED);

    if (due != NSEC_NEVER &&
        __atomic_load_n(&v->periodic.cpu, __ATOMIC_RELAXED) != p->id)
        timer_arm(&v->periodic, due);
}

/* Begins to run `v`; when to look again who should. */
static nsec_t start(struct pcpu *p, struct vcpu *v, nsec_t now)
{
    nsec_t end = NSEC_NEVER;

    bring_tick(p, v);
    run_queue_remove(p, v);
    run_queue_add_weight(p, v->weight);
    set_state(v, VCPU_RUNNING);
    __atomic_store_n(&v->loaded_on, p->id, __ATOMIC_RELEASE);
    if (p->run_count || !bit_test(v->soft_affinity, p->id))
        end = now + run_queue_request_left(v);
    if (v->bought > 0)
        end = min_u64(end, now + (nsec_t)v->bought);
    return end;
}

/* Gives the pCPU to the next vCPU, or to nobody. */
static struct vcpu *pick_here(struct pcpu *p, nsec_t now)
{
    struct vcpu *prev, *next = NULL;
    bool goes_on;

    spin_lock(&p->run_lock);
    prev = p->current;
    __atomic_store_n(&p->need_resched, false, __ATOMIC_SEQ_CST);
    run_queue_advance(p, now);
    goes_on = prev && retire(p, prev, now);
    if (prev && prev->has_yielded) { /* to any other */
        prev->has_yielded = false;
        next = choose(p, now);
    }
    if (goes_on)
        run_queue_insert(p, prev);
    if (!next)
        next = choose(p, now);
    timer_arm(&p->slice_timer, next ? start(p, next, now) : NSEC_NEVER);
    if (prev && prev != next)
        vcpu_set_runstate(prev, idle_runstate(prev), now);
    if (next)
        vcpu_set_runstate(next, RUNSTATE_running, now);
    __atomic_store_n(&p->current, next, __ATOMIC_RELEASE);
    sched_set_idle(p->id, !next);
    spin_unlock(&p->run_lock);
    return next;
}

/* How long pCPU `cpu` has had no vCPU to run since it was brought online. */
nsec_t sched_idle_time(unsigned cpu)
{
    struct pcpu *p = &pcpus[cpu];
    nsec_t total;

    spin_lock(&p->run_lock);
    run_queue_advance(p, arch_now());
    total = p->idle_time;
    spin_unlock(&p->run_lock);
    return total;
}

/*
 * The scheduling decision of this pCPU: makes the vCPU that should run now its
 * `current` and returns it, or NULL when there is none. With no lock held.
 */
struct vcpu *sched_pick(nsec_t now)
{
    struct pcpu *p = this_pcpu();
    struct vcpu *next;

    sched_balance(p, now);
    next = pick_here(p, now);
    if (!next && sched_pull(p, now))
        next = pick_here(p, now);
    return next;
}

/*
 * The registers of `v`, which this pCPU had, are where any pCPU can find them.
 * With no lock held. Whoever ends its domain waits for no more than that, so
 * afterwards the caller must not use `v`.
 */
void sched_unloaded(struct vcpu *v)
{
    struct domain *d = v->domain;

    domain_get(d);
    __atomic_store_n(&v->loaded_on, NO_PCPU, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&v->state, __ATOMIC_SEQ_CST) == VCPU_RUNNABLE)
        settle(run_queue_lock(v), v);
    domain_put(d);
}

static void slice_is_over(struct timer *t, nsec_t now)
{
    (void)now;
    run_queue_request(container_of(t, struct pcpu, slice_timer));
}

/* Makes the record of pCPU `cpu` usable. Needs no memory; once, at start. */
void pcpu_init(unsigned cpu)
{
    struct pcpu *p = &pcpus[cpu];

    p->id = cpu;
    timer_init(&p->slice_timer, slice_is_over);
}

/*
 * From now on the scheduler gives pCPU `cpu` work. It calls arch_now and may
 * be called by any pCPU once the clocks agree.
 */
void pcpu_set_online(unsigned cpu)
{
    struct pcpu *p = &pcpus[cpu];

    p->run_clock_at = arch_now();
    __atomic_store_n(&p->need_resched, true, __ATOMIC_RELAXED);
    __atomic_store_n(&p->online, true, __ATOMIC_RELEASE);
}

/*
 * Prepares a new vCPU: down, allowed everywhere, with `pauses` pauses. Its
 * timers must exist.
 */
void sched_init_vcpu(struct vcpu *v, uint32_t weight, unsigned pauses)
{
    v->state = VCPU_DOWN;
    v->weight = weight;
    v->pause_count = pauses;
    v->loaded_on = NO_PCPU;
    memset(v->affinity, 0xff, sizeof(v->affinity));
    memset(v->soft_affinity, 0xff, sizeof(v->soft_affinity));
    v->runstate.state = RUNSTATE_offline;
    v->runstate.state_entry_time = arch_now();
}

/* --- changes of state ---------------------------------------------------- */

static void end_poll(struct vcpu *v)
{
    if (bit_test(v->domain->pollers, v->id) &&
        atomic_bit_clear(v->domain->pollers, v->id))
        timer_cancel(&v->wake_timer);
}

/* Ends the sleep of a blocked vCPU, of whatever kind. */
void sched_wake(struct vcpu *v)
{
    struct pcpu *p = run_queue_lock(v);

    if (v->state == VCPU_BLOCKED) {
        end_poll(v);
        set_state(v, VCPU_RUNNABLE);
    }
    settle(p, v);
}

/*
 * After something was made pending for `v`: wakes it, or has it look if it is
 * running elsewhere. Its state needs no lock: whoever blocks looks for pending
 * events after it said so.
 */
void sched_notify(struct vcpu *v)
{
    enum vcpu_state state = __atomic_load_n(&v->state, __ATOMIC_SEQ_CST);

    if (state == VCPU_BLOCKED)
        sched_wake(v);
    else if (state == VCPU_RUNNING && v != current_vcpu())
        arch_vcpu_kick(v);
}

/*
 * Puts the current vCPU to sleep as of the next scheduling point. The caller
 * then looks whether what it waits for has come already, and sched_wakes it
 * if so.
 */
void sched_block_current(void)
{
    struct vcpu *v = current_vcpu();
    struct pcpu *p = run_queue_lock(v);

    if (v->state == VCPU_RUNNING)
        set_state(v, VCPU_BLOCKED);
    settle(p, v);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

/* Gives up the rest of the slice to any other vCPU that waits here. */
void sched_yield_current(void)
{
    struct pcpu *p = this_pcpu();

    p->current->has_yielded = true;
    run_queue_request(p);
}

/* Makes a vCPU that is down runnable; others stay as they are. */
void sched_bring_up(struct vcpu *v)
{
    struct pcpu *p = run_queue_lock(v);

    if (v->state == VCPU_DOWN)
        set_state(v, VCPU_RUNNABLE);
    settle(p, v);
}

/* Makes a vCPU down, whatever it is doing; the current one still returns. */
void sched_take_down(struct vcpu *v)
{
    struct pcpu *p = run_queue_lock(v);

    end_poll(v);
    set_state(v, VCPU_DOWN);
    settle(p, v);
}

/* Counts a pause. The vCPU stops soon; sched_wait_until_saved waits for it. */
void sched_pause(struct vcpu *v)
{
    struct pcpu *p = run_queue_lock(v);

    v->pause_count++;
    settle(p, v);
}

/* Undoes one sched_pause. */
void sched_unpause(struct vcpu *v)
{
    struct pcpu *p = run_queue_lock(v);

    v->pause_count--;
    settle(p, v);
}

/*
 * Waits until no pCPU has the registers of `v`, which the caller has paused.
 * Not for the current vCPU; with no lock that a scheduling point may need. Two
 * vCPUs must not wait for each other: only dom0 waits, and not for itself.
 */
void sched_wait_until_saved(struct vcpu *v)
{
    unload_elsewhere(v);
    while (sched_loaded_on(v) != NO_PCPU)
        arch_spin_wait();
}

/* --- policy -------------------------------------------------------------- */

/*
 * Sets the share of `v`, 1 to SCHED_WEIGHT_MAX. How far it is ahead of the
 * queue's time or behind it counts on as far as a slice at the new weight.
 */
void sched_set_weight(struct vcpu *v, uint32_t weight)
{
    struct pcpu *p = run_queue_lock(v);

    run_queue_advance(p, arch_now());
    if (run_queue_has(v))
        run_queue_remove(p, v);
    else if (p->current == v)
        run_queue_add_weight(p, (int64_t)weight - v->weight);
    v->weight = weight;
    run_queue_join(p, v);
    settle(p, v);
}

/* Under another cap, or none, `v` begins anew, whether it is parked or not. */
static void begin_anew(struct vcpu *v)
{
    struct pcpu *p = run_queue_lock(v);

    run_queue_advance(p, arch_now());
    v->bought = v->parked_until = 0;
    if (v->state == VCPU_RUNNABLE)
        timer_cancel(&v->wake_timer);
    settle(p, v);
}

/*
 * Limits the time of all vCPUs of `d` together to `percent` of one pCPU's, 0
 * for no limit, as if it had used nothing so far. One caller at a time.
 */
void sched_set_cap(struct domain *d, uint32_t percent)
{
    spin_lock(&d->cap.lock);
    __atomic_store_n(&d->cap.percent, percent, __ATOMIC_RELAXED);
    d->cap.clock = 0;
    spin_unlock(&d->cap.lock);
    domain_for_each_vcpu(d, begin_anew);
}

/* Changes `mask`, one of the affinities of `v`. */
static void set_affinity(struct vcpu *v, uint64_t *mask, const uint64_t *bits)
{
    struct pcpu *p = run_queue_lock(v);

    memcpy(mask, bits, sizeof(v->affinity));
    settle(p, v);
}

/*
 * Sets the pCPUs where `v` may run, a bitmap of MAX_PCPUS bits. -EINVAL when
 * none of them is online.
 */
int sched_set_affinity(struct vcpu *v, const uint64_t *pcpus_allowed)
{
    bitmap_for_each(cpu, pcpus_allowed, pcpu_count)
    {
        if (!pcpu_is_online((unsigned)cpu))
            continue;
        set_affinity(v, v->affinity, pcpus_allowed);
        return 0;
    }
    return -EINVAL;
}

/*
 * Sets the pCPUs where `v` should rather run, a bitmap as above. Those where
 * it may not count for nothing, and so does a set of nothing else.
 */
void sched_set_soft_affinity(struct vcpu *v, const uint64_t *pcpus_preferred)
{
    set_affinity(v, v->soft_affinity, pcpus_preferred);
}

/* For how long one that wakes up leaves whoever runs its pCPU at least. */
nsec_t sched_rate_limit(void)
{
    return __atomic_load_n(&rate_limit, __ATOMIC_RELAXED);
}

/* Sets that; 0 for no such limit. */
void sched_set_rate_limit(nsec_t limit)
{
    __atomic_store_n(&rate_limit, limit, __ATOMIC_RELAXED);
}
