/* SPDX-License-Identifier: MIT */
/* Requests outside transactions, and permissions. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dom0_tools/stored/journal.h"
#include "store_client.h"
#include "store_suites.h"

static struct engine *e;
static struct connection *program, *guest, *other;

static void setup(void)
{
    e = client_engine();
    program = client_program(e);
    guest = client_domain(e, 5);
    other = client_domain(e, 6);
}

static void teardown(void)
{
    engine_end(e);
}

#define ASK(c, type, fields) client_ask(e, c, type, 0, fields)

START_TEST(test_store_write_makes_missing_parents)
{
    ck_assert_str_eq(client_write(e, program, 0, "/a/b/c", "v"), "OK");
    ck_assert_str_eq(ASK(program, XS_READ, "/a/b/c|"), "v");
    ck_assert_str_eq(ASK(program, XS_READ, "/a/b|"), "");
    ck_assert_str_eq(ASK(program, XS_DIRECTORY, "/a|"), "b");
}
END_TEST

START_TEST(test_store_write_keeps_zero_bytes_of_values)
{
    const struct client_answer *answer;

    client_send(e, program, XS_WRITE, 0, "/a\0x\0y", 6);
    answer = client_send(e, program, XS_READ, 0, "/a", 3);
    ck_assert_uint_eq(answer->size, 3);
    ck_assert_mem_eq(answer->body, "x\0y", 3);
}
END_TEST

START_TEST(test_store_mkdir_keeps_an_existing_value)
{
    client_write(e, program, 0, "/a", "v");
    ck_assert_str_eq(ASK(program, XS_MKDIR, "/a|"), "OK");
    ck_assert_str_eq(ASK(program, XS_READ, "/a|"), "v");
}
END_TEST

START_TEST(test_store_rm_takes_all_below)
{
    client_write(e, program, 0, "/a/b/c", "v");
    client_write(e, program, 0, "/a/d", "v");
    ck_assert_str_eq(ASK(program, XS_RM, "/a|"), "OK");
    ck_assert_str_eq(ASK(program, XS_READ, "/a/b/c|"), "!ENOENT");
    ck_assert_str_eq(ASK(program, XS_READ, "/a|"), "!ENOENT");
}
END_TEST

START_TEST(test_store_rm_of_a_missing_node_needs_a_parent)
{
    ck_assert_str_eq(ASK(program, XS_RM, "/nope|"), "OK");
    ck_assert_str_eq(ASK(program, XS_RM, "/nope/deeper|"), "!ENOENT");
    ck_assert_str_eq(ASK(program, XS_RM, "/|"), "!EINVAL");
}
END_TEST

START_TEST(test_store_relative_paths_are_below_home)
{
    ck_assert_str_eq(client_write(e, guest, 0, "data/x", "1"), "OK");
    ck_assert_str_eq(ASK(program, XS_READ, "/local/domain/5/data/x|"), "1");
    ck_assert_str_eq(client_write(e, program, 0, "x", "0"), "OK");
    ck_assert_str_eq(ASK(program, XS_READ, "/local/domain/0/x|"), "0");
}
END_TEST

START_TEST(test_store_bad_paths_are_refused)
{
    static const char *const bad[] = {"|",       "//a|",    "/a/|", "/a//b|",
                                      "/a b|",   "/a\xff|", "/a",   "",
                                      "/a|more", "@a/b|"};
    char fields[XENSTORE_PAYLOAD_MAX];

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        ck_assert_str_eq(ASK(program, XS_READ, bad[i]), "!EINVAL");
    memset(fields, 'a', sizeof(fields));
    fields[0] = '/';
    strcpy(fields + XENSTORE_ABS_PATH_MAX + 1, "|");
    ck_assert_str_eq(ASK(program, XS_READ, fields), "!EINVAL");
    strcpy(fields + XENSTORE_ABS_PATH_MAX, "|");
    ck_assert_str_eq(ASK(program, XS_READ, fields), "!ENOENT");
}
END_TEST

START_TEST(test_store_unknown_requests_are_enosys)
{
    ck_assert_str_eq(ASK(program, 20, ""), "!ENOSYS");
    ck_assert_str_eq(ASK(program, XS_ERROR, ""), "!ENOSYS");
    ck_assert_str_eq(ASK(program, XS_WATCH_EVENT, "a|b|"), "!ENOSYS");
    ck_assert_str_eq(ASK(program, XS_TYPE_COUNT, ""), "!ENOSYS");
    ck_assert_str_eq(ASK(program, 0xffff, ""), "!ENOSYS");
}
END_TEST

START_TEST(test_store_guest_sees_nothing_of_others)
{
    client_write(e, program, 0, "/secret/x", "v");
    client_write(e, other, 0, "data", "v");
    ck_assert_str_eq(ASK(guest, XS_READ, "/secret|"), "!EACCES");
    ck_assert_str_eq(ASK(guest, XS_READ, "/secret/x|"), "!EACCES");
    ck_assert_str_eq(ASK(guest, XS_READ, "/nothing|"), "!EACCES");
    ck_assert_str_eq(ASK(guest, XS_DIRECTORY, "/local/domain/6|"), "!EACCES");
    ck_assert_str_eq(client_write(e, guest, 0, "/local/domain/6/data", "v"),
                     "!EACCES");
    ck_assert_str_eq(client_write(e, guest, 0, "/new", "v"), "!EACCES");
    ck_assert_str_eq(ASK(guest, XS_RM, "/local/domain/6|"), "!EACCES");
    ck_assert_str_eq(ASK(guest, XS_READ, "missing|"), "!ENOENT");
}
END_TEST

START_TEST(test_store_permissions_are_honoured)
{
    client_write(e, program, 0, "/shared", "v");
    ASK(program, XS_SET_PERMS, "/shared|n0|r5|w6|");
    ck_assert_str_eq(ASK(program, XS_GET_PERMS, "/shared|"), "n0|r5|w6");
    ck_assert_str_eq(ASK(guest, XS_READ, "/shared|"), "v");
    ck_assert_str_eq(client_write(e, guest, 0, "/shared", "w"), "!EACCES");
    ck_assert_str_eq(ASK(other, XS_READ, "/shared|"), "!EACCES");
    ck_assert_str_eq(client_write(e, other, 0, "/shared", "w"), "OK");
    ASK(program, XS_SET_PERMS, "/shared|b0|");
    ck_assert_str_eq(client_write(e, guest, 0, "/shared/mine", "w"), "OK");
    ck_assert_str_eq(ASK(program, XS_GET_PERMS, "/shared/mine|"), "b5");
}
END_TEST

START_TEST(test_store_set_perms_is_the_owners)
{
    client_write(e, guest, 0, "mine", "v");
    ck_assert_str_eq(ASK(guest, XS_SET_PERMS, "mine|r5|b6|"), "OK");
    ck_assert_str_eq(ASK(guest, XS_SET_PERMS, "mine|r6|"), "!EPERM");
    ck_assert_str_eq(ASK(other, XS_SET_PERMS, "/local/domain/5/mine|n6|"),
                     "!EACCES");
    ck_assert_str_eq(ASK(guest, XS_SET_PERMS, "mine|"), "!EINVAL");
    ck_assert_str_eq(ASK(guest, XS_SET_PERMS, "mine|x5|"), "!EINVAL");
    ck_assert_str_eq(ASK(guest, XS_SET_PERMS, "mine|n99999|"), "!EINVAL");
    ck_assert_str_eq(ASK(guest, XS_SET_PERMS, "mine|n5"), "!EINVAL");
}
END_TEST

START_TEST(test_store_dom0_requests_are_refused_to_guests)
{
    ck_assert_str_eq(ASK(guest, XS_INTRODUCE, "7|1|1|"), "!EACCES");
    ck_assert_str_eq(ASK(guest, XS_RELEASE, "6|"), "!EACCES");
    ck_assert_str_eq(ASK(guest, XS_RESUME, "6|"), "!EACCES");
    ck_assert_str_eq(ASK(guest, XS_SET_TARGET, "5|6|"), "!EACCES");
    ck_assert_str_eq(ASK(guest, XS_CONTROL, "check|"), "!EACCES");
}
END_TEST

START_TEST(test_store_domains_are_introduced_and_released)
{
    ck_assert_str_eq(ASK(guest, XS_GET_DOMAIN_PATH, "7|"), "/local/domain/7");
    ck_assert_str_eq(ASK(program, XS_IS_DOMAIN_INTRODUCED, "5|"), "T");
    ck_assert_str_eq(ASK(program, XS_IS_DOMAIN_INTRODUCED, "7|"), "F");
    ck_assert_str_eq(ASK(program, XS_RELEASE, "7|"), "!ENOENT");
    ck_assert_str_eq(ASK(program, XS_INTRODUCE, "0|1|1|"), "!EINVAL");
    ck_assert_str_eq(ASK(program, XS_INTRODUCE, "40000|1|1|"), "!EINVAL");
    ck_assert_str_eq(ASK(program, XS_INTRODUCE, "5|4096|5|"), "OK");
    ck_assert_ptr_eq(e->domains[5], guest);
    ck_assert_str_eq(ASK(program, XS_RELEASE, "5|"), "OK");
    ck_assert_ptr_null(e->domains[5]);
}
END_TEST

START_TEST(test_store_id_of_a_dead_domain_opens_nothing)
{
    client_write(e, program, 0, "/shared", "v");
    ASK(program, XS_SET_PERMS, "/shared|n0|r5|r6|");
    client_write(e, guest, 0, "mine", "v");
    ASK(program, XS_RELEASE, "5|");
    guest = client_domain(e, 5);
    ck_assert_str_eq(ASK(guest, XS_READ, "/shared|"), "!EACCES");
    ck_assert_str_eq(ASK(program, XS_GET_PERMS, "/shared|"), "n0|r6");
    ck_assert_str_eq(ASK(program, XS_GET_PERMS, "/local/domain/5/mine|"), "n0");
}
END_TEST

START_TEST(test_store_target_lends_its_rights)
{
    client_write(e, other, 0, "x", "v");
    ck_assert_str_eq(ASK(guest, XS_READ, "/local/domain/6/x|"), "!EACCES");
    ck_assert_str_eq(ASK(program, XS_SET_TARGET, "5|6|"), "OK");
    ck_assert_str_eq(ASK(guest, XS_READ, "/local/domain/6/x|"), "v");
    ASK(program, XS_RELEASE, "6|");
    client_domain(e, 6);
    ck_assert_str_eq(ASK(guest, XS_READ, "/local/domain/6/x|"), "!EACCES");
}
END_TEST

/* Reads a long list in parts, as clients do. */
static unsigned count_in_parts(const char *path)
{
    char fields[128], body[128];
    unsigned count = 0, offset = 0;

    for (;;) {
        const struct client_answer *answer;
        const char *at, *end;

        snprintf(fields, sizeof(fields), "%s|%u|", path, offset);
        answer = client_send(e, program, XS_DIRECTORY_PART, 0, body,
                             client_fields(fields, body));
        ck_assert_uint_eq(answer->type, XS_DIRECTORY_PART);
        at = answer->body + strlen(answer->body) + 1;
        end = answer->body + answer->size;
        for (; at < end && *at; at += strlen(at) + 1) {
            count++;
            offset += (unsigned)strlen(at) + 1;
        }
        if (at < end)
            return count;
    }
}

