/* SPDX-License-Identifier: MIT */
/* The calls of a client of the store (store.h), over store_wire.c. */
#include "dom0_tools/lib/store.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dom0_tools/lib/store_wire.h"
#include "hypercall_abi/store.h"

/* Room for any number in decimal, and the zero byte. */
#define NUMBER_SIZE 24

/* How often a list may change while it is read: its owner may be hostile. */
#define LIST_TRIES 20

static struct store_part text_part(const char *text)
{
    return (struct store_part){text, strlen(text) + 1};
}

/* Fails with what was being done to which path. */
static int failed(struct error *e, int number, const char *doing,
                  const char *path)
{
    error_set_errno(e, number, "can't %s %s in the store", doing, path);
    if (number == ENOENT)
        error_why(e, "there is no such node");
    if (number == EAGAIN)
        error_why(e, "somebody else changed the same nodes");
    if (number == ECONNREFUSED || number == ENOTCONN) {
        error_why(e, "the store daemon does not answer");
        error_hint(e, "start it with: stored");
        if (e)
            e->status = EXIT_STATUS_NO_SERVICE;
    }
    return -1;
}

/* A request whose body is one path, and whose answer is thrown away. */
static int simple_call(struct store *s, uint32_t type, uint32_t tx,
                       const char *path, const char *doing, struct error *e)
{
    struct store_part part = text_part(path);
    int rc = store_wire_call(s, type, tx, &part, 1, NULL, NULL);

    return rc ? failed(e, -rc, doing, path) : 0;
}

/* A request with one path and an answer. */
static char *path_call(struct store *s, uint32_t type, uint32_t tx,
                       const char *path, size_t *size, const char *doing,
                       struct error *e)
{
    struct store_part part = text_part(path);
    char *answer;
    int rc = store_wire_call(s, type, tx, &part, 1, &answer, size);

    if (!rc)
        return answer;
    failed(e, -rc, doing, path);
    return NULL;
}

/* See store.h. */
char *store_read(struct store *s, uint32_t tx, const char *path, size_t *size,
                 struct error *e)
{
    return path_call(s, XS_READ, tx, path, size, "read", e);
}

/* See store.h. */
int store_read_many(struct store *s, uint32_t tx, const char *const *paths,
                    unsigned count, char **values, struct error *e)
{
    int rc = store_wire_read_many(s, tx, paths, count, values);

    return rc ? failed(e, -rc, "read", "nodes") : 0;
}

/* See store.h. */
int store_read_number(struct store *s, uint32_t tx, const char *path,
                      uint64_t *number, struct error *e)
{
    char *value = store_read(s, tx, path, NULL, e);
    char *end;
    int rc = 0;

    if (!value)
        return -1;
    errno = 0;
    *number = strtoull(value, &end, 10);
    if (errno || end == value || *end || *value == '-') {
        rc = failed(e, EINVAL, "read", path);
        error_why(e, "\"%s\" is no number", value);
    }
    free(value);
    return rc;
}

/* See store.h. */
int store_write_bytes(struct store *s, uint32_t tx, const char *path,
                      const void *value, size_t size, struct error *e)
{
    struct store_part parts[] = {text_part(path), {value, size}};
    int rc = store_wire_call(s, XS_WRITE, tx, parts, 2, NULL, NULL);

    return rc ? failed(e, -rc, "write", path) : 0;
}

/* See store.h. */
int store_write(struct store *s, uint32_t tx, const char *path,
                const char *value, struct error *e)
{
    return store_write_bytes(s, tx, path, value, strlen(value), e);
}

/* See store.h. */
int store_write_format(struct store *s, uint32_t tx, const char *path,
                       struct error *e, const char *format, ...)
{
    char value[XENSTORE_PAYLOAD_MAX];
    va_list args;
    int size;

    va_start(args, format);
    size = vsnprintf(value, sizeof(value), format, args);
    va_end(args);
    if (size < 0 || (size_t)size >= sizeof(value))
        return failed(e, E2BIG, "write", path);
    return store_write_bytes(s, tx, path, value, (size_t)size, e);
}

/* See store.h. */
int store_mkdir(struct store *s, uint32_t tx, const char *path, struct error *e)
{
    return simple_call(s, XS_MKDIR, tx, path, "make", e);
}

/* See store.h. */
int store_remove(struct store *s, uint32_t tx, const char *path,
                 struct error *e)
{
    struct store_part part = text_part(path);
    int rc = store_wire_call(s, XS_RM, tx, &part, 1, NULL, NULL);

    return rc && rc != -ENOENT ? failed(e, -rc, "remove", path) : 0;
}

/* See store.h. */
int store_exists(struct store *s, uint32_t tx, const char *path,
                 struct error *e)
{
    struct store_part part = text_part(path);
    int rc = store_wire_call(s, XS_READ, tx, &part, 1, NULL, NULL);

    if (rc == -ENOENT)
        return 0;
    return rc ? failed(e, -rc, "read", path) : 1;
}

