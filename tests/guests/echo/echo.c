/* SPDX-License-Identifier: MIT */
/*
 * A guest that is no test: it repeats on its console what it is told, and
 * ends as it is told, there or through the store. It needs 4 MiB and no
 * processor time while nobody talks to it, unless it was told to work.
 */
#include "echo.h"

#include "hypercall_abi/event_channel.h"
#include "hypercall_abi/sched.h"
#include "ring_buffers/console.h"

#define LINE_SIZE 256

const char guest_name[] = "echo";

static struct console_ring ring;
static evtchn_port_t ports[2]; /* of the console, and the store's if any */
static uint32_t port_count = 1;
static char line[LINE_SIZE];
static uint32_t length;
static bool is_working;

/* See echo.h. */
void shut_down(uint32_t reason)
{
    struct sched_shutdown_args op = {.reason = reason};

    for (;;)
        hc_sched_op(SCHEDOP_shutdown, ARG(&op));
}

/*
 * Sleeps until a daemon has done something since the last call, and hears the
 * store. Whoever waits looks at the console's ring after each call.
 */
static void wait_for_daemons(void)
{
    struct sched_poll_args op = {.ports.va = ARG(ports),
                                 .nr_ports = port_count};

    if (hc_sched_op(SCHEDOP_poll, ARG(&op)))
        shut_down(SHUTDOWN_crash);
    for (uint32_t i = 0; i < port_count; i++)
        __atomic_and_fetch(&shared_info->evtchn_pending[ports[i] / 64],
                           ~(1ul << ports[i] % 64), __ATOMIC_SEQ_CST);
    orders_take();
}

/* See echo.h. */
void tell_daemon(evtchn_port_t port)
{
    struct evtchn_send_args op = {.port = port};

    hc_event_channel_op(EVTCHNOP_send, ARG(&op));
}

static void say(const char *text, uint32_t size)
{
    while (size) {
        int room = console_ring_writable(&ring);
        uint32_t chunk = room < (int)size ? (uint32_t)room : size;

        if (room == CONSOLE_RING_BROKEN)
            shut_down(SHUTDOWN_crash);
        if (!room) {
            wait_for_daemons();
            continue;
        }
        console_ring_put(&ring, text, chunk);
        tell_daemon(ports[0]);
        text += chunk;
        size -= chunk;
    }
}

static void say_text(const char *text)
{
    uint32_t size = 0;

    while (text[size])
        size++;
    say(text, size);
}

static void say_number(unsigned n)
{
    char digits[10];
    uint32_t at = sizeof(digits);

    do {
        digits[--at] = (char)('0' + n % 10);
        n /= 10;
    } while (n);
    say(digits + at, sizeof(digits) - at);
}

/* A port that is kept for its owner tells whose it is. */
static domid_t own_id(void)
{
    struct evtchn_alloc_unbound_args port_op = {.dom = DOMID_SELF,
                                                .remote_dom = DOMID_SELF};
    struct evtchn_status_args status = {.dom = DOMID_SELF};
    struct evtchn_close_args close;

    if (hc_event_channel_op(EVTCHNOP_alloc_unbound, ARG(&port_op)))
        shut_down(SHUTDOWN_crash);
    status.port = close.port = port_op.port;
    if (hc_event_channel_op(EVTCHNOP_status, ARG(&status)))
        shut_down(SHUTDOWN_crash);
    hc_event_channel_op(EVTCHNOP_close, ARG(&close));
    return status.u.unbound.dom;
}

static bool is_word(const char *word, const char *text, uint32_t size)
{
    uint32_t i = 0;

    while (word[i] && i < size && word[i] == text[i])
        i++;
    return !word[i] && i == size;
}

/* See echo.h. */
int reason_of(const char *text, uint32_t size)
{
    if (is_word("poweroff", text, size) || is_word("halt", text, size))
        return SHUTDOWN_poweroff;
    if (is_word("reboot", text, size))
        return SHUTDOWN_reboot;
    return is_word("crash", text, size) ? SHUTDOWN_crash : -1;
}

static void obey(void)
{
    int reason = reason_of(line, length);

    if (reason >= 0)
        shut_down((uint32_t)reason);
    if (is_word("work", line, length))
        is_working = true;
    if (is_word("rest", line, length))
        is_working = false;
    say_text("echo: ");
    say(line, length);
    say_text("\r\n");
}

/* Either end of a line will do; what is longer than the buffer is cut. */
static void hear(char c)
{
    bool is_end = c == '\r' || c == '\n';

    if (!is_end && length < sizeof(line))
        line[length++] = c;
    if (is_end && length) {
        obey();
        length = 0;
    }
}

static void listen(void)
{
    for (;;) {
        int size = console_ring_readable(&ring);
        char c;

        if (size == CONSOLE_RING_BROKEN)
            shut_down(SHUTDOWN_crash);
        if (!size) {
            if (is_working)
                orders_take();
            else
                wait_for_daemons();
            continue;
        }
        for (; size; size--) {
            console_ring_peek(&ring, &c, 1);
            console_ring_consume(&ring, 1);
            hear(c);
        }
        tell_daemon(ports[0]);
    }
}

/* Leaves word which frames are its pages, so that a core can be dumped. */
static void publish_pages(void)
{
    uint64_t *lists = page_alloc(), *list = page_alloc();
    uint64_t size = start_info->nr_pages * sizeof(uint64_t);

    for (uint64_t at = 0; at < size && at < 512 * PAGE_SIZE; at += PAGE_SIZE)
        list[at / PAGE_SIZE] = mfn_of((char *)start_info->mfn_list + at);
    lists[0] = mfn_of(list);
    shared_info->arch.max_pfn = start_info->nr_pages;
    shared_info->arch.pfn_to_mfn_frame_list_list = mfn_of(lists);
}

/* Stands in for tests, and does not return. */
void guest_init(void)
{
    if (start_info->flags & SIF_INITDOMAIN || !start_info->console.domU.mfn) {
        print("echo is a guest with a console, not dom0");
        shut_down(SHUTDOWN_crash);
    }
    mask_events();
    publish_pages();
    ports[0] = start_info->console.domU.evtchn;
    console_ring_attach_domain(&ring, va_of_mfn(start_info->console.domU.mfn));
    say_text("echo: domain ");
    say_number(own_id());
    say_text(" is up\r\n");
    ports[1] = orders_begin();
    if (ports[1])
        port_count = 2;
    listen();
}
