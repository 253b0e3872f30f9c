/* SPDX-License-Identifier: MIT */
/* The journal: the same store after a restart, whatever happened. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dom0_tools/stored/journal.h"
#include "store_client.h"
#include "store_suites.h"

static char directory[64], file[96];
static struct engine *e;
static struct journal *journal;
static struct journal_report report;

static void open_journal(void)
{
    struct error error = {.number = 0};

    journal = journal_open(directory, &client_hooks, NULL, &e, &report, &error);
    ck_assert_msg(journal != NULL, "%s: %s", error.what, error.why);
}

static void setup(void)
{
    snprintf(directory, sizeof(directory), "/tmp/store-journal-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(directory));
    snprintf(file, sizeof(file), "%s/store.journal", directory);
    open_journal();
}

static void teardown(void)
{
    journal_close(journal);
    engine_end(e);
    unlink(file);
    ck_assert_int_eq(rmdir(directory), 0);
}

static struct connection *apply(struct command *command)
{
    struct connection *c = engine_apply(e, command);

    journal_add(journal, command);
    return c;
}

static void send_to(struct connection *c, uint32_t type, uint32_t tx,
                    const char *fields)
{
    uint8_t bytes[MESSAGE_MAX];
    struct xsd_sockmsg head = {type, 1, tx, 0};
    struct command command = {
        .kind = COMMAND_MESSAGE, .connection = c->id, .bytes = bytes};

    head.len = (uint32_t)client_fields(fields, (char *)bytes + sizeof(head));
    memcpy(bytes, &head, sizeof(head));
    command.size = sizeof(head) + head.len;
    apply(&command);
}

static struct bytes image_of(const struct engine *engine)
{
    struct bytes image = {NULL, 0, 0};

    image_save(engine, &image);
    return image;
}

/* Ends the journal as a kill would, and starts again. */
static void restart(bool is_flushed)
{
    if (is_flushed)
        ck_assert_int_eq(journal_flush(journal, e), 0);
    journal_close(journal);
    engine_end(e);
    open_journal();
}

static void expect_image(struct bytes *before)
{
    struct bytes after = image_of(e);
    size_t at = 0;

    while (at < after.used && at < before->used &&
           after.data[at] == before->data[at])
        at++;
    ck_assert_msg(at == after.used && at == before->used,
                  "images of %zu and %zu bytes differ at %zu", before->used,
                  after.used, at);
    bytes_free(&after);
    bytes_free(before);
}

static struct connection *program, *guest;

/* A store with something of everything. */
static void fill(void)
{
    program = apply(&(struct command){.kind = COMMAND_OPEN});
    send_to(program, XS_INTRODUCE, 0, "5|4096|5|");
    guest = e->domains[5];
    send_to(program, XS_WRITE, 0, "/local/domain/5/x|value");
    send_to(program, XS_SET_PERMS, 0, "/local/domain/5|n5|r6|");
    send_to(program, XS_WATCH, 0, "/local|t|");
    send_to(program, XS_WATCH, 0, "@releaseDomain|t|");
    send_to(guest, XS_WATCH, 0, "device|t|");
    send_to(guest, XS_TRANSACTION_START, 0, "|");
    send_to(guest, XS_WRITE, 1, "device/vbd/0|new");
    send_to(guest, XS_READ, 1, "x|");
    send_to(guest, XS_RM, 1, "y|");
    apply(&(struct command){.kind = COMMAND_PARTIAL,
                            .connection = guest->id,
                            .bytes = (const uint8_t *)"half",
                            .size = 4});
    apply(&(struct command){
        .kind = COMMAND_PUBLISHED, .connection = guest->id, .number = 7});
    apply(&(struct command){.kind = COMMAND_SHUTDOWN, .number = 5});
}

START_TEST(test_store_journal_new_directory_has_an_empty_store)
{
    ck_assert(report.is_new);
    ck_assert_ptr_nonnull(tree_find(&e->tree, "/tool/xenstored"));
}
END_TEST

