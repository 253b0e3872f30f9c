/* SPDX-License-Identifier: MIT */
/* Rings: traffic, hostile domains, and a daemon that starts again. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store_served.h"
#include "store_suites.h"

START_TEST(test_store_ring_carries_requests)
{
    ck_assert_str_eq(served_ask(1, XS_WRITE, "x\0value", 7), "OK");
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
    ck_assert_str_eq(served_ask(0, XS_WRITE, fields, sizeof(fields)), "OK");
    value = ASK(0, XS_READ, "/big");
    ck_assert_uint_eq(strlen(value), sizeof(fields) - 5);
}
END_TEST

START_TEST(test_store_ring_waits_for_the_rest_of_a_message)
{
    uint8_t request[64], answer[64];
    size_t size = served_make(request, XS_READ, 9, "/tool", 6);

    for (size_t i = 0; i < size; i++) {
        ck_assert_uint_eq(guest_read(&guests[0], answer, sizeof(answer)), 0);
        ck_assert_uint_eq(guest_write(&guests[0], request + i, 1), 1);
        served_turn();
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
    size_t size = served_make(request, XS_READ, 0, "x", 2), got = 0, n;
    unsigned asked = 0, answered = 0;

    served_ask(1, XS_WRITE, "x\0value", 7);
    server.engine->quotas.limits[QUOTA_REQUESTS] = 500;
    while (store_ring_writable(&guests[1].ring) >= (int)size) {
        guest_write(&guests[1], request, size);
        asked++;
        served_turn();
    }
    ck_assert_uint_le(server.engine->domains[1]->out_size, 521);
    ck_assert_uint_gt(
        quota_account(&server.engine->quotas, 1)->refusals[QUOTA_REQUESTS], 0);
    ck_assert_str_eq(ASK(2, XS_READ, "x"), "ENOENT");
    do {
        n = guest_read(&guests[1], in + got, 21 - got);
        got = got + n == 21 ? (answered++, 0) : got + n;
        served_turn();
    } while (n || answered < asked);
    ck_assert_uint_eq(answered, asked);
}
END_TEST

static void expect_broken(unsigned domain, uint32_t error)
{
    fake_world_kick(world);
    served_turn();
    ck_assert_uint_eq(world->pages[domain]->error, error);
    ck_assert(server.engine->domains[domain]->is_broken);
    ck_assert_str_eq(served_ask(2, XS_WRITE, "y\0value", 7), "OK");
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

    guest_write(&guests[1], request, served_make(request, XS_READ, 9, "x", 2));
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
    served_turn();
    ck_assert_str_eq(served_ask(2, XS_WRITE, "y\0value", 7), "OK");
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
    served_turn();
    ck_assert_uint_eq(world->pages[1]->connection, XENSTORE_CONNECTED);
    ck_assert_uint_eq(world->pages[1]->error, XENSTORE_ERROR_NONE);
    guest_begin(&guests[1], world, 1);
    ck_assert_str_eq(served_ask(1, XS_WRITE, "x\0value", 7), "OK");
    ck_assert(TAILQ_EMPTY(&server.engine->domains[1]->watches));
}
END_TEST

START_TEST(test_store_ring_of_a_dead_domain_is_let_go)
{
    unsigned before = world->attached;

    world->states[1] = DOMAIN_IS_GONE;
    fake_world_kick(world);
    served_turn();
    ck_assert_ptr_null(server.engine->domains[1]);
    ck_assert_uint_eq(world->attached, before - 1);
    ck_assert_str_eq(served_ask(0, XS_INTRODUCE, "1\0004096\0007", 9),
                     "EINVAL");
}
END_TEST

START_TEST(test_store_ring_goes_on_after_a_restart)
{
    uint8_t request[128], answer[2048];
    size_t size = served_make(request, XS_READ, 9, "x", 2), got;

    served_ask(1, XS_WRITE, "x\0value", 7);
    ASK(1, XS_WATCH, "w\0token");
    guest_read(&guests[1], answer, sizeof(answer));
    guest_write(&guests[1], request, 10);
    served_turn();
    server_end(&server);
    guest_write(&guests[1], request + 10, size - 10);
    served_begin();
    served_turn();
    ck_assert_uint_eq(guest_read(&guests[1], answer, sizeof(answer)), 21);
    ck_assert_mem_eq(answer + 16, "value", 5);
    /* The watch is still there. */
    served_ask(0, XS_WRITE, "/local/domain/1/w\0v", 19);
    served_turn();
    got = guest_read(&guests[1], answer, sizeof(answer));
    ck_assert_uint_eq(got, 16 + sizeof("w\0token"));
    ck_assert_mem_eq(answer + 16, "w\0token", sizeof("w\0token"));
}
END_TEST

