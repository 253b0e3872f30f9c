/* SPDX-License-Identifier: MIT */
/* Operations on nodes (view.h). */
#include "dom0_tools/stored/view.h"

#include <errno.h>
#include <string.h>

#include "dom0_tools/stored/path.h"

static void find(struct view *v, const char *path, struct place *place)
{
    place_find(v->tree, v->tx, path, place);
}

/* Notes what the answer depends on; whether the quota has room for it. */
static bool see(struct view *v, const char *path, enum seen what)
{
    if (!v->tx)
        return true;
    if (!quota_allows(v->tree->quotas, v->tx->owner, QUOTA_CHANGES,
                      v->tx->count + 1))
        return false;
    transaction_see(v->tx, path, what);
    return true;
}

/* Cuts the last name off. False at a root. */
static bool cut(char *path)
{
    char *slash = strrchr(path, '/');

    if (!slash || !path[1])
        return false;
    slash[slash == path] = '\0';
    return true;
}

/* The nearest existing node above a path; writes its path over it. */
static void find_above(struct view *v, char *path, struct place *place)
{
    do {
        if (!cut(path)) {
            *place = (struct place){NULL, NULL, NULL};
            return;
        }
        find(v, path, place);
    } while (!place->content);
}

/* Whether a node is missing, or is none of the asker's business. */
static int why_missing(struct view *v, const char *path, unsigned wanted)
{
    char above[PATH_ROOM];
    struct place place;

    memcpy(above, path, strlen(path) + 1);
    find_above(v, above, &place);
    if (!place.content)
        return -ENOENT;
    if (!see(v, above, SEEN_PERMISSIONS))
        return -ENOSPC;
    return content_access(place.content, &v->asker) & wanted ? -ENOENT
                                                             : -EACCES;
}

/* Finds a node to which the asker has all of `wanted`. */
static int find_allowed(struct view *v, const char *path, unsigned wanted,
                        enum seen what, struct place *place)
{
    if (!see(v, path, what))
        return -ENOSPC;
    find(v, path, place);
    if (!place->content)
        return why_missing(v, path, wanted);
    return content_access(place->content, &v->asker) & wanted ? 0 : -EACCES;
}

/* See view.h. */
int view_read(struct view *v, const char *path, const struct content **content)
{
    struct place place;
    int rc = find_allowed(v, path, ACCESS_READ, SEEN_CONTENT, &place);

    *content = place.content;
    return rc;
}

static void list_store_children(struct view *v, const struct place *place,
                                struct bytes *names)
{
    struct name *n = place->node ? place->node->name.first : NULL;

    for (; n; n = n->next) {
        struct name *over =
            !place->change ? NULL
                           : names_find(&v->tx->names, &place->change->name,
                                        n->text, n->size);
        unsigned flags = over ? ((struct change *)over)->flags : 0;

        if ((flags & (CHANGE_HIDES | CHANGE_HAS)) != CHANGE_HIDES)
            bytes_put(names, n->text, n->size + 1);
    }
}

/* What the transaction added. */
static void list_new_children(struct view *v, const struct place *place,
                              struct bytes *names)
{
    struct name *n = place->change ? place->change->name.first : NULL;

    for (; n; n = n->next)
        if (((struct change *)n)->flags & CHANGE_HAS &&
            !tree_find_child(v->tree, place->node, n->text, n->size))
            bytes_put(names, n->text, n->size + 1);
}

/* See view.h. */
int view_list(struct view *v, const char *path, struct bytes *names,
              uint64_t *generation)
{
    struct place place;
    int rc;

    *generation = 0;
    if (path_is_special(path))
        return -EINVAL;
    rc = find_allowed(v, path, ACCESS_READ, SEEN_PERMISSIONS, &place);
    if (rc)
        return rc;
    if (!see(v, path, SEEN_CHILDREN))
        return -ENOSPC;
    find(v, path, &place);
    list_store_children(v, &place, names);
    list_new_children(v, &place, names);
    if (place.node)
        *generation = place.node->children_generation;
    if (v->tx)
        *generation += v->tx->count;
    return 0;
}

/* Whether the quotas allow a node, new if content is NULL, of that value. */
static int check_size(struct view *v, const struct content *content,
                      size_t value_size)
{
    struct quotas *q = v->tree->quotas;
    size_t size = value_size;

    if (content)
        size += content_weight(content) - content->size;
    if (!quota_allows(q, v->asker.domain, QUOTA_NODE_SIZE, size))
        return -ENOSPC;
    return quota_allows(q, v->asker.domain, QUOTA_MEMORY, value_size) ? 0
                                                                      : -ENOMEM;
}

