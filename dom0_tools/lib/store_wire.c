/* SPDX-License-Identifier: MIT */
/* A client's requests, answers and events (store_wire.h). */
#include "dom0_tools/lib/store_wire.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "dom0_tools/lib/store.h"
#include "dom0_tools/lib/store_stream.h"
#include "hypercall_abi/store.h"

/* How long a restarted daemon is waited for: tries, and what lies between. */
#define RECONNECT_TRIES 100
#define RECONNECT_PAUSE_NS 50000000L

/* How often a request is sent before its daemon counts as broken. */
#define CALL_TRIES 20

/* Bytes of changes, and number of reads, that are sent before an answer is
 * taken: what the daemon's and the socket's buffers hold. */
#define DEFERRED_MAX 65536u
#define READS_TOGETHER 64u

struct event {
    struct event *next;
    struct store_event strings;
};

struct watch {
    struct watch *next;
    char *path, *token;
};

/* Whole messages in a row. */
struct messages {
    char *bytes;
    size_t size;
};

struct store {
    struct store_stream stream;
    char *where;     /* what to connect to; NULL: the usual places */
    uint32_t req_id; /* of the last request */
    uint32_t age;    /* counts connections; */
    uint32_t tx_age; /* that of the last transaction begun */
    struct event *first_event, **last_event;
    struct watch *watches;
    bool is_deferring;
    struct messages deferred; /* not sent yet */
    int deferred_rc;          /* the first failure among those sent, */
    char *deferred_path;      /* and of what */
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

/* One message: its head in *head, its body in *body, zero terminated. */
static int read_message(struct store *s, struct xsd_sockmsg *head, char **body)
{
    if (store_stream_read(&s->stream, head, sizeof(*head)))
        return -1;
    if (head->len > XENSTORE_PAYLOAD_MAX) {
        store_stream_close(&s->stream);
        return -1;
    }
    *body = store_wire_append(NULL, 0, NULL, head->len);
    if (!store_stream_read(&s->stream, *body, head->len))
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

/* Reads up to the answer to a request. 0, or -1. */
static int read_answer(struct store *s, uint32_t req_id,
                       struct xsd_sockmsg *head, char **body)
{
    for (;;) {
        if (read_message(s, head, body))
            return -1;
        if (head->type == XS_WATCH_EVENT)
            keep_event(s, *body, head->len);
        else if (head->req_id == req_id)
            return 0;
        else
            free(*body);
    }
}

static void add_message(struct store *s, struct messages *m, uint32_t type,
                        uint32_t tx, const struct store_part *parts,
                        unsigned count)
{
    struct xsd_sockmsg head = {type, ++s->req_id, tx, 0};

    for (unsigned i = 0; i < count; i++)
        head.len += (uint32_t)parts[i].size;
    m->bytes = store_wire_append(m->bytes, m->size, &head, sizeof(head));
    m->size += sizeof(head);
    for (unsigned i = 0; i < count; i++) {
        m->bytes = store_wire_append(m->bytes, m->size, parts[i].bytes ?: "",
                                     parts[i].size);
        m->size += parts[i].size;
    }
}

static struct xsd_sockmsg head_at(const struct messages *m, size_t at)
{
    struct xsd_sockmsg head;

    memcpy(&head, m->bytes + at, sizeof(head));
    return head;
}

static void forget_messages(struct messages *m)
{
    free(m->bytes);
    *m = (struct messages){NULL, 0};
}

static int talk(struct store *s, uint32_t type, uint32_t tx,
                const struct store_part *parts, unsigned count,
                struct xsd_sockmsg *head, char **body)
{
    struct messages message = {NULL, 0};
    int rc;

    add_message(s, &message, type, tx, parts, count);
    rc = store_stream_write(&s->stream, message.bytes, message.size);
    forget_messages(&message);
    return rc ? -1 : read_answer(s, s->req_id, head, body);
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

/* Connects, and waits for a daemon that is being restarted. 0 or -Exxx. */
static int connect_patiently(struct store *s)
{
    static const struct timespec pause = {0, RECONNECT_PAUSE_NS};
    int rc = store_stream_open(&s->stream, s->where);

    for (unsigned i = 1; i < RECONNECT_TRIES && rc == -ECONNREFUSED; i++) {
        nanosleep(&pause, NULL);
        rc = store_stream_open(&s->stream, s->where);
    }
    return rc;
}

static int reconnect(struct store *s)
{
    if (s->stream.is_hasty || connect_patiently(s))
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

static void keep_failure(struct store *s, int rc, const char *path)
{
    if (s->deferred_rc)
        return;
    s->deferred_rc = rc;
    s->deferred_path = copy_text(path);
}

/*
 * Takes the answer to one deferred request. That a node to be removed is
 * missing is no failure.
 */
static void take_deferred(struct store *s, const struct xsd_sockmsg *request,
                          const char *path)
{
    struct xsd_sockmsg head;
    char *body;
    int rc = -EAGAIN;

    if (!read_answer(s, request->req_id, &head, &body))
        rc = take_answer(&head, request->type, body, NULL, NULL);
    if (rc && !(rc == -ENOENT && request->type == XS_RM))
        keep_failure(s, rc, path);
}

/* Sends what was deferred, and takes all answers. */
static void settle(struct store *s)
{
    struct messages m = s->deferred;
    size_t at = 0;

    if (!m.size)
        return;
    s->deferred = (struct messages){NULL, 0};
    if (s->tx_age != s->age ||
        store_stream_write(&s->stream, m.bytes, m.size)) {
        keep_failure(s, -EAGAIN, "nodes");
        at = m.size;
    }
    while (at < m.size) {
        struct xsd_sockmsg request = head_at(&m, at);

        take_deferred(s, &request, m.bytes + at + sizeof(request));
        at += sizeof(request) + request.len;
    }
    forget_messages(&m);
}

/* The kernel's device takes one request at a time. */
static bool can_wait(const struct store *s, uint32_t type, uint32_t tx)
{
    return s->is_deferring && s->stream.is_socket && tx &&
           (type == XS_WRITE || type == XS_MKDIR || type == XS_RM ||
            type == XS_SET_PERMS);
}

/* See store_wire.h. */
void store_wire_defer(struct store *s)
{
    s->is_deferring = true;
}

/* See store_wire.h. */
int store_wire_end_deferring(struct store *s, bool is_wanted, char **path)
{
    int rc;

    if (is_wanted)
        settle(s);
    forget_messages(&s->deferred);
    rc = s->deferred_rc;
    *path = s->deferred_path;
    s->is_deferring = false;
    s->deferred_rc = 0;
    s->deferred_path = NULL;
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
    if (can_wait(s, type, tx)) {
        add_message(s, &s->deferred, type, tx, parts, count);
        if (s->deferred.size > DEFERRED_MAX)
            settle(s);
        return 0;
    }
    settle(s);
    for (unsigned tries = 0; tries < CALL_TRIES; tries++) {
        if (s->stream.fd < 0 && (rc = reconnect(s)))
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

/* Takes the answers to reads from number `first` on. 0, or -1. */
static int take_values(struct store *s, uint32_t first, unsigned count,
                       char **values)
{
    for (unsigned i = 0; i < count; i++) {
        struct xsd_sockmsg head;
        char *body;

        if (read_answer(s, first + i, &head, &body))
            return -1;
        free(values[i]); /* of an earlier try */
        values[i] = NULL;
        take_answer(&head, XS_READ, body, &values[i], NULL);
    }
    return 0;
}

static int read_together(struct store *s, uint32_t tx, const char *const *paths,
                         unsigned count, char **values)
{
    struct messages m = {NULL, 0};
    uint32_t first = s->req_id + 1;
    int rc;

    for (unsigned i = 0; i < count; i++) {
        struct store_part part = {paths[i], strlen(paths[i]) + 1};

        add_message(s, &m, XS_READ, tx, &part, 1);
    }
    rc = store_stream_write(&s->stream, m.bytes, m.size);
    forget_messages(&m);
    return rc ? -1 : take_values(s, first, count, values);
}

/* See store_wire.h. */
int store_wire_read_many(struct store *s, uint32_t tx, const char *const *paths,
                         unsigned count, char **values)
{
    unsigned done = 0, tries = 0, n;
    int rc;

    settle(s);
    memset(values, 0, count * sizeof(*values));
    while (done < count) {
        if (s->stream.fd < 0 && (rc = reconnect(s)))
            return rc;
        if (tx && s->tx_age != s->age)
            return -EAGAIN;
        n = s->stream.is_socket ? READS_TOGETHER : 1;
        if (n > count - done)
            n = count - done;
        if (!read_together(s, tx, paths + done, n, values + done))
            done += n;
        else if (++tries == CALL_TRIES)
            return -ECONNREFUSED;
    }
    return 0;
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

static struct store *open_by(int (*reach)(struct store *s), const char *path,
                             struct error *e)
{
    struct store *s = store_wire_append(NULL, 0, NULL, sizeof(*s));

    s->stream.fd = -1;
    s->last_event = &s->first_event;
    s->where = path ? copy_text(path) : NULL;
    if (!reach(s))
        return s;
    error_set(e, EXIT_STATUS_NO_SERVICE, "can't reach the store");
    error_why(e, "nobody listens at %s", path ? path : STORE_SOCKET);
    error_hint(e, "start the daemon with: stored");
    store_close(s);
    return NULL;
}

/* See store.h. */
struct store *store_open(struct error *e)
{
    return open_by(connect_patiently, getenv("XENSTORED_PATH"), e);
}

static int connect_once(struct store *s)
{
    return store_stream_open(&s->stream, s->where);
}

/* See store.h. */
struct store *store_open_at(const char *path, struct error *e)
{
    return open_by(connect_once, path, e);
}

/* See store.h. */
void store_set_patience(struct store *s, unsigned ms)
{
    store_stream_hurry(&s->stream, ms);
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
    store_stream_close(&s->stream);
    forget_messages(&s->deferred);
    free(s->deferred_path);
    free(s->where);
    free(s);
}

/* See store.h. */
int store_fd(const struct store *s)
{
    return s->stream.fd;
}

/* See store.h. */
void store_event_free(struct store_event *event)
{
    free(event->path);
    free(event->token);
    *event = (struct store_event){NULL, NULL};
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
    while (!s->first_event && s->stream.fd >= 0 &&
           store_stream_wait(&s->stream, 0) > 0)
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
        if (s->stream.fd < 0 && reconnect(s)) {
            error_set(e, EXIT_STATUS_NO_SERVICE, "can't wait for the store");
            error_why(e, "the store daemon has gone away");
            return error_hint(e, "start it with: stored");
        }
        rc = store_stream_wait(&s->stream, remaining_ms(timeout_ms, end));
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
