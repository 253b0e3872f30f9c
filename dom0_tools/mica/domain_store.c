/* SPDX-License-Identifier: MIT */
/*
 * Domains' nodes in the store (domain_store.h). New nodes take over their
 * parent's permissions, so that only directories and what the guest may
 * write are given any.
 */
#include "dom0_tools/mica/domain_store.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CONSOLE_LIMIT "1048576" /* bytes of output kept while nobody reads */

enum {
    TRIES_MAX = 64,
    VALUE_SIZE = 4096,
    NAME_NODE_SIZE = 16 + 3 * DOMAIN_NAME_SIZE,
};

enum access {
    ACCESS_AS_PARENT,
    ACCESS_DOM0,  /* dom0 alone */
    ACCESS_READ,  /* the guest may read */
    ACCESS_GUEST, /* it is the guest's */
};

/* A transaction that goes on as if nothing had failed, and tells at the end. */
struct writer {
    struct store *store;
    uint32_t tx;
    domid_t domain;
    bool has_failed;
    struct error *error;
};

static void allow(struct writer *w, const char *path, enum access access)
{
    const struct store_perm perms[] = {{0, STORE_PERM_NONE},
                                       {w->domain, STORE_PERM_READ}};
    const struct store_perm guest = {w->domain, STORE_PERM_NONE};

    if (access == ACCESS_AS_PARENT || w->has_failed)
        return;
    if (store_set_perms(w->store, w->tx, path,
                        access == ACCESS_GUEST ? &guest : perms,
                        access == ACCESS_READ ? 2 : 1, w->error))
        w->has_failed = true;
}

static void put_value(struct writer *w, const char *path, enum access access,
                      const char *value)
{
    if (w->has_failed)
        return;
    if (store_write(w->store, w->tx, path, value, w->error))
        w->has_failed = true;
    allow(w, path, access);
}

/* Sets <base><rest>. */
__attribute__((format(printf, 5, 6))) static void put(struct writer *w,
                                                      const char *base,
                                                      const char *rest,
                                                      enum access access,
                                                      const char *format, ...)
{
    char path[2 * DOMAIN_PATH_SIZE];
    char value[VALUE_SIZE];
    va_list args;

    va_start(args, format);
    vsnprintf(value, sizeof(value), format, args);
    va_end(args);
    snprintf(path, sizeof(path), "%s%s", base, rest);
    put_value(w, path, access, value);
}

/*
 * Runs a body in a transaction, again as long as others touch the same
 * nodes. The body returns -1 to give up.
 */
static int transact(struct call *call, domid_t domain,
                    int (*body)(struct writer *w, void *context), void *context,
                    struct error *e)
{
    struct error why = {0};
    struct writer w = {
        .store = call_store(call, e), .domain = domain, .error = &why};
    unsigned tries;

    if (!w.store)
        return -1;
    for (tries = 0; tries < TRIES_MAX; tries++) {
        w.has_failed = false;
        w.tx = store_begin(w.store, &why);
        if (w.tx == STORE_NO_TX)
            break;
        if (body(&w, context) || w.has_failed) {
            store_abort(w.store, w.tx);
            if (why.number == EAGAIN)
                continue;
            break;
        }
        if (!store_commit(w.store, w.tx, &why))
            return 0;
        if (why.number != EAGAIN)
            break;
    }
    if (e)
        *e = why;
    return -1;
}

/* See domain_store.h. */
void domain_store_path(char *path, domid_t id, const char *rest)
{
    snprintf(path, DOMAIN_PATH_SIZE, "/mica/domain/%u%s", id, rest);
}

/* The node of a name; characters that nodes can't have become "@xx". */
static void name_path(char path[NAME_NODE_SIZE], const char *name)
{
    char *at = path + sprintf(path, "/mica/name/");

    for (; *name && at - path < NAME_NODE_SIZE - 4; name++) {
        char c = *name;

        if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
            (c >= 'A' && c <= 'Z') || c == '-' || c == '_')
            *at++ = c;
        else
            at += sprintf(at, "@%02x", (unsigned char)c);
    }
    *at = '\0';
}

