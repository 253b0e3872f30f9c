/* SPDX-License-Identifier: MIT */
/* The parser of the loader's information, and maps of memory. */
#include <check.h>
#include <stdlib.h>

#include "x86/multiboot2.h"

#define BLOCK_MAX 32768u

/* A block under construction; an exact copy of it is what gets parsed. */
static uint8_t block[BLOCK_MAX];
static size_t block_size;
static uint8_t *copy;
static struct boot_info info;

static void setup(void)
{
    memset(block, 0, sizeof(block));
    block_size = MULTIBOOT2_HEAD;
    copy = NULL;
}

static void teardown(void)
{
    free(copy);
}

static void put32(size_t at, uint32_t value)
{
    memcpy(block + at, &value, sizeof(value));
}

static void put64(size_t at, uint64_t value)
{
    memcpy(block + at, &value, sizeof(value));
}

/* Starts a tag with `size` bytes behind its head; where those are. */
static size_t add_tag(uint32_t type, uint32_t size)
{
    size_t at = block_size;

    put32(at, type);
    put32(at + 4, size + 8);
    block_size = align_up(at + 8 + size, 8);
    return at + 8;
}

static void add_text(uint32_t type, const char *text)
{
    memcpy(block + add_tag(type, (uint32_t)strlen(text) + 1), text,
           strlen(text));
}

struct bios_range {
    uint64_t start, size;
    uint32_t type;
};

static void add_map(const struct bios_range *ranges, unsigned count)
{
    size_t at = add_tag(6, 8 + 24 * count);

    put32(at, 24);
    for (unsigned i = 0; i < count; i++) {
        put64(at + 8 + 24 * i, ranges[i].start);
        put64(at + 16 + 24 * i, ranges[i].size);
        put32(at + 24 + 24 * i, ranges[i].type);
    }
}

static void add_some_map(void)
{
    const struct bios_range ranges[] = {{0, 0x9fc00, 1},
                                        {0x100000, 1 << 28, 1}};

    add_map(ranges, 2);
}

static const char *parse_raw(void)
{
    put32(0, (uint32_t)block_size);
    free(copy);
    copy = malloc(block_size);
    memcpy(copy, block, block_size);
    return multiboot2_parse(copy, block_size, &info);
}

static const char *parse(void)
{
    add_tag(0, 0);
    return parse_raw();
}

static void expect_error(const char *error, const char *word)
{
    ck_assert_ptr_nonnull(error);
    ck_assert_ptr_nonnull(strstr(error, word));
}

static void expect_range(unsigned i, uint64_t start, uint64_t end,
                         unsigned type)
{
    ck_assert_uint_lt(i, info.map.count);
    ck_assert_uint_eq(info.map.ranges[i].start, start);
    ck_assert_uint_eq(info.map.ranges[i].end, end);
    ck_assert_uint_eq(info.map.ranges[i].type, type);
}

START_TEST(test_multiboot2_plain_block_is_understood)
{
    size_t module;

    add_text(1, "console=com1 dom0_mem=1G");
    module = add_tag(3, 8 + 6);
    put32(module, 0x200000);
    put32(module + 4, 0x200123);
    memcpy(block + module + 8, "root=", 6);
    add_some_map();
    ck_assert_ptr_null(parse());
    ck_assert_str_eq(info.command_line, "console=com1 dom0_mem=1G");
    ck_assert_uint_eq(info.module_count, 1);
    ck_assert_uint_eq(info.modules[0].start, 0x200000);
    ck_assert_uint_eq(info.modules[0].end, 0x200123);
    ck_assert_str_eq(info.kernel_command_line, "root=");
    ck_assert_uint_eq(info.map.count, 2);
    expect_range(0, 0, 0x9fc00, MEMORY_RAM);
}
END_TEST

START_TEST(test_multiboot2_absent_strings_are_empty)
{
    add_some_map();
    ck_assert_ptr_null(parse());
    ck_assert_str_eq(info.command_line, "");
    ck_assert_uint_eq(info.rsdp.size, 0);
    ck_assert_uint_eq(info.efi_system_table, 0);
}
END_TEST

