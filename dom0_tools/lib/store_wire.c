/* SPDX-License-Identifier: MIT */
/*
 * A client's connection to the store (store_wire.h): a Unix socket, or the
 * kernel's /dev/xen/xenbus, both of which carry messages as a plain stream.
 */
#include "dom0_tools/lib/store_wire.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "dom0_tools/lib/store.h"
#include "hypercall_abi/store.h"

/* How long a restarted daemon is waited for: tries, and what lies between. */
#define RECONNECT_TRIES 100
#define RECONNECT_PAUSE_NS 50000000L

/* How often a request is sent before its daemon counts as broken. */
#define CALL_TRIES 20

struct event {
    struct event *next;
    struct store_event strings;
};

struct watch {
    struct watch *next;
    char *path, *token;
};

struct store {
    int fd;          /* -1 when the connection is lost */
    char *where;     /* what to connect to; NULL: the usual places */
    uint32_t req_id; /* of the last request */
    uint32_t age;    /* counts connections; */
    uint32_t tx_age; /* that of the last transaction begun */
    struct event *first_event, **last_event;
    struct watch *watches;
};

/* See store_wire.h. */
void *store_wire_append(void *block, size_t used, const void *more, size_t size)
{
    char *bytes = realloc(block, used + size + 1);

    if (!bytes) {
        fputs("mica: out of memory\n", stderr);
        abort();
    }
    if (more)
        memcpy(bytes + used, more, size);
    else
        memset(bytes + used, 0, size);
    bytes[used + size] = '\0';
    return bytes;
}

static char *copy_text(const char *text)
{
    return store_wire_append(NULL, 0, text, strlen(text));
}

static int connect_socket(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd;

    if (strlen(path) >= sizeof(address.sun_path))
        return -1;
    memcpy(address.sun_path, path, strlen(path));
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    if (!connect(fd, (struct sockaddr *)&address, sizeof(address)))
        return fd;
    close(fd);
    return -1;
}

static int connect_path(const char *path)
{
    struct stat status;

    if (stat(path, &status))
        return -1;
    if (S_ISSOCK(status.st_mode))
        return connect_socket(path);
    return open(path, O_RDWR | O_CLOEXEC);
}

static int connect_somewhere(const struct store *s)
{
    static const char *const places[] = {STORE_SOCKET, STORE_SOCKET_LINK,
                                         "/dev/xen/xenbus"};
    int fd = -1;

    if (s->where)
        return connect_path(s->where);
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]) && fd < 0; i++)
        fd = connect_path(places[i]);
    return fd;
}

static void drop_connection(struct store *s)
{
    if (s->fd >= 0)
        close(s->fd);
    s->fd = -1;
}

/* Reads exactly `size` bytes. 0, or -1 with the connection dropped. */
static int read_all(struct store *s, void *to, size_t size)
{
    char *bytes = to;

    while (size) {
        ssize_t n = s->fd < 0 ? 0 : read(s->fd, bytes, size);

        if (n < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (n <= 0) {
            drop_connection(s);
            return -1;
        }
        bytes += n;
        size -= (size_t)n;
    }
    return 0;
}

static int write_all(struct store *s, const void *from, size_t size)
{
    const char *bytes = from;
    struct stat status;

    if (s->fd < 0 || fstat(s->fd, &status))
        return -1;
    while (size) {
        ssize_t n = S_ISSOCK(status.st_mode)
                        ? send(s->fd, bytes, size, MSG_NOSIGNAL)
                        : write(s->fd, bytes, size);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            drop_connection(s);
            return -1;
        }
        bytes += n;
        size -= (size_t)n;
    }
    return 0;
}

/* One message: its head in *head, its body in *body, zero terminated. */
static int read_message(struct store *s, struct xsd_sockmsg *head, char **body)
{
    if (read_all(s, head, sizeof(*head)))
        return -1;
    if (head->len > XENSTORE_PAYLOAD_MAX) {
        drop_connection(s);
        return -1;
    }
    *body = store_wire_append(NULL, 0, NULL, head->len);
    if (!read_all(s, *body, head->len))
        return 0;
    free(*body);
    return -1;
}

