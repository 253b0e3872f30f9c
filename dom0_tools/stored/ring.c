/* SPDX-License-Identifier: MIT */
/*
 * Domains' rings (server.h). Whatever is in a ring is copied once and then
 * judged; the worst that a domain gets out of nonsense is a ring that is not
 * served any more, until it asks for a fresh start or is introduced again.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dom0_tools/stored/server.h"

/* Requests of one domain in one turn, so that the others get theirs. */
#define REQUESTS_PER_TURN 16

/* More ports than any domain has. */
#define PORT_MAX (1u << 17)

/* See server.h. */
struct ring_link *ring_of_port(struct server *s, evtchn_port_t port)
{
    return port < s->port_room ? s->by_port[port] : NULL;
}

static void remember_port(struct server *s, evtchn_port_t port,
                          struct ring_link *link)
{
    if (port >= s->port_room) {
        struct ring_link **more = memory_get((port + 64) * sizeof(*more));

        if (s->port_room)
            memcpy(more, s->by_port, s->port_room * sizeof(*more));
        free(s->by_port);
        s->by_port = more;
        s->port_room = port + 64;
    }
    s->by_port[port] = link;
}

static void touch(struct server *s, struct ring_link *link)
{
    if (link->is_touched)
        return;
    link->is_touched = true;
    TAILQ_INSERT_TAIL(&s->touched, link, link);
}

/* Maps and binds; the ring's indexes are not looked at. */
static int map_ring(struct server *s, struct connection *c, struct error *e)
{
    struct ring_link *link = memory_get(sizeof(*link));

    link->c = c;
    if (!s->world || s->world->attach(s->world, c->domain, c->frame, c->port,
                                      &link->mapped, e)) {
        free(link);
        return -1;
    }
    if (link->mapped.port >= PORT_MAX) {
        s->world->detach(s->world, &link->mapped);
        free(link);
        return error_set(e, EXIT_STATUS_FAILED, "port too large");
    }
    store_ring_attach(&link->ring, link->mapped.page, STORE_RING_STORE);
    link->ring.page->server_features =
        XENSTORE_SERVER_FEATURE_RECONNECTION | XENSTORE_SERVER_FEATURE_ERROR;
    if (!c->is_broken)
        link->ring.page->error = XENSTORE_ERROR_NONE;
    c->link = link;
    /* An event may have come when nobody listened. */
    remember_port(s, link->mapped.port, link);
    link->wants_notify = link->has_more = true;
    touch(s, link);
    return 0;
}

/* See server.h. */
struct outcome ring_attach(struct server *s, struct connection *c)
{
    struct error e = {.number = 0};
    struct ring_link *link;

    if (map_ring(s, c, &e)) {
        engine_log(s->engine, "domain %u: can't map its ring: %s: %s",
                   c->domain, e.what, e.why);
        return (struct outcome){-EINVAL, 0, 0};
    }
    link = c->link;
    return (struct outcome){0, link->ring.in, link->ring.out};
}

static void break_ring(struct server *s, struct ring_link *link, uint32_t error)
{
    struct command command = {
        .kind = COMMAND_BREAK, .connection = link->c->id, .number = error};

    server_do(s, &command);
    link->ring.page->error = error;
    link->wants_notify = true;
    touch(s, link);
}

static void published(struct server *s, struct connection *c, uint32_t size)
{
    struct command command = {
        .kind = COMMAND_PUBLISHED, .connection = c->id, .number = size};

    if (size)
        server_do(s, &command);
}

/* See server.h. */
int ring_attach_again(struct server *s, struct connection *c, struct error *e)
{
    struct ring_link *link;
    uint32_t gone;

    if (map_ring(s, c, e))
        return -1;
    link = c->link;
    /* Between its last note and its end the daemon may have put more. */
    gone = link->ring.out - c->out;
    link->ring.in = c->in;
    if (c->is_broken)
        return 0;
    if (gone > c->out_size)
        break_ring(s, link, XENSTORE_ERROR_RINGIDX);
    else
        published(s, c, gone);
    return 0;
}

/* See server.h. */
void ring_detach(struct server *s, struct connection *c)
{
    struct ring_link *link = c->link;

    if (!link)
        return;
    if (link->is_touched)
        TAILQ_REMOVE(&s->touched, link, link);
    s->by_port[link->mapped.port] = NULL;
    s->world->detach(s->world, &link->mapped);
    free(link);
    c->link = NULL;
}

/* Copies bytes of the next message, wherever they lie by now. */
static void peek(const struct ring_link *link, void *to, size_t size)
{
    const struct bytes *partial = &link->c->partial;
    size_t first = size < partial->used ? size : partial->used;

    if (first)
        memcpy(to, partial->data, first);
    store_ring_peek(&link->ring, 0, (char *)to + first,
                    (uint32_t)(size - first));
}

/* Takes bytes out of the ring; it shows that later. */
static void take(struct server *s, struct ring_link *link, uint32_t size)
{
    link->ring.in += size;
    link->wants_notify = true;
    touch(s, link);
}

/*
 * A part of a message. It may not stay in the ring: some domains tell of what
 * they add only if they find the ring empty.
 */
