/* SPDX-License-Identifier: MIT */
/*
 * Messages: one row per type says how its body is read and who may send it,
 * one function does it. A function returns 0 with the answer in `answer`, or
 * -Exxx, which is answered by name.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dom0_tools/stored/control.h"
#include "dom0_tools/stored/engine.h"
#include "dom0_tools/stored/path.h"

/* Longest token, so that an event with the longest path fits. */
#define TOKEN_MAX (XENSTORE_PAYLOAD_MAX - XENSTORE_ABS_PATH_MAX - 2)

struct request {
    struct engine *e;
    struct connection *c;
    struct xsd_sockmsg head;
    const char *body;
    const char *rest; /* what follows the strings of the row */
    size_t rest_size;
    const char *words[3]; /* the strings of the row */
    char path[PATH_ROOM]; /* of words[0], if the row has a path */
    size_t skip;          /* path_resolve()'s */
    struct view view;
    struct bytes answer;
    bool is_answered; /* by the function itself */
};

static int answer_ok(struct request *r)
{
    bytes_put_text(&r->answer, "OK");
    return 0;
}

static int do_read(struct request *r)
{
    const struct content *content;
    int rc = view_read(&r->view, r->path, &content);

    if (!rc)
        bytes_put(&r->answer, content->value, content->size);
    return rc;
}

static int do_directory(struct request *r)
{
    uint64_t generation;
    int rc = view_list(&r->view, r->path, &r->answer, &generation);

    return !rc && r->answer.used > XENSTORE_PAYLOAD_MAX ? -E2BIG : rc;
}

/* As many whole names from an offset as fit, and an empty one at the end. */
static void put_part(struct bytes *answer, const struct bytes *names,
                     size_t offset)
{
    const char *name = (const char *)names->data + offset;
    size_t room = XENSTORE_PAYLOAD_MAX - answer->used;

    while (offset < names->used) {
        size_t size = strlen(name) + 1;

        if (size >= room)
            return;
        bytes_put(answer, name, size);
        room -= size;
        name += size;
        offset += size;
    }
    bytes_put_u8(answer, 0);
}

static int do_directory_part(struct request *r)
{
    struct bytes names = {NULL, 0, 0};
    uint64_t generation, offset;
    char *end;
    int rc;

    offset = strtoull(r->words[1], &end, 10);
    if (*end || end == r->words[1])
        return -EINVAL;
    rc = view_list(&r->view, r->path, &names, &generation);
    /* An offset from inside a name would end in the middle of one as well. */
    if (!rc && offset && offset < names.used && names.data[offset - 1])
        rc = -EINVAL;
    if (!rc) {
        bytes_put_format(&r->answer, "%" PRIu64, generation);
        bytes_put_u8(&r->answer, 0);
        put_part(&r->answer, &names, offset < names.used ? offset : names.used);
    }
    bytes_free(&names);
    return rc;
}

static int do_get_perms(struct request *r)
{
    const struct content *content;
    int rc = view_read(&r->view, r->path, &content);

    if (!rc)
        content_format_permissions(content, &r->answer);
    return rc;
}

static int do_set_perms(struct request *r)
{
    struct permission *list;
    int rc = content_parse_permissions(r->rest, r->rest_size, &list);

    if (rc < 0)
        return rc;
    rc = view_set_permissions(&r->view, r->path, list, (size_t)rc);
    free(list);
    return rc ? rc : answer_ok(r);
}

static int do_write(struct request *r)
{
    int rc = view_write(&r->view, r->path, r->rest, r->rest_size);

    return rc ? rc : answer_ok(r);
}

static int do_mkdir(struct request *r)
{
    int rc = view_mkdir(&r->view, r->path);

    return rc ? rc : answer_ok(r);
}

static int do_rm(struct request *r)
{
    int rc = view_remove(&r->view, r->path);

    return rc ? rc : answer_ok(r);
}

/* The answer goes first here, so that the client knows of its watch. */
static void answer_now(struct request *r)
{
    answer_ok(r);
    connection_send(r->e, r->c, r->head.type, &r->head, r->answer.data,
                    r->answer.used);
    r->is_answered = true;
}

