/* SPDX-License-Identifier: MIT */
/*
 * Pairing heaps (Fredman, Sedgewick, Sleator, Tarjan: "The pairing heap", 1986)
 * without recursion: a queue may be as long as guests make it.
 */
#include "core/prioq.h"

/* Joins two trees; either may be NULL. */
static struct prioq_node *meld(struct prioq_node *a, struct prioq_node *b)
{
    if (!a || !b)
        return a ? a : b;
    if (prioq_key_before(b->key, a->key)) {
        struct prioq_node *earlier = b;

        b = a;
        a = earlier;
    }
    b->prev = a;
    b->next = a->child;
    if (b->next)
        b->next->prev = b;
    a->child = b;
    return a;
}

/*
 * Makes one tree of a list of siblings: neighbours are joined in pairs, then
 * the pairs from the last to the first.
 */
static struct prioq_node *meld_siblings(struct prioq_node *first)
{
    struct prioq_node *pairs = NULL, *tree = NULL;

    while (first) {
        struct prioq_node *a = first, *b = a->next;

        first = b ? b->next : NULL;
        a->next = NULL;
        if (b)
            b->next = NULL;
        a = meld(a, b);
        a->next = pairs;
        pairs = a;
    }
    while (pairs) {
        struct prioq_node *pair = pairs;

        pairs = pair->next;
        pair->next = NULL;
        tree = meld(tree, pair);
    }
    return tree;
}

static void set_root(struct prioq *q, struct prioq_node *root)
{
    q->root = root;
    if (root) {
        root->next = NULL;
        root->prev = root;
    }
}

/* Adds a node that is in no queue. */
void prioq_insert(struct prioq *q, struct prioq_node *node, uint64_t key)
{
    node->key = key;
    node->child = NULL;
    node->next = NULL;
    set_root(q, meld(q->root, node));
}

/* Takes a node out of the queue it is in. */
void prioq_remove(struct prioq *q, struct prioq_node *node)
{
    struct prioq_node *orphans = meld_siblings(node->child);

    if (q->root == node) {
        set_root(q, orphans);
    } else {
        if (node->prev->child == node)
            node->prev->child = node->next;
        else
            node->prev->next = node->next;
        if (node->next)
            node->next->prev = node->prev;
        set_root(q, meld(q->root, orphans));
    }
    node->child = node->next = node->prev = NULL;
}
