/* SPDX-License-Identifier: MIT */
/*
 * Skew heaps (Sleator, Tarjan: "Self-adjusting heaps", 1986) without recursion:
 * a queue may be as long as guests make it.
 */
#include "core/prioq.h"

/* Joins two trees, of which either may be NULL, at *link of `parent` or none. */
static void meld(struct prioq_node **link, struct prioq_node *parent,
                 struct prioq_node *a, struct prioq_node *b)
{
    while (a || b) {
        struct prioq_node *first = a, *rest = b;

        if (!a || (b && prioq_key_before(b->key, a->key))) {
            first = b;
            rest = a;
        }
        *link = first;
        first->parent = parent ? parent : first;
        if (!rest)
            return;
        a = first->right;
        b = rest;
        first->right = first->left;
        parent = first;
        link = &first->left;
    }
    *link = NULL;
}

/* Adds a node that is in no queue. */
void prioq_insert(struct prioq *q, struct prioq_node *node, uint64_t key)
{
    node->key = key;
    node->left = node->right = NULL;
    meld(&q->root, NULL, q->root, node);
}

/* Takes a node out of the queue it is in. */
void prioq_remove(struct prioq *q, struct prioq_node *node)
{
    struct prioq_node *parent = node->parent;

    if (node == q->root)
        meld(&q->root, NULL, node->left, node->right);
    else
        meld(parent->left == node ? &parent->left : &parent->right, parent,
             node->left, node->right);
    node->parent = NULL;
}