static void keep_event(struct store *s, char *body, uint32_t size)
{
    struct event *event;
    size_t path_size = strlen(body) + 1;

    if (path_size < size) {
        event = store_wire_append(NULL, 0, NULL, sizeof(*event));
        event->strings.path = copy_text(body);
        event->strings.token = copy_text(body + path_size);
        *s->last_event = event;
        s->last_event = &event->next;
    }
    free(body);
}

/* Reads up to the answer to the request sent last. 0, or -1. */
static int read_answer(struct store *s, struct xsd_sockmsg *head, char **body)
{
    for (;;) {
        if (read_message(s, head, body))
            return -1;
        if (head->type == XS_WATCH_EVENT)
            keep_event(s, *body, head->len);
        else if (head->req_id == s->req_id)
            return 0;
        else
            free(*body);
    }
}

static int send_request(struct store *s, uint32_t type, uint32_t tx,
                        const struct store_part *parts, unsigned count)
{
    struct xsd_sockmsg head = {type, ++s->req_id, tx, 0};
    char *message;
    size_t used = sizeof(head);
    int rc;

    for (unsigned i = 0; i < count; i++)
        head.len += (uint32_t)parts[i].size;
    message = store_wire_append(NULL, 0, &head, sizeof(head));
    for (unsigned i = 0; i < count; i++) {
        message = store_wire_append(message, used, parts[i].bytes ?: "",
                                    parts[i].size);
        used += parts[i].size;
    }
    rc = write_all(s, message, used);
    free(message);
    return rc;
}

static int talk(struct store *s, uint32_t type, uint32_t tx,
                const struct store_part *parts, unsigned count,
                struct xsd_sockmsg *head, char **body)
{
    if (send_request(s, type, tx, parts, count))
        return -1;
    return read_answer(s, head, body);
}

/* Sets a watch of an earlier connection; its failure is the next call's. */
static void set_watch_again(struct store *s, const struct watch *watch)
{
    struct store_part parts[] = {{watch->path, strlen(watch->path) + 1},
                                 {watch->token, strlen(watch->token) + 1}};
    struct xsd_sockmsg head;
    char *body;

    if (!talk(s, XS_WATCH, 0, parts, 2, &head, &body))
        free(body);
}

static int reconnect(struct store *s)
{
    static const struct timespec pause = {0, RECONNECT_PAUSE_NS};

    for (unsigned i = 0; i < RECONNECT_TRIES && s->fd < 0; i++) {
        if (i)
            nanosleep(&pause, NULL);
        s->fd = connect_somewhere(s);
    }
    if (s->fd < 0)
        return -ECONNREFUSED;
    s->age++;
    for (const struct watch *watch = s->watches; watch; watch = watch->next)
        set_watch_again(s, watch);
    return 0;
}

static int error_number(const char *name)
{
    static const struct {
        int number;
        const char *name;
    } errors[] = {
#define ROW(error) {error, #error},
        XS_ERROR_NAMES(ROW)
#undef ROW
    };

    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
        if (!strcmp(errors[i].name, name))
            return errors[i].number;
    return EIO;
}

/* What an answer means; frees or hands out its body. */
static int take_answer(const struct xsd_sockmsg *head, uint32_t type,
                       char *body, char **answer, size_t *size)
{
    int rc = 0;

    if (head->type == XS_ERROR)
        rc = -error_number(body);
    else if (head->type != type)
        rc = -EIO;
    if (size)
        *size = rc ? 0 : head->len;
    if (answer && !rc)
        *answer = body;
    else
        free(body);
    return rc;
}

/* See store_wire.h. */
int store_wire_call(struct store *s, uint32_t type, uint32_t tx,
                    const struct store_part *parts, unsigned count,
                    char **answer, size_t *size)
{
    struct xsd_sockmsg head;
    size_t total = 0;
    char *body;
    int rc;

    for (unsigned i = 0; i < count; i++)
        total += parts[i].size;
    if (total > XENSTORE_PAYLOAD_MAX)
        return -E2BIG;
    if (tx && s->tx_age != s->age)
        return -EAGAIN;
    for (unsigned tries = 0; tries < CALL_TRIES; tries++) {
        if (s->fd < 0 && (rc = reconnect(s)))
            return rc;
        if (tx && s->tx_age != s->age)
            return -EAGAIN;
        if (talk(s, type, tx, parts, count, &head, &body))
            continue;
        rc = take_answer(&head, type, body, answer, size);
        if (type == XS_TRANSACTION_START && !rc)
            s->tx_age = s->age;
        return rc;
    }
    return -ECONNREFUSED;
}

