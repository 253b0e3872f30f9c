/* SPDX-License-Identifier: MIT */
/*
 * The nodes of the store. A node has three generations, drawn from one
 * counter that never repeats: of its content, of its permissions alone, and
 * of its list of children. Whoever looked at one of the three can tell later
 * whether it is still the same, which is how transactions find conflicts.
 *
 * The tree keeps the accounts of nodes and their memory, and does as it is
 * told: permissions, quotas and watches are its callers' business.
 */
#pragma once

#include "dom0_tools/stored/content.h"
#include "dom0_tools/stored/names.h"
#include "dom0_tools/stored/quota.h"

struct node {
    struct name name; /* first: a name found in the tree is a node */
    struct content content;
    uint64_t generation;
    uint64_t permissions_generation;
    uint64_t children_generation;
};

struct tree {
    struct names names;
    struct node root;
    struct node special; /* above "@introduceDomain" and its like */
    uint64_t generation; /* the last one given out */
    struct quotas *quotas;
};

/* An empty root, owned by dom0 and closed to others. */
void tree_begin(struct tree *t, const uint64_t key[2], struct quotas *quotas);
void tree_end(struct tree *t);

/* The root above a path, and the node itself or NULL. */
struct node *tree_root(struct tree *t, const char *path);
struct node *tree_find(struct tree *t, const char *path);
struct node *tree_find_child(struct tree *t, const struct node *parent,
                             const char *text, size_t size);

/* Makes a node, which must be new, with a copy of that content. */
struct node *tree_add(struct tree *t, struct node *parent, const char *text,
                      size_t size, const struct content *content);

/* Removes a node without children. */
void tree_remove_leaf(struct tree *t, struct node *n);

void tree_set_value(struct tree *t, struct node *n, const void *value,
                    size_t size);
void tree_set_permissions(struct tree *t, struct node *n,
                          const struct permission *list, size_t count);

/* What a node's owner pays for it in memory. */
size_t tree_weight(const struct node *n);

/*
 * A domain's id has lost its meaning: its nodes become dom0's and entries of
 * permissions that name it go. Costs nothing if there are none.
 */
void tree_forget_domain(struct tree *t, domid_t domain);
