/* SPDX-License-Identifier: MIT */
/*
 * The guest ABI against the reference headers, fact by fact, and the table of
 * hypercalls against its own rules.
 */
#include <check.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hypercall_abi/hypercall.h"

#include "abi_facts.h"

/* Arguments travel in rdi, rsi, rdx, r10 and r8. */
#define MAX_ARGUMENTS 5

struct row {
    unsigned int nr;
    const char *name;
    unsigned int args;
};

static const struct row rows[] = {
#define HYPERCALL(nr, name, args) {nr, #name, args},
#include "hypercall_abi/hypercalls.def"
#undef HYPERCALL
};

#define ROW_COUNT (sizeof(rows) / sizeof(rows[0]))

static bool facts_agree(const struct abi_fact *ours,
                        const struct abi_fact *reference)
{
    return !strcmp(ours->name, reference->name) &&
           ours->value == reference->value;
}

static void report_difference(const struct abi_fact *ours,
                              const struct abi_fact *reference)
{
    fprintf(stderr, "abi: %s is %" PRId64 ", reference: %s is %" PRId64 "\n",
            ours->name, ours->value, reference->name, reference->value);
}

START_TEST(test_abi_facts_match_reference)
{
    unsigned int differences = 0;

    if (!abi_reference_count) {
        fprintf(stderr, "abi: no reference headers (libxen-dev), skipped\n");
        return;
    }
    ck_assert_uint_eq(abi_ours_count, abi_reference_count);
    for (size_t i = 0; i < abi_ours_count; i++) {
        if (facts_agree(&abi_ours[i], &abi_reference[i]))
            continue;
        report_difference(&abi_ours[i], &abi_reference[i]);
        differences++;
    }
    ck_assert_msg(!differences, "%u of %zu facts differ, see above",
                  differences, abi_ours_count);
}
END_TEST

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

START_TEST(test_abi_facts_are_listed_once)
{
    const char **names = calloc(abi_ours_count, sizeof(*names));

    ck_assert_ptr_nonnull(names);
    for (size_t i = 0; i < abi_ours_count; i++)
        names[i] = abi_ours[i].name;
    qsort(names, abi_ours_count, sizeof(*names), compare_names);
    for (size_t i = 1; i < abi_ours_count; i++)
        ck_assert_str_ne(names[i - 1], names[i]);
    free(names);
}
END_TEST

START_TEST(test_abi_facts_comparison_sees_a_difference)
{
    struct abi_fact wrong_value = abi_ours[0];
    struct abi_fact wrong_name = abi_ours[0];

    wrong_value.value++;
    wrong_name.name = "something else";
    ck_assert(facts_agree(&abi_ours[0], &abi_ours[0]));
    ck_assert(!facts_agree(&abi_ours[0], &wrong_value));
    ck_assert(!facts_agree(&abi_ours[0], &wrong_name));
}
END_TEST

START_TEST(test_abi_hypercall_numbers_ascend_below_count)
{
    for (size_t i = 0; i < ROW_COUNT; i++) {
        ck_assert_msg(rows[i].nr < HC_COUNT, "%s", rows[i].name);
        ck_assert_msg(!i || rows[i - 1].nr < rows[i].nr, "%s", rows[i].name);
    }
}
END_TEST

START_TEST(test_abi_hypercall_arguments_fit_registers)
{
    for (size_t i = 0; i < ROW_COUNT; i++)
        ck_assert_msg(rows[i].args <= MAX_ARGUMENTS, "%s", rows[i].name);
}
END_TEST

static Suite *abi_suite(void)
{
    Suite *suite = suite_create("abi");
    TCase *facts = tcase_create("facts");
    TCase *table = tcase_create("hypercalls");

    tcase_add_test(facts, test_abi_facts_match_reference);
    tcase_add_test(facts, test_abi_facts_are_listed_once);
    tcase_add_test(facts, test_abi_facts_comparison_sees_a_difference);
    suite_add_tcase(suite, facts);
    tcase_add_test(table, test_abi_hypercall_numbers_ascend_below_count);
    tcase_add_test(table, test_abi_hypercall_arguments_fit_registers);
    suite_add_tcase(suite, table);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(abi_suite());
    int failures;

    srunner_run_all(runner, CK_NORMAL);
    failures = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failures != 0;
}
