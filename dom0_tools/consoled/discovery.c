/* SPDX-License-Identifier: MIT */
/*
 * What the store tells (consoles.h): that domains came or went, where their
 * rings lie, what they are called. In return it is told their terminals.
 * While the store daemon is away consoles go on; when it is back, all watches
 * are set again, and fire, so that nothing is missed.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "dom0_tools/consoled/consoles.h"
#include "dom0_tools/lib/store.h"

#define RETRY_MS 200
#define COMMIT_TRIES 10
#define PATH_SIZE 64

/* Tokens of watches. */
#define TOKEN_DOMAINS "domains"
#define TOKEN_CONSOLE "console"

static void make_path(char path[PATH_SIZE], domid_t domain, const char *rest)
{
    snprintf(path, PATH_SIZE, "/local/domain/%u/%s", domain, rest);
}

static void watch_console(struct consoles *s, const struct console *c)
{
    char path[PATH_SIZE];

    make_path(path, c->domain, "console");
    store_watch(s->store, path, TOKEN_CONSOLE, NULL);
    make_path(path, c->domain, "name");
    store_watch(s->store, path, TOKEN_CONSOLE, NULL);
}

static void unwatch_console(struct consoles *s, const struct console *c)
{
    char path[PATH_SIZE];

    if (!s->store)
        return;
    make_path(path, c->domain, "console");
    store_unwatch(s->store, path, TOKEN_CONSOLE, NULL);
    make_path(path, c->domain, "name");
    store_unwatch(s->store, path, TOKEN_CONSOLE, NULL);
}

/* Connections come and go within the handle: the old one is not waited for. */
static void wait_for_store(struct consoles *s)
{
    if (s->store && store_fd(s->store) >= 0)
        consoles_wait_for(s, store_fd(s->store), &s->store_source, EPOLLIN);
}

/* See consoles.h. */
int discovery_begin(struct consoles *s, struct error *e)
{
    const struct console *c;

    s->store = store_open_at(s->options->store_socket, e);
    if (!s->store)
        return -1;
    if (store_watch(s->store, "@introduceDomain", TOKEN_DOMAINS, e) ||
        store_watch(s->store, "@releaseDomain", TOKEN_DOMAINS, e)) {
        store_close(s->store);
        s->store = NULL;
        return -1;
    }
    TAILQ_FOREACH(c, &s->all, link)
    watch_console(s, c);
    wait_for_store(s);
    return 0;
}

/* Writes the terminal's path, unless the domain's nodes are gone. */
static bool try_publish(struct consoles *s, const struct console *c)
{
    char there[PATH_SIZE], path[PATH_SIZE];
    struct error e = {.number = 0};
    uint32_t tx = store_begin(s->store, &e);

    make_path(there, c->domain, "console/ring-ref");
    make_path(path, c->domain, "console/tty");
    if (tx == STORE_NO_TX)
        return true;
    if (store_exists(s->store, tx, there, NULL) != 1 ||
        store_write(s->store, tx, path, c->tty, NULL)) {
        store_abort(s->store, tx);
        return true;
    }
    return !store_commit(s->store, tx, &e) || e.number != EAGAIN;
}

static void publish(struct consoles *s, const struct console *c)
{
    for (unsigned i = 0; i < COMMIT_TRIES; i++)
        if (try_publish(s, c))
            return;
}

static bool read_node(struct consoles *s, domid_t domain, const char *rest,
                      uint64_t *number)
{
    char path[PATH_SIZE];

    make_path(path, domain, rest);
    return !store_read_number(s->store, STORE_NO_TX, path, number, NULL);
}

static void read_name(struct consoles *s, struct console *c)
{
    char path[PATH_SIZE];
    char *name;

    make_path(path, c->domain, "name");
    name = store_read(s->store, STORE_NO_TX, path, NULL, NULL);
    console_set_name(s, c, name ? name : "");
    free(name);
}

