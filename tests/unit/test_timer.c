/* SPDX-License-Identifier: MIT */
/* Timers: order, cancellation, deadlines in the past, several pCPUs. */
#include <check.h>
#include <stdlib.h>

#include "core/pcpu.h"
#include "core/prioq.h"
#include "core/timer.h"
#include "host/arch_fake.h"

#define MANY 1000u

struct probe {
    struct timer timer;
    unsigned fired;
    nsec_t rearm; /* the handler arms it again, this much later */
};

static struct probe probes[MANY];
static struct probe *order[4 * MANY];
static unsigned order_count;

static void note(struct timer *t, nsec_t now)
{
    struct probe *p = container_of(t, struct probe, timer);

    p->fired++;
    order[order_count++ % ARRAY_LEN(order)] = p;
    if (p->rearm)
        timer_arm(t, now + p->rearm);
}

static void setup(void)
{
    fake_boot(3);
    for (unsigned i = 0; i < MANY; i++)
        timer_init(&probes[i].timer, note);
}

static void run_until_quiet(nsec_t now)
{
    unsigned before;

    do {
        before = order_count;
        timers_run(now);
    } while (order_count != before);
}

START_TEST(test_timer_armed_fires_once_at_deadline)
{
    nsec_t at = fake.now + 100;

    timer_arm(&probes[0].timer, at);
    ck_assert(timer_is_armed(&probes[0].timer));
    ck_assert_uint_eq(fake.timer[0], at);
    timers_run(at - 1);
    ck_assert_uint_eq(probes[0].fired, 0);
    timers_run(at);
    ck_assert_uint_eq(probes[0].fired, 1);
    ck_assert(!timer_is_armed(&probes[0].timer));
    timers_run(at + 1000);
    ck_assert_uint_eq(probes[0].fired, 1);
    ck_assert_uint_eq(fake.timer[0], NSEC_NEVER);
}
END_TEST

START_TEST(test_timer_past_deadline_fires_at_once)
{
    timer_arm(&probes[0].timer, 1);
    ck_assert_uint_eq(fake.timer[0], 1);
    timers_run(fake.now);
    ck_assert_uint_eq(probes[0].fired, 1);
}
END_TEST

START_TEST(test_timer_fire_in_order_of_deadlines)
{
    srand(1);
    for (unsigned i = 0; i < MANY; i++)
        timer_arm(&probes[i].timer, fake.now + (nsec_t)(rand() % 500));
    for (unsigned i = 0; i < MANY; i += 3)
        timer_cancel(&probes[i].timer);
    for (nsec_t t = 0; t < 500; t += 7) {
        unsigned first = order_count;

        run_until_quiet(fake.now + t);
        for (unsigned i = first; i < order_count; i++)
            ck_assert_uint_eq(order[i]->fired, 1);
    }
    run_until_quiet(fake.now + 500);
    for (unsigned i = 0; i < MANY; i++)
        ck_assert_uint_eq(probes[i].fired, i % 3 != 0);
    ck_assert_uint_eq(fake.timer[0], NSEC_NEVER);
}
END_TEST

START_TEST(test_timer_sorted_whatever_the_order_of_arming)
{
    nsec_t last = 0;

    srand(2);
    for (unsigned i = 0; i < MANY; i++)
        timer_arm(&probes[i].timer, fake.now + (nsec_t)rand());
    for (unsigned i = 0; i < MANY; i++) {
        nsec_t next = fake.timer[0];

        ck_assert_uint_ge(next, last);
        last = next;
        timers_run(next);
    }
    ck_assert_uint_ge(order_count, MANY);
}
END_TEST

START_TEST(test_timer_armed_again_replaces_deadline)
{
    timer_arm(&probes[0].timer, fake.now + 100);
    timer_arm(&probes[0].timer, fake.now + 200);
    timers_run(fake.now + 100);
    ck_assert_uint_eq(probes[0].fired, 0);
    timer_arm(&probes[0].timer, fake.now + 50);
    timers_run(fake.now + 60);
    ck_assert_uint_eq(probes[0].fired, 1);
    timers_run(fake.now + 300);
    ck_assert_uint_eq(probes[0].fired, 1);
}
END_TEST

START_TEST(test_timer_cancelled_does_not_fire)
{
    timer_arm(&probes[0].timer, fake.now + 100);
    timer_cancel(&probes[0].timer);
    timer_cancel(&probes[0].timer);
    timers_run(fake.now + 200);
    ck_assert_uint_eq(probes[0].fired, 0);
    timer_arm(&probes[0].timer, fake.now + 10);
    timer_arm(&probes[0].timer, NSEC_NEVER);
    timers_run(fake.now + 20);
    ck_assert_uint_eq(probes[0].fired, 0);
}
END_TEST

START_TEST(test_timer_absurd_deadline_stays_last)
{
    timer_arm(&probes[0].timer, NSEC_NEVER - 1);
    timer_arm(&probes[1].timer, fake.now + 5);
    ck_assert_uint_eq(fake.timer[0], fake.now + 5);
    timers_run(fake.now + 5);
    ck_assert_uint_eq(probes[1].fired, 1);
    ck_assert_uint_eq(probes[0].fired, 0);
}
END_TEST

