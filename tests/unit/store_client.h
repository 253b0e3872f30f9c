/* SPDX-License-Identifier: MIT */
/*
 * Clients of an engine, without sockets or rings: requests are handed over
 * as commands, answers and events taken out of the queues.
 */
#pragma once

#include "dom0_tools/stored/engine.h"

/* An engine whose attach hook always succeeds with indexes 100 and 200. */
struct engine *client_engine(void);
extern const struct engine_hooks client_hooks;

/* How often the engine logged, and the last line. */
extern unsigned client_log_lines;
extern char client_log_line[512];

/* A program, or a domain that is introduced by it. */
struct connection *client_program(struct engine *e);
struct connection *client_domain(struct engine *e, domid_t domain);

/* What came back for a request: the error's name, or the body as text. */
struct client_answer {
    uint32_t type, req_id, tx_id, size;
    char body[XENSTORE_PAYLOAD_MAX + 1];
};

/*
 * Sends a request and returns its answer. Events before it are kept for
 * client_event(). `body` is `size` bytes.
 */
const struct client_answer *client_send(struct engine *e, struct connection *c,
                                        uint32_t type, uint32_t tx,
                                        const void *body, size_t size);

/*
 * The same for the usual shape: fields that end with zero bytes. "|" in the
 * text stands for one. The answer's text; an error is "!ENOENT".
 */
const char *client_ask(struct engine *e, struct connection *c, uint32_t type,
                       uint32_t tx, const char *fields);

/* Sets a value: XS_WRITE with its one field. "OK" or an error. */
const char *client_write(struct engine *e, struct connection *c, uint32_t tx,
                         const char *path, const char *value);

/* Begins a transaction. */
uint32_t client_begin(struct engine *e, struct connection *c);

/* The next event of a connection as "path token", or "". */
const char *client_event(struct engine *e, struct connection *c);

/* Forgets all events of a connection. */
void client_drop_events(struct engine *e, struct connection *c);

/* Makes the request with "|" for zero bytes; the size. */
size_t client_fields(const char *fields, char *body);
