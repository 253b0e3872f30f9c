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

#define COMMIT_TRIES 10
#define PATH_SIZE 64

/*
 * Output waits while the store is asked. So a daemon that does not answer has
 * this long, and is left alone for longer each time that it does not.
 */
#define PATIENCE_MS 500
#define FIRST_PAUSE_MS 200
#define LAST_PAUSE_MS 12800

/* What the store has told is acted upon between output. */
#define EVENTS_PER_TURN 16

/* Tokens of watches. */
#define TOKEN_NEW "new"
#define TOKEN_ENDED "ended"
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
    store_set_patience(s->store, PATIENCE_MS);
    if (store_watch(s->store, "@releaseDomain", TOKEN_ENDED, e) ||
        store_watch(s->store, "@introduceDomain", TOKEN_NEW, e)) {
        store_close(s->store);
        s->store = NULL;
        return -1;
    }
    TAILQ_FOREACH(c, &s->all, link)
    watch_console(s, c);
    wait_for_store(s);
    return 0;
}

/*
 * Writes the terminal's path, unless the domain's nodes are gone. False if it
 * is to be tried again.
 */
static bool try_publish(struct consoles *s, struct console *c)
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
    c->is_published = !store_commit(s->store, tx, &e);
    return c->is_published || e.number != EAGAIN;
}

static void publish(struct consoles *s, struct console *c)
{
    c->is_published = false;
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

/* False if the store can't tell: without a name there is no log. */
static bool read_name(struct consoles *s, struct console *c)
{
    char path[PATH_SIZE];
    struct error e;
    char *name;

    make_path(path, c->domain, "name");
    name = store_read(s->store, STORE_NO_TX, path, NULL, &e);
    if (!name && e.number != ENOENT)
        return false;
    console_set_name(s, c, name ? name : "");
    free(name);
    return true;
}

/* Brings a console to where the store says that its ring is. */
static void connect_console(struct consoles *s, struct console *c)
{
    uint64_t frame, port;
    struct error e;

    if (!read_node(s, c->domain, "console/ring-ref", &frame) ||
        !read_node(s, c->domain, "console/port", &port) || port > UINT32_MAX ||
        !read_name(s, c))
        return;
    if ((c->is_attached || c->is_broken) && c->frame == frame &&
        c->remote_port == port) {
        /* The store may have gone away before it was told. */
        if (!c->is_published)
            publish(s, c);
        return;
    }
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

    if (!strcmp(event->token, TOKEN_ENDED))
        end_old(s);
    if (!strcmp(event->token, TOKEN_NEW))
        find_new(s);
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

/*
 * See consoles.h. Who refuses at once may be asked again soon, who kept us
 * waiting may not.
 */
int64_t discovery_next_pause(int64_t pause, int64_t waited)
{
    if (!pause || waited < PATIENCE_MS / 2)
        return FIRST_PAUSE_MS;
    return pause < LAST_PAUSE_MS ? 2 * pause : LAST_PAUSE_MS;
}

static int reach_store(struct consoles *s)
{
    int64_t now = consoles_now();

    if (now < s->next_try)
        return (int)(s->next_try - now);
    if (!discovery_begin(s, NULL)) {
        fputs("consoled: the store is back\n", stderr);
        return 0;
    }
    s->pause = discovery_next_pause(s->pause, consoles_now() - now);
    s->next_try = consoles_now() + s->pause;
    return (int)s->pause;
}

/* See consoles.h. */
int discovery_take_events(struct consoles *s)
{
    struct store_event event;

    if (!s->store)
        return reach_store(s);
    for (unsigned i = 0; i < EVENTS_PER_TURN && store_has_event(s->store);
         i++) {
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
    return store_has_event(s->store) ? 0 : -1;
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
