/* SPDX-License-Identifier: MIT */
/* Formats against the C library's; lines, the ring, guests' text, panics. */
#include <check.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/domain.h"
#include "core/log.h"
#include "core/spinlock.h"
#include "core/vcpu.h"
#include "host/arch_fake.h"

static FILE *console;

/* The fake's console is stderr, which goes to a file for the test. */
static void setup(void)
{
    fake_boot(1);
    fake.now = 12 * NSEC_PER_SEC + 345678999;
    fake.console_echo = true;
    console = freopen("/dev/null", "w", stderr);
    ck_assert_ptr_nonnull(console);
}

static char *text_start(void)
{
    static char text[8192];

    memset(text, 0, sizeof(text));
    setbuffer(stderr, text, sizeof(text));
    return text;
}

/* Same text, same length, also when it is cut to `size` bytes. */
static void compare(size_t size, const char *fmt, va_list args)
{
    char ours[256], theirs[256];
    va_list again;
    int ours_length, theirs_length;

    va_copy(again, args);
    memset(ours, 'z', sizeof(ours));
    memset(theirs, 'z', sizeof(theirs));
    ours_length = format_va(ours, size, fmt, args);
    theirs_length = vsnprintf(theirs, size, fmt, again);
    va_end(again);
    ck_assert_int_eq(ours_length, theirs_length);
    ck_assert_mem_eq(ours, theirs, sizeof(ours));
}

/* As format(), but the compiler doesn't look at the format. */
static int format_it(char *out, size_t size, const char *fmt, ...)
{
    va_list args;
    int length;

    va_start(args, fmt);
    length = format_va(out, size, fmt, args);
    va_end(args);
    return length;
}

static void check_format(const char *fmt, ...)
{
    va_list args;

    for (size_t size = 1; size <= 256; size *= 2) {
        va_start(args, fmt);
        compare(size, fmt, args);
        va_end(args);
    }
}

START_TEST(test_format_numbers_are_as_in_c)
{
    check_format("%d %d %u", -1, 0, 4294967295u);
    check_format("%d %ld %lld", -2147483647 - 1, LONG_MIN, LLONG_MIN);
    check_format("%lu %llu %zu", ULONG_MAX, ULLONG_MAX, SIZE_MAX);
    check_format("%x %#x %#x", 0xbeefu, 255u, 0u);
    check_format("%lx %llx %zx", ULONG_MAX, 0ull, (size_t)16);
    check_format("[%8d] [%08d] [%08u] [%3u]", -42, -42, 42u, 12345u);
    check_format("[%#10x] [%#010x] [%016lx]", 5u, 5u, 5ul);
}
END_TEST

START_TEST(test_format_text_is_as_in_c)
{
    check_format("%s|%10s|%2s|", "one", "two", "three");
    check_format("%c%c%%", 'a', 'b');
    check_format("%p", (void *)0x1234);
    check_format("plain");
    check_format("%s", "");
}
END_TEST

static const char *const unknown_formats[] = {"%.4s", "%-4d", "%*d",
                                              "%i",   "%X",   "% d"};

START_TEST(test_format_that_is_not_known_is_a_bug)
{
    char out[32];

    ck_assert_int_eq(
        FAKE_CATCH(format_it(out, sizeof(out), unknown_formats[_i], 1)),
        CONFIG_DEBUG ? FAKE_PANIC : FAKE_RUNS);
}
END_TEST

START_TEST(test_format_without_room_writes_nothing)
{
    char out = 'x';

    ck_assert_int_eq(format(&out, 0, "%d", 12345), 5);
    ck_assert_int_eq(out, 'x');
}
END_TEST

START_TEST(test_format_of_a_huge_width_is_bounded)
{
    const char *fmt = "%99999999999999999999d";
    char out[8];

    ck_assert_int_lt(format_it(out, sizeof(out), fmt, 1), 100000);
    ck_assert_str_eq(out, "       ");
}
END_TEST

START_TEST(test_log_line_has_the_time_and_one_newline)
{
    char *text = text_start();

    log_info("port %u is %s", 3u, "open");
    ck_assert_str_eq(text, "(MICA) [   12.345678] port 3 is open\n");
}
END_TEST

START_TEST(test_log_above_the_threshold_goes_to_the_ring_only)
{
    char *text = text_start();
    char ring[128];
    uint64_t position = 0;
    size_t n;

    log_set_levels(2, 2);
    log_info("quiet");
    ck_assert_str_eq(text, "");
    n = log_ring_read(ring, sizeof(ring) - 1, &position);
    ring[n] = 0;
    ck_assert_str_eq(ring, "(MICA) [   12.345678] quiet\n");
    log_warning("loud");
    ck_assert_str_eq(text, "(MICA) [   12.345678] loud\n");
}
END_TEST

