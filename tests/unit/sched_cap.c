/* SPDX-License-Identifier: MIT */
/* Caps: shares of domains that want more, and whatever befalls the parked. */
#include "sched_world.h"

#include "core/pcpu.h"
#include "core/sched.h"
#include "host/arch_fake.h"
#include "host/guest_fake.h"

#define LONG (10 * NSEC_PER_SEC)

static struct domain *const capped = &domains[1];

static void run_in(struct domain *d, unsigned first, unsigned count,
                   uint32_t weight)
{
    for (unsigned i = first; i < first + count; i++) {
        make_in(d, &vcpus[i], weight);
        sched_bring_up(&vcpus[i]);
    }
}

/* Some pCPUs, and busy vCPUs of the capped domain. */
static void start_capped(unsigned cpus, unsigned count, uint32_t percent)
{
    start(cpus, 0);
    capped->max_vcpus = count;
    sched_set_cap(capped, percent);
    run_in(capped, 0, count, SCHED_WEIGHT_DEFAULT);
}

static nsec_t ran_together(unsigned count)
{
    nsec_t sum = 0;

    for (unsigned i = 0; i < count; i++)
        sum += ran(&vcpus[i]);
    return sum;
}

/* Until vCPU 0 has used up what there is. */
static void run_until_parked(void)
{
    for (unsigned i = 0; !is_parked(&vcpus[0]); i++) {
        ck_assert_uint_lt(i, 1000);
        run_for(TICK);
    }
}

static void run_until_current(const struct vcpu *v)
{
    for (unsigned i = 0; pcpus[v->cpu].current != v; i++) {
        ck_assert_uint_lt(i, 1000);
        run_for(TICK);
    }
}

static const uint32_t percents[] = {10, 25, 50};

START_TEST(test_sched_cap_holds_beside_another)
{
    nsec_t wanted = LONG * percents[_i] / 100;

    start_capped(1, 1, percents[_i]);
    run_in(&domains[0], 1, 1, SCHED_WEIGHT_DEFAULT);
    run_for(LONG);
    expect_near(ran(&vcpus[0]), wanted, 3);
    expect_near(ran(&vcpus[1]), LONG - wanted, 3);
}
END_TEST

START_TEST(test_sched_cap_leaves_the_pcpu_idle)
{
    nsec_t idle;

    start_capped(1, 1, percents[_i]);
    run_for(TICK);
    idle = sched_idle_time(0);
    run_for(LONG);
    expect_near(sched_idle_time(0) - idle, LONG - LONG * percents[_i] / 100, 3);
}
END_TEST

static const uint32_t totals[] = {10, 50, 150, 200};

/* Two vCPUs, on four pCPUs where two others run as well. */
START_TEST(test_sched_cap_counts_all_vcpus_together)
{
    start_capped(4, 2, totals[_i]);
    run_in(&domains[0], 2, 2, SCHED_WEIGHT_DEFAULT);
    run_for(LONG);
    expect_near(ran_together(2), LONG * totals[_i] / 100, 3);
    expect_near(ran(&vcpus[0]), LONG * totals[_i] / 200, 5);
    expect_near(ran(&vcpus[2]) + ran(&vcpus[3]), 2 * LONG, 3);
}
END_TEST

START_TEST(test_sched_cap_is_shared_by_many_vcpus)
{
    start_capped(16, MAX_VCPUS, 300);
    run_for(LONG);
    expect_near(ran_together(MAX_VCPUS), 3 * LONG, 3);
    for (unsigned i = 0; i < MAX_VCPUS; i++)
        expect_near(ran(&vcpus[i]), 3 * LONG / MAX_VCPUS, 3);
}
END_TEST

/* So many come at once that not all are parked: what they owe is counted. */
START_TEST(test_sched_cap_holds_for_a_crowd_on_one_pcpu)
{
    start_capped(1, 100, 1);
    run_for(LONG);
    expect_near(ran_together(100), LONG / 100, 5);
}
END_TEST

START_TEST(test_sched_cap_below_the_weights_share_decides)
{
    start_capped(1, 1, 30);
    sched_set_weight(&vcpus[0], 1024);
    run_in(&domains[0], 1, 1, 256);
    run_for(LONG);
    expect_near(ran(&vcpus[0]), LONG * 30 / 100, 3);
}
END_TEST

