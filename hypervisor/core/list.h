/* SPDX-License-Identifier: MIT */
/*
 * Doubly linked circular lists threaded through their members. The caller
 * locks. An initialised node that is on no list points at itself.
 */
#pragma once

#include "core/types.h"

struct list {
    struct list *next, *prev;
};

static inline void list_init(struct list *l)
{
    l->next = l->prev = l;
}

static inline void list_add(struct list *node, struct list *after)
{
    node->next = after->next;
    node->prev = after;
    after->next->prev = node;
    after->next = node;
}

static inline void list_add_tail(struct list *node, struct list *head)
{
    list_add(node, head->prev);
}

static inline void list_del(struct list *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    list_init(node);
}

#define list_entry(node, type, member) container_of(node, type, member)
#define list_first(head, type, member) list_entry((head)->next, type, member)

#define list_for_each(pos, head, member)                                       \
    for (pos = list_entry((head)->next, __typeof__(*pos), member);             \
         &pos->member != (head);                                               \
         pos = list_entry(pos->member.next, __typeof__(*pos), member))
