/* SPDX-License-Identifier: MIT */
/*
 * Trees of names: the store's nodes, the paths that are watched, and what a
 * transaction touched are each such a tree. A name is embedded in what it
 * names. One hash table per tree finds a child by its parent and its text, so
 * that a node with a thousand children is as quick as one with ten. Siblings
 * stay in the order in which they came; that order is all that is visible.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct name {
    struct name *parent;          /* NULL: a root */
    struct name *first, *last;    /* children */
    struct name *previous, *next; /* siblings */
    struct name *bucket_next;
    uint64_t hash;
    uint32_t count; /* of children */
    uint32_t size;  /* of the text */
    char *text;     /* and a zero byte; NULL: a root */
};

struct names {
    struct name **buckets;
    size_t bucket_count, used;
    uint64_t key[2];
    uint64_t steps; /* names that names_find() looked at, ever */
};

void names_begin(struct names *t, const uint64_t key[2]);

/* Frees the table; the names must be gone. */
void names_end(struct names *t);

/* The child of that text, or NULL. `parent` may be NULL: no child. */
struct name *names_find(struct names *t, const struct name *parent,
                        const char *text, size_t size);

/* Puts a zeroed name below its parent, as the last child. */
void names_add(struct names *t, struct name *n, struct name *parent,
               const char *text, size_t size);

/* Takes out a name without children; its text is freed. */
void names_remove(struct names *t, struct name *n);

/* The name after `n` below `root`, parents before children; NULL ends. */
struct name *names_next(const struct name *root, const struct name *n);

/* The first name in an order that has all children before their parent... */
struct name *names_deepest(struct name *root);

/* ...and the one after `n`, up to `root`, after which NULL. */
struct name *names_next_up(const struct name *root, const struct name *n);

/*
 * Writes "/a/b" for b below a below a root, "/" for the root itself, and the
 * zero byte. Returns the length. The room is PATH_ROOM (path.h).
 */
size_t names_path(const struct name *n, char *out);
