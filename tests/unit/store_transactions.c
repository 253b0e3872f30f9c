/* SPDX-License-Identifier: MIT */
/* Transactions: what they see, and what they conflict over. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store_client.h"
#include "store_suites.h"

static struct engine *e;
static struct connection *program, *guest;
static uint32_t tx;

static void setup(void)
{
    e = client_engine();
    program = client_program(e);
    guest = client_domain(e, 5);
    client_write(e, program, 0, "/a", "old");
    client_write(e, program, 0, "/a/b", "old");
    client_write(e, program, 0, "/a/c/d", "old");
    tx = client_begin(e, program);
}

static void teardown(void)
{
    ck_assert_ptr_nonnull(
        strstr(client_ask(e, program, XS_CONTROL, 0, "check|"), "OK"));
    engine_end(e);
}

#define IN(type, fields) client_ask(e, program, type, tx, fields)
#define OUT(type, fields) client_ask(e, program, type, 0, fields)
#define COMMIT() IN(XS_TRANSACTION_END, "T|")

START_TEST(test_store_transaction_shows_its_own_writes_to_itself_alone)
{
    client_write(e, program, tx, "/a/b", "new");
    client_write(e, program, tx, "/a/e/f", "new");
    ck_assert_str_eq(IN(XS_READ, "/a/b|"), "new");
    ck_assert_str_eq(OUT(XS_READ, "/a/b|"), "old");
    ck_assert_str_eq(IN(XS_DIRECTORY, "/a|"), "b|c|e");
    ck_assert_str_eq(OUT(XS_DIRECTORY, "/a|"), "b|c");
    ck_assert_str_eq(COMMIT(), "OK");
    ck_assert_str_eq(OUT(XS_READ, "/a/b|"), "new");
    ck_assert_str_eq(OUT(XS_READ, "/a/e/f|"), "new");
    ck_assert_str_eq(OUT(XS_DIRECTORY, "/a|"), "b|c|e");
}
END_TEST

START_TEST(test_store_transaction_abort_leaves_nothing)
{
    client_write(e, program, tx, "/a/b", "new");
    IN(XS_RM, "/a/c|");
    ck_assert_str_eq(IN(XS_TRANSACTION_END, "F|"), "OK");
    ck_assert_str_eq(OUT(XS_READ, "/a/b|"), "old");
    ck_assert_str_eq(OUT(XS_READ, "/a/c/d|"), "old");
    ck_assert_str_eq(COMMIT(), "!ENOENT");
}
END_TEST

START_TEST(test_store_transaction_removes_and_makes_anew)
{
    ck_assert_str_eq(IN(XS_RM, "/a|"), "OK");
    ck_assert_str_eq(IN(XS_READ, "/a/c/d|"), "!ENOENT");
    ck_assert_str_eq(IN(XS_DIRECTORY, "/|"), "tool|local");
    client_write(e, program, tx, "/a/c", "new");
    ck_assert_str_eq(IN(XS_DIRECTORY, "/a|"), "c");
    ck_assert_str_eq(IN(XS_DIRECTORY, "/a/c|"), "");
    ck_assert_str_eq(IN(XS_READ, "/a|"), "");
    ck_assert_str_eq(COMMIT(), "OK");
    ck_assert_str_eq(OUT(XS_DIRECTORY, "/a|"), "c");
    ck_assert_str_eq(OUT(XS_READ, "/a/c|"), "new");
    ck_assert_str_eq(OUT(XS_READ, "/a/c/d|"), "!ENOENT");
    ck_assert_str_eq(OUT(XS_READ, "/a/b|"), "!ENOENT");
}
END_TEST

START_TEST(test_store_transaction_conflicts_over_a_node_it_read)
{
    IN(XS_READ, "/a/b|");
    client_write(e, program, 0, "/a/b", "other");
    client_write(e, program, tx, "/a/c", "new");
    ck_assert_str_eq(COMMIT(), "!EAGAIN");
    ck_assert_str_eq(OUT(XS_READ, "/a/c|"), "");
    ck_assert_str_eq(COMMIT(), "!ENOENT");
}
END_TEST

START_TEST(test_store_transaction_conflicts_over_a_node_it_wrote)
{
    client_write(e, program, tx, "/a/b", "new");
    OUT(XS_RM, "/a/b|");
    ck_assert_str_eq(COMMIT(), "!EAGAIN");
}
END_TEST

START_TEST(test_store_transaction_conflicts_over_a_node_that_was_missing)
{
    ck_assert_str_eq(IN(XS_READ, "/a/x|"), "!ENOENT");
    client_write(e, program, 0, "/a/x", "other");
    ck_assert_str_eq(COMMIT(), "!EAGAIN");
}
END_TEST

START_TEST(test_store_transaction_conflicts_over_a_list_it_read)
{
    IN(XS_DIRECTORY, "/a|");
    client_write(e, program, 0, "/a/x", "other");
    ck_assert_str_eq(COMMIT(), "!EAGAIN");
}
END_TEST

START_TEST(test_store_transaction_conflicts_over_lost_permissions)
{
    client_write(e, program, 0, "/open", "");
    OUT(XS_SET_PERMS, "/open|n0|b5|");
    tx = client_begin(e, guest);
    ck_assert_str_eq(client_write(e, guest, tx, "/open/x", "v"), "OK");
    OUT(XS_SET_PERMS, "/open|n0|");
    ck_assert_str_eq(client_ask(e, guest, XS_TRANSACTION_END, tx, "T|"),
                     "!EAGAIN");
    ck_assert_str_eq(OUT(XS_DIRECTORY, "/open|"), "");
}
END_TEST

START_TEST(test_store_transactions_on_different_nodes_do_not_conflict)
{
    uint32_t second = client_begin(e, program);

    client_write(e, program, tx, "/a/new1", "1");
    client_write(e, program, second, "/a/new2", "2");
    client_write(e, program, second, "/a/b", "2");
    client_write(e, program, 0, "/a/new3", "3");
    ck_assert_str_eq(COMMIT(), "OK");
    ck_assert_str_eq(client_ask(e, program, XS_TRANSACTION_END, second, "T|"),
                     "OK");
    ck_assert_str_eq(OUT(XS_DIRECTORY, "/a|"), "b|c|new3|new1|new2");
}
END_TEST

START_TEST(test_store_transactions_on_the_same_node_conflict)
{
    uint32_t second = client_begin(e, program);

    client_write(e, program, tx, "/a/b", "1");
    client_write(e, program, second, "/a/b", "2");
    ck_assert_str_eq(COMMIT(), "OK");
    ck_assert_str_eq(client_ask(e, program, XS_TRANSACTION_END, second, "T|"),
                     "!EAGAIN");
    ck_assert_str_eq(OUT(XS_READ, "/a/b|"), "1");
}
END_TEST

START_TEST(test_store_transaction_changes_permissions)
{
    client_write(e, program, tx, "/a/b/new", "v");
    ck_assert_str_eq(IN(XS_SET_PERMS, "/a/b/new|n0|r5|"), "OK");
    ck_assert_str_eq(IN(XS_SET_PERMS, "/a/b|n0|w5|"), "OK");
    ck_assert_str_eq(IN(XS_GET_PERMS, "/a/b|"), "n0|w5");
    ck_assert_str_eq(OUT(XS_GET_PERMS, "/a/b|"), "n0");
    ck_assert_str_eq(COMMIT(), "OK");
    ck_assert_str_eq(OUT(XS_GET_PERMS, "/a/b|"), "n0|w5");
    ck_assert_str_eq(OUT(XS_GET_PERMS, "/a/b/new|"), "n0|r5");
    ck_assert_str_eq(OUT(XS_READ, "/a/b|"), "old");
}
END_TEST

START_TEST(test_store_transaction_tells_watches_when_it_commits)
{
    OUT(XS_WATCH, "/a|t|");
    client_drop_events(e, program);
    client_write(e, program, tx, "/a/x/y", "new");
    IN(XS_RM, "/a/b|");
    ck_assert_str_eq(client_event(e, program), "");
    COMMIT();
    ck_assert_str_eq(client_event(e, program), "/a/x/y t");
    ck_assert_str_eq(client_event(e, program), "/a/b t");
    ck_assert_str_eq(client_event(e, program), "");
}
END_TEST

START_TEST(test_store_transaction_words_are_checked)
{
    ck_assert_str_eq(IN(XS_TRANSACTION_START, "|"), "!EBUSY");
    ck_assert_str_eq(IN(XS_TRANSACTION_END, "X|"), "!EINVAL");
    ck_assert_str_eq(client_ask(e, program, XS_READ, tx + 9, "/a|"), "!ENOENT");
    ck_assert_str_eq(client_ask(e, guest, XS_READ, tx, "/a|"), "!ENOENT");
    ck_assert_str_eq(OUT(XS_TRANSACTION_END, "T|"), "!ENOENT");
    ck_assert_str_eq(COMMIT(), "OK");
}
END_TEST

/* A value per path of a small set, for random operations. */
#define PATHS 12
static const char *const paths[PATHS] = {
    "/r",     "/r/a", "/r/a/b", "/r/a/c",   "/r/b",     "/r/b/a",
    "/r/b/b", "/r/c", "/r/c/a", "/r/c/a/a", "/r/c/a/b", "/r/d"};

