/* SPDX-License-Identifier: MIT */
/* Verbs about names and numbers: domid, domname, rename. */
#include <string.h>

#include "dom0_tools/mica/domain_store.h"

/* The one half that was asked for; both for programs. */
static int report(struct call *call, const struct domain *domain,
                  struct error *e)
{
    if (call->json)
        return call_report(call,
                           json_pack("{s:s, s:i}", "name", domain->name,
                                     "domid", (int)domain->info.domain),
                           e);
    if (!strcmp(call->verb->name, "domid"))
        fprintf(call->out, "%u\n", domain->info.domain);
    else
        fprintf(call->out, "%s\n", domain->name);
    return 0;
}

static int run_domid(struct call *call, struct error *e)
{
    struct domain domain;

    if (domain_find(call, call->operands[0], &domain, e))
        return -1;
    return report(call, &domain, e);
}

static int run_domname(struct call *call, struct error *e)
{
    struct domain domain;
    domid_t id;

    if (!domain_parse_id(call->operands[0], &id)) {
        error_set(e, EXIT_STATUS_USAGE, "domname: \"%.80s\" is no number",
                  call->operands[0]);
        return error_hint(e, "\"mica domid\" turns a name into a number");
    }
    if (domain_find(call, call->operands[0], &domain, e))
        return -1;
    return report(call, &domain, e);
}

static int run_rename(struct call *call, struct error *e)
{
    const char *name = call->operands[1];
    struct domain domain;

    if (domain_config_check_name(name, e) ||
        domain_find(call, call->operands[0], &domain, e))
        return -1;
    if (!domain.info.domain) {
        error_set(e, EXIT_STATUS_REFUSED, "can't rename dom0");
        error_why(e, "programs know it by this name");
        return error_hint(e, "name another domain");
    }
    if (!call_store(call, e) ||
        domain_store_rename(call, domain.info.domain, name, NULL, e))
        return error_wrap(e, "can't rename %s", domain.name);
    return 0;
}

static const struct verb verbs[] = {
    {.name = "domid",
     .synopsis = "DOMAIN",
     .help = "print the number of a domain",
     .operand = VERB_OPERAND_DOMAIN,
     .flags = VERB_NEEDS_ROOT | VERB_REPORTS,
     .min_operands = 1,
     .max_operands = 1,
     .run = run_domid},
    {.name = "domname",
     .synopsis = "NUMBER",
     .help = "print the name of a domain",
     .operand = VERB_OPERAND_DOMAIN,
     .flags = VERB_NEEDS_ROOT | VERB_REPORTS,
     .min_operands = 1,
     .max_operands = 1,
     .run = run_domname},
    {.name = "rename",
     .synopsis = "DOMAIN NAME",
     .help = "give a domain another name",
     .details = "It keeps the name when it is restarted.",
     .operand = VERB_OPERAND_DOMAIN,
     .flags = VERB_NEEDS_ROOT,
     .min_operands = 2,
     .max_operands = 2,
     .run = run_rename},
    {0},
};

/* See verb.h. */
const struct verb *name_verbs(void)
{
    return verbs;
}
