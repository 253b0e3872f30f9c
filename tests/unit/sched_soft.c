/* SPDX-License-Identifier: MIT */
/* Soft affinity: where vCPUs rather run, if that costs nobody a pCPU. */
#include "sched_world.h"

#include "core/pcpu.h"
#include "core/sched.h"
#include "host/arch_fake.h"

static void prefer(struct vcpu *v, uint64_t cpus)
{
    uint64_t mask[BITMAP_WORDS(MAX_PCPUS)] = {cpus};

    sched_set_soft_affinity(v, mask);
}

static void allow(struct vcpu *v, uint64_t cpus)
{
    uint64_t mask[BITMAP_WORDS(MAX_PCPUS)] = {cpus};

    ck_assert_int_eq(sched_set_affinity(v, mask), 0);
}

/* Idle pCPUs, and the first vCPU, which is down and prefers some of them. */
static void start_choosy(unsigned cpus, uint64_t preferred)
{
    start(cpus, 0);
    settle_all();
    make(&vcpus[0], SCHED_WEIGHT_DEFAULT);
    prefer(&vcpus[0], preferred);
}

/* Keeps a pCPU busy with a vCPU of its own. */
static void occupy(struct vcpu *v, unsigned cpu)
{
    make(v, SCHED_WEIGHT_DEFAULT);
    only_on(v, cpu);
    sched_bring_up(v);
}

START_TEST(test_sched_soft_idle_preferred_is_taken)
{
    start_choosy(8, 1 << 5);
    sched_bring_up(&vcpus[0]);
    settle_all();
    ck_assert_ptr_eq(pcpus[5].current, &vcpus[0]);
}
END_TEST

START_TEST(test_sched_soft_other_is_taken_while_preferred_is_busy)
{
    start_choosy(4, 1 << 3);
    occupy(&vcpus[1], 3);
    settle_all();
    sched_bring_up(&vcpus[0]);
    settle_all();
    ck_assert_uint_ne(vcpus[0].cpu, 3);
    ck_assert_ptr_eq(pcpus[vcpus[0].cpu].current, &vcpus[0]);
    run_for(NSEC_PER_SEC);
    ck_assert_uint_eq(ran(&vcpus[0]), NSEC_PER_SEC);
    ck_assert_uint_eq(ran(&vcpus[1]), NSEC_PER_SEC);
}
END_TEST

START_TEST(test_sched_soft_comes_home_when_that_is_idle)
{
    start_choosy(4, 1 << 3);
    occupy(&vcpus[1], 3);
    settle_all();
    sched_bring_up(&vcpus[0]);
    run_for(NSEC_PER_SEC);
    ck_assert_uint_ne(vcpus[0].cpu, 3);
    sched_pause(&vcpus[1]);
    run_for(10 * NSEC_PER_MS);
    ck_assert_ptr_eq(pcpus[3].current, &vcpus[0]);
    run_for(10 * NSEC_PER_MS);
    ck_assert(!timer_is_armed(&pcpus[3].slice_timer));
}
END_TEST

START_TEST(test_sched_soft_moves_who_runs)
{
    start_choosy(4, ~0ull);
    sched_bring_up(&vcpus[0]);
    for (unsigned i = 0; i < 8; i++) {
        prefer(&vcpus[0], 1ull << i % 4);
        settle_all();
        ck_assert_ptr_eq(pcpus[i % 4].current, &vcpus[0]);
    }
}
END_TEST

START_TEST(test_sched_soft_counts_within_hard_only)
{
    start_choosy(4, 1 << 3 | 1 << 1);
    allow(&vcpus[0], 1 << 0 | 1 << 1);
    sched_bring_up(&vcpus[0]);
    settle_all();
    ck_assert_ptr_eq(pcpus[1].current, &vcpus[0]);
    prefer(&vcpus[0], 1 << 3);
    run_for(NSEC_PER_SEC);
    ck_assert_ptr_null(pcpus[3].current);
    allow(&vcpus[0], 0xf);
    settle_all();
    ck_assert_ptr_eq(pcpus[3].current, &vcpus[0]);
}
END_TEST

START_TEST(test_sched_soft_of_none_is_no_preference)
{
    start_choosy(2, 0);
    sched_bring_up(&vcpus[0]);
    run_for(NSEC_PER_SEC);
    ck_assert_uint_eq(ran(&vcpus[0]), NSEC_PER_SEC);
}
END_TEST

/* All want the same pCPU, and use all of them nevertheless. */
START_TEST(test_sched_soft_same_for_all_starves_nobody)
{
    start(4, 0);
    for (unsigned i = 0; i < 8; i++) {
        make(&vcpus[i], SCHED_WEIGHT_DEFAULT);
        prefer(&vcpus[i], 1 << 0);
        sched_bring_up(&vcpus[i]);
    }
    run_for(10 * NSEC_PER_SEC);
    for (unsigned i = 0; i < 8; i++)
        expect_near(ran(&vcpus[i]), 5 * NSEC_PER_SEC, 20);
    for (unsigned i = 0; i < 4; i++)
        ck_assert_uint_le(sched_idle_time(i), NSEC_PER_MS);
}
END_TEST

START_TEST(test_sched_soft_wake_prefers_home)
{
    start_choosy(4, 1 << 2);
    sched_bring_up(&vcpus[0]);
    settle_all();
    for (unsigned i = 0; i < 20; i++) {
        fake.cpu = vcpus[0].cpu;
        sched_block_current();
        settle_all();
        vcpus[0].cpu = i % 4; /* wherever it was last */
        sched_wake(&vcpus[0]);
        settle_all();
        ck_assert_ptr_eq(pcpus[2].current, &vcpus[0]);
    }
}
END_TEST

START_TEST(test_sched_rate_limit_delays_who_wakes_up)
{
    struct vcpu *sleeper = &vcpus[1];
    nsec_t began;

    start(1, 2);
    sched_set_rate_limit(3 * NSEC_PER_MS);
    while (current_vcpu() != sleeper)
        run_for(TICK);
    sched_block_current();
    settle_all();
    began = fake.now;
    run_for(NSEC_PER_MS);
    sched_wake(sleeper);
    while (current_vcpu() != sleeper)
        run_for(TICK);
    sched_set_rate_limit(0);
    expect_near(fake.now - began, 3 * NSEC_PER_MS, 20);
}
END_TEST

/* See sched_world.h. */
TCase *sched_soft_case(void)
{
    TCase *tc = tcase_create("soft affinity");

    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, test_sched_soft_idle_preferred_is_taken);
    tcase_add_test(tc, test_sched_soft_other_is_taken_while_preferred_is_busy);
    tcase_add_test(tc, test_sched_soft_comes_home_when_that_is_idle);
    tcase_add_test(tc, test_sched_soft_moves_who_runs);
    tcase_add_test(tc, test_sched_soft_counts_within_hard_only);
    tcase_add_test(tc, test_sched_soft_of_none_is_no_preference);
    tcase_add_test(tc, test_sched_soft_same_for_all_starves_nobody);
    tcase_add_test(tc, test_sched_soft_wake_prefers_home);
    tcase_add_test(tc, test_sched_rate_limit_delays_who_wakes_up);
    return tc;
}
