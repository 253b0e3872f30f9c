/* SPDX-License-Identifier: MIT */
/* Containers of kernels, and where a kernel may lie. */
#include <check.h>
#include <stdlib.h>

#include "core/kernel_image.h"

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

static bool open_file(struct kernel_image *kernel, size_t size)
{
    uint8_t *exact = malloc(size ? size : 1);

    memcpy(exact, file, size);
    why = kernel_image_open(kernel, exact, size);
    if (!why)
        kernel->payload = file + (kernel->payload - exact);
    free(exact);
    return !why;
}

static void assert_refused(size_t size, const char *words)
{
    struct kernel_image kernel;

    ck_assert(!open_file(&kernel, size));
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
    struct kernel_image kernel;

    make_bzimage(payloads[_i].magic, payloads[_i].magic_size, 1000);
    ck_assert(open_file(&kernel, FILE_SIZE));
    ck_assert_uint_eq(kernel.method, payloads[_i].method);
    ck_assert_ptr_eq(kernel.payload, file + PAYLOAD);
    ck_assert_uint_eq(kernel.payload_size, payloads[_i].payload_size);
    ck_assert_uint_eq(kernel.unpacked_size, payloads[_i].unpacked_size);
}
END_TEST

START_TEST(test_kernel_image_open_of_truncated_bzimage_is_refused)
{
    struct kernel_image kernel;
    size_t size;

    make_bzimage(MAGIC("\xfd"
                       "7zXZ\0"),
                 1000);
    for (size = 0; size < PAYLOAD + 1000; size++)
        ck_assert(!open_file(&kernel, size));
    ck_assert(open_file(&kernel, size));
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
    {0x24c, 3, "unknown method"},     {PAYLOAD + 996, 0, "claims to be empty"},
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
    struct kernel_image kernel;

    make_bzimage("", 0, 1000);
    file[0x1f1] = 0;
    memcpy(file + PAYLOAD + 512, "\x28\xb5\x2f\xfd", 4);
    ck_assert(!open_file(&kernel, FILE_SIZE));
    put32(PAYLOAD + 512 + 996, 1);
    ck_assert(open_file(&kernel, FILE_SIZE));
    ck_assert_ptr_eq(kernel.payload, file + PAYLOAD + 512);
}
END_TEST

START_TEST(test_kernel_image_open_of_plain_elf_is_in_place)
{
    struct kernel_image kernel;

    memset(file, 0, sizeof(file));
    memcpy(file, "\177ELF", 4);
    ck_assert(open_file(&kernel, FILE_SIZE));
    ck_assert_uint_eq(kernel.method, UNPACK_NONE);
    ck_assert_uint_eq(kernel.unpacked_size, FILE_SIZE);
}
END_TEST

