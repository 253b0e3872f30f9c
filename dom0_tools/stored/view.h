/* SPDX-License-Identifier: MIT */
/*
 * The store as one asker sees it, under a transaction or not: what may be
 * read and written, what is refused with which error, and what others are
 * told of it.
 */
#pragma once

#include "dom0_tools/stored/transaction.h"

struct view {
    struct tree *tree;
    struct transaction *tx; /* or NULL */
    struct asker asker;
    struct fire_hook hook;
};

/*
 * All return 0 or -Exxx: -ENOENT, -EACCES, -EINVAL for what can't be done to
 * that path, -ENOSPC and -ENOMEM for quotas. Paths are absolute.
 */
int view_read(struct view *v, const char *path, const struct content **content);

/* The names of the children, and the generation of that list. */
int view_list(struct view *v, const char *path, struct bytes *names,
              uint64_t *generation);

int view_write(struct view *v, const char *path, const void *value,
               size_t size);
int view_mkdir(struct view *v, const char *path);

/* A missing node below an existing one is removed already. */
int view_remove(struct view *v, const char *path);
int view_set_permissions(struct view *v, const char *path,
                         const struct permission *list, size_t count);