START_TEST(test_store_long_directories_come_in_parts)
{
    char path[64];

    for (unsigned i = 0; i < 1000; i++) {
        snprintf(path, sizeof(path), "/many/node-%u", i);
        client_write(e, program, 0, path, "");
    }
    ck_assert_str_eq(ASK(program, XS_DIRECTORY, "/many|"), "!E2BIG");
    ck_assert_uint_eq(count_in_parts("/many"), 1000);
    ck_assert_uint_eq(count_in_parts("/many/node-7"), 0);
    ck_assert_str_eq(ASK(program, XS_DIRECTORY_PART, "/many|3|"), "!EINVAL");
    ck_assert_str_eq(ASK(program, XS_DIRECTORY_PART, "/many|x|"), "!EINVAL");
}
END_TEST

START_TEST(test_store_special_nodes_have_permissions_only)
{
    ck_assert_str_eq(ASK(program, XS_GET_PERMS, "@releaseDomain|"), "n0");
    ck_assert_str_eq(ASK(program, XS_SET_PERMS, "@releaseDomain|n0|r5|"), "OK");
    ck_assert_str_eq(ASK(program, XS_GET_PERMS, "@releaseDomain|"), "n0|r5");
    ck_assert_str_eq(client_write(e, program, 0, "@releaseDomain", "x"),
                     "!EINVAL");
    ck_assert_str_eq(ASK(program, XS_RM, "@releaseDomain|"), "!EINVAL");
    ck_assert_str_eq(ASK(program, XS_DIRECTORY, "@releaseDomain|"), "!EINVAL");
    ck_assert_str_eq(ASK(program, XS_DIRECTORY, "/|"), "tool|local");
}
END_TEST

