/* SPDX-License-Identifier: MIT */
/* Paths (path.h). */
#define _GNU_SOURCE /* strchrnul() */
#include "dom0_tools/stored/path.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* See path.h. */
size_t path_home(domid_t domain, char home[PATH_HOME_ROOM])
{
    return (size_t)snprintf(home, PATH_HOME_ROOM, "/local/domain/%u", domain);
}

/* See path.h. */
bool path_is_special(const char *path)
{
    return *path == '@';
}

static bool has_good_names(const char *path, size_t length)
{
    static const char good[] = "abcdefghijklmnopqrstuvwxyz"
                               "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-/_@";

    if (strspn(path, good) != length || strstr(path, "//"))
        return false;
    return length == 1 || path[length - 1] != '/';
}

/* See path.h. */
int path_resolve(const char *given, domid_t domain, char out[PATH_ROOM],
                 size_t *skip)
{
    size_t length = strlen(given);

    *skip = 0;
    if (!length)
        return -EINVAL;
    if (path_is_special(given)) {
        if (strchr(given, '/') || length > XENSTORE_REL_PATH_MAX)
            return -EINVAL;
    } else if (*given != '/') {
        if (length > XENSTORE_REL_PATH_MAX)
            return -EINVAL;
        *skip = path_home(domain, out);
        out[(*skip)++] = '/';
    } else if (length > XENSTORE_ABS_PATH_MAX) {
        return -EINVAL;
    }
    memcpy(out + *skip, given, length + 1);
    return has_good_names(given, length) ? 0 : -EINVAL;
}

/* See path.h. */
bool path_next(const char **rest, const char **text, size_t *size)
{
    const char *at = *rest;

    if (*at == '/')
        at++;
    *text = at;
    *size = (size_t)(strchrnul(at, '/') - at);
    *rest = at + *size;
    return *size != 0;
}

/* See path.h. */
unsigned path_depth(const char *path)
{
    unsigned count = 0;
    const char *text;
    size_t size;

    while (path_next(&path, &text, &size))
        count++;
    return count;
}
