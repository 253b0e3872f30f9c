/* SPDX-License-Identifier: MIT */
/* Trees of names (names.h). */
#include "dom0_tools/stored/names.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "dom0_tools/stored/bytes.h"
#include "dom0_tools/stored/hash.h"

#define FIRST_BUCKETS 64

/* So many siblings are looked through sooner than one text is hashed. */
#define FEW 8

/* See names.h. */
void names_begin(struct names *t, const uint64_t key[2])
{
    *t = (struct names){.bucket_count = FIRST_BUCKETS, .key = {key[0], key[1]}};
    t->buckets = memory_get(FIRST_BUCKETS * sizeof(*t->buckets));
}

/* See names.h. */
void names_end(struct names *t)
{
    free(t->buckets);
    t->buckets = NULL;
}

static uint64_t hash_child(const struct names *t, const struct name *parent,
                           const char *text, size_t size)
{
    const uint64_t key[2] = {t->key[0] ^ (uintptr_t)parent, t->key[1]};

    return hash_bytes(key, text, size);
}

static struct name **bucket(const struct names *t, uint64_t hash)
{
    return &t->buckets[hash & (t->bucket_count - 1)];
}

static void grow(struct names *t)
{
    struct name **old = t->buckets;
    size_t count = t->bucket_count;

    t->bucket_count *= 2;
    t->buckets = memory_get(t->bucket_count * sizeof(*t->buckets));
    for (size_t i = 0; i < count; i++)
        while (old[i]) {
            struct name *n = old[i];
            struct name **to = bucket(t, n->hash);

            old[i] = n->bucket_next;
            n->bucket_next = *to;
            *to = n;
        }
    free(old);
}

static bool is_text(const struct name *n, const char *text, size_t size)
{
    return n->size == size && !memcmp(n->text, text, size);
}

static struct name *find_among_few(struct names *t, const struct name *parent,
                                   const char *text, size_t size)
{
    struct name *n = parent->first;

    for (; n && !is_text(n, text, size); n = n->next)
        t->steps++;
    return n;
}

/* See names.h. */
struct name *names_find(struct names *t, const struct name *parent,
                        const char *text, size_t size)
{
    uint64_t hash;
    struct name *n;

    if (!parent || !parent->count)
        return NULL;
    if (parent->count <= FEW)
        return find_among_few(t, parent, text, size);
    hash = hash_child(t, parent, text, size);
    for (n = *bucket(t, hash); n; n = n->bucket_next) {
        t->steps++;
        if (n->hash == hash && n->parent == parent && is_text(n, text, size))
            return n;
    }
    return NULL;
}

/* See names.h. */
void names_add(struct names *t, struct name *n, struct name *parent,
               const char *text, size_t size)
{
    struct name **to;

    if (t->used >= t->bucket_count)
        grow(t);
    t->used++;
    n->hash = hash_child(t, parent, text, size);
    n->text = memory_copy(text, size);
    n->size = (uint32_t)size;
    n->parent = parent;
    n->previous = parent->last;
    if (parent->last)
        parent->last->next = n;
    else
        parent->first = n;
    parent->last = n;
    parent->count++;
    to = bucket(t, n->hash);
    n->bucket_next = *to;
    *to = n;
}

/* See names.h. */
void names_remove(struct names *t, struct name *n)
{
    struct name **at = bucket(t, n->hash);

    while (*at != n)
        at = &(*at)->bucket_next;
    *at = n->bucket_next;
    *(n->previous ? &n->previous->next : &n->parent->first) = n->next;
    *(n->next ? &n->next->previous : &n->parent->last) = n->previous;
    n->parent->count--;
    t->used--;
    free(n->text);
}

/* See names.h. */
struct name *names_next(const struct name *root, const struct name *n)
{
    if (n->first)
        return n->first;
    while (n != root && !n->next)
        n = n->parent;
    return n == root ? NULL : n->next;
}

/* See names.h. */
struct name *names_deepest(struct name *root)
{
    while (root->first)
        root = root->first;
    return root;
}

/* See names.h. */
struct name *names_next_up(const struct name *root, const struct name *n)
{
    if (n == root)
        return NULL;
    return n->next ? names_deepest(n->next) : n->parent;
}

/* See names.h. */
size_t names_path(const struct name *n, char *out)
{
    const struct name *up;
    size_t length = 0;

    for (up = n; up->parent; up = up->parent)
        length += up->size + 1;
    if (!length) {
        memcpy(out, "/", 2);
        return 1;
    }
    out += length;
    *out = '\0';
    for (up = n; up->parent; up = up->parent) {
        out -= up->size;
        memcpy(out, up->text, up->size);
        *--out = '/';
    }
    return length;
}