START_TEST(test_multiboot2_unterminated_string_is_empty)
{
    memset(block + add_tag(1, 16), 'x', 16);
    add_some_map();
    ck_assert_ptr_null(parse());
    ck_assert_str_eq(info.command_line, "");
}
END_TEST

START_TEST(test_multiboot2_module_that_ends_before_it_starts_is_empty)
{
    size_t module = add_tag(3, 8);

    put32(module, 0x200000);
    put32(module + 4, 0x1fffff);
    add_some_map();
    ck_assert_ptr_null(parse());
    ck_assert_uint_eq(info.module_count, 1);
    ck_assert_uint_eq(info.modules[0].start, info.modules[0].end);
}
END_TEST

START_TEST(test_multiboot2_modules_without_a_use_are_left_alone)
{
    for (unsigned i = 0; i <= BOOT_MODULES; i++)
        put32(add_tag(3, 8), 0x1000 * i);
    add_some_map();
    ck_assert_ptr_null(parse());
    ck_assert_uint_eq(info.module_count, BOOT_MODULES);
    ck_assert_uint_eq(info.modules[BOOT_INITRD].start, 0x1000);
}
END_TEST

START_TEST(test_multiboot2_size_beyond_the_readable_bytes_is_refused)
{
    add_some_map();
    ck_assert_ptr_null(parse());
    expect_error(multiboot2_parse(copy, block_size - 1, &info), "damaged");
    expect_error(multiboot2_parse(copy, 7, &info), "damaged");
}
END_TEST

START_TEST(test_multiboot2_tag_beyond_the_end_is_refused)
{
    size_t at = add_tag(1, 8);

    put32(at - 4, 0x1000);
    expect_error(parse_raw(), "damaged");
    put32(at - 4, UINT32_MAX);
    expect_error(parse_raw(), "damaged");
    put32(at - 4, 7);
    expect_error(parse_raw(), "damaged");
    put32(at - 4, 0);
    expect_error(parse_raw(), "damaged");
}
END_TEST

START_TEST(test_multiboot2_missing_end_tag_is_tolerated)
{
    add_some_map();
    ck_assert_ptr_null(parse_raw());
}
END_TEST

START_TEST(test_multiboot2_no_memory_map_is_refused)
{
    add_text(1, "x");
    expect_error(parse(), "no map");
}
END_TEST

START_TEST(test_multiboot2_entry_size_of_zero_is_ignored)
{
    const struct bios_range range = {0, 0x1000, 1};
    size_t at = block_size + 8;

    add_map(&range, 1);
    put32(at, 0);
    expect_error(parse(), "no map");
}
END_TEST

START_TEST(test_multiboot2_unsorted_overlapping_map_is_normalised)
{
    const struct bios_range ranges[] = {
        {0x100000, 0x700000, 1}, {0, 0xa0000, 1},       {0x200000, 0x1000, 2},
        {0x201000, 0x1000, 3},   {0x800000, 0x1000, 1}, {0x9f000, 0x2000, 77},
    };

    add_map(ranges, ARRAY_LEN(ranges));
    ck_assert_ptr_null(parse());
    ck_assert_uint_eq(info.map.count, 6);
    expect_range(0, 0, 0x9f000, MEMORY_RAM);
    expect_range(1, 0x9f000, 0xa1000, MEMORY_RESERVED);
    expect_range(2, 0x100000, 0x200000, MEMORY_RAM);
    expect_range(3, 0x200000, 0x201000, MEMORY_RESERVED);
    expect_range(4, 0x201000, 0x202000, MEMORY_ACPI_TABLES);
    expect_range(5, 0x202000, 0x801000, MEMORY_RAM);
}
END_TEST

