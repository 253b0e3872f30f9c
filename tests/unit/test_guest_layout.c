/* SPDX-License-Identifier: MIT */
/* Where the pieces of a new guest lie. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "core/guest_layout.h"

#define LINUX_BASE 0xffffffff80000000ull
#define MIB (1ull << 20)
#define PAGES_OF(bytes) ((bytes) >> PAGE_SHIFT)

static struct kernel_layout kernel;
static struct elf_notes notes;
static struct guest_layout l;
static const char *why;

static void setup(void)
{
    kernel = (struct kernel_layout){
        .virt_base = LINUX_BASE,
        .virt_start = LINUX_BASE + 16 * MIB,
        .virt_end = LINUX_BASE + 64 * MIB + 123,
        .is_high_half = true,
    };
    notes = (struct elf_notes){.virt_base = LINUX_BASE};
}

static bool plan(size_t initrd, uint64_t pages)
{
    why = guest_layout_plan(&l, &kernel, &notes, initrd, pages);
    return !why;
}

/* Tables for [start, end), counted one address at a time. */
static uint64_t tables_by_hand(uint64_t start, uint64_t end)
{
    uint64_t count = 0;

    for (unsigned shift = 21; shift <= 39; shift += 9) {
        uint64_t last = ~0ull;

        for (uint64_t va = start; va < end; va += PAGE_SIZE) {
            count += va >> shift != last;
            last = va >> shift;
        }
    }
    return count;
}