static int do_watch(struct request *r)
{
    struct engine *e = r->e;
    struct watch *watch;

    if (strlen(r->words[1]) > TOKEN_MAX)
        return -E2BIG;
    if (watches_find(&e->watches, r->path, r->words[1], r->c))
        return -EEXIST;
    if (!quota_allows(&e->quotas, r->c->domain, QUOTA_WATCHES, 1))
        return -E2BIG;
    if (!quota_allows(&e->quotas, r->c->domain, QUOTA_MEMORY,
                      watch_weight(r->path, r->words[1])))
        return -ENOMEM;
    watch = connection_add_watch(e, r->c, r->path, r->words[1]);
    watch->skip = r->skip;
    answer_now(r);
    connection_send_event(e, watch, r->path);
    return 0;
}

static int do_unwatch(struct request *r)
{
    struct watch *watch =
        watches_find(&r->e->watches, r->path, r->words[1], r->c);

    if (!watch)
        return -ENOENT;
    connection_remove_watch(r->e, watch);
    return answer_ok(r);
}

static int do_reset_watches(struct request *r)
{
    connection_drop_watches(r->e, r->c);
    connection_drop_transactions(r->c);
    return answer_ok(r);
}

static struct transaction *find_transaction(struct connection *c, uint32_t id)
{
    struct transaction *tx = TAILQ_FIRST(&c->transactions);

    while (tx && tx->id != id)
        tx = TAILQ_NEXT(tx, of_owner);
    return tx;
}

static int do_transaction_start(struct request *r)
{
    struct connection *c = r->c;
    struct transaction *tx;

    if (r->head.tx_id)
        return -EBUSY;
    if (!quota_allows(&r->e->quotas, c->domain, QUOTA_TRANSACTIONS, 1))
        return -ENOSPC;
    do
        c->last_tx++;
    while (!c->last_tx || find_transaction(c, c->last_tx));
    tx = transaction_begin(&r->e->tree, c->domain, c->last_tx);
    TAILQ_INSERT_TAIL(&c->transactions, tx, of_owner);
    bytes_put_format(&r->answer, "%" PRIu32, tx->id);
    bytes_put_u8(&r->answer, 0);
    return 0;
}

static int commit(struct request *r, struct transaction *tx)
{
    if (!transaction_can_commit(tx))
        return -EAGAIN;
    if (!quota_allows(&r->e->quotas, r->c->domain, QUOTA_NODES,
                      transaction_growth(tx)))
        return -ENOSPC;
    transaction_apply(tx, &r->view.hook);
    return 0;
}

static int do_transaction_end(struct request *r)
{
    struct transaction *tx = r->view.tx;
    bool is_commit = !strcmp(r->words[0], "T");
    int rc;

    if (!tx)
        return -ENOENT;
    if (!is_commit && strcmp(r->words[0], "F") != 0)
        return -EINVAL;
    rc = is_commit ? commit(r, tx) : 0;
    TAILQ_REMOVE(&r->c->transactions, tx, of_owner);
    transaction_free(tx);
    return rc ? rc : answer_ok(r);
}

static bool parse_number(const char *word, uint64_t limit, uint64_t *number)
{
    char *end;

    if (*word < '0' || *word > '9')
        return false;
    errno = 0;
    *number = strtoull(word, &end, 10);
    return !errno && !*end && *number < limit;
}

static bool parse_domain(const char *word, domid_t *domain)
{
    uint64_t number;

    if (!parse_number(word, DOMID_FIRST_RESERVED, &number))
        return false;
    *domain = (domid_t)number;
    return true;
}

/* The connection of the domain that a word names. */
static int find_domain(struct request *r, const char *word,
                       struct connection **found)
{
    domid_t domain;

    if (!parse_domain(word, &domain))
        return -EINVAL;
    *found = r->e->domains[domain];
    return *found ? 0 : -ENOENT;
}

/* Maps a ring and notes where its streams stand. */
static int attach(struct request *r, struct connection *c)
{
    struct engine *e = r->e;
    struct outcome *outcome = &e->current->outcome;

    if (!e->is_replay)
        *outcome = e->hooks->attach(e->hook_context, c);
    c->in = outcome->in;
    c->out = outcome->out;
    return outcome->error;
}

static int introduce_again(struct request *r, struct connection *c,
                           uint64_t frame, uint32_t port)
{
    if (!c->is_broken && c->frame == frame && c->port == port)
        return 0;
    r->e->hooks->detach(r->e->hook_context, c);
    connection_drop_traffic(r->e, c);
    c->is_broken = false;
    c->frame = frame;
    c->port = port;
    return attach(r, c);
}

