/* SPDX-License-Identifier: MIT */
/* Watches by path (watch.h). */
#include "dom0_tools/stored/watch.h"

#include <stdlib.h>
#include <string.h>

#include "dom0_tools/stored/bytes.h"
#include "dom0_tools/stored/path.h"

/* See watch.h. */
void watches_begin(struct watches *w, const uint64_t key[2])
{
    *w = (struct watches){.last_id = 0};
    names_begin(&w->names, key);
    TAILQ_INIT(&w->root.watches);
    TAILQ_INIT(&w->special.watches);
}

/* See watch.h. */
void watches_end(struct watches *w)
{
    names_end(&w->names);
}

static struct watch_point *root_of(struct watches *w, const char *path)
{
    return path_is_special(path) ? &w->special : &w->root;
}

static struct watch_point *find_child(struct watches *w,
                                      struct watch_point *point,
                                      const char *text, size_t size)
{
    return (struct watch_point *)names_find(&w->names, &point->name, text,
                                            size);
}

static struct watch_point *make_point(struct watches *w, const char *path)
{
    struct watch_point *point = root_of(w, path);
    const char *text;
    size_t size;

    while (path_next(&path, &text, &size)) {
        struct watch_point *child = find_child(w, point, text, size);

        if (!child) {
            child = memory_get(sizeof(*child));
            TAILQ_INIT(&child->watches);
            names_add(&w->names, &child->name, &point->name, text, size);
        }
        point = child;
    }
    return point;
}

static struct watch_point *find_point(struct watches *w, const char *path)
{
    struct watch_point *point = root_of(w, path);
    const char *text;
    size_t size;

    while (point && path_next(&path, &text, &size))
        point = find_child(w, point, text, size);
    return point;
}

/* Frees points that nobody watches, from the bottom up. */
static void free_unused(struct watches *w, struct watch_point *point)
{
    while (point->name.parent && !point->name.count &&
           TAILQ_EMPTY(&point->watches)) {
        struct watch_point *parent = (struct watch_point *)point->name.parent;

        names_remove(&w->names, &point->name);
        free(point);
        point = parent;
    }
}

/* See watch.h. */
size_t watch_weight(const char *path, const char *token)
{
    return sizeof(struct watch) + strlen(token) + strlen(path) +
           path_depth(path) * sizeof(struct watch_point);
}

/* See watch.h. */
struct watch *watches_add(struct watches *w, const char *path,
                          const char *token, struct connection *owner)
{
    struct watch *watch = memory_get(sizeof(*watch));

    watch->point = make_point(w, path);
    watch->owner = owner;
    watch->token = memory_copy(token, strlen(token));
    watch->id = ++w->last_id;
    watch->weight = (uint32_t)watch_weight(path, token);
    TAILQ_INSERT_TAIL(&watch->point->watches, watch, at_point);
    return watch;
}

/* See watch.h. */
void watches_remove(struct watches *w, struct watch *watch)
{
    TAILQ_REMOVE(&watch->point->watches, watch, at_point);
    free_unused(w, watch->point);
    free(watch->token);
    free(watch);
}

/* See watch.h. */
struct watch *watches_find(struct watches *w, const char *path,
                           const char *token, const struct connection *owner)
{
    struct watch_point *point = find_point(w, path);
    struct watch *watch = point ? TAILQ_FIRST(&point->watches) : NULL;

    while (watch && (watch->owner != owner || strcmp(watch->token, token) != 0))
        watch = TAILQ_NEXT(watch, at_point);
    return watch;
}

/* See watch.h. */
void watch_path(const struct watches *w, const struct watch *watch, char *path)
{
    const struct name *n = &watch->point->name;

    /* A special name has no slash before it. */
    if (n->parent == &w->special.name)
        memcpy(path, n->text, n->size + 1);
    else
        names_path(n, path);
}

static void visit_point(struct watch_point *point,
                        void (*visit)(void *, struct watch *), void *context)
{
    struct watch *watch;

    for (watch = TAILQ_FIRST(&point->watches); watch;
         watch = TAILQ_NEXT(watch, at_point))
        visit(context, watch);
}

/* See watch.h. */
void watches_visit(struct watches *w, const char *path,
                   void (*visit)(void *, struct watch *), void *context)
{
    struct watch_point *point = root_of(w, path);
    const char *text;
    size_t size;

    visit_point(point, visit, context);
    while (path_next(&path, &text, &size)) {
        point = find_child(w, point, text, size);
        if (!point)
            return;
        visit_point(point, visit, context);
    }
}

/* See watch.h. */
void watches_visit_exactly(struct watches *w, const char *path,
                           void (*visit)(void *, struct watch *), void *context)
{
    struct watch_point *point = find_point(w, path);

    if (point)
        visit_point(point, visit, context);
}
