/* SPDX-License-Identifier: MIT */
/*
 * The scheduler, simulated: shares, latency, placement, and that nobody gets
 * lost. sched_cap.c has the caps, sched_soft.c soft affinity.
 */
#include <stdlib.h>

#include "core/pcpu.h"
#include "core/run_queue.h"
#include "core/sched.h"
#include "host/arch_fake.h"
#include "host/guest_fake.h"
#include "sched_world.h"

START_TEST(test_sched_shares_follow_weights)
{
    static const uint32_t weights[] = {128, 256, 512, 1024};

    start(1, 0);
    for (unsigned i = 0; i < 4; i++) {
        make(&vcpus[i], weights[i]);
        sched_bring_up(&vcpus[i]);
    }
    run_for(20 * NSEC_PER_SEC);
    for (unsigned i = 0; i < 4; i++)
        expect_near(ran(&vcpus[i]), 20 * NSEC_PER_SEC * weights[i] / 1920, 2);
}
END_TEST

START_TEST(test_sched_extreme_weights_starve_nobody)
{
    start(1, 0);
    make(&vcpus[0], 1);
    make(&vcpus[1], SCHED_WEIGHT_MAX);
    sched_bring_up(&vcpus[0]);
    sched_bring_up(&vcpus[1]);
    run_for(400 * NSEC_PER_SEC);
    ck_assert_uint_gt(ran(&vcpus[0]), 0);
    ck_assert_uint_lt(ran(&vcpus[0]), 100 * NSEC_PER_MS);
}
END_TEST

START_TEST(test_sched_thousand_on_one_pcpu_share_it)
{
    start(1, 1000);
    run_for(60 * NSEC_PER_SEC);
    for (unsigned i = 0; i < 1000; i++)
        expect_near(ran(&vcpus[i]), 60 * NSEC_PER_MS, 20);
}
END_TEST

START_TEST(test_sched_three_on_two_pcpus_share_in_the_long_run)
{
    start(2, 3);
    run_for(30 * NSEC_PER_SEC);
    for (unsigned i = 0; i < 3; i++)
        expect_near(ran(&vcpus[i]), 20 * NSEC_PER_SEC, 10);
}
END_TEST

START_TEST(test_sched_many_on_many_pcpus)
{
    nsec_t total = 0;

    start(64, MANY);
    run_for(4 * NSEC_PER_SEC);
    for (unsigned i = 0; i < MANY; i++) {
        ck_assert_uint_gt(ran(&vcpus[i]), 60 * NSEC_PER_MS);
        total += ran(&vcpus[i]);
    }
    ck_assert_uint_ge(total, 4 * 64 * NSEC_PER_SEC - 64 * TICK);
}
END_TEST

START_TEST(test_sched_idle_pcpus_get_work)
{
    start(8, 0);
    settle_all();
    for (unsigned i = 0; i < 8; i++) {
        make(&vcpus[i], SCHED_WEIGHT_DEFAULT);
        vcpus[i].cpu = 0;
        sched_bring_up(&vcpus[i]);
    }
    settle_all();
    for (unsigned i = 0; i < 8; i++)
        ck_assert_ptr_nonnull(pcpus[i].current);
}
END_TEST

START_TEST(test_sched_pcpu_that_goes_idle_pulls)
{
    start(2, 0);
    for (unsigned i = 0; i < 3; i++) {
        make(&vcpus[i], SCHED_WEIGHT_DEFAULT);
        sched_bring_up(&vcpus[i]);
    }
    settle_all();
    for (unsigned i = 0; i < 2; i++) {
        struct vcpu *v = pcpus[i].current;

        ck_assert_ptr_nonnull(v);
    }
    fake.cpu = 0;
    fake_stop();
    settle_all();
    ck_assert_ptr_nonnull(pcpus[0].current);
    ck_assert_ptr_nonnull(pcpus[1].current);
}
END_TEST

/* The one that waits may only wait here, the other goes when it waits. */
START_TEST(test_sched_idle_pcpu_gets_who_can_leave)
{
    start(2, 0);
    settle_all();
    for (unsigned i = 0; i < 2; i++) {
        make(&vcpus[i], SCHED_WEIGHT_DEFAULT);
        only_on(&vcpus[i], 0);
        sched_bring_up(&vcpus[i]);
    }
    settle_all();
    ck_assert_ptr_null(pcpus[1].current);
    memset(pcpus[0].current->affinity, 0xff, sizeof(vcpus[0].affinity));
    run_for(2 * SCHED_SLICE);
    ck_assert_ptr_nonnull(pcpus[0].current);
    ck_assert_ptr_nonnull(pcpus[1].current);
}
END_TEST

