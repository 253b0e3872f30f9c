/* SPDX-License-Identifier: MIT */
/* Budgets of capped domains; sched_cap.h has the rules. */
#include "core/sched_cap.h"

#include "core/arch.h"
#include "core/domain.h"
#include "core/pcpu.h"

/* Less than this is not worth a switch: a domain rather owes the rest. */
#define LEAST_GRANT ((int64_t)(500 * NSEC_PER_US))

/* What the budget grows by in a period. With a cap. */
static int64_t refill_of(const struct sched_cap *cap)
{
    return (int64_t)(SCHED_CAP_PERIOD / 100 * cap->percent);
}

/* Lets the budget grow by the periods that have passed. */
static void refill(struct sched_cap *cap, nsec_t now)
{
    int64_t step = refill_of(cap), most = 2 * step;
    uint64_t periods;

    if (now < cap->refilled_at + SCHED_CAP_PERIOD)
        return;
    periods = (now - cap->refilled_at) / SCHED_CAP_PERIOD;
    cap->refilled_at += periods * SCHED_CAP_PERIOD;
    if (periods > (uint64_t)(most - cap->budget) / (uint64_t)step)
        cap->budget = most;
    else
        cap->budget += (int64_t)periods * step;
}

/* When there will be a budget, for a domain that has none. */
static nsec_t time_of_budget(const struct sched_cap *cap)
{
    uint64_t periods = 1;

    if (cap->budget < 0)
        periods += (uint64_t)-cap->budget / (uint64_t)refill_of(cap);
    return cap->refilled_at + periods * SCHED_CAP_PERIOD;
}

/*
 * Takes from the budget, which owes what it has not. As many vCPUs as a domain
 * has should all find something to take.
 */
static nsec_t grant(struct domain *d)
{
    int64_t part = refill_of(&d->cap) / (int64_t)d->max_vcpus;
    int64_t time = part < d->cap.budget ? part : d->cap.budget;

    if (time < LEAST_GRANT)
        time = LEAST_GRANT;
    d->cap.budget -= time;
    return (nsec_t)time;
}

/*
 * Sees to it that `v`, which is about to run, has time of the budget if its
 * domain is capped. False if there is none: `v` is parked now.
 */
bool sched_cap_take(struct vcpu *v, nsec_t now)
{
    struct sched_cap *cap = &v->domain->cap;
    bool may_run = true;

    if (!__atomic_load_n(&cap->percent, __ATOMIC_RELAXED) || v->granted)
        return true;
    spin_lock(&cap->lock);
    if (cap->percent) {
        refill(cap, now);
        may_run = cap->budget > 0;
        if (may_run) {
            v->granted = grant(v->domain);
        } else {
            atomic_bit_set(cap->parked, v->id);
            if (!timer_is_armed(&cap->timer))
                timer_arm(&cap->timer, time_of_budget(cap));
        }
    }
    spin_unlock(&cap->lock);
    return may_run;
}

/* Gives back `unused` of a grant; below 0: `v` ran for longer. */
void sched_cap_give_back(struct vcpu *v, int64_t unused)
{
    struct sched_cap *cap = &v->domain->cap;
    int64_t most;

    spin_lock(&cap->lock);
    most = 2 * refill_of(cap);
    cap->budget += unused;
    if (cap->budget > most)
        cap->budget = most;
    spin_unlock(&cap->lock);
}

/*
 * Lets the parked go on while there is a budget, each after the one that was
 * let go before it. Who has been can't be back before the budget is used up.
 */
static void budget_is_due(struct timer *t, nsec_t now)
{
    struct domain *d = container_of(t, struct domain, cap.timer);
    struct sched_cap *cap = &d->cap;

    spin_lock(&cap->lock);
    while (cap->percent) {
        size_t id = bitmap_next(cap->parked, MAX_VCPUS, cap->next);
        nsec_t time;

        if (id == MAX_VCPUS)
            id = bitmap_next(cap->parked, MAX_VCPUS, 0);
        if (id == MAX_VCPUS)
            break;
        refill(cap, now);
        if (cap->budget <= 0) {
            timer_arm(&cap->timer, time_of_budget(cap));
            break;
        }
        cap->next = (unsigned)id + 1;
        time = grant(d);
        spin_unlock(&cap->lock);
        sched_unpark(d->vcpus[id], time);
        spin_lock(&cap->lock);
    }
    spin_unlock(&cap->lock);
}

/* Prepares the member `cap` of a new domain: without a limit. */
void sched_cap_init(struct sched_cap *cap)
{
    timer_init(&cap->timer, this_pcpu()->id, budget_is_due);
}

static void begin_anew(struct vcpu *v)
{
    sched_unpark(v, 0);
}

/*
 * Limits the time of all vCPUs of `d` together to `percent` of one pCPU's, 0
 * for no limit, beginning anew with a full budget. One caller at a time; the
 * domain is not dying.
 */
void sched_set_cap(struct domain *d, uint32_t percent)
{
    struct sched_cap *cap = &d->cap;

    spin_lock(&cap->lock);
    __atomic_store_n(&cap->percent, percent, __ATOMIC_RELAXED);
    cap->budget = refill_of(cap);
    cap->refilled_at = arch_now();
    timer_cancel(&cap->timer);
    spin_unlock(&cap->lock);
    domain_for_each_vcpu(d, begin_anew);
}
