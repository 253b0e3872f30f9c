/* SPDX-License-Identifier: MIT */
/* The daemon between domains, people and the store. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "consoled_fake.h"
#include "consoled_suites.h"
#include "dom0_tools/consoled/consoles.h"
#include "dom0_tools/lib/store.h"
#include "host/step_kill.h"

enum { TRIES = 2000, LOG_LIMIT = 8192 };

static char place[] = "/tmp/consoled-XXXXXX", logs[64], runs[64];
static struct consoles_options options;
static struct consoles s;
static struct error error;

static void begin(void)
{
    ck_assert_int_eq(consoles_begin(&s, &options, &error), 0);
}

static void turns(void)
{
    for (unsigned i = 0; i < 4; i++)
        ck_assert_int_eq(consoles_turn(&s, 0, &error), 0);
}

static void setup(void)
{
    strcpy(strrchr(place, '-'), "-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(place));
    snprintf(logs, sizeof(logs), "%s/log", place);
    snprintf(runs, sizeof(runs), "%s/run", place);
    ck_assert_int_eq(mkdir(logs, 0700) | mkdir(runs, 0700), 0);
    signal(SIGPIPE, SIG_IGN);
    fake_begin();
    options = (struct consoles_options){.log_directory = logs,
                                        .run_directory = runs,
                                        .store_socket = "",
                                        .log_limit = LOG_LIMIT,
                                        .hypervisor = &console_hypervisor,
                                        .stop_fd = -1};
    begin();
}

static void teardown(void)
{
    char command[64];

    consoles_end(&s);
    console_world_end();
    snprintf(command, sizeof(command), "rm -rf %s", place);
    ck_assert_int_eq(system(command), 0);
}

/* The contents of a log: as much as there is, up to its bound. */
static const char *read_log(const char *name)
{
    static char got[2 * LOG_LIMIT];
    char path[128];
    ssize_t size;
    int fd;

    snprintf(path, sizeof(path), "%s/%s", logs, name);
    fd = open(path, O_RDONLY);
    size = fd < 0 ? 0 : read(fd, got, sizeof(got) - 1);
    ck_assert_int_ge(size, 0);
    got[size] = '\0';
    if (fd >= 0)
        close(fd);
    return got;
}

/* Turns until as much came as is expected, and compares. */
static void expect(int fd, const char *text)
{
    char got[8192] = "";
    size_t size = 0, want = strlen(text);

    for (unsigned i = 0; i < TRIES && size < want; i++) {
        struct pollfd ready = {.fd = fd, .events = POLLIN};
        ssize_t n = 0;

        turns();
        if (poll(&ready, 1, 5) > 0)
            n = read(fd, got + size, want - size);
        ck_assert_int_ge(n, 0);
        size += (size_t)n;
    }
    ck_assert_str_eq(got, text);
}

/* Turns until the domain finds input, and compares. */
static void expect_input(domid_t id, const char *text)
{
    char got[2048] = "";

    for (unsigned i = 0; i < TRIES && strlen(got) < strlen(text); i++) {
        ck_assert_int_eq(consoles_turn(&s, 5, &error), 0);
        strcat(got, fake_take_input(id));
    }
    ck_assert_str_eq(got, text);
}

static int open_terminal(domid_t id)
{
    char path[64];
    int fd;

    snprintf(path, sizeof(path), "/local/domain/%u/console/tty", id);
    fd = open(fake_node(path), O_RDWR | O_NOCTTY | O_NONBLOCK);
    ck_assert_int_ge(fd, 0);
    return fd;
}

static int try_connect(domid_t id)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

    snprintf(address.sun_path, sizeof(address.sun_path), "%s/%u.sock", runs,
             id);
    if (!connect(fd, (struct sockaddr *)&address, sizeof(address)))
        return fd;
    close(fd);
    return -1;
}

static int attach(domid_t id)
{
    int fd = try_connect(id);

    ck_assert_int_ge(fd, 0);
    turns();
    return fd;
}

