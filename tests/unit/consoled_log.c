/* SPDX-License-Identifier: MIT */
/* What is kept of a console: in memory for viewers, and in files. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "consoled_suites.h"
#include "dom0_tools/consoled/backlog.h"
#include "dom0_tools/consoled/log_file.h"

static struct backlog backlog;
static const char *bytes;
static bool is_lost;

static void empty_backlog(void)
{
    memset(&backlog, 0, sizeof(backlog));
}

START_TEST(test_backlog_gives_each_viewer_all_of_it)
{
    uint64_t first = 0, second = 0;

    backlog_put(&backlog, "abc", 3);
    ck_assert_uint_eq(backlog_peek(&backlog, &first, &bytes, &is_lost), 3);
    first += 3;
    backlog_put(&backlog, "def", 3);
    ck_assert_uint_eq(backlog_peek(&backlog, &first, &bytes, &is_lost), 3);
    ck_assert_mem_eq(bytes, "def", 3);
    ck_assert_uint_eq(backlog_peek(&backlog, &second, &bytes, &is_lost), 6);
    ck_assert_mem_eq(bytes, "abcdef", 6);
    ck_assert(!is_lost);
}
END_TEST

START_TEST(test_backlog_loses_the_oldest_and_goes_on)
{
    static char much[BACKLOG_SIZE];
    uint64_t at = 0;
    size_t size;

    memset(much, 'x', sizeof(much));
    backlog_put(&backlog, "oldest", 6);
    backlog_put(&backlog, much, sizeof(much) - 3);
    backlog_put(&backlog, "end", 3);
    size = backlog_peek(&backlog, &at, &bytes, &is_lost);
    ck_assert(is_lost);
    ck_assert_uint_eq(at, 6);
    ck_assert_uint_eq(size, BACKLOG_SIZE - 6);
    ck_assert_int_eq(*bytes, 'x');
    at += size;
    ck_assert_uint_eq(backlog_peek(&backlog, &at, &bytes, &is_lost), 6);
    ck_assert_mem_eq(bytes, "xxxend", 6);
    ck_assert(!is_lost);
    at += 6;
    ck_assert_uint_eq(backlog_peek(&backlog, &at, &bytes, &is_lost), 0);
}
END_TEST

START_TEST(test_backlog_shows_recent_lines_whole)
{
    backlog_put(&backlog, "first line\nsecond\nlogin: ", 25);
    ck_assert_uint_eq(backlog_recent(&backlog, 100), 0);
    ck_assert_uint_eq(backlog_recent(&backlog, 20), 11);
    ck_assert_uint_eq(backlog_recent(&backlog, 14), 11);
    ck_assert_uint_eq(backlog_recent(&backlog, 7), 18);
    ck_assert_uint_eq(backlog_recent(&backlog, 5), 20);
    ck_assert_uint_eq(backlog_recent(&backlog, 0), 25);
}
END_TEST

START_TEST(test_backlog_shows_no_more_than_it_has)
{
    static char much[BACKLOG_SIZE + 10];

    backlog_put(&backlog, much, sizeof(much));
    ck_assert_uint_eq(backlog_recent(&backlog, sizeof(much)), 10);
}
END_TEST

/* See consoled_suites.h. */
TCase *consoled_backlog_case(void)
{
    TCase *t = tcase_create("backlog");

    tcase_add_checked_fixture(t, empty_backlog, NULL);
    tcase_add_test(t, test_backlog_gives_each_viewer_all_of_it);
    tcase_add_test(t, test_backlog_loses_the_oldest_and_goes_on);
    tcase_add_test(t, test_backlog_shows_recent_lines_whole);
    tcase_add_test(t, test_backlog_shows_no_more_than_it_has);
    return t;
}

static char directory_path[] = "/tmp/consoled-log-XXXXXX";
static int directory;
static struct log_file log_file;
static struct error error;

