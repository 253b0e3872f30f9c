/* SPDX-License-Identifier: MIT */
/*
 * Verbs that stop and go: shutdown, reboot, destroy, pause, unpause, sysrq.
 * Several domains are worked on one by one; what fails for one of them does
 * not keep it from the others.
 */
#include <stdlib.h>
#include <string.h>

#include "dom0_tools/mica/domain_life.h"

/* What to do with one domain. */
typedef int (*domain_action)(struct call *call, const struct domain *domain,
                             struct error *e);

/* All domains but dom0 for --all, otherwise those named; for free(). */
static struct domain *choose(struct call *call, unsigned *count,
                             struct error *e)
{
    bool is_all = call_has(call, "all");
    struct domain *list;

    if (is_all == (call->count > 0)) {
        error_set(e, EXIT_STATUS_USAGE, "%s: %s", call->verb->name,
                  is_all ? "domains beside --all" : "no domain");
        error_hint(e, "name domains, or write --all for all but dom0");
        return NULL;
    }
    list = domain_list_operands(call, count, e);
    if (list && is_all && *count && !list[0].info.domain)
        memmove(list, list + 1, --*count * sizeof(*list));
    return list;
}

static int for_each(struct call *call, const struct domain *list,
                    unsigned count, domain_action act, struct error *e)
{
    struct error why;
    bool has_failed = false;
    unsigned i;

    for (i = 0; i < count; i++) {
        if (!act(call, &list[i], &why))
            continue;
        if (has_failed)
            error_print(e, call->program, stderr);
        has_failed = true;
        *e = why;
    }
    return has_failed ? -1 : 0;
}

static int for_operands(struct call *call, domain_action act, struct error *e)
{
    unsigned count;
    struct domain *list = domain_list_operands(call, &count, e);
    int result = list ? for_each(call, list, count, act, e) : -1;

    free(list);
    return result;
}

static int refuse_dom0(const struct domain *domain, const char *what,
                       const char *hint, struct error *e)
{
    if (domain->info.domain)
        return 0;
    error_set(e, EXIT_STATUS_REFUSED, "can't %s dom0", what);
    error_why(e, "all other domains live through it");
    return error_hint(e, "%s", hint);
}

/* Leaves the guest a word to act upon. */
static int write_control(struct call *call, const struct domain *domain,
                         const char *node, const char *word, struct error *e)
{
    struct store *store = call_store(call, e);
    char path[DOMAIN_PATH_SIZE];

    domain_path(path, domain->info.domain, node);
    if (!store)
        return -1;
    if (store_write(store, STORE_NO_TX, path, word, e))
        return error_wrap(e, "can't tell %.64s to %s", domain->name, word);
    return 0;
}

static int ask_to_stop(struct call *call, const struct domain *domain,
                       const char *word, struct error *e)
{
    if (domain->info.flags & CONTROL_DOMAIN_SHUTDOWN)
        return 0;
    if (refuse_dom0(domain, word, "use poweroff(8) or reboot(8)", e))
        return -1;
    return write_control(call, domain, "/control/shutdown", word, e);
}

static int stop(struct call *call, const struct domain *domain, struct error *e)
{
    return ask_to_stop(call, domain, "poweroff", e);
}

static int restart(struct call *call, const struct domain *domain,
                   struct error *e)
{
    return ask_to_stop(call, domain, "reboot", e);
}

static int parse_timeout(const struct call *call, unsigned *seconds,
                         struct error *e)
{
    const char *text = call_value(call, "timeout");
    char *end;
    unsigned long number;

    *seconds = 0;
    if (!text)
        return 0;
    number = strtoul(text, &end, 10);
    if (*end || end == text || !number || number > 1u << 30) {
        error_set(e, EXIT_STATUS_USAGE, "\"%.40s\" is no time", text);
        return error_hint(e, "write a number of seconds");
    }
    *seconds = (unsigned)number;
    return 0;
}

static int run_ask(struct call *call, domain_action act, struct error *e)
{
    unsigned count, timeout;
    struct domain *list;
    int result;

    if (parse_timeout(call, &timeout, e))
        return -1;
    list = choose(call, &count, e);
    if (!list)
        return -1;
    result = for_each(call, list, count, act, e);
    if (!result && (call_has(call, "wait") || timeout)) {
        fprintf(call->out, "Waiting for %u domain%s\n", count,
                count == 1 ? "" : "s");
        result = domain_wait(call, list, count, DOMAIN_HAS_ENDED, timeout, e);
    }
    free(list);
    return result;
}