/* Brings a console to where the store says that its ring is. */
static void connect_console(struct consoles *s, struct console *c)
{
    uint64_t frame, port;
    struct error e;

    if (!read_node(s, c->domain, "console/ring-ref", &frame) ||
        !read_node(s, c->domain, "console/port", &port) || port > UINT32_MAX)
        return;
    read_name(s, c);
    if ((c->is_attached || c->is_broken) && c->frame == frame &&
        c->remote_port == port)
        return;
    viewers_begin(s, c);
    if (console_attach(s, c, frame, (evtchn_port_t)port, &e)) {
        console_say(c, "%s: %s", e.what, e.why);
        return;
    }
    console_say(c, "connected, terminal %s", *c->tty ? c->tty : "none");
    publish(s, c);
}

/* A domain's number as the store has it; 0: it is none, or dom0. */
static domid_t parse_domain(const char *text)
{
    char *end;
    unsigned long number = strtoul(text, &end, 10);

    if (*text < '0' || *text > '9' || (*end && *end != '/') ||
        number >= DOMID_FIRST_RESERVED)
        return 0;
    return (domid_t)number;
}

static void add(struct consoles *s, domid_t domain)
{
    uint8_t handle[CONTROL_HANDLE_SIZE];
    struct console *c;

    if (s->hypervisor->find(s->hypervisor, domain, handle) != DOMAIN_IS_THERE)
        return;
    c = console_add(s, domain, handle);
    if (!c)
        fprintf(stderr, "consoled: domain %u: out of memory\n", domain);
    else
        watch_console(s, c);
}

static void find_new(struct consoles *s)
{
    unsigned count;
    char **names =
        store_list(s->store, STORE_NO_TX, "/local/domain", &count, NULL);

    for (unsigned i = 0; names && i < count; i++) {
        domid_t domain = parse_domain(names[i]);

        if (domain && !s->by_domain[domain])
            add(s, domain);
    }
    free(names);
}

static void end_old(struct consoles *s)
{
    struct console *c = TAILQ_FIRST(&s->all), *next;
    uint8_t handle[CONTROL_HANDLE_SIZE];
    enum hypervisor_answer answer;

    for (; c; c = next) {
        next = TAILQ_NEXT(c, link);
        answer = s->hypervisor->find(s->hypervisor, c->domain, handle);
        if (answer == HYPERVISOR_SILENT ||
            (answer == DOMAIN_IS_THERE &&
             !memcmp(handle, c->handle, sizeof(handle))))
            continue;
        unwatch_console(s, c);
        console_end(s, c);
    }
}

static void take_store_event(struct consoles *s,
                             const struct store_event *event)
{
    static const char home[] = "/local/domain/";
    domid_t domain;

    if (!strcmp(event->token, TOKEN_DOMAINS)) {
        end_old(s);
        find_new(s);
        return;
    }
    if (strncmp(event->path, home, sizeof(home) - 1))
        return;
    domain = parse_domain(event->path + sizeof(home) - 1);
    if (s->by_domain[domain])
        connect_console(s, s->by_domain[domain]);
}

static void lose_store(struct consoles *s)
{
    fputs("consoled: the store is away\n", stderr);
    store_close(s->store);
    s->store = NULL;
}

static int reach_store(struct consoles *s)
{
    int64_t now = consoles_now();

    if (now >= s->next_try) {
        s->next_try = now + RETRY_MS;
        if (!discovery_begin(s, NULL)) {
            fputs("consoled: the store is back\n", stderr);
            return 0;
        }
    }
    return (int)(s->next_try - now);
}

/* See consoles.h. */
int discovery_take_events(struct consoles *s)
{
    struct store_event event;

    if (!s->store)
        return reach_store(s);
    while (store_has_event(s->store)) {
        if (store_next_event(s->store, 0, &event, NULL) <= 0)
            break;
        take_store_event(s, &event);
        store_event_free(&event);
    }
    if (store_fd(s->store) < 0) {
        lose_store(s);
        return 0;
    }
    wait_for_store(s);
    return -1;
}

/* See consoles.h. */
void discovery_end(struct consoles *s)
{
    struct console *c;

    if (!s->store)
        return;
    TAILQ_FOREACH(c, &s->all, link)
    {
        *c->tty = '\0';
        if (store_fd(s->store) >= 0)
            publish(s, c);
    }
    store_close(s->store);
    s->store = NULL;
}