static int introduce_new(struct request *r, domid_t domain, uint64_t frame,
                         uint32_t port)
{
    struct connection *c = connection_begin(r->e, 0, domain, true);
    int rc;

    c->frame = frame;
    c->port = port;
    rc = attach(r, c);
    if (rc)
        connection_end(r->e, c);
    else
        engine_fire_special(r->e, "@introduceDomain");
    return rc;
}

static int do_introduce(struct request *r)
{
    uint64_t frame, port;
    domid_t domain;
    int rc;

    if (!parse_domain(r->words[0], &domain) || !domain ||
        !parse_number(r->words[1], UINT64_MAX, &frame) ||
        !parse_number(r->words[2], UINT32_MAX, &port))
        return -EINVAL;
    if (r->e->domains[domain])
        rc = introduce_again(r, r->e->domains[domain], frame, (uint32_t)port);
    else
        rc = introduce_new(r, domain, frame, (uint32_t)port);
    return rc ? rc : answer_ok(r);
}

static int do_release(struct request *r)
{
    struct connection *c;
    int rc = find_domain(r, r->words[0], &c);

    if (rc)
        return rc;
    if (!c->domain)
        return -EINVAL;
    engine_end_domain(r->e, c);
    return answer_ok(r);
}

static int do_resume(struct request *r)
{
    struct connection *c;
    int rc = find_domain(r, r->words[0], &c);

    if (rc)
        return rc;
    c->has_shut_down = false;
    return answer_ok(r);
}

static int do_set_target(struct request *r)
{
    struct connection *c;
    domid_t target;
    int rc = find_domain(r, r->words[0], &c);

    if (rc)
        return rc;
    if (!parse_domain(r->words[1], &target) || !target)
        return -EINVAL;
    c->target = target;
    return answer_ok(r);
}

static int do_get_domain_path(struct request *r)
{
    char home[PATH_HOME_ROOM];
    domid_t domain;

    if (!parse_domain(r->words[0], &domain))
        return -EINVAL;
    path_home(domain, home);
    bytes_put_text(&r->answer, home);
    return 0;
}

static int do_is_domain_introduced(struct request *r)
{
    domid_t domain;

    if (!parse_domain(r->words[0], &domain))
        return -EINVAL;
    bytes_put_text(&r->answer, r->e->domains[domain] || !domain ? "T" : "F");
    return 0;
}

static int do_control(struct request *r)
{
    return control_execute(r->e, r->body, r->head.len, &r->answer);
}

enum {
    HAS_PATH = 1, /* the first string is one */
    HAS_REST = 2, /* bytes follow the strings */
    DOM0_ONLY = 4,
};

static const struct type {
    const char *name;
    unsigned words;
    unsigned flags;
    int (*execute)(struct request *r);
} types[XS_TYPE_COUNT] = {
    [XS_CONTROL] = {"control", 0, HAS_REST | DOM0_ONLY, do_control},
    [XS_DIRECTORY] = {"directory", 1, HAS_PATH, do_directory},
    [XS_READ] = {"read", 1, HAS_PATH, do_read},
    [XS_GET_PERMS] = {"get_perms", 1, HAS_PATH, do_get_perms},
    [XS_WATCH] = {"watch", 2, HAS_PATH, do_watch},
    [XS_UNWATCH] = {"unwatch", 2, HAS_PATH, do_unwatch},
    [XS_TRANSACTION_START] = {"transaction_start", 0, HAS_REST,
                              do_transaction_start},
    [XS_TRANSACTION_END] = {"transaction_end", 1, 0, do_transaction_end},
    [XS_INTRODUCE] = {"introduce", 3, HAS_REST | DOM0_ONLY, do_introduce},
    [XS_RELEASE] = {"release", 1, DOM0_ONLY, do_release},
    [XS_GET_DOMAIN_PATH] = {"get_domain_path", 1, 0, do_get_domain_path},
    [XS_WRITE] = {"write", 1, HAS_PATH | HAS_REST, do_write},
    [XS_MKDIR] = {"mkdir", 1, HAS_PATH, do_mkdir},
    [XS_RM] = {"rm", 1, HAS_PATH, do_rm},
    [XS_SET_PERMS] = {"set_perms", 1, HAS_PATH | HAS_REST, do_set_perms},
    [XS_IS_DOMAIN_INTRODUCED] = {"is_domain_introduced", 1, 0,
                                 do_is_domain_introduced},
    [XS_RESUME] = {"resume", 1, DOM0_ONLY, do_resume},
    [XS_SET_TARGET] = {"set_target", 2, DOM0_ONLY, do_set_target},
    [XS_RESET_WATCHES] = {"reset_watches", 0, HAS_REST, do_reset_watches},
    [XS_DIRECTORY_PART] = {"directory_part", 2, HAS_PATH, do_directory_part},
};

