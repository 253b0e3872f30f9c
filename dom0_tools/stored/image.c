/* SPDX-License-Identifier: MIT */
/*
 * The state of an engine as bytes: a row of items, each with its kind first.
 * What is not there needs no keeping: where rings are mapped, what waits for
 * programs on sockets, how the hash tables are laid out.
 */
#include <stdlib.h>
#include <string.h>

#include "dom0_tools/stored/engine.h"
#include "dom0_tools/stored/path.h"

enum item {
    ITEM_NODE = 1,
    ITEM_CONNECTION,
    ITEM_WATCH,       /* of the last connection */
    ITEM_OUTGOING,    /* of the last connection */
    ITEM_TRANSACTION, /* of the last connection */
    ITEM_CHANGE,      /* of the last transaction */
    ITEM_END,
};

static void save_name(struct bytes *out, enum item item, const struct name *n,
                      const struct name *special)
{
    char path[PATH_ROOM];
    size_t length;

    if (n->parent == special) {
        length = n->size;
        memcpy(path, n->text, length);
    } else {
        length = names_path(n, path);
    }
    bytes_put_u8(out, item);
    bytes_put_block(out, path, length);
}

static void save_node(const struct engine *e, const struct node *n,
                      struct bytes *out)
{
    save_name(out, ITEM_NODE, &n->name, &e->tree.special.name);
    bytes_put_u64(out, n->generation);
    bytes_put_u64(out, n->permissions_generation);
    bytes_put_u64(out, n->children_generation);
    content_save(&n->content, out);
}

static void save_nodes(const struct engine *e, struct bytes *out)
{
    const struct name *root = &e->tree.root.name;
    const struct name *special = &e->tree.special.name;

    for (const struct name *n = root; n; n = names_next(root, n))
        save_node(e, (const struct node *)n, out);
    for (const struct name *n = special->first; n; n = n->next)
        save_node(e, (const struct node *)n, out);
}

static void save_changes(const struct transaction *tx,
                         const struct change *root, struct bytes *out)
{
    for (const struct name *n = &root->name; n;
         n = names_next(&root->name, n)) {
        const struct change *change = (const struct change *)n;

        if (!n->parent && root == &tx->special)
            continue;
        save_name(out, ITEM_CHANGE, n, &tx->special.name);
        bytes_put_u32(out, change->flags);
        for (unsigned i = 0; i < SEEN_COUNT; i++)
            bytes_put_u64(out, change->seen[i]);
        if (change->flags & CHANGE_HAS)
            content_save(&change->content, out);
    }
}

static void save_transaction(const struct transaction *tx, struct bytes *out)
{
    bytes_put_u8(out, ITEM_TRANSACTION);
    bytes_put_u32(out, tx->id);
    save_changes(tx, &tx->root, out);
    save_changes(tx, &tx->special, out);
}

static void save_watch(const struct engine *e, const struct watch *watch,
                       struct bytes *out)
{
    char path[PATH_ROOM];

    watch_path(&e->watches, watch, path);
    bytes_put_u8(out, ITEM_WATCH);
    bytes_put_block(out, path, strlen(path));
    bytes_put_block(out, watch->token, strlen(watch->token));
    bytes_put_u32(out, (uint32_t)watch->skip);
    bytes_put_u64(out, watch->id);
}

static void save_outgoing(const struct outgoing *message, struct bytes *out)
{
    bytes_put_u8(out, ITEM_OUTGOING);
    bytes_put_u64(out, message->watch);
    bytes_put_block(out, message->bytes, message->size);
}

static void save_connection_head(const struct connection *c, struct bytes *out)
{
    bytes_put_u8(out, ITEM_CONNECTION);
    bytes_put_u32(out, c->id);
    bytes_put_u16(out, c->domain);
    bytes_put_u16(out, c->target);
    bytes_put_u8(out, c->is_ring);
    bytes_put_u8(out, c->is_broken);
    bytes_put_u8(out, c->has_shut_down);
    bytes_put_u64(out, c->frame);
    bytes_put_u32(out, c->port);
    bytes_put_u32(out, c->in);
    bytes_put_u32(out, c->out);
    bytes_put_u32(out, c->out_part);
    bytes_put_u32(out, c->last_tx);
    bytes_put_block(out, c->partial.data, c->partial.used);
}