START_TEST(test_log_without_levels_shows_nothing)
{
    char *text = text_start();

    log_set_levels(0, 0);
    log_error("bad");
    ck_assert_str_eq(text, "");
}
END_TEST

START_TEST(test_log_line_does_not_continue_a_line_of_dom0)
{
    char *text = text_start();

    log_guest_text(0, "# ", 2);
    log_error("a");
    log_guest_text(0, "ls\n", 3);
    log_error("b");
    ck_assert_str_eq(text, "# \n(MICA) [   12.345678] a\nls\n"
                           "(MICA) [   12.345678] b\n");
}
END_TEST

START_TEST(test_log_long_line_is_cut_and_still_ends)
{
    static char long_text[5000], ring[6000];
    uint64_t position = 0;
    size_t n;

    memset(long_text, 'x', sizeof(long_text) - 1);
    log_message(LOG_DEBUG, "%s", long_text);
    log_message(LOG_DEBUG, "%s%s", "next", long_text);
    n = log_ring_read(ring, sizeof(ring), &position);
    ck_assert_uint_lt(n, 2100);
    ck_assert_int_eq(ring[n - 1], '\n');
    ck_assert_ptr_nonnull(strstr(ring, "x\n(MICA) [   12.345678] next"));
}
END_TEST

START_TEST(test_log_ring_keeps_the_newest)
{
    static char ring[CONFIG_LOG_RING_KIB * 1024];
    uint64_t position = 0;
    size_t n;

    log_set_levels(1, 1);
    for (unsigned i = 0; i < 20000; i++)
        log_info("line %u", i);
    n = log_ring_read(ring, sizeof(ring), &position);
    ck_assert_uint_eq(n, sizeof(ring));
    ck_assert_mem_eq(ring + n - 12, " line 19999\n", 12);
    ck_assert_uint_eq(log_ring_read(ring, sizeof(ring), &position), 0);
    log_info("more");
    n = log_ring_read(ring, sizeof(ring), &position);
    ck_assert_mem_eq(ring + n - 6, " more\n", 6);
}
END_TEST

START_TEST(test_log_ring_read_of_a_position_that_is_wrong_starts_over)
{
    char ring[128];
    uint64_t position = UINT64_MAX;

    log_info("a");
    ck_assert_uint_gt(log_ring_read(ring, sizeof(ring), &position), 0);
    ck_assert_uint_lt(position, 100);
}
END_TEST

START_TEST(test_log_ring_clear_forgets)
{
    char ring[128];
    uint64_t position = 0;

    log_info("secret");
    log_ring_clear();
    ck_assert_uint_eq(log_ring_read(ring, sizeof(ring), &position), 0);
    log_info("b");
    ck_assert_uint_eq(log_ring_read(ring, sizeof(ring), &position), 24);
}
END_TEST

START_TEST(test_log_text_of_dom0_passes_as_it_is)
{
    char *text = text_start();

    log_guest_text(0, "\033[1mhal", 7);
    log_guest_text(0, "lo\r", 3);
    ck_assert_str_eq(text, "\033[1mhallo\r");
}
END_TEST

START_TEST(test_log_text_of_others_is_a_message)
{
    char *text = text_start();
    struct domain d = {.id = 3};
    struct vcpu v = {.domain = &d};

    log_set_levels(LOG_LEVELS, LOG_LEVELS);
    pcpus[0].current = &v;
    log_guest_text(3, "one\033[2J\r\n", 9);
    ck_assert_str_eq(text, "(MICA) [   12.345678] d3v0: one [2J  \n");
    log_set_levels(LOG_LEVELS, LOG_DEBUG);
    text = text_start();
    log_guest_text(3, "two\n", 4);
    ck_assert_str_eq(text, "");
}
END_TEST

START_TEST(test_log_text_of_others_is_cut)
{
    static char y[1000];
    char *text = text_start();

    log_set_levels(LOG_LEVELS, LOG_LEVELS);
    memset(y, 'y', sizeof(y));
    log_guest_text(3, y, sizeof(y));
    ck_assert_uint_lt(strlen(text), 200);
}
END_TEST

