/* SPDX-License-Identifier: MIT */
/* Rings: traffic, hostile domains, and a daemon that starts again. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store_suites.h"
#include "store_world.h"

static char directory[64], path[96];
static struct fake_world *world;
static struct server server;
static struct guest guests[WORLD_DOMAINS];

static void begin_server(void)
{
    struct error e = {.number = 0};
    struct server_options options = {.directory = directory,
                                     .socket = path,
                                     .world = &world->world,
                                     .stop_fd = -1};

    ck_assert_msg(!server_begin(&server, &options, &e), "%s: %s", e.what,
                  e.why);
}

/* Lets the daemon do all it can. */
static void turn(void)
{
    struct error e;

    for (unsigned i = 0; i < 10; i++)
        ck_assert_int_eq(server_turn(&server, 0, &e), 0);
}

/* One request as dom0's kernel would make it. */
static size_t make(uint8_t *out, uint32_t type, uint32_t req_id,
                   const void *body, size_t size)
{
    struct xsd_sockmsg head = {type, req_id, 0, (uint32_t)size};

    memcpy(out, &head, sizeof(head));
    if (size)
        memcpy(out + sizeof(head), body, size);
    return sizeof(head) + size;
}

/* Writes and reads until all is said and an answer is there. */
static void exchange(unsigned domain, const uint8_t *request, size_t size,
                     struct xsd_sockmsg *head, char *body)
{
    struct guest *g = &guests[domain];
    uint8_t in[MESSAGE_MAX];
    size_t done = 0, got = 0;

    for (unsigned tries = 0; tries < 100; tries++) {
        done += guest_write(g, request + done, size - done);
        turn();
        got +=
            guest_read(g, in + got,
                       got < sizeof(*head) ? sizeof(*head) - got
                                           : sizeof(*head) + head->len - got);
        if (got >= sizeof(*head))
            memcpy(head, in, sizeof(*head));
        if (got >= sizeof(*head) && got == sizeof(*head) + head->len) {
            memcpy(body, in + sizeof(*head), head->len);
            body[head->len] = '\0';
            return;
        }
    }
    ck_abort_msg("no answer");
}

static const char *ask(unsigned domain, uint32_t type, const void *fields,
                       size_t size)
{
    static char body[XENSTORE_PAYLOAD_MAX + 1];
    static uint32_t req_id;
    uint8_t request[MESSAGE_MAX];
    struct xsd_sockmsg head;

    exchange(domain, request, make(request, type, ++req_id, fields, size),
             &head, body);
    ck_assert_uint_eq(head.req_id, req_id);
    return body;
}

#define ASK(domain, type, text) ask(domain, type, text, sizeof(text))

static void introduce(unsigned domain)
{
    char fields[64];
    int size =
        snprintf(fields, sizeof(fields), "%u%c4096%c7%c", domain, 0, 0, 0);

    ck_assert_str_eq(ask(0, XS_INTRODUCE, fields, (size_t)size), "OK");
    size = snprintf(fields, sizeof(fields), "/local/domain/%u%c", domain, 0);
    ck_assert_str_eq(ask(0, XS_MKDIR, fields, (size_t)size), "OK");
    size = snprintf(fields, sizeof(fields), "/local/domain/%u%cn%u%c", domain,
                    0, domain, 0);
    ck_assert_str_eq(ask(0, XS_SET_PERMS, fields, (size_t)size), "OK");
}