static int run_shutdown(struct call *call, struct error *e)
{
    return run_ask(call, stop, e);
}

static int run_reboot(struct call *call, struct error *e)
{
    return run_ask(call, restart, e);
}

static int destroy(struct call *call, const struct domain *domain,
                   struct error *e)
{
    if (refuse_dom0(domain, "destroy", "use poweroff(8)", e))
        return -1;
    return domain_destroy(call, domain->info.domain, DOMAIN_STORE_ALL, e);
}

static int run_destroy(struct call *call, struct error *e)
{
    return for_operands(call, destroy, e);
}

static int pause_one(struct call *call, const struct domain *domain,
                     struct error *e)
{
    if (refuse_dom0(domain, "pause", "name another domain", e))
        return -1;
    return control_domain_pause(call->control, domain->info.domain, e);
}

static int run_pause(struct call *call, struct error *e)
{
    return for_operands(call, pause_one, e);
}

static int unpause_one(struct call *call, const struct domain *domain,
                       struct error *e)
{
    return control_domain_unpause(call->control, domain->info.domain, e);
}

static int run_unpause(struct call *call, struct error *e)
{
    return for_operands(call, unpause_one, e);
}

static int run_sysrq(struct call *call, struct error *e)
{
    const char *key = call->operands[1];
    struct domain domain;

    if (strlen(key) != 1) {
        error_set(e, EXIT_STATUS_USAGE, "sysrq: \"%.40s\" is no key", key);
        return error_hint(e, "write one letter, such as s for sync");
    }
    if (domain_find(call, call->operands[0], &domain, e))
        return -1;
    return write_control(call, &domain, "/control/sysrq", key, e);
}

static const struct verb_option ask_options[] = {
    {'a', "all", NULL, "all domains but dom0"},
    {'w', "wait", NULL, "wait until they have ended"},
    {'t', "timeout", "SECONDS", "wait, but no longer than that"},
    {'F', NULL, NULL, "accepted for xl; means nothing for PV guests"},
    {0},
};

static const struct verb_option destroy_options[] = {
    {'f', NULL, NULL, "accepted for xl; dom0 is never destroyed"},
    {0},
};

#define DOMAIN_VERB(word, what, function)                                      \
    .name = word, .synopsis = "DOMAIN...", .help = what,                       \
    .operand = VERB_OPERAND_DOMAIN, .flags = VERB_NEEDS_ROOT,                  \
    .min_operands = 1, .max_operands = ~0u, .run = function

static const struct verb verbs[] = {
    {.name = "shutdown",
     .synopsis = "[-a | DOMAIN...]",
     .help = "ask guests to shut down",
     .details = "The guest decides. When it has shut down, its on_poweroff "
                "setting says what becomes of the domain.",
     .options = ask_options,
     .operand = VERB_OPERAND_DOMAIN,
     .flags = VERB_NEEDS_ROOT,
     .max_operands = ~0u,
     .run = run_shutdown},
    {.name = "reboot",
     .synopsis = "[-a | DOMAIN...]",
     .help = "ask guests to start anew",
     .details = "The guest decides. When it has ended, its on_reboot setting "
                "says what becomes of the domain; it gets another number.",
     .options = ask_options,
     .operand = VERB_OPERAND_DOMAIN,
     .flags = VERB_NEEDS_ROOT,
     .max_operands = ~0u,
     .run = run_reboot},
    {DOMAIN_VERB("destroy", "end domains at once, whatever they are doing",
                 run_destroy),
     .details = "As pulling the plug: the guest is not asked, and no setting "
                "is heeded. Nothing of the domain is left.",
     .options = destroy_options},
    {DOMAIN_VERB("pause", "stop domains where they are", run_pause),
     .details = "A paused domain keeps its memory and uses no CPU time. Pauses "
                "count: it goes on after as many unpauses."},
    {DOMAIN_VERB("unpause", "let paused domains go on", run_unpause)},
    {.name = "sysrq",
     .synopsis = "DOMAIN KEY",
     .help = "press a magic SysRq key in a Linux guest",
     .operand = VERB_OPERAND_DOMAIN,
     .flags = VERB_NEEDS_ROOT,
     .min_operands = 2,
     .max_operands = 2,
     .run = run_sysrq},
    {0},
};

/* See verb.h. */
const struct verb *life_verbs(void)
{
    return verbs;
}