static void take_partial(struct server *s, struct ring_link *link,
                         uint32_t readable)
{
    uint8_t bytes[XENSTORE_RING_SIZE];
    struct command command = {.kind = COMMAND_PARTIAL,
                              .connection = link->c->id,
                              .bytes = bytes,
                              .size = readable};

    if (!readable)
        return;
    store_ring_peek(&link->ring, 0, bytes, readable);
    take(s, link, readable);
    server_do(s, &command);
}

static void take_message(struct server *s, struct ring_link *link, size_t size)
{
    uint8_t bytes[MESSAGE_MAX];
    struct command command = {.kind = COMMAND_MESSAGE,
                              .connection = link->c->id,
                              .bytes = bytes,
                              .size = size};
    struct xsd_sockmsg head;
    size_t before = link->c->partial.used;

    peek(link, bytes, size);
    /* The domain may have changed it meanwhile: the copy must be true. */
    memcpy(&head, bytes, sizeof(head));
    if (head.len != size - sizeof(head)) {
        break_ring(s, link, XENSTORE_ERROR_PROTO);
        return;
    }
    take(s, link, (uint32_t)(size - before));
    server_do(s, &command);
}

/* Takes the next message or a part of one. False if there is none to take. */
static bool take_next(struct server *s, struct ring_link *link)
{
    int readable = store_ring_readable(&link->ring);
    struct xsd_sockmsg head;
    size_t have, whole;

    if (readable < 0) {
        break_ring(s, link, XENSTORE_ERROR_RINGIDX);
        return false;
    }
    have = link->c->partial.used + (size_t)readable;
    if (have < sizeof(head)) {
        take_partial(s, link, (uint32_t)readable);
        return false;
    }
    peek(link, &head, sizeof(head));
    if (head.len > XENSTORE_PAYLOAD_MAX) {
        break_ring(s, link, XENSTORE_ERROR_PROTO);
        return false;
    }
    whole = sizeof(head) + head.len;
    if (have >= whole) {
        take_message(s, link, whole);
        return true;
    }
    take_partial(s, link, (uint32_t)readable);
    return false;
}

/*
 * The domain's wish stays in its page until the journal has it: a daemon that
 * starts in between finds it there.
 */
static void begin_restart(struct server *s, struct ring_link *link)
{
    struct command command = {.kind = COMMAND_RESTART_RING,
                              .connection = link->c->id};

    server_do(s, &command);
    link->is_restarting = true;
    touch(s, link);
}

static void end_restart(struct ring_link *link)
{
    struct xenstore_domain_interface *page = link->ring.page;

    page->req_cons = page->req_prod = page->rsp_cons = page->rsp_prod = 0;
    page->error = XENSTORE_ERROR_NONE;
    link->ring.in = link->ring.out = 0;
    store_ring_publish(&page->connection, XENSTORE_CONNECTED);
    link->is_restarting = false;
    link->wants_notify = link->has_more = true;
}

/* Who does not take answers gets to ask no more. */
static bool is_held(const struct server *s, const struct connection *c)
{
    return c->out_size > s->engine->quotas.limits[QUOTA_REQUESTS];
}

/* See server.h. */
void ring_read(struct server *s, struct ring_link *link)
{
    struct connection *c = link->c;

    touch(s, link);
    if (store_ring_load(&link->ring.page->connection) == XENSTORE_RECONNECT) {
        begin_restart(s, link);
        return;
    }
    for (unsigned i = 0; i < REQUESTS_PER_TURN; i++) {
        if (is_held(s, c)) {
            /* This says so in the log. */
            quota_allows(&s->engine->quotas, c->domain, QUOTA_REQUESTS, 0);
            return;
        }
        if (c->is_broken || !take_next(s, link))
            return;
    }
    link->has_more = true;
}

/* Puts as much output as fits. The bytes put. */
static uint32_t put_output(struct server *s, struct ring_link *link)
{
    struct outgoing *message = TAILQ_FIRST(&link->c->outgoing);
    uint32_t skip = link->c->out_part, put = 0;
    int room = message ? store_ring_writable(&link->ring) : 0;

    if (room < 0) {
        break_ring(s, link, XENSTORE_ERROR_RINGIDX);
        return 0;
    }
    for (; message && room; message = TAILQ_NEXT(message, link)) {
        uint32_t size = message->size - skip;

        size = size < (uint32_t)room ? size : (uint32_t)room;
        store_ring_put(&link->ring, message->bytes + skip, size);
        room -= (int)size;
        put += size;
        skip = 0;
    }
    return put;
}

/* See server.h. */
void ring_finish(struct server *s, struct ring_link *link)
{
    struct connection *c = link->c;
    bool was_held = is_held(s, c);
    uint32_t put;

    if (link->is_restarting)
        end_restart(link);

    do {
        put = c->is_broken ? 0 : put_output(s, link);
        published(s, c, put);
        link->wants_notify |= put != 0;
        /* The domain may have made room without a word meanwhile. */
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
    } while (put);
    store_ring_consume(&link->ring, 0);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (link->wants_notify)
        s->world->notify(s->world, &link->mapped);
    link->wants_notify = false;
    /* It may as well have asked before it saw what was taken. */
    if (!c->is_broken && !is_held(s, c) &&
        (was_held || store_ring_readable(&link->ring)))
        link->has_more = true;
}