START_TEST(test_store_control_checks_and_explains)
{
    ck_assert_ptr_nonnull(strstr(ASK(program, XS_CONTROL, "help|"), "quota"));
    ck_assert_ptr_nonnull(strstr(ASK(program, XS_CONTROL, "check|"), "OK"));
    ck_assert_str_eq(ASK(program, XS_CONTROL, "nonsense|"), "!EINVAL");
    ck_assert_str_eq(ASK(program, XS_CONTROL, ""), "!EINVAL");
    ck_assert_str_eq(ASK(program, XS_CONTROL, "quota|nodes|7|"), "OK");
    ck_assert_str_eq(ASK(program, XS_CONTROL, "quota|nodes|8x|"), "!EINVAL");
    ck_assert_uint_eq(e->quotas.limits[QUOTA_NODES], 7);
    ck_assert_ptr_nonnull(strstr(ASK(program, XS_CONTROL, "quota|5|"), "used"));
    ASK(program, XS_CONTROL, "log|on|");
    client_log_lines = 0;
    ASK(program, XS_READ, "/|");
    ck_assert_uint_eq(client_log_lines, 1);
    ck_assert_ptr_nonnull(strstr(client_log_line, "read"));
}
END_TEST

/* What a command costs: names looked at, and bytes for the journal. */
struct cost {
    uint64_t steps, journal;
};

