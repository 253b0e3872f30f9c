/* SPDX-License-Identifier: MIT */
/* LZ4 as kernels are packed in it. */
#include <check.h>
#include <lz4.h>
#include <stdlib.h>
#include <string.h>

#include "dom0_tools/lib/build_lz4.h"

#define SIZE 10000u
#define ROOM 20000u

static uint8_t text[SIZE], packed[ROOM], out[SIZE];
static size_t packed_size;

static void put_word(uint32_t word)
{
    memcpy(packed + packed_size, &word, sizeof(word));
    packed_size += sizeof(word);
}

static void put_block(const uint8_t *bytes, size_t size)
{
    int n = LZ4_compress_default(
        (const char *)bytes, (char *)packed + packed_size + sizeof(uint32_t),
        (int)size, (int)(ROOM - packed_size - sizeof(uint32_t)));

    ck_assert_int_gt(n, 0);
    put_word((uint32_t)n);
    packed_size += (size_t)n;
}

/* Two blocks, the second a little one. */
static void setup(void)
{
    for (unsigned i = 0; i < SIZE; i++)
        text[i] = (uint8_t)(i % 97 * (i >> 9));
    packed_size = 0;
    put_word(0x184c2102);
    put_block(text, SIZE - 100);
    put_block(text + SIZE - 100, 100);
    memset(out, 0, sizeof(out));
}

static bool unpack_bytes(size_t in, size_t out_size)
{
    uint8_t *exact = malloc(in ? in : 1), *to = malloc(out_size);
    struct unpack_job job = {
        .packed = exact,
        .packed_size = in,
        .out = to,
        .out_size = out_size,
    };
    const char *why;

    ck_assert(exact && to);
    memcpy(exact, packed, in);
    why = build_unpack_lz4(&job);
    memcpy(out, to, min_u64(out_size, SIZE));
    free(exact);
    free(to);
    return !why;
}

START_TEST(test_lz4_blocks_unpack_in_order)
{
    ck_assert(unpack_bytes(packed_size, SIZE));
    ck_assert_mem_eq(out, text, SIZE);
}
END_TEST

START_TEST(test_lz4_magic_may_come_again)
{
    packed_size = 0;
    put_word(0x184c2102);
    put_block(text, SIZE / 2);
    put_word(0x184c2102);
    put_block(text + SIZE / 2, SIZE / 2);
    ck_assert(unpack_bytes(packed_size, SIZE));
    ck_assert_mem_eq(out, text, SIZE);
}
END_TEST

START_TEST(test_lz4_every_shorter_stream_is_refused)
{
    for (size_t size = 0; size < packed_size; size++)
        ck_assert(!unpack_bytes(size, SIZE));
}
END_TEST

START_TEST(test_lz4_another_size_than_declared_is_refused)
{
    ck_assert(!unpack_bytes(packed_size, SIZE - 1));
    ck_assert(!unpack_bytes(packed_size, SIZE + 1));
}
END_TEST

START_TEST(test_lz4_damage_never_leaves_the_buffers)
{
    for (size_t at = 4; at < packed_size; at++) {
        uint8_t good = packed[at];

        packed[at] ^= 0x5a;
        (void)unpack_bytes(packed_size, SIZE);
        packed[at] = good;
    }
    put_word(0);
    ck_assert(!unpack_bytes(packed_size, SIZE));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("builder_lz4");
    TCase *t = tcase_create("lz4");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(t, setup, NULL);
    tcase_add_test(t, test_lz4_blocks_unpack_in_order);
    tcase_add_test(t, test_lz4_magic_may_come_again);
    tcase_add_test(t, test_lz4_every_shorter_stream_is_refused);
    tcase_add_test(t, test_lz4_another_size_than_declared_is_refused);
    tcase_add_test(t, test_lz4_damage_never_leaves_the_buffers);
    suite_add_tcase(suite, t);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