/* What the engine answers to all questions about the set. */
static void describe(uint32_t under, char *out, size_t room)
{
    char fields[32];
    size_t used = 0;

    for (unsigned i = 0; i < PATHS; i++) {
        snprintf(fields, sizeof(fields), "%s|", paths[i]);
        used +=
            (size_t)snprintf(out + used, room - used, "%s=%s;", paths[i],
                             client_ask(e, program, XS_READ, under, fields));
        used += (size_t)snprintf(
            out + used, room - used, "%s;",
            client_ask(e, program, XS_DIRECTORY, under, fields));
    }
}

static void change_randomly(uint32_t under)
{
    const char *path = paths[(unsigned)rand() % PATHS];
    char fields[32], value[16];

    snprintf(fields, sizeof(fields), "%s|", path);
    snprintf(value, sizeof(value), "%d", rand() % 100);
    switch (rand() % 4) {
    case 0:
        client_ask(e, program, XS_RM, under, fields);
        break;
    case 1:
        client_ask(e, program, XS_MKDIR, under, fields);
        break;
    default:
        client_write(e, program, under, path, value);
        break;
    }
}

/* Sorted lists would do, but their order is part of the promise as well. */
static bool is_same_set(const char *a, const char *b)
{
    unsigned counts[256] = {0};

    for (; *a; a++)
        counts[(unsigned char)*a]++;
    for (; *b; b++)
        counts[(unsigned char)*b]--;
    for (unsigned i = 0; i < 256; i++)
        if (counts[i])
            return false;
    return true;
}