/* See store_wire.h. */
void store_wire_remember_watch(struct store *s, const char *path,
                               const char *token)
{
    struct watch *watch = store_wire_append(NULL, 0, NULL, sizeof(*watch));

    *watch = (struct watch){s->watches, copy_text(path), copy_text(token)};
    s->watches = watch;
}

static void free_watch(struct watch *watch)
{
    free(watch->path);
    free(watch->token);
    free(watch);
}

/* See store_wire.h. */
void store_wire_forget_watch(struct store *s, const char *path,
                             const char *token)
{
    for (struct watch **at = &s->watches; *at; at = &(*at)->next) {
        struct watch *watch = *at;

        if (strcmp(watch->path, path) || strcmp(watch->token, token))
            continue;
        *at = watch->next;
        free_watch(watch);
        return;
    }
}

/* See store.h. */
struct store *store_open(struct error *e)
{
    return store_open_at(getenv("XENSTORED_PATH"), e);
}

/* See store.h. */
struct store *store_open_at(const char *path, struct error *e)
{
    struct store *s = store_wire_append(NULL, 0, NULL, sizeof(*s));

    s->last_event = &s->first_event;
    s->where = path ? copy_text(path) : NULL;
    s->fd = connect_somewhere(s);
    if (s->fd >= 0)
        return s;
    error_set(e, EXIT_STATUS_NO_SERVICE, "can't reach the store");
    error_why(e, "nobody listens at %s", path ? path : STORE_SOCKET);
    error_hint(e, "start the daemon with: stored");
    store_close(s);
    return NULL;
}

/* See store.h. */
void store_close(struct store *s)
{
    if (!s)
        return;
    while (s->first_event) {
        struct event *event = s->first_event;

        s->first_event = event->next;
        store_event_free(&event->strings);
        free(event);
    }
    while (s->watches) {
        struct watch *watch = s->watches;

        s->watches = watch->next;
        free_watch(watch);
    }
    drop_connection(s);
    free(s->where);
    free(s);
}

/* See store.h. */
int store_fd(const struct store *s)
{
    return s->fd;
}

/* See store.h. */
void store_event_free(struct store_event *event)
{
    free(event->path);
    free(event->token);
    *event = (struct store_event){NULL, NULL};
}

/* Waits for the descriptor. 1 readable, 0 not in time, -1. */
static int wait_readable(struct store *s, int timeout_ms)
{
    struct pollfd fd = {.fd = s->fd, .events = POLLIN};

    return poll(&fd, 1, timeout_ms);
}

/* Reads a message nobody asked for. */
static void read_unasked(struct store *s)
{
    struct xsd_sockmsg head;
    char *body;

    if (read_message(s, &head, &body))
        return;
    if (head.type == XS_WATCH_EVENT)
        keep_event(s, body, head.len);
    else
        free(body);
}

/* See store.h. */
bool store_has_event(struct store *s)
{
    while (!s->first_event && s->fd >= 0 && wait_readable(s, 0) > 0)
        read_unasked(s);
    return s->first_event != NULL;
}

/* Milliseconds of a clock that only runs forward. */
static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
}

static int remaining_ms(int timeout_ms, int64_t end)
{
    int64_t left = end - now_ms();

    if (timeout_ms < 0)
        return -1;
    return left > 0 ? (int)left : 0;
}

/* See store.h. */
int store_next_event(struct store *s, int timeout_ms, struct store_event *event,
                     struct error *e)
{
    int64_t end = now_ms() + timeout_ms;
    struct event *first;
    int rc;

    while (!s->first_event) {
        if (s->fd < 0 && reconnect(s)) {
            error_set(e, EXIT_STATUS_NO_SERVICE, "can't wait for the store");
            error_why(e, "the store daemon has gone away");
            return error_hint(e, "start it with: stored");
        }
        rc = wait_readable(s, remaining_ms(timeout_ms, end));
        if (rc < 0 && errno != EINTR)
            return error_set_errno(e, errno, "can't wait for the store");
        if (rc > 0)
            read_unasked(s);
        else if (rc == 0 && !s->first_event)
            return 0;
    }
    first = s->first_event;
    s->first_event = first->next;
    if (!s->first_event)
        s->last_event = &s->first_event;
    *event = first->strings;
    free(first);
    return 1;
}
