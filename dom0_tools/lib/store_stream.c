/* SPDX-License-Identifier: MIT */
/* The bytes of a client's connection to the store (store_stream.h). */
#include "dom0_tools/lib/store_stream.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "dom0_tools/lib/store.h"

/* A descriptor, or -Exxx. */
static int connect_socket(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd, rc;

    if (strlen(path) >= sizeof(address.sun_path))
        return -ENAMETOOLONG;
    memcpy(address.sun_path, path, strlen(path));
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (!connect(fd, (struct sockaddr *)&address, sizeof(address)))
        return fd;
    rc = -errno;
    close(fd);
    return rc;
}

/* The same for a socket or a device. */
static int connect_path(const char *path)
{
    struct stat status;
    int fd;

    if (stat(path, &status))
        return -errno;
    if (S_ISSOCK(status.st_mode))
        return connect_socket(path);
    fd = open(path, O_RDWR | O_CLOEXEC);
    return fd >= 0 ? fd : -errno;
}

/*
 * See store_stream.h. A daemon that starts makes its sockets' names anew, one
 * after the other, so that one of them is there at any time.
 */
int store_stream_connect(const char *const sockets[], const char *device)
{
    struct stat status;
    int rc = 0;

    for (; *sockets; sockets++) {
        int fd = connect_path(*sockets);

        if (fd >= 0)
            return fd;
        if (!lstat(*sockets, &status) && rc != -ECONNREFUSED)
            rc = fd == -ENOENT ? -ECONNREFUSED : fd;
    }
    return rc ? rc : connect_path(device);
}

/* See store_stream.h. */
int store_stream_open(struct store_stream *s, const char *where)
{
    static const char *const sockets[] = {STORE_SOCKET, STORE_SOCKET_LINK,
                                          NULL};
    struct stat status;
    int fd = where ? connect_path(where)
                   : store_stream_connect(sockets, "/dev/xen/xenbus");

    if (fd < 0)
        return where && fd == -ENOENT ? -ECONNREFUSED : fd;
    s->fd = fd;
    s->is_socket = !fstat(fd, &status) && S_ISSOCK(status.st_mode);
    return 0;
}

/* See store_stream.h. */
void store_stream_close(struct store_stream *s)
{
    if (s->fd >= 0)
        close(s->fd);
    s->fd = -1;
    s->at = s->end = 0;
}

/* See store_stream.h. */
void store_stream_hurry(struct store_stream *s, unsigned ms)
{
    struct timeval limit = {ms / 1000, ms % 1000 * 1000};

    s->is_hasty = true;
    setsockopt(s->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    setsockopt(s->fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
}

/* See store_stream.h. */
int store_stream_wait(struct store_stream *s, int timeout_ms)
{
    struct pollfd fd = {.fd = s->fd, .events = POLLIN};

    if (s->at < s->end)
        return 1;
    return poll(&fd, 1, timeout_ms);
}

/* Gets more to take from. 0, or -1 with the connection dropped. */
static int read_some(struct store_stream *s)
{
    ssize_t n;

    do
        n = s->fd < 0 ? 0 : read(s->fd, s->in, sizeof(s->in));
    while (n < 0 && (errno == EINTR || (errno == EAGAIN && !s->is_hasty)));
    if (n <= 0) {
        store_stream_close(s);
        return -1;
    }
    s->at = 0;
    s->end = (size_t)n;
    return 0;
}

/* See store_stream.h. */
int store_stream_read(struct store_stream *s, void *to, size_t size)
{
    char *bytes = to;

    while (size) {
        size_t n = s->end - s->at;

        if (n > size)
            n = size;
        memcpy(bytes, s->in + s->at, n);
        s->at += n;
        bytes += n;
        size -= n;
        if (size && read_some(s))
            return -1;
    }
    return 0;
}

/* See store_stream.h. */
int store_stream_write(struct store_stream *s, const void *from, size_t size)
{
    const char *bytes = from;

    if (s->fd < 0)
        return -1;
    while (size) {
        ssize_t n = s->is_socket ? send(s->fd, bytes, size, MSG_NOSIGNAL)
                                 : write(s->fd, bytes, size);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            store_stream_close(s);
            return -1;
        }
        bytes += n;
        size -= (size_t)n;
    }
    return 0;
}