START_TEST(test_sched_affinity_lets_who_waits_go_to_an_idle_pcpu)
{
    uint64_t all[BITMAP_WORDS(MAX_PCPUS)] = {~0ull};

    start(2, 0);
    settle_all();
    for (unsigned i = 0; i < 3; i++) {
        make(&vcpus[i], SCHED_WEIGHT_DEFAULT);
        only_on(&vcpus[i], 0);
        sched_bring_up(&vcpus[i]);
    }
    settle_all();
    for (unsigned i = 0; i < 3; i++)
        if (pcpus[0].current != &vcpus[i])
            ck_assert_int_eq(sched_set_affinity(&vcpus[i], all), 0);
    settle_all();
    ck_assert_ptr_nonnull(pcpus[1].current);
}
END_TEST

START_TEST(test_sched_alone_needs_no_slice_timer)
{
    start(1, 1);
    settle_all();
    ck_assert(!timer_is_armed(&pcpus[0].slice_timer));
    make(&vcpus[1], SCHED_WEIGHT_DEFAULT);
    sched_bring_up(&vcpus[1]);
    settle_all();
    ck_assert(timer_is_armed(&pcpus[0].slice_timer));
}
END_TEST

/* A vCPU that sleeps most of the time, beside others that never do. */
START_TEST(test_sched_sleeper_is_served_soon)
{
    struct vcpu *sleeper = &vcpus[20];
    nsec_t waited = 0, worst = 0;

    start(1, 21);
    run_for(NSEC_PER_SEC);
    for (unsigned round = 0; round < 200; round++) {
        nsec_t asked;

        while (current_vcpu() != sleeper)
            run_for(TICK);
        sched_block_current();
        settle_all();
        run_for(10 * NSEC_PER_MS);
        asked = fake.now;
        sched_wake(sleeper);
        settle_all();
        while (current_vcpu() != sleeper)
            run_for(TICK);
        waited += fake.now - asked;
        worst = max_u64(worst, fake.now - asked);
        run_for(TICK);
    }
    ck_assert_uint_le(waited / 200, NSEC_PER_MS);
    ck_assert_uint_le(worst, 10 * NSEC_PER_MS);
}
END_TEST

START_TEST(test_sched_napping_wins_no_time)
{
    struct vcpu *napper = &vcpus[0];

    start(1, 4);
    for (unsigned i = 0; i < 20000; i++) {
        run_for(TICK);
        if (current_vcpu() != napper)
            continue;
        sched_block_current();
        settle_all();
        sched_wake(napper);
        settle_all();
    }
    ck_assert_uint_le(ran(napper), 20000 * TICK / 4 * 11 / 10);
    ck_assert_uint_ge(ran(napper), 20000 * TICK / 4 * 7 / 10);
}
END_TEST

START_TEST(test_sched_yield_lets_other_run)
{
    struct vcpu *first;

    start(1, 2);
    settle_all();
    for (unsigned i = 0; i < 20; i++) {
        first = current_vcpu();
        sched_yield_current();
        ck_assert(pcpus[0].need_resched);
        settle_all();
        ck_assert_ptr_ne(current_vcpu(), first);
    }
}
END_TEST

START_TEST(test_sched_yield_alone_goes_on)
{
    start(1, 1);
    settle_all();
    sched_yield_current();
    settle_all();
    ck_assert_ptr_eq(current_vcpu(), &vcpus[0]);
}
END_TEST

START_TEST(test_sched_wake_before_the_pick_undoes_block)
{
    start(1, 1);
    settle_all();
    sched_block_current();
    ck_assert_int_eq(vcpus[0].state, VCPU_BLOCKED);
    sched_wake(&vcpus[0]);
    ck_assert_int_eq(vcpus[0].state, VCPU_RUNNING);
    settle_all();
    ck_assert_ptr_eq(current_vcpu(), &vcpus[0]);
    sched_wake(&vcpus[0]);
    ck_assert_int_eq(vcpus[0].state, VCPU_RUNNING);
}
END_TEST

