/* SPDX-License-Identifier: MIT */
/*
 * Transactions. Nothing is copied at the start: a transaction is a tree of
 * changes that lies over the store's tree. Where it looked at the store it
 * keeps the generation of what it saw; where it wrote, the new content. It
 * can be committed if what it saw is still there, and then its changes are
 * applied in one go. So two transactions conflict only over what both
 * touched, where a node's content, its permissions, and its list of children
 * are three things: two can make different children of the same node.
 */
#pragma once

#include <sys/queue.h>

#include "dom0_tools/stored/tree.h"

/* What of a node was seen; indexes of change.seen. */
enum seen { SEEN_CONTENT, SEEN_PERMISSIONS, SEEN_CHILDREN, SEEN_COUNT };

enum {
    CHANGE_SEEN = 1u << 0,   /* << enum seen */
    CHANGE_HIDES = 1u << 3,  /* removed the store's node and all below */
    CHANGE_HAS = 1u << 4,    /* `content` holds */
    CHANGE_VALUE = 1u << 5,  /* the value is to be written */
    CHANGE_ACCESS = 1u << 6, /* the permissions are to be written */
    CHANGE_ASKED = 1u << 7,  /* by the client, not just a parent */
    CHANGE_FLAGS = (1u << 8) - 1
};

struct change {
    struct name name; /* first: a name found in the tree is a change */
    uint32_t flags;
    uint64_t seen[SEEN_COUNT]; /* generations; 0: there was no node */
    struct content content;
};

struct transaction {
    TAILQ_ENTRY(transaction) of_owner;
    uint32_t id;
    domid_t owner;
    struct tree *tree;
    struct names names;
    struct change root, special;
    uint64_t count;  /* of changes */
    uint64_t weight; /* bytes charged to the owner */
};

/* Where a path leads, in the store or under a transaction. */
struct place {
    struct node *node;             /* of the store, unless hidden; or NULL */
    struct change *change;         /* or NULL */
    const struct content *content; /* NULL: there is no such node */
};

/* How a change is told to those who watch. */
enum fire { FIRE_UP, FIRE_EXACTLY };

struct fire_hook {
    void (*fire)(void *context, const char *path, const struct content *content,
                 enum fire how);
    void *context;
};

struct transaction *transaction_begin(struct tree *tree, domid_t owner,
                                      uint32_t id);
void transaction_free(struct transaction *tx);

/* Finds a path in a tree, as `tx` sees it; tx may be NULL. */
void place_find(struct tree *tree, struct transaction *tx, const char *path,
                struct place *place);

/*
 * The change of a path, made if there is none. Charged to the owner, whatever
 * the quota says.
 */
struct change *transaction_touch(struct transaction *tx, const char *path);

/*
 * Notes that the result depends on what the store has at this path now.
 * Nothing is noted for what the transaction wrote or hid itself.
 */
void transaction_see(struct transaction *tx, const char *path, enum seen what);

/* Writes under a transaction. The place must be the path's. */
void transaction_add(struct transaction *tx, const char *path,
                     const struct content *content);
void transaction_set_value(struct transaction *tx, const char *path,
                           const struct place *place, const void *value,
                           size_t size);
void transaction_set_permissions(struct transaction *tx, const char *path,
                                 const struct place *place,
                                 const struct permission *list, size_t count);
void transaction_remove(struct transaction *tx, const char *path);

/* Gives a change, on loading, the content that it had. */
void transaction_restore(struct transaction *tx, struct change *change,
                         const struct content *content);

/* How many nodes it would make that the store does not have. */
uint64_t transaction_growth(struct transaction *tx);

/* Whether all that was seen is still so. */
bool transaction_can_commit(struct transaction *tx);

/* Makes the changes in the store and tells of them. */
void transaction_apply(struct transaction *tx, const struct fire_hook *hook);

/* Removes a node of the store with all below it, and tells of it. */
void remove_subtree(struct tree *tree, struct node *top,
                    const struct fire_hook *hook);
