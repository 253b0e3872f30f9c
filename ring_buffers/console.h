/* SPDX-License-Identifier: MIT */
/*
 * The console's ring: two streams of bytes in one page that a domain shares
 * with the console daemon. Both ends use these functions, in kernels and in
 * user space.
 *
 *     in   daemon --> domain   in_prod is the daemon's, in_cons the domain's
 *     out  domain --> daemon   out_prod is the domain's, out_cons the daemon's
 *
 * The peer may write anything anywhere in the page at any time. So an end
 * keeps its own two indexes in private memory and only publishes them, reads
 * each of the peer's indexes once and checks it, and copies bytes out before
 * it looks at them. An index that can't be ends the connection
 * (CONSOLE_RING_BROKEN); nothing else of what the peer does matters here.
 *
 * After console_ring_consume() and console_ring_put() the peer wants an
 * event. One end is served by one thread at a time.
 */
#pragma once

#include "hypercall_abi/abi.h"

#define XENCONS_IN_SIZE 1024
#define XENCONS_OUT_SIZE 2048

/*
 * The page. The indexes count freely; the low bits of one are a place in its
 * array.
 */
struct xencons_interface {
    char in[XENCONS_IN_SIZE];   /* to the domain */
    char out[XENCONS_OUT_SIZE]; /* from the domain */
    uint32_t in_cons;           /* the domain's */
    uint32_t in_prod;           /* the daemon's */
    uint32_t out_cons;          /* the daemon's */
    uint32_t out_prod;          /* the domain's */
};
ABI_SIZE(struct xencons_interface, 3088);
ABI_AT(struct xencons_interface, out, 1024);
ABI_AT(struct xencons_interface, in_cons, 3072);
ABI_AT(struct xencons_interface, in_prod, 3076);
ABI_AT(struct xencons_interface, out_cons, 3080);
ABI_AT(struct xencons_interface, out_prod, 3084);

#define CONSOLE_RING_BROKEN (-1)

/* One direction: where bytes are, and both ends' published indexes. */
struct console_stream {
    volatile char *bytes;
    uint32_t size; /* a power of two */
    uint32_t *mine, *theirs;
    uint32_t at; /* bytes that went through this end, modulo 2^32 */
};

struct console_ring {
    struct console_stream from; /* what this end reads */
    struct console_stream to;   /* what it writes */
};

static inline uint32_t console_ring_load(const uint32_t *index)
{
    return __atomic_load_n(index, __ATOMIC_ACQUIRE);
}

static inline void console_ring_publish(struct console_stream *s, uint32_t size)
{
    s->at += size;
    __atomic_store_n(s->mine, s->at, __ATOMIC_RELEASE);
}

/* Goes on where the page says that this end had stopped. */
static inline void console_ring_attach_stream(struct console_stream *s,
                                              char *bytes, uint32_t size,
                                              uint32_t *mine, uint32_t *theirs)
{
    s->bytes = bytes;
    s->size = size;
    s->mine = mine;
    s->theirs = theirs;
    s->at = console_ring_load(mine);
}

/* Attaches the daemon's end to a page, where the page says it had stopped. */
static inline void console_ring_attach_daemon(struct console_ring *r,
                                              struct xencons_interface *page)
{
    console_ring_attach_stream(&r->from, page->out, XENCONS_OUT_SIZE,
                               &page->out_cons, &page->out_prod);
    console_ring_attach_stream(&r->to, page->in, XENCONS_IN_SIZE,
                               &page->in_prod, &page->in_cons);
}

/* The same for the domain's end. */
static inline void console_ring_attach_domain(struct console_ring *r,
                                              struct xencons_interface *page)
{
    console_ring_attach_stream(&r->from, page->in, XENCONS_IN_SIZE,
                               &page->in_cons, &page->in_prod);
    console_ring_attach_stream(&r->to, page->out, XENCONS_OUT_SIZE,
                               &page->out_prod, &page->out_cons);
}

/* How many bytes the peer has written that were not consumed, or BROKEN. */
static inline int console_ring_readable(const struct console_ring *r)
{
    uint32_t bytes = console_ring_load(r->from.theirs) - r->from.at;

    return bytes <= r->from.size ? (int)bytes : CONSOLE_RING_BROKEN;
}

/* How many bytes can be put, or BROKEN. */
static inline int console_ring_writable(const struct console_ring *r)
{
    uint32_t bytes = r->to.at - console_ring_load(r->to.theirs);

    return bytes <= r->to.size ? (int)(r->to.size - bytes)
                               : CONSOLE_RING_BROKEN;
}

/*
 * Copies the next `size` bytes, at most console_ring_readable(), and leaves
 * them in the ring.
 */
static inline void console_ring_peek(const struct console_ring *r, void *to,
                                     uint32_t size)
{
    char *bytes = (char *)to;
    uint32_t i;

    for (i = 0; i < size; i++)
        bytes[i] = r->from.bytes[(r->from.at + i) & (r->from.size - 1)];
}

/* Gives the room of `size` bytes back to the peer. */
static inline void console_ring_consume(struct console_ring *r, uint32_t size)
{
    console_ring_publish(&r->from, size);
}

/* Writes `size` bytes, at most console_ring_writable(), for the peer to see. */
static inline void console_ring_put(struct console_ring *r, const void *from,
                                    uint32_t size)
{
    const char *bytes = (const char *)from;
    uint32_t i;

    for (i = 0; i < size; i++)
        r->to.bytes[(r->to.at + i) & (r->to.size - 1)] = bytes[i];
    console_ring_publish(&r->to, size);
}