START_TEST(test_log_guest_is_limited_and_says_so)
{
    char *text = text_start();

    log_set_levels(LOG_LEVELS, LOG_LEVELS);
    for (unsigned i = 0; i < 1000; i++)
        log_guest(LOG_ERROR, "i");
    ck_assert_uint_lt(strlen(text), 300 * strlen("(MICA) [   12.345678] i\n"));
    fake.now += NSEC_PER_SEC;
    log_guest(LOG_ERROR, "back");
    ck_assert_ptr_nonnull(strstr(text, "(800 messages dropped) back\n"));
}
END_TEST

START_TEST(test_log_guest_names_the_guest)
{
    char *text = text_start();
    struct domain d = {.id = 7};
    struct vcpu v = {.id = 2, .domain = &d};

    log_set_levels(LOG_LEVELS, LOG_LEVELS);
    pcpus[0].current = &v;
    log_guest(LOG_DEBUG, "no %s", "way");
    ck_assert_str_eq(text, "(MICA) [   12.345678] d7v2: no way\n");
}
END_TEST

START_TEST(test_panic_writes_a_line_and_stops)
{
    char *text = text_start();

    log_set_levels(0, 0);
    ck_assert_int_eq(FAKE_CATCH(panic("count is %d", -1)), FAKE_PANIC);
    ck_assert_str_eq(text, "(MICA) [   12.345678] panic: count is -1\n");
}
END_TEST

START_TEST(test_spin_trylock_takes_what_is_free)
{
    struct spinlock lock = SPINLOCK_INIT;

    for (unsigned i = 0; i < 2; i++) {
        ck_assert(spin_trylock(&lock));
        ck_assert(!spin_trylock(&lock));
        spin_unlock(&lock);
        spin_lock(&lock);
        ck_assert(!spin_trylock(&lock));
        spin_unlock(&lock);
    }
}
END_TEST

/* Another processor waits, until it is stopped in whatever way. */
START_TEST(test_panic_has_the_log_for_itself)
{
    char *text = text_start();

    ck_assert_int_eq(FAKE_CATCH(panic("bad")), FAKE_PANIC);
    fake.cpu = 1;
    fake.on_spin = arch_power_off;
    ck_assert_int_eq(FAKE_CATCH(log_error("late")), FAKE_POWER_OFF);
    fake.cpu = 0;
    log_error("more");
    fake.cpu = 1;
    ck_assert_int_eq(FAKE_CATCH(log_error("late")), FAKE_POWER_OFF);
    ck_assert_str_eq(text, "(MICA) [   12.345678] panic: bad\n"
                           "(MICA) [   12.345678] more\n");
}
END_TEST

static void add_format_tests(TCase *tc)
{
    tcase_add_test(tc, test_format_numbers_are_as_in_c);
    tcase_add_test(tc, test_format_text_is_as_in_c);
    tcase_add_loop_test(tc, test_format_that_is_not_known_is_a_bug, 0,
                        ARRAY_LEN(unknown_formats));
    tcase_add_test(tc, test_format_without_room_writes_nothing);
    tcase_add_test(tc, test_format_of_a_huge_width_is_bounded);
}

static void add_log_tests(TCase *tc)
{
    tcase_add_test(tc, test_log_line_has_the_time_and_one_newline);
    tcase_add_test(tc, test_log_above_the_threshold_goes_to_the_ring_only);
    tcase_add_test(tc, test_log_without_levels_shows_nothing);
    tcase_add_test(tc, test_log_line_does_not_continue_a_line_of_dom0);
    tcase_add_test(tc, test_log_long_line_is_cut_and_still_ends);
    tcase_add_test(tc, test_log_ring_keeps_the_newest);
    tcase_add_test(tc,
                   test_log_ring_read_of_a_position_that_is_wrong_starts_over);
    tcase_add_test(tc, test_log_ring_clear_forgets);
    tcase_add_test(tc, test_log_text_of_dom0_passes_as_it_is);
    tcase_add_test(tc, test_log_text_of_others_is_a_message);
    tcase_add_test(tc, test_log_text_of_others_is_cut);
    tcase_add_test(tc, test_log_guest_is_limited_and_says_so);
    tcase_add_test(tc, test_log_guest_names_the_guest);
    tcase_add_test(tc, test_panic_writes_a_line_and_stops);
    tcase_add_test(tc, test_spin_trylock_takes_what_is_free);
    tcase_add_test(tc, test_panic_has_the_log_for_itself);
}

int main(void)
{
    Suite *suite = suite_create("log");
    TCase *tc = tcase_create("log");
    SRunner *runner = srunner_create(suite);
    int failures;

    tcase_add_checked_fixture(tc, setup, NULL);
    add_format_tests(tc);
    add_log_tests(tc);
    suite_add_tcase(suite, tc);
    srunner_run_all(runner, CK_NORMAL);
    failures = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
