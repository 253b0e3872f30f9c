/* SPDX-License-Identifier: MIT */
/*
 * Skew heaps (Sleator, Tarjan: "Self-adjusting heaps", 1986) without recursion:
 * a queue may be as long as guests make it.
 */
#include "core/prioq.h"

/* Joins two trees, of which either may be NULL, at *link of `parent`. */
static void meld(struct prioq_node *parent, struct prioq_node **link,
                 struct prioq_node *a, struct prioq_node *b)
{
    while (a || b) {
        bool a_first = !b || (a && !prioq_key_before(b->key, a->key));
        struct prioq_node *first = a_first ? a : b;

        b = a_first ? b : a;
        *link = first;
        first->parent = parent;
        if (!b)
            return;
        a = first->right;
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
    meld(&q->head, &q->head.left, q->head.left, node);
}

/* Takes a node out of the queue it is in. */
void prioq_remove(struct prioq_node *node)
{
    struct prioq_node *parent = node->parent;

    meld(parent, parent->left == node ? &parent->left : &parent->right,
         node->left, node->right);
    node->parent = NULL;
}

/* The first node and others that come early, up to `room`; how many. */
unsigned prioq_peek(const struct prioq *q, struct prioq_node **out,
                    unsigned room)
{
    unsigned count = 0;

    if (q->head.left)
        out[count++] = q->head.left;
    for (unsigned i = 0; i < count; i++) {
        if (out[i]->left && count < room)
            out[count++] = out[i]->left;
        if (out[i]->right && count < room)
            out[count++] = out[i]->right;
    }
    return count;
}
