/* SPDX-License-Identifier: MIT */
/* Verbs about memory: mem-set, mem-max. */
#include "dom0_tools/lib/control_system.h"
#include "dom0_tools/mica/domain.h"

#define KIB_PER_PAGE (CONTROL_PAGE_SIZE / 1024)

static int parse_size(const char *text, uint64_t *kib, struct error *e)
{
    if (domain_parse_size(text, kib))
        return 0;
    error_set(e, EXIT_STATUS_USAGE, "\"%.40s\" is no size", text);
    return error_hint(e, "write MiB, or a number with k, m, g or t behind it");
}

static int write_kib(struct call *call, domid_t id, const char *node,
                     uint64_t kib, struct error *e)
{
    struct store *store = call_store(call, e);
    char path[DOMAIN_PATH_SIZE];

    domain_path(path, id, node);
    return store ? store_write_format(store, STORE_NO_TX, path, e, "%llu",
                                      (unsigned long long)kib)
                 : -1;
}

static int run_mem_max(struct call *call, struct error *e)
{
    struct domain domain;
    uint64_t kib;

    if (parse_size(call->operands[1], &kib, e) ||
        domain_find(call, call->operands[0], &domain, e))
        return -1;
    if (kib < domain.info.pages * KIB_PER_PAGE) {
        error_set(e, EXIT_STATUS_USAGE, "can't limit %.64s to %llu KiB",
                  domain.name, (unsigned long long)kib);
        error_why(e, "it has %llu KiB already",
                  (unsigned long long)(domain.info.pages * KIB_PER_PAGE));
        return error_hint(e, "let it give memory back with mem-set first");
    }
    if (control_domain_set_max_memory(call->control, domain.info.domain, kib,
                                      e))
        return -1;
    return write_kib(call, domain.info.domain, "/memory/static-max", kib, e);
}

/* Refuses what the domain may not have, or nobody has. */
static int check_target(struct call *call, const struct domain *domain,
                        uint64_t kib, struct error *e)
{
    struct control_machine machine;
    uint64_t pages = kib / KIB_PER_PAGE;
    uint64_t free_pages;

    if (pages > domain->info.max_pages) {
        error_set(e, EXIT_STATUS_USAGE, "can't give %.64s %llu KiB",
                  domain->name, (unsigned long long)kib);
        error_why(e, "its limit is %llu KiB",
                  (unsigned long long)(domain->info.max_pages * KIB_PER_PAGE));
        return error_hint(e, "raise the limit with mem-max first");
    }
    if (pages <= domain->info.pages)
        return 0;
    if (control_machine(call->control, &machine, e))
        return -1;
    free_pages = machine.free_pages - machine.outstanding_pages;
    if (pages - domain->info.pages <= free_pages)
        return 0;
    error_set(e, EXIT_STATUS_NO_MEMORY, "can't give %.64s %llu KiB",
              domain->name, (unsigned long long)kib);
    error_why(e, "%llu KiB are free",
              (unsigned long long)(free_pages * KIB_PER_PAGE));
    return error_hint(e, "take memory from another domain first");
}

static int run_mem_set(struct call *call, struct error *e)
{
    struct domain domain;
    uint64_t kib;

    if (parse_size(call->operands[1], &kib, e) ||
        domain_find(call, call->operands[0], &domain, e) ||
        check_target(call, &domain, kib, e))
        return -1;
    return write_kib(call, domain.info.domain, "/memory/target", kib, e);
}

static const struct verb verbs[] = {
    {.name = "mem-set",
     .synopsis = "DOMAIN SIZE",
     .help = "ask a guest to have this much memory",
     .details = "The guest's balloon driver gives memory back or takes more, "
                "up to the domain's limit. SIZE is in MiB, or a number with b, "
                "k, m, g or t behind it.",
     .operand = VERB_OPERAND_DOMAIN,
     .flags = VERB_NEEDS_ROOT,
     .min_operands = 2,
     .max_operands = 2,
     .run = run_mem_set},
    {.name = "mem-max",
     .synopsis = "DOMAIN SIZE",
     .help = "set how much memory a domain may have",
     .operand = VERB_OPERAND_DOMAIN,
     .flags = VERB_NEEDS_ROOT,
     .min_operands = 2,
     .max_operands = 2,
     .run = run_mem_max},
    {0},
};

/* See verb.h. */
const struct verb *memory_verbs(void)
{
    return verbs;
}
