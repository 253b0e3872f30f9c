/* SPDX-License-Identifier: MIT */
/*
 * The scheduler: earliest eligible virtual deadline first, per pCPU
 * (Stoica, Abdel-Wahab: "Earliest Eligible Virtual Deadline First", 1995), with
 * the virtual time of Bennett and Zhang, "WF2Q+" (1997).
 *
 * A queue's virtual time advances by real time / total weight; a vCPU's
 * virtual start by the time it ran / its own weight. Whoever is not ahead of
 * the queue's time is eligible, and the eligible one whose request ends
 * first runs. A request is a slice long, but shorter for a vCPU that woke
 * up: so its deadline comes early without its share growing. All arithmetic is
 * modulo 2^64; only differences mean something.
 *
 * Placement: a vCPU that wakes up takes its last pCPU if that is idle, else any
 * idle one, else queues where it was. An idle pCPU takes work from others, a
 * crowded one pushes to idle ones at once and to less crowded ones now and
 * then, so that in the long run shares hold between pCPUs too. A vCPU
 * never changes queues while some pCPU still has its registers.
 */
#include "core/sched.h"

#include "core/arch.h"
#include "core/domain.h"
#include "core/log.h"
#include "core/pcpu.h"
#include "core/vcpu.h"

#define SLICE (5 * NSEC_PER_MS)
#define WAKING_SLICE NSEC_PER_MS
#define LEAST_SLICE (100 * NSEC_PER_US)
#define BALANCE_PERIOD (100 * NSEC_PER_MS)

/* How many queued vCPUs and idle pCPUs one attempt to move looks at. */
#define SEARCH_LIMIT 16

/* Units of virtual time in a nanosecond at weight 1. */
#define VIRTUAL_SHIFT 16

static uint64_t idle_pcpus[BITMAP_WORDS(MAX_PCPUS)]; /* atomic */

static uint64_t to_virtual(nsec_t t, uint64_t weight)
{
    return (min_u64(t, NSEC_PER_SEC) << VIRTUAL_SHIFT) / weight;
}

static struct vcpu *vcpu_of(struct prioq_node *node)
{
    return container_of(node, struct vcpu, run_node);
}

/* --- locks and predicates ------------------------------------------------ */

/* Locks the queue that `v` belongs to. */
static struct pcpu *lock_queue_of(const struct vcpu *v)
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

static void lock_both(struct pcpu *a, struct pcpu *b)
{
    spin_lock(a->id < b->id ? &a->run_lock : &b->run_lock);
    spin_lock(a->id < b->id ? &b->run_lock : &a->run_lock);
}

static void unlock_both(struct pcpu *a, struct pcpu *b)
{
    spin_unlock(&a->run_lock);
    spin_unlock(&b->run_lock);
}

static bool is_online(unsigned cpu)
{
    return __atomic_load_n(&pcpus[cpu].online, __ATOMIC_ACQUIRE);
}

static bool may_run_on(const struct vcpu *v, unsigned cpu)
{
    return bit_test(v->affinity, cpu) && is_online(cpu);
}

static unsigned loaded_on(const struct vcpu *v)
{
    return __atomic_load_n(&v->loaded_on, __ATOMIC_ACQUIRE);
}

static void set_state(struct vcpu *v, enum vcpu_state state)
{
    __atomic_store_n(&v->state, state, __ATOMIC_SEQ_CST);
}

static bool is_current(const struct vcpu *v, const struct pcpu *p)
{
    return p->current == v;
}

/* Makes `p` pass sched_pick soon. */
static void request_resched(struct pcpu *p)
{
    __atomic_store_n(&p->need_resched, true, __ATOMIC_SEQ_CST);
    if (p != this_pcpu())
        arch_pcpu_kick(p->id);
}

/* --- virtual time -------------------------------------------------------- */

static void advance_clock(struct pcpu *p, nsec_t now)
{
    if (now <= p->run_clock_at)
        return;
    if (p->run_weight)
        p->run_clock += to_virtual(now - p->run_clock_at, p->run_weight);
    p->run_clock_at = now;
}

static void charge(struct vcpu *v, nsec_t now)
{
    if (now <= v->charged_at)
        return;
    v->virtual_start += to_virtual(now - v->charged_at, v->weight);
    v->charged_at = now;
}

