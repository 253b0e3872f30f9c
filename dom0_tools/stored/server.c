/* SPDX-License-Identifier: MIT */
/* The daemon's loop (server.h). */
#include "dom0_tools/stored/server.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dom0_tools/lib/daemon.h"

#define EVENTS_PER_TURN 64

static struct outcome hook_attach(void *context, struct connection *c)
{
    return ring_attach(context, c);
}

static void hook_detach(void *context, struct connection *c)
{
    ring_detach(context, c);
}

static void hook_forget(void *context, struct connection *c)
{
    if (c->is_ring)
        ring_detach(context, c);
}

static void hook_log(void *context, const char *line)
{
    (void)context;
    fprintf(stderr, "stored: %s\n", line);
}

static const struct engine_hooks hooks = {hook_attach, hook_detach, hook_forget,
                                          hook_log};

/* See server.h. */
struct connection *server_do(struct server *s, struct command *command)
{
    bool is_pure = engine_is_pure(s->engine, command);
    struct connection *c = engine_apply(s->engine, command);

    if (!is_pure)
        journal_add(s->journal, command);
    return c;
}

static void end_domain(struct server *s, domid_t domain)
{
    struct command command = {.kind = COMMAND_GONE, .number = domain};

    server_do(s, &command);
}

/* Looks for domains that have ended, and tells the store. */
static void check_domains(struct server *s)
{
    struct connection *c, *next;
    uint8_t states[DOMID_FIRST_RESERVED];

    if (!s->world->states(s->world, states))
        return;
    for (c = TAILQ_FIRST(&s->engine->connections); c; c = next) {
        struct command command = {.kind = COMMAND_SHUTDOWN,
                                  .number = c->domain};

        next = TAILQ_NEXT(c, of_engine);
        if (!c->is_ring || !c->domain)
            continue;
        if (states[c->domain] == DOMAIN_IS_GONE)
            end_domain(s, c->domain);
        else if (states[c->domain] == DOMAIN_HAS_SHUT_DOWN && !c->has_shut_down)
            server_do(s, &command);
    }
}

/* dom0's kernel, whose ring nobody introduces. */
static int attach_own_ring(struct server *s, struct error *e)
{
    struct command command = {.kind = COMMAND_OWN_RING};
    struct connection *c;

    if (s->world->own_port(s->world, &command.port, e))
        return -1;
    c = server_do(s, &command);
    command.outcome = ring_attach(s, c);
    c->in = command.outcome.in;
    c->out = command.outcome.out;
    /* Once more, for the journal, with what the ring says. */
    server_do(s, &command);
    return command.outcome.error
               ? error_set(e, EXIT_STATUS_FAILED,
                           "can't serve the ring of dom0's kernel")
               : 0;
}

/* Rings of the time before a restart go on where they were. */
static void restore_rings(struct server *s)
{
    struct connection *c = TAILQ_FIRST(&s->engine->connections), *next;
    struct error e = {.number = 0};

    for (; c; c = next) {
        next = TAILQ_NEXT(c, of_engine);
        if (!c->is_ring || !ring_attach_again(s, c, &e))
            continue;
        engine_log(s->engine, "domain %u: can't map its ring again: %s: %s",
                   c->domain, e.what, e.why);
        end_domain(s, c->domain);
    }
}

/* Programs of the time before a restart are gone. */
static void drop_programs(struct server *s)
{
    struct connection *c = TAILQ_FIRST(&s->engine->connections), *next;

    for (; c; c = next) {
        struct command command = {.kind = COMMAND_CLOSE, .connection = c->id};

        next = TAILQ_NEXT(c, of_engine);
        if (!c->is_ring)
            server_do(s, &command);
    }
}

static void report_journal(struct server *s,
                           const struct journal_report *report)
{
    if (report->is_new)
        engine_log(s->engine, "started with an empty store");
    else
        engine_log(s->engine,
                   "went on with the store as it was, after %" PRIu64
                   " commands; %" PRIu64 " bytes of an unfinished one dropped",
                   report->commands, report->dropped);
}

static int restore(struct server *s, const struct server_options *options,
                   struct error *e)
{
    struct journal_report report;

    s->journal =
        journal_open(options->directory, &hooks, s, &s->engine, &report, e);
    if (!s->journal)
        return -1;
    report_journal(s, &report);
    drop_programs(s);
    if (!s->world)
        return 0;
    restore_rings(s);
    if (!s->engine->domains[0] && attach_own_ring(s, e))
        return -1;
    check_domains(s);
    return 0;
}

static int watch_fd(struct server *s, int fd, void *what, struct error *e)
{
    struct epoll_event event = {.events = EPOLLIN, .data = {.ptr = what}};

    if (!epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &event))
        return 0;
    return error_set_errno(e, errno, "can't wait for events");
}

/* See server.h. */
int server_begin(struct server *s, const struct server_options *options,
                 struct error *e)
{
    *s = (struct server){.epoll = -1,
                         .listener = -1,
                         .spare = daemon_open_spare(),
                         .stop_fd = options->stop_fd,
                         .world = options->world};
    TAILQ_INIT(&s->touched);
    s->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (s->epoll < 0)
        return error_set_errno(e, errno, "can't wait for events");
    if (restore(s, options, e))
        return -1;
    /* What is there is of a daemon that ended: the journal's lock says so. */
    s->listener = daemon_listen(options->socket, e);
    if (s->listener < 0 || watch_fd(s, s->listener, &s->listener, e))
        return -1;
    if (s->stop_fd >= 0 && watch_fd(s, s->stop_fd, &s->stop_fd, e))
        return -1;
    if (s->world && watch_fd(s, s->world->event_fd(s->world), s->world, e))
        return -1;
    return 0;
}

