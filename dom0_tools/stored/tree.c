/* SPDX-License-Identifier: MIT */
/* The nodes of the store (tree.h). */
#include "dom0_tools/stored/tree.h"

#include <stdlib.h>

#include "dom0_tools/stored/path.h"

static const struct permission closed = {0, ACCESS_NONE};

static domid_t owner_of(const struct node *n)
{
    return n->content.permissions[0].domain;
}

/* See tree.h. */
size_t tree_weight(const struct node *n)
{
    return sizeof(*n) + n->name.size + content_weight(&n->content);
}

/* Adds a node to its owner's account, or takes it away: sign 1 or -1. */
static void charge(struct tree *t, const struct node *n, int sign)
{
    const struct content *c = &n->content;

    quota_charge(t->quotas, owner_of(n), QUOTA_NODES, sign);
    quota_charge(t->quotas, owner_of(n), QUOTA_MEMORY,
                 sign * (int64_t)tree_weight(n));
    for (uint32_t i = 1; i < c->permission_count; i++)
        quota_account(t->quotas, c->permissions[i].domain)->mentions +=
            (uint32_t)sign;
}

static void begin_root(struct tree *t, struct node *root)
{
    root->generation = root->permissions_generation =
        root->children_generation = ++t->generation;
    content_set_value(&root->content, NULL, 0);
    content_set_permissions(&root->content, &closed, 1);
    charge(t, root, 1);
}

/* See tree.h. */
void tree_begin(struct tree *t, const uint64_t key[2], struct quotas *quotas)
{
    *t = (struct tree){.quotas = quotas};
    names_begin(&t->names, key);
    begin_root(t, &t->root);
    begin_root(t, &t->special);
}

static void end_below(struct tree *t, struct node *root)
{
    struct name *n = names_deepest(&root->name), *next;

    for (; n != &root->name; n = next) {
        next = names_next_up(&root->name, n);
        tree_remove_leaf(t, (struct node *)n);
    }
    content_free(&root->content);
}

/* See tree.h. */
void tree_end(struct tree *t)
{
    end_below(t, &t->root);
    end_below(t, &t->special);
    names_end(&t->names);
}

/* See tree.h. */
struct node *tree_root(struct tree *t, const char *path)
{
    return path_is_special(path) ? &t->special : &t->root;
}

/* See tree.h. */
struct node *tree_find_child(struct tree *t, const struct node *parent,
                             const char *text, size_t size)
{
    return (struct node *)names_find(&t->names, parent ? &parent->name : NULL,
                                     text, size);
}

/* See tree.h. */
struct node *tree_find(struct tree *t, const char *path)
{
    struct node *n = tree_root(t, path);
    const char *text;
    size_t size;

    while (n && path_next(&path, &text, &size))
        n = tree_find_child(t, n, text, size);
    return n;
}

/* See tree.h. */
struct node *tree_add(struct tree *t, struct node *parent, const char *text,
                      size_t size, const struct content *content)
{
    struct node *n = memory_get(sizeof(*n));

    n->generation = n->permissions_generation = n->children_generation =
        parent->children_generation = ++t->generation;
    content_copy(&n->content, content);
    names_add(&t->names, &n->name, &parent->name, text, size);
    charge(t, n, 1);
    return n;
}

/* See tree.h. */
void tree_remove_leaf(struct tree *t, struct node *n)
{
    struct node *parent = (struct node *)n->name.parent;

    charge(t, n, -1);
    parent->children_generation = ++t->generation;
    names_remove(&t->names, &n->name);
    content_free(&n->content);
    free(n);
}

/* See tree.h. */
void tree_set_value(struct tree *t, struct node *n, const void *value,
                    size_t size)
{
    charge(t, n, -1);
    content_set_value(&n->content, value, size);
    charge(t, n, 1);
    n->generation = ++t->generation;
}

/* See tree.h. */
void tree_set_permissions(struct tree *t, struct node *n,
                          const struct permission *list, size_t count)
{
    charge(t, n, -1);
    content_set_permissions(&n->content, list, count);
    charge(t, n, 1);
    n->generation = n->permissions_generation = ++t->generation;
}

static bool is_mentioned(const struct content *c, domid_t domain)
{
    for (uint32_t i = 0; i < c->permission_count; i++)
        if (c->permissions[i].domain == domain)
            return true;
    return false;
}

/* A node's permissions without those of one domain. */
static void forget_in_node(struct tree *t, struct node *n, domid_t domain)
{
    const struct content *c = &n->content;
    struct permission *kept =
        memory_copy(c->permissions, c->permission_count * sizeof(*kept));
    size_t count = 1;

    /* What was its own is nobody else's: a later domain may get the id. */
    if (kept[0].domain == domain)
        kept[0].domain = 0;
    for (uint32_t i = 1; i < c->permission_count; i++)
        if (kept[i].domain != domain)
            kept[count++] = kept[i];
    tree_set_permissions(t, n, kept, count);
    free(kept);
}

static void forget_below(struct tree *t, struct node *root, domid_t domain)
{
    struct name *n;

    for (n = &root->name; n; n = names_next(&root->name, n))
        if (is_mentioned(&((struct node *)n)->content, domain))
            forget_in_node(t, (struct node *)n, domain);
}

/* See tree.h. */
void tree_forget_domain(struct tree *t, domid_t domain)
{
    const struct account *account = quota_account(t->quotas, domain);

    if (!account->mentions && !account->used[QUOTA_NODES])
        return;
    forget_below(t, &t->root, domain);
    forget_below(t, &t->special, domain);
}