START_TEST(test_kernel_image_open_of_gzipped_file_knows_its_size)
{
    struct kernel_image kernel;

    memset(file, 0, sizeof(file));
    memcpy(file, "\x1f\x8b", 2);
    put32(96, 777);
    ck_assert(open_file(&kernel, 100));
    ck_assert_uint_eq(kernel.method, UNPACK_GZIP);
    ck_assert_uint_eq(kernel.payload_size, 100);
    ck_assert_uint_eq(kernel.unpacked_size, 777);
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

static struct elf_image make_elf(void)
{
    return (struct elf_image){.load_start = 0x1000000, .load_end = 0x4a00000};
}

static struct elf_notes make_notes(void)
{
    return (struct elf_notes){.entry = 0xffffffff83079000,
                              .virt_base = 0xffffffff80000000,
                              .init_p2m = 0x8000000000,
                              .has_init_p2m = true};
}

static void assert_misplaced(const struct elf_image *elf,
                             const struct elf_notes *notes, const char *words)
{
    struct kernel_layout layout;

    why = kernel_layout(&layout, elf, notes);
    ck_assert_msg(why && strstr(why, words), "\"%s\" lacks \"%s\"", why, words);
}

START_TEST(test_kernel_layout_of_linux_is_high)
{
    struct elf_image elf = make_elf();
    struct elf_notes notes = make_notes();
    struct kernel_layout layout;

    ck_assert_ptr_null(kernel_layout(&layout, &elf, &notes));
    ck_assert_uint_eq(layout.virt_start, 0xffffffff81000000);
    ck_assert_uint_eq(layout.virt_end, 0xffffffff84a00000);
    ck_assert(layout.is_high_half);
}
END_TEST

START_TEST(test_kernel_layout_of_grub_is_low)
{
    struct elf_image elf = {.load_start = 0, .load_end = 0x466af8};
    struct elf_notes notes = {.entry = 0};
    struct kernel_layout layout;

    ck_assert_ptr_null(kernel_layout(&layout, &elf, &notes));
    ck_assert_uint_eq(layout.virt_start, 0);
    ck_assert_uint_eq(layout.virt_end, 0x466af8);
    ck_assert(!layout.is_high_half);
}
END_TEST

START_TEST(test_kernel_layout_with_physical_equal_virtual_subtracts_offset)
{
    struct elf_image elf = {.load_start = 0xffffffff80200123,
                            .load_end = 0xffffffff80300000};
    struct elf_notes notes = {.entry = 0xffffffff80200200,
                              .virt_base = 0xffffffff80000000,
                              .paddr_offset = 0xffffffff80000000};
    struct kernel_layout layout;

    ck_assert_ptr_null(kernel_layout(&layout, &elf, &notes));
    ck_assert_uint_eq(layout.virt_start, 0xffffffff80200000);
    ck_assert_uint_eq(layout.virt_end, 0xffffffff80300000);
}
END_TEST

START_TEST(test_kernel_layout_outside_the_guests_range_is_refused)
{
    struct elf_image elf = make_elf();
    struct elf_notes notes = make_notes();

    notes.virt_base = 0x7fffc0000000;
    notes.entry = notes.virt_base + 0x1000000;
    elf.load_end = 0x40000000;
    ck_assert_ptr_null(kernel_layout(&(struct kernel_layout){0}, &elf, &notes));
    notes.virt_base += PAGE_SIZE;
    assert_misplaced(&elf, &notes, "can't use");
    notes.virt_base = 0xffff800000000000;
    assert_misplaced(&elf, &notes, "can't use");
    notes.virt_base = 0xffff87ffc0000000;
    assert_misplaced(&elf, &notes, "can't use");
    notes.virt_base = 0xffff880000000000;
    notes.entry = notes.virt_base + 0x1000000;
    ck_assert_ptr_null(kernel_layout(&(struct kernel_layout){0}, &elf, &notes));
}
END_TEST

START_TEST(test_kernel_layout_that_wraps_is_refused)
{
    struct elf_image elf = make_elf();
    struct elf_notes notes = make_notes();

    elf.load_end = UINT64_MAX;
    assert_misplaced(&elf, &notes, "end of the address space");
    elf.load_start = UINT64_MAX - 1;
    assert_misplaced(&elf, &notes, "end of the address space");
    elf = make_elf();
    notes.paddr_offset = elf.load_start + 1;
    assert_misplaced(&elf, &notes, "PADDR_OFFSET");
}
END_TEST

START_TEST(test_kernel_layout_with_bad_addresses_is_refused)
{
    struct elf_image elf = make_elf();
    struct elf_notes notes = make_notes();

    elf.load_end = 0x40000001;
    assert_misplaced(&elf, &notes, "more than 1 GiB");
    elf = make_elf();
    notes.entry = 0xffffffff80ffffff;
    assert_misplaced(&elf, &notes, "entry point");
    notes.entry = 0xffffffff84a00000;
    assert_misplaced(&elf, &notes, "entry point");
    notes = make_notes();
    notes.virt_base++;
    assert_misplaced(&elf, &notes, "page aligned");
    notes = make_notes();
    notes.has_hypercall_page = true;
    notes.hypercall_page = 0xffffffff84a00000;
    assert_misplaced(&elf, &notes, "hypercall page");
    notes.hypercall_page = 0xffffffff81000800;
    assert_misplaced(&elf, &notes, "hypercall page");
}
END_TEST

START_TEST(test_kernel_layout_with_bad_p2m_is_refused)
{
    static const struct {
        uint64_t address;
        const char *words;
    } bad[] = {
        {0x8000000001, "a guest can use"},
        {0x800000000000, "a guest can use"},
        {0xffff800000000000, "a guest can use"},
        {0xffff87fffffff000, "a guest can use"},
        {0xffffffff80000000, "kernel's own mapping"},
        {0xffffffffbffff000, "kernel's own mapping"},
    };
    struct elf_image elf = make_elf();
    struct elf_notes notes = make_notes();
    size_t i;

    for (i = 0; i < ARRAY_LEN(bad); i++) {
        notes.init_p2m = bad[i].address;
        assert_misplaced(&elf, &notes, bad[i].words);
    }
    notes.init_p2m = 0xffffffffc0000000;
    ck_assert_ptr_null(kernel_layout(&(struct kernel_layout){0}, &elf, &notes));
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

static TCase *make_layout_case(void)
{
    TCase *tc = tcase_create("layout");

    tcase_add_test(tc, test_kernel_layout_of_linux_is_high);
    tcase_add_test(tc, test_kernel_layout_of_grub_is_low);
    tcase_add_test(
        tc, test_kernel_layout_with_physical_equal_virtual_subtracts_offset);
    tcase_add_test(tc, test_kernel_layout_outside_the_guests_range_is_refused);
    tcase_add_test(tc, test_kernel_layout_that_wraps_is_refused);
    tcase_add_test(tc, test_kernel_layout_with_bad_addresses_is_refused);
    tcase_add_test(tc, test_kernel_layout_with_bad_p2m_is_refused);
    return tc;
}

int main(void)
{
    Suite *suite = suite_create("kernel_image");
    SRunner *runner = srunner_create(suite);
    int failed;

    suite_add_tcase(suite, make_image_case());
    suite_add_tcase(suite, make_layout_case());
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