START_TEST(test_sched_paused_does_not_run)
{
    start(1, 2);
    settle_all();
    sched_pause(&vcpus[0]);
    sched_pause(&vcpus[0]);
    run_for(20 * NSEC_PER_MS);
    ck_assert_ptr_eq(current_vcpu(), &vcpus[1]);
    ck_assert_int_eq(vcpus[0].runstate.state, RUNSTATE_offline);
    sched_unpause(&vcpus[0]);
    run_for(20 * NSEC_PER_MS);
    ck_assert_ptr_eq(current_vcpu(), &vcpus[1]);
    sched_unpause(&vcpus[0]);
    sched_pause(&vcpus[1]);
    settle_all();
    ck_assert_ptr_eq(current_vcpu(), &vcpus[0]);
}
END_TEST

START_TEST(test_sched_event_while_paused_counts_after)
{
    start(1, 1);
    settle_all();
    sched_block_current();
    settle_all();
    sched_pause(&vcpus[0]);
    sched_wake(&vcpus[0]);
    settle_all();
    ck_assert_ptr_null(current_vcpu());
    sched_unpause(&vcpus[0]);
    settle_all();
    ck_assert_ptr_eq(current_vcpu(), &vcpus[0]);
}
END_TEST

START_TEST(test_sched_wait_until_saved_waits_for_registers)
{
    start(2, 1);
    settle_all();
    ck_assert_uint_ne(vcpus[0].loaded_on, NO_PCPU);
    fake.cpu = 1 - vcpus[0].cpu;
    fake.on_spin = settle_all;
    sched_pause(&vcpus[0]);
    sched_wait_until_saved(&vcpus[0]);
    ck_assert_uint_eq(vcpus[0].loaded_on, NO_PCPU);
    ck_assert_ptr_null(pcpus[vcpus[0].cpu].current);
}
END_TEST

START_TEST(test_sched_down_and_up)
{
    start(1, 1);
    settle_all();
    sched_take_down(&vcpus[0]);
    settle_all();
    ck_assert_ptr_null(current_vcpu());
    ck_assert_int_eq(vcpus[0].runstate.state, RUNSTATE_offline);
    sched_wake(&vcpus[0]);
    settle_all();
    ck_assert_ptr_null(current_vcpu());
    sched_bring_up(&vcpus[0]);
    settle_all();
    ck_assert_ptr_eq(current_vcpu(), &vcpus[0]);
}
END_TEST

START_TEST(test_sched_pinned_runs_only_there)
{
    start(4, 8);
    for (unsigned i = 0; i < 8; i++)
        only_on(&vcpus[i], 2);
    for (unsigned i = 0; i < 100; i++) {
        run_for(TICK);
        ck_assert_ptr_nonnull(pcpus[2].current);
        ck_assert_ptr_null(pcpus[0].current);
    }
}
END_TEST

START_TEST(test_sched_affinity_moves_who_runs)
{
    start(2, 1);
    settle_all();
    for (unsigned i = 0; i < 10; i++) {
        only_on(&vcpus[0], i % 2);
        settle_all();
        ck_assert_ptr_eq(pcpus[i % 2].current, &vcpus[0]);
        ck_assert_ptr_null(pcpus[1 - i % 2].current);
    }
}
END_TEST

START_TEST(test_sched_affinity_without_online_pcpu_is_refused)
{
    uint64_t mask[BITMAP_WORDS(MAX_PCPUS)] = {0};

    start(2, 1);
    ck_assert_int_eq(sched_set_affinity(&vcpus[0], mask), -EINVAL);
    bit_set(mask, 7);
    ck_assert_int_eq(sched_set_affinity(&vcpus[0], mask), -EINVAL);
}
END_TEST

/* Registers still on pCPU 0: nobody else may run it yet. */
START_TEST(test_sched_loaded_vcpu_is_not_taken)
{
    start(2, 0);
    make(&vcpus[0], SCHED_WEIGHT_DEFAULT);
    vcpus[0].cpu = 0;
    only_on(&vcpus[0], 0);
    sched_bring_up(&vcpus[0]);
    settle_all();
    ck_assert_ptr_eq(pcpus[0].current, &vcpus[0]);
    only_on(&vcpus[0], 1);
    fake.cpu = 0;
    ck_assert_ptr_null(sched_pick(fake.now));
    fake.cpu = 1;
    ck_assert_ptr_null(sched_pick(fake.now));
    fake.cpu = 0;
    pcpus[0].loaded = NULL;
    sched_unloaded(&vcpus[0]);
    fake.cpu = 1;
    ck_assert_ptr_eq(fake_pick(), &vcpus[0]);
}
END_TEST

