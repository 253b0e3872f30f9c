/* SPDX-License-Identifier: MIT */
/*
 * The bytes of a client's connection to the store, for store_wire.c alone: a
 * Unix socket, or the kernel's /dev/xen/xenbus, both of which carry messages
 * as a plain stream. Any failure ends the connection.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define STORE_STREAM_ROOM 4096u

struct store_stream {
    int fd;         /* -1: there is no connection */
    bool is_socket; /* takes several messages at once */
    bool is_hasty;  /* reads time out */
    size_t at, end; /* what was read and not yet taken */
    char in[STORE_STREAM_ROOM];
};

/*
 * Connects to `where`, or to the usual places if it is NULL. 0; -ECONNREFUSED
 * if somebody may soon listen there; another -Exxx.
 */
int store_stream_open(struct store_stream *s, const char *where);
void store_stream_close(struct store_stream *s);

/*
 * Connects to one of the sockets (NULL after the last), or to the device where
 * none of them is there: it hides from its user that the daemon ends, so it is
 * no way round one that is being restarted. A descriptor, or -Exxx as above.
 */
int store_stream_connect(const char *const sockets[], const char *device);

/* From now on nothing is waited for longer than `ms`. */
void store_stream_hurry(struct store_stream *s, unsigned ms);

/* Waits for something to read. 1; 0 when nothing came in time; -1. */
int store_stream_wait(struct store_stream *s, int timeout_ms);

/* Exactly `size` bytes. 0, or -1 with the connection closed. */
int store_stream_read(struct store_stream *s, void *to, size_t size);
int store_stream_write(struct store_stream *s, const void *from, size_t size);
