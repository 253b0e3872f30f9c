/* SPDX-License-Identifier: MIT */
/* The verb create. */
#include <stdlib.h>
#include <string.h>

#include "dom0_tools/lib/control_system.h"
#include "dom0_tools/mica/config_verbs.h"
#include "dom0_tools/mica/console.h"
#include "dom0_tools/mica/domain_life.h"
#include "dom0_tools/mica/monitor.h"

/* The dry run: what would be created, and whether there is room for it. */
static int describe(struct call *call, const struct domain_config *c,
                    const struct build *plan, struct error *e)
{
    struct control_machine machine;
    json_t *json;

    if (control_machine(call->control, &machine, e))
        return -1;
    if (call->json) {
        json = domain_config_json(c);
        json_object_set_new(json, "guest_os",
                            json_string(build_guest_os(plan)));
        return call_report(call, json, e);
    }
    domain_config_print(c, call->out);
    fprintf(
        call->out,
        "# A domain with %llu vCPU%s and %llu MiB of the %llu MiB that are "
        "free\n# would start %s (%s) with the command line\n# %s\n",
        (unsigned long long)c->vcpus, c->vcpus == 1 ? "" : "s",
        (unsigned long long)c->memory,
        (unsigned long long)((machine.free_pages - machine.outstanding_pages) >>
                             (20 - CONTROL_PAGE_SHIFT)),
        c->kernel, build_guest_os(plan), c->command_line);
    return 0;
}

/* Where there is no Mica, a dry run checks what can be checked. */
static int describe_elsewhere(struct call *call, const struct domain_config *c,
                              const struct error *why, struct error *e)
{
    if (why->status != EXIT_STATUS_NO_MICA &&
        why->status != EXIT_STATUS_NO_SERVICE) {
        *e = *why;
        return -1;
    }
    fprintf(stderr,
            "%s: warning: only the configuration was checked, not "
            "kernel and machine: %s\n",
            call->program, why->what);
    if (call->json)
        return call_report(call, domain_config_json(c), e);
    domain_config_print(c, call->out);
    return 0;
}

static int dry_run(struct call *call, const struct domain_config *c,
                   struct error *e)
{
    struct error why;
    struct build *plan = domain_plan(call, c, &why);
    int result;

    if (!plan)
        return describe_elsewhere(call, c, &why, e);
    result = describe(call, c, plan, e);
    build_free(plan);
    return result;
}

static int report(struct call *call, const struct domain_config *c, domid_t id,
                  struct error *e)
{
    if (call->json)
        return call_report(call,
                           json_pack("{s:s, s:i, s:s}", "name", c->name,
                                     "domid", (int)id, "uuid", c->uuid_text),
                           e);
    if (!call_has(call, "quiet"))
        fprintf(call->out, "Created domain %u (%s)\n", id, c->name);
    fflush(call->out);
    return 0;
}

/* The console is opened first, so that it misses nothing. */
static int start(struct call *call, domid_t id, struct error *e)
{
    bool is_paused = call_has(call, "paused");
    struct error why;
    int console = -1;
    int result = 0;

    if (call_has(call, "console")) {
        console = console_open(call, id, &why);
        if (console < 0)
            error_print(&why, call->program, stderr);
    }
    if (!is_paused && control_domain_unpause(call->control, id, e)) {
        domain_destroy(call, id, DOMAIN_STORE_ALL, NULL);
        result = -1;
    }
    if (!result && console >= 0)
        return console_talk(console, e);
    console_close(console);
    return result;
}

static int stay(struct call *call, domid_t id, struct error *e)
{
    struct domain domain;
    char word[16];

    snprintf(word, sizeof(word), "%u", id);
    if (domain_find(call, word, &domain, NULL))
        return 0; /* it is gone already */
    return domain_wait(call, &domain, 1, DOMAIN_IS_GONE, 0, e);
}

static int create(struct call *call, const struct domain_config *c,
                  struct error *e)
{
    struct build *plan = domain_plan(call, c, e);
    domid_t id;
    int result;

    if (!plan)
        return -1;
    if (!call_has(call, "e"))
        monitor_ensure(call);
    result = domain_create(call, c, plan, &id, e);
    build_free(plan);
    if (result || report(call, c, id, e) || start(call, id, e))
        return -1;
    return call_has(call, "F") ? stay(call, id, e) : 0;
}

static int run_create(struct call *call, struct error *e)
{
    struct domain_config c;
    int result;

    if (!call->count && !call_value(call, "defconfig")) {
        error_set(e, EXIT_STATUS_USAGE, "create: no configuration");
        return error_hint(e, "name a file, see mica.cfg(5)");
    }
    result = config_of_call(call, 0, &c, e);
    if (!result)
        result = call_has(call, "dryrun") ? dry_run(call, &c, e)
                                          : create(call, &c, e);
    domain_config_free(&c);
    return result;
}

static const struct verb_option options[] = {
    {'c', "console", NULL, "attach to its console"},
    {'p', "paused", NULL, "leave it paused"},
    {'F', NULL, NULL, "come back only when the domain is gone"},
    {'n', "dryrun", NULL, "check everything, print what would be created"},
    {'q', "quiet", NULL, "print nothing but errors"},
    {'f', "defconfig", "FILE", "the file, in place of an argument"},
    {'e', NULL, NULL, "start no monitor for on_poweroff and the like"},
    {'d', NULL, NULL, "accepted for xl; means nothing"},
    {0},
};

static const struct verb verbs[] = {
    {.name = "create",
     .synopsis = "[FILE] [SETTING=VALUE...]",
     .help = "create a domain and start it",
     .details =
         "FILE is a configuration as mica.cfg(5) describes it, - the standard "
         "input. Settings as arguments go over those of the file; text needs "
         "no quotes there.\n\n"
         "Everything that can be refused is refused before the domain exists. "
         "If creating it fails or is interrupted half-way, nothing is left of "
         "it.\n\n"
         "What becomes of the domain when it ends is up to the monitor, which "
         "is started if it does not run.",
     .options = options,
     .operand = VERB_OPERAND_FILE,
     .flags = VERB_NEEDS_ROOT | VERB_REPORTS,
     .max_operands = ~0u,
     .run = run_create},
    {0},
};

/* See verb.h. */
const struct verb *create_verbs(void)
{
    return verbs;
}
