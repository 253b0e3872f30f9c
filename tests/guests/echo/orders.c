/* SPDX-License-Identifier: MIT */
/*
 * Orders that tools leave in the store, at control/shutdown: the node is
 * watched, read when it changes, emptied to say that the order was heard, and
 * then obeyed. One request is under way at a time, and none is waited for, so
 * that a store daemon that is away holds up nothing.
 */
#include "echo.h"

#include "hypercall_abi/sched.h"
#include "ring_buffers/store.h"

#define BODY_SIZE 32

static const char watch[] = "control/shutdown\0order";
static const char node[] = "control/shutdown";

static struct store_ring ring;
static evtchn_port_t port;
static int reason = -1; /* how to end when the store knows that we heard */

/* The message that is arriving, as far as it is of interest. */
static struct xsd_sockmsg head;
static char body[BODY_SIZE];
static uint32_t got;

static void ask(uint32_t type, const char *text, uint32_t size)
{
    struct xsd_sockmsg request = {.type = type, .len = size};

    if (store_ring_writable(&ring) < (int)(sizeof(request) + size))
        return;
    store_ring_put(&ring, &request, sizeof(request));
    store_ring_put(&ring, text, size);
    tell_daemon(port);
}

static void take_message(void)
{
    switch (head.type) {
    case XS_WATCH_EVENT:
        ask(XS_READ, node, sizeof(node));
        break;
    case XS_READ:
        if (reason >= 0)
            break;
        reason = reason_of(body, head.len);
        if (reason >= 0)
            ask(XS_WRITE, node, sizeof(node));
        break;
    case XS_WRITE:
        shut_down((uint32_t)reason);
    default:
        break;
    }
}

static void take_byte(char c)
{
    if (got < sizeof(head))
        ((char *)&head)[got] = c;
    else if (got - sizeof(head) < BODY_SIZE)
        body[got - sizeof(head)] = c;
    got++;
    if (got < sizeof(head) || got < sizeof(head) + head.len)
        return;
    got = 0;
    take_message();
}

/* See echo.h. */
void orders_take(void)
{
    int size = port ? store_ring_readable(&ring) : 0;
    char c;

    if (size == STORE_RING_BROKEN)
        shut_down(SHUTDOWN_crash);
    if (!size)
        return;
    for (; size; size--) {
        store_ring_peek(&ring, 0, &c, 1);
        store_ring_consume(&ring, 1);
        take_byte(c);
    }
    tell_daemon(port);
}

/* See echo.h. */
evtchn_port_t orders_begin(void)
{
    if (!start_info->store_mfn)
        return 0;
    port = start_info->store_evtchn;
    store_ring_attach(&ring, va_of_mfn(start_info->store_mfn),
                      STORE_RING_DOMAIN);
    ask(XS_WATCH, watch, sizeof(watch));
    return port;
}