static nsec_t request_left(const struct vcpu *v)
{
    if (!prioq_key_before(v->virtual_start, v->virtual_deadline))
        return 0;
    return (v->virtual_deadline - v->virtual_start) * v->weight >>
           VIRTUAL_SHIFT;
}

static void make_request(struct vcpu *v, nsec_t length)
{
    v->virtual_deadline = v->virtual_start + to_virtual(length, v->weight);
}

/* Notes how far ahead of its queue or behind it `v` is as it leaves. */
static void leave_clock(const struct pcpu *p, struct vcpu *v)
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
    int64_t least = -(int64_t)to_virtual(SLICE, v->weight);

    if (v->lag < least || passed > (uint64_t)(v->lag - least))
        return least;
    return v->lag - (int64_t)passed;
}

/* Gives `v` its place in the time of the queue it now joins. */
static void join_clock(const struct pcpu *p, struct vcpu *v, bool moved)
{
    uint64_t request = v->virtual_deadline - v->virtual_start;
    uint64_t passed = moved ? 0 : p->run_clock - v->left_at;

    if (v->is_waking)
        v->lag = lag_after_sleep(v, passed);
    v->virtual_start = p->run_clock + (uint64_t)v->lag;
    if (v->is_waking)
        make_request(v, WAKING_SLICE);
    else
        v->virtual_deadline = v->virtual_start + request;
    v->is_waking = false;
}

/* --- queues -------------------------------------------------------------- */

static void add_weight(struct pcpu *p, int64_t weight)
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

static void enqueue(struct pcpu *p, struct vcpu *v)
{
    v->is_queued = true;
    list_add_tail(&v->run_link, &p->run_queue);
    file(p, v);
    __atomic_store_n(&p->run_count, p->run_count + 1, __ATOMIC_RELAXED);
    add_weight(p, v->weight);
}

