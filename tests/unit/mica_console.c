/* SPDX-License-Identifier: MIT */
/* Attaching to a console, with pipes for the person's terminal. */
#include "mica_suites.h"

#include <check.h>
#include <pty.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "dom0_tools/mica/console.h"
#include "mica_fake.h"

static struct call call;
static struct error error;
static int guest, kept_open; /* the daemon's ends */
static int typed[2], shown[2];

static void setup(void)
{
    struct termios raw;
    char path[64];

    fake_reset();
    fake_add(3, "web");
    memset(&raw, 0, sizeof(raw));
    cfmakeraw(&raw);
    ck_assert_int_eq(openpty(&guest, &kept_open, path, &raw, NULL), 0);
    fake_set_node("/local/domain/3/console/tty", path);
    ck_assert_int_eq(pipe(typed) | pipe(shown), 0);
    ck_assert_int_eq(dup2(typed[0], STDIN_FILENO), STDIN_FILENO);
}

static void teardown(void)
{
    close(guest);
}

static void type(const char *text)
{
    ck_assert_int_eq(write(typed[1], text, strlen(text)),
                     (ssize_t)strlen(text));
}

static void expect(int fd, const char *text)
{
    char got[64] = "";

    ck_assert_int_ge(read(fd, got, sizeof(got) - 1), 0);
    ck_assert_str_eq(got, text);
}

/* Talks with standard output in a pipe, which Check must not see. */
static void talk(int console)
{
    int stdout_copy;

    fflush(stdout);
    stdout_copy = dup(STDOUT_FILENO);
    dup2(shown[1], STDOUT_FILENO);
    ck_assert_int_eq(console_talk(console, &error), 0);
    dup2(stdout_copy, STDOUT_FILENO);
    close(stdout_copy);
}

START_TEST(test_mica_console_passes_keys_up_to_the_last_one)
{
    type("ls\n\x1dnot this");
    talk(console_open(&call, 3, &error));
    expect(guest, "ls\n");
}
END_TEST

START_TEST(test_mica_console_shows_what_the_guest_writes)
{
    int console = console_open(&call, 3, &error);

    ck_assert_int_ge(console, 0);
    ck_assert_int_eq(write(guest, "login: ", 7), 7);
    type("\x1d");
    talk(console);
    expect(shown[0], "login: ");
}
END_TEST

START_TEST(test_mica_console_without_the_daemon)
{
    fake_set_node("/local/domain/3/console/tty", "");
    ck_assert_int_eq(console_open(&call, 3, &error), -1);
    ck_assert_int_eq(error.status, EXIT_STATUS_NO_SERVICE);
    ck_assert_str_eq(error.what, "domain 3 has no console");
}
END_TEST

START_TEST(test_mica_console_opens_terminals_only)
{
    fake_set_node("/local/domain/3/console/tty", "/etc/passwd");
    ck_assert_int_eq(console_open(&call, 3, &error), -1);
    ck_assert_str_eq(error.what, "can't open the console /etc/passwd");
}
END_TEST

/* See mica_suites.h. */
TCase *mica_console_case(void)
{
    TCase *t = tcase_create("console");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, test_mica_console_passes_keys_up_to_the_last_one);
    tcase_add_test(t, test_mica_console_shows_what_the_guest_writes);
    tcase_add_test(t, test_mica_console_without_the_daemon);
    tcase_add_test(t, test_mica_console_opens_terminals_only);
    return t;
}
