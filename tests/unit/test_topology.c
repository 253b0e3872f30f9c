/* SPDX-License-Identifier: MIT */
/* APIC ids taken apart as different processors describe them. */
#include <check.h>
#include <stdlib.h>

#include "x86/cpu_features.h"

static struct cpuid_leaf zero, level0, level1;

static struct cpuid_leaf host(uint32_t leaf, uint32_t subleaf)
{
    switch (leaf) {
    case 0:
        return zero;
    case 0xb:
        return subleaf == 0   ? level0
               : subleaf == 1 ? level1
                              : (struct cpuid_leaf){.ecx = subleaf};
    default:
        return (struct cpuid_leaf){0, 0, 0, 0};
    }
}

START_TEST(test_topology_by_levels)
{
    zero.eax = 0xb;
    level0 = (struct cpuid_leaf){1, 2, 0x100, 0};
    level1 = (struct cpuid_leaf){4, 12, 0x201, 0};
    ck_assert_uint_eq(topology_place(host, 0x1b).core, 5);
    ck_assert_uint_eq(topology_place(host, 0x1a).core, 5);
    ck_assert_uint_eq(topology_place(host, 0x1b).socket, 1);
}
END_TEST

START_TEST(test_topology_without_levels_is_one_socket)
{
    zero.eax = 0xb; /* but its leaf says nothing */
    ck_assert_uint_eq(topology_place(host, 0x0d).core, 0xd);
    ck_assert_uint_eq(topology_place(host, 0x0d).socket, 0);
    zero.eax = 4;
    level0 = (struct cpuid_leaf){1, 2, 0x100, 0}; /* not to be asked for */
    ck_assert_uint_eq(topology_place(host, 3).core, 3);
    ck_assert_uint_eq(topology_place(host, 3).socket, 0);
}
END_TEST

static Suite *topology_suite(void)
{
    Suite *s = suite_create("topology");
    TCase *t = tcase_create("topology");

    tcase_add_test(t, test_topology_by_levels);
    tcase_add_test(t, test_topology_without_levels_is_one_socket);
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