static void dequeue(struct pcpu *p, struct vcpu *v)
{
    v->is_queued = false;
    list_del(&v->run_link);
    unfile(p, v);
    __atomic_store_n(&p->run_count, p->run_count - 1, __ATOMIC_RELAXED);
    add_weight(p, -(int64_t)v->weight);
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
static struct vcpu *choose(struct pcpu *p)
{
    promote_eligible(p);
    if (!p->eligible.root && p->waiting.root) {
        p->run_clock = p->waiting.root->key;
        promote_eligible(p);
    }
    return p->eligible.root ? vcpu_of(p->eligible.root) : NULL;
}

/* Ends the current slice early if `v`, just queued, should come first. */
static void check_preemption(struct pcpu *p, const struct vcpu *v, nsec_t now)
{
    struct vcpu *current = p->current;

    if (!current || current->state != VCPU_RUNNING ||
        (!prioq_key_before(p->run_clock, v->virtual_start) &&
         prioq_key_before(v->virtual_deadline, current->virtual_deadline)))
        request_resched(p);
    else if (!timer_is_armed(&p->slice_timer))
        timer_arm(&p->slice_timer,
                  max_u64(now, current->charged_at + request_left(current)));
}

static void move_timers(struct vcpu *v, unsigned cpu)
{
    timer_move(&v->singleshot, cpu);
    timer_move(&v->periodic, cpu);
    timer_move(&v->poll_timer, cpu);
}

/* --- placement ----------------------------------------------------------- */

static bool claim_idle(unsigned cpu)
{
    return bit_test(idle_pcpus, cpu) && atomic_bit_clear(idle_pcpus, cpu);
}

/* An idle pCPU where `v` may run, no longer marked idle, or NO_PCPU. */
static unsigned claim_any_idle(const struct vcpu *v)
{
    for (size_t word = 0; word < ARRAY_LEN(idle_pcpus); word++) {
        uint64_t left = v->affinity[word] &
                        __atomic_load_n(&idle_pcpus[word], __ATOMIC_RELAXED);

        for (; left; left &= left - 1) {
            unsigned cpu =
                (unsigned)(word * 64) + (unsigned)__builtin_ctzll(left);

            if (is_online(cpu) && claim_idle(cpu))
                return cpu;
        }
    }
    return NO_PCPU;
}

static uint64_t load_of(unsigned cpu)
{
    return __atomic_load_n(&pcpus[cpu].run_weight, __ATOMIC_RELAXED);
}

/* The pCPU with the smallest load where `v` may run, or NO_PCPU. */
static unsigned least_loaded(const struct vcpu *v)
{
    unsigned best = NO_PCPU;

    for (unsigned cpu = 0; cpu < pcpu_count; cpu++)
        if (may_run_on(v, cpu) &&
            (best == NO_PCPU || load_of(cpu) < load_of(best)))
            best = cpu;
    return best;
}

/*
 * Where `v` should queue; NO_PCPU while its registers are on a pCPU where it
 * may not run any more.
 */
static unsigned choose_pcpu(const struct vcpu *v)
{
    unsigned last = v->cpu, at = loaded_on(v);

    if (at != NO_PCPU)
        return may_run_on(v, at) ? at : NO_PCPU;
    if (may_run_on(v, last) && claim_idle(last))
        return last;
    at = claim_any_idle(v);
    if (at != NO_PCPU)
        return at;
    if (may_run_on(v, last))
        return last;
    at = least_loaded(v);
    return at != NO_PCPU ? at : last;
}

/* Has the pCPU with the registers of `v` save them; sched_unloaded goes on. */
static void unload_elsewhere(const struct vcpu *v)
{
    unsigned at = loaded_on(v);

    if (at != NO_PCPU)
        request_resched(&pcpus[at]);
}

static bool needs_queue(const struct vcpu *v, const struct pcpu *p)
{
    return v->state == VCPU_RUNNABLE && !v->is_queued && !v->pause_count &&
           !is_current(v, p);
}

/*
 * Queues `v` where it should be if it should be queued at all. Called after
 * any change that may make it so; does no harm otherwise.
 */
static void settle(struct vcpu *v)
{
    struct pcpu *p = lock_queue_of(v);
    unsigned target = p->id;
    nsec_t now = arch_now();
    bool moves;

    if (needs_queue(v, p))
        target = choose_pcpu(v);
    if (target == NO_PCPU) {
        unload_elsewhere(v);
        spin_unlock(&p->run_lock);
        return;
    }
    moves = target != p->id;
    if (moves) {
        __atomic_store_n(&v->cpu, target, __ATOMIC_RELEASE);
        spin_unlock(&p->run_lock);
        move_timers(v, target);
        p = lock_queue_of(v);
    }
    if (needs_queue(v, p)) {
        advance_clock(p, now);
        join_clock(p, v, moves);
        enqueue(p, v);
        check_preemption(p, v, now);
    } else if (moves) {
        request_resched(p); /* it may no longer count as idle */
    }
    spin_unlock(&p->run_lock);
}

/* --- moving queued vCPUs ------------------------------------------------- */

/*
 * Of the vCPUs of `from` that can go to `to` and weigh at most `limit`, the one
 * that moved least recently, or NULL.
 */
static struct vcpu *find_movable(struct pcpu *from, const struct pcpu *to,
                                 uint64_t limit)
{
    struct vcpu *v, *found = NULL;
    unsigned left = SEARCH_LIMIT;

    list_for_each(v, &from->run_queue, run_link)
    {
        if (loaded_on(v) == NO_PCPU && may_run_on(v, to->id) &&
            v->weight <= limit && (!found || v->moved_at < found->moved_at))
            found = v;
        if (!--left)
            break;
    }
    return found;
}

/* Moves a queued vCPU between queues that are both locked. */
static void move_queued(struct pcpu *from, struct pcpu *to, struct vcpu *v,
                        nsec_t now)
{
    advance_clock(from, now);
    advance_clock(to, now);
    dequeue(from, v);
    leave_clock(from, v);
    __atomic_store_n(&v->cpu, to->id, __ATOMIC_RELEASE);
    join_clock(to, v, true);
    enqueue(to, v);
    v->moved_at = now;
    __atomic_store_n(&to->balance_at, now + BALANCE_PERIOD, __ATOMIC_RELAXED);
    move_timers(v, to->id);
    check_preemption(to, v, now);
}

/* Moves something that can go; whether there was anything. */
static bool move_one(struct pcpu *from, struct pcpu *to, nsec_t now)
{
    struct vcpu *v;

    lock_both(from, to);
    v = find_movable(from, to, UINT64_MAX);
    if (v)
        move_queued(from, to, v, now);
    unlock_both(from, to);
    return v != NULL;
}

static unsigned queued_on(unsigned cpu)
{
    return __atomic_load_n(&pcpus[cpu].run_count, __ATOMIC_RELAXED);
}

static bool is_busy(unsigned cpu)
{
    return __atomic_load_n(&pcpus[cpu].current, __ATOMIC_RELAXED) != NULL;
}

/* Takes work from the next busy pCPU where some waits. */
static bool pull(struct pcpu *p, nsec_t now)
{
    for (unsigned i = 1; i < pcpu_count; i++) {
        unsigned cpu = (p->id + i) % pcpu_count;

        if (queued_on(cpu) && is_busy(cpu) && move_one(&pcpus[cpu], p, now))
            return true;
    }
    return false;
}

/* Whether there is somebody to give away and somebody to keep. */
static bool has_more_than_one(const struct pcpu *p)
{
    const struct vcpu *v = p->current;
    bool stays = v && v->state == VCPU_RUNNING && !v->pause_count;

    return queued_on(p->id) + stays > 1;
}

/* Gives what waits here to idle pCPUs. */
static void push_to_idle(struct pcpu *p, nsec_t now)
{
    size_t cpu = bitmap_next(idle_pcpus, pcpu_count, 0);

    for (unsigned i = 0; i < SEARCH_LIMIT && cpu < pcpu_count; i++) {
        if (!has_more_than_one(p))
            return;
        if (is_online((unsigned)cpu) && cpu != p->id &&
            claim_idle((unsigned)cpu) && !move_one(p, &pcpus[cpu], now))
            atomic_bit_set(idle_pcpus, cpu);
        cpu = bitmap_next(idle_pcpus, pcpu_count, cpu + 1);
    }
}

static unsigned least_loaded_pcpu(void)
{
    unsigned best = this_pcpu()->id;

    for (unsigned cpu = 0; cpu < pcpu_count; cpu++)
        if (is_online(cpu) && load_of(cpu) < load_of(best))
            best = cpu;
    return best;
}

/* Whether the current vCPU of `p` rather than `v` should go to `to`. */
static bool current_is_due(const struct pcpu *p, const struct vcpu *v,
                           const struct pcpu *to)
{
    const struct vcpu *current = p->current;

    return current && current->moved_at < v->moved_at &&
           current->weight <= v->weight && may_run_on(current, to->id);
}

/*
 * Gives one vCPU to the least loaded pCPU if that does not just turn the
 * tables. When it makes them even the other way round it still does, and
 * whoever moved least recently goes: all wander, and everybody has the pCPU
 * with less company in turn. Whether that is settled for now.
 */
static bool push_to_least_loaded(struct pcpu *p, nsec_t now)
{
    struct pcpu *to = &pcpus[least_loaded_pcpu()];
    bool settled = true;
    struct vcpu *v;

    if (to == p)
        return true;
    lock_both(p, to);
    v = find_movable(p, to,
                     p->run_weight - min_u64(to->run_weight, p->run_weight));
    if (v && current_is_due(p, v, to))
        settled = false;
    else if (v)
        move_queued(p, to, v, now);
    unlock_both(p, to);
    return settled;
}

static void balance(struct pcpu *p, nsec_t now)
{
    if (pcpu_count == 1 || !has_more_than_one(p))
        return;
    push_to_idle(p, now);
    if (now >= __atomic_load_n(&p->balance_at, __ATOMIC_RELAXED) &&
        queued_on(p->id) && push_to_least_loaded(p, now))
        __atomic_store_n(&p->balance_at, now + BALANCE_PERIOD,
                         __ATOMIC_RELAXED);
}

/* --- the choice ---------------------------------------------------------- */

/* The runstate of a vCPU that is not running. */
static int idle_runstate(const struct vcpu *v)
{
    if (v->state == VCPU_DOWN || v->pause_count)
        return RUNSTATE_offline;
    return v->state == VCPU_BLOCKED ? RUNSTATE_blocked : RUNSTATE_runnable;
}

static bool stays_runnable(const struct vcpu *v, const struct pcpu *p)
{
    return v->state == VCPU_RUNNABLE && !v->pause_count && may_run_on(v, p->id);
}

/* Takes the pCPU from `v`: charges it and says what it is now. */
static void retire(struct pcpu *p, struct vcpu *v, nsec_t now)
{
    charge(v, now);
    add_weight(p, -(int64_t)v->weight);
    if (v->state == VCPU_RUNNING)
        set_state(v, VCPU_RUNNABLE);
    if (request_left(v) < LEAST_SLICE || v->has_yielded)
        make_request(v, SLICE);
    if (!stays_runnable(v, p))
        leave_clock(p, v);
}

static void start(struct pcpu *p, struct vcpu *v, nsec_t now)
{
    dequeue(p, v);
    add_weight(p, v->weight);
    set_state(v, VCPU_RUNNING);
    v->charged_at = now;
    __atomic_store_n(&v->loaded_on, p->id, __ATOMIC_RELEASE);
    if (p->run_count)
        timer_arm(&p->slice_timer, now + request_left(v));
    else
        timer_cancel(&p->slice_timer);
}

/* Gives the pCPU to the next vCPU; with run_lock. */
static struct vcpu *switch_current(struct pcpu *p, nsec_t now)
{
    struct vcpu *prev = p->current, *next;
    bool yields = prev && prev->has_yielded && p->run_count;

    __atomic_store_n(&p->need_resched, false, __ATOMIC_SEQ_CST);
    advance_clock(p, now);
    if (prev)
        retire(p, prev, now);
    next = yields ? choose(p) : NULL;
    if (prev && stays_runnable(prev, p))
        enqueue(p, prev);
    if (prev)
        prev->has_yielded = false;
    if (!next)
        next = choose(p);
    if (next)
        start(p, next, now);
    if (prev && prev != next)
        vcpu_set_runstate(prev, idle_runstate(prev), now);
    if (next && prev != next)
        vcpu_set_runstate(next, RUNSTATE_running, now);
    __atomic_store_n(&p->current, next, __ATOMIC_RELEASE);
    return next;
}

static struct vcpu *pick_here(struct pcpu *p, nsec_t now)
{
    struct vcpu *next;

    spin_lock(&p->run_lock);
    next = switch_current(p, now);
    if (next) {
        if (bit_test(idle_pcpus, p->id))
            atomic_bit_clear(idle_pcpus, p->id);
    } else {
        timer_cancel(&p->slice_timer);
        atomic_bit_set(idle_pcpus, p->id);
    }
    spin_unlock(&p->run_lock);
    return next;
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
    balance(p, now);
    next = pick_here(p, now);
    if (!next && pull(p, now))
        next = pick_here(p, now);
    return next;
}

/*
 * The registers of `v`, which this pCPU had, are where any pCPU can find them.
 * With no lock held.
 */
void sched_unloaded(struct vcpu *v)
{
    __atomic_store_n(&v->loaded_on, NO_PCPU, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&v->state, __ATOMIC_SEQ_CST) == VCPU_RUNNABLE)
        settle(v);
}

