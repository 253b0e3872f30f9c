/* SPDX-License-Identifier: MIT */
/* A store in memory (mica_fake.h): an array of nodes in order of creation. */
#include "mica_fake.h"

#include <check.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "dom0_tools/lib/store.h"

enum { NODES = 512, PATH_SIZE = 256, VALUE_SIZE = 4096, PERMS_SIZE = 32 };

struct node {
    char path[PATH_SIZE];
    char value[VALUE_SIZE];
    char perms[PERMS_SIZE];
};

struct tree {
    struct node nodes[NODES];
    unsigned count;
};

static struct tree tree, saved;
static uint32_t transaction;
static unsigned events;

static struct node *find(const char *path)
{
    unsigned i;

    for (i = 0; i < tree.count; i++)
        if (!strcmp(tree.nodes[i].path, path))
            return &tree.nodes[i];
    return NULL;
}

static bool is_below(const char *path, const char *above)
{
    size_t length = strlen(above);

    return !strncmp(path, above, length) &&
           (!path[length] || path[length] == '/');
}

/* Names are as real daemons take them. */
static void check_path(const char *path)
{
    ck_assert_msg(path[0] == '/' && strlen(path) < PATH_SIZE, "%s", path);
    ck_assert_msg(strspn(path, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRST"
                               "UVWXYZ0123456789-/_@") == strlen(path),
                  "%s", path);
    ck_assert_msg(!strstr(path, "//"), "%s", path);
    ck_assert_msg(path[strlen(path) - 1] != '/', "%s", path);
}

static struct node *obtain(const char *path)
{
    struct node *node = find(path);
    const char *slash = strrchr(path, '/');
    char parent[PATH_SIZE];

    check_path(path);
    if (node)
        return node;
    if (slash != path) {
        snprintf(parent, sizeof(parent), "%.*s", (int)(slash - path), path);
        obtain(parent);
    }
    ck_assert_uint_lt(tree.count, NODES);
    node = &tree.nodes[tree.count++];
    memset(node, 0, sizeof(*node));
    snprintf(node->path, sizeof(node->path), "%s", path);
    return node;
}

void fake_store_reset(void)
{
    memset(&tree, 0, sizeof(tree));
    transaction = 0;
    events = 0;
    fake_set_node("/local/domain/0/name", "Domain-0");
}

const char *fake_node(const char *path)
{
    struct node *node = find(path);

    return node ? node->value : NULL;
}

void fake_set_node(const char *path, const char *value)
{
    snprintf(obtain(path)->value, VALUE_SIZE, "%s", value);
}

const char *fake_perms(const char *path)
{
    char parent[PATH_SIZE];
    struct node *node;

    snprintf(parent, sizeof(parent), "%s", path);
    for (;;) {
        char *slash = strrchr(parent, '/');

        node = find(parent);
        if (node && node->perms[0])
            return node->perms;
        if (!slash || slash == parent)
            return "n0";
        *slash = '\0';
    }
}

unsigned fake_count_nodes(const char *path)
{
    unsigned i, count = 0;

    for (i = 0; i < tree.count; i++)
        count += is_below(tree.nodes[i].path, path);
    return count;
}

struct store *store_open(struct error *e)
{
    if (fake.has_store)
        return (struct store *)&tree;
    error_set(e, EXIT_STATUS_NO_SERVICE, "can't reach the store");
    return NULL;
}

struct store *store_open_at(const char *path, struct error *e)
{
    (void)path;
    return store_open(e);
}

void store_close(struct store *s)
{
    ck_assert_msg(!s || !transaction, "a transaction was left open");
}

int store_fd(const struct store *s)
{
    (void)s;
    return -1;
}

char *store_read(struct store *s, uint32_t tx, const char *path, size_t *size,
                 struct error *e)
{
    struct node *node = find(path);

    (void)s;
    ck_assert_uint_eq(tx, transaction);
    if (!node) {
        error_set_errno(e, ENOENT, "no node");
        return NULL;
    }
    if (size)
        *size = strlen(node->value);
    return strdup(node->value);
}

int store_read_many(struct store *s, uint32_t tx, const char *const *paths,
                    unsigned count, char **values, struct error *e)
{
    (void)e;
    for (unsigned i = 0; i < count; i++)
        values[i] = store_read(s, tx, paths[i], NULL, NULL);
    return 0;
}

int store_read_number(struct store *s, uint32_t tx, const char *path,
                      uint64_t *number, struct error *e)
{
    char *text = store_read(s, tx, path, NULL, e), *end;

    if (!text)
        return -1;
    *number = strtoull(text, &end, 10);
    if (end == text || *end) {
        free(text);
        return error_set_errno(e, EINVAL, "no number");
    }
    free(text);
    return 0;
}

int store_write(struct store *s, uint32_t tx, const char *path,
                const char *value, struct error *e)
{
    (void)s;
    ck_assert_uint_eq(tx, transaction);
    if (fake_fails(e, "write"))
        return -1;
    ck_assert_uint_lt(strlen(value), VALUE_SIZE);
    fake_set_node(path, value);
    return 0;
}

