/* SPDX-License-Identifier: MIT */
/* Domains' names in the store: who has one, and taking another. */
#include "dom0_tools/mica/domain_store_impl.h"

#include <stdlib.h>
#include <string.h>

/* See domain_store_impl.h. */
void domain_store_name_path(char path[DOMAIN_NAME_NODE_SIZE], const char *name)
{
    char *at = path + sprintf(path, "/mica/name/");

    for (; *name && at - path < DOMAIN_NAME_NODE_SIZE - 4; name++) {
        char c = *name;

        if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
            (c >= 'A' && c <= 'Z') || c == '-' || c == '_')
            *at++ = c;
        else
            at += sprintf(at, "@%02x", (unsigned char)c);
    }
    *at = '\0';
}

/* See domain_store_impl.h. */
char *domain_store_read_node(struct store *store, uint32_t tx, domid_t id,
                             const char *rest)
{
    char path[DOMAIN_PATH_SIZE];

    domain_path(path, id, rest);
    return store_read(store, tx, path, NULL, NULL);
}

/* See domain_store_impl.h. */
int domain_store_name_holder(struct store *store, uint32_t tx, const char *name)
{
    char path[DOMAIN_NAME_NODE_SIZE];
    uint64_t id;
    char *now;
    bool is_it;

    domain_store_name_path(path, name);
    if (store_read_number(store, tx, path, &id, NULL) || id > DOMAIN_ID_MAX)
        return -1;
    now = domain_store_read_node(store, tx, (domid_t)id, "/name");
    is_it = now && !strcmp(now, name);
    free(now);
    return is_it ? (int)id : -1;
}

/* See domain_store.h. */
int domain_store_find_name(struct call *call, const char *name)
{
    struct store *store = call_store(call, NULL);

    return store ? domain_store_name_holder(store, STORE_NO_TX, name) : -1;
}

/* See domain_store_impl.h. */
int domain_store_claim_name(struct domain_writer *w, const char *name)
{
    int holder = domain_store_name_holder(w->store, w->tx, name);
    char path[DOMAIN_NAME_NODE_SIZE];

    if (holder >= 0 && holder != w->domain) {
        error_set(w->error, EXIT_STATUS_EXISTS, "the name %s is taken", name);
        error_why(w->error, "domain %d is called so", holder);
        return error_hint(w->error, "choose another with name=");
    }
    domain_store_name_path(path, name);
    domain_writer_put(w, path, "", DOMAIN_ACCESS_AS_PARENT, "%u", w->domain);
    return 0;
}

struct new_name {
    const char *name;
    const struct uuid *uuid; /* or NULL */
};

static void move_vm(struct domain_writer *w, const char *local, const char *old,
                    const struct uuid *uuid, const char *name)
{
    char text[UUID_TEXT_SIZE], base[DOMAIN_PATH_SIZE];

    uuid_format(uuid, text);
    if (old)
        domain_writer_remove(w, old);
    snprintf(base, sizeof(base), "/vm/%s", text);
    domain_writer_put(w, base, "", DOMAIN_ACCESS_READ, "%s", "");
    domain_writer_put(w, base, "/uuid", DOMAIN_ACCESS_AS_PARENT, "%s", text);
    domain_writer_put(w, base, "/name", DOMAIN_ACCESS_AS_PARENT, "%s", name);
    domain_writer_put(w, local, "/vm", DOMAIN_ACCESS_AS_PARENT, "%s", base);
}

static int rename_domain(struct domain_writer *w, void *context)
{
    const struct new_name *new = context;
    char path[DOMAIN_NAME_NODE_SIZE], local[DOMAIN_PATH_SIZE];
    char *old = domain_store_read_node(w->store, w->tx, w->domain, "/name");
    char *vm = domain_store_read_node(w->store, w->tx, w->domain, "/vm");
    int result = domain_store_claim_name(w, new->name);

    if (!result && old && strcmp(old, new->name) &&
        domain_store_name_holder(w->store, w->tx, old) == w->domain) {
        domain_store_name_path(path, old);
        domain_writer_remove(w, path);
    }
    domain_path(local, w->domain, "");
    domain_writer_put(w, local, "/name", DOMAIN_ACCESS_AS_PARENT, "%s",
                      new->name);
    if (new->uuid)
        move_vm(w, local, vm, new->uuid, new->name);
    else if (vm)
        domain_writer_put(w, vm, "/name", DOMAIN_ACCESS_AS_PARENT, "%s",
                          new->name);
    free(old);
    free(vm);
    return result;
}

/* See domain_store.h. */
int domain_store_rename(struct call *call, domid_t id, const char *name,
                        const struct uuid *uuid, struct error *e)
{
    struct new_name new = {name, uuid};
    struct domain_config c;
    char *old = NULL;
    int result = domain_writer_run(call, id, rename_domain, &new, e);

    if (result || uuid || !domain_store_is_ours(call, id))
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
