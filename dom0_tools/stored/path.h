/* SPDX-License-Identifier: MIT */
/*
 * Paths: "/", "/a/b", and the special names "@introduceDomain" and the like,
 * which form a tree of their own with one level. Names consist of letters,
 * digits and - / _ @.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "hypercall_abi/abi.h"
#include "hypercall_abi/store.h"

/* An absolute path and its zero byte. */
#define PATH_ROOM (XENSTORE_ABS_PATH_MAX + 1)

/* A domain's home, "/local/domain/7", and its zero byte. */
#define PATH_HOME_ROOM 24

/* Writes the home of a domain and returns its length. */
size_t path_home(domid_t domain, char home[PATH_HOME_ROOM]);

/*
 * Makes an absolute path of what a client of that domain wrote. 0, or -EINVAL
 * for what is no path. *skip is the number of leading bytes that the client
 * did not write.
 */
int path_resolve(const char *given, domid_t domain, char out[PATH_ROOM],
                 size_t *skip);

/*
 * The next name of a path at *rest, which starts as the path: false at the
 * end. A special name is one name, at sign and all.
 */
bool path_next(const char **rest, const char **text, size_t *size);

bool path_is_special(const char *path);

/* How many names an absolute path has; 0: the root. */
unsigned path_depth(const char *path);