START_TEST(test_sched_runstates_add_up)
{
    nsec_t begun;

    start(2, 5);
    begun = fake.now;
    run_for(NSEC_PER_SEC);
    for (unsigned i = 0; i < 5; i++) {
        struct vcpu_runstate_info info;
        nsec_t sum = 0;

        vcpu_get_runstate(&vcpus[i], &info);
        for (unsigned s = 0; s < 4; s++)
            sum += info.time[s];
        ck_assert_uint_eq(sum, fake.now - begun);
        ck_assert_uint_eq(info.time[RUNSTATE_blocked], 0);
    }
}
END_TEST

START_TEST(test_sched_weight_change_counts_from_now)
{
    nsec_t before[2];

    start(1, 2);
    run_for(2 * NSEC_PER_SEC);
    sched_set_weight(&vcpus[0], 3 * SCHED_WEIGHT_DEFAULT);
    before[0] = ran(&vcpus[0]);
    before[1] = ran(&vcpus[1]);
    run_for(8 * NSEC_PER_SEC);
    expect_near(ran(&vcpus[0]) - before[0], 6 * NSEC_PER_SEC, 3);
    expect_near(ran(&vcpus[1]) - before[1], 2 * NSEC_PER_SEC, 3);
}
END_TEST

/* Whoever of the two runs at that moment, and however much is left to it. */
START_TEST(test_sched_weight_change_at_any_time_starves_nobody)
{
    start(1, 2);
    sched_set_weight(&vcpus[0], 1);
    sched_set_weight(&vcpus[1], 1);
    run_for(NSEC_PER_SEC + (nsec_t)_i * 5 * NSEC_PER_MS);
    sched_set_weight(&vcpus[0], SCHED_WEIGHT_MAX);
    sched_set_weight(&vcpus[1], SCHED_WEIGHT_MAX);
    for (unsigned i = 0; i < 2; i++) {
        nsec_t before = ran(&vcpus[i]);

        run_for(NSEC_PER_SEC);
        expect_near(ran(&vcpus[i]) - before, NSEC_PER_SEC / 2, 5);
    }
}
END_TEST

/* One runs alone while others are woken that may not stay on its pCPU. */
START_TEST(test_sched_long_alone_is_no_claim_to_the_pcpu)
{
    struct vcpu *waker = &vcpus[61];

    start(2, 1);
    only_on(&vcpus[0], 0);
    settle_all();
    for (unsigned i = 1; i <= 60; i++) {
        make(&vcpus[i], SCHED_WEIGHT_DEFAULT);
        vcpus[i].cpu = 0;
        only_on(&vcpus[i], 1);
        sched_bring_up(&vcpus[i]);
        settle_all();
        ck_assert_ptr_eq(pcpus[1].current, &vcpus[i]);
        sched_take_down(&vcpus[i]);
        settle_all();
        fake.now += NSEC_PER_SEC;
    }
    make(waker, SCHED_WEIGHT_DEFAULT);
    only_on(waker, 0);
    sched_bring_up(waker);
    run_for(2 * SCHED_SLICE);
    ck_assert_uint_gt(ran(waker), 0);
    run_for(NSEC_PER_SEC);
    expect_near(ran(waker), NSEC_PER_SEC / 2, 5);
}
END_TEST

static void change_something(struct vcpu *v)
{
    static const uint32_t caps[] = {0, 7, 50, 150, 400};
    uint64_t mask[BITMAP_WORDS(MAX_PCPUS)] = {(uint64_t)rand() % 32};

    switch (rand() % 15) {
    case 0:
        if (current_vcpu())
            sched_block_current();
        break;
    case 1:
        sched_take_down(v);
        break;
    case 2:
        sched_pause(v);
        break;
    case 3:
    case 4:
        if (v->pause_count)
            sched_unpause(v);
        break;
    case 5:
        sched_set_weight(v, 1 + (uint32_t)rand() % 1000);
        break;
    case 6:
        only_on(v, (unsigned)rand() % pcpu_count);
        break;
    case 7:
        if (current_vcpu())
            sched_yield_current();
        break;
    case 8:
    case 9:
        sched_bring_up(v);
        break;
    case 10:
        sched_set_soft_affinity(v, mask);
        break;
    case 11:
        if (rand() % 8 == 0)
            sched_set_cap(&domains[1], caps[(size_t)rand() % 5]);
        break;
    case 12:
        if (mask[0])
            ck_assert_int_eq(sched_set_affinity(v, mask), 0);
        break;
    default:
        sched_wake(v);
        break;
    }
}