static void command_do(struct command *command, struct cost *cost)
{
    uint64_t before = e->tree.names.steps + e->watches.names.steps;
    struct bytes record = {NULL, 0, 0};

    engine_apply(e, command);
    command_save(command, &record);
    cost->steps += e->tree.names.steps + e->watches.names.steps - before;
    cost->journal += record.used;
    bytes_free(&record);
}

/* A request about a domain: %u is its number. */
static void ask_about(domid_t domain, uint32_t type, uint32_t tx,
                      const char *format, struct cost *cost)
{
    char fields[128];
    uint8_t bytes[MESSAGE_MAX];
    struct xsd_sockmsg head = {type, 1, tx, 0};
    struct command command = {
        .kind = COMMAND_MESSAGE, .connection = program->id, .bytes = bytes};

    snprintf(fields, sizeof(fields), format, domain);
    head.len = (uint32_t)client_fields(fields, (char *)bytes + sizeof(head));
    memcpy(bytes, &head, sizeof(head));
    command.size = sizeof(head) + head.len;
    command_do(&command, cost);
}

/* All that is said of a domain when it is made. */
static struct cost create_domain(domid_t domain)
{
    static const char *const nodes[] = {"name",
                                        "domid",
                                        "vm",
                                        "memory/target",
                                        "memory/static-max",
                                        "cpu/0/availability",
                                        "control/shutdown",
                                        "store/port",
                                        "store/ring-ref",
                                        "console/port",
                                        "console/ring-ref",
                                        "console/tty",
                                        "device/vbd/51712/backend",
                                        "device/vif/0/backend",
                                        "data"};
    struct cost cost = {0, 0};
    uint32_t tx = program->last_tx + 1;
    char fields[64];

