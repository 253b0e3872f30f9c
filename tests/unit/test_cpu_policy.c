/* SPDX-License-Identifier: MIT */
/* Lists of CPUID leaves, as tools read and propose them. */
#include <check.h>
#include <stdlib.h>

#include "core/cpu_policy.h"
#include "host/arch_fake.h"
#include "host/guest_fake.h"
#include "host/machine_fake.h"

static struct xen_cpuid_leaf *leaves(void)
{
    return (struct xen_cpuid_leaf *)fake_guest_page;
}

static void setup(void)
{
    fake_boot(1);
    fake_run(fake_domain(0, 1)->vcpus[0]);
}

static int put(enum machine_cpuid_view view, uint32_t *count)
{
    return cpu_policy_put(view, (guest_va){FAKE_GUEST_VA}, count);
}

static const struct xen_cpuid_leaf *find(uint32_t count, uint32_t leaf,
                                         uint32_t subleaf)
{
    for (uint32_t i = 0; i < count; i++)
        if (leaves()[i].leaf == leaf && leaves()[i].subleaf == subleaf)
            return &leaves()[i];
    return NULL;
}

START_TEST(test_cpu_policy_lists_leaves_in_order)
{
    uint32_t count = CPU_POLICY_MAX_LEAVES;

    ck_assert_int_eq(put(MACHINE_CPUID_HOST, &count), 0);
    ck_assert_uint_lt(count, CPU_POLICY_MAX_LEAVES);
    for (uint32_t i = 1; i < count; i++)
        ck_assert(leaves()[i - 1].leaf < leaves()[i].leaf ||
                  (leaves()[i - 1].leaf == leaves()[i].leaf &&
                   leaves()[i - 1].subleaf < leaves()[i].subleaf));
    ck_assert_uint_eq(find(count, 0x1, XEN_CPUID_NO_SUBLEAF)->d, FAKE_CPUID_1D);
    ck_assert_uint_eq(find(count, 0xd, 2)->a, 256);
    ck_assert_uint_eq(find(count, 0x80000007, XEN_CPUID_NO_SUBLEAF)->d, 0x100);
}
END_TEST

/* What the tools' library takes for an error must not be listed. */
START_TEST(test_cpu_policy_has_subleaves_where_they_matter_only)
{
    uint32_t count = CPU_POLICY_MAX_LEAVES;

    ck_assert_int_eq(put(MACHINE_CPUID_GUEST, &count), 0);
    for (uint32_t i = 0; i < count; i++) {
        const struct xen_cpuid_leaf *l = &leaves()[i];
        bool is_family = l->leaf == 0x4 || l->leaf == 0x7 || l->leaf == 0xb ||
                         l->leaf == 0xd;

        ck_assert(is_family == (l->subleaf != XEN_CPUID_NO_SUBLEAF));
    }
    ck_assert_ptr_null(find(count, 0x4, 6));
    ck_assert_uint_eq(find(count, 0x7, 1)->a, 0x1c00);
    ck_assert_ptr_null(find(count, 0x7, 2));
    ck_assert_uint_eq(find(count, 0xd, 62)->a, 0);
    ck_assert_ptr_null(find(count, 0xd, 63));
    ck_assert_ptr_null(find(count, 0x14, XEN_CPUID_NO_SUBLEAF));
    ck_assert_uint_eq(find(count, 0x80000021, XEN_CPUID_NO_SUBLEAF)->a, 0);
    ck_assert_uint_eq(find(count, 0x40000000, XEN_CPUID_NO_SUBLEAF)->a, 0);
    ck_assert_ptr_null(find(count, 0x80000022, XEN_CPUID_NO_SUBLEAF));
}
END_TEST

START_TEST(test_cpu_policy_without_room_is_cut)
{
    uint32_t count = 0;

    ck_assert_int_eq(put(MACHINE_CPUID_HOST, &count), -ENOBUFS);
    ck_assert_uint_eq(count, 0);
    count = 3;
    leaves()[3].leaf = 0x1234;
    ck_assert_int_eq(put(MACHINE_CPUID_HOST, &count), -ENOBUFS);
    ck_assert_uint_eq(count, 3);
    ck_assert_uint_eq(leaves()[3].leaf, 0x1234);
    ck_assert_int_eq(cpu_policy_put(MACHINE_CPUID_HOST, (guest_va){0}, &count),
                     0);
    ck_assert_uint_eq(count, CPU_POLICY_MAX_LEAVES);
    ck_assert_int_eq(
        cpu_policy_put(MACHINE_CPUID_HOST, (guest_va){FAKE_BAD_VA}, &count),
        -EFAULT);
}
END_TEST

/* Also by leaves that nobody reads: what is kept of a domain has a limit. */
/* Registers without their feature: leaf 0xd must not offer them. */
static Suite *cpu_policy_suite(void)
{
    Suite *s = suite_create("cpu_policy");
    TCase *t = tcase_create("cpu_policy");

    tcase_add_checked_fixture(t, setup, NULL);
    tcase_add_test(t, test_cpu_policy_lists_leaves_in_order);
    tcase_add_test(t, test_cpu_policy_has_subleaves_where_they_matter_only);
    tcase_add_test(t, test_cpu_policy_without_room_is_cut);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    SRunner *runner = srunner_create(cpu_policy_suite());
    int failed;

    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
