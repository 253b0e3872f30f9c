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
#include "core/sched_balance.h"
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

/* Makes `p` pass sched_pick soon. */
void sched_request(struct pcpu *p)
{
    __atomic_store_n(&p->need_resched, true, __ATOMIC_SEQ_CST);
    if (p != this_pcpu())
        arch_pcpu_kick(p->id);
}

/* Ends the current slice early if `v`, just queued, should come first. */
void sched_check_preemption(struct pcpu *p, const struct vcpu *v, nsec_t now)
{
    struct vcpu *current = p->current;
    nsec_t end;

    if (!current || current->state != VCPU_RUNNING) {
        sched_request(p);
        return;
    }
    end = current->charged_at + run_queue_request_left(current);
    if (prioq_key_before(v->virtual_deadline, current->virtual_deadline))
        end = min_u64(end, current->charged_at + sched_rate_limit());
    if (end <= now)
        sched_request(p);
    else if (end < __atomic_load_n(&p->slice_timer.deadline, __ATOMIC_RELAXED))
        timer_arm(&p->slice_timer, end);
}

/* Has the pCPU with the registers of `v` save them; sched_unloaded goes on. */
static void unload_elsewhere(const struct vcpu *v)
{
    unsigned at = sched_loaded_on(v);

    if (at != NO_PCPU)
        sched_request(&pcpus[at]);
}

/* Whether `v` wants a pCPU and may have one. */
static bool is_competing(const struct vcpu *v)
{
    return v->state >= VCPU_RUNNABLE && !v->pause_count &&
           !bit_test(v->domain->cap.parked, v->id);
}

/* Whether it should do so here. */
static bool belongs_on(const struct vcpu *v, const struct pcpu *p)
{
    return is_competing(v) && sched_may_run_on(v, p->id) &&
           !sched_has_better_place(v, p->id);
}

/* The runstate of a vCPU that is not running. */
static int idle_runstate(const struct vcpu *v)
{
    if (v->state == VCPU_DOWN || v->pause_count)
        return RUNSTATE_offline;
    return v->state == VCPU_BLOCKED ? RUNSTATE_blocked : RUNSTATE_runnable;
}

/*
 * After any change of where `v` belongs: puts it on the right queue or on
 * none, or has its pCPU pass sched_pick. Unlocks `p`, where it was so far.
 */
static void settle(struct pcpu *p, struct vcpu *v)
{
    nsec_t now = arch_now();
    unsigned target = p->id;
    bool moves;

    if (p->current == v) {
        if (v->state == VCPU_RUNNABLE)
            set_state(v, VCPU_RUNNING);
        sched_request(p);
        spin_unlock(&p->run_lock);
        return;
    }
    vcpu_set_runstate(v, idle_runstate(v), now);
    if (v->is_queued && !belongs_on(v, p)) {
        run_queue_advance(p, now);
        run_queue_remove(p, v);
    }
    if (is_competing(v) && !v->is_queued)
        target = sched_choose_pcpu(v);
    if (target == NO_PCPU) {
        unload_elsewhere(v);
        spin_unlock(&p->run_lock);
        return;
    }
    moves = target != p->id;
    if (moves) {
        run_queue_change(v, p, &pcpus[target]);
        spin_unlock(&p->run_lock);
        p = run_queue_lock(v);
    }
    if (is_competing(v) && !v->is_queued && p->current != v) {
        run_queue_advance(p, now);
        run_queue_join(p, v);
        run_queue_insert(p, v);
        sched_check_preemption(p, v, now);
    } else if (moves) {
        sched_request(&pcpus[target]); /* it may no longer count as idle */
    }
    spin_unlock(&p->run_lock);
}

/* --- the choice ---------------------------------------------------------- */

/* Keeps what is left of the time of a capped domain if `v` wants to run. */
static void end_grant(struct vcpu *v, nsec_t now)
{
    int64_t unused = (int64_t)(v->granted_until - now);

    v->granted_until = 0;
    if (unused >= (int64_t)LEAST_SLICE && is_competing(v))
        v->granted = (nsec_t)unused;
    else
        sched_cap_give_back(v, unused);
}

/*
 * Takes the pCPU from `v`: charges it and says what it is now. Whether it
 * belongs on the queue again.
 */
static bool retire(struct pcpu *p, struct vcpu *v, nsec_t now)
{
    run_queue_charge(v, now);
    run_queue_clamp(p, v);
    run_queue_add_weight(p, -(int64_t)v->weight);
    if (v->state == VCPU_RUNNING)
        set_state(v, VCPU_RUNNABLE);
    if (run_queue_request_left(v) < LEAST_SLICE || v->has_yielded)
        run_queue_new_request(v, SCHED_SLICE);
    if (v->granted_until)
        end_grant(v, now);
    return belongs_on(v, p);
}

