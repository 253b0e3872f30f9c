/* SPDX-License-Identifier: MIT */
/*
 * Domains by name and number (domain.h). Names are in the store, domains in
 * the hypervisor; the hypervisor is right when they disagree.
 */
#include "dom0_tools/mica/domain.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dom0_tools/mica/domain_store.h"

enum { LIST_STEP = 256 };

/* See domain.h. */
bool domain_parse_id(const char *word, domid_t *id)
{
    char *end;
    unsigned long number;

    if (!isdigit((unsigned char)*word))
        return false;
    number = strtoul(word, &end, 10);
    if (*end || number > DOMAIN_ID_MAX)
        return false;
    *id = (domid_t)number;
    return true;
}

/* See domain.h. */
void domain_path(char *path, domid_t id, const char *rest)
{
    snprintf(path, DOMAIN_PATH_SIZE, "/local/domain/%u%s", id, rest);
}

/* The name that the store has, or one in place of it. */
static void set_name(char *name, domid_t id, const char *value)
{
    if (value && *value)
        snprintf(name, DOMAIN_NAME_SIZE, "%s", value);
    else
        strcpy(name, id ? "(unnamed)" : DOMAIN_NAME_DOM0);
}

/* See domain.h. */
void domain_read_name(struct call *call, domid_t id, char *name)
{
    struct store *store = call_store(call, NULL);
    char path[DOMAIN_PATH_SIZE];
    char *value;

    domain_path(path, id, "/name");
    value = store ? store_read(store, STORE_NO_TX, path, NULL, NULL) : NULL;
    set_name(name, id, value);
    free(value);
}

/* The names of some domains at once. */
static void read_names(struct call *call, struct domain *list, unsigned count)
{
    char paths[LIST_STEP][DOMAIN_PATH_SIZE];
    const char *words[LIST_STEP];
    char *values[LIST_STEP] = {NULL};
    struct store *store = call_store(call, NULL);
    unsigned i;

    for (i = 0; i < count; i++) {
        domain_path(paths[i], list[i].info.domain, "/name");
        words[i] = paths[i];
    }
    if (store)
        store_read_many(store, STORE_NO_TX, words, count, values, NULL);
    for (i = 0; i < count; i++) {
        set_name(list[i].name, list[i].info.domain, values[i]);
        free(values[i]);
    }
}

/* See domain.h. */
struct control_domain *domain_list_infos(struct call *call, unsigned *count,
                                         struct error *e)
{
    struct control *control = call_control(call, e);
    struct control_domain *list = NULL, *more;
    domid_t next = 0;
    int found;

    *count = 0;
    if (!control)
        return NULL;
    do {
        more = realloc(list, (*count + LIST_STEP) * sizeof(*list));
        if (!more) {
            free(list);
            error_set(e, EXIT_STATUS_NO_MEMORY, "not enough memory");
            return NULL;
        }
        list = more;
        found = control_domain_list(control, next, LIST_STEP, list + *count, e);
        if (found < 0) {
            free(list);
            return NULL;
        }
        *count += (unsigned)found;
        if (*count)
            next = (domid_t)(list[*count - 1].domain + 1);
    } while (found == LIST_STEP);
    return list;
}

/* See domain.h. */
struct domain *domain_list(struct call *call, unsigned *count, struct error *e)
{
    struct control_domain *infos = domain_list_infos(call, count, e);
    struct domain *list;
    unsigned i;

    if (!infos)
        return NULL;
    list = calloc(*count + 1ul, sizeof(*list));
    if (!list)
        error_set(e, EXIT_STATUS_NO_MEMORY, "not enough memory");
    for (i = 0; list && i < *count; i++)
        list[i].info = infos[i];
    for (i = 0; list && i < *count; i += LIST_STEP)
        read_names(call, list + i,
                   *count - i < LIST_STEP ? *count - i : LIST_STEP);
    free(infos);
    return list;
}

static int fail_no_domain(const char *word, struct error *e)
{
    error_set(e, EXIT_STATUS_NO_DOMAIN, "there is no domain \"%.80s\"", word);
    return error_hint(e, "\"mica list\" shows all domains");
}

/* See domain.h. */
int domain_id_of_name(struct call *call, const char *name, domid_t *id,
                      struct error *e)
{
    int known = domain_store_find_name(call, name);
    struct domain *list;
    unsigned count, i;
    int result = -1;

    if (known >= 0) {
        *id = (domid_t)known;
        return 0;
    }
    list = domain_list(call, &count, e);
    if (!list)
        return -1;
    for (i = 0; i < count && result; i++) {
        if (strcmp(list[i].name, name) ||
            (list[i].info.flags & CONTROL_DOMAIN_DYING))
            continue;
        *id = list[i].info.domain;
        result = 0;
    }
    free(list);
    return result ? fail_no_domain(name, e) : 0;
}

static int find_id(struct call *call, domid_t id, const char *word,
                   struct domain *domain, struct error *e)
{
    struct control *control = call_control(call, e);
    struct error why;

    if (!control)
        return -1;
    if (control_domain_info(control, id, &domain->info, &why)) {
        if (why.status == EXIT_STATUS_NO_DOMAIN)
            return fail_no_domain(word, e);
        if (e)
            *e = why;
        return -1;
    }
    domain_read_name(call, id, domain->name);
    return 0;
}

/* See domain.h. */
int domain_find(struct call *call, const char *word, struct domain *domain,
                struct error *e)
{
    domid_t id;

    if (domain_parse_id(word, &id))
        return find_id(call, id, word, domain, e);
    if (!call_store(call, e) || domain_id_of_name(call, word, &id, e))
        return -1;
    return find_id(call, id, word, domain, e);
}

/* See domain.h. */
struct domain *domain_list_operands(struct call *call, unsigned *count,
                                    struct error *e)
{
    struct domain *list;
    unsigned i;

    if (!call->count)
        return domain_list(call, count, e);
    list = calloc(call->count, sizeof(*list));
    if (!list) {
        error_set(e, EXIT_STATUS_NO_MEMORY, "not enough memory");
        return NULL;
    }
    for (i = 0; i < call->count; i++) {
        if (domain_find(call, call->operands[i], &list[i], e)) {
            free(list);
            return NULL;
        }
    }
    *count = call->count;
    return list;
}

/* See domain.h. */
const char *domain_shutdown_name(unsigned code)
{
    static const char *const names[] = {"poweroff", "reboot",   "suspend",
                                        "crash",    "watchdog", "soft-reset"};

    return code < sizeof(names) / sizeof(names[0]) ? names[code] : "unknown";
}

/* See domain.h. */
bool domain_parse_size(const char *text, uint64_t *kib)
{
    static const char units[] = "kmgt";
    const char *unit;
    unsigned long long number;
    char *end;
    unsigned shift = 10;

    if (!isdigit((unsigned char)*text))
        return false;
    errno = 0;
    number = strtoull(text, &end, 10);
    if (errno || number >> 40)
        return false;
    if (tolower((unsigned char)*end) == 'b' && !end[1]) {
        *kib = number >> 10;
        return number % 1024 == 0 && number;
    }
    if (*end) {
        unit = strchr(units, tolower((unsigned char)*end));
        if (!unit || end[1])
            return false;
        shift = 10 * (unsigned)(unit - units);
    }
    if (shift && number >> (54 - shift))
        return false;
    *kib = number << shift;
    return number != 0;
}
