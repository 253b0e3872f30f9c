/* SPDX-License-Identifier: MIT */
/* Sets of ranges, against a plain array of flags and at the ends of 64 bits. */
#include <check.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#include "core/heap.h"
#include "core/rangeset.h"
#include "host/arch_fake.h"

#define NUMBERS 200

static struct rangeset *set;

static void setup(void)
{
    fake_boot(1);
    set = rangeset_create();
    ck_assert_ptr_nonnull(set);
}

static void teardown(void)
{
    rangeset_destroy(set);
}

static void add(uint64_t first, uint64_t last)
{
    ck_assert_int_eq(rangeset_add(set, first, last), 0);
}

static void drop(uint64_t first, uint64_t last)
{
    ck_assert_int_eq(rangeset_remove(set, first, last), 0);
}

static void expect_range(uint64_t first, uint64_t last)
{
    ck_assert(rangeset_contains(set, first, last));
    ck_assert(!first || !rangeset_contains(set, first - 1, first - 1));
    ck_assert(!(last + 1) || !rangeset_contains(set, last + 1, last + 1));
}

START_TEST(test_rangeset_empty_has_nothing)
{
    ck_assert(!rangeset_contains(set, 0, 0));
    drop(0, UINT64_MAX);
}
END_TEST

START_TEST(test_rangeset_add_joins_ranges_that_touch)
{
    add(10, 19);
    add(30, 39);
    add(20, 29);
    expect_range(10, 39);
}
END_TEST

START_TEST(test_rangeset_all_numbers_are_one_range)
{
    add(0, 0);
    add(UINT64_MAX, UINT64_MAX);
    ck_assert(!rangeset_contains(set, 0, UINT64_MAX));
    add(1, UINT64_MAX - 1);
    ck_assert(rangeset_contains(set, 0, UINT64_MAX));
    drop(0, 0);
    drop(UINT64_MAX, UINT64_MAX);
    expect_range(1, UINT64_MAX - 1);
    drop(5, 5);
    expect_range(1, 4);
    expect_range(6, UINT64_MAX - 1);
}
END_TEST

START_TEST(test_rangeset_change_without_room_leaves_the_set)
{
    for (uint64_t i = 0; i < 510; i++)
        add(i * 10, i * 10 + 5);
    ck_assert_int_eq(rangeset_remove(set, 2, 3), -ENOMEM);
    ck_assert_int_eq(rangeset_add(set, 9999, 9999), -ENOMEM);
    expect_range(0, 5);
    expect_range(5090, 5095);
    ck_assert(!rangeset_contains(set, 9999, 9999));
}
END_TEST

START_TEST(test_rangeset_full_set_takes_what_needs_no_room)
{
    for (uint64_t i = 0; i < 510; i++)
        add(i * 10, i * 10 + 5);
    add(2, 3);
    add(5090, 5099);
    ck_assert_int_eq(rangeset_remove(set, 4, 12), 0);
    expect_range(0, 3);
    expect_range(13, 15);
    ck_assert_int_eq(rangeset_remove(set, 0, UINT64_MAX), 0);
    ck_assert(!rangeset_contains(set, 5090, 5090));
}
END_TEST

/* Asserting is slow, so that one assertion speaks for all. */
static bool matches(const bool *model)
{
    bool ok = true;

    for (unsigned i = 0; i < NUMBERS; i++)
        ok &= rangeset_contains(set, i, i) == model[i];
    return ok;
}

START_TEST(test_rangeset_random_changes_match_a_model)
{
    bool model[NUMBERS + 1] = {false};

    srand(1);
    for (unsigned round = 0; round < 3000; round++) {
        unsigned first = (unsigned)rand() % NUMBERS;
        unsigned last = first + (unsigned)rand() % 12;
        bool is_add = rand() % 2;
        bool all = true;

        if (last >= NUMBERS)
            last = NUMBERS - 1;
        for (unsigned i = first; i <= last; i++)
            all &= model[i];
        ck_assert_int_eq(rangeset_contains(set, first, last), all);
        if (is_add)
            add(first, last);
        else
            drop(first, last);
        for (unsigned i = first; i <= last; i++)
            model[i] = is_add;
        ck_assert(matches(model));
    }
}
END_TEST

static bool is_over;
static unsigned asked, missed;

/* Wants to know again and again of a number that is always there. */
static void *ask(void *argument)
{
    (void)argument;
    while (!__atomic_load_n(&is_over, __ATOMIC_RELAXED)) {
        missed += !rangeset_contains(set, 1000, 1000);
        __atomic_fetch_add(&asked, 1, __ATOMIC_RELAXED);
    }
    return NULL;
}

static void give_way(void)
{
    sched_yield();
}

/* Whoever asks need not know of whoever changes the set. */
START_TEST(test_rangeset_question_meets_no_change_half_done)
{
    pthread_t thread;

    for (uint64_t i = 0; i < 256; i++)
        add(i * 10, i * 10 + 5);
    fake.on_spin = give_way;
    ck_assert_int_eq(pthread_create(&thread, NULL, ask, NULL), 0);
    for (unsigned i = 0;
         i < 2000 || __atomic_load_n(&asked, __ATOMIC_RELAXED) < 1000; i++) {
        drop(100, 900);
        add(100, 105);
    }
    __atomic_store_n(&is_over, true, __ATOMIC_RELAXED);
    pthread_join(thread, NULL);
    fake.on_spin = NULL;
    ck_assert_uint_eq(missed, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("rangeset");
    TCase *tc = tcase_create("rangeset");
    SRunner *runner = srunner_create(suite);
    int failures;

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, test_rangeset_empty_has_nothing);
    tcase_add_test(tc, test_rangeset_add_joins_ranges_that_touch);
    tcase_add_test(tc, test_rangeset_all_numbers_are_one_range);
    tcase_add_test(tc, test_rangeset_change_without_room_leaves_the_set);
    tcase_add_test(tc, test_rangeset_full_set_takes_what_needs_no_room);
    tcase_add_test(tc, test_rangeset_random_changes_match_a_model);
    tcase_add_test(tc, test_rangeset_question_meets_no_change_half_done);
    suite_add_tcase(suite, tc);
    srunner_run_all(runner, CK_NORMAL);
    failures = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
