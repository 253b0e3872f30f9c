/* SPDX-License-Identifier: MIT */
/*
 * A client of the store, the tree of values in which domains, tools and back
 * ends meet. The handle speaks to the daemon over a Unix socket, or through
 * the kernel where there never was one. When the daemon restarts, the handle
 * connects again by itself and sets its watches anew (each then fires once,
 * as a new watch does); a transaction that was open ends with EAGAIN.
 *
 * Paths are absolute, or relative to /local/domain/<this domain>. `tx` is a
 * transaction of store_begin(), or STORE_NO_TX. Values are bytes; the ones
 * read are followed by a zero byte that is not counted. What is returned
 * through a pointer is freed with free() unless it says otherwise.
 * Conventions of error.h; e->number is ENOENT for a missing node, EACCES for
 * a forbidden one, and so on. One thread at a time.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dom0_tools/lib/error.h"
#include "hypercall_abi/abi.h"

#define STORE_NO_TX 0u

/* Where the daemon listens: as stock clients expect it, and our own name. */
#define STORE_SOCKET_DIR "/run/xenstored"
#define STORE_SOCKET STORE_SOCKET_DIR "/socket"
#define STORE_SOCKET_LINK "/run/mica/store.socket"

struct store;

/* Who may do what with a node. The first entry names the owner. */
enum {
    STORE_PERM_NONE = 0,
    STORE_PERM_READ = 1,
    STORE_PERM_WRITE = 2,
};

struct store_perm {
    domid_t domain;
    unsigned access; /* STORE_PERM_*; of the first entry: everybody else's */
};

/* A change below a watched path; watch and token are as store_watch() had
 * them, path is what changed. */
struct store_event {
    char *path;
    char *token;
};

/*
 * Connects to the daemon: where the environment's XENSTORED_PATH says, else at
 * the usual places. One that has just ended is waited for, 5 seconds at most.
 * store_open_at() connects to that socket or device alone (NULL: the usual
 * places), and does not wait. NULL with EXIT_STATUS_NO_SERVICE when the daemon
 * does not run.
 */
struct store *store_open(struct error *e);
struct store *store_open_at(const char *path, struct error *e);

/*
 * For who has other things to do: a call no longer waits for a daemon that is
 * away, nor more than `ms` for one that does not answer, but fails and loses
 * the connection. store_fd() is then -1, and the handle of no more use.
 */
void store_set_patience(struct store *s, unsigned ms);

/* Ends the connection with its watches and transactions. NULL is fine. */
void store_close(struct store *s);

/*
 * For poll(): readable when an event may have come. Ask store_has_event()
 * first, since another call may have read it already. The number changes
 * when the handle connects again.
 */
int store_fd(const struct store *s);

/* The value of a node, zero terminated; its size in *size if not NULL. */
char *store_read(struct store *s, uint32_t tx, const char *path, size_t *size,
                 struct error *e);

/*
 * The values of `count` nodes, read in few steps: values[i] is NULL for one
 * that can't be read, else freed with free(). 0; -1 when the daemon has gone
 * away, and then what was read still counts.
 */
int store_read_many(struct store *s, uint32_t tx, const char *const *paths,
                    unsigned count, char **values, struct error *e);

/* The value of a node as a number. 0; -1 also if it is none (EINVAL). */
int store_read_number(struct store *s, uint32_t tx, const char *path,
                      uint64_t *number, struct error *e);

/* Sets a node's value, and makes it and its parents where missing. */
int store_write_bytes(struct store *s, uint32_t tx, const char *path,
                      const void *value, size_t size, struct error *e);
int store_write(struct store *s, uint32_t tx, const char *path,
                const char *value, struct error *e);
__attribute__((format(printf, 5, 6))) int store_write_format(
    struct store *s, uint32_t tx, const char *path, struct error *e,
    const char *format, ...);

/* Makes a node with an empty value unless there is one. */
int store_mkdir(struct store *s, uint32_t tx, const char *path,
                struct error *e);

/* Removes a node and all below it. A missing node is no failure. */
int store_remove(struct store *s, uint32_t tx, const char *path,
                 struct error *e);

/* Whether there is such a node: 1 or 0; -1 for any other failure. */
int store_exists(struct store *s, uint32_t tx, const char *path,
                 struct error *e);

/*
 * The names of a node's children: *count strings, and NULL after the last,
 * all in one block for free(). However many there are; but EAGAIN for a list
 * that never stands still.
 */
char **store_list(struct store *s, uint32_t tx, const char *path,
                  unsigned *count, struct error *e);

/* The permissions of a node: *count entries in one block. */
struct store_perm *store_get_perms(struct store *s, uint32_t tx,
                                   const char *path, unsigned *count,
                                   struct error *e);
int store_set_perms(struct store *s, uint32_t tx, const char *path,
                    const struct store_perm *perms, unsigned count,
                    struct error *e);

/*
 * Reads "n0", "r5" and the like into *perm, and writes it (room for 8 bytes).
 * store_perm_parse() returns false for anything else.
 */
bool store_perm_parse(const char *word, struct store_perm *perm);
void store_perm_format(const struct store_perm *perm, char word[8]);

/*
 * A transaction: what is done under it becomes visible to others at
 * store_commit(), all or nothing. That fails with e->number == EAGAIN when
 * somebody else touched the same nodes: do it all again. The transaction is
 * over in any case.
 */
uint32_t store_begin(struct store *s, struct error *e);
int store_commit(struct store *s, uint32_t tx, struct error *e);
void store_abort(struct store *s, uint32_t tx);

/*
 * For a transaction with many changes: until it is over, those under it are
 * sent together and not waited for one by one, where the connection can. What
 * fails of them is then told by store_commit(), which aborts.
 */
void store_defer(struct store *s);

/*
 * Watches a path and all below. The first event comes at once. Besides paths
 * there are "@introduceDomain" and "@releaseDomain": a domain came; one has
 * ended or is gone.
 */
int store_watch(struct store *s, const char *path, const char *token,
                struct error *e);
int store_unwatch(struct store *s, const char *path, const char *token,
                  struct error *e);

/* Whether store_next_event() has one without waiting. */
bool store_has_event(struct store *s);

/*
 * Waits up to `timeout_ms` (-1: without end) for an event. 1 with *event,
 * whose strings store_event_free() frees; 0 when none came in time; -1.
 */
int store_next_event(struct store *s, int timeout_ms, struct store_event *event,
                     struct error *e);
void store_event_free(struct store_event *event);

/*
 * Tells the daemon of a domain whose store ring is this frame, and at whose
 * port it listens. Known already: no failure.
 */
int store_introduce(struct store *s, domid_t domain, uint64_t frame,
                    evtchn_port_t port, struct error *e);

/* The domain is gone, or its connection shall end. */
int store_release(struct store *s, domid_t domain, struct error *e);

/* 1 or 0; -1 on failure. */
int store_is_introduced(struct store *s, domid_t domain, struct error *e);

/* "/local/domain/<domain>". */
char *store_domain_path(struct store *s, domid_t domain, struct error *e);

/* Gives `domain` the rights of `target`. */
int store_set_target(struct store *s, domid_t domain, domid_t target,
                     struct error *e);

/* A word to the daemon itself: "help" tells which. Its answer. */
char *store_control(struct store *s, const char *const *words, unsigned count,
                    struct error *e);
