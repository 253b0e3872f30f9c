/* SPDX-License-Identifier: MIT */
/*
 * Priority queues threaded through their members: skew heaps, which need no
 * memory of their own and so cannot fail. A look at the first is constant,
 * insertion and removal are logarithmic on average over a sequence. The caller
 * locks.
 *
 * Keys are compared as points on a circle, so that they may wrap: those in one
 * queue must lie within 2^63 of each other.
 */
#pragma once

#include "core/types.h"

struct prioq_node {
    uint64_t key;
    struct prioq_node *left, *right; /* what comes later */
    struct prioq_node *parent;       /* NULL: in no queue */
};

struct prioq {
    struct prioq_node head; /* left: the first */
};

/* Whether key `a` comes before key `b`. */
static inline bool prioq_key_before(uint64_t a, uint64_t b)
{
    return (int64_t)(a - b) < 0;
}

static inline struct prioq_node *prioq_first(const struct prioq *q)
{
    return q->head.left;
}

/* Whether the node is in some queue; a zeroed node is in none. */
static inline bool prioq_contains(const struct prioq_node *node)
{
    return node->parent != NULL;
}

void prioq_insert(struct prioq *q, struct prioq_node *node, uint64_t key);
void prioq_remove(struct prioq_node *node);
unsigned prioq_peek(const struct prioq *q, struct prioq_node **out,
                    unsigned room);
