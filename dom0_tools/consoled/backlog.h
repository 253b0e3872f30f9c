/* SPDX-License-Identifier: MIT */
/*
 * The newest output of a domain, which any number of viewers read at their
 * own pace. It never grows and never waits: a viewer that stays behind by
 * more than it holds loses the oldest part.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BACKLOG_SIZE 65536u

struct backlog {
    uint64_t end; /* bytes written, ever */
    char bytes[BACKLOG_SIZE];
};

void backlog_put(struct backlog *b, const char *bytes, size_t size);

/*
 * The next bytes for a viewer at *at, in one piece: their number, 0 when it
 * has seen all. Moves *at forward, and sets *is_lost, where bytes are gone.
 */
size_t backlog_peek(const struct backlog *b, uint64_t *at, const char **bytes,
                    bool *is_lost);

/*
 * Where a viewer begins who wants to see about the last `size` bytes: at the
 * start of a line if there is one among them.
 */
uint64_t backlog_recent(const struct backlog *b, size_t size);
