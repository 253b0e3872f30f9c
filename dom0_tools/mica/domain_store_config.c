/* SPDX-License-Identifier: MIT */
/*
 * What the store keeps of a domain for Mica alone: the configuration for
 * restarts, and how far its life has come.
 */
#include "dom0_tools/mica/domain_store_impl.h"

#include <stdlib.h>
#include <string.h>

/* See domain_store.h. */
void domain_store_path(char *path, domid_t id, const char *rest)
{
    snprintf(path, DOMAIN_PATH_SIZE, "/mica/domain/%u%s", id, rest);
}

/* See domain_store_impl.h. */
void domain_store_write_config(struct domain_writer *w,
                               const struct domain_config *c)
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
            domain_writer_put_value(w, path, DOMAIN_ACCESS_AS_PARENT, value);
        free(value);
    }
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

static int save_config(struct domain_writer *w, void *context)
{
    domain_store_write_config(w, context);
    return 0;
}

/* See domain_store.h. */
int domain_store_save(struct call *call, domid_t id,
                      const struct domain_config *c, struct error *e)
{
    return domain_writer_run(call, id, save_config, (void *)(uintptr_t)c, e);
}

/* See domain_store_impl.h. */
bool domain_store_is_ours(struct call *call, domid_t id)
{
    struct store *store = call_store(call, NULL);
    char path[DOMAIN_PATH_SIZE];

    domain_store_path(path, id, "/config");
    return store && store_exists(store, STORE_NO_TX, path, NULL) == 1;
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

    if (!domain_store_is_ours(call, id))
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

/* Where other tools note it, in seconds and hundredths; 0 if they have not. */
static uint64_t read_start_time_of_vm(struct store *store, domid_t id)
{
    char *vm = domain_store_read_node(store, STORE_NO_TX, id, "/vm");
    char path[2 * DOMAIN_PATH_SIZE], *text, *end;
    uint64_t start = 0;

    snprintf(path, sizeof(path), "%.128s/start_time", vm ? vm : "");
    text = vm ? store_read(store, STORE_NO_TX, path, NULL, NULL) : NULL;
    if (text) {
        start = strtoull(text, &end, 10);
        if (*end && *end != '.')
            start = 0;
    }
    free(text);
    free(vm);
    return start;
}

/* See domain_store.h. */
uint64_t domain_store_start_time(struct call *call, domid_t id)
{
    struct store *store = call_store(call, NULL);
    char path[DOMAIN_PATH_SIZE];
    uint64_t start;

    if (!store)
        return 0;
    domain_store_path(path, id, "/start_time");
    if (!store_read_number(store, STORE_NO_TX, path, &start, NULL))
        return start;
    return read_start_time_of_vm(store, id);
}