/* Changes from all pCPUs at once, with any of them late at its next pick. */
START_TEST(test_sched_random_changes_lose_nobody)
{
    start(5, 0);
    for (unsigned i = 0; i < 40; i++)
        make_in(&domains[i % 2], &vcpus[i], SCHED_WEIGHT_DEFAULT);
    srand(5);
    for (unsigned step = 0; step < 60000; step++) {
        fake.cpu = (unsigned)rand() % pcpu_count;
        change_something(&vcpus[rand() % 40]);
        fake.now += (nsec_t)(rand() % 300) * NSEC_PER_US;
        timers_run(fake.now);
        if (rand() % 3 == 0 && this_pcpu()->need_resched)
            fake_pick();
        for (unsigned i = 0; i < pcpu_count; i++)
            check_queue(&pcpus[i]);
        if (step % 16)
            continue;
        settle_all();
        for (unsigned i = 0; i < 40; i++)
            check_vcpu(&vcpus[i]);
    }
}
END_TEST

static TCase *sharing_case(void)
{
    TCase *tc = tcase_create("sharing");

    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, test_sched_shares_follow_weights);
    tcase_add_test(tc, test_sched_extreme_weights_starve_nobody);
    tcase_add_test(tc, test_sched_thousand_on_one_pcpu_share_it);
    tcase_add_test(tc, test_sched_three_on_two_pcpus_share_in_the_long_run);
    tcase_add_test(tc, test_sched_many_on_many_pcpus);
    tcase_add_test(tc, test_sched_sleeper_is_served_soon);
    tcase_add_test(tc, test_sched_napping_wins_no_time);
    tcase_add_test(tc, test_sched_weight_change_counts_from_now);
    tcase_add_loop_test(tc, test_sched_weight_change_at_any_time_starves_nobody,
                        0, 4);
    tcase_add_test(tc, test_sched_long_alone_is_no_claim_to_the_pcpu);
    return tc;
}

static TCase *states_case(void)
{
    TCase *tc = tcase_create("states");

    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, test_sched_idle_pcpus_get_work);
    tcase_add_test(tc, test_sched_pcpu_that_goes_idle_pulls);
    tcase_add_test(tc, test_sched_idle_pcpu_gets_who_can_leave);
    tcase_add_test(tc, test_sched_affinity_lets_who_waits_go_to_an_idle_pcpu);
    tcase_add_test(tc, test_sched_alone_needs_no_slice_timer);
    tcase_add_test(tc, test_sched_yield_lets_other_run);
    tcase_add_test(tc, test_sched_yield_alone_goes_on);
    tcase_add_test(tc, test_sched_wake_before_the_pick_undoes_block);
    tcase_add_test(tc, test_sched_paused_does_not_run);
    tcase_add_test(tc, test_sched_event_while_paused_counts_after);
    tcase_add_test(tc, test_sched_wait_until_saved_waits_for_registers);
    tcase_add_test(tc, test_sched_down_and_up);
    tcase_add_test(tc, test_sched_pinned_runs_only_there);
    tcase_add_test(tc, test_sched_affinity_moves_who_runs);
    tcase_add_test(tc, test_sched_affinity_without_online_pcpu_is_refused);
    tcase_add_test(tc, test_sched_loaded_vcpu_is_not_taken);
    tcase_add_test(tc, test_sched_runstates_add_up);
    tcase_add_test(tc, test_sched_random_changes_lose_nobody);
    return tc;
}

int main(void)
{
    Suite *suite = suite_create("sched");
    SRunner *runner;
    int failed;

    suite_add_tcase(suite, sharing_case());
    suite_add_tcase(suite, states_case());
    suite_add_tcase(suite, sched_cap_case());
    suite_add_tcase(suite, sched_soft_case());
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
