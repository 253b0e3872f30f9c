/* SPDX-License-Identifier: MIT */
/* Quotas: each is named when it is hit, and given back afterwards. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store_client.h"
#include "store_suites.h"

static struct engine *e;
static struct connection *program, *guest;

static void setup(void)
{
    e = client_engine();
    program = client_program(e);
    guest = client_domain(e, 5);
    client_log_lines = 0;
}

static void teardown(void)
{
    engine_end(e);
}

static void expect_named(const char *quota)
{
    char word[32];

    snprintf(word, sizeof(word), "quota of %s,", quota);
    ck_assert_uint_ge(client_log_lines, 1);
    ck_assert_ptr_nonnull(strstr(client_log_line, "domain 5"));
    ck_assert_ptr_nonnull(strstr(client_log_line, word));
    client_log_lines = 0;
}

START_TEST(test_store_quota_of_nodes)
{
    unsigned made = 0;
    char path[16];

    e->quotas.limits[QUOTA_NODES] = 10;
    do
        snprintf(path, sizeof(path), "n%u", made);
    while (!strcmp(client_write(e, guest, 0, path, "v"), "OK") && ++made < 20);
    /* Its home is one of them. */
    ck_assert_uint_eq(made, 9);
    expect_named("nodes");
    ck_assert_str_eq(client_write(e, guest, 0, "a/b/c", "v"), "!ENOSPC");
    ck_assert_str_eq(client_ask(e, guest, XS_READ, 0, "a|"), "!ENOENT");
    ck_assert_str_eq(client_ask(e, guest, XS_RM, 0, "n0|"), "OK");
    ck_assert_str_eq(client_write(e, guest, 0, "again", "v"), "OK");
    ck_assert_str_eq(client_write(e, program, 0, "/local/domain/5/x", "v"),
                     "OK");
}
END_TEST

START_TEST(test_store_quota_of_nodes_holds_in_transactions)
{
    uint32_t tx = client_begin(e, guest);
    char path[16];

    e->quotas.limits[QUOTA_NODES] = 10;
    for (unsigned i = 0; i < 15; i++) {
        snprintf(path, sizeof(path), "n%u", i);
        client_write(e, guest, tx, path, "v");
    }
    ck_assert_str_eq(client_ask(e, guest, XS_TRANSACTION_END, tx, "T|"),
                     "!ENOSPC");
    ck_assert_str_eq(client_ask(e, guest, XS_DIRECTORY, 0, "/local/domain/5|"),
                     "");
    expect_named("nodes");
}
END_TEST

START_TEST(test_store_quota_of_a_nodes_size)
{
    char value[3000];

    memset(value, 'x', sizeof(value));
    value[sizeof(value) - 1] = '\0';
    ck_assert_str_eq(client_write(e, guest, 0, "big", value), "!ENOSPC");
    expect_named("node-size");
    ck_assert_str_eq(client_ask(e, guest, XS_READ, 0, "big|"), "!ENOENT");
    value[2000] = '\0';
    ck_assert_str_eq(client_write(e, guest, 0, "big", value), "OK");
}
END_TEST

START_TEST(test_store_quota_of_permissions)
{
    client_write(e, guest, 0, "x", "v");
    ck_assert_str_eq(
        client_ask(e, guest, XS_SET_PERMS, 0, "x|n5|r1|r2|r3|r4|r6|"),
        "!ENOSPC");
    expect_named("permissions");
}
END_TEST

START_TEST(test_store_quota_of_watches)
{
    unsigned made = 0;
    char fields[32];

    do
        snprintf(fields, sizeof(fields), "w|%u|", made);
    while (!strcmp(client_ask(e, guest, XS_WATCH, 0, fields), "OK") &&
           ++made < 1000);
    ck_assert_uint_eq(made, 128);
    expect_named("watches");
    client_ask(e, guest, XS_UNWATCH, 0, "w|7|");
    ck_assert_str_eq(client_ask(e, guest, XS_WATCH, 0, "w|7|"), "OK");
}
END_TEST

START_TEST(test_store_quota_of_transactions)
{
    uint32_t first = client_begin(e, guest);

    for (unsigned i = 1; i < 10; i++)
        client_begin(e, guest);
    ck_assert_str_eq(client_ask(e, guest, XS_TRANSACTION_START, 0, "|"),
                     "!ENOSPC");
    expect_named("transactions");
    client_ask(e, guest, XS_TRANSACTION_END, first, "F|");
    client_begin(e, guest);
}
END_TEST

START_TEST(test_store_quota_of_changes_bounds_reads_too)
{
    uint32_t tx = client_begin(e, guest);
    const char *answer = "";
    char fields[32];

    for (unsigned i = 0; i < 2000 && strcmp(answer, "!ENOSPC") != 0; i++) {
        snprintf(fields, sizeof(fields), "%u|", i);
        answer = client_ask(e, guest, XS_READ, tx, fields);
    }
    ck_assert_str_eq(answer, "!ENOSPC");
    expect_named("changes");
}
END_TEST