/* Splits the body into the strings of the row and what follows. */
static int split(struct request *r, const struct type *type)
{
    r->rest = r->body;
    r->rest_size = r->head.len;
    for (unsigned i = 0; i < type->words; i++) {
        size_t size = strnlen(r->rest, r->rest_size) + 1;

        if (size > r->rest_size)
            return -EINVAL;
        r->words[i] = r->rest;
        r->rest += size;
        r->rest_size -= size;
    }
    if (r->rest_size && !(type->flags & HAS_REST))
        return -EINVAL;
    return 0;
}

/* Makes a path of the first string. Its depth is what all work grows with. */
static int resolve(struct request *r)
{
    int rc = path_resolve(r->words[0], r->c->domain, r->path, &r->skip);

    if (rc)
        return rc;
    return quota_allows(&r->e->quotas, r->c->domain, QUOTA_DEPTH,
                        path_depth(r->path))
               ? 0
               : -ENOSPC;
}

static int execute(struct request *r)
{
    const struct type *type =
        r->head.type < XS_TYPE_COUNT ? &types[r->head.type] : NULL;
    int rc;

    if (!type || !type->execute)
        return -ENOSYS;
    rc = split(r, type);
    if (!rc && type->flags & HAS_PATH)
        rc = resolve(r);
    if (rc)
        return rc;
    if (type->flags & DOM0_ONLY && r->c->domain)
        return -EACCES;
    if (r->head.tx_id && r->head.type != XS_TRANSACTION_START) {
        r->view.tx = find_transaction(r->c, r->head.tx_id);
        if (!r->view.tx)
            return -ENOENT;
    }
    return type->execute(r);
}

static const char *error_name(int error)
{
    switch (error) {
#define ROW(name)                                                              \
    case name:                                                                 \
        return #name;
        XS_ERROR_NAMES(ROW)
#undef ROW
    default:
        return "EINVAL";
    }
}

/* One change on its way to those who watch. */
struct telling {
    struct engine *e;
    const char *path;
    const struct content *content;
};

/* Only those who may read a node learn that it changed. */
static void tell(void *context, struct watch *watch)
{
    const struct telling *telling = context;
    struct asker asker = connection_asker(watch->owner);

    if (content_access(telling->content, &asker) & ACCESS_READ)
        connection_send_event(telling->e, watch, telling->path);
}

static void fire(void *context, const char *path, const struct content *content,
                 enum fire how)
{
    struct telling telling = {context, path, content};

    if (how == FIRE_EXACTLY)
        watches_visit_exactly(&telling.e->watches, path, tell, &telling);
    else
        watches_visit(&telling.e->watches, path, tell, &telling);
}

static void trace(const struct request *r, int rc)
{
    const struct xsd_sockmsg *head = &r->head;
    bool is_known = head->type < XS_TYPE_COUNT && types[head->type].name;

    engine_log(r->e, "trace: %s %u domain %u: %s tx %" PRIu32 " %.*s: %s",
               r->c->is_ring ? "ring" : "socket", r->c->id, r->c->domain,
               is_known ? types[head->type].name : "?", head->tx_id,
               (int)strnlen(r->body, head->len), r->body,
               rc ? error_name(-rc) : "OK");
}

static void answer(struct request *r, int rc)
{
    const char *name;

    if (r->is_answered)
        return;
    if (!rc) {
        connection_send(r->e, r->c, r->head.type, &r->head, r->answer.data,
                        r->answer.used);
        return;
    }
    name = error_name(-rc);
    connection_send(r->e, r->c, XS_ERROR, &r->head, name, strlen(name) + 1);
}

/* See engine.h. */
void request_execute(struct engine *e, struct connection *c,
                     const uint8_t *bytes, size_t size)
{
    struct request r = {.e = e, .c = c};
    int rc;

    if (size < sizeof(r.head) || size > MESSAGE_MAX)
        return;
    memcpy(&r.head, bytes, sizeof(r.head));
    if (size != sizeof(r.head) + r.head.len)
        return;
    r.body = (const char *)bytes + sizeof(r.head);
    r.view = (struct view){
        .tree = &e->tree, .asker = connection_asker(c), .hook = {fire, e}};
    rc = execute(&r);
    if (e->is_tracing)
        trace(&r, rc);
    answer(&r, rc);
    bytes_free(&r.answer);
}