START_TEST(test_timer_that_rearms_in_the_past_does_not_hold_the_cpu)
{
    probes[0].rearm = 1;
    timer_arm(&probes[0].timer, 5);
    timers_run(fake.now);
    ck_assert_uint_ge(probes[0].fired, 1);
    ck_assert_uint_lt(probes[0].fired, 100);
}
END_TEST

START_TEST(test_timer_fires_where_it_was_armed_last)
{
    timer_arm(&probes[0].timer, fake.now + 10);
    fake.cpu = 2;
    timer_arm(&probes[0].timer, fake.now + 20);
    ck_assert_uint_eq(fake.timer[2], fake.now + 20);
    fake.cpu = 0;
    timers_run(fake.now + 30);
    ck_assert_uint_eq(probes[0].fired, 0);
    ck_assert_uint_eq(fake.timer[0], NSEC_NEVER);
    fake.cpu = 2;
    timers_run(fake.now + 30);
    ck_assert_uint_eq(probes[0].fired, 1);
}
END_TEST

START_TEST(test_timer_cancelled_from_elsewhere_does_not_fire)
{
    timer_arm(&probes[0].timer, fake.now + 10);
    fake.cpu = 1;
    timer_cancel(&probes[0].timer);
    ck_assert(!timer_is_armed(&probes[0].timer));
    timers_run(fake.now + 20);
    fake.cpu = 0;
    timers_run(fake.now + 20);
    ck_assert_uint_eq(probes[0].fired, 0);
}
END_TEST

static void let_handler_end(void)
{
    pcpus[1].timer_running = NULL;
}

START_TEST(test_timer_cancel_sync_waits_for_handler)
{
    pcpus[1].timer_running = &probes[0].timer;
    fake.on_spin = let_handler_end;
    timer_cancel_sync(&probes[0].timer);
    ck_assert_ptr_null(pcpus[1].timer_running);
}
END_TEST

/* The handler that is waited for arms its timer, which fires elsewhere. */
static void handler_rearms_and_ends(void)
{
    fake.on_spin = NULL;
    timer_arm(&probes[0].timer, fake.now);
    let_handler_end();
    fake.cpu = 0;
    timers_run(fake.now);
    fake.cpu = 2;
}

START_TEST(test_timer_cancel_sync_leaves_no_handler_that_was_armed_meanwhile)
{
    fake.cpu = 2;
    pcpus[1].timer_running = &probes[0].timer;
    fake.on_spin = handler_rearms_and_ends;
    timer_cancel_sync(&probes[0].timer);
    ck_assert_uint_eq(probes[0].fired, 0);
    timer_arm(&probes[0].timer, fake.now);
    ck_assert(!timer_is_armed(&probes[0].timer));
}
END_TEST

START_TEST(test_prioq_keys_may_wrap)
{
    struct prioq q = {{0}};
    struct prioq_node nodes[8] = {{0}};

    for (unsigned i = 0; i < 8; i++)
        prioq_insert(&q, &nodes[i], UINT64_MAX - 3 + i);
    for (unsigned i = 0; i < 8; i++) {
        ck_assert_ptr_eq(prioq_first(&q), &nodes[i]);
        prioq_remove(&nodes[i]);
        ck_assert(!prioq_contains(&nodes[i]));
    }
    ck_assert_ptr_null(prioq_first(&q));
}
END_TEST

START_TEST(test_prioq_random_insertions_and_removals_stay_sorted)
{
    static struct prioq_node nodes[64];
    struct prioq q = {{0}};

    srand(3);
    for (unsigned step = 0; step < 20000; step++) {
        struct prioq_node *n = &nodes[(unsigned)rand() % ARRAY_LEN(nodes)];

        if (prioq_contains(n))
            prioq_remove(n);
        else
            prioq_insert(&q, n, (uint64_t)(rand() % 100));
        for (unsigned i = 0; i < ARRAY_LEN(nodes); i++)
            if (prioq_contains(&nodes[i]))
                ck_assert_uint_ge(nodes[i].key, prioq_first(&q)->key);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("timer");
    TCase *tc = tcase_create("timer");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(tc, setup, NULL);
    tcase_add_test(tc, test_timer_armed_fires_once_at_deadline);
    tcase_add_test(tc, test_timer_past_deadline_fires_at_once);
    tcase_add_test(tc, test_timer_fire_in_order_of_deadlines);
    tcase_add_test(tc, test_timer_sorted_whatever_the_order_of_arming);
    tcase_add_test(tc, test_timer_armed_again_replaces_deadline);
    tcase_add_test(tc, test_timer_cancelled_does_not_fire);
    tcase_add_test(tc, test_timer_absurd_deadline_stays_last);
    tcase_add_test(tc,
                   test_timer_that_rearms_in_the_past_does_not_hold_the_cpu);
    tcase_add_test(tc, test_timer_fires_where_it_was_armed_last);
    tcase_add_test(tc, test_timer_cancelled_from_elsewhere_does_not_fire);
    tcase_add_test(tc, test_timer_cancel_sync_waits_for_handler);
    tcase_add_test(
        tc, test_timer_cancel_sync_leaves_no_handler_that_was_armed_meanwhile);
    tcase_add_test(tc, test_prioq_keys_may_wrap);
    tcase_add_test(tc, test_prioq_random_insertions_and_removals_stay_sorted);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