START_TEST(test_multiboot2_range_that_wraps_is_dropped)
{
    const struct bios_range ranges[] = {{~0xfffull, 0x2000, 1},
                                        {0x1000, 0x1000, 1}};

    add_map(ranges, 2);
    ck_assert_ptr_null(parse());
    ck_assert_uint_eq(info.map.count, 1);
}
END_TEST

START_TEST(test_multiboot2_map_of_too_many_parts_is_refused)
{
    for (unsigned i = 0; i <= MEMORY_MAP_RANGES; i++) {
        const struct bios_range range = {i * 0x2000ull, 0x1000, 1};

        add_map(&range, 1);
    }
    expect_error(parse(), "too many parts");
}
END_TEST

START_TEST(test_multiboot2_newer_root_pointer_is_preferred)
{
    size_t first = add_tag(15, 36);

    add_tag(14, 20);
    add_some_map();
    ck_assert_ptr_null(parse());
    ck_assert_ptr_eq(info.rsdp.at, copy + first);
    ck_assert_uint_eq(info.rsdp.size, 36);
}
END_TEST

START_TEST(test_multiboot2_framebuffer_is_described)
{
    const struct dom0_vga_vesa_lfb *screen = &info.screen.u.vesa_lfb;
    size_t at = add_tag(8, 30);

    put64(at, 0x180000000ull);
    put32(at + 8, 4096);
    put32(at + 12, 1024);
    put32(at + 16, 768);
    memcpy(block + at + 20, "\x20\x01\0\0\x10\x08\x08\x08\0\x08", 10);
    add_some_map();
    ck_assert_ptr_null(parse_raw());
    ck_assert_uint_eq(info.screen.video_type, XEN_VGATYPE_VESA_LFB);
    ck_assert_uint_eq(screen->lfb_base, 0x80000000u);
    ck_assert_uint_eq(screen->ext_lfb_base, 1);
    ck_assert_uint_eq(screen->lfb_size, 48);
    ck_assert_uint_eq(screen->width, 1024);
    ck_assert_uint_eq(screen->bits_per_pixel, 32);
    ck_assert_uint_eq(screen->red_pos, 16);
    ck_assert_uint_eq(screen->blue_size, 8);
    put64(add_tag(12, 8), 0x1000);
    ck_assert_ptr_null(parse());
    ck_assert_uint_eq(info.screen.video_type, XEN_VGATYPE_EFI_LFB);
    ck_assert_uint_eq(info.efi_system_table, 0x1000);
}
END_TEST

START_TEST(test_multiboot2_short_tags_mean_nothing)
{
    static const uint32_t types[] = {1, 3, 6, 7, 8, 12, 14, 15};

    for (unsigned i = 0; i < ARRAY_LEN(types); i++)
        add_tag(types[i], 0);
    add_some_map();
    ck_assert_ptr_null(parse());
    ck_assert_uint_eq(info.modules[0].start, info.modules[0].end);
    ck_assert_uint_eq(info.screen.video_type, XEN_VGATYPE_TEXT_MODE_3);
    ck_assert_uint_eq(info.efi_system_table, 0);
    ck_assert_uint_eq(info.rsdp.size, 0);
}
END_TEST

/* --- maps of memory ------------------------------------------------------ */

#define PLACES 64u

static unsigned severity(unsigned type)
{
    static const unsigned by_type[] = {[MEMORY_RAM] = 1,
                                       [MEMORY_ACPI_TABLES] = 2,
                                       [MEMORY_ACPI_NVS] = 3,
                                       [MEMORY_RESERVED] = 4,
                                       [MEMORY_BAD] = 5};

    return by_type[type];
}

static void expect_normal(const struct memory_map *m)
{
    for (unsigned i = 0; i < m->count; i++) {
        ck_assert_uint_lt(m->ranges[i].start, m->ranges[i].end);
        if (!i)
            continue;
        ck_assert_uint_le(m->ranges[i - 1].end, m->ranges[i].start);
        ck_assert(m->ranges[i - 1].end < m->ranges[i].start ||
                  m->ranges[i - 1].type != m->ranges[i].type);
    }
}

