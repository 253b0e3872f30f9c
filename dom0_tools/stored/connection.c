/* SPDX-License-Identifier: MIT */
/* Connections: their queues of output, watches and transactions (engine.h). */
#include "dom0_tools/stored/engine.h"

#include <stdlib.h>
#include <string.h>

#include "dom0_tools/stored/path.h"

static void charge(struct engine *e, const struct connection *c, int64_t bytes)
{
    if (c->is_ring)
        quota_charge(&e->quotas, c->domain, QUOTA_MEMORY, bytes);
}

/* Adds a message to its domain's account, or takes it away: sign 1 or -1. */
static void charge_message(struct engine *e, const struct connection *c,
                           const struct outgoing *message, int sign)
{
    int64_t size = sign * (int64_t)message->size;

    if (!c->is_ring)
        return;
    charge(e, c, size);
    quota_charge(&e->quotas, c->domain, QUOTA_REQUESTS, size);
    if (message->watch)
        quota_charge(&e->quotas, c->domain, QUOTA_EVENTS, sign);
}

static struct connection **id_bucket(struct engine *e, uint32_t id)
{
    return &e->by_id[id % ENGINE_ID_BUCKETS];
}

/* See engine.h. */
struct connection *connection_begin(struct engine *e, uint32_t id,
                                    domid_t domain, bool is_ring)
{
    struct connection *c = memory_get(sizeof(*c));

    c->id = id ? id : ++e->last_connection;
    c->id_next = *id_bucket(e, c->id);
    *id_bucket(e, c->id) = c;
    c->domain = c->target = domain;
    c->is_ring = is_ring;
    TAILQ_INIT(&c->watches);
    TAILQ_INIT(&c->transactions);
    TAILQ_INIT(&c->outgoing);
    TAILQ_INSERT_TAIL(&e->connections, c, of_engine);
    if (is_ring)
        e->domains[domain] = c;
    return c;
}

/* See engine.h. */
struct watch *connection_add_watch(struct engine *e, struct connection *c,
                                   const char *path, const char *token)
{
    struct watch *watch = watches_add(&e->watches, path, token, c);

    TAILQ_INSERT_TAIL(&c->watches, watch, of_owner);
    quota_charge(&e->quotas, c->domain, QUOTA_WATCHES, 1);
    quota_charge(&e->quotas, c->domain, QUOTA_MEMORY, watch->weight);
    return watch;
}

/* See engine.h. */
void connection_remove_watch(struct engine *e, struct watch *watch)
{
    struct connection *c = watch->owner;

    TAILQ_REMOVE(&c->watches, watch, of_owner);
    quota_charge(&e->quotas, c->domain, QUOTA_WATCHES, -1);
    quota_charge(&e->quotas, c->domain, QUOTA_MEMORY, -(int64_t)watch->weight);
    watches_remove(&e->watches, watch);
}

/* See engine.h. */
void connection_drop_watches(struct engine *e, struct connection *c)
{
    while (!TAILQ_EMPTY(&c->watches))
        connection_remove_watch(e, TAILQ_FIRST(&c->watches));
}

/* See engine.h. */
void connection_drop_transactions(struct connection *c)
{
    struct transaction *tx;

    while ((tx = TAILQ_FIRST(&c->transactions))) {
        TAILQ_REMOVE(&c->transactions, tx, of_owner);
        transaction_free(tx);
    }
}

static void drop_first(struct engine *e, struct connection *c)
{
    struct outgoing *message = TAILQ_FIRST(&c->outgoing);

    TAILQ_REMOVE(&c->outgoing, message, link);
    charge_message(e, c, message, -1);
    free(message);
}

/* See engine.h. */
void connection_drop_traffic(struct engine *e, struct connection *c)
{
    while (!TAILQ_EMPTY(&c->outgoing))
        drop_first(e, c);
    if (c->is_ready)
        TAILQ_REMOVE(&e->ready, c, ready);
    c->is_ready = false;
    c->out_size = c->out_part = 0;
    charge(e, c, -(int64_t)c->partial.used);
    bytes_free(&c->partial);
    connection_drop_transactions(c);
}

/* See engine.h. */
void connection_end(struct engine *e, struct connection *c)
{
    struct connection **at = id_bucket(e, c->id);

    while (*at != c)
        at = &(*at)->id_next;
    *at = c->id_next;
    connection_drop_traffic(e, c);
    connection_drop_watches(e, c);
    e->hooks->forget(e->hook_context, c);
    TAILQ_REMOVE(&e->connections, c, of_engine);
    if (c->is_ring)
        e->domains[c->domain] = NULL;
    free(c);
}