START_TEST(test_sched_cap_above_the_weights_share_does_not_matter)
{
    start_capped(1, 1, 60);
    sched_set_weight(&vcpus[0], 64);
    run_in(&domains[0], 1, 1, 256);
    run_for(LONG);
    expect_near(ran(&vcpus[0]), LONG * 20 / 100, 5);
}
END_TEST

START_TEST(test_sched_cap_changes_while_it_runs)
{
    static const uint32_t steps[] = {20, 80, 0, 5, 40, 100};

    start_capped(1, 1, 100);
    for (unsigned i = 0; i < ARRAY_LEN(steps); i++) {
        uint32_t percent = steps[i] ? steps[i] : 100;
        nsec_t before;

        sched_set_cap(capped, steps[i]);
        before = ran(&vcpus[0]);
        run_for(LONG);
        expect_near(ran(&vcpus[0]) - before, LONG * percent / 100, 3);
    }
}
END_TEST

/* What was not used for long is not there to be used at once. */
START_TEST(test_sched_cap_is_not_saved_up)
{
    nsec_t before;

    start_capped(1, 1, 10);
    run_until_current(&vcpus[0]);
    sched_block_current();
    run_for(LONG);
    before = ran(&vcpus[0]);
    sched_wake(&vcpus[0]);
    run_for(50 * NSEC_PER_MS);
    ck_assert_uint_le(ran(&vcpus[0]) - before, 8 * NSEC_PER_MS);
    ck_assert_uint_ge(ran(&vcpus[0]) - before, 5 * NSEC_PER_MS);
}
END_TEST

/* One who sleeps leaves the time to the other. */
START_TEST(test_sched_cap_goes_to_who_wants_it)
{
    start_capped(2, 2, 50);
    run_until_current(&vcpus[1]);
    fake.cpu = vcpus[1].cpu;
    sched_block_current();
    run_for(LONG);
    expect_near(ran(&vcpus[0]), LONG * 50 / 100, 3);
}
END_TEST

START_TEST(test_sched_cap_parked_is_runnable)
{
    struct vcpu_runstate_info info;
    nsec_t begun;

    start_capped(1, 1, 25);
    begun = fake.now;
    run_until_parked();
    ck_assert_int_eq(vcpus[0].runstate.state, RUNSTATE_runnable);
    run_for(LONG);
    vcpu_get_runstate(&vcpus[0], &info);
    expect_near(info.time[RUNSTATE_running], LONG / 4, 3);
    ck_assert_uint_eq(info.time[RUNSTATE_running] +
                          info.time[RUNSTATE_runnable],
                      fake.now - begun);
}
END_TEST

/* The cap is there, but vCPU 0 picks before sched_set_cap comes to it. */
START_TEST(test_sched_cap_charges_nothing_from_before)
{
    start_capped(1, 1, 0);
    run_for(LONG);
    capped->cap.percent = 10;
    ck_assert_ptr_eq(fake_pick(), &vcpus[0]);
    ck_assert(!is_parked(&vcpus[0]));
}
END_TEST

START_TEST(test_sched_cap_removed_frees_at_once)
{
    nsec_t now;

    start_capped(2, 2, 10);
    run_until_parked();
    now = fake.now;
    sched_set_cap(capped, 0);
    settle_all();
    ck_assert_uint_eq(fake.now, now);
    for (unsigned i = 0; i < 2; i++)
        ck_assert_ptr_eq(pcpus[vcpus[i].cpu].current, &vcpus[i]);
    run_for(LONG);
    ck_assert_uint_ge(ran_together(2), 2 * LONG);
}
END_TEST

START_TEST(test_sched_cap_pause_of_parked)
{
    nsec_t before;

    start_capped(1, 1, 20);
    run_until_parked();
    before = ran(&vcpus[0]);
    sched_pause(&vcpus[0]);
    ck_assert_int_eq(vcpus[0].runstate.state, RUNSTATE_offline);
    run_for(LONG);
    ck_assert_uint_eq(ran(&vcpus[0]), before);
    sched_unpause(&vcpus[0]);
    run_for(LONG);
    expect_near(ran(&vcpus[0]) - before, LONG * 20 / 100, 3);
}
END_TEST

