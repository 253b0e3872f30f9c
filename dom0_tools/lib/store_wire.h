/* SPDX-License-Identifier: MIT */
/*
 * A client's end of the store's wire, for store.c alone: requests and their
 * answers, one at a time or several together, events in between kept for
 * later, and a new connection with the old watches when the daemon has gone
 * away.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct store;

/* A piece of a request's body. */
struct store_part {
    const void *bytes;
    size_t size;
};

/*
 * Sends a request and waits for its answer. 0 with *answer, zero terminated
 * and the caller's to free, and its size; either may be NULL. -Exxx as the
 * daemon names it; -EAGAIN for a transaction that its restart has ended;
 * -ECONNREFUSED when it does not come back.
 */
int store_wire_call(struct store *s, uint32_t type, uint32_t tx,
                    const struct store_part *parts, unsigned count,
                    char **answer, size_t *size);

/*
 * From now on changes in a transaction are not sent, and don't fail, before
 * the next request with an answer: they are then sent together.
 */
void store_wire_defer(struct store *s);

/*
 * Ends that. What was not sent yet goes out if it is wanted. 0, or -Exxx for
 * the first change that failed; *path is its node then, the caller's to free,
 * and else NULL.
 */
int store_wire_end_deferring(struct store *s, bool is_wanted, char **path);

/*
 * Reads nodes, many of them at a time. 0 with values[i] zero terminated and
 * the caller's to free, NULL for a node that can't be read; -Exxx as
 * store_wire_call() when there is no connection, with values likewise.
 */
int store_wire_read_many(struct store *s, uint32_t tx, const char *const *paths,
                         unsigned count, char **values);

/* Watches to set again after a reconnection. */
void store_wire_remember_watch(struct store *s, const char *path,
                               const char *token);
void store_wire_forget_watch(struct store *s, const char *path,
                             const char *token);

/*
 * Makes a block of `used` bytes longer by `size`, copied from `more` or
 * zeroed if that is NULL. Never NULL: out of memory ends the program.
 */
void *store_wire_append(void *block, size_t used, const void *more,
                        size_t size);