/* See engine.h. */
struct asker connection_asker(const struct connection *c)
{
    return (struct asker){c->domain, c->target};
}

static void queue(struct engine *e, struct connection *c,
                  struct outgoing *message)
{
    TAILQ_INSERT_TAIL(&c->outgoing, message, link);
    c->out_size += message->size;
    charge_message(e, c, message, 1);
    if (!c->is_ready)
        TAILQ_INSERT_TAIL(&e->ready, c, ready);
    c->is_ready = true;
}

/* See engine.h. */
void connection_queue(struct engine *e, struct connection *c, uint64_t watch,
                      const void *bytes, size_t size)
{
    struct outgoing *message = memory_get(sizeof(*message) + size);

    message->watch = watch;
    message->size = (uint32_t)size;
    memcpy(message->bytes, bytes, size);
    queue(e, c, message);
}

/*
 * Programs' output is of no use after a restart, and while a journal is
 * replayed nobody takes it.
 */
static bool wants_output(const struct engine *e, const struct connection *c)
{
    return !c->is_broken && (c->is_ring || !e->is_replay);
}

static struct outgoing *make_message(uint32_t type,
                                     const struct xsd_sockmsg *request,
                                     const void *body, size_t size)
{
    struct xsd_sockmsg head = {type, 0, 0, (uint32_t)size};
    struct outgoing *message =
        memory_get(sizeof(*message) + sizeof(head) + size);

    if (request) {
        head.req_id = request->req_id;
        head.tx_id = request->tx_id;
    }
    message->size = (uint32_t)(sizeof(head) + size);
    memcpy(message->bytes, &head, sizeof(head));
    if (size)
        memcpy(message->bytes + sizeof(head), body, size);
    return message;
}

/* See engine.h. */
void connection_send(struct engine *e, struct connection *c, uint32_t type,
                     const struct xsd_sockmsg *request, const void *body,
                     size_t size)
{
    if (wants_output(e, c))
        queue(e, c, make_message(type, request, body, size));
}

static struct outgoing *make_event(const struct watch *watch, const char *path)
{
    struct bytes body = {NULL, 0, 0};
    struct outgoing *message;

    bytes_put_text(&body, path);
    bytes_put_text(&body, watch->token);
    message = make_message(XS_WATCH_EVENT, NULL, body.data, body.used);
    message->watch = watch->id;
    bytes_free(&body);
    return message;
}

/* Whether the same event is among those that the domain has not seen. */
static bool is_waiting(const struct connection *c,
                       const struct outgoing *message)
{
    const struct outgoing *other = TAILQ_FIRST(&c->outgoing);

    while (other &&
           (other->watch != message->watch || other->size != message->size ||
            memcmp(other->bytes, message->bytes, message->size) != 0))
        other = TAILQ_NEXT(other, link);
    return other != NULL;
}

/* See engine.h. */
void connection_send_event(struct engine *e, struct watch *watch,
                           const char *path)
{
    struct connection *c = watch->owner;
    char whole[PATH_ROOM];
    struct outgoing *message;

    if (!wants_output(e, c))
        return;
    /*
     * A domain that does not read its events, because it is paused perhaps,
     * loses none: one for the whole watch takes the place of many.
     */
    if (c->is_ring && !quota_allows(&e->quotas, c->domain, QUOTA_EVENTS, 1)) {
        watch_path(&e->watches, watch, whole);
        path = whole;
    }
    message = make_event(watch, path + watch->skip);
    if (c->is_ring && is_waiting(c, message))
        free(message);
    else
        queue(e, c, message);
}

/* See engine.h. */
void connection_published(struct engine *e, struct connection *c, uint64_t size)
{
    struct outgoing *first;

    size = size < c->out_size ? size : c->out_size;
    c->out_size -= size;
    c->out += (uint32_t)size;
    size += c->out_part;
    while ((first = TAILQ_FIRST(&c->outgoing)) && size >= first->size) {
        size -= first->size;
        drop_first(e, c);
    }
    c->out_part = (uint32_t)size;
    if (!c->out_size && c->is_ready) {
        TAILQ_REMOVE(&e->ready, c, ready);
        c->is_ready = false;
    }
}