static void slice_is_over(struct timer *t, nsec_t now)
{
    (void)now;
    __atomic_store_n(&pcpus[t->cpu].need_resched, true, __ATOMIC_SEQ_CST);
}

/* Prepares the run queue of a pCPU. */
void sched_init_pcpu(struct pcpu *p)
{
    list_init(&p->run_queue);
    timer_init(&p->slice_timer, p->id, slice_is_over);
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
    v->runstate.state = RUNSTATE_offline;
    v->runstate.state_entry_time = arch_now();
}

/* --- changes of state ---------------------------------------------------- */

/* Lets a vCPU run that was not: with its queue's lock, before settle. */
static void make_runnable(struct pcpu *p, struct vcpu *v)
{
    if (is_current(v, p)) {
        set_state(v, VCPU_RUNNING);
        return;
    }
    set_state(v, VCPU_RUNNABLE);
    v->is_waking = true;
    vcpu_set_runstate(v, idle_runstate(v), arch_now());
}

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
    struct pcpu *p = lock_queue_of(v);
    bool was_blocked = v->state == VCPU_BLOCKED;

    if (was_blocked) {
        end_poll(v);
        make_runnable(p, v);
    }
    spin_unlock(&p->run_lock);
    if (was_blocked)
        settle(v);
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
    struct pcpu *p = lock_queue_of(v);

    if (v->state == VCPU_RUNNING)
        set_state(v, VCPU_BLOCKED);
    spin_unlock(&p->run_lock);
    request_resched(p);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

