/* SPDX-License-Identifier: MIT */
/* The newest output of a domain (backlog.h). */
#include "dom0_tools/consoled/backlog.h"

#include <string.h>

static size_t min_size(size_t a, size_t b)
{
    return a < b ? a : b;
}

static uint64_t oldest(const struct backlog *b)
{
    return b->end > BACKLOG_SIZE ? b->end - BACKLOG_SIZE : 0;
}

/* See backlog.h. */
void backlog_put(struct backlog *b, const char *bytes, size_t size)
{
    while (size) {
        size_t place = b->end % BACKLOG_SIZE;
        size_t part = min_size(size, BACKLOG_SIZE - place);

        memcpy(b->bytes + place, bytes, part);
        b->end += part;
        bytes += part;
        size -= part;
    }
}

/* See backlog.h. */
size_t backlog_peek(const struct backlog *b, uint64_t *at, const char **bytes,
                    bool *is_lost)
{
    size_t place;

    *is_lost = *at < oldest(b);
    if (*is_lost)
        *at = oldest(b);
    place = *at % BACKLOG_SIZE;
    *bytes = b->bytes + place;
    return min_size(b->end - *at, BACKLOG_SIZE - place);
}

/* See backlog.h. */
uint64_t backlog_recent(const struct backlog *b, size_t size)
{
    uint64_t first = b->end > size ? b->end - size : 0;

    if (first < oldest(b))
        first = oldest(b);
    if (!first)
        return 0;
    for (uint64_t at = first; at < b->end; at++)
        if (b->bytes[(at - 1) % BACKLOG_SIZE] == '\n')
            return at;
    return first;
}