static char *read_domain_node(struct store *store, uint32_t tx, domid_t id,
                              const char *rest)
{
    char path[DOMAIN_PATH_SIZE];

    domain_path(path, id, rest);
    return store_read(store, tx, path, NULL, NULL);
}

/* The domain that has a name now, or -1. */
static int find_name(struct store *store, uint32_t tx, const char *name)
{
    char path[NAME_NODE_SIZE];
    uint64_t id;
    char *now;
    bool is_it;

    name_path(path, name);
    if (store_read_number(store, tx, path, &id, NULL) || id > DOMAIN_ID_MAX)
        return -1;
    now = read_domain_node(store, tx, (domid_t)id, "/name");
    is_it = now && !strcmp(now, name);
    free(now);
    return is_it ? (int)id : -1;
}

/* See domain_store.h. */
int domain_store_find_name(struct call *call, const char *name)
{
    struct store *store = call_store(call, NULL);

    return store ? find_name(store, STORE_NO_TX, name) : -1;
}

/* Takes a name for the writer's domain, unless another domain has it. */
static int claim_name(struct writer *w, const char *name)
{
    int holder = find_name(w->store, w->tx, name);
    char path[NAME_NODE_SIZE];

    if (holder >= 0 && holder != w->domain) {
        error_set(w->error, EXIT_STATUS_EXISTS, "the name %s is taken", name);
        error_why(w->error, "domain %d is called so", holder);
        return error_hint(w->error, "choose another with name=");
    }
    name_path(path, name);
    put(w, path, "", ACCESS_AS_PARENT, "%u", w->domain);
    return 0;
}

static void write_cpus(struct writer *w, const char *base,
                       const struct domain_config *c)
{
    unsigned i;

    for (i = 0; i < c->maxvcpus; i++) {
        char rest[40];

        snprintf(rest, sizeof(rest), "/cpu/%u/availability", i);
        put(w, base, rest, ACCESS_AS_PARENT, "%s",
            i < c->vcpus ? "online" : "offline");
    }
}

/* Where guest and tools leave each other words. */
static void write_control(struct writer *w, const char *base)
{
    static const char *const guests[] = {"/control/shutdown",
                                         "/control/sysrq",
                                         "/control/feature-suspend",
                                         "/control/feature-poweroff",
                                         "/control/feature-reboot",
                                         "/device/suspend/event-channel",
                                         "/data",
                                         "/drivers",
                                         "/feature",
                                         "/attr",
                                         "/error"};
    unsigned i;

    put(w, base, "/control", ACCESS_AS_PARENT, "%s", "");
    put(w, base, "/device", ACCESS_AS_PARENT, "%s", "");
    for (i = 0; i < sizeof(guests) / sizeof(guests[0]); i++)
        put(w, base, guests[i], ACCESS_GUEST, "%s", "");
    put(w, base, "/control/platform-feature-multiprocessor-suspend",
        ACCESS_AS_PARENT, "1");
    put(w, base, "/control/platform-feature-xs_reset_watches", ACCESS_AS_PARENT,
        "1");
}

static void write_rings(struct writer *w, const char *base,
                        const struct domain_wiring *wiring)
{
    put(w, base, "/store/ring-ref", ACCESS_AS_PARENT, "%llu",
        (unsigned long long)wiring->store_frame);
    put(w, base, "/store/port", ACCESS_AS_PARENT, "%u", wiring->store_port);
    put(w, base, "/console/ring-ref", ACCESS_AS_PARENT, "%llu",
        (unsigned long long)wiring->console_frame);
    put(w, base, "/console/port", ACCESS_AS_PARENT, "%u", wiring->console_port);
    put(w, base, "/console/limit", ACCESS_AS_PARENT, CONSOLE_LIMIT);
    put(w, base, "/console/type", ACCESS_AS_PARENT, "xenconsoled");
    put(w, base, "/console/output", ACCESS_AS_PARENT, "pty");
    put(w, base, "/console/tty", ACCESS_AS_PARENT, "%s", "");
}

