/* SPDX-License-Identifier: MIT */
/*
 * One domain's console: its ring, log and backlog (consoles.h). Output is
 * given back to the ring when it is in the log: a daemon that is killed in
 * between leaves it for the next one, which may log a piece twice but misses
 * none.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dom0_tools/consoled/consoles.h"

/* See consoles.h. */
void console_say(const struct console *c, const char *format, ...)
{
    char text[512];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    fprintf(stderr, "consoled: domain %u (%s): %s\n", c->domain, c->name, text);
}

/* See consoles.h. */
struct console *console_add(struct consoles *s, domid_t domain,
                            const uint8_t handle[CONTROL_HANDLE_SIZE])
{
    struct console *c = calloc(1, sizeof(*c));

    if (!c)
        return NULL;
    c->domain = domain;
    memcpy(c->handle, handle, CONTROL_HANDLE_SIZE);
    c->log.fd = -1;
    c->listener_fd = -1;
    c->listener = (struct source){SOURCE_LISTENER, c};
    TAILQ_INIT(&c->viewers);
    TAILQ_INSERT_TAIL(&s->all, c, link);
    s->by_domain[domain] = c;
    return c;
}

static void tell_of_log(struct console *c, const struct error *e)
{
    if (!c->has_log_failed)
        console_say(c, "%s: %s: its output is not kept", e->what, e->why);
    c->has_log_failed = true;
}

/* See consoles.h. */
void console_set_name(struct consoles *s, struct console *c, const char *name)
{
    char file[LOG_NAME_SIZE];
    struct error e;

    log_file_name(file, name, c->domain);
    snprintf(c->name, sizeof(c->name), "%.*s",
             (int)(strlen(file) - strlen(".log")), file);
    if (c->log.fd >= 0 && !strcmp(c->log.name, file))
        return;
    log_file_close(&c->log);
    if (log_file_open(&c->log, s->log_directory, file, s->options->log_limit,
                      &e))
        tell_of_log(c, &e);
}

static bool remember_port(struct consoles *s, struct console *c)
{
    evtchn_port_t port = c->mapped.port;
    unsigned ports = s->ports ? s->ports : 64;
    struct console **by_port;

    while (ports <= port)
        ports *= 2;
    if (ports > s->ports) {
        by_port = realloc(s->by_port, ports * sizeof(*by_port));
        if (!by_port)
            return false;
        memset(by_port + s->ports, 0, (ports - s->ports) * sizeof(*by_port));
        s->by_port = by_port;
        s->ports = ports;
    }
    s->by_port[port] = c;
    return true;
}

static void stop_holding(struct consoles *s, struct console *c)
{
    if (c->is_held)
        TAILQ_REMOVE(&s->held, c, held_link);
    c->is_held = false;
}

static void detach(struct consoles *s, struct console *c)
{
    if (!c->is_attached)
        return;
    stop_holding(s, c);
    c->is_attached = false;
    s->by_port[c->mapped.port] = NULL;
    s->hypervisor->detach(s->hypervisor, &c->mapped);
}

static void break_off(struct consoles *s, struct console *c)
{
    console_say(c, "disconnected: the indexes of its ring can't be");
    detach(s, c);
    c->is_broken = true;
}

static void keep(struct console *c, const char *bytes, unsigned size)
{
    struct error e;

    backlog_put(&c->backlog, bytes, size);
    if (log_file_write(&c->log, bytes, size, &e))
        tell_of_log(c, &e);
    else
        c->has_log_failed = false;
}

/* Takes up to `most` bytes of output. What is left in the ring; -1: broken. */
static int take_output(struct consoles *s, struct console *c, unsigned most)
{
    char bytes[XENCONS_OUT_SIZE];
    int readable = console_ring_readable(&c->ring);
    unsigned size;

    if (readable <= 0)
        return readable;
    size = (unsigned)readable < most ? (unsigned)readable : most;
    if (!size)
        return readable;
    console_ring_peek(&c->ring, bytes, size);
    keep(c, bytes, size);
    console_ring_consume(&c->ring, size);
    s->hypervisor->notify(s->hypervisor, &c->mapped);
    return readable - (int)size;
}

/* It goes on when the period is over. */
static void hold(struct consoles *s, struct console *c)
{
    if (!c->is_held)
        TAILQ_INSERT_TAIL(&s->held, c, held_link);
    c->is_held = true;
}