static void expect_types(const struct memory_map *m, const unsigned *want)
{
    for (unsigned place = 0; place < PLACES; place++) {
        unsigned got = 0;

        for (unsigned i = 0; i < m->count; i++)
            if (place >= m->ranges[i].start && place < m->ranges[i].end)
                got = m->ranges[i].type;
        ck_assert_uint_eq(got, want[place]);
    }
}

/* Against a model that paints one place after the other. */
START_TEST(test_memory_map_is_what_a_simple_model_says)
{
    static struct memory_map m;

    srand(1);
    for (unsigned round = 0; round < 2000; round++) {
        unsigned want[PLACES] = {0};

        m.count = 0;
        for (unsigned n = 0; n < 12; n++) {
            unsigned start = (unsigned)rand() % PLACES;
            unsigned size = (unsigned)rand() % (PLACES - start + 1);
            unsigned type = 1 + (unsigned)rand() % 5;

            ck_assert_int_eq(memory_map_add(&m, start, size, type), 0);
            for (unsigned i = start; i < start + size; i++)
                if (!want[i] || severity(type) > severity(want[i]))
                    want[i] = type;
        }
        expect_normal(&m);
        expect_types(&m, want);
    }
}
END_TEST

START_TEST(test_memory_map_full_stays_as_it_was)
{
    static struct memory_map m;

    m.count = 0;
    for (unsigned i = 0; i < MEMORY_MAP_RANGES; i++)
        ck_assert_int_eq(memory_map_add(&m, i * 2ull, 1, MEMORY_RAM), 0);
    ck_assert_int_eq(memory_map_add(&m, 5000, 1, MEMORY_RAM), -ENOSPC);
    ck_assert_uint_eq(m.count, MEMORY_MAP_RANGES);
    expect_normal(&m);
    ck_assert_int_eq(memory_map_add(&m, 1, 1, MEMORY_RAM), 0);
    ck_assert_uint_eq(m.count, MEMORY_MAP_RANGES - 1);
}
END_TEST

static void add_parser_tests(TCase *c)
{
    tcase_add_test(c, test_multiboot2_plain_block_is_understood);
    tcase_add_test(c, test_multiboot2_absent_strings_are_empty);
    tcase_add_test(c, test_multiboot2_unterminated_string_is_empty);
    tcase_add_test(c,
                   test_multiboot2_module_that_ends_before_it_starts_is_empty);
    tcase_add_test(c, test_multiboot2_modules_without_a_use_are_left_alone);
    tcase_add_test(c,
                   test_multiboot2_size_beyond_the_readable_bytes_is_refused);
    tcase_add_test(c, test_multiboot2_tag_beyond_the_end_is_refused);
    tcase_add_test(c, test_multiboot2_missing_end_tag_is_tolerated);
    tcase_add_test(c, test_multiboot2_no_memory_map_is_refused);
    tcase_add_test(c, test_multiboot2_entry_size_of_zero_is_ignored);
    tcase_add_test(c, test_multiboot2_unsorted_overlapping_map_is_normalised);
    tcase_add_test(c, test_multiboot2_range_that_wraps_is_dropped);
    tcase_add_test(c, test_multiboot2_map_of_too_many_parts_is_refused);
    tcase_add_test(c, test_multiboot2_newer_root_pointer_is_preferred);
    tcase_add_test(c, test_multiboot2_framebuffer_is_described);
    tcase_add_test(c, test_multiboot2_short_tags_mean_nothing);
}

int main(void)
{
    Suite *s = suite_create("multiboot2");
    TCase *parser = tcase_create("parser");
    TCase *map = tcase_create("memory map");
    SRunner *r;
    int failed;

    tcase_add_checked_fixture(parser, setup, teardown);
    add_parser_tests(parser);
    tcase_add_test(map, test_memory_map_is_what_a_simple_model_says);
    tcase_add_test(map, test_memory_map_full_stays_as_it_was);
    suite_add_tcase(s, parser);
    suite_add_tcase(s, map);
    r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