/* One new node with an empty value, below an existing one. */
static void add_empty(struct view *v, const char *path,
                      const struct content *content)
{
    struct place parent;
    char above[PATH_ROOM];

    if (v->tx) {
        transaction_add(v->tx, path, content);
        return;
    }
    memcpy(above, path, strlen(path) + 1);
    cut(above);
    find(v, above, &parent);
    path = strrchr(path, '/') + 1;
    tree_add(v->tree, parent.node, path, strlen(path), content);
}

/*
 * Makes a node and the missing ones above it, all with the permissions of the
 * nearest that exists; but what a guest makes is its own.
 */
static int add_path(struct view *v, const char *path)
{
    struct content content = {NULL, 0, 0, NULL};
    struct quotas *q = v->tree->quotas;
    char above[PATH_ROOM];
    struct place place;
    unsigned missing;
    size_t length;

    memcpy(above, path, strlen(path) + 1);
    find_above(v, above, &place);
    if (!(content_access(place.content, &v->asker) & ACCESS_WRITE))
        return -EACCES;
    if (!see(v, above, SEEN_PERMISSIONS))
        return -ENOSPC;
    missing = path_depth(path) - path_depth(above);
    if (!quota_allows(q, v->asker.domain, QUOTA_NODES, missing))
        return -ENOSPC;
    if (!quota_allows(q, v->asker.domain, QUOTA_MEMORY,
                      missing * sizeof(struct node)))
        return -ENOMEM;
    content_copy(&content, place.content);
    content_set_value(&content, NULL, 0);
    if (v->asker.domain)
        content.permissions[0].domain = v->asker.domain;
    length = above[1] ? strlen(above) : 0;
    while (path[length]) {
        length += 1 + strcspn(path + length + 1, "/");
        memcpy(above, path, length);
        above[length] = '\0';
        add_empty(v, above, &content);
    }
    content_free(&content);
    return 0;
}

/* Finds a node to write to, made if it is missing. *is_new says which. */
static int find_or_add(struct view *v, const char *path, size_t size,
                       struct place *place, bool *is_new)
{
    int rc = find_allowed(v, path, ACCESS_WRITE, SEEN_CONTENT, place);

    *is_new = rc == -ENOENT && !place->content;
    if (rc && !*is_new)
        return rc;
    rc = check_size(v, place->content, size);
    if (rc || !*is_new)
        return rc;
    rc = add_path(v, path);
    find(v, path, place);
    return rc;
}

static void set_value(struct view *v, const char *path,
                      const struct place *place, const void *value, size_t size)
{
    if (v->tx) {
        transaction_set_value(v->tx, path, place, value, size);
        return;
    }
    tree_set_value(v->tree, place->node, value, size);
    v->hook.fire(v->hook.context, path, &place->node->content, FIRE_UP);
}

/* See view.h. */
int view_write(struct view *v, const char *path, const void *value, size_t size)
{
    struct place place;
    bool is_new;
    int rc;

    if (path_is_special(path))
        return -EINVAL;
    rc = find_or_add(v, path, size, &place, &is_new);
    if (!rc)
        set_value(v, path, &place, value, size);
    return rc;
}

/* See view.h. */
int view_mkdir(struct view *v, const char *path)
{
    struct place place;
    bool is_new;
    int rc;

    if (path_is_special(path))
        return -EINVAL;
    rc = find_or_add(v, path, 0, &place, &is_new);
    if (!rc && is_new)
        set_value(v, path, &place, NULL, 0);
    return rc;
}

/* See view.h. */
int view_remove(struct view *v, const char *path)
{
    char above[PATH_ROOM];
    struct place place;
    int rc;

    if (path_is_special(path) || !path[1])
        return -EINVAL;
    rc = find_allowed(v, path, ACCESS_WRITE, SEEN_CONTENT, &place);
    if (rc == -ENOENT) {
        memcpy(above, path, strlen(path) + 1);
        cut(above);
        find(v, above, &place);
        return place.content ? 0 : -ENOENT;
    }
    if (rc)
        return rc;
    if (v->tx)
        transaction_remove(v->tx, path);
    else
        remove_subtree(v->tree, place.node, &v->hook);
    return 0;
}

/* See view.h. */
int view_set_permissions(struct view *v, const char *path,
                         const struct permission *list, size_t count)
{
    struct place place;
    int rc = find_allowed(v, path, ACCESS_WRITE, SEEN_CONTENT, &place);

    if (rc)
        return rc;
    if (!content_is_owner(place.content, &v->asker))
        return -EACCES;
    if (v->asker.domain &&
        list[0].domain != place.content->permissions[0].domain)
        return -EPERM;
    if (!quota_allows(v->tree->quotas, v->asker.domain, QUOTA_PERMISSIONS,
                      count))
        return -ENOSPC;
    if (v->tx) {
        transaction_set_permissions(v->tx, path, &place, list, count);
        return 0;
    }
    tree_set_permissions(v->tree, place.node, list, count);
    v->hook.fire(v->hook.context, path, &place.node->content, FIRE_UP);
    return 0;
}