/* Gives up the rest of the slice to any other vCPU that waits here. */
void sched_yield_current(void)
{
    struct pcpu *p = this_pcpu();

    p->current->has_yielded = true;
    request_resched(p);
}

/* Makes a vCPU that is down runnable; others stay as they are. */
void sched_bring_up(struct vcpu *v)
{
    struct pcpu *p = lock_queue_of(v);

    if (v->state == VCPU_DOWN)
        make_runnable(p, v);
    spin_unlock(&p->run_lock);
    settle(v);
}

/* Takes a vCPU off its queue, or has its pCPU do it. With its lock. */
static void stop_running(struct pcpu *p, struct vcpu *v)
{
    if (v->is_queued) {
        advance_clock(p, arch_now());
        dequeue(p, v);
        leave_clock(p, v);
    }
    if (is_current(v, p))
        request_resched(p);
    else
        vcpu_set_runstate(v, idle_runstate(v), arch_now());
}

/* Makes a vCPU down, whatever it is doing; the current one still returns. */
void sched_take_down(struct vcpu *v)
{
    struct pcpu *p = lock_queue_of(v);

    if (v->state != VCPU_DOWN) {
        end_poll(v);
        set_state(v, VCPU_DOWN);
        stop_running(p, v);
    }
    spin_unlock(&p->run_lock);
}

