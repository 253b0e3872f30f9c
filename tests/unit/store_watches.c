/* SPDX-License-Identifier: MIT */
/* Watches: who is told of what. */
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
}

static void teardown(void)
{
    engine_end(e);
}

#define ASK(c, type, fields) client_ask(e, c, type, 0, fields)

START_TEST(test_store_watch_fires_at_once_after_its_answer)
{
    char body[XENSTORE_PAYLOAD_MAX];
    const struct client_answer *answer = client_send(
        e, program, XS_WATCH, 0, body, client_fields("/a|t|", body));

    ck_assert_str_eq(answer->body, "OK");
    ck_assert_uint_eq(TAILQ_FIRST(&program->outgoing)->watch, 1);
    ck_assert_str_eq(client_event(e, program), "/a t");
    ck_assert_str_eq(client_event(e, program), "");
}
END_TEST

START_TEST(test_store_watch_sees_all_below)
{
    ASK(program, XS_WATCH, "/a|t|");
    client_drop_events(e, program);
    client_write(e, program, 0, "/a/b/c", "v");
    client_write(e, program, 0, "/ab", "v");
    ASK(program, XS_MKDIR, "/a|");
    ASK(program, XS_SET_PERMS, "/a/b|r0|");
    ASK(program, XS_RM, "/a|");
    ck_assert_str_eq(client_event(e, program), "/a/b/c t");
    ck_assert_str_eq(client_event(e, program), "/a/b t");
    ck_assert_str_eq(client_event(e, program), "/a t");
    ck_assert_str_eq(client_event(e, program), "");
}
END_TEST

START_TEST(test_store_watch_sees_its_node_go_with_a_parent)
{
    client_write(e, program, 0, "/a/b/c", "v");
    ASK(program, XS_WATCH, "/a/b/c|deep|");
    ASK(program, XS_WATCH, "/a/b/x|missing|");
    client_drop_events(e, program);
    ASK(program, XS_RM, "/a|");
    ck_assert_str_eq(client_event(e, program), "/a/b/c deep");
    ck_assert_str_eq(client_event(e, program), "");
}
END_TEST

START_TEST(test_store_watch_speaks_the_owners_paths)
{
    ASK(guest, XS_WATCH, "control|c|");
    ASK(guest, XS_WATCH, "/local/domain/5/control|absolute|");
    client_drop_events(e, guest);
    client_write(e, program, 0, "/local/domain/5/control/shutdown", "halt");
    ck_assert_str_eq(client_event(e, guest), "control/shutdown c");
    ck_assert_str_eq(client_event(e, guest),
                     "/local/domain/5/control/shutdown absolute");
}
END_TEST

START_TEST(test_store_watch_tells_only_what_may_be_read)
{
    ASK(guest, XS_WATCH, "/|t|");
    client_drop_events(e, guest);
    client_write(e, program, 0, "/secret", "v");
    ASK(program, XS_RM, "/secret|");
    client_write(e, program, 0, "/open", "v");
    ASK(program, XS_SET_PERMS, "/open|r0|");
    ck_assert_str_eq(client_event(e, guest), "/open t");
    ck_assert_str_eq(client_event(e, guest), "");
}
END_TEST

START_TEST(test_store_unwatch_ends_events)
{
    ASK(program, XS_WATCH, "/a|t|");
    ck_assert_str_eq(ASK(program, XS_WATCH, "/a|t|"), "!EEXIST");
    ck_assert_str_eq(ASK(program, XS_WATCH, "/a|u|"), "OK");
    ck_assert_str_eq(ASK(program, XS_UNWATCH, "/a|x|"), "!ENOENT");
    ck_assert_str_eq(ASK(program, XS_UNWATCH, "/a|t|"), "OK");
    client_drop_events(e, program);
    client_write(e, program, 0, "/a", "v");
    ck_assert_str_eq(client_event(e, program), "/a u");
    ck_assert_str_eq(client_event(e, program), "");
}
END_TEST

START_TEST(test_store_reset_watches_ends_all)
{
    uint32_t tx = client_begin(e, guest);

    ASK(guest, XS_WATCH, "a|t|");
    ASK(guest, XS_WATCH, "b|t|");
    client_drop_events(e, guest);
    ck_assert_str_eq(ASK(guest, XS_RESET_WATCHES, "|"), "OK");
    client_write(e, guest, 0, "a", "v");
    ck_assert_str_eq(client_event(e, guest), "");
    ck_assert_str_eq(client_ask(e, guest, XS_TRANSACTION_END, tx, "T|"),
                     "!ENOENT");
    ck_assert_uint_eq(e->watches.names.used, 0);
}
END_TEST