START_TEST(test_store_journal_replays_commands)
{
    struct bytes before;

    ck_assert_int_eq(journal_flush(journal, e), 0);
    fill();
    before = image_of(e);
    restart(true);
    ck_assert(!report.is_new);
    ck_assert_uint_gt(report.commands, 10);
    ck_assert_uint_eq(report.dropped, 0);
    expect_image(&before);
}
END_TEST

START_TEST(test_store_journal_image_has_everything)
{
    struct bytes before;

    fill();
    before = image_of(e);
    restart(true);
    ck_assert_uint_eq(report.commands, 0);
    expect_image(&before);
    /* The transaction goes on, and what it did is still its own. */
    guest = e->domains[5];
    ck_assert_uint_eq(guest->partial.used, 4);
    send_to(guest, XS_TRANSACTION_END, 1, "T|");
    ck_assert_ptr_nonnull(tree_find(&e->tree, "/local/domain/5/device/vbd/0"));
}
END_TEST

START_TEST(test_store_journal_drops_an_unfinished_record)
{
    struct bytes before;
    uint64_t whole;

    ck_assert_int_eq(journal_flush(journal, e), 0);
    fill();
    ck_assert_int_eq(journal_flush(journal, e), 0);
    before = image_of(e);
    send_to(program, XS_WRITE, 0, "/late|value");
    ck_assert_int_eq(journal_flush(journal, e), 0);
    restart(false);
    whole = report.commands;
    ck_assert_ptr_nonnull(tree_find(&e->tree, "/late"));
    ck_assert_int_eq(
        truncate(file, lseek(open(file, O_RDONLY), 0, SEEK_END) - 1 - _i), 0);
    restart(false);
    ck_assert_uint_eq(report.commands, whole - 1);
    ck_assert_uint_gt(report.dropped, 0);
    expect_image(&before);
}
END_TEST

START_TEST(test_store_journal_of_another_boot_is_not_read)
{
    int fd;

    fill();
    ck_assert_int_eq(journal_flush(journal, e), 0);
    fd = open(file, O_WRONLY);
    ck_assert_int_eq(pwrite(fd, "somewhen", 8, 20), 8);
    close(fd);
    restart(false);
    ck_assert(report.is_new);
    ck_assert_ptr_null(e->domains[5]);
}
END_TEST

START_TEST(test_store_journal_damaged_image_is_refused)
{
    struct engine *none;
    struct error error;
    int fd;

    fill();
    ck_assert_int_eq(journal_flush(journal, e), 0);
    fd = open(file, O_WRONLY);
    ck_assert_int_eq(pwrite(fd, "X", 1, 200), 1);
    close(fd);
    journal_close(journal);
    engine_end(e);
    ck_assert_ptr_null(
        journal_open(directory, &client_hooks, NULL, &none, &report, &error));
    ck_assert_ptr_nonnull(strstr(error.why, "damaged"));
    unlink(file);
    open_journal();
}
END_TEST

START_TEST(test_store_journal_has_one_user)
{
    struct engine *none;
    struct error error;

    ck_assert_ptr_null(
        journal_open(directory, &client_hooks, NULL, &none, &report, &error));
    ck_assert_int_eq(error.status, EXIT_STATUS_BUSY);
}
END_TEST

START_TEST(test_store_journal_starts_anew_when_it_has_grown)
{
    char fields[2100];
    struct bytes before;

    program = apply(&(struct command){.kind = COMMAND_OPEN});
    memset(fields, 'x', sizeof(fields));
    memcpy(fields, "/grow|", 6);
    fields[sizeof(fields) - 1] = '\0';
    for (unsigned i = 0; i < 6000; i++) {
        send_to(program, XS_WRITE, 0, fields);
        ck_assert_int_eq(journal_flush(journal, e), 0);
    }
    before = image_of(e);
    ck_assert_int_lt(lseek(open(file, O_RDONLY), 0, SEEK_END), 6000 * 2000 / 2);
    restart(true);
    ck_assert_uint_lt(report.commands, 6000);
    expect_image(&before);
}
END_TEST