/* Counts a pause. The vCPU stops soon; sched_wait_until_saved waits for it. */
void sched_pause(struct vcpu *v)
{
    struct pcpu *p = lock_queue_of(v);

    if (!v->pause_count++)
        stop_running(p, v);
    spin_unlock(&p->run_lock);
}

/* Undoes one sched_pause. */
void sched_unpause(struct vcpu *v)
{
    struct pcpu *p = lock_queue_of(v);
    bool runs = !--v->pause_count;

    if (runs && !is_current(v, p))
        vcpu_set_runstate(v, idle_runstate(v), arch_now());
    spin_unlock(&p->run_lock);
    if (runs)
        settle(v);
}

/*
 * Waits until no pCPU has the registers of `v`, which the caller has paused.
 * Not for the current vCPU; with no lock that a scheduling point may need. Two
 * vCPUs must not wait for each other: only dom0 waits, and not for itself.
 */
void sched_wait_until_saved(struct vcpu *v)
{
    unsigned at = loaded_on(v);

    if (at != NO_PCPU)
        request_resched(&pcpus[at]);
    while (loaded_on(v) != NO_PCPU)
        arch_spin_wait();
}

/* Pauses `v` and waits until its registers are saved; rules as above. */
void sched_pause_sync(struct vcpu *v)
{
    sched_pause(v);
    sched_wait_until_saved(v);
}

/* --- policy -------------------------------------------------------------- */

/* Sets the share of `v`, 1 to SCHED_WEIGHT_MAX. */
void sched_set_weight(struct vcpu *v, uint32_t weight)
{
    struct pcpu *p = lock_queue_of(v);
    bool was_queued = v->is_queued;
    nsec_t now = arch_now();

    advance_clock(p, now);
    if (is_current(v, p)) {
        charge(v, now);
        add_weight(p, (int64_t)weight - v->weight);
    }
    if (was_queued)
        dequeue(p, v);
    v->weight = weight;
    if (was_queued)
        enqueue(p, v);
    spin_unlock(&p->run_lock);
}

static bool has_online_pcpu(const uint64_t *mask)
{
    for (unsigned cpu = 0; cpu < pcpu_count; cpu++)
        if (bit_test(mask, cpu) && is_online(cpu))
            return true;
    return false;
}

/*
 * Sets the pCPUs where `v` may run, a bitmap of MAX_PCPUS bits. -EINVAL when
 * none of them is online.
 */
int sched_set_affinity(struct vcpu *v, const uint64_t *pcpus_allowed)
{
    struct pcpu *p;

    if (!has_online_pcpu(pcpus_allowed))
        return -EINVAL;
    p = lock_queue_of(v);
    memcpy(v->affinity, pcpus_allowed, sizeof(v->affinity));
    if (!may_run_on(v, p->id)) {
        if (v->is_queued) {
            advance_clock(p, arch_now());
            dequeue(p, v);
            leave_clock(p, v);
        }
        if (is_current(v, p))
            request_resched(p);
    }
    spin_unlock(&p->run_lock);
    settle(v);
    return 0;
}
