/* SPDX-License-Identifier: MIT */
/* Transactions (transaction.h). */
#include "dom0_tools/stored/transaction.h"

#include <stdlib.h>
#include <string.h>

#include "dom0_tools/stored/path.h"

/* See transaction.h. */
struct transaction *transaction_begin(struct tree *tree, domid_t owner,
                                      uint32_t id)
{
    struct transaction *tx = memory_get(sizeof(*tx));

    tx->id = id;
    tx->owner = owner;
    tx->tree = tree;
    names_begin(&tx->names, tree->names.key);
    quota_charge(tree->quotas, owner, QUOTA_TRANSACTIONS, 1);
    return tx;
}

static void charge(struct transaction *tx, int64_t bytes)
{
    tx->weight += (uint64_t)bytes;
    quota_charge(tx->tree->quotas, tx->owner, QUOTA_MEMORY, bytes);
}

static void free_changes(struct transaction *tx, struct change *root)
{
    struct name *n = names_deepest(&root->name), *next;

    for (; n != &root->name; n = next) {
        next = names_next_up(&root->name, n);
        names_remove(&tx->names, n);
        content_free(&((struct change *)n)->content);
        free(n);
    }
    content_free(&root->content);
}

/* See transaction.h. */
void transaction_free(struct transaction *tx)
{
    free_changes(tx, &tx->root);
    free_changes(tx, &tx->special);
    charge(tx, -(int64_t)tx->weight);
    quota_charge(tx->tree->quotas, tx->owner, QUOTA_TRANSACTIONS, -1);
    names_end(&tx->names);
    free(tx);
}

static struct change *root_of(struct transaction *tx, const char *path)
{
    return path_is_special(path) ? &tx->special : &tx->root;
}

static struct change *find_change(struct transaction *tx, struct change *parent,
                                  const char *text, size_t size)
{
    if (!parent)
        return NULL;
    return (struct change *)names_find(&tx->names, &parent->name, text, size);
}

/* See transaction.h. */
void place_find(struct tree *tree, struct transaction *tx, const char *path,
                struct place *place)
{
    struct node *node = tree_root(tree, path);
    struct change *change = tx ? root_of(tx, path) : NULL;
    const char *text;
    size_t size;

    while (path_next(&path, &text, &size)) {
        node = tree_find_child(tree, node, text, size);
        change = find_change(tx, change, text, size);
        if (change && change->flags & CHANGE_HIDES)
            node = NULL;
    }
    *place = (struct place){node, change, node ? &node->content : NULL};
    if (change && change->flags & CHANGE_HAS)
        place->content = &change->content;
}

/* See transaction.h. */
struct change *transaction_touch(struct transaction *tx, const char *path)
{
    struct change *change = root_of(tx, path);
    const char *text;
    size_t size;

    while (path_next(&path, &text, &size)) {
        struct change *child = find_change(tx, change, text, size);

        if (!child) {
            child = memory_get(sizeof(*child));
            names_add(&tx->names, &child->name, &change->name, text, size);
            tx->count++;
            charge(tx, (int64_t)(sizeof(*child) + size));
        }
        change = child;
    }
    return change;
}

static uint64_t generation_of(const struct node *node, enum seen what)
{
    if (!node)
        return 0;
    switch (what) {
    case SEEN_CONTENT:
        return node->generation;
    case SEEN_PERMISSIONS:
        return node->permissions_generation;
    default:
        return node->children_generation;
    }
}

/* Whether the transaction hid what the store has at this path. */
static bool is_hidden(struct transaction *tx, const char *path)
{
    struct change *change = root_of(tx, path);
    const char *text;
    size_t size;

    while (change && path_next(&path, &text, &size)) {
        change = find_change(tx, change, text, size);
        if (change && change->flags & CHANGE_HIDES)
            return true;
    }
    return false;
}

/* See transaction.h. */
void transaction_see(struct transaction *tx, const char *path, enum seen what)
{
    struct change *change = transaction_touch(tx, path);
    uint32_t flag = CHANGE_SEEN << what;
    bool is_own = what == SEEN_CHILDREN ? false : change->flags & CHANGE_HAS;

    if (change->flags & flag || is_own || is_hidden(tx, path))
        return;
    change->flags |= flag;
    change->seen[what] = generation_of(tree_find(tx->tree, path), what);
}

/* The change of a path with a content of its own. */
static struct change *own_content(struct transaction *tx, const char *path,
                                  const struct content *content)
{
    struct change *change;

    transaction_see(tx, path, SEEN_CONTENT);
    change = transaction_touch(tx, path);
    if (change->flags & CHANGE_HAS)
        return change;
    content_copy(&change->content, content);
    change->flags |= CHANGE_HAS;
    charge(tx, (int64_t)content_weight(content));
    return change;
}

/* See transaction.h. */
void transaction_add(struct transaction *tx, const char *path,
                     const struct content *content)
{
    struct change *change = own_content(tx, path, content);

    change->flags |= CHANGE_VALUE | CHANGE_ACCESS;
}

/* See transaction.h. */
void transaction_set_value(struct transaction *tx, const char *path,
                           const struct place *place, const void *value,
                           size_t size)
{
    struct change *change = own_content(tx, path, place->content);

    charge(tx, (int64_t)size - change->content.size);
    content_set_value(&change->content, value, size);
    change->flags |= CHANGE_VALUE | CHANGE_ASKED;
}