static void save_connection(const struct engine *e, const struct connection *c,
                            struct bytes *out)
{
    const struct outgoing *message = TAILQ_FIRST(&c->outgoing);
    const struct transaction *tx;
    const struct watch *watch;

    save_connection_head(c, out);
    for (watch = TAILQ_FIRST(&c->watches); watch;
         watch = TAILQ_NEXT(watch, of_owner))
        save_watch(e, watch, out);
    for (; c->is_ring && message; message = TAILQ_NEXT(message, link))
        save_outgoing(message, out);
    for (tx = TAILQ_FIRST(&c->transactions); tx; tx = TAILQ_NEXT(tx, of_owner))
        save_transaction(tx, out);
}

/* See engine.h. */
void image_save(const struct engine *e, struct bytes *out)
{
    const struct connection *c;

    for (unsigned i = 0; i < QUOTA_COUNT; i++)
        bytes_put_u64(out, e->quotas.limits[i]);
    bytes_put_u64(out, e->tree.generation);
    bytes_put_u64(out, e->watches.last_id);
    bytes_put_u32(out, e->last_connection);
    bytes_put_u8(out, e->is_tracing);
    save_nodes(e, out);
    for (c = TAILQ_FIRST(&e->connections); c; c = TAILQ_NEXT(c, of_engine))
        save_connection(e, c, out);
    bytes_put_u8(out, ITEM_END);
}

/* What the items that follow belong to. */
struct loader {
    struct engine *e;
    struct reader *in;
    struct connection *c;
    struct transaction *tx;
};

/* The path of an item, checked. */
static bool load_path(struct loader *l, char path[PATH_ROOM])
{
    char given[PATH_ROOM];
    size_t size, skip;
    const void *text = reader_block(l->in, &size);

    if (!text || size >= sizeof(given))
        return false;
    memcpy(given, text, size);
    given[size] = '\0';
    return strlen(given) == size && (*given == '/' || *given == '@') &&
           !path_resolve(given, 0, path, &skip);
}

/* The node of a path: one that is always there, or a new one. */
static struct node *load_target(struct loader *l, const char *path,
                                const struct content *content)
{
    struct node *n = tree_find(&l->e->tree, path), *parent;
    const char *last = strrchr(path, '/');
    uint64_t generation;
    char above[PATH_ROOM];

    if (n)
        return n;
    if (!last)
        return tree_add(&l->e->tree, &l->e->tree.special, path, strlen(path),
                        content);
    memcpy(above, path, (size_t)(last - path));
    above[last - path] = '\0';
    parent = tree_find(&l->e->tree, above);
    if (!parent)
        return NULL;
    /* The list of children is as old as it was. */
    generation = parent->children_generation;
    n = tree_add(&l->e->tree, parent, last + 1, strlen(last + 1), content);
    parent->children_generation = generation;
    return n;
}

static bool load_node(struct loader *l)
{
    struct content content = {NULL, 0, 0, NULL};
    uint64_t generations[3];
    char path[PATH_ROOM];
    struct node *n = NULL;

    if (!load_path(l, path))
        return false;
    for (unsigned i = 0; i < 3; i++)
        generations[i] = reader_u64(l->in);
    if (content_load(&content, l->in))
        n = load_target(l, path, &content);
    if (n) {
        tree_set_value(&l->e->tree, n, content.value, content.size);
        tree_set_permissions(&l->e->tree, n, content.permissions,
                             content.permission_count);
        n->generation = generations[0];
        n->permissions_generation = generations[1];
        n->children_generation = generations[2];
    }
    content_free(&content);
    return n != NULL;
}

