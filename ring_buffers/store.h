/* SPDX-License-Identifier: MIT */
/*
 * The store's ring: two streams of bytes in one page that a domain shares
 * with the store daemon. Both ends use these functions, in kernels and in
 * user space.
 *
 *     req  domain --> store   req_prod is the domain's, req_cons the store's
 *     rsp  store --> domain   rsp_prod is the store's, rsp_cons the domain's
 *
 * The peer may write anything anywhere in the page at any time. So an end
 * keeps its own two indexes in private memory and only publishes them, reads
 * each of the peer's indexes once and checks it, and copies bytes out before
 * it looks at them. An index that can't be ends the connection
 * (STORE_RING_BROKEN); nothing else of what the peer does matters here.
 *
 * After store_ring_consume() and store_ring_put() the peer wants an event.
 * One end is served by one thread at a time.
 */
#pragma once

#include "hypercall_abi/store.h"

#define STORE_RING_BROKEN (-1)

enum store_ring_side {
    STORE_RING_STORE, /* reads req, writes rsp */
    STORE_RING_DOMAIN /* reads rsp, writes req */
};

struct store_ring {
    struct xenstore_domain_interface *page;
    enum store_ring_side side;
    uint32_t in;  /* bytes taken from the peer, ever, modulo 2^32 */
    uint32_t out; /* bytes given to the peer */
};

static inline uint32_t store_ring_load(const uint32_t *index)
{
    return __atomic_load_n(index, __ATOMIC_ACQUIRE);
}

static inline void store_ring_publish(uint32_t *index, uint32_t value)
{
    __atomic_store_n(index, value, __ATOMIC_RELEASE);
}

/* Attaches an end to a page, where the page says that it had stopped. */
static inline void store_ring_attach(struct store_ring *r,
                                     struct xenstore_domain_interface *page,
                                     enum store_ring_side side)
{
    int is_store = side == STORE_RING_STORE;

    r->page = page;
    r->side = side;
    r->in = store_ring_load(is_store ? &page->req_cons : &page->rsp_cons);
    r->out = store_ring_load(is_store ? &page->rsp_prod : &page->req_prod);
}

/* How many bytes the peer has written that were not consumed, or BROKEN. */
static inline int store_ring_readable(const struct store_ring *r)
{
    uint32_t produced = store_ring_load(
        r->side == STORE_RING_STORE ? &r->page->req_prod : &r->page->rsp_prod);
    uint32_t bytes = produced - r->in;

    return bytes <= XENSTORE_RING_SIZE ? (int)bytes : STORE_RING_BROKEN;
}

/* How many bytes can be put, or BROKEN. */
static inline int store_ring_writable(const struct store_ring *r)
{
    uint32_t consumed = store_ring_load(
        r->side == STORE_RING_STORE ? &r->page->rsp_cons : &r->page->req_cons);
    uint32_t bytes = r->out - consumed;

    return bytes <= XENSTORE_RING_SIZE ? (int)(XENSTORE_RING_SIZE - bytes)
                                       : STORE_RING_BROKEN;
}

/*
 * Copies `size` bytes out, from `offset` bytes after what was consumed, and
 * leaves them in the ring. offset + size is at most store_ring_readable().
 */
static inline void store_ring_peek(const struct store_ring *r, uint32_t offset,
                                   void *to, uint32_t size)
{
    const volatile char *stream =
        r->side == STORE_RING_STORE ? r->page->req : r->page->rsp;
    char *bytes = (char *)to;
    uint32_t i;

    for (i = 0; i < size; i++)
        bytes[i] = stream[(r->in + offset + i) & (XENSTORE_RING_SIZE - 1)];
}

/* Gives the room of `size` bytes back to the peer. */
static inline void store_ring_consume(struct store_ring *r, uint32_t size)
{
    r->in += size;
    store_ring_publish(r->side == STORE_RING_STORE ? &r->page->req_cons
                                                   : &r->page->rsp_cons,
                       r->in);
}

/* Writes `size` bytes, at most store_ring_writable(), for the peer to see. */
static inline void store_ring_put(struct store_ring *r, const void *from,
                                  uint32_t size)
{
    volatile char *stream =
        r->side == STORE_RING_STORE ? r->page->rsp : r->page->req;
    const char *bytes = (const char *)from;
    uint32_t i;

    for (i = 0; i < size; i++)
        stream[(r->out + i) & (XENSTORE_RING_SIZE - 1)] = bytes[i];
    r->out += size;
    store_ring_publish(r->side == STORE_RING_STORE ? &r->page->rsp_prod
                                                   : &r->page->req_prod,
                       r->out);
}