/* See transaction.h. */
void transaction_set_permissions(struct transaction *tx, const char *path,
                                 const struct place *place,
                                 const struct permission *list, size_t count)
{
    struct change *change = own_content(tx, path, place->content);

    charge(tx, -(int64_t)content_weight(&change->content));
    content_set_permissions(&change->content, list, count);
    charge(tx, (int64_t)content_weight(&change->content));
    change->flags |= CHANGE_ACCESS | CHANGE_ASKED;
}

/* Forgets what was written from here down, not what was seen. */
static void forget_written(struct transaction *tx, struct change *top)
{
    struct name *n;

    for (n = &top->name; n; n = names_next(&top->name, n)) {
        struct change *change = (struct change *)n;

        if (!(change->flags & CHANGE_HAS))
            continue;
        charge(tx, -(int64_t)content_weight(&change->content));
        content_free(&change->content);
        change->flags &= CHANGE_HIDES | CHANGE_SEEN << SEEN_CONTENT |
                         CHANGE_SEEN << SEEN_PERMISSIONS |
                         CHANGE_SEEN << SEEN_CHILDREN;
    }
}

/* See transaction.h. */
void transaction_remove(struct transaction *tx, const char *path)
{
    transaction_see(tx, path, SEEN_CONTENT);
    forget_written(tx, transaction_touch(tx, path));
    transaction_touch(tx, path)->flags |= CHANGE_HIDES | CHANGE_ASKED;
}

/* Writes the path of a change: special names have no slash. */
static void change_path(struct transaction *tx, const struct name *n,
                        char *path)
{
    if (n->parent == &tx->special.name)
        memcpy(path, n->text, n->size + 1);
    else
        names_path(n, path);
}

/*
 * Calls `visit` for all changes, parents first, until it returns false.
 * True if it never did.
 */
static bool visit_changes(struct transaction *tx,
                          bool (*visit)(struct transaction *tx,
                                        struct change *change, const char *path,
                                        void *context),
                          void *context)
{
    struct change *roots[] = {&tx->root, &tx->special};
    char path[PATH_ROOM];
    struct name *n;

    for (unsigned i = 0; i < 2; i++)
        for (n = &roots[i]->name; n; n = names_next(&roots[i]->name, n)) {
            change_path(tx, n, path);
            if (!visit(tx, (struct change *)n, path, context))
                return false;
        }
    return true;
}

static bool is_still_so(struct transaction *tx, struct change *change,
                        const char *path, void *context)
{
    const struct node *node;

    (void)context;
    if (!(change->flags & (CHANGE_HIDES - 1)))
        return true;
    node = tree_find(tx->tree, path);
    for (unsigned what = 0; what < SEEN_COUNT; what++)
        if (change->flags & CHANGE_SEEN << what &&
            change->seen[what] != generation_of(node, (enum seen)what))
            return false;
    return true;
}

/* See transaction.h. */
bool transaction_can_commit(struct transaction *tx)
{
    return visit_changes(tx, is_still_so, NULL);
}

static bool count_new(struct transaction *tx, struct change *change,
                      const char *path, void *context)
{
    uint64_t *count = context;

    if (change->flags & CHANGE_HAS && !tree_find(tx->tree, path))
        ++*count;
    return true;
}

/* See transaction.h. */
uint64_t transaction_growth(struct transaction *tx)
{
    uint64_t count = 0;

    visit_changes(tx, count_new, &count);
    return count;
}

/* See transaction.h. */
void remove_subtree(struct tree *tree, struct node *top,
                    const struct fire_hook *hook)
{
    struct name *n = names_deepest(&top->name), *next;
    char path[PATH_ROOM];

    for (; n; n = next) {
        struct node *node = (struct node *)n;

        next = names_next_up(&top->name, n);
        names_path(n, path);
        hook->fire(hook->context, path, &node->content,
                   next ? FIRE_EXACTLY : FIRE_UP);
        tree_remove_leaf(tree, node);
    }
}

/* Makes the node of a path whose parent exists. */
static struct node *add_node(struct tree *tree, const char *path,
                             const struct content *content)
{
    struct node *parent = tree_root(tree, path);
    const char *text, *next_text;
    size_t size, next_size;

    path_next(&path, &text, &size);
    while (path_next(&path, &next_text, &next_size)) {
        parent = tree_find_child(tree, parent, text, size);
        text = next_text;
        size = next_size;
    }
    return tree_add(tree, parent, text, size, content);
}

static bool apply_change(struct transaction *tx, struct change *change,
                         const char *path, void *context)
{
    const struct fire_hook *hook = context;
    struct node *node = tree_find(tx->tree, path);
    const struct content *content = &change->content;

    if (change->flags & CHANGE_HIDES && node) {
        remove_subtree(tx->tree, node, hook);
        node = NULL;
    }
    if (!(change->flags & CHANGE_HAS))
        return true;
    if (!node)
        node = add_node(tx->tree, path, content);
    else if (change->flags & CHANGE_VALUE)
        tree_set_value(tx->tree, node, content->value, content->size);
    if (change->flags & CHANGE_ACCESS)
        tree_set_permissions(tx->tree, node, content->permissions,
                             content->permission_count);
    if (change->flags & CHANGE_ASKED)
        hook->fire(hook->context, path, &node->content, FIRE_UP);
    return true;
}

/* See transaction.h. */
void transaction_apply(struct transaction *tx, const struct fire_hook *hook)
{
    visit_changes(tx, apply_change, (void *)(uintptr_t)hook);
}

/* See transaction.h. */
void transaction_restore(struct transaction *tx, struct change *change,
                         const struct content *content)
{
    content_copy(&change->content, content);
    charge(tx, (int64_t)content_weight(content));
}
