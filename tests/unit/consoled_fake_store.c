/* SPDX-License-Identifier: MIT */
/* A store in memory (consoled_fake.h), as far as the console daemon uses it. */
#include "consoled_fake.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "dom0_tools/lib/store.h"

enum { NODES = 64, WATCHES = 32, EVENTS = 64, TEXT = 128 };

struct pair {
    char path[TEXT], text[TEXT];
};

struct store {
    int fd;
};

static struct pair nodes[NODES], watches[WATCHES], queue[EVENTS];
static unsigned node_count, watch_count, queued;
static struct store *client;
static bool is_away;
static unsigned calls_left; /* until it ends; 0: it does not */

/* Counts a call; whether the daemon is gone by now. */
static bool is_gone(struct error *e)
{
    if (client->fd >= 0 && calls_left && !--calls_left)
        fake_stop_store();
    if (client->fd < 0)
        error_set_errno(e, ECONNREFUSED, "can't reach the store");
    return client->fd < 0;
}

static struct pair *find_node(const char *path)
{
    for (unsigned i = 0; i < node_count; i++)
        if (!strcmp(nodes[i].path, path))
            return &nodes[i];
    return NULL;
}

static void queue_event(const char *path, const char *token)
{
    ck_assert_uint_lt(queued, EVENTS);
    snprintf(queue[queued].path, TEXT, "%s", path);
    snprintf(queue[queued].text, TEXT, "%s", token);
    queued++;
    if (client && client->fd >= 0)
        eventfd_write(client->fd, 1);
}

/* See consoled_fake.h. */
void fake_tell(const char *path)
{
    for (unsigned i = 0; i < watch_count; i++) {
        size_t length = strlen(watches[i].path);

        if (!strncmp(path, watches[i].path, length) &&
            (!path[length] || path[length] == '/'))
            queue_event(path, watches[i].text);
    }
}

/* See consoled_fake.h. */
void fake_set_node(const char *path, const char *value)
{
    struct pair *node = find_node(path);

    if (!node) {
        ck_assert_uint_lt(node_count, NODES);
        node = &nodes[node_count++];
    }
    snprintf(node->path, TEXT, "%s", path);
    snprintf(node->text, TEXT, "%s", value);
    fake_tell(path);
}

/* See consoled_fake.h. */
const char *fake_node(const char *path)
{
    const struct pair *node = find_node(path);

    return node ? node->text : "";
}

/* See consoled_fake.h. */
void fake_stop_store(void)
{
    is_away = true;
    watch_count = queued = 0;
    close(client->fd);
    client->fd = -1;
}

/* See consoled_fake.h. */
void fake_stop_store_at(unsigned call)
{
    calls_left = call;
}

/* See consoled_fake.h. */
void fake_start_store(void)
{
    is_away = false;
    calls_left = 0;
}

/* See consoled_fake.h. */
void fake_empty_store(void)
{
    node_count = watch_count = queued = 0;
    fake_start_store();
}

/* See store.h. */
struct store *store_open_at(const char *path, struct error *e)
{
    (void)path;
    if (is_away) {
        error_set(e, EXIT_STATUS_NO_SERVICE, "can't reach the store");
        return NULL;
    }
    client = malloc(sizeof(*client));
    ck_assert_ptr_nonnull(client);
    client->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    watch_count = queued = 0;
    return client;
}

/* See store.h. */
void store_set_patience(struct store *s, unsigned ms)
{
    (void)s;
    ck_assert_uint_gt(ms, 0);
}

/* See store.h. */
void store_close(struct store *s)
{
    if (s && s->fd >= 0)
        close(s->fd);
    free(s);
    client = NULL;
}

/* See store.h. */
int store_fd(const struct store *s)
{
    return s->fd;
}

/* See store.h. */
char *store_read(struct store *s, uint32_t tx, const char *path, size_t *size,
                 struct error *e)
{
    const struct pair *node = find_node(path);