static void write_local(struct writer *w, const struct domain_config *c,
                        const struct domain_wiring *wiring)
{
    char base[DOMAIN_PATH_SIZE];

    domain_path(base, w->domain, "");
    put(w, base, "", ACCESS_READ, "%s", "");
    put(w, base, "/vm", ACCESS_AS_PARENT, "/vm/%s", c->uuid_text);
    put(w, base, "/name", ACCESS_AS_PARENT, "%s", c->name);
    put(w, base, "/domid", ACCESS_AS_PARENT, "%u", w->domain);
    put(w, base, "/memory/static-max", ACCESS_AS_PARENT, "%llu",
        (unsigned long long)c->maxmem * 1024);
    put(w, base, "/memory/target", ACCESS_AS_PARENT, "%llu",
        (unsigned long long)c->memory * 1024);
    write_cpus(w, base, c);
    write_control(w, base);
    write_rings(w, base, wiring);
}

static void write_vm(struct writer *w, const struct domain_config *c,
                     const char *guest_os)
{
    char base[DOMAIN_PATH_SIZE];

    snprintf(base, sizeof(base), "/vm/%s", c->uuid_text);
    put(w, base, "", ACCESS_READ, "%s", "");
    put(w, base, "/uuid", ACCESS_AS_PARENT, "%s", c->uuid_text);
    put(w, base, "/name", ACCESS_AS_PARENT, "%s", c->name);
    put(w, base, "/start_time", ACCESS_AS_PARENT, "%lld",
        (long long)time(NULL));
    put(w, base, "/image/ostype", ACCESS_AS_PARENT, "%s", guest_os);
    put(w, base, "/image/kernel", ACCESS_AS_PARENT, "%s", c->kernel);
    if (c->ramdisk)
        put(w, base, "/image/ramdisk", ACCESS_AS_PARENT, "%s", c->ramdisk);
    put(w, base, "/image/cmdline", ACCESS_AS_PARENT, "%s", c->command_line);
}

/* The copy of the configuration; what an older one had goes. */
static void write_config(struct writer *w, const struct domain_config *c)
{
    const struct domain_key *key;
    char path[DOMAIN_PATH_SIZE];

    domain_store_path(path, w->domain, "/config");
    if (store_remove(w->store, w->tx, path, w->error))
        w->has_failed = true;
    for (key = domain_keys(); key->name; key++) {
        char *value = domain_config_value(c, key);

        snprintf(path, sizeof(path), "/mica/domain/%u/config/%s", w->domain,
                 key->name);
        if (value)
            put_value(w, path, ACCESS_AS_PARENT, value);
        free(value);
    }
}

struct new_domain {
    const struct domain_config *config;
    const struct domain_wiring *wiring;
};

static int write_domain(struct writer *w, void *context)
{
    const struct new_domain *new = context;
    char base[DOMAIN_PATH_SIZE];

    if (claim_name(w, new->config->name))
        return -1;
    put(w, "/mica", "", ACCESS_DOM0, "%s", "");
    domain_store_path(base, w->domain, "");
    put(w, base, "", ACCESS_AS_PARENT, "%s", "");
    put(w, base, "/start_time", ACCESS_AS_PARENT, "%lld",
        (long long)time(NULL));
    write_config(w, new->config);
    write_vm(w, new->config, new->wiring->guest_os);
    write_local(w, new->config, new->wiring);
    return 0;
}

/* See domain_store.h. */
int domain_store_write(struct call *call, const struct domain_config *c,
                       const struct domain_wiring *wiring, struct error *e)
{
    struct new_domain new = {c, wiring};

    return transact(call, wiring->domain, write_domain, &new, e);
}

static void take_away(struct writer *w, const char *path)
{
    if (!w->has_failed && store_remove(w->store, w->tx, path, w->error))
        w->has_failed = true;
}

