/* SPDX-License-Identifier: MIT */
/* The PIT's channel 2 as kernels use it to measure their clocks. */
#include <check.h>
#include <stdlib.h>

#include "x86/pit_channel2.h"

#define OUT 0x20
#define GATE 0x01
#define PIT_HZ 1193182ull

static nsec_t after_ticks(uint64_t ticks)
{
    return (ticks * NSEC_PER_SEC + PIT_HZ - 1) / PIT_HZ;
}

static void start(struct pit_channel2 *p, uint8_t command, uint16_t count)
{
    pit2_write_port61(p, GATE, 0);
    pit2_write_command(p, command, 0);
    pit2_write_count(p, (uint8_t)count, 0);
    pit2_write_count(p, (uint8_t)(count >> 8), 0);
}

static unsigned read_count(struct pit_channel2 *p, nsec_t now)
{
    unsigned low = pit2_read_count(p, now);

    return low | (unsigned)pit2_read_count(p, now) << 8;
}

START_TEST(test_pit2_one_shot_raises_out_when_the_count_is_over)
{
    struct pit_channel2 p = {0};

    start(&p, 0xb0, 59659); /* 50 ms */
    ck_assert(!(pit2_read_port61(&p, 0) & OUT));
    ck_assert(!(pit2_read_port61(&p, 49 * NSEC_PER_MS) & OUT));
    ck_assert(pit2_read_port61(&p, 51 * NSEC_PER_MS) & OUT);
    ck_assert(pit2_read_port61(&p, 3600 * NSEC_PER_SEC) & OUT);
}
END_TEST

START_TEST(test_pit2_count_runs_down_and_wraps)
{
    struct pit_channel2 p = {0};

    start(&p, 0xb0, 0xffff);
    ck_assert_uint_eq(read_count(&p, 0), 0xffff);
    ck_assert_uint_eq(read_count(&p, after_ticks(0x100)), 0xfeff);
    ck_assert_uint_eq(read_count(&p, after_ticks(0x10000)), 0xffff);
}
END_TEST

START_TEST(test_pit2_latched_count_stands_still_until_read)
{
    struct pit_channel2 p = {0};

    start(&p, 0xb0, 0x1000);
    pit2_write_command(&p, 0x80, after_ticks(0x10));
    ck_assert_uint_eq(read_count(&p, after_ticks(0x800)), 0xff0);
    ck_assert_uint_eq(read_count(&p, after_ticks(0x800)), 0x800);
    pit2_write_command(&p, 0xd8, after_ticks(0x900)); /* read-back */
    ck_assert_uint_eq(read_count(&p, after_ticks(0xa00)), 0x700);
}
END_TEST

START_TEST(test_pit2_periodic_mode_starts_over)
{
    struct pit_channel2 p = {0};

    start(&p, 0xb4, 100);
    ck_assert_uint_eq(read_count(&p, after_ticks(130)), 70);
    start(&p, 0xb6, 0); /* 65536 */
    ck_assert_uint_eq(read_count(&p, after_ticks(65536 + 1)), 0xffff);
}
END_TEST

START_TEST(test_pit2_without_gate_does_not_count)
{
    struct pit_channel2 p = {0};

    start(&p, 0xb0, 0x1000);
    pit2_write_port61(&p, 0, 0);
    ck_assert_uint_eq(read_count(&p, NSEC_PER_SEC), 0x1000);
    ck_assert(!(pit2_read_port61(&p, NSEC_PER_SEC) & OUT));
    pit2_write_port61(&p, GATE, NSEC_PER_SEC);
    ck_assert_uint_eq(read_count(&p, NSEC_PER_SEC + after_ticks(1)), 0xfff);
}
END_TEST

START_TEST(test_pit2_single_byte_access_reads_that_byte_only)
{
    struct pit_channel2 p = {0};

    pit2_write_port61(&p, GATE, 0);
    pit2_write_command(&p, 0xa0, 0); /* high byte, mode 0 */
    pit2_write_count(&p, 0x12, 0);
    ck_assert_uint_eq(pit2_read_count(&p, 0), 0x12);
    ck_assert_uint_eq(pit2_read_count(&p, 0), 0x12);
    pit2_write_command(&p, 0x90, 0); /* low byte */
    pit2_write_count(&p, 0x34, 0);
    ck_assert_uint_eq(pit2_read_count(&p, 0), 0x34);
}
END_TEST

START_TEST(test_pit2_of_other_channels_is_left_alone)
{
    struct pit_channel2 p = {0};

    start(&p, 0xb0, 0x1000);
    pit2_write_command(&p, 0x34, 0);
    pit2_write_command(&p, 0x74, 0);
    ck_assert_uint_eq(read_count(&p, 0), 0x1000);
}
END_TEST

START_TEST(test_pit2_refresh_bit_toggles)
{
    struct pit_channel2 p = {0};
    uint8_t first = pit2_read_port61(&p, 0);

    ck_assert_uint_eq((first ^ pit2_read_port61(&p, 0)) & 0x10, 0x10);
}
END_TEST

static TCase *make_case(void)
{
    TCase *tc = tcase_create("channel 2");

    tcase_add_test(tc, test_pit2_one_shot_raises_out_when_the_count_is_over);
    tcase_add_test(tc, test_pit2_count_runs_down_and_wraps);
    tcase_add_test(tc, test_pit2_latched_count_stands_still_until_read);
    tcase_add_test(tc, test_pit2_periodic_mode_starts_over);
    tcase_add_test(tc, test_pit2_without_gate_does_not_count);
    tcase_add_test(tc, test_pit2_single_byte_access_reads_that_byte_only);
    tcase_add_test(tc, test_pit2_of_other_channels_is_left_alone);
    tcase_add_test(tc, test_pit2_refresh_bit_toggles);
    return tc;
}

int main(void)
{
    Suite *suite = suite_create("pit_channel2");
    SRunner *runner = srunner_create(suite);
    int failed;

    suite_add_tcase(suite, make_case());
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