    ask_about(domain, XS_INTRODUCE, 0, "%u|4096|7|", &cost);
    ask_about(domain, XS_TRANSACTION_START, 0, "|", &cost);
    for (unsigned i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++) {
        snprintf(fields, sizeof(fields), "/local/domain/%%u/%s|value",
                 nodes[i]);
        ask_about(domain, XS_WRITE, tx, fields, &cost);
    }
    ask_about(domain, XS_TRANSACTION_END, tx, "T|", &cost);
    ask_about(domain, XS_SET_PERMS, 0, "/local/domain/%1$u|n0|r%1$u|", &cost);
    ask_about(domain, XS_WATCH, 0, "/local/domain/%u/console|console|", &cost);
    ask_about(domain, XS_WATCH, 0, "/local/domain/%u/name|console|", &cost);
    ck_assert_ptr_nonnull(e->domains[domain]);
    engine_apply(e, &(struct command){.kind = COMMAND_PUBLISHED,
                                      .connection = program->id,
                                      .number = (uint32_t)program->out_size});
    return cost;
}

START_TEST(test_store_thousandth_domain_costs_what_the_first_did)
{
    struct cost first = create_domain(1001), last;

    for (domid_t domain = 1002; domain < 2001; domain++)
        last = create_domain(domain);
    ck_assert_str_eq(ASK(program, XS_READ, "/local/domain/2000/name|"),
                     "value");
    ck_assert_uint_eq(last.journal, first.journal);
    /* Where in the hash tables names lie is a matter of luck. */
    ck_assert_uint_lt(last.steps, first.steps * 2);
}
END_TEST

Suite *store_requests_suite(void)
{
    Suite *suite = suite_create("store requests");
    TCase *tc = tcase_create("requests");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, test_store_write_makes_missing_parents);
    tcase_add_test(tc, test_store_write_keeps_zero_bytes_of_values);
    tcase_add_test(tc, test_store_mkdir_keeps_an_existing_value);
    tcase_add_test(tc, test_store_rm_takes_all_below);
    tcase_add_test(tc, test_store_rm_of_a_missing_node_needs_a_parent);
    tcase_add_test(tc, test_store_relative_paths_are_below_home);
    tcase_add_test(tc, test_store_bad_paths_are_refused);
    tcase_add_test(tc, test_store_unknown_requests_are_enosys);
    tcase_add_test(tc, test_store_guest_sees_nothing_of_others);
    tcase_add_test(tc, test_store_permissions_are_honoured);
    tcase_add_test(tc, test_store_set_perms_is_the_owners);
    tcase_add_test(tc, test_store_dom0_requests_are_refused_to_guests);
    tcase_add_test(tc, test_store_domains_are_introduced_and_released);
    tcase_add_test(tc, test_store_id_of_a_dead_domain_opens_nothing);
    tcase_add_test(tc, test_store_target_lends_its_rights);
    tcase_add_test(tc, test_store_long_directories_come_in_parts);
    tcase_add_test(tc, test_store_special_nodes_have_permissions_only);
    tcase_add_test(tc, test_store_control_checks_and_explains);
    tcase_add_test(tc, test_store_thousandth_domain_costs_what_the_first_did);
    suite_add_tcase(suite, tc);
    return suite;
}