START_TEST(test_layout_table_count_is_what_counting_gives)
{
    static const uint64_t ranges[][2] = {
        {0, 1},
        {0, 2 * MIB},
        {0, 2 * MIB + 1},
        {2 * MIB - PAGE_SIZE, 2 * MIB + PAGE_SIZE},
        {1024 * MIB - PAGE_SIZE, 1024 * MIB + PAGE_SIZE},
        {(1ull << 39) - PAGE_SIZE, (1ull << 39) + PAGE_SIZE},
        {LINUX_BASE, LINUX_BASE + 100 * MIB},
        {0xffff888000000000, 0xffff888000000000 + 1500 * MIB},
    };

    for (unsigned i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
        ck_assert_uint_eq(guest_table_count(ranges[i][0], ranges[i][1]),
                          tables_by_hand(ranges[i][0], ranges[i][1]));
}
END_TEST

static bool is_aligned(uint64_t va)
{
    return va % PAGE_SIZE == 0;
}

/* What holds of every plan. */
static void check_plan(uint64_t pages)
{
    uint64_t needed = 1 + guest_table_count(l.virt_base, l.mapped_end);

    ck_assert(is_aligned(l.start_info) && is_aligned(l.page_tables));
    ck_assert(is_aligned(l.stack_top));
    ck_assert_uint_ge(l.start_info, kernel.virt_end);
    ck_assert_uint_eq(l.page_tables, l.start_info + PAGE_SIZE);
    ck_assert_uint_ge(l.page_table_count, needed);
    ck_assert_uint_le(l.page_table_count, needed + 1);
    ck_assert_uint_eq(l.stack_top,
                      l.page_tables + (l.page_table_count + 1) * PAGE_SIZE);
    ck_assert_uint_eq((l.mapped_end - l.virt_base) % (4 * MIB), 0);
    ck_assert_uint_ge(l.mapped_end - l.stack_top, 512 << 10);
    ck_assert_uint_eq(l.mapped_pages, PAGES_OF(l.mapped_end - l.virt_base));
    ck_assert_uint_le(l.mapped_pages, l.used_pages);
    ck_assert_uint_le(l.used_pages, pages);
}

START_TEST(test_layout_of_a_plain_kernel_is_one_mapping)
{
    ck_assert(plan(10 * MIB + 5, PAGES_OF(256 * MIB)));
    check_plan(PAGES_OF(256 * MIB));
    ck_assert_uint_eq(l.initrd, LINUX_BASE + 64 * MIB + PAGE_SIZE);
    ck_assert_uint_eq(l.initrd_pfn, PAGES_OF(l.initrd - l.virt_base));
    ck_assert_uint_eq(l.p2m, l.initrd + 10 * MIB + PAGE_SIZE);
    ck_assert_uint_eq(l.p2m_pfn, PAGES_OF(l.p2m - l.virt_base));
    ck_assert_uint_eq(l.start_info, l.p2m + 65536 * 8);
    ck_assert_uint_eq(l.p2m_table_count, 0);
    ck_assert_uint_eq(l.used_pages, l.mapped_pages);
}
END_TEST

START_TEST(test_layout_of_linux_keeps_initrd_and_p2m_apart)
{
    uint64_t pages = PAGES_OF(256 * MIB);

    notes.mod_start_is_pfn = notes.has_init_p2m = true;
    notes.init_p2m = 0x8000000000;
    ck_assert(plan(10 * MIB + 5, pages));
    check_plan(pages);
    ck_assert_uint_eq(l.initrd, 0);
    ck_assert_uint_eq(l.start_info, LINUX_BASE + 64 * MIB + PAGE_SIZE);
    ck_assert_uint_eq(l.initrd_pfn, l.mapped_pages);
    ck_assert_uint_eq(l.p2m_table_pfn, l.initrd_pfn + PAGES_OF(10 * MIB) + 1);
    ck_assert_uint_eq(
        l.p2m_table_count,
        guest_table_count(0x8000000000, 0x8000000000 + pages * 8));
    ck_assert_uint_eq(l.p2m_pfn, l.p2m_table_pfn + l.p2m_table_count);
    ck_assert_uint_eq(l.used_pages, l.p2m_pfn + pages * 8 / PAGE_SIZE);
}
END_TEST

START_TEST(test_layout_holds_for_many_sizes)
{
    for (uint64_t size = 0; size < 300 * MIB; size += 3 * MIB + 4321) {
        uint64_t pages = PAGES_OF(512 * MIB + size);

        ck_assert(plan(size, pages));
        check_plan(pages);
    }
}
END_TEST

START_TEST(test_layout_of_a_low_kernel)
{
    kernel = (struct kernel_layout){.virt_end = 3 * MIB, .virt_start = 0};
    notes.virt_base = 0;
    ck_assert(plan(0, PAGES_OF(64 * MIB)));
    check_plan(PAGES_OF(64 * MIB));
}
END_TEST

START_TEST(test_layout_needs_exactly_what_it_uses)
{
    uint64_t used;

    notes.mod_start_is_pfn = true;
    ck_assert(plan(5 * MIB, PAGES_OF(256 * MIB)));
    used = l.used_pages;
    /* the list of pages gets smaller with them */
    while (plan(5 * MIB, used - 1))
        used = l.used_pages < used ? l.used_pages : used - 1;
    ck_assert(plan(5 * MIB, used));
    ck_assert_uint_eq(l.used_pages, used);
    ck_assert(!plan(5 * MIB, used - 1));
}
END_TEST

static void refused(size_t initrd, uint64_t pages)
{
    ck_assert(!plan(initrd, pages));
    ck_assert_ptr_nonnull(strstr(why, "do not fit"));
}

START_TEST(test_layout_refuses_what_does_not_fit)
{
    refused(0, 0);
    refused(0, 1);
    refused(0, PAGES_OF(64 * MIB));
    refused(300 * MIB, PAGES_OF(256 * MIB));
    refused(256 * MIB, PAGES_OF(256 * MIB));
    refused(200 * MIB, PAGES_OF(256 * MIB));
}
END_TEST

START_TEST(test_layout_refuses_sizes_that_overflow)
{
    refused(SIZE_MAX, PAGES_OF(256 * MIB));
    refused(SIZE_MAX - PAGE_SIZE, PAGES_OF(256 * MIB));
    refused(SIZE_MAX - PAGE_SIZE + 2, PAGES_OF(256 * MIB));
    refused(0, ~0ull);
    refused(0, 1ull << 61);
    refused(0, (1ull << 61) + PAGES_OF(256 * MIB));
}
END_TEST

START_TEST(test_layout_refuses_to_leave_its_half)
{
    uint64_t pages = PAGES_OF(8192 * MIB);

    refused(3072 * MIB, pages); /* Linux's base leaves 2 GiB */
    ck_assert(plan(1024 * MIB, pages));
    check_plan(pages);
    notes.mod_start_is_pfn = true;
    ck_assert(plan(3072 * MIB, pages));
    check_plan(pages);
    kernel.virt_base = (1ull << 47) - 80 * MIB;
    kernel.virt_end = (1ull << 47) - 16 * MIB;
    refused(0, pages);
    setup();
    notes.has_init_p2m = true;
    notes.init_p2m = (1ull << 47) - PAGE_SIZE;
    refused(0, pages);
    notes.init_p2m = 0ull - 2 * PAGE_SIZE;
    refused(0, pages);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("guest_layout");
    TCase *t = tcase_create("guest_layout");
    SRunner *r = srunner_create(s);
    int failed;

    tcase_add_checked_fixture(t, setup, NULL);
    tcase_add_test(t, test_layout_table_count_is_what_counting_gives);
    tcase_add_test(t, test_layout_of_a_plain_kernel_is_one_mapping);
    tcase_add_test(t, test_layout_of_linux_keeps_initrd_and_p2m_apart);
    tcase_add_test(t, test_layout_holds_for_many_sizes);
    tcase_add_test(t, test_layout_of_a_low_kernel);
    tcase_add_test(t, test_layout_needs_exactly_what_it_uses);
    tcase_add_test(t, test_layout_refuses_what_does_not_fit);
    tcase_add_test(t, test_layout_refuses_sizes_that_overflow);
    tcase_add_test(t, test_layout_refuses_to_leave_its_half);
    suite_add_tcase(s, t);
    srunner_run_all(r, CK_ENV);
    failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
