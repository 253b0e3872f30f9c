/* SPDX-License-Identifier: MIT */
/* Containers of kernels. */
#include <check.h>
#include <stdlib.h>

#include "core/kernel.h"

enum {
    FILE_SIZE = 8192,
    SETUP = 4 * 512, /* 3 sectors of set-up code and the boot sector */
    PAYLOAD = SETUP + 0x20,
};

static const char *why;
static uint8_t file[FILE_SIZE];

static void put32(size_t at, uint32_t value)
{
    memcpy(file + at, &value, sizeof(value));
}

static void make_bzimage(const char *magic, size_t magic_size, uint32_t length)
{
    memset(file, 0, sizeof(file));
    file[0x1f1] = 3;
    memcpy(file + 0x202, "HdrS", 4);
    file[0x206] = 0x0f;
    file[0x207] = 0x02;
    put32(0x248, 0x20);
    put32(0x24c, length);
    memcpy(file + PAYLOAD, magic, magic_size);
    if (length <= FILE_SIZE - PAYLOAD && length >= 4)
        put32(PAYLOAD + length - 4, 0x12345678);
}

static bool open_file(struct unpack_job *job, size_t size)
{
    uint8_t *exact = malloc(size ? size : 1);

    memcpy(exact, file, size);
    why = kernel_image_open(job, exact, size);
    if (!why)
        job->packed = file + (job->packed - exact);
    free(exact);
    return !why;
}

static void assert_refused(size_t size, const char *words)
{
    struct unpack_job job;

    ck_assert(!open_file(&job, size));
    ck_assert_msg(strstr(why, words), "\"%s\" lacks \"%s\"", why, words);
}

#define MAGIC(bytes) bytes, sizeof(bytes) - 1

static const struct {
    const char *magic;
    size_t magic_size;
    enum unpack_method method;
    size_t payload_size;
    uint64_t unpacked_size;
} payloads[] = {
    {MAGIC("\xfd"
           "7zXZ\0"),
     UNPACK_XZ, 996, 0x12345678},
    {MAGIC("\x28\xb5\x2f\xfd"), UNPACK_ZSTD, 996, 0x12345678},
    {MAGIC("\x1f\x8b\x08"), UNPACK_GZIP, 1000, 0x12345678},
    {MAGIC("\x5d\0\0\0\4"), UNPACK_LZMA, 996, 0x12345678},
    {MAGIC("\x02\x21\x4c\x18"), UNPACK_LZ4, 996, 0x12345678},
    {MAGIC("\177ELF"), UNPACK_NONE, 1000, 1000},
};

START_TEST(test_kernel_image_open_of_bzimage_finds_the_payload)
{
    struct unpack_job job;

    make_bzimage(payloads[_i].magic, payloads[_i].magic_size, 1000);
    ck_assert(open_file(&job, FILE_SIZE));
    ck_assert_uint_eq(job.method, payloads[_i].method);
    ck_assert_ptr_eq(job.packed, file + PAYLOAD);
    ck_assert_uint_eq(job.packed_size, payloads[_i].payload_size);
    ck_assert_uint_eq(job.out_size, payloads[_i].unpacked_size);
}
END_TEST

START_TEST(test_kernel_image_open_of_truncated_bzimage_is_refused)
{
    struct unpack_job job;
    size_t size;

    make_bzimage(MAGIC("\xfd"
                       "7zXZ\0"),
                 1000);
    for (size = 0; size < PAYLOAD + 1000; size++)
        ck_assert(!open_file(&job, size));
    ck_assert(open_file(&job, size));
}
END_TEST

static const struct {
    size_t at;
    uint32_t value;
    const char *words;
} bad_fields[] = {
    {0x206, 0x0207, "older than"},    {0x248, UINT32_MAX, "cut short"},
    {0x248, FILE_SIZE, "cut short"},  {0x248, 0x21, "unknown method"},
    {0x24c, UINT32_MAX, "cut short"}, {0x24c, 0, "no ELF payload"},
    {0x24c, 3, "cut short"},          {PAYLOAD + 996, 0, "claims to be empty"},
};

START_TEST(test_kernel_image_open_of_bzimage_with_bad_field_is_refused)
{
    make_bzimage(MAGIC("\xfd"
                       "7zXZ\0"),
                 1000);
    put32(bad_fields[_i].at, bad_fields[_i].value);
    assert_refused(FILE_SIZE, bad_fields[_i].words);
}
END_TEST

START_TEST(test_kernel_image_open_without_setup_sectors_means_four)
{
    struct unpack_job job;

    make_bzimage("", 0, 1000);
    file[0x1f1] = 0;
    memcpy(file + PAYLOAD + 512, "\x28\xb5\x2f\xfd", 4);
    ck_assert(!open_file(&job, FILE_SIZE));
    put32(PAYLOAD + 512 + 996, 1);
    ck_assert(open_file(&job, FILE_SIZE));
    ck_assert_ptr_eq(job.packed, file + PAYLOAD + 512);
}
END_TEST

START_TEST(test_kernel_image_open_of_plain_elf_is_in_place)
{
    struct unpack_job job;

    memset(file, 0, sizeof(file));
    memcpy(file, "\177ELF", 4);
    ck_assert(open_file(&job, FILE_SIZE));
    ck_assert_uint_eq(job.method, UNPACK_NONE);
    ck_assert_uint_eq(job.out_size, FILE_SIZE);
}
END_TEST

START_TEST(test_kernel_image_open_of_gzipped_file_knows_its_size)
{
    struct unpack_job job;

    memset(file, 0, sizeof(file));
    memcpy(file, "\x1f\x8b", 2);
    put32(96, 777);
    ck_assert(open_file(&job, 100));
    ck_assert_uint_eq(job.method, UNPACK_GZIP);
    ck_assert_uint_eq(job.packed_size, 100);
    ck_assert_uint_eq(job.out_size, 777);
    assert_refused(4, "cut short");
}
END_TEST

START_TEST(test_kernel_image_open_of_other_files_is_refused)
{
    memset(file, 0, sizeof(file));
    assert_refused(FILE_SIZE, "neither");
    assert_refused(0, "neither");
    memcpy(file,
           "\xfd"
           "7zXZ\0",
           6);
    assert_refused(FILE_SIZE, "doesn't say how large");
}
END_TEST

static TCase *make_image_case(void)
{
    TCase *tc = tcase_create("image");

    tcase_add_loop_test(tc, test_kernel_image_open_of_bzimage_finds_the_payload,
                        0, ARRAY_LEN(payloads));
    tcase_add_test(tc, test_kernel_image_open_of_truncated_bzimage_is_refused);
    tcase_add_loop_test(
        tc, test_kernel_image_open_of_bzimage_with_bad_field_is_refused, 0,
        ARRAY_LEN(bad_fields));
    tcase_add_test(tc, test_kernel_image_open_without_setup_sectors_means_four);
    tcase_add_test(tc, test_kernel_image_open_of_plain_elf_is_in_place);
    tcase_add_test(tc, test_kernel_image_open_of_gzipped_file_knows_its_size);
    tcase_add_test(tc, test_kernel_image_open_of_other_files_is_refused);
    return tc;
}

int main(void)
{
    Suite *suite = suite_create("kernel_image");
    SRunner *runner = srunner_create(suite);
    int failed;

    suite_add_tcase(suite, make_image_case());
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