static void make_log(void)
{
    strcpy(strrchr(directory_path, '-'), "-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(directory_path));
    directory = open(directory_path, O_RDONLY | O_DIRECTORY);
    ck_assert_int_ge(directory, 0);
    ck_assert_int_eq(log_file_open(&log_file, directory, "web.log", 100, NULL),
                     0);
}

static void remove_log(void)
{
    static const char *const names[] = {"web.log", "web.log.1", "aside"};

    log_file_close(&log_file);
    for (unsigned i = 0; i < 3; i++)
        unlinkat(directory, names[i], 0);
    close(directory);
    rmdir(directory_path);
}

static void expect(const char *name, const char *text)
{
    char got[256];
    int fd = openat(directory, name, O_RDONLY);
    ssize_t size = read(fd, got, sizeof(got) - 1);

    ck_assert_int_ge(size, 0);
    got[size] = '\0';
    ck_assert_str_eq(got, text);
    close(fd);
}

static void append(const char *text)
{
    ck_assert_int_eq(log_file_write(&log_file, text, strlen(text), &error), 0);
}

START_TEST(test_log_names_are_names_of_files)
{
    static const char *const bad[] = {
        "",    ".",    "..",    ".web",    "../../etc/passwd",
        "a/b", "a\nb", "a\x7f", "\xc3\xa4"};
    char file[LOG_NAME_SIZE], name[LOG_NAME_SIZE + 1];

    log_file_name(file, "web-1.example", 7);
    ck_assert_str_eq(file, "web-1.example.log");
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        log_file_name(file, bad[i], 7);
        ck_assert_str_eq(file, "7.log");
    }
    memset(name, 'n', sizeof(name) - 1);
    name[LOG_NAME_SIZE] = '\0';
    log_file_name(file, name, 7);
    ck_assert_str_eq(file, "7.log");
    name[100] = '\0';
    log_file_name(file, name, 7);
    ck_assert_uint_eq(strlen(file), 104);
}
END_TEST

START_TEST(test_log_is_appended_to)
{
    append("one ");
    log_file_close(&log_file);
    ck_assert_int_eq(log_file_open(&log_file, directory, "web.log", 100, NULL),
                     0);
    append("two");
    expect("web.log", "one two");
}
END_TEST

START_TEST(test_log_is_for_root_alone)
{
    struct stat status;

    ck_assert_int_eq(fstatat(directory, "web.log", &status, 0), 0);
    ck_assert_uint_eq(status.st_mode & 0777, 0600);
}
END_TEST

START_TEST(test_log_keeps_one_older_file)
{
    char text[61];

    for (char letter = 'a'; letter <= 'c'; letter++) {
        memset(text, letter, sizeof(text) - 1);
        text[sizeof(text) - 1] = '\0';
        append(text);
    }
    expect("web.log", text);
    memset(text, 'b', sizeof(text) - 1);
    expect("web.log.1", text);
}
END_TEST

START_TEST(test_log_takes_a_piece_that_is_larger_than_its_bound)
{
    char text[151];

    memset(text, 'x', 150);
    text[150] = '\0';
    append(text);
    expect("web.log", text);
    append("y");
    expect("web.log", "y");
    expect("web.log.1", text);
}
END_TEST

START_TEST(test_log_that_was_moved_begins_anew)
{
    append("before");
    ck_assert_int_eq(renameat(directory, "web.log", directory, "aside"), 0);
    append("after");
    expect("web.log", "after");
    expect("aside", "before");
}
END_TEST

START_TEST(test_log_is_not_written_through_a_link)
{
    append("before");
    ck_assert_int_eq(renameat(directory, "web.log", directory, "aside"), 0);
    ck_assert_int_eq(symlinkat("aside", directory, "web.log"), 0);
    ck_assert_int_eq(log_file_write(&log_file, "x", 1, &error), -1);
    expect("aside", "before");
    ck_assert_int_eq(unlinkat(directory, "web.log", 0), 0);
    append("after");
    expect("web.log", "after");
}
END_TEST

/* See consoled_suites.h. */
TCase *consoled_log_case(void)
{
    TCase *t = tcase_create("log");

    tcase_add_checked_fixture(t, make_log, remove_log);
    tcase_add_test(t, test_log_names_are_names_of_files);
    tcase_add_test(t, test_log_is_appended_to);
    tcase_add_test(t, test_log_is_for_root_alone);
    tcase_add_test(t, test_log_keeps_one_older_file);
    tcase_add_test(t, test_log_takes_a_piece_that_is_larger_than_its_bound);
    tcase_add_test(t, test_log_that_was_moved_begins_anew);
    tcase_add_test(t, test_log_is_not_written_through_a_link);
    return t;
}