/*
 * The names of all children, zero byte after each, in parts that belong to
 * the same generation of the node.
 */
static int read_names(struct store *s, uint32_t tx, const char *path,
                      char **names, size_t *size)
{
    char generation[NUMBER_SIZE] = "";
    char *part, offset[NUMBER_SIZE];
    unsigned tries = 0;
    size_t part_size, head;
    int rc;

    *names = NULL;
    *size = 0;
    for (;;) {
        snprintf(offset, sizeof(offset), "%zu", *size);
        rc = store_wire_call(
            s, XS_DIRECTORY_PART, tx,
            (struct store_part[]){text_part(path), text_part(offset)}, 2, &part,
            &part_size);
        if (rc)
            return rc;
        head = strlen(part) + 1;
        if (head > part_size || head > sizeof(generation)) {
            free(part);
            return -EIO;
        }
        if (*size && strcmp(generation, part) != 0) {
            *size = 0, part_size = head;
            rc = ++tries < LIST_TRIES ? 0 : -EAGAIN;
        } else {
            memcpy(generation, part, head);
        }
        *names =
            store_wire_append(*names, *size, part + head, part_size - head);
        *size += part_size - head;
        free(part);
        if (rc)
            return rc;
        /* The last part ends with an empty name. */
        if (*size == 1 && !**names)
            *size = 0;
        else if (*size < 2 || (*names)[*size - 1] || (*names)[*size - 2])
            continue;
        else
            *size -= 1;
        return 0;
    }
}

/* See store.h. */
char **store_list(struct store *s, uint32_t tx, const char *path,
                  unsigned *count, struct error *e)
{
    char *names, **list, *copy;
    size_t size;
    unsigned n = 0;
    int rc = read_names(s, tx, path, &names, &size);

    if (rc) {
        free(names);
        failed(e, -rc, "list", path);
        return NULL;
    }
    for (size_t i = 0; i < size; i++)
        n += !names[i];
    list = store_wire_append(NULL, 0, NULL, (n + 1) * sizeof(*list) + size);
    copy = memcpy(list + n + 1, names, size);
    *count = n;
    for (unsigned i = 0; i < n; i++, copy += strlen(copy) + 1)
        list[i] = copy;
    list[n] = NULL;
    free(names);
    return list;
}

/* See store.h. */
bool store_perm_parse(const char *word, struct store_perm *perm)
{
    static const char letters[] = "nrwb";
    const char *letter = *word ? strchr(letters, *word) : NULL;
    unsigned long domain;
    char *end;

    if (!letter || word[1] < '0' || word[1] > '9')
        return false;
    domain = strtoul(word + 1, &end, 10);
    if (*end || domain >= DOMID_FIRST_RESERVED)
        return false;
    *perm = (struct store_perm){(domid_t)domain, (unsigned)(letter - letters)};
    return true;
}

/* See store.h. */
void store_perm_format(const struct store_perm *perm, char word[8])
{
    snprintf(word, 8, "%c%u", "nrwb"[perm->access & 3], perm -> domain);
}

/* See store.h. */
struct store_perm *store_get_perms(struct store *s, uint32_t tx,
                                   const char *path, unsigned *count,
                                   struct error *e)
{
    size_t size;
    char *words = path_call(s, XS_GET_PERMS, tx, path, &size, "read", e);
    struct store_perm *perms;
    unsigned n = 0;

    if (!words)
        return NULL;
    for (size_t i = 0; i < size; i++)
        n += !words[i];
    perms = store_wire_append(NULL, 0, NULL, (n + 1) * sizeof(*perms));
    *count = n;
    n = 0;
    for (char *word = words; n < *count; word += strlen(word) + 1)
        if (!store_perm_parse(word, &perms[n++])) {
            failed(e, EIO, "read", path);
            free(perms);
            perms = NULL;
            break;
        }
    free(words);
    return perms;
}

/* See store.h. */
int store_set_perms(struct store *s, uint32_t tx, const char *path,
                    const struct store_perm *perms, unsigned count,
                    struct error *e)
{
    struct store_part parts[2] = {text_part(path)};
    char *words = store_wire_append(NULL, 0, NULL, count * 8 + 1);
    size_t size = 0;
    int rc;

    for (unsigned i = 0; i < count; i++) {
        store_perm_format(&perms[i], words + size);
        size += strlen(words + size) + 1;
    }
    parts[1] = (struct store_part){words, size};
    rc = store_wire_call(s, XS_SET_PERMS, tx, parts, 2, NULL, NULL);
    free(words);
    return rc ? failed(e, -rc, "set the permissions of", path) : 0;
}

/* See store.h. */
uint32_t store_begin(struct store *s, struct error *e)
{
    char *answer = path_call(s, XS_TRANSACTION_START, 0, "", NULL, "begin", e);
    uint32_t tx = 0;

    if (!answer) {
        error_wrap(e, "can't begin a transaction of the store");
        return 0;
    }
    tx = (uint32_t)strtoul(answer, NULL, 10);
    free(answer);
    if (!tx)
        failed(e, EIO, "begin", "a transaction");
    return tx;
}