    (void)s;
    (void)tx;
    if (size)
        *size = node ? strlen(node->text) : 0;
    if (is_gone(e))
        return NULL;
    if (node)
        return strdup(node->text);
    error_set_errno(e, ENOENT, "can't read %s", path);
    return NULL;
}

/* See store.h. */
int store_read_number(struct store *s, uint32_t tx, const char *path,
                      uint64_t *number, struct error *e)
{
    char *text = store_read(s, tx, path, NULL, e), *end;
    bool is_number;

    if (!text)
        return -1;
    *number = strtoull(text, &end, 10);
    is_number = *text && !*end;
    free(text);
    return is_number ? 0 : error_set_errno(e, EINVAL, "%s is no number", path);
}

/* See store.h. */
int store_write(struct store *s, uint32_t tx, const char *path,
                const char *value, struct error *e)
{
    (void)s;
    (void)tx;
    if (is_gone(e))
        return -1;
    fake_set_node(path, value);
    return 0;
}

/* See store.h. */
int store_exists(struct store *s, uint32_t tx, const char *path,
                 struct error *e)
{
    (void)s;
    (void)tx;
    return is_gone(e) ? -1 : find_node(path) != NULL;
}

/* See store.h: the numbers of all domains that have a name. */
char **store_list(struct store *s, uint32_t tx, const char *path,
                  unsigned *count, struct error *e)
{
    char **names, *text;

    (void)s;
    (void)tx;
    if (is_gone(e))
        return NULL;
    names = calloc(NODES + 1, sizeof(*names) + 8);
    text = (char *)(names + NODES + 1);
    ck_assert_ptr_nonnull(names);
    ck_assert_str_eq(path, "/local/domain");
    *count = 0;
    for (unsigned i = 0; i < node_count; i++) {
        unsigned id;
        char end;

        if (sscanf(nodes[i].path, "/local/domain/%u/nam%c", &id, &end) != 2)
            continue;
        names[(*count)++] = text;
        text += sprintf(text, "%u", id) + 1;
    }
    return names;
}

/* See store.h. */
uint32_t store_begin(struct store *s, struct error *e)
{
    (void)s;
    return is_gone(e) ? STORE_NO_TX : 1;
}

/* See store.h. */
int store_commit(struct store *s, uint32_t tx, struct error *e)
{
    (void)s;
    (void)tx;
    return is_gone(e) ? -1 : 0;
}

/* See store.h. */
void store_abort(struct store *s, uint32_t tx)
{
    (void)s;
    (void)tx;
}

/* See store.h. */
int store_watch(struct store *s, const char *path, const char *token,
                struct error *e)
{
    (void)s;
    if (is_gone(e))
        return -1;
    ck_assert_uint_lt(watch_count, WATCHES);
    snprintf(watches[watch_count].path, TEXT, "%s", path);
    snprintf(watches[watch_count].text, TEXT, "%s", token);
    watch_count++;
    queue_event(path, token);
    return 0;
}

/* See store.h. */
int store_unwatch(struct store *s, const char *path, const char *token,
                  struct error *e)
{
    (void)s;
    if (is_gone(e))
        return -1;
    for (unsigned i = 0; i < watch_count; i++)
        if (!strcmp(watches[i].path, path) && !strcmp(watches[i].text, token)) {
            watches[i] = watches[--watch_count];
            return 0;
        }
    ck_abort_msg("%s is not watched", path);
}

/* See store.h. */
bool store_has_event(struct store *s)
{
    eventfd_t value;

    if (s->fd >= 0)
        eventfd_read(s->fd, &value);
    return queued != 0;
}

/* See store.h. */
int store_next_event(struct store *s, int timeout_ms, struct store_event *event,
                     struct error *e)
{
    (void)s;
    (void)timeout_ms;
    (void)e;
    if (!queued)
        return 0;
    event->path = strdup(queue[0].path);
    event->token = strdup(queue[0].text);
    memmove(queue, queue + 1, --queued * sizeof(queue[0]));
    return 1;
}

/* See store.h. */
void store_event_free(struct store_event *event)
{
    free(event->path);
    free(event->token);
}