START_TEST(test_store_ring_of_a_domain_that_died_meanwhile_is_released)
{
    server_end(&server);
    world->states[1] = DOMAIN_IS_GONE;
    served_begin();
    ck_assert_ptr_null(server.engine->domains[1]);
    ck_assert_ptr_nonnull(server.engine->domains[2]);
    ck_assert_str_eq(ASK(0, XS_IS_DOMAIN_INTRODUCED, "1"), "F");
}
END_TEST

/* Fills a ring with the same request again and again. How many. */
static unsigned fill_ring(unsigned domain, uint32_t type, const char *body,
                          size_t size, unsigned most)
{
    uint8_t request[64];
    size_t whole = served_make(request, type, 1, body, size);
    unsigned count = 0;

    while (count < most &&
           store_ring_writable(&guests[domain].ring) >= (int)whole) {
        guest_write(&guests[domain], request, whole);
        count++;
    }
    return count;
}

/* dom0's kernel releases a domain whose own requests are in line after it. */
START_TEST(test_store_ring_may_be_released_by_another)
{
    unsigned attached = world->attached;

    fill_ring(0, XS_READ, "/a", 3, 20);
    fill_ring(0, XS_RELEASE, "1", 2, 1);
    fill_ring(1, XS_READ, "x", 2, 40);
    served_turn();
    ck_assert_ptr_null(server.engine->domains[1]);
    ck_assert_uint_eq(world->attached, attached - 1);
    ck_assert_str_eq(served_ask(2, XS_WRITE, "y\0value", 7), "OK");
}
END_TEST

/* Who asks much waits for who asks little. */
START_TEST(test_store_ring_full_of_requests_takes_its_turn)
{
    struct error e;
    uint32_t before;

    served_turn();
    before = guests[1].ring.out;
    ck_assert_uint_ge(fill_ring(1, XS_READ, "x", 2, 1000), 40);
    fill_ring(2, XS_READ, "x", 2, 1);
    ck_assert_int_eq(server_turn(&server, 0, &e), 0);
    ck_assert_int_gt(store_ring_readable(&guests[2].ring), 0);
    /* It has not even half of its answers. */
    ck_assert_uint_lt(world->pages[1]->req_cons - before, 20 * 18);
    served_turn();
    ck_assert_int_gt(store_ring_readable(&guests[1].ring), 40 * 16);
}
END_TEST

static off_t journal_size(void)
{
    char file[128];
    struct stat status;

    snprintf(file, sizeof(file), "%s/store.journal", served_directory);
    ck_assert_int_eq(stat(file, &status), 0);
    return status.st_size;
}

START_TEST(test_store_ring_storm_of_events_costs_no_journal)
{
    uint64_t notified;
    off_t before;

    served_turn();
    ck_assert_int_eq(read(world->to_domain[1], &notified, 8), 8);
    before = journal_size();
    for (unsigned i = 0; i < 1000; i++) {
        fake_world_kick(world);
        served_turn();
    }
    ck_assert_int_eq(journal_size(), before);
    /* Nor does the daemon answer a storm with one of its own. */
    ck_assert_int_eq(read(world->to_domain[1], &notified, 8), -1);
}
END_TEST

/* Writes into a page whatever may hurt, until it is killed. */
static void scribble(struct xenstore_domain_interface *page)
{
    uint32_t *const indexes[] = {&page->req_prod, &page->rsp_cons,
                                 &page->req_cons, &page->rsp_prod,
                                 &page->connection};
    unsigned seed = 1;

    for (;;) {
        uint32_t *index = indexes[(unsigned)rand_r(&seed) % 5];
        struct xsd_sockmsg *head =
            (void *)&page->req[(unsigned)rand_r(&seed) % 63 * 16];

        head->type = (uint32_t)rand_r(&seed) % 24;
        head->len = (uint32_t)rand_r(&seed) % 64 ? 4 : 5000;
        *(volatile uint32_t *)index += (uint32_t)rand_r(&seed) % 3 ? 20 : 0;
        if (rand_r(&seed) % 64 == 0)
            *(volatile uint32_t *)index = (uint32_t)rand_r(&seed);
        if (rand_r(&seed) % 16 == 0)
            page->connection = XENSTORE_RECONNECT;
    }
}

