/* SPDX-License-Identifier: MIT */
/*
 * The daemon's loop: what comes from sockets and rings becomes commands to
 * the engine; commands go to the journal; and only then does their output
 * leave, and room in the rings is given back.
 */
#pragma once

#include "dom0_tools/lib/error.h"
#include "dom0_tools/stored/engine.h"
#include "dom0_tools/stored/journal.h"
#include "dom0_tools/stored/world.h"
#include "ring_buffers/store.h"

struct server;

/* A ring in use: what a ring connection's `link` points to. */
struct ring_link {
    TAILQ_ENTRY(ring_link) link; /* in the list of rings that were touched */
    struct connection *c;
    struct world_ring mapped;
    struct store_ring ring;
    bool is_touched;    /* in the list; to be finished after the journal */
    bool wants_notify;  /* the domain shall look */
    bool has_more;      /* to be read in the next turn, event or not */
    bool is_restarting; /* its page is to start anew, after the journal */
};

/* A program: what a socket connection's `link` points to. */
struct client {
    struct connection *c;
    int fd;
    struct bytes in; /* bytes of messages that are not whole yet */
    bool is_full;    /* the socket takes no more now */
    bool is_gone;    /* to be closed */
};

TAILQ_HEAD(ring_list, ring_link);

struct server {
    struct engine *engine;
    struct journal *journal;
    struct world *world; /* NULL: no domains */
    int epoll, listener, stop_fd;
    int spare;                /* a descriptor to refuse programs with */
    struct ring_list touched; /* rings to finish after the journal */
    struct ring_link **by_port;
    size_t port_room;
    bool is_journal_bad; /* and it was said */
    bool has_gone;       /* some program is to be closed */
    bool is_stopping;
};

struct server_options {
    const char *directory; /* of the journal */
    const char *socket;
    struct world *world; /* or NULL; the caller closes it */
    int stop_fd;         /* ends the loop when it is readable; -1: none */
};

/* Restores the state and starts to listen. 0, or -1 with *e. */
int server_begin(struct server *s, const struct server_options *options,
                 struct error *e);
void server_end(struct server *s);

/*
 * One turn: waits up to timeout_ms (-1: without end) for something to do and
 * does it. -1 if the loop can't go on.
 */
int server_turn(struct server *s, int timeout_ms, struct error *e);

/* Does a command and notes it. */
struct connection *server_do(struct server *s, struct command *command);

/* socket.c */

void socket_accept(struct server *s);
void socket_read(struct server *s, struct client *client);
void socket_write(struct server *s, struct client *client);
void socket_close(struct server *s, struct client *client);

/* Has a program closed at the end of the turn. */
void socket_give_up(struct server *s, struct client *client);

/* ring.c */

/* Maps a connection's ring; as new, or where the connection stands. */
struct outcome ring_attach(struct server *s, struct connection *c);
int ring_attach_again(struct server *s, struct connection *c, struct error *e);
void ring_detach(struct server *s, struct connection *c);

/* Takes requests. */
void ring_read(struct server *s, struct ring_link *link);

/* Shows what was taken, puts output, notifies. */
void ring_finish(struct server *s, struct ring_link *link);

/* The ring whose port fired, or NULL. */
struct ring_link *ring_of_port(struct server *s, evtchn_port_t port);