START_TEST(test_store_domains_ends_are_told)
{
    struct command shutdown = {.kind = COMMAND_SHUTDOWN, .number = 5};
    struct command gone = {.kind = COMMAND_GONE, .number = 5};

    ASK(program, XS_WATCH, "@introduceDomain|i|");
    ASK(program, XS_WATCH, "@releaseDomain|r|");
    ASK(guest, XS_WATCH, "@releaseDomain|r|");
    client_drop_events(e, program);
    client_drop_events(e, guest);
    client_domain(e, 6);
    ck_assert_str_eq(client_event(e, program), "@introduceDomain i");
    engine_apply(e, &shutdown);
    engine_apply(e, &shutdown);
    ck_assert_str_eq(client_event(e, program), "@releaseDomain r");
    ck_assert_str_eq(client_event(e, program), "");
    ck_assert_str_eq(client_event(e, guest), "");
    ck_assert_str_eq(ASK(program, XS_RESUME, "5|"), "OK");
    engine_apply(e, &shutdown);
    ck_assert_str_eq(client_event(e, program), "@releaseDomain r");
    engine_apply(e, &gone);
    ck_assert_str_eq(client_event(e, program), "@releaseDomain r");
    ck_assert_ptr_null(e->domains[5]);
}
END_TEST

START_TEST(test_store_special_watch_needs_permission)
{
    ASK(program, XS_SET_PERMS, "@releaseDomain|n0|r5|");
    ASK(guest, XS_WATCH, "@releaseDomain|r|");
    client_drop_events(e, guest);
    client_domain(e, 6);
    ASK(program, XS_RELEASE, "6|");
    ck_assert_str_eq(client_event(e, guest), "@releaseDomain r");
}
END_TEST

START_TEST(test_store_same_event_waits_once)
{
    ASK(guest, XS_WATCH, "x|t|");
    client_drop_events(e, guest);
    for (unsigned i = 0; i < 10; i++)
        client_write(e, program, 0, "/local/domain/5/x", "v");
    ck_assert_uint_eq(quota_account(&e->quotas, 5)->used[QUOTA_EVENTS], 1);
    ck_assert_str_eq(client_event(e, guest), "x t");
    client_write(e, program, 0, "/local/domain/5/x", "v");
    ck_assert_str_eq(client_event(e, guest), "x t");
}
END_TEST

START_TEST(test_store_too_many_events_become_one_for_the_watch)
{
    char path[64];
    unsigned count = 0;
    const char *event;

    e->quotas.limits[QUOTA_EVENTS] = 20;
    ASK(guest, XS_WATCH, "x|t|");
    client_drop_events(e, guest);
    client_log_lines = 0;
    for (unsigned i = 0; i < 100; i++) {
        snprintf(path, sizeof(path), "/local/domain/5/x/%u", i);
        client_write(e, program, 0, path, "v");
    }
    ck_assert_uint_eq(quota_account(&e->quotas, 5)->used[QUOTA_EVENTS], 21);
    ck_assert_uint_gt(client_log_lines, 0);
    ck_assert_ptr_nonnull(strstr(client_log_line, "domain 5"));
    ck_assert_ptr_nonnull(strstr(client_log_line, "events"));
    while (*(event = client_event(e, guest)))
        count += !strcmp(event, "x t");
    ck_assert_uint_eq(count, 1);
}
END_TEST

Suite *store_watches_suite(void)
{
    Suite *suite = suite_create("store watches");
    TCase *tc = tcase_create("watches");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, test_store_watch_fires_at_once_after_its_answer);
    tcase_add_test(tc, test_store_watch_sees_all_below);
    tcase_add_test(tc, test_store_watch_sees_its_node_go_with_a_parent);
    tcase_add_test(tc, test_store_watch_speaks_the_owners_paths);
    tcase_add_test(tc, test_store_watch_tells_only_what_may_be_read);
    tcase_add_test(tc, test_store_unwatch_ends_events);
    tcase_add_test(tc, test_store_reset_watches_ends_all);
    tcase_add_test(tc, test_store_domains_ends_are_told);
    tcase_add_test(tc, test_store_special_watch_needs_permission);
    tcase_add_test(tc, test_store_same_event_waits_once);
    tcase_add_test(tc, test_store_too_many_events_become_one_for_the_watch);
    suite_add_tcase(suite, tc);
    return suite;
}