START_TEST(test_store_quota_of_memory)
{
    char value[1500], path[16];
    const char *answer = "";

    e->quotas.limits[QUOTA_MEMORY] = 100000;
    memset(value, 'x', sizeof(value));
    value[sizeof(value) - 1] = '\0';
    for (unsigned i = 0; i < 200 && strcmp(answer, "!ENOMEM") != 0; i++) {
        snprintf(path, sizeof(path), "%u", i);
        answer = client_write(e, guest, 0, path, value);
    }
    ck_assert_str_eq(answer, "!ENOMEM");
    expect_named("memory");
}
END_TEST

/* What a request costs grows with the names of its path. */
START_TEST(test_store_quota_of_depth)
{
    char path[XENSTORE_REL_PATH_MAX] = "a";
    uint64_t before;

    for (unsigned i = 1; i < 60; i++)
        strcat(path, "/a");
    before = e->tree.names.steps;
    ck_assert_str_eq(client_write(e, guest, 0, path, "v"), "OK");
    ck_assert_uint_lt(e->tree.names.steps - before, 20000);
    for (unsigned i = 0; i < 900; i++)
        strcat(path, "/a");
    before = e->tree.names.steps;
    ck_assert_str_eq(client_write(e, guest, 0, path, "v"), "!ENOSPC");
    expect_named("depth");
    ck_assert_uint_eq(e->tree.names.steps, before);
    ck_assert_str_eq(client_write(e, program, 0, path, "v"), "OK");
}
END_TEST

START_TEST(test_store_quota_of_memory_covers_watches)
{
    char fields[2000];
    const char *answer = "";
    uint64_t before = quota_account(&e->quotas, 5)->used[QUOTA_MEMORY];

    e->quotas.limits[QUOTA_MEMORY] = before + 65536;
    for (unsigned i = 0; i < 128 && strcmp(answer, "!ENOMEM") != 0; i++) {
        memset(fields, 'w', sizeof(fields));
        snprintf(fields + 1200, 32, "|%03u|", i);
        answer = client_ask(e, guest, XS_WATCH, 0, fields);
    }
    ck_assert_str_eq(answer, "!ENOMEM");
    expect_named("memory");
    ck_assert_str_eq(client_ask(e, guest, XS_RESET_WATCHES, 0, "|"), "OK");
    client_drop_events(e, guest);
    ck_assert_uint_eq(quota_account(&e->quotas, 5)->used[QUOTA_MEMORY], before);
}
END_TEST

START_TEST(test_store_accounts_are_empty_after_the_end)
{
    const struct account *account = quota_account(&e->quotas, 5);
    uint32_t tx = client_begin(e, guest);

    client_write(e, guest, 0, "a/b", "v");
    client_write(e, guest, tx, "a/c", "v");
    client_ask(e, guest, XS_WATCH, 0, "w|t|");
    client_write(e, program, 0, "/local/domain/5/w", "v");
    client_ask(e, program, XS_RM, 0, "/local/domain/5|");
    client_ask(e, program, XS_RELEASE, 0, "5|");
    for (unsigned i = 0; i < QUOTA_COUNT; i++)
        ck_assert_uint_eq(account->used[i], 0);
    ck_assert_uint_eq(account->mentions, 0);
}
END_TEST

START_TEST(test_store_log_is_not_flooded)
{
    e->quotas.limits[QUOTA_NODES] = 1;
    for (unsigned i = 0; i < 1000; i++)
        client_write(e, guest, 0, "x", "v");
    ck_assert_uint_eq(client_log_lines, 10);
}
END_TEST

Suite *store_quotas_suite(void)
{
    Suite *suite = suite_create("store quotas");
    TCase *tc = tcase_create("quotas");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, test_store_quota_of_nodes);
    tcase_add_test(tc, test_store_quota_of_nodes_holds_in_transactions);
    tcase_add_test(tc, test_store_quota_of_a_nodes_size);
    tcase_add_test(tc, test_store_quota_of_permissions);
    tcase_add_test(tc, test_store_quota_of_watches);
    tcase_add_test(tc, test_store_quota_of_transactions);
    tcase_add_test(tc, test_store_quota_of_changes_bounds_reads_too);
    tcase_add_test(tc, test_store_quota_of_memory);
    tcase_add_test(tc, test_store_quota_of_depth);
    tcase_add_test(tc, test_store_quota_of_memory_covers_watches);
    tcase_add_test(tc, test_store_accounts_are_empty_after_the_end);
    tcase_add_test(tc, test_store_log_is_not_flooded);
    suite_add_tcase(suite, tc);
    return suite;
}
