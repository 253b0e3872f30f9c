/* SPDX-License-Identifier: MIT */
/*
 * The daemon as a process: clients on its socket, ours and the stock library,
 * and the loss of the process at any moment.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "dom0_tools/lib/daemon.h"
#include "dom0_tools/lib/store.h"
#include "dom0_tools/lib/store_stream.h"
#include "store_suites.h"
#include "store_world.h"

#define KILLS 40

static char directory[64], path[96];
static struct fake_world *world;
static pid_t child;

/* What the killer and the clients share. */
static struct {
    volatile unsigned kills;
    volatile bool is_over;
} * shared;

static void serve(void)
{
    struct server server;
    struct error e = {.number = 0};
    struct server_options options = {.directory = directory,
                                     .socket = path,
                                     .world = world ? &world->world : NULL,
                                     .stop_fd = -1};

    /* Not to outlive a test that fails. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (!freopen("/dev/null", "w", stderr) ||
        server_begin(&server, &options, &e))
        _exit(1);
    while (!server_turn(&server, -1, &e))
        ;
    _exit(1);
}

/* Kills one daemon after the other, until the last one may live. */
static void kill_and_start(void)
{
    unsigned seed = (unsigned)getpid();

    while (!shared->is_over) {
        struct timespec life = {0, 5000000 + rand_r(&seed) % 80000000};
        pid_t daemon = fork();

        if (!daemon)
            serve();
        nanosleep(&life, NULL);
        kill(daemon, SIGKILL);
        waitpid(daemon, NULL, 0);
        shared->kills++;
    }
    serve();
}

static void start(void (*run)(void))
{
    child = fork();
    ck_assert_int_ge(child, 0);
    if (!child)
        run();
}

static void setup(void)
{
    snprintf(directory, sizeof(directory), "/tmp/store-daemon-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(directory));
    snprintf(path, sizeof(path), "%s/socket", directory);
    world = NULL;
    shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
}

static void teardown(void)
{
    char file[128];

    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    snprintf(file, sizeof(file), "%s/store.journal", directory);
    unlink(file);
    snprintf(file, sizeof(file), "%s/store.journal.new", directory);
    unlink(file);
    unlink(path);
    rmdir(directory);
}

/* A handle as soon as the daemon listens. */
static struct store *connect_to_daemon(void)
{
    struct timespec pause = {0, 10000000};
    struct error e;
    struct store *s = NULL;

    for (unsigned i = 0; i < 500 && !s; i++) {
        s = store_open_at(path, &e);
        if (!s)
            nanosleep(&pause, NULL);
    }
    ck_assert_msg(s != NULL, "%s: %s", e.what, e.why);
    return s;
}

static void expect_value(struct store *s, const char *node, const char *wanted)
{
    struct error e = {.number = 0};
    char *value = store_read(s, STORE_NO_TX, node, NULL, &e);

    ck_assert_msg(value != NULL, "%s: %s", e.what, e.why);
    ck_assert_str_eq(value, wanted);
    free(value);
}

START_TEST(test_store_client_does_what_it_says)
{
    struct store_perm perms[2] = {{0, STORE_PERM_NONE}, {5, STORE_PERM_READ}};
    struct store_perm *got;
    struct store_event event;
    struct error e;
    struct store *s;
    unsigned count;
    uint64_t number;
    uint32_t tx;
    char **names;

    start(serve);
    s = connect_to_daemon();
    ck_assert_int_eq(store_write_format(s, 0, "/a/n", &e, "%d", 42), 0);
    ck_assert_int_eq(store_read_number(s, 0, "/a/n", &number, &e), 0);
    ck_assert_uint_eq(number, 42);
    ck_assert_int_eq(store_exists(s, 0, "/a", &e), 1);
    ck_assert_int_eq(store_exists(s, 0, "/b", &e), 0);
    ck_assert_ptr_null(store_read(s, 0, "/b", NULL, &e));
    ck_assert_int_eq(e.number, 2);
    ck_assert_int_eq(store_set_perms(s, 0, "/a", perms, 2, &e), 0);
    got = store_get_perms(s, 0, "/a", &count, &e);
    ck_assert_uint_eq(count, 2);
    ck_assert(got[1].domain == 5 && got[1].access == STORE_PERM_READ);
    free(got);
    ck_assert_int_eq(store_watch(s, "/a", "token", &e), 0);
    ck_assert_int_eq(store_next_event(s, 5000, &event, &e), 1);
    ck_assert_str_eq(event.path, "/a");
    ck_assert_str_eq(event.token, "token");
    store_event_free(&event);
    ck_assert(!store_has_event(s));
    tx = store_begin(s, &e);
    ck_assert_int_eq(store_write(s, tx, "/a/x", "1", &e), 0);
    names = store_list(s, tx, "/a", &count, &e);
    ck_assert_uint_eq(count, 2);
    ck_assert_str_eq(names[1], "x");
    ck_assert_ptr_null(names[2]);
    free(names);
    ck_assert_int_eq(store_write(s, 0, "/a/x", "2", &e), 0);
    ck_assert_int_eq(store_commit(s, tx, &e), -1);
    ck_assert_int_eq(e.number, 11);
    ck_assert_int_eq(store_remove(s, 0, "/a", &e), 0);
    ck_assert_int_eq(store_is_introduced(s, 9, &e), 0);
    store_close(s);
}
END_TEST

START_TEST(test_store_client_survives_the_daemon)
{
    struct store_event event;
    struct error e = {.number = 0};
    struct store *s;
    uint32_t tx;

    start(serve);
    s = connect_to_daemon();
    ck_assert_int_eq(store_write(s, 0, "/a", "1", &e), 0);
    ck_assert_int_eq(store_watch(s, "/a", "token", &e), 0);
    ck_assert_int_eq(store_next_event(s, 5000, &event, &e), 1);
    store_event_free(&event);
    tx = store_begin(s, &e);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    start(serve);
    ck_assert_int_eq(store_next_event(s, 20000, &event, &e), 1);
    ck_assert_str_eq(event.path, "/a");
    store_event_free(&event);
    ck_assert_int_eq(store_write(s, tx, "/a", "2", &e), -1);
    ck_assert_int_eq(e.number, 11);
    expect_value(s, "/a", "1");
    ck_assert_int_eq(store_write(s, 0, "/a", "3", &e), 0);
    ck_assert_int_eq(store_next_event(s, 20000, &event, &e), 1);
    store_event_free(&event);
    store_close(s);
}
END_TEST

/* A store whose lists have another generation, and more, at each look. */
static void change_lists_for_ever(void)
{
    struct error e;
    int listener = daemon_listen(path, &e);
    struct {
        struct xsd_sockmsg head;
        char body[64];
    } message;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    fcntl(listener, F_SETFL, 0);
    listener = accept(listener, NULL, NULL);
    for (unsigned generation = 0;; generation++) {
        if (read(listener, &message.head, sizeof(message.head)) !=
                sizeof(message.head) ||
            read(listener, message.body, message.head.len) !=
                (ssize_t)message.head.len)
            _exit(1);
        message.head.len = (uint32_t)snprintf(
            message.body, sizeof(message.body), "%u%cname%c", generation, 0, 0);
        if (write(listener, &message, sizeof(message.head) + message.head.len) <
            0)
            _exit(1);
    }
}

START_TEST(test_store_list_that_never_stands_still_comes_to_an_end)
{
    struct error e;
    struct store *s;
    unsigned count;

    start(change_lists_for_ever);
    s = connect_to_daemon();
    ck_assert_ptr_null(store_list(s, 0, "/a", &count, &e));
    ck_assert_int_eq(e.number, EAGAIN);
    store_close(s);
}
END_TEST

/* A daemon that stands still, and one that is gone. */
START_TEST(test_store_hasty_client_waits_for_nobody)
{
    struct error e;
    struct store *s;

    start(serve);
    s = connect_to_daemon();
    store_set_patience(s, 50);
    ck_assert_int_eq(store_write(s, 0, "/a", "1", &e), 0);
    kill(child, SIGSTOP);
    ck_assert_int_eq(store_write(s, 0, "/a", "2", &e), -1);
    ck_assert_int_eq(e.status, EXIT_STATUS_NO_SERVICE);
    ck_assert_int_eq(store_fd(s), -1);
    kill(child, SIGCONT);
    ck_assert_ptr_null(store_read(s, 0, "/a", NULL, &e));
    store_close(s);
    s = connect_to_daemon();
    store_set_patience(s, 10000);
    ck_assert_int_eq(store_watch(s, "/a", "token", &e), 0);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    start(serve);
    ck_assert_int_eq(store_write(s, 0, "/a", "3", &e), -1);
    ck_assert_int_eq(store_fd(s), -1);
    store_close(s);
}
END_TEST

static void serve_late(void)
{
    struct timespec pause = {0, 300000000};

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    nanosleep(&pause, NULL);
    serve();
}

/* One that was killed leaves its socket, at which nobody listens. */
START_TEST(test_store_open_waits_for_a_daemon_that_is_being_restarted)
{
    struct error e = {.number = 0};
    struct store *s;

    start(serve);
    store_close(connect_to_daemon());
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    ck_assert_ptr_null(store_open_at(path, &e));
    ck_assert_int_eq(e.status, EXIT_STATUS_NO_SERVICE);
    setenv("XENSTORED_PATH", path, 1);
    start(serve_late);
    s = store_open(&e);
    ck_assert_msg(s != NULL, "%s: %s", e.what, e.why);
    ck_assert_int_eq(store_write(s, 0, "/a", "1", &e), 0);
    store_close(s);
}
END_TEST

/* The socket that a dead daemon left, a link to nowhere, and none at all. */
START_TEST(test_store_client_takes_the_device_only_without_a_socket)
{
    char nothing[112], link[112], device[112];
    const char *sockets[] = {nothing, path, NULL};
    int fd;

    snprintf(nothing, sizeof(nothing), "%s/nothing", directory);
    snprintf(link, sizeof(link), "%s/link", directory);
    snprintf(device, sizeof(device), "%s/device", directory);
    close(open(device, O_WRONLY | O_CREAT, 0600));
    fd = store_stream_connect(sockets, device);
    ck_assert_int_ge(fd, 0);
    close(fd);
    close(daemon_listen(path, NULL));
    ck_assert_int_eq(store_stream_connect(sockets, device), -ECONNREFUSED);
    unlink(path);
    ck_assert_int_eq(symlink(path, link), 0);
    sockets[0] = link;
    ck_assert_int_eq(store_stream_connect(sockets, device), -ECONNREFUSED);
    unlink(link);
    unlink(device);
    ck_assert_int_eq(store_stream_connect(sockets, device), -ENOENT);
    start(serve);
    store_close(connect_to_daemon());
    fd = store_stream_connect(sockets, device);
    ck_assert_int_ge(fd, 0);
    close(fd);
}
END_TEST

START_TEST(test_store_deferred_changes_are_all_or_nothing)
{
    char node[32];
    struct error e;
    struct store *s;
    uint32_t tx;

    start(serve);
    s = connect_to_daemon();
    tx = store_begin(s, &e);
    store_defer(s);
    for (unsigned i = 0; i < 4000; i++) {
        snprintf(node, sizeof(node), "/many/%u", i);
        ck_assert_int_eq(store_write(s, tx, node, node, &e), 0);
    }
    ck_assert_int_eq(store_remove(s, tx, "/missing", &e), 0);
    ck_assert_int_eq(store_exists(s, tx, "/many/3999", &e), 1);
    ck_assert_int_eq(store_exists(s, STORE_NO_TX, "/many", &e), 0);
    ck_assert_int_eq(store_commit(s, tx, &e), 0);
    expect_value(s, "/many/0", "/many/0");
    expect_value(s, "/many/3999", "/many/3999");
    tx = store_begin(s, &e);
    store_defer(s);
    ck_assert_int_eq(store_write(s, tx, "/other", "1", &e), 0);
    store_abort(s, tx);
    ck_assert_int_eq(store_exists(s, STORE_NO_TX, "/other", &e), 0);
    store_close(s);
}
END_TEST

START_TEST(test_store_deferred_change_that_fails_aborts)
{
    struct error e;
    struct store *s;
    uint32_t tx;

    start(serve);
    s = connect_to_daemon();
    tx = store_begin(s, &e);
    store_defer(s);
    ck_assert_int_eq(store_write(s, tx, "/good", "1", &e), 0);
    ck_assert_int_eq(store_write(s, tx, "/no name", "2", &e), 0);
    ck_assert_int_eq(store_write(s, tx, "/no//name", "3", &e), 0);
    ck_assert_int_eq(store_commit(s, tx, &e), -1);
    ck_assert_int_eq(e.number, 22);
    ck_assert_msg(strstr(e.what, "/no name") != NULL, "%s", e.what);
    ck_assert_int_eq(store_exists(s, STORE_NO_TX, "/good", &e), 0);
    tx = store_begin(s, &e);
    ck_assert_int_eq(store_write(s, tx, "/no name", "2", &e), -1);
    ck_assert_int_eq(store_write(s, tx, "/good", "1", &e), 0);
    ck_assert_int_eq(store_commit(s, tx, &e), 0);
    expect_value(s, "/good", "1");
    store_close(s);
}
END_TEST

START_TEST(test_store_deferred_changes_end_with_the_daemon)
{
    struct error e;
    struct store *s;
    uint32_t tx;

    start(serve);
    s = connect_to_daemon();
    tx = store_begin(s, &e);
    store_defer(s);
    ck_assert_int_eq(store_write(s, tx, "/a", "1", &e), 0);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    start(serve);
    ck_assert_int_eq(store_commit(s, tx, &e), -1);
    ck_assert_int_eq(e.number, 11);
    ck_assert_int_eq(store_exists(s, STORE_NO_TX, "/a", &e), 0);
    store_close(s);
}
END_TEST

/* Every third node is missing, and an event comes in between. */
START_TEST(test_store_read_many_tells_each_value)
{
    enum { NODES = 200 };
    char nodes[NODES][32], *values[NODES];
    const char *paths[NODES];
    struct store_event event;
    struct error e;
    struct store *s;

    start(serve);
    s = connect_to_daemon();
    for (unsigned i = 0; i < NODES; i++) {
        snprintf(nodes[i], sizeof(nodes[i]), "/many/%u", i);
        paths[i] = nodes[i];
        if (i % 3)
            ck_assert_int_eq(store_write(s, 0, nodes[i], nodes[i], &e), 0);
    }
    ck_assert_int_eq(store_watch(s, "/many", "token", &e), 0);
    ck_assert_int_eq(store_read_many(s, 0, paths, NODES, values, &e), 0);
    for (unsigned i = 0; i < NODES; i++) {
        if (i % 3)
            ck_assert_str_eq(values[i], nodes[i]);
        else
            ck_assert_ptr_null(values[i]);
        free(values[i]);
    }
    ck_assert_int_eq(store_next_event(s, 5000, &event, &e), 1);
    store_event_free(&event);
    store_close(s);
}
END_TEST

/* What a guest expects next, exactly once and in order. */
struct dialogue {
    struct guest guest;
    uint32_t req_id;
    uint8_t request[64];
    size_t size, sent;
    uint8_t in[MESSAGE_MAX];
    size_t got;
    bool wants_event, is_done;
};

/* Writes to a node with a watch, or to one without, or reads it back. */
static void next_request(struct dialogue *d)
{
    struct xsd_sockmsg head = {XS_WRITE, ++d->req_id, 0, 0};
    char body[32];

    if (d->req_id % 2) {
        head.len =
            (uint32_t)snprintf(body, sizeof(body), "%s%c%u",
                               d->req_id % 4 == 1 ? "w" : "x", 0, d->req_id);
        d->wants_event = d->req_id % 4 == 1;
    } else {
        head.type = XS_READ;
        head.len = (uint32_t)snprintf(body, sizeof(body), "%s%c",
                                      d->req_id % 4 == 2 ? "w" : "x", 0);
    }
    memcpy(d->request, &head, sizeof(head));
    memcpy(d->request + sizeof(head), body, head.len);
    d->size = sizeof(head) + head.len;
    d->sent = 0;
    d->is_done = false;
}

static void check_message(struct dialogue *d, const struct xsd_sockmsg *head,
                          const char *body)
{
    char wanted[32];

    if (head->type == XS_WATCH_EVENT) {
        ck_assert_msg(d->wants_event, "an event too many before %u", d->req_id);
        d->wants_event = false;
        return;
    }
    ck_assert_uint_eq(head->req_id, d->req_id);
    ck_assert_msg(!d->wants_event, "no event before answer %u", d->req_id);
    snprintf(wanted, sizeof(wanted), "%u", d->req_id - 1);
    ck_assert_str_eq(body, d->req_id % 2 ? "OK" : wanted);
    d->is_done = true;
}

/* One step of the guest's side. */
static void go_on(struct dialogue *d)
{
    struct xsd_sockmsg head;

    d->sent += guest_write(&d->guest, d->request + d->sent, d->size - d->sent);
    d->got += guest_read(&d->guest, d->in + d->got, sizeof(d->in) - 1 - d->got);
    while (d->got >= sizeof(head)) {
        memcpy(&head, d->in, sizeof(head));
        ck_assert_uint_le(head.len, XENSTORE_PAYLOAD_MAX);
        if (d->got < sizeof(head) + head.len)
            return;
        /* What follows is moved down only after the check. */
        uint8_t *end = d->in + sizeof(head) + head.len, first = *end;
        *end = '\0';
        check_message(d, &head, (const char *)d->in + sizeof(head));
        *end = first;
        d->got -= sizeof(head) + head.len;
        memmove(d->in, end, d->got);
    }
}

/* Sets a watch and takes its answer and first event. */
static void begin_dialogue(struct dialogue *d)
{
    struct xsd_sockmsg head = {XS_WATCH, 0, 0, 4};

    memcpy(d->request, &head, sizeof(head));
    memcpy(d->request + sizeof(head), "w\0t", 4);
    d->size = sizeof(head) + 4;
    while (d->got < 16 + 3 + 16 + 4) {
        d->sent +=
            guest_write(&d->guest, d->request + d->sent, d->size - d->sent);
        d->got += guest_read(&d->guest, d->in + d->got, 64);
    }
    d->got = 0;
}

START_TEST(test_store_killed_at_any_moment_loses_nothing)
{
    struct dialogue d = {.req_id = 0};
    struct error e = {.number = 0};
    unsigned acknowledged = 0;
    char value[16], home[] = "/local/domain/1";
    struct store *s;

    world = fake_world_begin();
    start(kill_and_start);
    s = connect_to_daemon();
    ck_assert_int_eq(store_introduce(s, 1, 4096, 7, &e), 0);
    ck_assert_int_eq(store_mkdir(s, 0, home, &e), 0);
    ck_assert_int_eq(store_set_perms(s, 0, home,
                                     &(struct store_perm){1, STORE_PERM_NONE},
                                     1, &e),
                     0);
    guest_begin(&d.guest, world, 1);
    begin_dialogue(&d);
    next_request(&d);
    while (shared->kills < KILLS || !d.is_done) {
        go_on(&d);
        if (d.is_done && shared->kills < KILLS)
            next_request(&d);
        if (rand() % 8)
            continue;
        snprintf(value, sizeof(value), "%u", acknowledged + 1);
        ck_assert_msg(!store_write(s, 0, "/acknowledged", value, &e), "%s: %s",
                      e.what, e.why);
        acknowledged++;
        expect_value(s, "/acknowledged", value);
    }
    shared->is_over = true;
    expect_value(s, "/acknowledged", value);
    ck_assert_uint_gt(d.req_id, KILLS);
    store_close(s);
}
END_TEST

/* Of the stock library what this test calls. */
struct stock {
    void *(*open)(unsigned long flags);
    void (*close)(void *h);
    bool (*write)(void *h, uint32_t tx, const char *path, const void *data,
                  unsigned size);
    void *(*read)(void *h, uint32_t tx, const char *path, unsigned *size);
    char **(*directory)(void *h, uint32_t tx, const char *path, unsigned *n);
    bool (*watch)(void *h, const char *path, const char *token);
    char **(*check_watch)(void *h);
    uint32_t (*begin)(void *h);
    bool (*end)(void *h, uint32_t tx, bool is_abort);
    bool (*set_permissions)(void *h, uint32_t tx, const char *path, void *list,
                            unsigned count);
    char *(*get_domain_path)(void *h, unsigned domain);
    bool (*rm)(void *h, uint32_t tx, const char *path);
};

static bool load_stock(struct stock *x)
{
    static const char *const names[] = {
        "xs_daemon_open",     "xs_close",
        "xs_write",           "xs_read",
        "xs_directory",       "xs_watch",
        "xs_check_watch",     "xs_transaction_start",
        "xs_transaction_end", "xs_set_permissions",
        "xs_get_domain_path", "xs_rm"};
    void *library = dlopen("libxenstore.so.4", RTLD_NOW);
    void **functions = (void **)x;

    for (unsigned i = 0; library && i < sizeof(names) / sizeof(names[0]); i++) {
        functions[i] = dlsym(library, names[i]);
        ck_assert_msg(functions[i] != NULL, "no %s", names[i]);
    }
    return library != NULL;
}

START_TEST(test_store_serves_the_stock_library)
{
    struct {
        unsigned id, access;
    } list[2] = {{0, 0}, {5, 1}};
    struct timespec pause = {0, 1000000};
    struct stock x;
    char node[64], **names, *text;
    unsigned count;
    uint32_t tx;
    void *h;

    start(serve);
    store_close(connect_to_daemon());
    if (!load_stock(&x)) {
        fprintf(stderr, "store: no libxenstore.so.4, skipped\n");
        return;
    }
    setenv("XENSTORED_PATH", path, 1);
    h = x.open(0);
    ck_assert_ptr_nonnull(h);
    ck_assert(x.write(h, 0, "/a/b", "value", 5));
    text = x.read(h, 0, "/a/b", &count);
    ck_assert_str_eq(text, "value");
    free(text);
    ck_assert(x.set_permissions(h, 0, "/a", list, 2));
    text = x.get_domain_path(h, 7);
    ck_assert_str_eq(text, "/local/domain/7");
    free(text);
    ck_assert(x.watch(h, "/a", "token"));
    while (!(names = x.check_watch(h)))
        nanosleep(&pause, NULL);
    ck_assert_str_eq(names[0], "/a");
    ck_assert_str_eq(names[1], "token");
    free(names);
    tx = x.begin(h);
    for (unsigned i = 0; i < 600; i++) {
        snprintf(node, sizeof(node), "/many/node-%u", i);
        ck_assert(x.write(h, tx, node, "", 0));
    }
    ck_assert(x.end(h, tx, false));
    names = x.directory(h, 0, "/many", &count);
    ck_assert_uint_eq(count, 600);
    ck_assert_str_eq(names[599], "node-599");
    free(names);
    ck_assert(x.rm(h, 0, "/many"));
    ck_assert_ptr_null(x.read(h, 0, "/many", &count));
    x.close(h);
}
END_TEST

Suite *store_daemon_suite(void)
{
    Suite *suite = suite_create("store daemon");
    TCase *tc = tcase_create("daemon");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, test_store_client_does_what_it_says);
    tcase_add_test(tc, test_store_client_survives_the_daemon);
    tcase_add_test(tc, test_store_list_that_never_stands_still_comes_to_an_end);
    tcase_add_test(tc, test_store_hasty_client_waits_for_nobody);
    tcase_add_test(tc,
                   test_store_open_waits_for_a_daemon_that_is_being_restarted);
    tcase_add_test(tc,
                   test_store_client_takes_the_device_only_without_a_socket);
    tcase_add_test(tc, test_store_deferred_changes_are_all_or_nothing);
    tcase_add_test(tc, test_store_deferred_change_that_fails_aborts);
    tcase_add_test(tc, test_store_deferred_changes_end_with_the_daemon);
    tcase_add_test(tc, test_store_read_many_tells_each_value);
    tcase_add_test(tc, test_store_killed_at_any_moment_loses_nothing);
    tcase_add_test(tc, test_store_serves_the_stock_library);
    suite_add_tcase(suite, tc);
    return suite;
}