/* The queued vCPU that should run now, or NULL; parks those that may not. */
static struct vcpu *choose(struct pcpu *p, nsec_t now)
{
    struct vcpu *v;

    while ((v = run_queue_first(p)) && !sched_cap_take(v, now))
        run_queue_remove(p, v);
    return v;
}

/* Begins to run `v`, until the next look at who should. */
static void start(struct pcpu *p, struct vcpu *v, nsec_t now)
{
    nsec_t end = NSEC_NEVER;

    run_queue_remove(p, v);
    run_queue_add_weight(p, v->weight);
    set_state(v, VCPU_RUNNING);
    v->charged_at = now;
    __atomic_store_n(&v->loaded_on, p->id, __ATOMIC_RELEASE);
    if (p->run_count || !bit_test(v->soft_affinity, p->id))
        end = now + run_queue_request_left(v);
    if (v->granted) {
        v->granted_until = now + v->granted;
        v->granted = 0;
        end = min_u64(end, v->granted_until);
    }
    timer_arm(&p->slice_timer, end);
}

/* Gives the pCPU to the next vCPU, or to nobody. */
static struct vcpu *pick_here(struct pcpu *p, nsec_t now)
{
    struct vcpu *prev, *next = NULL;
    bool goes_on, yields;

    spin_lock(&p->run_lock);
    prev = p->current;
    yields = prev && prev->has_yielded;
    __atomic_store_n(&p->need_resched, false, __ATOMIC_SEQ_CST);
    run_queue_advance(p, now);
    goes_on = prev && retire(p, prev, now);
    if (yields) { /* to any other */
        prev->has_yielded = false;
        next = choose(p, now);
    }
    if (goes_on)
        run_queue_insert(p, prev);
    if (!next)
        next = choose(p, now);
    if (next)
        start(p, next, now);
    else
        timer_cancel(&p->slice_timer);
    if (prev && prev != next)
        vcpu_set_runstate(prev, idle_runstate(prev), now);
    if (next && prev != next)
        vcpu_set_runstate(next, RUNSTATE_running, now);
    if (!prev)
        p->idle_time += now - p->picked_at;
    p->picked_at = now;
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
    total = p->idle_time + (p->current ? 0 : arch_now() - p->picked_at);
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

    timers_notice();
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
    __atomic_store_n(&pcpus[t->cpu].need_resched, true, __ATOMIC_SEQ_CST);
}

/* Makes the record of pCPU `cpu` usable. Needs no memory; once, at start. */
void pcpu_init(unsigned cpu)
{
    struct pcpu *p = &pcpus[cpu];

    p->id = cpu;
    list_init(&p->run_queue);
    timer_init(&p->slice_timer, cpu, slice_is_over);
}

/*
 * From now on the scheduler gives pCPU `cpu` work. It calls arch_now and may
 * be called by any pCPU once the clocks agree.
 */
void pcpu_set_online(unsigned cpu)
{
    struct pcpu *p = &pcpus[cpu];

    p->run_clock_at = p->picked_at = arch_now();
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
    list_init(&v->run_link);
    memset(v->affinity, 0xff, sizeof(v->affinity));
    memset(v->soft_affinity, 0xff, sizeof(v->soft_affinity));
    v->runstate.state = RUNSTATE_offline;
    v->runstate.state_entry_time = arch_now();
}

/* --- changes of state ---------------------------------------------------- */

static void end_poll(struct vcpu *v)
{
    if (v->poll_port == POLL_NOTHING)
        return;
    __atomic_store_n(&v->poll_port, POLL_NOTHING, __ATOMIC_RELAXED);
    atomic_bit_clear(v->domain->pollers, v->id);
    timer_cancel(&v->poll_timer);
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
    sched_request(p);
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
 * Lets `v`, if it is parked, go on with so much time of its domain; with none
 * another cap holds, and it begins anew wherever it is.
 */
void sched_unpark(struct vcpu *v, nsec_t grant)
{
    struct pcpu *p = run_queue_lock(v);

    if (atomic_bit_clear(v->domain->cap.parked, v->id) || !grant) {
        v->granted = grant;
        v->granted_until = 0;
    }
    settle(p, v);
}

/*
 * Sets the share of `v`, 1 to SCHED_WEIGHT_MAX. How far it is ahead of the
 * queue's time or behind it counts on as far as a slice at the new weight.
 */
void sched_set_weight(struct vcpu *v, uint32_t weight)
{
    struct pcpu *p = run_queue_lock(v);
    nsec_t now = arch_now();

    run_queue_advance(p, now);
    if (v->is_queued) {
        run_queue_remove(p, v);
    } else if (p->current == v) {
        run_queue_charge(v, now);
        run_queue_add_weight(p, (int64_t)weight - v->weight);
    }
    v->weight = weight;
    run_queue_join(p, v);
    settle(p, v);
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