START_TEST(test_sched_cap_short_pause_of_parked_wins_nothing)
{
    start_capped(1, 1, 20);
    for (nsec_t begun = fake.now; fake.now < begun + LONG; run_for(TICK)) {
        if (!is_parked(&vcpus[0]))
            continue;
        sched_pause(&vcpus[0]);
        settle_all();
        sched_unpause(&vcpus[0]);
    }
    expect_near(ran(&vcpus[0]), LONG * 20 / 100, 3);
}
END_TEST

START_TEST(test_sched_cap_wake_of_parked_changes_nothing)
{
    start_capped(1, 1, 20);
    for (nsec_t begun = fake.now; fake.now < begun + LONG; run_for(TICK))
        sched_wake(&vcpus[0]);
    expect_near(ran(&vcpus[0]), LONG * 20 / 100, 3);
}
END_TEST

/* Whoever gives up the pCPU again and again gets back what it did not use. */
START_TEST(test_sched_cap_napping_wins_and_loses_nothing)
{
    start_capped(2, 3, 50);
    for (nsec_t begun = fake.now; fake.now < begun + LONG; run_for(TICK))
        for (fake.cpu = 0; fake.cpu < 2; fake.cpu++) {
            struct vcpu *v = current_vcpu();

            if (!v)
                continue;
            sched_block_current();
            fake_pick();
            sched_wake(v);
            fake_pick();
        }
    fake.cpu = 0;
    expect_near(ran_together(3), LONG * 50 / 100, 3);
}
END_TEST

/* A domain below its cap does not feel it. */
START_TEST(test_sched_cap_not_reached_delays_nobody)
{
    start_capped(3, 2, 150);
    only_on(&vcpus[0], 0);
    only_on(&vcpus[1], 1);
    run_until_current(&vcpus[1]);
    fake.cpu = 1;
    sched_block_current();
    for (unsigned i = 0; i < 200; i++) {
        fake.cpu = 1;
        run_for((nsec_t)(i % 40) * TICK);
        sched_wake(&vcpus[1]);
        settle_all();
        ck_assert_ptr_eq(pcpus[1].current, &vcpus[1]);
        ck_assert_ptr_eq(pcpus[0].current, &vcpus[0]);
        run_for(2 * TICK);
        sched_block_current();
        run_for(4 * TICK);
    }
}
END_TEST

/* One that sleeps while another uses up the budget waits like that one. */
START_TEST(test_sched_cap_wake_without_budget_parks)
{
    start_capped(2, 2, 20);
    run_until_current(&vcpus[1]);
    fake.cpu = vcpus[1].cpu;
    sched_block_current();
    run_for(NSEC_PER_SEC);
    run_until_parked();
    sched_wake(&vcpus[1]);
    settle_all();
    ck_assert(is_parked(&vcpus[1]));
    run_until_current(&vcpus[1]);
    run_for(LONG);
    expect_near(ran_together(2), LONG * 20 / 100 + NSEC_PER_SEC * 20 / 100, 3);
}
END_TEST

START_TEST(test_sched_cap_down_and_up_while_parked)
{
    nsec_t before;

    start_capped(1, 1, 20);
    run_until_parked();
    sched_take_down(&vcpus[0]);
    run_for(NSEC_PER_SEC);
    ck_assert(!is_parked(&vcpus[0]));
    before = ran(&vcpus[0]);
    sched_bring_up(&vcpus[0]);
    run_for(LONG);
    expect_near(ran(&vcpus[0]) - before, LONG * 20 / 100, 3);
}
END_TEST

/* One that goes down on its way to a poll is among the pollers for good. */
START_TEST(test_sched_cap_parked_comes_back_though_a_poller)
{
    start_capped(1, 1, 20);
    run_until_parked();
    sched_take_down(&vcpus[0]);
    atomic_bit_set(capped->pollers, vcpus[0].id);
    sched_bring_up(&vcpus[0]);
    settle_all();
    run_until_parked();
    sched_take_down(&vcpus[0]);
    sched_bring_up(&vcpus[0]);
    check_vcpu(&vcpus[0]);
    run_until_current(&vcpus[0]);
}
END_TEST

