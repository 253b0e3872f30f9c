/* SPDX-License-Identifier: MIT */
/*
 * The store without the outside world. All that happens to it is a command,
 * and what it does depends on its state and the command alone: the same
 * commands in the same order make the same store, down to the bytes that wait
 * for each domain. So a journal of commands is all that a restart needs
 * (journal.h), and tests and fuzzers need no hypervisor.
 *
 * What only the world can tell, such as whether a domain's ring could be
 * mapped, comes by hooks and is kept in the command (`outcome`), where it is
 * taken from when the command is replayed.
 */
#pragma once

#include <sys/queue.h>

#include "dom0_tools/stored/view.h"
#include "dom0_tools/stored/watch.h"
#include "hypercall_abi/store.h"

/* The head and body of one message. */
#define MESSAGE_MAX (sizeof(struct xsd_sockmsg) + XENSTORE_PAYLOAD_MAX)

/* A message on its way out. */
struct outgoing {
    TAILQ_ENTRY(outgoing) link;
    uint64_t watch; /* the id of the watch that fired; 0: an answer */
    uint32_t size;
    uint8_t bytes[];
};

/* A client: a program on a socket, or a domain with a ring. */
struct connection {
    TAILQ_ENTRY(connection) of_engine;
    TAILQ_ENTRY(connection) ready;
    struct connection *id_next;
    struct watch_list watches;
    TAILQ_HEAD(, transaction) transactions;
    TAILQ_HEAD(outgoing_list, outgoing) outgoing;
    uint32_t id;
    domid_t domain;
    domid_t target; /* whose rights it has as well, or `domain` */
    bool is_ring;
    bool is_broken;     /* a ring that is not served any more */
    bool has_shut_down; /* the domain; watches were told */
    bool is_ready;      /* in the engine's list of those with output */
    uint64_t breaks;    /* how often it was broken, for the log */
    uint64_t frame;     /* of the ring */
    uint32_t port;      /* at which the domain listens */
    uint32_t in;        /* the ring's index after the last byte taken */
    uint32_t out;       /* the ring's index of the first byte in `outgoing` */
    uint32_t out_part;  /* bytes of the first message that are gone already */
    uint64_t out_size;  /* of all messages, without out_part */
    uint32_t last_tx;
    struct bytes partial; /* of a message, taken from the ring */
    void *link;           /* the server's */
};

TAILQ_HEAD(connection_list, connection);

enum command_kind {
    COMMAND_OPEN = 1,     /* a program connects */
    COMMAND_CLOSE,        /* it is gone; a ring's is COMMAND_GONE */
    COMMAND_MESSAGE,      /* bytes: head and body */
    COMMAND_PARTIAL,      /* bytes: taken from a ring, less than a message */
    COMMAND_PUBLISHED,    /* number: bytes of output that reached the ring */
    COMMAND_OWN_RING,     /* dom0's: frame, port, outcome */
    COMMAND_RESTART_RING, /* the domain asked for a fresh start */
    COMMAND_BREAK,        /* number: XENSTORE_ERROR_* */
    COMMAND_SHUTDOWN,     /* number: a domain that has shut down */
    COMMAND_GONE,         /* number: a domain that exists no more */
    COMMAND_LIMIT,        /* number: the quota; frame: its limit */
    COMMAND_KINDS
};

/* What came of mapping a ring. */
struct outcome {
    int32_t error;    /* 0 or -Exxx */
    uint32_t in, out; /* req_cons and rsp_prod as they were in it */
};

struct command {
    enum command_kind kind;
    uint32_t connection;
    uint32_t number;
    uint64_t frame;
    uint32_t port;
    struct outcome outcome;
    const uint8_t *bytes;
    size_t size;
};

struct engine_hooks {
    /* Maps the ring of a connection and binds to its port. */
    struct outcome (*attach)(void *context, struct connection *c);
    /* The ring is not used any more, the connection perhaps is. */
    void (*detach)(void *context, struct connection *c);
    /* The connection is about to be freed. */
    void (*forget)(void *context, struct connection *c);
    void (*log)(void *context, const char *line);
};

#define ENGINE_ID_BUCKETS 1024u

struct engine {
    struct quotas quotas;
    struct tree tree;
    struct watches watches;
    struct connection_list connections;
    struct connection_list ready; /* those that have output */
    struct connection *by_id[ENGINE_ID_BUCKETS];
    struct connection *domains[DOMID_FIRST_RESERVED];
    uint32_t last_connection;
    const struct engine_hooks *hooks;
    void *hook_context;
    struct command *current; /* whose outcome is being made */
    bool is_replay;          /* outcomes are taken from commands */
    bool is_tracing;         /* logs every request */
};

/* A new store with the nodes that others expect; or one without any. */
struct engine *engine_begin(const struct engine_hooks *hooks,
                            void *hook_context);
struct engine *engine_begin_empty(const struct engine_hooks *hooks,
                                  void *hook_context);
void engine_end(struct engine *e);

/*
 * Does a command. Commands for connections that are not there do nothing.
 * Returns the connection of COMMAND_OPEN and COMMAND_OWN_RING, else NULL.
 */
struct connection *engine_apply(struct engine *e, struct command *command);

/* Whether a restart can do without a command: it changed nothing. */
bool engine_is_pure(const struct engine *e, const struct command *command);

/* The connection of an id, or NULL. */
struct connection *engine_find(struct engine *e, uint32_t id);

__attribute__((format(printf, 2, 3))) void engine_log(struct engine *e,
                                                      const char *format, ...);

/* Ends the connection of a domain, other than dom0's, and tells of it. */
void engine_end_domain(struct engine *e, struct connection *c);

/* Tells all who watch a special name. */
void engine_fire_special(struct engine *e, const char *name);

/* connection.c */

/* Queues a message; the body of an event is that of its watch. */
void connection_send(struct engine *e, struct connection *c, uint32_t type,
                     const struct xsd_sockmsg *request, const void *body,
                     size_t size);

/* Queues an event, unless the same one is waiting already. */
void connection_send_event(struct engine *e, struct watch *watch,
                           const char *path);

/* Takes that many bytes out of the queue. */
void connection_published(struct engine *e, struct connection *c,
                          uint64_t size);

/* Adds bytes to the queue as they are; for a restart. */
void connection_queue(struct engine *e, struct connection *c, uint64_t watch,
                      const void *bytes, size_t size);

/* A new connection; an id of 0 is replaced by the next free one. */
struct connection *connection_begin(struct engine *e, uint32_t id,
                                    domid_t domain, bool is_ring);
void connection_end(struct engine *e, struct connection *c);

/* A watch of that connection, counted against its quotas, whatever they are. */
struct watch *connection_add_watch(struct engine *e, struct connection *c,
                                   const char *path, const char *token);
void connection_remove_watch(struct engine *e, struct watch *watch);

void connection_drop_watches(struct engine *e, struct connection *c);
void connection_drop_transactions(struct connection *c);

/* Drops what is half done: queue, partial message, transactions. */
void connection_drop_traffic(struct engine *e, struct connection *c);

struct asker connection_asker(const struct connection *c);

/* request.c: executes one message and queues the answer. */
void request_execute(struct engine *e, struct connection *c,
                     const uint8_t *bytes, size_t size);

/* image.c: the whole state as bytes, and an engine from them, or NULL. */
void image_save(const struct engine *e, struct bytes *out);
struct engine *image_load(struct reader *in, const struct engine_hooks *hooks,
                          void *hook_context);
