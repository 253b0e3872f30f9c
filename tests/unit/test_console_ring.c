/* SPDX-License-Identifier: MIT */
/* The console's ring: both ends over one page, and a hostile end. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "ring_buffers/console.h"

static struct xencons_interface page;
static struct console_ring daemon_end, domain_end;

/* Both ends on a page whose indexes all are `start`. */
static void attach_at(uint32_t start)
{
    memset(&page, 0, sizeof(page));
    page.in_cons = page.in_prod = page.out_cons = page.out_prod = start;
    console_ring_attach_daemon(&daemon_end, &page);
    console_ring_attach_domain(&domain_end, &page);
}

static void setup(void)
{
    attach_at(0);
}

START_TEST(test_console_ring_carries_output)
{
    char got[8] = "";

    console_ring_put(&domain_end, "login: ", 7);
    ck_assert_int_eq(console_ring_readable(&daemon_end), 7);
    console_ring_peek(&daemon_end, got, 7);
    ck_assert_str_eq(got, "login: ");
    ck_assert_uint_eq(page.out_cons, 0);
    console_ring_consume(&daemon_end, 7);
    ck_assert_uint_eq(page.out_cons, 7);
    ck_assert_mem_eq(page.out, "login: ", 7);
}
END_TEST

START_TEST(test_console_ring_carries_input)
{
    char got[5] = "";

    console_ring_put(&daemon_end, "root", 4);
    ck_assert_int_eq(console_ring_readable(&domain_end), 4);
    console_ring_peek(&domain_end, got, 4);
    console_ring_consume(&domain_end, 4);
    ck_assert_str_eq(got, "root");
    ck_assert_mem_eq(page.in, "root", 4);
    ck_assert_uint_eq(page.in_prod, 4);
    ck_assert_uint_eq(page.in_cons, 4);
}
END_TEST

START_TEST(test_console_ring_tells_when_it_is_full)
{
    static const char bytes[XENCONS_OUT_SIZE];

    ck_assert_int_eq(console_ring_writable(&domain_end), XENCONS_OUT_SIZE);
    console_ring_put(&domain_end, bytes, XENCONS_OUT_SIZE);
    ck_assert_int_eq(console_ring_writable(&domain_end), 0);
    ck_assert_int_eq(console_ring_readable(&daemon_end), XENCONS_OUT_SIZE);
    console_ring_put(&daemon_end, bytes, XENCONS_IN_SIZE);
    ck_assert_int_eq(console_ring_writable(&daemon_end), 0);
    console_ring_consume(&domain_end, 1);
    ck_assert_int_eq(console_ring_writable(&daemon_end), 1);
}
END_TEST

/* From every place of the ring, past its end, and past that of 32 bits. */
START_TEST(test_console_ring_wraps_anywhere)
{
    char sent[100], got[100];

    attach_at((uint32_t)-XENCONS_OUT_SIZE);
    for (unsigned i = 0; i < 3 * XENCONS_OUT_SIZE / sizeof(sent); i++) {
        memset(sent, (int)i, sizeof(sent));
        sent[i % sizeof(sent)] = 'x';
        console_ring_put(&domain_end, sent, sizeof(sent));
        ck_assert_int_eq(console_ring_readable(&daemon_end), sizeof(sent));
        console_ring_peek(&daemon_end, got, sizeof(got));
        console_ring_consume(&daemon_end, sizeof(got));
        ck_assert_mem_eq(got, sent, sizeof(sent));
    }
    ck_assert_uint_lt(page.out_cons, 3 * XENCONS_OUT_SIZE);
}
END_TEST

START_TEST(test_console_ring_goes_on_where_it_had_stopped)
{
    struct console_ring later;
    char got[3] = "";

    attach_at(5000);
    console_ring_put(&domain_end, "abcd", 4);
    console_ring_consume(&daemon_end, 2);
    console_ring_put(&daemon_end, "x", 1);
    console_ring_attach_daemon(&later, &page);
    ck_assert_int_eq(console_ring_readable(&later), 2);
    console_ring_peek(&later, got, 2);
    ck_assert_str_eq(got, "cd");
    ck_assert_int_eq(console_ring_writable(&later), XENCONS_IN_SIZE - 1);
}
END_TEST

START_TEST(test_console_ring_refuses_indexes_that_cannot_be)
{
    page.out_prod = XENCONS_OUT_SIZE + 1;
    ck_assert_int_eq(console_ring_readable(&daemon_end), CONSOLE_RING_BROKEN);
    page.out_prod = (uint32_t)-1;
    ck_assert_int_eq(console_ring_readable(&daemon_end), CONSOLE_RING_BROKEN);
    page.in_cons = 1;
    ck_assert_int_eq(console_ring_writable(&daemon_end), CONSOLE_RING_BROKEN);
    page.in_cons = (uint32_t)-XENCONS_IN_SIZE - 1;
    ck_assert_int_eq(console_ring_writable(&daemon_end), CONSOLE_RING_BROKEN);
}
END_TEST

START_TEST(test_console_ring_does_not_believe_its_own_indexes)
{
    console_ring_put(&domain_end, "abc", 3);
    page.out_cons = 77;
    page.in_prod = 77;
    ck_assert_int_eq(console_ring_readable(&daemon_end), 3);
    ck_assert_int_eq(console_ring_writable(&daemon_end), XENCONS_IN_SIZE);
    console_ring_consume(&daemon_end, 3);
    ck_assert_uint_eq(page.out_cons, 3);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("console ring");
    TCase *t = tcase_create("ring");
    SRunner *runner = srunner_create(suite);
    int failures;

    tcase_add_checked_fixture(t, setup, NULL);
    tcase_add_test(t, test_console_ring_carries_output);
    tcase_add_test(t, test_console_ring_carries_input);
    tcase_add_test(t, test_console_ring_tells_when_it_is_full);
    tcase_add_test(t, test_console_ring_wraps_anywhere);
    tcase_add_test(t, test_console_ring_goes_on_where_it_had_stopped);
    tcase_add_test(t, test_console_ring_refuses_indexes_that_cannot_be);
    tcase_add_test(t, test_console_ring_does_not_believe_its_own_indexes);
    suite_add_tcase(suite, t);
    srunner_run_all(runner, CK_ENV);
    failures = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