/* See store.h. */
int store_commit(struct store *s, uint32_t tx, struct error *e)
{
    struct store_part part = text_part("T");
    char *path;
    int rc = store_wire_end_deferring(s, true, &path);

    if (rc) {
        store_abort(s, tx);
        failed(e, -rc, "change", path);
        free(path);
        return -1;
    }
    rc = store_wire_call(s, XS_TRANSACTION_END, tx, &part, 1, NULL, NULL);
    return rc ? failed(e, -rc, "commit", "a transaction") : 0;
}

/* See store.h. */
void store_abort(struct store *s, uint32_t tx)
{
    char *path;

    store_wire_end_deferring(s, false, &path);
    free(path);
    simple_call(s, XS_TRANSACTION_END, tx, "F", "abort", NULL);
}

/* See store.h. */
void store_defer(struct store *s)
{
    store_wire_defer(s);
}

/* See store.h. */
int store_watch(struct store *s, const char *path, const char *token,
                struct error *e)
{
    struct store_part parts[] = {text_part(path), text_part(token)};
    int rc = store_wire_call(s, XS_WATCH, 0, parts, 2, NULL, NULL);

    if (rc)
        return failed(e, -rc, "watch", path);
    store_wire_remember_watch(s, path, token);
    return 0;
}

/* See store.h. */
int store_unwatch(struct store *s, const char *path, const char *token,
                  struct error *e)
{
    struct store_part parts[] = {text_part(path), text_part(token)};
    int rc;

    store_wire_forget_watch(s, path, token);
    rc = store_wire_call(s, XS_UNWATCH, 0, parts, 2, NULL, NULL);
    return rc ? failed(e, -rc, "stop to watch", path) : 0;
}

/* See store.h. */
int store_introduce(struct store *s, domid_t domain, uint64_t frame,
                    evtchn_port_t port, struct error *e)
{
    char id[NUMBER_SIZE], frame_text[NUMBER_SIZE], port_text[NUMBER_SIZE];
    int rc;

    snprintf(id, sizeof(id), "%u", domain);
    snprintf(frame_text, sizeof(frame_text), "%" PRIu64, frame);
    snprintf(port_text, sizeof(port_text), "%u", port);
    rc = store_wire_call(s, XS_INTRODUCE, 0,
                         (struct store_part[]){text_part(id),
                                               text_part(frame_text),
                                               text_part(port_text)},
                         3, NULL, NULL);
    return rc ? failed(e, -rc, "introduce domain", id) : 0;
}

static char *domain_call(struct store *s, uint32_t type, domid_t domain,
                         const char *doing, struct error *e)
{
    char id[NUMBER_SIZE];

    snprintf(id, sizeof(id), "%u", domain);
    return path_call(s, type, 0, id, NULL, doing, e);
}

/* See store.h. */
int store_release(struct store *s, domid_t domain, struct error *e)
{
    char *answer = domain_call(s, XS_RELEASE, domain, "release domain", e);

    free(answer);
    return answer ? 0 : -1;
}

/* See store.h. */
int store_is_introduced(struct store *s, domid_t domain, struct error *e)
{
    char *answer =
        domain_call(s, XS_IS_DOMAIN_INTRODUCED, domain, "look up domain", e);
    int is_introduced = answer ? *answer == 'T' : -1;

    free(answer);
    return is_introduced;
}

/* See store.h. */
char *store_domain_path(struct store *s, domid_t domain, struct error *e)
{
    return domain_call(s, XS_GET_DOMAIN_PATH, domain, "look up domain", e);
}

/* See store.h. */
int store_set_target(struct store *s, domid_t domain, domid_t target,
                     struct error *e)
{
    char id[NUMBER_SIZE], target_id[NUMBER_SIZE];
    int rc;

    snprintf(id, sizeof(id), "%u", domain);
    snprintf(target_id, sizeof(target_id), "%u", target);
    rc = store_wire_call(
        s, XS_SET_TARGET, 0,
        (struct store_part[]){text_part(id), text_part(target_id)}, 2, NULL,
        NULL);
    return rc ? failed(e, -rc, "set the target of domain", id) : 0;
}

/* See store.h. */
char *store_control(struct store *s, const char *const *words, unsigned count,
                    struct error *e)
{
    char body[XENSTORE_PAYLOAD_MAX] = "";
    struct store_part part = {body, 0};
    char *answer = NULL;
    int rc = 0;

    for (unsigned i = 0; i < count && !rc; i++) {
        size_t size = strlen(words[i]) + 1;

        if (size > sizeof(body) - part.size) {
            rc = -E2BIG;
        } else {
            memcpy(body + part.size, words[i], size);
            part.size += size;
        }
    }
    if (!rc)
        rc = store_wire_call(s, XS_CONTROL, 0, &part, 1, &answer, NULL);
    if (!rc)
        return answer;
    failed(e, -rc, "control", count ? words[0] : "nothing");
    return NULL;
}
