/* SPDX-License-Identifier: MIT */
/*
 * Watches, found by the path of what changed: a tree of the watched paths, of
 * which a change visits those that lie on its way from the root, and no other.
 */
#pragma once

#include <sys/queue.h>

#include "dom0_tools/stored/names.h"

struct connection;

struct watch {
    TAILQ_ENTRY(watch) at_point;
    TAILQ_ENTRY(watch) of_owner;
    struct watch_point *point;
    struct connection *owner;
    char *token;
    size_t skip;     /* leading bytes of paths that the owner does not see */
    uint64_t id;     /* different for all watches ever */
    uint32_t weight; /* bytes that its owner is charged for */
};

TAILQ_HEAD(watch_list, watch);

struct watch_point {
    struct name name; /* first: a name found in the tree is a point */
    struct watch_list watches;
};

struct watches {
    struct names names;
    struct watch_point root, special;
    uint64_t last_id;
};

void watches_begin(struct watches *w, const uint64_t key[2]);

/* Frees the tables; the watches must be gone. */
void watches_end(struct watches *w);

/* The most bytes that a watch of that path and token takes. */
size_t watch_weight(const char *path, const char *token);

/* A new watch; the caller puts it into the list of its owner. */
struct watch *watches_add(struct watches *w, const char *path,
                          const char *token, struct connection *owner);

/* Frees a watch, which is in no owner's list any more. */
void watches_remove(struct watches *w, struct watch *watch);

/* The owner's watch with that path and token, or NULL. */
struct watch *watches_find(struct watches *w, const char *path,
                           const char *token, const struct connection *owner);

/* The path of a watch, in room for PATH_ROOM bytes. */
void watch_path(const struct watches *w, const struct watch *watch, char *path);

/* Calls `visit` for the watches of a path, and of those above it... */
void watches_visit(struct watches *w, const char *path,
                   void (*visit)(void *context, struct watch *watch),
                   void *context);

/* ...or for those of the path alone. */
void watches_visit_exactly(struct watches *w, const char *path,
                           void (*visit)(void *context, struct watch *watch),
                           void *context);
