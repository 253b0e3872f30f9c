/* SPDX-License-Identifier: MIT */
/* Where the pieces of a new guest lie. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "core/guest_layout.h"
#include "hypercall_abi/vcpu.h"

#define LINUX_BASE 0xffffffff80000000ull
#define MIB (1ull << 20)
#define PAGES_OF(bytes) ((bytes) >> PAGE_SHIFT)

static struct kernel kernel;
static struct guest_layout l;
static const char *why;

static void setup(void)
{
    kernel = (struct kernel){
        .virt_base = LINUX_BASE,
        .start = 16 * MIB,
        .end = 64 * MIB + 123,
    };
}

static bool plan(size_t initrd, uint64_t pages)
{
    why = guest_layout_plan(&l, &kernel, initrd, pages);
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

/* What holds of every plan. */
static void check_plan(uint64_t pages)
{
    uint64_t base = kernel.virt_base;
    uint64_t needed = 1 + tables_by_hand(base, guest_layout_va(&l, l.mapped));
    uint64_t stack = l.tables + l.table_count;
    struct vcpu_guest_context context;

    ck_assert_uint_ge(l.start_info << PAGE_SHIFT, kernel.end);
    ck_assert_uint_eq(l.tables, l.start_info + 1);
    ck_assert_uint_ge(l.table_count, needed);
    ck_assert_uint_le(l.table_count, needed + 1);
    guest_layout_start(&l, &context);
    ck_assert_uint_eq(context.user_regs.rsp, base + (stack + 1) * PAGE_SIZE);
    ck_assert_uint_eq(l.mapped % PAGES_OF(4 * MIB), 0);
    ck_assert_uint_ge(l.mapped - (stack + 1), PAGES_OF(512 << 10));
    ck_assert_uint_le(l.mapped - (stack + 1), PAGES_OF(512 << 10) + 1023);
    ck_assert_uint_le(l.mapped, l.used);
    ck_assert_uint_le(l.used, pages);
}

START_TEST(test_layout_of_a_plain_kernel_is_one_mapping)
{
    ck_assert(plan(10 * MIB + 5, PAGES_OF(256 * MIB)));
    check_plan(PAGES_OF(256 * MIB));
    ck_assert_uint_eq(l.initrd, PAGES_OF(64 * MIB) + 1);
    ck_assert_uint_eq(l.p2m_first, l.initrd + PAGES_OF(10 * MIB) + 1);
    ck_assert_uint_eq(l.p2m, LINUX_BASE + (l.p2m_first << PAGE_SHIFT));
    ck_assert_uint_eq(l.start_info, l.p2m_first + PAGES_OF(65536 * 8));
    ck_assert_uint_eq(l.p2m_table_count, 0);
    ck_assert_uint_eq(l.used, l.mapped);
}
END_TEST

START_TEST(test_layout_of_linux_keeps_initrd_and_p2m_apart)
{
    uint64_t pages = PAGES_OF(256 * MIB);

    kernel.mod_start_is_pfn = 1;
    kernel.init_p2m = 0x8000000000;
    ck_assert(plan(10 * MIB + 5, pages));
    check_plan(pages);
    ck_assert_uint_eq(l.start_info, PAGES_OF(64 * MIB) + 1);
    ck_assert_uint_eq(l.initrd, l.mapped);
    ck_assert_uint_eq(l.p2m, 0x8000000000);
    ck_assert_uint_eq(l.p2m_tables, l.initrd + PAGES_OF(10 * MIB) + 1);
    ck_assert_uint_eq(l.p2m_table_count,
                      tables_by_hand(0x8000000000, 0x8000000000 + pages * 8));
    ck_assert_uint_eq(l.p2m_first, l.p2m_tables + l.p2m_table_count);
    ck_assert_uint_eq(l.used, l.p2m_first + pages * 8 / PAGE_SIZE);
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
    kernel = (struct kernel){.end = 3 * MIB};
    ck_assert(plan(0, PAGES_OF(64 * MIB)));
    check_plan(PAGES_OF(64 * MIB));
}
END_TEST

START_TEST(test_layout_needs_exactly_what_it_uses)
{
    uint64_t used;

    kernel.mod_start_is_pfn = 1;
    ck_assert(plan(5 * MIB, PAGES_OF(256 * MIB)));
    used = l.used;
    /* the list of pages gets smaller with them */
    while (plan(5 * MIB, used - 1))
        used = l.used < used ? l.used : used - 1;
    ck_assert(plan(5 * MIB, used));
    ck_assert_uint_eq(l.used, used);
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
    kernel.mod_start_is_pfn = 1;
    ck_assert(plan(3072 * MIB, pages));
    check_plan(pages);
    kernel.virt_base = (1ull << 47) - 80 * MIB;
    kernel.end = 64 * MIB;
    refused(0, pages);
    setup();
    kernel.init_p2m = (1ull << 47) - PAGE_SIZE;
    refused(0, pages);
    kernel.init_p2m = 0ull - 2 * PAGE_SIZE;
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