int store_write_format(struct store *s, uint32_t tx, const char *path,
                       struct error *e, const char *format, ...)
{
    char value[VALUE_SIZE];
    va_list args;

    va_start(args, format);
    vsnprintf(value, sizeof(value), format, args);
    va_end(args);
    return store_write(s, tx, path, value, e);
}

int store_remove(struct store *s, uint32_t tx, const char *path,
                 struct error *e)
{
    unsigned i, kept = 0;

    (void)s, (void)e;
    ck_assert_uint_eq(tx, transaction);
    check_path(path);
    for (i = 0; i < tree.count; i++)
        if (!is_below(tree.nodes[i].path, path))
            tree.nodes[kept++] = tree.nodes[i];
    tree.count = kept;
    return 0;
}

int store_exists(struct store *s, uint32_t tx, const char *path,
                 struct error *e)
{
    (void)s, (void)e;
    ck_assert_uint_eq(tx, transaction);
    return find(path) != NULL;
}

char **store_list(struct store *s, uint32_t tx, const char *path,
                  unsigned *count, struct error *e)
{
    size_t length = strlen(path);
    char **list, *text;
    unsigned i;

    (void)s;
    ck_assert_uint_eq(tx, transaction);
    if (!find(path)) {
        error_set_errno(e, ENOENT, "no node");
        return NULL;
    }
    list = calloc(1, NODES * (sizeof(*list) + PATH_SIZE));
    text = (char *)(list + NODES);
    *count = 0;
    for (i = 0; i < tree.count; i++) {
        const char *name = tree.nodes[i].path + length + 1;

        if (!is_below(tree.nodes[i].path, path) ||
            strlen(tree.nodes[i].path) <= length || strchr(name, '/'))
            continue;
        list[(*count)++] = text;
        text = strcpy(text, name) + strlen(name) + 1;
    }
    return list;
}

int store_set_perms(struct store *s, uint32_t tx, const char *path,
                    const struct store_perm *perms, unsigned count,
                    struct error *e)
{
    static const char letters[] = "nrwb";
    struct node *node = find(path);
    unsigned i;

    (void)s;
    ck_assert_uint_eq(tx, transaction);
    ck_assert_ptr_nonnull(node);
    if (fake_fails(e, "permissions"))
        return -1;
    node->perms[0] = '\0';
    for (i = 0; i < count; i++)
        sprintf(node->perms + strlen(node->perms), "%s%c%u", i ? "," : "",
                letters[perms[i].access], perms[i].domain);
    return 0;
}

uint32_t store_begin(struct store *s, struct error *e)
{
    (void)s;
    ck_assert_uint_eq(transaction, 0);
    if (fake_fails(e, "begin"))
        return STORE_NO_TX;
    saved = tree;
    return transaction = 1;
}

int store_commit(struct store *s, uint32_t tx, struct error *e)
{
    ck_assert_uint_eq(tx, transaction);
    if (fake_fails(e, "commit")) {
        store_abort(s, tx);
        return -1;
    }
    transaction = 0;
    return 0;
}

void store_abort(struct store *s, uint32_t tx)
{
    (void)s;
    ck_assert_uint_eq(tx, transaction);
    tree = saved;
    transaction = 0;
}

/* Here nothing is waited for anyway. */
void store_defer(struct store *s)
{
    (void)s;
    ck_assert_uint_ne(transaction, 0);
}

int store_watch(struct store *s, const char *path, const char *token,
                struct error *e)
{
    (void)s, (void)path, (void)token, (void)e;
    events++;
    return 0;
}

int store_unwatch(struct store *s, const char *path, const char *token,
                  struct error *e)
{
    (void)s, (void)path, (void)token, (void)e;
    events = 0;
    return 0;
}

bool store_has_event(struct store *s)
{
    (void)s;
    return events > 0;
}

int store_next_event(struct store *s, int timeout_ms, struct store_event *event,
                     struct error *e)
{
    (void)s, (void)timeout_ms, (void)e;
    *event = (struct store_event){0};
    if (fake.while_waiting)
        fake.while_waiting();
    if (!events)
        return 0;
    events--;
    return 1;
}

void store_event_free(struct store_event *event)
{
    (void)event;
}

static struct fake_domain *introduced(domid_t domain)
{
    ck_assert_uint_lt(domain, FAKE_DOMAINS);
    return &fake.domains[domain];
}

int store_introduce(struct store *s, domid_t domain, uint64_t frame,
                    evtchn_port_t port, struct error *e)
{
    (void)s, (void)frame, (void)port;
    if (fake_fails(e, "introduce"))
        return -1;
    introduced(domain)->is_introduced = true;
    return 0;
}

int store_release(struct store *s, domid_t domain, struct error *e)
{
    (void)s, (void)e;
    introduced(domain)->is_introduced = false;
    return 0;
}
