/* SPDX-License-Identifier: MIT */
/* Errors of the tools on their way to the user. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dom0_tools/lib/device.h"
#include "dom0_tools/lib/error.h"

static struct error e;

static const char *printed(void)
{
    static char text[2048];
    FILE *out = fmemopen(text, sizeof(text), "w");

    ck_assert(out);
    error_print(&e, "mica", out);
    fclose(out);
    return text;
}

START_TEST(test_error_prints_only_what_it_has)
{
    ck_assert_int_eq(error_set(&e, EXIT_STATUS_USAGE, "can't %s", "sing"), -1);
    ck_assert_str_eq(printed(), "mica: can't sing\n");
    error_hint(&e, "dance");
    ck_assert_str_eq(printed(), "mica: can't sing: dance\n");
    error_why(&e, "no %d voices", 2);
    ck_assert_str_eq(printed(), "mica: can't sing: no 2 voices: dance\n");
    ck_assert_int_eq(e.status, EXIT_STATUS_USAGE);
}
END_TEST

START_TEST(test_error_of_errno_has_status_and_reason)
{
    ck_assert_int_eq(error_set_errno(&e, ESRCH, "can't pause %u", 7), -1);
    ck_assert_int_eq(e.status, EXIT_STATUS_NO_DOMAIN);
    ck_assert_int_eq(e.number, ESRCH);
    ck_assert(*e.why && *e.hint);
    error_set_errno(&e, EISDIR, "can't read");
    ck_assert_int_eq(e.status, EXIT_STATUS_FAILED);
    ck_assert_str_eq(e.why, strerror(EISDIR));
    ck_assert_str_eq(e.hint, "");
}
END_TEST

START_TEST(test_device_that_is_missing_names_its_module)
{
    int fd = device_open("/dev/null", O_RDONLY, "xen-evtchn", &e);

    ck_assert_int_ge(fd, 0);
    ck_assert(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    close(fd);
    ck_assert_int_eq(
        device_open("/nonexistent/evtchn", O_RDWR, "xen-evtchn", &e), -1);
    ck_assert_int_eq(e.status, EXIT_STATUS_NO_SERVICE);
    ck_assert_str_eq(printed(), "mica: can't open /nonexistent/evtchn: No such "
                                "file or directory: modprobe xen-evtchn\n");
    ck_assert_int_eq(device_open("/", O_RDWR, "xen-evtchn", NULL), -1);
}
END_TEST

START_TEST(test_error_that_is_set_again_forgets_the_first)
{
    error_set_errno(&e, ESRCH, "one");
    error_set(&e, EXIT_STATUS_BUSY, "two");
    ck_assert_int_eq(e.number, 0);
    ck_assert_str_eq(printed(), "mica: two\n");
}
END_TEST

START_TEST(test_error_wrapped_keeps_status_and_says_both)
{
    error_set_errno(&e, ENOMEM, "can't map");
    error_wrap(&e, "can't build %s", "web");
    ck_assert_int_eq(e.status, EXIT_STATUS_NO_MEMORY);
    ck_assert_str_eq(e.what, "can't build web");
    ck_assert(strstr(e.why, "can't map: ") == e.why);
}
END_TEST

START_TEST(test_error_too_long_is_cut)
{
    char text[2000];

    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    error_set(&e, EXIT_STATUS_FAILED, "%s", text);
    error_why(&e, "%s", text);
    error_wrap(&e, "%s", text);
    error_hint(&e, "%s", text);
    ck_assert_uint_eq(strlen(e.what), ERROR_WHAT_SIZE - 1);
    ck_assert_uint_eq(strlen(e.why), ERROR_WHY_SIZE - 1);
    ck_assert_uint_eq(strlen(e.hint), ERROR_HINT_SIZE - 1);
}
END_TEST

START_TEST(test_error_that_nobody_wants_is_none)
{
    ck_assert_int_eq(error_set(NULL, EXIT_STATUS_FAILED, "a"), -1);
    ck_assert_int_eq(error_set_errno(NULL, EPERM, "a"), -1);
    ck_assert_int_eq(error_why(NULL, "a"), -1);
    ck_assert_int_eq(error_hint(NULL, "a"), -1);
    ck_assert_int_eq(error_wrap(NULL, "a"), -1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("error");
    TCase *t = tcase_create("error");
    SRunner *runner;
    int failed;

    tcase_add_test(t, test_error_prints_only_what_it_has);
    tcase_add_test(t, test_error_of_errno_has_status_and_reason);
    tcase_add_test(t, test_error_that_is_set_again_forgets_the_first);
    tcase_add_test(t, test_device_that_is_missing_names_its_module);
    tcase_add_test(t, test_error_wrapped_keeps_status_and_says_both);
    tcase_add_test(t, test_error_too_long_is_cut);
    tcase_add_test(t, test_error_that_nobody_wants_is_none);
    suite_add_tcase(suite, t);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