/* /local/domain/0/backend/<kind>/<id>, whatever kinds there are. */
static void remove_backends(struct writer *w)
{
    static const char base[] = "/local/domain/0/backend";
    char **kinds;
    unsigned count, i;

    kinds = store_list(w->store, w->tx, base, &count, NULL);
    for (i = 0; kinds && i < count; i++) {
        char path[2 * DOMAIN_PATH_SIZE];

        snprintf(path, sizeof(path), "%s/%.64s/%u", base, kinds[i], w->domain);
        take_away(w, path);
    }
    free(kinds);
}

static int remove_domain(struct writer *w, void *context)
{
    char path[NAME_NODE_SIZE];
    char *name = read_domain_node(w->store, w->tx, w->domain, "/name");
    char *vm = read_domain_node(w->store, w->tx, w->domain, "/vm");

    remove_backends(w);
    if (name && find_name(w->store, w->tx, name) == w->domain) {
        name_path(path, name);
        take_away(w, path);
    }
    if (vm && !strncmp(vm, "/vm/", 4) && strlen(vm) == 4 + UUID_TEXT_SIZE - 1)
        take_away(w, vm);
    domain_path(path, w->domain, "");
    take_away(w, path);
    domain_store_path(path, w->domain, "");
    if (*(enum domain_store_part *)context == DOMAIN_STORE_ALL)
        take_away(w, path);
    free(name);
    free(vm);
    return 0;
}

/* See domain_store.h. */
int domain_store_remove(struct call *call, domid_t id,
                        enum domain_store_part part, struct error *e)
{
    return transact(call, id, remove_domain, &part, e);
}

/* The kept settings as the text of a file, for free(). */
static char *read_config(struct store *store, domid_t id, size_t *size,
                         struct error *e)
{
    char path[DOMAIN_PATH_SIZE];
    char **names;
    unsigned count, i;
    char *text = NULL;
    FILE *out;

    domain_store_path(path, id, "/config");
    names = store_list(store, STORE_NO_TX, path, &count, e);
    out = names ? open_memstream(&text, size) : NULL;
    for (i = 0; out && i < count; i++) {
        char *value;

        snprintf(path, sizeof(path), "/mica/domain/%u/config/%.64s", id,
                 names[i]);
        value = store_read(store, STORE_NO_TX, path, NULL, NULL);
        if (value)
            fprintf(out, "%s = %s\n", names[i], value);
        free(value);
    }
    if (out)
        fclose(out);
    free(names);
    return text;
}

/* See domain_store.h. */
int domain_store_load(struct call *call, domid_t id, struct domain_config *c,
                      struct error *e)
{
    struct store *store = call_store(call, e);
    char source[DOMAIN_PATH_SIZE];
    struct config config;
    size_t size;
    char *text;
    int result;

    *c = (struct domain_config){0};
    text = store ? read_config(store, id, &size, e) : NULL;
    if (!text)
        return -1;
    domain_store_path(source, id, "/config");
    config_init(&config);
    result = config_parse(&config, source, text, size, e);
    if (!result)
        result = domain_config_read(&config, c, NULL, e);
    config_free(&config);
    free(text);
    return result;
}

static int save_config(struct writer *w, void *context)
{
    write_config(w, context);
    return 0;
}

/* See domain_store.h. */
int domain_store_save(struct call *call, domid_t id,
                      const struct domain_config *c, struct error *e)
{
    return transact(call, id, save_config, (void *)(uintptr_t)c, e);
}

struct new_name {
    const char *name;
    const struct uuid *uuid; /* or NULL */
};

static void move_vm(struct writer *w, const char *local, const char *old,
                    const struct uuid *uuid, const char *name)
{
    char text[UUID_TEXT_SIZE], base[DOMAIN_PATH_SIZE];

    uuid_format(uuid, text);
    if (old)
        take_away(w, old);
    snprintf(base, sizeof(base), "/vm/%s", text);
    put(w, base, "", ACCESS_READ, "%s", "");
    put(w, base, "/uuid", ACCESS_AS_PARENT, "%s", text);
    put(w, base, "/name", ACCESS_AS_PARENT, "%s", name);
    put(w, local, "/vm", ACCESS_AS_PARENT, "%s", base);
}