START_TEST(test_sched_cap_affinity_of_parked_changes)
{
    start_capped(2, 1, 20);
    run_until_parked();
    for (unsigned i = 0; i < 20; i++) {
        only_on(&vcpus[0], i % 2);
        run_until_current(&vcpus[0]);
        ck_assert_uint_eq(vcpus[0].cpu, i % 2);
        run_until_parked();
    }
}
END_TEST

/* Nothing of it is left that a timer could come for. */
START_TEST(test_sched_cap_domain_destroyed_while_parked)
{
    struct domain *d;
    int result;

    fake_boot(2);
    dom0 = fake_domain(0, 1);
    d = fake_domain(3, 2);
    sched_set_cap(d, 10);
    ck_assert_int_eq(vcpu_up(d->vcpus[0]), 0);
    ck_assert_int_eq(vcpu_up(d->vcpus[1]), 0);
    run_for(2 * NSEC_PER_MS);
    ck_assert(is_parked(d->vcpus[0]));
    ck_assert(timer_is_armed(&d->vcpus[0]->wake_timer));
    for (unsigned i = 0; i < 2; i++)
        d->vcpus[i]->kernel_root = MFN_INVALID;
    domain_get(d);
    do {
        result = domain_destroy(d);
    } while (result == -ERESTART);
    ck_assert_int_eq(result, 0);
    ck_assert(!timer_is_armed(&d->vcpus[0]->wake_timer));
    domain_put(d);
    run_for(NSEC_PER_SEC);
    ck_assert_ptr_null(pcpus[0].current);
}
END_TEST

/* Others' latency does not suffer from those that may not run. */
START_TEST(test_sched_cap_parked_do_not_delay_others)
{
    start_capped(1, 100, 10);
    run_in(&domains[0], 100, 1, SCHED_WEIGHT_DEFAULT);
    run_for(LONG);
    expect_near(ran(&vcpus[100]), LONG * 90 / 100, 3);
}
END_TEST

/* See sched_world.h. */
TCase *sched_cap_case(void)
{
    TCase *tc = tcase_create("caps");

    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, test_sched_cap_holds_beside_another, 0,
                        ARRAY_LEN(percents));
    tcase_add_loop_test(tc, test_sched_cap_leaves_the_pcpu_idle, 0,
                        ARRAY_LEN(percents));
    tcase_add_loop_test(tc, test_sched_cap_counts_all_vcpus_together, 0,
                        ARRAY_LEN(totals));
    tcase_add_test(tc, test_sched_cap_is_shared_by_many_vcpus);
    tcase_add_test(tc, test_sched_cap_holds_for_a_crowd_on_one_pcpu);
    tcase_add_test(tc, test_sched_cap_below_the_weights_share_decides);
    tcase_add_test(tc, test_sched_cap_above_the_weights_share_does_not_matter);
    tcase_add_test(tc, test_sched_cap_changes_while_it_runs);
    tcase_add_test(tc, test_sched_cap_is_not_saved_up);
    tcase_add_test(tc, test_sched_cap_goes_to_who_wants_it);
    tcase_add_test(tc, test_sched_cap_parked_is_runnable);
    tcase_add_test(tc, test_sched_cap_charges_nothing_from_before);
    tcase_add_test(tc, test_sched_cap_removed_frees_at_once);
    tcase_add_test(tc, test_sched_cap_pause_of_parked);
    tcase_add_test(tc, test_sched_cap_short_pause_of_parked_wins_nothing);
    tcase_add_test(tc, test_sched_cap_wake_of_parked_changes_nothing);
    tcase_add_test(tc, test_sched_cap_napping_wins_and_loses_nothing);
    tcase_add_test(tc, test_sched_cap_not_reached_delays_nobody);
    tcase_add_test(tc, test_sched_cap_wake_without_budget_parks);
    tcase_add_test(tc, test_sched_cap_down_and_up_while_parked);
    tcase_add_test(tc, test_sched_cap_parked_comes_back_though_a_poller);
    tcase_add_test(tc, test_sched_cap_affinity_of_parked_changes);
    tcase_add_test(tc, test_sched_cap_domain_destroyed_while_parked);
    tcase_add_test(tc, test_sched_cap_parked_do_not_delay_others);
    return tc;
}
