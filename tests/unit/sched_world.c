/* SPDX-License-Identifier: MIT */
/* Simulated processors (sched_world.h). */
#include "sched_world.h"

#include "core/pcpu.h"
#include "core/run_queue.h"
#include "core/sched.h"
#include "host/arch_fake.h"
#include "host/guest_fake.h"

struct vcpu vcpus[MANY];
struct domain domains[2];

static void wake(struct timer *t, nsec_t now)
{
    (void)now;
    sched_wake(container_of(t, struct vcpu, wake_timer));
}

/* A new vCPU, down. Of more than 128 the last share a number. */
void make_in(struct domain *d, struct vcpu *v, uint32_t weight)
{
    v->id = 0;
    while (v->id < MAX_VCPUS - 1 && d->vcpus[v->id])
        v->id++;
    v->cpu = (unsigned)(v - vcpus) % pcpu_count;
    v->domain = d;
    timer_init(&v->periodic, NULL);
    timer_init(&v->wake_timer, wake);
    sched_init_vcpu(v, weight, 0);
    d->vcpus[v->id] = v;
}

void make(struct vcpu *v, uint32_t weight)
{
    make_in(&domains[0], v, weight);
}

static void make_domains(void)
{
    for (unsigned i = 0; i < ARRAY_LEN(domains); i++) {
        domains[i].refs = 1;
        domains[i].max_vcpus = MAX_VCPUS;
        memset(domains[i].vcpus, 0, sizeof(domains[i].vcpus));
    }
}

/* Boots with some pCPUs and as many busy vCPUs as are wanted. */
void start(unsigned cpus, unsigned count)
{
    fake_boot(cpus);
    make_domains();
    for (unsigned i = 0; i < count; i++) {
        make(&vcpus[i], SCHED_WEIGHT_DEFAULT);
        sched_bring_up(&vcpus[i]);
    }
}

/* Pins a vCPU. */
void only_on(struct vcpu *v, unsigned cpu)
{
    uint64_t mask[BITMAP_WORDS(MAX_PCPUS)] = {0};

    bit_set(mask, cpu);
    ck_assert_int_eq(sched_set_affinity(v, mask), 0);
}

/* Every pCPU passes its scheduling point, until none has to any more. */
void settle_all(void)
{
    unsigned cpu = fake.cpu;
    bool again = true;

    for (unsigned round = 0; again; round++) {
        again = false;
        ck_assert_uint_lt(round, 1000);
        for (fake.cpu = 0; fake.cpu < pcpu_count; fake.cpu++) {
            timers_run(fake.now);
            if (!this_pcpu()->need_resched)
                continue;
            again = true;
            fake_pick();
        }
    }
    fake.cpu = cpu;
}

/* Lets time pass. */
void run_for(nsec_t time)
{
    nsec_t end = fake.now + time;

    for (settle_all(); fake.now < end; settle_all())
        fake.now += TICK;
}

/* For how long it has been running. */
nsec_t ran(struct vcpu *v)
{
    struct vcpu_runstate_info info;

    vcpu_get_runstate(v, &info);
    return info.time[RUNSTATE_running];
}

/* Whether its domain's cap keeps it from running. */
bool is_parked(const struct vcpu *v)
{
    return v->parked_until > (int64_t)fake.now;
}

void expect_near(nsec_t value, nsec_t wanted, unsigned percent)
{
    nsec_t slack = wanted * percent / 100;

    ck_assert_uint_ge(value + slack, wanted);
    ck_assert_uint_le(value, wanted + slack);
}

static void check_waiting(const struct prioq_node *node, struct pcpu *p,
                          unsigned *count, uint64_t *weight)
{
    const struct vcpu *v;

    if (!node)
        return;
    v = container_of(node, struct vcpu, run_node);
    *count += 1;
    *weight += v->weight;
    ck_assert_uint_eq(v->cpu, p->id);
    ck_assert_int_eq(v->state, VCPU_RUNNABLE);
    ck_assert_uint_eq(v->pause_count, 0);
    ck_assert_ptr_ne(v, p->current);
    ck_assert(!is_parked(v));
    check_waiting(node->left, p, count, weight);
    check_waiting(node->right, p, count, weight);
}

/* Whether a run queue is what it says. */
void check_queue(struct pcpu *p)
{
    uint64_t weight = p->current ? p->current->weight : 0;
    unsigned count = 0;

    check_waiting(p->waiting.head.left, p, &count, &weight);
    ck_assert_uint_eq(count, p->run_count);
    ck_assert_uint_eq(weight, p->run_weight);
}

/* Whether a vCPU is where it should be, after settle_all. */
void check_vcpu(const struct vcpu *v)
{
    bool is_current = pcpus[v->cpu].current == v;
    bool parked = is_parked(v);

    ck_assert(!is_current || v->state == VCPU_RUNNING);
    ck_assert(!is_current || bit_test(v->affinity, v->cpu));
    ck_assert(!parked || !is_current);
    ck_assert(!parked || timer_is_armed(&v->wake_timer));
    if (v->state == VCPU_RUNNABLE && !v->pause_count)
        ck_assert(run_queue_has(v) != parked);
    if (v->state == VCPU_RUNNING)
        ck_assert(is_current);
}
