/* SPDX-License-Identifier: MIT */
/* APIC ids taken apart as different processors describe them. */
#include <check.h>
#include <stdlib.h>

#include "x86/topology.h"

#define HTT (1u << 28)

static struct cpuid_leaf zero, one, four, level0, level1, extended8;

static struct cpuid_leaf host(uint32_t leaf, uint32_t subleaf)
{
    switch (leaf) {
    case 0:
        return zero;
    case 1:
        return one;
    case 4:
        return four;
    case 0xb:
        return subleaf == 0   ? level0
               : subleaf == 1 ? level1
                              : (struct cpuid_leaf){.ecx = subleaf};
    case 0x80000000:
        return (struct cpuid_leaf){.eax = 0x80000008};
    case 0x80000008:
        return extended8;
    default:
        return (struct cpuid_leaf){0, 0, 0, 0};
    }
}

START_TEST(test_topology_by_levels)
{
    struct topology t;

    zero.eax = 0xb;
    level0 = (struct cpuid_leaf){1, 2, 0x100, 0};
    level1 = (struct cpuid_leaf){4, 12, 0x201, 0};
    t = topology_detect(host);
    ck_assert_uint_eq(topology_core(t, 0x1b), 5);
    ck_assert_uint_eq(topology_core(t, 0x1a), 5);
    ck_assert_uint_eq(topology_socket(t, 0x1b), 1);
}
END_TEST

START_TEST(test_topology_by_counts_of_cores_and_threads)
{
    struct topology t;

    zero.eax = 0xb; /* but its leaf says nothing */
    one = (struct cpuid_leaf){.ebx = 12u << 16, .edx = HTT};
    four.eax = 5u << 26; /* six cores */
    t = topology_detect(host);
    ck_assert_uint_eq(topology_core(t, 0x0d), 6);
    ck_assert_uint_eq(topology_socket(t, 0x0d), 0);
    ck_assert_uint_eq(topology_socket(t, 0x12), 1);
}
END_TEST

START_TEST(test_topology_by_amd_counts)
{
    struct topology t;

    zero.eax = 1;
    one = (struct cpuid_leaf){.ebx = 4u << 16, .edx = HTT};
    extended8.ecx = 3; /* four cores */
    t = topology_detect(host);
    ck_assert_uint_eq(topology_core(t, 6), 2);
    ck_assert_uint_eq(topology_socket(t, 6), 1);
}
END_TEST

START_TEST(test_topology_without_any_is_a_socket_each)
{
    struct topology t;

    zero.eax = 1;
    one.ebx = 9u << 16; /* means nothing without HTT */
    t = topology_detect(host);
    ck_assert_uint_eq(topology_core(t, 3), 0);
    ck_assert_uint_eq(topology_socket(t, 3), 3);
}
END_TEST

static Suite *topology_suite(void)
{
    Suite *s = suite_create("topology");
    TCase *t = tcase_create("topology");

    tcase_add_test(t, test_topology_by_levels);
    tcase_add_test(t, test_topology_by_counts_of_cores_and_threads);
    tcase_add_test(t, test_topology_by_amd_counts);
    tcase_add_test(t, test_topology_without_any_is_a_socket_each);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    SRunner *runner = srunner_create(topology_suite());
    int failed;

    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