static void serve(struct consoles *s, struct console *c)
{
    uint64_t before = c->backlog.end;
    int left = take_output(s, c, c->bytes_left);

    c->bytes_left -= (unsigned)(c->backlog.end - before);
    if (left < 0)
        break_off(s, c);
    else if (left > 0)
        hold(s, c);
    viewers_serve(s, c);
}

static void start_period(struct console *c, int64_t now)
{
    c->period = now;
    c->events_left = EVENTS_PER_PERIOD;
    c->bytes_left = BYTES_PER_PERIOD;
}

/* See consoles.h. */
int console_attach(struct consoles *s, struct console *c, uint64_t frame,
                   evtchn_port_t port, struct error *e)
{
    detach(s, c);
    c->is_broken = false;
    if (s->hypervisor->attach(s->hypervisor, c->domain, frame, port, &c->mapped,
                              e))
        return -1;
    if (!remember_port(s, c)) {
        s->hypervisor->detach(s->hypervisor, &c->mapped);
        return error_set(e, EXIT_STATUS_NO_MEMORY, "out of memory");
    }
    c->is_attached = true;
    c->frame = frame;
    c->remote_port = port;
    console_ring_attach_daemon(&c->ring, c->mapped.page);
    c->is_masked = false;
    start_period(c, consoles_now());
    /* It may wait for room that an earlier daemon made without a word. */
    s->hypervisor->notify(s->hypervisor, &c->mapped);
    serve(s, c);
    return 0;
}

static void tell_of_storm(struct console *c)
{
    if (!c->has_been_held)
        console_say(c, "slowed down: more than %u events in %u ms",
                    EVENTS_PER_PERIOD, PERIOD_MS);
    c->has_been_held = true;
}

/* See consoles.h. */
void console_take_event(struct consoles *s, struct console *c)
{
    int64_t now = consoles_now();

    if (!c->is_held && now - c->period >= PERIOD_MS)
        start_period(c, now);
    if (!c->events_left)
        tell_of_storm(c);
    if (c->is_held || !c->events_left) {
        c->is_masked = true;
        hold(s, c);
        return;
    }
    c->events_left--;
    s->hypervisor->unmask(s->hypervisor, c->mapped.port);
    serve(s, c);
}

static void release(struct consoles *s, struct console *c, int64_t now)
{
    stop_holding(s, c);
    start_period(c, now);
    if (c->is_masked)
        s->hypervisor->unmask(s->hypervisor, c->mapped.port);
    c->is_masked = false;
    serve(s, c);
}

/* See consoles.h. */
int console_release_held(struct consoles *s)
{
    int64_t now = consoles_now(), wait = -1;
    struct console *c = TAILQ_FIRST(&s->held), *next;

    for (; c; c = next) {
        int64_t left = c->period + PERIOD_MS - now;

        next = TAILQ_NEXT(c, held_link);
        if (left <= 0)
            release(s, c, now);
        else if (wait < 0 || left < wait)
            wait = left;
    }
    /* Those that were served may be held again, at the end of the list. */
    if (wait < 0 && !TAILQ_EMPTY(&s->held))
        wait = PERIOD_MS;
    return (int)wait;
}

/* See consoles.h. */
unsigned console_input_room(struct consoles *s, struct console *c)
{
    int room = c->is_attached ? console_ring_writable(&c->ring) : 0;

    if (room < 0)
        break_off(s, c);
    return room < 0 ? 0 : (unsigned)room;
}

/* See consoles.h. */
void console_put_input(struct consoles *s, struct console *c, const char *bytes,
                       unsigned size)
{
    console_ring_put(&c->ring, bytes, size);
    s->hypervisor->notify(s->hypervisor, &c->mapped);
}

/* See consoles.h. */
void console_end(struct consoles *s, struct console *c)
{
    if (c->is_attached)
        take_output(s, c, XENCONS_OUT_SIZE);
    viewers_serve(s, c);
    console_say(c, "gone");
    console_close(s, c);
}

/* See consoles.h. */
void console_close(struct consoles *s, struct console *c)
{
    detach(s, c);
    viewers_end(s, c);
    log_file_close(&c->log);
    s->by_domain[c->domain] = NULL;
    TAILQ_REMOVE(&s->all, c, link);
    TAILQ_INSERT_TAIL(&s->dead, c, link);
}