static void type(int fd, const char *text)
{
    ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

static void is_closed(int fd)
{
    char byte;
    ssize_t n = read(fd, &byte, 1);

    ck_assert(!n || (n < 0 && errno == ECONNRESET));
    close(fd);
}

START_TEST(test_consoled_passes_output_to_log_and_terminal)
{
    int terminal;

    fake_introduce(3, "web");
    turns();
    fake_print(3, "login: ");
    turns();
    ck_assert_str_eq(read_log("web.log"), "login: ");
    terminal = open_terminal(3);
    expect(terminal, "login: ");
    ck_assert_uint_ge(console_domains[3].notified, 2);
    ck_assert_uint_eq(console_domains[3].remote, 2);
    close(terminal);
}
END_TEST

START_TEST(test_consoled_takes_output_of_the_time_before)
{
    fake_create(3, "web");
    fake_print(3, "early");
    fake_tell("@introduceDomain");
    turns();
    ck_assert_str_eq(read_log("web.log"), "early");
}
END_TEST

START_TEST(test_consoled_passes_keys_as_they_are)
{
    int terminal;

    fake_introduce(3, "web");
    turns();
    terminal = open_terminal(3);
    type(terminal, "a\r\n\x03\x04\x7f");
    expect_input(3, "a\r\n\x03\x04\x7f");
    close(terminal);
}
END_TEST

START_TEST(test_consoled_serves_several_clients)
{
    int first, second, terminal;

    fake_introduce(3, "web");
    turns();
    first = attach(3);
    second = attach(3);
    terminal = open_terminal(3);
    fake_print(3, "hello");
    expect(first, "hello");
    expect(second, "hello");
    expect(terminal, "hello");
    type(first, "a");
    expect_input(3, "a");
    type(second, "b");
    expect_input(3, "b");
    close(first);
    turns();
    fake_print(3, " again");
    expect(second, " again");
    close(second);
    close(terminal);
}
END_TEST

START_TEST(test_consoled_shows_new_clients_recent_lines)
{
    int client;

    fake_introduce(3, "web");
    turns();
    fake_print(3, "Debian\nlogin: ");
    turns();
    client = attach(3);
    expect(client, "Debian\nlogin: ");
    close(client);
}
END_TEST

static void fill_with_text(char *text, size_t size)
{
    memset(text, 'k', size - 1);
    text[size - 1] = '\0';
}

/* Input that the domain does not take yet stays where it was typed. */
START_TEST(test_consoled_reads_only_what_the_ring_has_room_for)
{
    char much[XENCONS_IN_SIZE + 301];
    int client;

    fill_with_text(much, sizeof(much));
    fake_introduce(3, "web");
    turns();
    client = attach(3);
    type(client, much);
    turns();
    ck_assert_int_eq(console_ring_readable(&console_domains[3].ring),
                     XENCONS_IN_SIZE);
    expect_input(3, much);
    close(client);
}
END_TEST

static unsigned count_viewers(domid_t id)
{
    const struct viewer *v;
    unsigned count = 0;

    TAILQ_FOREACH(v, &s.by_domain[id]->viewers, link)
    count++;
    return count;
}

/* The domain writes just then, which the client does not take any more. */
START_TEST(test_consoled_passes_on_what_was_typed_before_leaving)
{
    int client;

    fake_introduce(3, "web");
    turns();
    client = attach(3);
    fake_print(3, "login: ");
    type(client, "poweroff\n");
    close(client);
    expect_input(3, "poweroff\n");
    turns();
    ck_assert_uint_eq(count_viewers(3), 1);
}
END_TEST

START_TEST(test_consoled_keeps_what_was_typed_before_leaving_until_read)
{
    char much[XENCONS_IN_SIZE + 301];
    int client;

    fill_with_text(much, sizeof(much));
    fake_introduce(3, "web");
    turns();
    client = attach(3);
    type(client, much);
    turns();
    fake_print(3, "busy");
    close(client);
    turns();
    expect_input(3, much);
}
END_TEST

/* A domain that never reads costs no more than a few descriptors. */
START_TEST(test_consoled_keeps_few_of_those_that_left)
{
    char much[XENCONS_IN_SIZE + 1];
    int client;

    fill_with_text(much, sizeof(much));
    fake_introduce(3, "web");
    turns();
    client = attach(3);
    type(client, much);
    turns();
    close(client);
    for (unsigned i = 0; i < 40; i++) {
        client = attach(3);
        if (i >= 20)
            type(client, "x");
        close(client);
        turns();
    }
    ck_assert_uint_eq(count_viewers(3), 1 + 16);
    strcpy(much, fake_take_input(3));
    expect_input(3, "xxxxxxxxxxxxxxxx");
    turns();
    ck_assert_uint_eq(count_viewers(3), 1);
}
END_TEST

/* Prints 256 KiB; a period's bounds do not matter here. */
static void print_much(domid_t id)
{
    char line[1025];

    for (unsigned i = 0; i < 256; i++) {
        snprintf(line, sizeof(line), "%-1022u\r\n", i);
        if (s.by_domain[id])
            s.by_domain[id]->bytes_left = BYTES_PER_PERIOD;
        if (s.by_domain[id])
            s.by_domain[id]->events_left = EVENTS_PER_PERIOD;
        fake_print(id, line);
        ck_assert_int_eq(consoles_turn(&s, 0, &error), 0);
        turns();
    }
}

static const char *last_line(const char *log)
{
    return log + strlen(log) - 1024;
}

START_TEST(test_consoled_never_makes_a_domain_wait_for_readers)
{
    int client, terminal;

    fake_introduce(3, "web");
    turns();
    client = attach(3);
    terminal = open_terminal(3);
    print_much(3);
    ck_assert_int_eq(console_ring_writable(&console_domains[3].ring),
                     XENCONS_OUT_SIZE);
    ck_assert_int_eq(strncmp(last_line(read_log("web.log")), "255 ", 4), 0);
    ck_assert_uint_le(strlen(read_log("web.log")), LOG_LIMIT);
    ck_assert_uint_gt(strlen(read_log("web.log.1")), 0);
    close(client);
    close(terminal);
}
END_TEST

/* Reads all that comes, with its last bytes in `tail`. */
static size_t read_to_end(int fd, char tail[1025])
{
    static char all[512 * 1024];
    size_t size = 0;

    for (unsigned idle = 0; idle < 40;) {
        struct pollfd ready = {.fd = fd, .events = POLLIN};
        ssize_t n = 0;

        turns();
        if (poll(&ready, 1, 5) > 0)
            n = read(fd, all + size, sizeof(all) - 1 - size);
        ck_assert_int_ge(n, 0);
        size += (size_t)n;
        idle = n ? 0 : idle + 1;
    }
    all[size] = '\0';
    ck_assert_uint_ge(size, 1024);
    strcpy(tail, all + size - 1024);
    return size;
}

START_TEST(test_consoled_slow_terminal_loses_the_oldest)
{
    char tail[1025];
    int terminal;

    fake_introduce(3, "web");
    turns();
    terminal = open_terminal(3);
    print_much(3);
    ck_assert_uint_lt(read_to_end(terminal, tail), 256 * 1024);
    ck_assert_int_eq(strncmp(tail, "255 ", 4), 0);
    close(terminal);
}
END_TEST

START_TEST(test_consoled_slow_client_comes_to_the_end)
{
    char tail[1025];
    int client, size = 4096;

    fake_introduce(3, "web");
    turns();
    client = attach(3);
    setsockopt(client, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
    print_much(3);
    read_to_end(client, tail);
    ck_assert_int_eq(strncmp(tail, "255 ", 4), 0);
    close(client);
}
END_TEST

static void is_still_served(domid_t id, const char *log)
{
    fake_print(id, "fine");
    turns();
    ck_assert_str_eq(read_log(log), "fine");
}

START_TEST(test_consoled_disconnects_a_domain_whose_output_cannot_be)
{
    fake_introduce(3, "bad");
    fake_introduce(4, "good");
    turns();
    console_domains[3].page.out_prod = XENCONS_OUT_SIZE + 1;
    console_world_fire(3);
    turns();
    ck_assert(!console_domains[3].is_bound);
    ck_assert_str_eq(read_log("bad.log"), "");
    is_still_served(4, "good.log");
    fake_tell("@introduceDomain");
    turns();
    ck_assert_uint_eq(console_domains[3].attached, 1);
}
END_TEST

START_TEST(test_consoled_disconnects_a_domain_whose_input_cannot_be)
{
    int client;

    fake_introduce(3, "bad");
    fake_introduce(4, "good");
    turns();
    client = attach(3);
    console_domains[3].page.in_cons = 1;
    type(client, "x");
    turns();
    ck_assert(!console_domains[3].is_bound);
    is_still_served(4, "good.log");
    close(client);
}
END_TEST

START_TEST(test_consoled_disconnected_domain_keeps_its_clients_harmless)
{
    int client;

    fake_introduce(3, "bad");
    turns();
    client = attach(3);
    console_domains[3].page.out_prod = 0x80000000;
    console_world_fire(3);
    turns();
    type(client, "x");
    turns();
    ck_assert_uint_eq(console_domains[3].page.in_prod, 0);
    fake_destroy(3);
    turns();
    is_closed(client);
}
END_TEST

START_TEST(test_consoled_slows_down_a_storm_of_events)
{
    struct console *c;

    fake_introduce(3, "bad");
    fake_introduce(4, "good");
    turns();
    c = s.by_domain[3];
    c->events_left = 0;
    c->period = consoles_now() + 60000;
    fake_print(3, "late");
    turns();
    ck_assert(console_domains[3].is_masked);
    ck_assert_str_eq(read_log("bad.log"), "");
    is_still_served(4, "good.log");
    c->period = 0;
    turns();
    ck_assert(!console_domains[3].is_masked);
    ck_assert_str_eq(read_log("bad.log"), "late");
    ck_assert_uint_eq(c->events_left, EVENTS_PER_PERIOD);
}
END_TEST

START_TEST(test_consoled_slows_down_a_flood_of_output)
{
    struct console *c;

    fake_introduce(3, "bad");
    turns();
    c = s.by_domain[3];
    c->bytes_left = 3;
    c->period = consoles_now() + 60000;
    fake_print(3, "abcdef");
    turns();
    ck_assert_str_eq(read_log("bad.log"), "abc");
    fake_print(3, "ghi");
    turns();
    ck_assert_str_eq(read_log("bad.log"), "abc");
    c->period = 0;
    turns();
    ck_assert_str_eq(read_log("bad.log"), "abcdefghi");
    ck_assert(!console_domains[3].is_masked);
}
END_TEST

START_TEST(test_consoled_drains_a_domain_that_is_gone)
{
    int client;

    fake_introduce(3, "web");
    turns();
    client = attach(3);
    console_ring_put(&console_domains[3].ring, "last words", 10);
    fake_destroy(3);
    turns();
    ck_assert_str_eq(read_log("web.log"), "last words");
    expect(client, "last words");
    is_closed(client);
    ck_assert(!console_domains[3].is_bound);
    ck_assert_int_eq(try_connect(3), -1);
}
END_TEST

START_TEST(test_consoled_notices_that_an_id_has_a_new_domain)
{
    fake_introduce(3, "web");
    turns();
    console_ring_put(&console_domains[3].ring, "old", 3);
    console_domains[3].identity++;
    fake_tell("@releaseDomain");
    fake_tell("@introduceDomain");
    fake_set_node("/local/domain/3/name", "new");
    turns();
    ck_assert_str_eq(read_log("web.log"), "old");
    ck_assert_uint_eq(console_domains[3].attached, 2);
    fake_print(3, "young");
    turns();
    ck_assert_str_eq(read_log("new.log"), "young");
    close(attach(3));
}
END_TEST

START_TEST(test_consoled_waits_for_the_ring_to_be_told)
{
    fake_introduce(3, "web");
    fake_set_node("/local/domain/3/console/port", "");
    turns();
    ck_assert(!console_domains[3].is_bound);
    fake_set_node("/local/domain/3/console/port", "9");
    turns();
    ck_assert(console_domains[3].is_bound);
    ck_assert_uint_eq(console_domains[3].remote, 9);
    fake_set_node("/local/domain/3/console/port", "11");
    turns();
    ck_assert_uint_eq(console_domains[3].remote, 11);
    is_still_served(3, "web.log");
}
END_TEST

START_TEST(test_consoled_survives_a_ring_that_cannot_be_mapped)
{
    fake_create(3, "web");
    console_domains[3].is_unmappable = true;
    fake_tell("@introduceDomain");
    turns();
    ck_assert_uint_eq(console_domains[3].attached, 0);
    ck_assert_str_eq(fake_node("/local/domain/3/console/tty"), "");
    console_domains[3].is_unmappable = false;
    fake_set_node("/local/domain/3/console/port", "2");
    turns();
    is_still_served(3, "web.log");
}
END_TEST

START_TEST(test_consoled_follows_a_domain_to_its_new_name)
{
    fake_introduce(3, "web");
    turns();
    fake_print(3, "one");
    turns();
    fake_set_node("/local/domain/3/name", "mail");
    turns();
    fake_print(3, "two");
    turns();
    ck_assert_str_eq(read_log("web.log"), "one");
    ck_assert_str_eq(read_log("mail.log"), "two");
    ck_assert_uint_eq(console_domains[3].attached, 1);
}
END_TEST

static void drop_console(struct console *c)
{
    struct viewer *v;

    console_domains[c->domain].is_bound = false;
    while ((v = TAILQ_FIRST(&c->viewers))) {
        TAILQ_REMOVE(&c->viewers, v, link);
        close(v->fd);
        if (v->terminal >= 0)
            close(v->terminal);
        free(v);
    }
    close(c->listener_fd);
    close(c->log.fd);
    free(c);
}

/* Ends as if killed: nothing of it is undone but what the kernel undoes. */
static void kill_daemon(void)
{
    const int fds[] = {s.epoll, s.lock, s.spare, s.run_directory,
                       s.log_directory};
    struct console *c;

    while ((c = TAILQ_FIRST(&s.all))) {
        TAILQ_REMOVE(&s.all, c, link);
        drop_console(c);
    }
    for (unsigned i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
        close(fds[i]);
    free(s.by_port);
    store_close(s.store);
}

static int count_files(const char *path)
{
    DIR *directory = opendir(path);
    int count = 0;

    ck_assert_ptr_nonnull(directory);
    for (const struct dirent *entry; (entry = readdir(directory));)
        count += entry->d_name[0] != '.';
    closedir(directory);
    return count;
}

START_TEST(test_consoled_goes_on_after_it_was_killed)
{
    int client;

    fake_introduce(3, "web");
    turns();
    fake_print(3, "before ");
    turns();
    kill_daemon();
    fake_print(3, "between ");
    begin();
    turns();
    fake_print(3, "after");
    turns();
    ck_assert_str_eq(read_log("web.log"), "before between after");
    client = attach(3);
    type(client, "x");
    expect_input(3, "x");
    close(client);
    close(open_terminal(3));
}
END_TEST

/* One daemon's life: it starts, serves what is there, and ends. */
static void live(void)
{
    if (consoles_begin(&s, &options, &error))
        _exit(1);
    for (unsigned i = 0; i < 4; i++)
        if (consoles_turn(&s, 0, &error))
            _exit(1);
    _exit(0);
}

/* At each system call one dies, and the next takes what there still is. */
START_TEST(test_consoled_killed_at_every_system_call_loses_nothing)
{
    const char *log, *at;
    unsigned steps = 0;
    char piece[16];
    bool has_died;

    fake_introduce(3, "w");
    turns();
    do {
        kill_daemon();
        snprintf(piece, sizeof(piece), "%u,", steps);
        fake_print(3, piece);
        has_died = step_kill(live, steps++);
        console_domains[3].is_bound = false;
        begin();
        turns();
    } while (has_died);
    ck_assert_uint_gt(steps, 60);
    ck_assert_str_eq(read_log("w.log.1"), "");
    log = at = read_log("w.log");
    for (unsigned i = 0; i < steps; i++) {
        snprintf(piece, sizeof(piece), "%u,", i);
        at = strstr(at, piece);
        ck_assert_msg(at != NULL, "%s is missing or late in %s", piece, log);
    }
}
END_TEST

START_TEST(test_consoled_removes_sockets_of_domains_that_went_meanwhile)
{
    fake_introduce(3, "web");
    turns();
    kill_daemon();
    console_domains[3].is_there = false;
    begin();
    turns();
    ck_assert_ptr_null(s.by_domain[3]);
    ck_assert_int_eq(try_connect(3), -1);
    ck_assert_int_eq(faccessat(s.run_directory, "3.sock", F_OK, 0), -1);
}
END_TEST

START_TEST(test_consoled_ends_with_no_terminals_in_the_store)
{
    fake_introduce(3, "web");
    turns();
    ck_assert_str_ne(fake_node("/local/domain/3/console/tty"), "");
    consoles_end(&s);
    ck_assert_str_eq(fake_node("/local/domain/3/console/tty"), "");
    ck_assert(!console_domains[3].is_bound);
    begin();
}
END_TEST

START_TEST(test_consoled_goes_on_without_the_store)
{
    fake_introduce(3, "web");
    turns();
    fake_stop_store();
    turns();
    fake_print(3, "one ");
    turns();
    fake_start_store();
    fake_create(4, "mail");
    s.next_try = 0;
    turns();
    ck_assert(console_domains[4].is_bound);
    fake_print(3, "two");
    turns();
    ck_assert_str_eq(read_log("web.log"), "one two");
    ck_assert_uint_eq(console_domains[3].attached, 1);
}
END_TEST

/* The store goes away at any moment of a domain's introduction. */
START_TEST(test_consoled_loses_the_store_at_any_call)
{
    fake_stop_store_at((unsigned)_i);
    fake_introduce(3, "web");
    for (unsigned i = 0; i < 4; i++)
        turns();
    fake_print(3, "one ");
    turns();
    fake_start_store();
    s.next_try = 0;
    for (unsigned i = 0; i < 4; i++)
        turns();
    fake_print(3, "two");
    turns();
    ck_assert_str_eq(read_log("web.log"), "one two");
    ck_assert_str_eq(read_log("3.log"), "");
    ck_assert_uint_eq(console_domains[3].attached, 1);
    ck_assert_str_eq(fake_node("/local/domain/3/console/tty"),
                     s.by_domain[3]->tty);
    ck_assert_str_ne(s.by_domain[3]->tty, "");
}
END_TEST

START_TEST(test_consoled_asks_a_silent_store_ever_less)
{
    int64_t now = consoles_now();

    fake_stop_store();
    turns();
    ck_assert_int_gt(s.next_try, now);
    ck_assert_int_le(s.pause, 200);
    /* One that does not even refuse: as if the last try had taken long. */
    for (unsigned i = 0; i < 20; i++)
        s.pause = discovery_next_pause(s.pause, 500);
    ck_assert_int_eq(s.pause, 12800);
    ck_assert_int_eq(discovery_next_pause(s.pause, 0), 200);
}
END_TEST

START_TEST(test_consoled_ends_when_it_can_hear_no_more)
{
    fake_introduce(3, "web");
    turns();
    console_world_is_deaf = true;
    console_world_fire(3);
    ck_assert_int_eq(consoles_turn(&s, 0, &error), -1);
    ck_assert_str_eq(error.what, "can't hear");
}
END_TEST

START_TEST(test_consoled_is_for_root_alone)
{
    char path[96];
    struct stat status;

    umask(0);
    fake_introduce(3, "web");
    turns();
    snprintf(path, sizeof(path), "%s/3.sock", runs);
    ck_assert_int_eq(stat(path, &status), 0);
    ck_assert_uint_eq(status.st_mode & 0777, 0600);
    ck_assert_int_eq(stat(s.by_domain[3]->tty, &status), 0);
    ck_assert_uint_eq(status.st_mode & 0777, 0600);
}
END_TEST

START_TEST(test_consoled_serves_very_many_clients)
{
    int clients[200];

    fake_introduce(3, "web");
    turns();
    for (unsigned i = 0; i < 200; i++)
        clients[i] = attach(3);
    /* Every second one never reads. */
    print_much(3);
    ck_assert_int_eq(strncmp(last_line(read_log("web.log")), "255 ", 4), 0);
    for (unsigned i = 0; i < 200; i += 2)
        close(clients[i]);
    turns();
    type(clients[199], "still here");
    expect_input(3, "still here");
    for (unsigned i = 1; i < 200; i += 2)
        close(clients[i]);
}
END_TEST

/* Whatever a domain writes, and however often the daemon dies meanwhile. */
START_TEST(test_consoled_logs_are_bounded_across_kills)
{
    size_t size;

    for (unsigned i = 0; i < 6; i++) {
        fake_create(3, "web");
        fake_tell("@introduceDomain");
        turns();
        print_much(3);
        kill_daemon();
        begin();
    }
    size = strlen(read_log("web.log"));
    ck_assert_uint_le(size + strlen(read_log("web.log.1")), 2 * LOG_LIMIT);
    ck_assert_int_eq(count_files(logs), 2);
}
END_TEST

START_TEST(test_consoled_runs_once)
{
    static struct consoles other;

    ck_assert_int_eq(consoles_begin(&other, &options, &error), -1);
    ck_assert_int_eq(error.status, EXIT_STATUS_BUSY);
    consoles_end(&other);
}
END_TEST

START_TEST(test_consoled_serves_domains_without_a_good_name)
{
    fake_introduce(3, "../evil");
    turns();
    is_still_served(3, "3.log");
}
END_TEST

START_TEST(test_consoled_leaves_dom0_alone)
{
    fake_introduce(0, "Domain-0");
    turns();
    ck_assert_ptr_null(s.by_domain[0]);
    ck_assert_uint_eq(console_domains[0].attached, 0);
}
END_TEST

/* See consoled_suites.h. */
TCase *consoled_daemon_case(void)
{
    TCase *t = tcase_create("daemon");

    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, test_consoled_passes_output_to_log_and_terminal);
    tcase_add_test(t, test_consoled_takes_output_of_the_time_before);
    tcase_add_test(t, test_consoled_passes_keys_as_they_are);
    tcase_add_test(t, test_consoled_serves_several_clients);
    tcase_add_test(t, test_consoled_shows_new_clients_recent_lines);
    tcase_add_test(t, test_consoled_reads_only_what_the_ring_has_room_for);
    tcase_add_test(t, test_consoled_passes_on_what_was_typed_before_leaving);
    tcase_add_test(
        t, test_consoled_keeps_what_was_typed_before_leaving_until_read);
    tcase_add_test(t, test_consoled_keeps_few_of_those_that_left);
    tcase_add_test(t, test_consoled_never_makes_a_domain_wait_for_readers);
    tcase_add_test(t, test_consoled_slow_terminal_loses_the_oldest);
    tcase_add_test(t, test_consoled_slow_client_comes_to_the_end);
    tcase_add_test(t,
                   test_consoled_disconnects_a_domain_whose_output_cannot_be);
    tcase_add_test(t, test_consoled_disconnects_a_domain_whose_input_cannot_be);
    tcase_add_test(
        t, test_consoled_disconnected_domain_keeps_its_clients_harmless);
    tcase_add_test(t, test_consoled_slows_down_a_storm_of_events);
    tcase_add_test(t, test_consoled_slows_down_a_flood_of_output);
    tcase_add_test(t, test_consoled_drains_a_domain_that_is_gone);
    tcase_add_test(t, test_consoled_notices_that_an_id_has_a_new_domain);
    tcase_add_test(t, test_consoled_waits_for_the_ring_to_be_told);
    tcase_add_test(t, test_consoled_survives_a_ring_that_cannot_be_mapped);
    tcase_add_test(t, test_consoled_follows_a_domain_to_its_new_name);
    tcase_add_test(t, test_consoled_goes_on_after_it_was_killed);
    tcase_add_test(t, test_consoled_killed_at_every_system_call_loses_nothing);
    tcase_add_test(
        t, test_consoled_removes_sockets_of_domains_that_went_meanwhile);
    tcase_add_test(t, test_consoled_ends_with_no_terminals_in_the_store);
    tcase_add_test(t, test_consoled_goes_on_without_the_store);
    tcase_add_loop_test(t, test_consoled_loses_the_store_at_any_call, 1, 24);
    tcase_add_test(t, test_consoled_asks_a_silent_store_ever_less);
    tcase_add_test(t, test_consoled_ends_when_it_can_hear_no_more);
    tcase_add_test(t, test_consoled_is_for_root_alone);
    tcase_add_test(t, test_consoled_serves_very_many_clients);
    tcase_add_test(t, test_consoled_logs_are_bounded_across_kills);
    tcase_add_test(t, test_consoled_runs_once);
    tcase_add_test(t, test_consoled_serves_domains_without_a_good_name);
    tcase_add_test(t, test_consoled_leaves_dom0_alone);
    return t;
}