static int rename_domain(struct writer *w, void *context)
{
    const struct new_name *new = context;
    char path[NAME_NODE_SIZE], local[DOMAIN_PATH_SIZE];
    char *old = read_domain_node(w->store, w->tx, w->domain, "/name");
    char *vm = read_domain_node(w->store, w->tx, w->domain, "/vm");
    int result = claim_name(w, new->name);

    if (!result && old && strcmp(old, new->name) &&
        find_name(w->store, w->tx, old) == w->domain) {
        name_path(path, old);
        take_away(w, path);
    }
    domain_path(local, w->domain, "");
    put(w, local, "/name", ACCESS_AS_PARENT, "%s", new->name);
    if (new->uuid)
        move_vm(w, local, vm, new->uuid, new->name);
    else if (vm)
        put(w, vm, "/name", ACCESS_AS_PARENT, "%s", new->name);
    free(old);
    free(vm);
    return result;
}

static bool is_ours(struct call *call, domid_t id)
{
    struct store *store = call_store(call, NULL);
    char path[DOMAIN_PATH_SIZE];

    domain_store_path(path, id, "/config");
    return store && store_exists(store, STORE_NO_TX, path, NULL) == 1;
}

/* See domain_store.h. */
int domain_store_rename(struct call *call, domid_t id, const char *name,
                        const struct uuid *uuid, struct error *e)
{
    struct new_name new = {name, uuid};
    struct domain_config c;
    char *old = NULL;
    int result = transact(call, id, rename_domain, &new, e);

    if (result || uuid || !is_ours(call, id))
        return result;
    result = domain_store_load(call, id, &c, e);
    if (!result) {
        old = c.name;
        c.name = (char *)(uintptr_t)name;
        result = domain_store_save(call, id, &c, e);
        c.name = old;
    }
    domain_config_free(&c);
    return result;
}

/* See domain_store.h. */
domid_t *domain_store_list(struct call *call, unsigned *count, struct error *e)
{
    struct store *store = call_store(call, e);
    unsigned names_count = 0, i;
    char **names;
    domid_t *list;

    *count = 0;
    if (!store)
        return NULL;
    names = store_list(store, STORE_NO_TX, "/mica/domain", &names_count, NULL);
    list = calloc(names_count + 1ul, sizeof(*list));
    if (!list)
        error_set(e, EXIT_STATUS_NO_MEMORY, "not enough memory");
    for (i = 0; list && i < names_count; i++)
        *count += domain_parse_id(names[i], &list[*count]);
    free(names);
    return list;
}

static const char *const states[] = {"alive", "preserved", "restart", "rename"};

/* See domain_store.h. */
enum domain_state domain_store_state(struct call *call, domid_t id)
{
    struct store *store = call_store(call, NULL);
    char path[DOMAIN_PATH_SIZE];
    unsigned state;
    char *text;

    if (!is_ours(call, id))
        return DOMAIN_STATE_UNKNOWN;
    domain_store_path(path, id, "/state");
    text = store_read(store, STORE_NO_TX, path, NULL, NULL);
    for (state = DOMAIN_STATE_RENAME; text && state; state--)
        if (!strcmp(text, states[state]))
            break;
    if (!text)
        state = DOMAIN_STATE_ALIVE;
    free(text);
    return state;
}

/* See domain_store.h. */
int domain_store_set_state(struct call *call, domid_t id,
                           enum domain_state state, struct error *e)
{
    struct store *store = call_store(call, e);
    char path[DOMAIN_PATH_SIZE];

    domain_store_path(path, id, "/state");
    return store ? store_write(store, STORE_NO_TX, path, states[state], e) : -1;
}

/* See domain_store.h. */
uint64_t domain_store_start_time(struct call *call, domid_t id)
{
    struct store *store = call_store(call, NULL);
    char path[DOMAIN_PATH_SIZE];
    uint64_t start;

    domain_store_path(path, id, "/start_time");
    if (!store || store_read_number(store, STORE_NO_TX, path, &start, NULL))
        return 0;
    return start;
}