static bool load_connection(struct loader *l)
{
    uint32_t id = reader_u32(l->in);
    domid_t domain = reader_u16(l->in), target = reader_u16(l->in);
    bool is_ring = reader_u8(l->in) & 1;
    struct connection *c;
    const void *partial;
    size_t size;

    if (l->in->is_short || !id || domain >= DOMID_FIRST_RESERVED ||
        target >= DOMID_FIRST_RESERVED || engine_find(l->e, id) ||
        (is_ring && l->e->domains[domain]))
        return false;
    l->c = c = connection_begin(l->e, id, domain, is_ring);
    l->tx = NULL;
    c->target = target;
    c->is_broken = reader_u8(l->in) & 1;
    c->has_shut_down = reader_u8(l->in) & 1;
    c->frame = reader_u64(l->in);
    c->port = reader_u32(l->in);
    c->in = reader_u32(l->in);
    c->out = reader_u32(l->in);
    c->out_part = reader_u32(l->in);
    c->last_tx = reader_u32(l->in);
    partial = reader_block(l->in, &size);
    bytes_put(&c->partial, partial, size);
    if (is_ring)
        quota_charge(&l->e->quotas, domain, QUOTA_MEMORY, (int64_t)size);
    return !l->in->is_short;
}

static bool load_watch(struct loader *l)
{
    char path[PATH_ROOM], *token;
    struct watch *watch;
    const void *text;
    size_t size, skip;
    uint64_t id;

    if (!l->c || !load_path(l, path))
        return false;
    text = reader_block(l->in, &size);
    skip = reader_u32(l->in);
    id = reader_u64(l->in);
    if (l->in->is_short || skip > strlen(path))
        return false;
    token = memory_copy(text, size);
    watch = connection_add_watch(l->e, l->c, path, token);
    free(token);
    watch->skip = skip;
    watch->id = id;
    return true;
}

static bool load_outgoing(struct loader *l)
{
    uint64_t watch = reader_u64(l->in);
    size_t size;
    const void *bytes = reader_block(l->in, &size);
    bool is_first = l->c && TAILQ_EMPTY(&l->c->outgoing);

    if (!l->c || !bytes || size > MESSAGE_MAX ||
        (is_first && size <= l->c->out_part))
        return false;
    connection_queue(l->e, l->c, watch, bytes, size);
    if (is_first)
        l->c->out_size -= l->c->out_part;
    return true;
}

static bool load_transaction(struct loader *l)
{
    if (!l->c)
        return false;
    l->tx = transaction_begin(&l->e->tree, l->c->domain, reader_u32(l->in));
    TAILQ_INSERT_TAIL(&l->c->transactions, l->tx, of_owner);
    return !l->in->is_short;
}

static bool load_change(struct loader *l)
{
    struct content content = {NULL, 0, 0, NULL};
    struct change *change;
    char path[PATH_ROOM];

    if (!l->tx || !load_path(l, path))
        return false;
    change = transaction_touch(l->tx, path);
    change->flags = reader_u32(l->in) & CHANGE_FLAGS;
    for (unsigned i = 0; i < SEEN_COUNT; i++)
        change->seen[i] = reader_u64(l->in);
    if (!(change->flags & CHANGE_HAS))
        return !l->in->is_short;
    if (!content_load(&content, l->in))
        return false;
    transaction_restore(l->tx, change, &content);
    content_free(&content);
    return true;
}

static bool load_item(struct loader *l, enum item item)
{
    switch (item) {
    case ITEM_NODE:
        return load_node(l);
    case ITEM_CONNECTION:
        return load_connection(l);
    case ITEM_WATCH:
        return load_watch(l);
    case ITEM_OUTGOING:
        return load_outgoing(l);
    case ITEM_TRANSACTION:
        return load_transaction(l);
    case ITEM_CHANGE:
        return load_change(l);
    default:
        return false;
    }
}

static bool load_items(struct loader *l)
{
    for (;;) {
        enum item item = reader_u8(l->in);

        if (item == ITEM_END)
            return !l->in->is_short;
        if (!load_item(l, item))
            return false;
    }
}

/* See engine.h. */
struct engine *image_load(struct reader *in, const struct engine_hooks *hooks,
                          void *hook_context)
{
    struct engine *e = engine_begin_empty(hooks, hook_context);
    struct loader l = {.e = e, .in = in};
    uint64_t generation, last_watch;

    for (unsigned i = 0; i < QUOTA_COUNT; i++)
        e->quotas.limits[i] = reader_u64(in);
    generation = reader_u64(in);
    last_watch = reader_u64(in);
    e->last_connection = reader_u32(in);
    e->is_tracing = reader_u8(in) & 1;
    if (!load_items(&l)) {
        engine_end(e);
        return NULL;
    }
    e->tree.generation = generation;
    e->watches.last_id = last_watch;
    return e;
}
