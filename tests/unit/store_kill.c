/* SPDX-License-Identifier: MIT */
/*
 * The daemon dies at every single point of its work: at each system call,
 * before and after, and after each byte of its journal. The next one finds
 * what was acknowledged, and a request is done and answered once.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host/step_kill.h"
#include "store_served.h"
#include "store_suites.h"

/* Below this size a file of the journal is all image, or nearly so. */
enum { IMAGE_STEP = 13, ALL_BYTES_FROM = 700 };

static void setup(void)
{
    served_setup();
    ck_assert_str_eq(ASK(1, XS_WATCH, "w\0token"), "OK");
    ck_assert_str_eq(served_ask(1, XS_WRITE, "w\0before", 8), "OK");
    served_turn();
}

/* Takes all that is there, and forgets it. */
static void drain(struct guest *g)
{
    uint8_t bytes[XENSTORE_RING_SIZE];

    guest_read(g, bytes, sizeof(bytes));
}

/* A write to a node that the domain watches, but for its last bytes. */
static void ask_for_a_write(struct guest *g)
{
    uint8_t request[64];

    guest_write(g, request, served_make(request, XS_WRITE, 9, "w\0after", 7));
}

/* One daemon's life: it starts, serves what is there, and ends. */
static void live(void)
{
    struct error e;

    if (served_try_begin(&e))
        _exit(1);
    for (unsigned i = 0; i < 4; i++)
        if (server_turn(&server, 0, &e))
            _exit(1);
    _exit(0);
}

static bool die_at_step(unsigned steps)
{
    return step_kill(live, steps);
}

/* Lets no file grow beyond that: whoever writes more dies of it. */
static bool die_at_byte(unsigned size)
{
    struct rlimit limit = {size, size}, none = {0, 0};
    pid_t child = fork();
    int status;

    if (!child) {
        setrlimit(RLIMIT_CORE, &none);
        setrlimit(RLIMIT_FSIZE, &limit);
        live();
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status) || WTERMSIG(status) == SIGXFSZ);
    ck_assert(!WIFEXITED(status) || WEXITSTATUS(status) == 0);
    return WIFSIGNALED(status);
}

/* Lets a daemon die, and the next one answer. False at the end of the row. */
static bool survive(bool (*die)(unsigned when), unsigned when)
{
    static const char event[] = "w\0token";
    struct guest *g = &guests[1];
    uint8_t in[XENSTORE_RING_SIZE];
    bool has_died;
    size_t got;

    ck_assert_str_eq(served_ask(1, XS_WRITE, "w\0before", 8), "OK");
    server_end(&server);
    drain(g);
    ask_for_a_write(g);
    has_died = die(when);
    /* Its rings went with it. */
    world->attached = 0;
    served_begin();
    served_turn();
    got = guest_read(g, in, sizeof(in));
    ck_assert_msg(got == 16 + sizeof(event) + 16 + sizeof("OK"),
                  "%zu bytes after a death at %u", got, when);
    ck_assert_mem_eq(in + 16, event, sizeof(event));
    ck_assert_str_eq((char *)in + 32 + sizeof(event), "OK");
    ck_assert_str_eq(ASK(1, XS_READ, "w"), "after");
    return has_died;
}

START_TEST(test_store_killed_at_every_system_call_loses_nothing)
{
    unsigned steps = 0;

    while (survive(die_at_step, steps))
        steps++;
    /* Opening, an image, its renaming, the commands. */
    ck_assert_uint_gt(steps, 60);
}
END_TEST

START_TEST(test_store_killed_at_every_byte_loses_nothing)
{
    unsigned size = 0;

    while (survive(die_at_byte, size))
        size += size < ALL_BYTES_FROM ? IMAGE_STEP : 1;
    ck_assert_uint_gt(size, ALL_BYTES_FROM);
}
END_TEST

START_TEST(test_store_killed_at_every_system_call_starts_a_ring_anew)
{
    struct xenstore_domain_interface *page = world->pages[1];
    unsigned steps = 0;
    bool has_died;

    do {
        server_end(&server);
        page->req_prod += 700;
        page->connection = XENSTORE_RECONNECT;
        has_died = step_kill(live, steps++);
        world->attached = 0;
        served_begin();
        served_turn();
        ck_assert_uint_eq(page->connection, XENSTORE_CONNECTED);
        ck_assert_uint_eq(page->error, XENSTORE_ERROR_NONE);
        guest_begin(&guests[1], world, 1);
        ck_assert_str_eq(served_ask(1, XS_WRITE, "x\0value", 7), "OK");
    } while (has_died);
    ck_assert_uint_gt(steps, 60);
}
END_TEST

Suite *store_kill_suite(void)
{
    Suite *suite = suite_create("store kills");
    TCase *tc = tcase_create("kills");

    tcase_add_checked_fixture(tc, setup, served_teardown);
    tcase_set_timeout(tc, 300);
    tcase_add_test(tc, test_store_killed_at_every_system_call_loses_nothing);
    tcase_add_test(tc, test_store_killed_at_every_byte_loses_nothing);
    tcase_add_test(tc,
                   test_store_killed_at_every_system_call_starts_a_ring_anew);
    suite_add_tcase(suite, tc);
    return suite;
}