START_TEST(test_store_ring_that_changes_while_it_is_read_harms_nobody)
{
    pid_t hostile = fork();
    struct error e;

    if (!hostile)
        scribble(world->pages[1]);
    for (unsigned i = 0; i < 300; i++) {
        for (unsigned k = 0; k < 50; k++) {
            fake_world_kick(world);
            ck_assert_int_eq(server_turn(&server, 0, &e), 0);
        }
        ck_assert_str_eq(served_ask(2, XS_WRITE, "y\0value", 7), "OK");
        ck_assert_str_eq(ASK(2, XS_READ, "y"), "value");
    }
    kill(hostile, SIGKILL);
    waitpid(hostile, NULL, 0);
    /* And it may come back. */
    world->pages[1]->connection = XENSTORE_RECONNECT;
    fake_world_kick(world);
    served_turn();
    guest_begin(&guests[1], world, 1);
    ck_assert_str_eq(served_ask(1, XS_WRITE, "x\0value", 7), "OK");
}
END_TEST

START_TEST(test_store_ends_when_it_can_hear_no_more)
{
    struct error e;

    world->is_deaf = true;
    fake_world_kick(world);
    ck_assert_int_eq(server_turn(&server, 0, &e), -1);
    ck_assert_str_eq(e.what, "can't hear");
}
END_TEST

static int connect_program(int fd)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    snprintf(address.sun_path, sizeof(address.sun_path), "%s", served_socket);
    return connect(fd, (struct sockaddr *)&address, sizeof(address));
}

START_TEST(test_store_refuses_programs_beyond_its_descriptors)
{
    int fds[] = {socket(AF_UNIX, SOCK_STREAM, 0),
                 socket(AF_UNIX, SOCK_STREAM, 0)};
    struct rlimit limit;
    char byte;

    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    /* Room for one more. */
    limit.rlim_cur = (rlim_t)dup(fds[1]) + 1;
    close((int)limit.rlim_cur - 1);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    ck_assert_int_eq(connect_program(fds[0]) | connect_program(fds[1]), 0);
    served_turn();
    ck_assert_int_eq(recv(fds[0], &byte, 1, MSG_DONTWAIT), -1);
    ck_assert_int_eq(recv(fds[1], &byte, 1, MSG_DONTWAIT), 0);
    ck_assert_str_eq(ASK(2, XS_READ, "/tool"), "EACCES");
    close(fds[0]);
    close(fds[1]);
    served_turn();
}
END_TEST

START_TEST(test_store_socket_is_for_root_alone)
{
    struct stat status;

    server_end(&server);
    umask(0);
    served_begin();
    ck_assert_int_eq(stat(served_socket, &status), 0);
    ck_assert_uint_eq(status.st_mode & 0777, 0600);
    served_turn();
    ck_assert_uint_eq(journal_size() > 0, 1);
}
END_TEST

/* More events wait than the ring holds, and half a request is there. */
START_TEST(test_store_ring_gets_all_events_across_a_restart)
{
    char fields[64], wanted[64];
    uint8_t in[64];

    ASK(1, XS_WATCH, "w\0token");
    served_turn();
    guest_read(&guests[1], in, 16 + 8);
    for (unsigned i = 100; i < 200; i++) {
        int size = snprintf(fields, sizeof(fields), "/local/domain/1/w/%u", i);

        ck_assert_str_eq(served_ask(0, XS_WRITE, fields, (size_t)size + 1),
                         "OK");
        if (i == 150) {
            server_end(&server);
            served_begin();
        }
    }
    for (unsigned i = 100; i < 200; i++) {
        size_t size = (size_t)snprintf(wanted, sizeof(wanted), "w/%u", i) + 1 +
                      sizeof("token");
        size_t got = 0;

        memcpy(wanted + size - sizeof("token"), "token", sizeof("token"));
        for (unsigned tries = 0; tries < 100 && got < 16 + size; tries++) {
            got += guest_read(&guests[1], in + got, 16 + size - got);
            served_turn();
        }
        ck_assert_uint_eq(got, 16 + size);
        ck_assert_mem_eq(in + 16, wanted, size);
    }
    ck_assert_uint_eq(guest_read(&guests[1], in, 1), 0);
}
END_TEST

Suite *store_ring_suite(void)
{
    Suite *suite = suite_create("store rings");
    TCase *tc = tcase_create("rings");

    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, served_setup, served_teardown);
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
    tcase_add_test(tc, test_store_ring_may_be_released_by_another);
    tcase_add_test(tc, test_store_ring_full_of_requests_takes_its_turn);
    tcase_add_test(tc, test_store_ring_storm_of_events_costs_no_journal);
    tcase_add_test(tc,
                   test_store_ring_that_changes_while_it_is_read_harms_nobody);
    tcase_add_test(tc, test_store_ring_gets_all_events_across_a_restart);
    tcase_add_test(tc, test_store_ends_when_it_can_hear_no_more);
    tcase_add_test(tc, test_store_refuses_programs_beyond_its_descriptors);
    tcase_add_test(tc, test_store_socket_is_for_root_alone);
    suite_add_tcase(suite, tc);
    return suite;
}