static void setup(void)
{
    ck_assert_ptr_nonnull(freopen("/dev/null", "w", stderr));
    snprintf(directory, sizeof(directory), "/tmp/store-ring-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(directory));
    snprintf(path, sizeof(path), "%s/socket", directory);
    world = fake_world_begin();
    for (unsigned i = 0; i < WORLD_DOMAINS; i++)
        guest_begin(&guests[i], world, i);
    begin_server();
    introduce(1);
    introduce(2);
}

static void teardown(void)
{
    char file[128];

    server_end(&server);
    ck_assert_uint_eq(world->attached, 0);
    fake_world_end(world);
    snprintf(file, sizeof(file), "%s/store.journal", directory);
    unlink(file);
    unlink(path);
    rmdir(directory);
}

START_TEST(test_store_ring_carries_requests)
{
    ck_assert_str_eq(ask(1, XS_WRITE, "x\0value", 7), "OK");
    ck_assert_str_eq(ASK(1, XS_READ, "x"), "value");
    ck_assert_str_eq(ASK(2, XS_READ, "x"), "ENOENT");
    ck_assert_uint_eq(world->pages[1]->server_features, 3);
}
END_TEST

START_TEST(test_store_ring_carries_messages_larger_than_itself)
{
    char fields[XENSTORE_PAYLOAD_MAX];
    const char *value;

    memset(fields, 'v', sizeof(fields));
    memcpy(fields, "/big", 5);
    ck_assert_str_eq(ask(0, XS_WRITE, fields, sizeof(fields)), "OK");
    value = ASK(0, XS_READ, "/big");
    ck_assert_uint_eq(strlen(value), sizeof(fields) - 5);
}
END_TEST

START_TEST(test_store_ring_waits_for_the_rest_of_a_message)
{
    uint8_t request[64], answer[64];
    size_t size = make(request, XS_READ, 9, "/tool", 6);

    for (size_t i = 0; i < size; i++) {
        ck_assert_uint_eq(guest_read(&guests[0], answer, sizeof(answer)), 0);
        ck_assert_uint_eq(guest_write(&guests[0], request + i, 1), 1);
        turn();
        /* Linux tells of more only if its ring was empty. */
        ck_assert_uint_eq(world->pages[0]->req_cons, world->pages[0]->req_prod);
    }
    ck_assert_uint_eq(guest_read(&guests[0], answer, sizeof(answer)), 16);
}
END_TEST

/* A guest that asks and asks and takes no answer. */
START_TEST(test_store_ring_holds_who_takes_no_answers)
{
    uint8_t request[64], in[32];
    size_t size = make(request, XS_READ, 0, "x", 2), got = 0, n;
    unsigned asked = 0, answered = 0;

    ask(1, XS_WRITE, "x\0value", 7);
    server.engine->quotas.limits[QUOTA_REQUESTS] = 500;
    while (store_ring_writable(&guests[1].ring) >= (int)size) {
        guest_write(&guests[1], request, size);
        asked++;
        turn();
    }
    ck_assert_uint_le(server.engine->domains[1]->out_size, 521);
    ck_assert_str_eq(ASK(2, XS_READ, "x"), "ENOENT");
    do {
        n = guest_read(&guests[1], in + got, 21 - got);
        got = got + n == 21 ? (answered++, 0) : got + n;
        turn();
    } while (n || answered < asked);
    ck_assert_uint_eq(answered, asked);
}
END_TEST

static void expect_broken(unsigned domain, uint32_t error)
{
    fake_world_kick(world);
    turn();
    ck_assert_uint_eq(world->pages[domain]->error, error);
    ck_assert(server.engine->domains[domain]->is_broken);
    ck_assert_str_eq(ask(2, XS_WRITE, "y\0value", 7), "OK");
    ck_assert_str_eq(ASK(2, XS_READ, "y"), "value");
}

START_TEST(test_store_ring_with_a_bad_request_index_is_disconnected)
{
    world->pages[1]->req_prod = world->pages[1]->req_cons + 1025;
    expect_broken(1, XENSTORE_ERROR_RINGIDX);
}
END_TEST

START_TEST(test_store_ring_with_a_bad_answer_index_is_disconnected)
{
    uint8_t request[64];

    guest_write(&guests[1], request, make(request, XS_READ, 9, "x", 2));
    world->pages[1]->rsp_cons = world->pages[1]->rsp_prod + 1;
    expect_broken(1, XENSTORE_ERROR_RINGIDX);
}
END_TEST

START_TEST(test_store_ring_with_a_huge_message_is_disconnected)
{
    struct xsd_sockmsg head = {XS_READ, 0, 0, XENSTORE_PAYLOAD_MAX + 1};

    guest_write(&guests[1], &head, sizeof(head));
    expect_broken(1, XENSTORE_ERROR_PROTO);
}
END_TEST

START_TEST(test_store_ring_page_of_noise_harms_nobody)
{
    srand((unsigned)_i);
    for (unsigned i = 0; i < 4096; i++)
        ((uint8_t *)world->pages[1])[i] = (uint8_t)rand();
    if (_i & 1)
        world->pages[1]->req_prod = server.engine->domains[1]->in + 900;
    fake_world_kick(world);
    turn();
    ck_assert_str_eq(ask(2, XS_WRITE, "y\0value", 7), "OK");
    ck_assert_str_eq(ASK(2, XS_READ, "y"), "value");
}
END_TEST

START_TEST(test_store_ring_starts_anew_when_the_domain_asks)
{
    ck_assert_str_eq(ASK(1, XS_WATCH, "w\0token"), "OK");
    world->pages[1]->req_prod += 5000;
    expect_broken(1, XENSTORE_ERROR_RINGIDX);
    world->pages[1]->connection = XENSTORE_RECONNECT;
    fake_world_kick(world);
    turn();
    ck_assert_uint_eq(world->pages[1]->connection, XENSTORE_CONNECTED);
    ck_assert_uint_eq(world->pages[1]->error, XENSTORE_ERROR_NONE);
    guest_begin(&guests[1], world, 1);
    ck_assert_str_eq(ask(1, XS_WRITE, "x\0value", 7), "OK");
    ck_assert(TAILQ_EMPTY(&server.engine->domains[1]->watches));
}
END_TEST

START_TEST(test_store_ring_of_a_dead_domain_is_let_go)
{
    unsigned before = world->attached;

    world->states[1] = DOMAIN_IS_GONE;
    fake_world_kick(world);
    turn();
    ck_assert_ptr_null(server.engine->domains[1]);
    ck_assert_uint_eq(world->attached, before - 1);
    ck_assert_str_eq(ask(0, XS_INTRODUCE, "1\0004096\0007", 9), "EINVAL");
}
END_TEST

START_TEST(test_store_ring_goes_on_after_a_restart)
{
    uint8_t request[128], answer[2048];
    size_t size = make(request, XS_READ, 9, "x", 2), got;

    ask(1, XS_WRITE, "x\0value", 7);
    ASK(1, XS_WATCH, "w\0token");
    guest_read(&guests[1], answer, sizeof(answer));
    guest_write(&guests[1], request, 10);
    turn();
    server_end(&server);
    guest_write(&guests[1], request + 10, size - 10);
    begin_server();
    turn();
    ck_assert_uint_eq(guest_read(&guests[1], answer, sizeof(answer)), 21);
    ck_assert_mem_eq(answer + 16, "value", 5);
    /* The watch is still there. */
    ask(0, XS_WRITE, "/local/domain/1/w\0v", 19);
    turn();
    got = guest_read(&guests[1], answer, sizeof(answer));
    ck_assert_uint_eq(got, 16 + sizeof("w\0token"));
    ck_assert_mem_eq(answer + 16, "w\0token", sizeof("w\0token"));
}
END_TEST

START_TEST(test_store_ring_of_a_domain_that_died_meanwhile_is_released)
{
    server_end(&server);
    world->states[1] = DOMAIN_IS_GONE;
    begin_server();
    ck_assert_ptr_null(server.engine->domains[1]);
    ck_assert_ptr_nonnull(server.engine->domains[2]);
    ck_assert_str_eq(ASK(0, XS_IS_DOMAIN_INTRODUCED, "1"), "F");
}
END_TEST

Suite *store_ring_suite(void)
{
    Suite *suite = suite_create("store rings");
    TCase *tc = tcase_create("rings");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, test_store_ring_carries_requests);
    tcase_add_test(tc, test_store_ring_carries_messages_larger_than_itself);
    tcase_add_test(tc, test_store_ring_waits_for_the_rest_of_a_message);
    tcase_add_test(tc, test_store_ring_holds_who_takes_no_answers);
    tcase_add_test(tc,
                   test_store_ring_with_a_bad_request_index_is_disconnected);
    tcase_add_test(tc, test_store_ring_with_a_bad_answer_index_is_disconnected);
    tcase_add_test(tc, test_store_ring_with_a_huge_message_is_disconnected);
    tcase_add_loop_test(tc, test_store_ring_page_of_noise_harms_nobody, 0, 20);
    tcase_add_test(tc, test_store_ring_starts_anew_when_the_domain_asks);
    tcase_add_test(tc, test_store_ring_of_a_dead_domain_is_let_go);
    tcase_add_test(tc, test_store_ring_goes_on_after_a_restart);
    tcase_add_test(tc,
                   test_store_ring_of_a_domain_that_died_meanwhile_is_released);
    suite_add_tcase(suite, tc);
    return suite;
}