START_TEST(test_store_transaction_commits_what_it_showed)
{
    char inside[4096], outside[4096];

    srand((unsigned)_i);
    for (unsigned i = 0; i < 12; i++)
        change_randomly(0);
    for (unsigned i = 0; i < 12; i++)
        change_randomly(tx);
    describe(tx, inside, sizeof(inside));
    ck_assert_str_eq(COMMIT(), "OK");
    describe(0, outside, sizeof(outside));
    ck_assert_msg(is_same_set(inside, outside), "%s\n%s", inside, outside);
}
END_TEST

Suite *store_transactions_suite(void)
{
    Suite *suite = suite_create("store transactions");
    TCase *tc = tcase_create("transactions");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc,
                   test_store_transaction_shows_its_own_writes_to_itself_alone);
    tcase_add_test(tc, test_store_transaction_abort_leaves_nothing);
    tcase_add_test(tc, test_store_transaction_removes_and_makes_anew);
    tcase_add_test(tc, test_store_transaction_conflicts_over_a_node_it_read);
    tcase_add_test(tc, test_store_transaction_conflicts_over_a_node_it_wrote);
    tcase_add_test(
        tc, test_store_transaction_conflicts_over_a_node_that_was_missing);
    tcase_add_test(tc, test_store_transaction_conflicts_over_a_list_it_read);
    tcase_add_test(tc, test_store_transaction_conflicts_over_lost_permissions);
    tcase_add_test(tc,
                   test_store_transactions_on_different_nodes_do_not_conflict);
    tcase_add_test(tc, test_store_transactions_on_the_same_node_conflict);
    tcase_add_test(tc, test_store_transaction_changes_permissions);
    tcase_add_test(tc, test_store_transaction_tells_watches_when_it_commits);
    tcase_add_test(tc, test_store_transaction_words_are_checked);
    tcase_add_loop_test(tc, test_store_transaction_commits_what_it_showed, 0,
                        100);
    suite_add_tcase(suite, tc);
    return suite;
}
