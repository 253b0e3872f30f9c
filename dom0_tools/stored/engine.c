/* SPDX-License-Identifier: MIT */
/* Commands (engine.h). */
#include "dom0_tools/stored/engine.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "dom0_tools/stored/path.h"

static void log_line(void *context, const char *line)
{
    struct engine *e = context;

    /* What is replayed was logged when it happened. */
    if (!e->is_replay)
        e->hooks->log(e->hook_context, line);
}

/* See engine.h. */
void engine_log(struct engine *e, const char *format, ...)
{
    char line[512];
    va_list args;

    va_start(args, format);
    vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    /* A guest's bytes must not be commands to who reads the log. */
    for (char *c = line; *c; c++)
        if (*c < ' ' || *c > '~')
            *c = '?';
    log_line(e, line);
}

static void add_special(struct engine *e, const char *name)
{
    tree_add(&e->tree, &e->tree.special, name, strlen(name),
             &e->tree.special.content);
}

static void add_first_nodes(struct engine *e)
{
    const struct content *content = &e->tree.root.content;
    struct node *tool = tree_add(&e->tree, &e->tree.root, "tool", 4, content);

    /* Stock tools look for this to see whether a store runs. */
    tree_add(&e->tree, tool, "xenstored", 9, content);
    add_special(e, "@introduceDomain");
    add_special(e, "@releaseDomain");
}

/* See engine.h. */
struct engine *engine_begin_empty(const struct engine_hooks *hooks,
                                  void *hook_context)
{
    struct engine *e = memory_get(sizeof(*e));
    uint64_t key[2] = {0, 0};

    /* Nothing visible depends on the key, only how well names spread. */
    if (getrandom(key, sizeof(key), GRND_NONBLOCK) < 0)
        key[0] = (uintptr_t)e;
    e->hooks = hooks;
    e->hook_context = hook_context;
    quotas_begin(&e->quotas, log_line, e);
    tree_begin(&e->tree, key, &e->quotas);
    watches_begin(&e->watches, key);
    TAILQ_INIT(&e->connections);
    TAILQ_INIT(&e->ready);
    return e;
}

/* See engine.h. */
struct engine *engine_begin(const struct engine_hooks *hooks,
                            void *hook_context)
{
    struct engine *e = engine_begin_empty(hooks, hook_context);

    add_first_nodes(e);
    return e;
}

/* See engine.h. */
void engine_end(struct engine *e)
{
    struct connection *c;

    while ((c = TAILQ_FIRST(&e->connections)))
        connection_end(e, c);
    watches_end(&e->watches);
    tree_end(&e->tree);
    quotas_end(&e->quotas);
    free(e);
}

/* See engine.h. */
struct connection *engine_find(struct engine *e, uint32_t id)
{
    struct connection *c = e->by_id[id % ENGINE_ID_BUCKETS];

    while (c && c->id != id)
        c = c->id_next;
    return c;
}

static void visit_special(void *context, struct watch *watch)
{
    struct engine *e = context;
    struct asker asker = connection_asker(watch->owner);
    char path[PATH_ROOM];
    const struct node *node;

    watch_path(&e->watches, watch, path);
    node = tree_find(&e->tree, path);
    if (!asker.domain ||
        (node && content_access(&node->content, &asker) & ACCESS_READ))
        connection_send_event(e, watch, path);
}

/* See engine.h. */
void engine_fire_special(struct engine *e, const char *name)
{
    watches_visit_exactly(&e->watches, name, visit_special, e);
}

static struct connection *own_ring(struct engine *e, struct command *command)
{
    struct connection *c = e->domains[0];

    if (!c)
        c = connection_begin(e, 0, 0, true);
    c->frame = command->frame;
    c->port = command->port;
    c->in = command->outcome.in;
    c->out = command->outcome.out;
    return c;
}

static void take_message(struct engine *e, struct connection *c,
                         struct command *command)
{
    if (c->is_ring) {
        uint32_t taken = (uint32_t)(command->size - c->partial.used);

        c->in += taken;
        quota_charge(&e->quotas, c->domain, QUOTA_MEMORY,
                     -(int64_t)c->partial.used);
        bytes_free(&c->partial);
    }
    request_execute(e, c, command->bytes, command->size);
}

