/* SPDX-License-Identifier: MIT */
/*
 * Programs on the Unix socket (server.h). The socket's mode lets root alone
 * connect, so all of them speak for dom0.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "dom0_tools/lib/daemon.h"
#include "dom0_tools/stored/server.h"

/* Messages that go out in one step. */
#define SENT_TOGETHER 64

/* Output that a program leaves lying: no more requests; no more patience. */
#define HELD_OUTPUT (1u << 20)
#define MOST_OUTPUT (64u << 20)

/* See server.h. */
void socket_accept(struct server *s)
{
    struct command command = {.kind = COMMAND_OPEN};
    int fd = daemon_accept(s->listener, &s->spare);
    struct client *client;
    struct epoll_event event = {.events = EPOLLIN};

    if (fd < 0)
        return;
    client = memory_get(sizeof(*client));
    client->fd = fd;
    event.data.ptr = client;
    if (epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &event)) {
        close(fd);
        free(client);
        return;
    }
    client->c = server_do(s, &command);
    client->c->link = client;
}

/* See server.h. */
void socket_close(struct server *s, struct client *client)
{
    struct command command = {.kind = COMMAND_CLOSE,
                              .connection = client->c->id};

    close(client->fd);
    server_do(s, &command);
    bytes_free(&client->in);
    free(client);
}

/* See server.h. */
void socket_give_up(struct server *s, struct client *client)
{
    client->is_gone = true;
    s->has_gone = true;
}

/* Does the whole messages that were read. */
static void take_messages(struct server *s, struct client *client)
{
    size_t used = 0;

    for (;;) {
        const uint8_t *at = client->in.data + used;
        size_t left = client->in.used - used;
        struct xsd_sockmsg head;
        struct command command = {
            .kind = COMMAND_MESSAGE, .connection = client->c->id, .bytes = at};

        if (left < sizeof(head))
            break;
        memcpy(&head, at, sizeof(head));
        command.size = sizeof(head) + (size_t)head.len;
        if (head.len > XENSTORE_PAYLOAD_MAX)
            socket_give_up(s, client);
        if (client->is_gone || left < command.size)
            break;
        server_do(s, &command);
        used += command.size;
    }
    client->in.used -= used;
    if (client->in.used)
        memmove(client->in.data, client->in.data + used, client->in.used);
}

/* See server.h. */
void socket_read(struct server *s, struct client *client)
{
    uint8_t part[65536];
    ssize_t n;

    if (client->c->out_size > HELD_OUTPUT)
        return;
    n = read(client->fd, part, sizeof(part));
    if (n > 0) {
        bytes_put(&client->in, part, (size_t)n);
        take_messages(s, client);
    } else if (!n || (errno != EAGAIN && errno != EINTR)) {
        socket_give_up(s, client);
    }
}

/* Waits for room in the socket, or for requests, whatever is due. */
static void set_interest(struct server *s, struct client *client)
{
    struct epoll_event event = {.data = {.ptr = client}};

    if (client->is_full)
        event.events |= EPOLLOUT;
    if (client->c->out_size <= HELD_OUTPUT)
        event.events |= EPOLLIN;
    epoll_ctl(s->epoll, EPOLL_CTL_MOD, client->fd, &event);
}

/* Sends as many of the messages that wait as go in one step. */
static ssize_t send_some(const struct client *client)
{
    const struct connection *c = client->c;
    struct outgoing *message = TAILQ_FIRST(&c->outgoing);
    struct iovec parts[SENT_TOGETHER];
    struct msghdr all = {.msg_iov = parts};

    for (; message && all.msg_iovlen < SENT_TOGETHER;
         message = TAILQ_NEXT(message, link))
        parts[all.msg_iovlen++] = (struct iovec){message->bytes, message->size};
    parts[0].iov_base = (uint8_t *)parts[0].iov_base + c->out_part;
    parts[0].iov_len -= c->out_part;
    return sendmsg(client->fd, &all, MSG_NOSIGNAL);
}

/* See server.h. */
void socket_write(struct server *s, struct client *client)
{
    struct connection *c = client->c;
    bool was_full = client->is_full;

    client->is_full = false;
    while (!client->is_full && !TAILQ_EMPTY(&c->outgoing)) {
        struct command command = {.kind = COMMAND_PUBLISHED,
                                  .connection = c->id};
        ssize_t n = send_some(client);

        if (n < 0 && errno != EAGAIN && errno != EINTR) {
            socket_give_up(s, client);
            return;
        }
        client->is_full = n < 0;
        command.number = n < 0 ? 0 : (uint32_t)n;
        server_do(s, &command);
    }
    if (client->is_full || was_full)
        set_interest(s, client);
    if (c->out_size > MOST_OUTPUT) {
        engine_log(s->engine,
                   "socket %u: %" PRIu64 " bytes of events that "
                   "nobody reads: disconnected",
                   c->id, c->out_size);
        socket_give_up(s, client);
    }
}