static void close_programs(struct server *s)
{
    struct connection *c = TAILQ_FIRST(&s->engine->connections), *next;

    for (; c; c = next) {
        next = TAILQ_NEXT(c, of_engine);
        if (!c->is_ring)
            socket_close(s, c->link);
    }
}

/* See server.h. */
void server_end(struct server *s)
{
    if (s->engine) {
        close_programs(s);
        journal_flush(s->journal, s->engine);
        engine_end(s->engine);
    }
    if (s->journal)
        journal_close(s->journal);
    if (s->listener >= 0)
        close(s->listener);
    if (s->spare >= 0)
        close(s->spare);
    if (s->epoll >= 0)
        close(s->epoll);
    free(s->by_port);
}

static int take_ports(struct server *s, struct error *e)
{
    evtchn_port_t ports[EVENTS_PER_TURN];
    int count = s->world->events(s->world, ports, EVENTS_PER_TURN, e);

    for (int i = 0; i < count; i++) {
        struct ring_link *link = ring_of_port(s, ports[i]);

        if (ports[i] == s->world->state_port)
            check_domains(s);
        else if (link && !link->has_more)
            ring_read(s, link);
    }
    return count < 0 ? -1 : 0;
}

static int take_event(struct server *s, const struct epoll_event *event,
                      struct error *e)
{
    struct client *client = event->data.ptr;

    if (event->data.ptr == &s->listener)
        socket_accept(s);
    else if (event->data.ptr == &s->stop_fd)
        s->is_stopping = true;
    else if (event->data.ptr == s->world)
        return take_ports(s, e);
    else if (event->events & (EPOLLIN | EPOLLHUP | EPOLLERR))
        socket_read(s, client);
    return 0;
}

/*
 * Rings that were not read to their end in the last turn. Requests of dom0's
 * kernel may end any other ring, so no pointer to the next one is kept.
 */
static void read_more(struct server *s)
{
    struct ring_link *link;
    unsigned left = 0;

    TAILQ_FOREACH(link, &s->touched, link)
    left++;
    for (; left && (link = TAILQ_FIRST(&s->touched)); left--) {
        TAILQ_REMOVE(&s->touched, link, link);
        TAILQ_INSERT_TAIL(&s->touched, link, link);
        if (!link->has_more)
            continue;
        link->has_more = false;
        ring_read(s, link);
    }
}

/* All is in the journal: lets it out. */
static void finish_rings(struct server *s)
{
    struct ring_list list = TAILQ_HEAD_INITIALIZER(list);
    struct ring_link *link;

    TAILQ_CONCAT(&list, &s->touched, link);
    while ((link = TAILQ_FIRST(&list))) {
        TAILQ_REMOVE(&list, link, link);
        link->is_touched = false;
        ring_finish(s, link);
        if (!link->has_more || link->is_touched)
            continue;
        link->is_touched = true;
        TAILQ_INSERT_TAIL(&s->touched, link, link);
    }
}

static void write_output(struct server *s)
{
    struct connection *c = TAILQ_FIRST(&s->engine->ready), *next;

    for (; c; c = next) {
        struct ring_link *link = c->link;

        next = TAILQ_NEXT(c, ready);
        if (!c->is_ring) {
            socket_write(s, c->link);
        } else if (link && !link->is_touched) {
            link->is_touched = true;
            TAILQ_INSERT_TAIL(&s->touched, link, link);
        }
    }
    finish_rings(s);
}

static void close_gone_programs(struct server *s)
{
    struct connection *c = TAILQ_FIRST(&s->engine->connections), *next;

    if (!s->has_gone)
        return;
    s->has_gone = false;
    for (; c; c = next) {
        struct client *client = c->is_ring ? NULL : c->link;

        next = TAILQ_NEXT(c, of_engine);
        if (client && client->is_gone)
            socket_close(s, client);
    }
}

static void flush(struct server *s)
{
    int rc = journal_flush(s->journal, s->engine);

    if (rc && !s->is_journal_bad)
        engine_log(s->engine,
                   "can't write the journal: %s: a restart now would lose "
                   "changes: make room in its directory",
                   strerror(-rc));
    if (!rc && s->is_journal_bad)
        engine_log(s->engine, "the journal is whole again");
    s->is_journal_bad = rc != 0;
}

/* See server.h. */
int server_turn(struct server *s, int timeout_ms, struct error *e)
{
    struct epoll_event events[EVENTS_PER_TURN];
    int count;

    if (!TAILQ_EMPTY(&s->touched))
        timeout_ms = 0;
    count = epoll_wait(s->epoll, events, EVENTS_PER_TURN, timeout_ms);
    if (count < 0 && errno != EINTR)
        return error_set_errno(e, errno, "can't wait for events");
    /* Before events, so that a ring is read once in a turn. */
    read_more(s);
    for (int i = 0; i < count; i++)
        if (take_event(s, &events[i], e))
            return -1;
    flush(s);
    write_output(s);
    close_gone_programs(s);
    return 0;
}
