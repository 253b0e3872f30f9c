/* SPDX-License-Identifier: MIT */
/*
 * Configurations from a command line: a file, and settings as arguments that
 * go over it. The verb config-update.
 */
#include "dom0_tools/mica/config_verbs.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dom0_tools/mica/domain_store.h"

/* "name=value", unless there is a file called so. */
static bool is_setting(const char *word)
{
    return strchr(word, '=') && access(word, F_OK);
}

/* See config_verbs.h. */
int config_of_call(struct call *call, unsigned first, struct domain_config *c,
                   struct error *e)
{
    const char *path = call_value(call, "defconfig");
    bool is_quiet = call_has(call, "quiet");
    struct config config;
    int result = 0;

    config_init(&config);
    *c = (struct domain_config){0};
    if (!path && first < call->count && !is_setting(call->operands[first]))
        path = call->operands[first++];
    if (path)
        result = config_read(&config, path, e);
    for (; !result && first < call->count; first++)
        result = config_parse_argument(&config, call->operands[first], e);
    if (!result) {
        result = domain_config_read(&config, c, is_quiet ? NULL : stderr, e);
        if (result && path && strncmp(e->what, path, strlen(path)))
            error_wrap(e, "%.120s can't be used", path);
    }
    config_free(&config);
    return result;
}

/* A domain stays who it is, whatever the file says of that. */
static int keep_identity(struct domain_config *c, const struct domain *domain,
                         struct error *e)
{
    char *name = strdup(domain->name);

    if (!name)
        return error_set(e, EXIT_STATUS_NO_MEMORY, "not enough memory");
    free(c->name);
    c->name = name;
    memcpy(c->uuid.bytes, domain->info.handle, sizeof(c->uuid.bytes));
    uuid_format(&c->uuid, c->uuid_text);
    return 0;
}

static int run_config_update(struct call *call, struct error *e)
{
    struct domain_config c;
    struct domain domain;
    int result;

    if (!call_store(call, e) ||
        domain_find(call, call->operands[0], &domain, e))
        return -1;
    if (domain_store_state(call, domain.info.domain) == DOMAIN_STATE_UNKNOWN) {
        error_set(e, EXIT_STATUS_FAILED, "%s has no configuration",
                  domain.name);
        return error_why(e, "it was not created with \"mica create\"");
    }
    result = config_of_call(call, 1, &c, e);
    if (!result)
        result = keep_identity(&c, &domain, e);
    if (!result)
        result = domain_store_save(call, domain.info.domain, &c, e);
    domain_config_free(&c);
    return result;
}

static const struct verb_option update_options[] = {
    {'f', "defconfig", "FILE", "the file, in place of an argument"},
    {'q', "quiet", NULL, "do not warn about unknown settings"},
    {'d', NULL, NULL, "accepted for xl; means nothing"},
    {0},
};

static const struct verb verbs[] = {
    {.name = "config-update",
     .synopsis = "DOMAIN [FILE] [SETTING=VALUE...]",
     .help = "replace the configuration that a restart will use",
     .details = "The running domain does not change, and it keeps its name and "
                "UUID.",
     .options = update_options,
     .operand = VERB_OPERAND_DOMAIN,
     .flags = VERB_NEEDS_ROOT,
     .min_operands = 1,
     .max_operands = ~0u,
     .run = run_config_update},
    {0},
};

/* See verb.h. */
const struct verb *config_verbs(void)
{
    return verbs;
}