/* A request of any kind, some of them sensible. */
static void send_randomly(struct connection *c)
{
    static const char *const all[] = {"a|",       "a|1",
                                      "a/b|2",    "/local/domain/5/c|3",
                                      "/|",       "a/b|",
                                      "a|t|",     "a/b|t|",
                                      "a|n5|r6|", "T|",
                                      "F|",       "|",
                                      "5|",       "6|4096|7|",
                                      "6|",       "@releaseDomain|t|",
                                      "a|0|",     "/local/domain/6/a|"};
    static const uint32_t types[] = {XS_DIRECTORY,       XS_READ,
                                     XS_GET_PERMS,       XS_WATCH,
                                     XS_UNWATCH,         XS_TRANSACTION_START,
                                     XS_TRANSACTION_END, XS_INTRODUCE,
                                     XS_RELEASE,         XS_WRITE,
                                     XS_WRITE,           XS_WRITE,
                                     XS_MKDIR,           XS_RM,
                                     XS_SET_PERMS,       XS_SET_TARGET,
                                     XS_RESET_WATCHES,   XS_DIRECTORY_PART,
                                     XS_RESUME};

    send_to(c, types[(unsigned)rand() % (sizeof(types) / sizeof(types[0]))],
            (unsigned)rand() % 4,
            all[(unsigned)rand() % (sizeof(all) / sizeof(all[0]))]);
}

static void do_randomly(void)
{
    struct connection *c = TAILQ_FIRST(&e->connections);

    for (unsigned skip = (unsigned)rand() % 4; skip && c; skip--)
        c = TAILQ_NEXT(c, of_engine);
    if (!c || rand() % 20 == 0)
        c = apply(&(struct command){.kind = COMMAND_OPEN});
    if (rand() % 20 == 0)
        apply(&(struct command){.kind = c->is_ring ? COMMAND_RESTART_RING
                                                   : COMMAND_CLOSE,
                                .connection = c->id});
    else if (c->is_ring && rand() % 4 == 0)
        apply(&(struct command){.kind = COMMAND_PUBLISHED,
                                .connection = c->id,
                                .number = (unsigned)rand() % 40});
    else
        send_randomly(c);
}

START_TEST(test_store_journal_any_history_comes_back)
{
    struct bytes before;

    srand((unsigned)_i);
    ck_assert_int_eq(journal_flush(journal, e), 0);
    e->quotas.limits[QUOTA_NODES] = 12;
    e->quotas.limits[QUOTA_EVENTS] = 4;
    apply(&(struct command){
        .kind = COMMAND_LIMIT, .number = QUOTA_NODES, .frame = 12});
    apply(&(struct command){
        .kind = COMMAND_LIMIT, .number = QUOTA_EVENTS, .frame = 4});
    program = apply(&(struct command){.kind = COMMAND_OPEN});
    send_to(program, XS_INTRODUCE, 0, "5|4096|5|");
    send_to(program, XS_WRITE, 0, "/local/domain/5|");
    send_to(program, XS_SET_PERMS, 0, "/local/domain/5|n5|");
    for (unsigned i = 0; i < 400; i++) {
        do_randomly();
        if (rand() % 100 == 0)
            ck_assert_int_eq(journal_compact(journal, e), 0);
    }
    before = image_of(e);
    restart(true);
    expect_image(&before);
}
END_TEST

Suite *store_journal_suite(void)
{
    Suite *suite = suite_create("store journal");
    TCase *tc = tcase_create("journal");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, test_store_journal_new_directory_has_an_empty_store);
    tcase_add_test(tc, test_store_journal_replays_commands);
    tcase_add_test(tc, test_store_journal_image_has_everything);
    tcase_add_loop_test(tc, test_store_journal_drops_an_unfinished_record, 0,
                        30);
    tcase_add_test(tc, test_store_journal_of_another_boot_is_not_read);
    tcase_add_test(tc, test_store_journal_damaged_image_is_refused);
    tcase_add_test(tc, test_store_journal_has_one_user);
    tcase_add_test(tc, test_store_journal_starts_anew_when_it_has_grown);
    tcase_add_loop_test(tc, test_store_journal_any_history_comes_back, 0, 60);
    suite_add_tcase(suite, tc);
    return suite;
}