static void take_partial(struct engine *e, struct connection *c,
                         const struct command *command)
{
    c->in += (uint32_t)command->size;
    quota_charge(&e->quotas, c->domain, QUOTA_MEMORY, (int64_t)command->size);
    bytes_put(&c->partial, command->bytes, command->size);
}

static void restart_ring(struct engine *e, struct connection *c)
{
    connection_drop_traffic(e, c);
    connection_drop_watches(e, c);
    c->in = c->out = 0;
    c->is_broken = false;
}

static void break_ring(struct engine *e, struct connection *c, uint32_t error)
{
    static const char *const why[] = {"no error", "the connection broke",
                                      "an index that can't be",
                                      "a message that can't be"};

    connection_drop_traffic(e, c);
    connection_drop_watches(e, c);
    c->is_broken = true;
    /* A domain may do it again and again; the log must not fill. */
    c->breaks++;
    if (c->breaks & (c->breaks - 1))
        return;
    engine_log(e,
               "domain %u: ring disconnected: %s: the domain's store driver "
               "misbehaves; others are not affected",
               c->domain, why[error < 4 ? error : 0]);
}

static void shut_down(struct engine *e, uint32_t domain)
{
    struct connection *c = e->domains[domain % DOMID_FIRST_RESERVED];

    if (!c || c->has_shut_down)
        return;
    c->has_shut_down = true;
    engine_fire_special(e, "@releaseDomain");
}

/* See engine.h. */
void engine_end_domain(struct engine *e, struct connection *c)
{
    domid_t domain = c->domain;
    struct connection *other;

    for (other = TAILQ_FIRST(&e->connections); other;
         other = TAILQ_NEXT(other, of_engine))
        if (other->target == domain)
            other->target = other->domain;
    e->hooks->detach(e->hook_context, c);
    connection_end(e, c);
    tree_forget_domain(&e->tree, domain);
    engine_fire_special(e, "@releaseDomain");
}

static void domain_gone(struct engine *e, uint32_t domain)
{
    struct connection *c = e->domains[domain % DOMID_FIRST_RESERVED];

    if (c && c->domain)
        engine_end_domain(e, c);
}

/* Commands to one connection. */
static void apply_to(struct engine *e, struct connection *c,
                     struct command *command)
{
    switch (command->kind) {
    case COMMAND_CLOSE:
        connection_end(e, c);
        break;
    case COMMAND_MESSAGE:
        take_message(e, c, command);
        break;
    case COMMAND_PARTIAL:
        take_partial(e, c, command);
        break;
    case COMMAND_PUBLISHED:
        connection_published(e, c, command->number);
        break;
    case COMMAND_RESTART_RING:
        restart_ring(e, c);
        break;
    case COMMAND_BREAK:
        break_ring(e, c, command->number);
        break;
    default:
        break;
    }
}

/* See engine.h. */
struct connection *engine_apply(struct engine *e, struct command *command)
{
    struct connection *c;

    e->current = command;
    switch (command->kind) {
    case COMMAND_OPEN:
        return connection_begin(e, 0, 0, false);
    case COMMAND_OWN_RING:
        return own_ring(e, command);
    case COMMAND_SHUTDOWN:
        shut_down(e, command->number);
        return NULL;
    case COMMAND_GONE:
        domain_gone(e, command->number);
        return NULL;
    case COMMAND_LIMIT:
        if (command->number < QUOTA_COUNT)
            e->quotas.limits[command->number] = command->frame;
        return NULL;
    default:
        c = engine_find(e, command->connection);
        if (c)
            apply_to(e, c, command);
        return NULL;
    }
}

/* See engine.h. */
bool engine_is_pure(const struct engine *e, const struct command *command)
{
    struct connection *c;
    struct xsd_sockmsg head;

    /* A ring's read moves its indexes, and its answer must not get lost. */
    c = engine_find((struct engine *)(uintptr_t)e, command->connection);
    if (!c || c->is_ring)
        return false;
    if (command->kind == COMMAND_PUBLISHED)
        return true;
    if (command->kind != COMMAND_MESSAGE)
        return false;
    memcpy(&head, command->bytes, sizeof(head));
    if (head.tx_id)
        return false;
    switch (head.type) {
    case XS_DIRECTORY:
    case XS_DIRECTORY_PART:
    case XS_READ:
    case XS_GET_PERMS:
    case XS_GET_DOMAIN_PATH:
    case XS_IS_DOMAIN_INTRODUCED:
        return true;
    default:
        return false;
    }
}
