/* SPDX-License-Identifier: MIT */
/* Quotas (quota.h). */
#include "dom0_tools/stored/quota.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dom0_tools/stored/bytes.h"

static const struct {
    const char *name;
    uint64_t limit;
} defaults[QUOTA_COUNT] = {
    [QUOTA_NODES] = {"nodes", 1000},
    [QUOTA_NODE_SIZE] = {"node-size", 2048},
    [QUOTA_PERMISSIONS] = {"permissions", 5},
    [QUOTA_DEPTH] = {"depth", 64},
    [QUOTA_WATCHES] = {"watches", 128},
    [QUOTA_TRANSACTIONS] = {"transactions", 10},
    [QUOTA_CHANGES] = {"changes", 1024},
    [QUOTA_EVENTS] = {"events", 1024},
    [QUOTA_REQUESTS] = {"requests", 65536},
    [QUOTA_MEMORY] = {"memory", 4194304},
};

/* See quota.h. */
void quotas_begin(struct quotas *q, void (*log)(void *, const char *),
                  void *log_context)
{
    *q = (struct quotas){.log = log, .log_context = log_context};
    for (unsigned i = 0; i < QUOTA_COUNT; i++)
        q->limits[i] = defaults[i].limit;
}

/* See quota.h. */
void quotas_end(struct quotas *q)
{
    for (unsigned i = 0; i < q->top; i++)
        free(q->accounts[i]);
}

/* See quota.h. */
const char *quota_name(enum quota which)
{
    return defaults[which].name;
}

/* See quota.h. */
enum quota quota_find(const char *name)
{
    unsigned i = 0;

    while (i < QUOTA_COUNT && strcmp(defaults[i].name, name) != 0)
        i++;
    return (enum quota)i;
}

/* See quota.h. */
struct account *quota_account(struct quotas *q, domid_t domain)
{
    struct account **account;

    domain %= DOMID_FIRST_RESERVED;
    account = &q->accounts[domain];
    if (!*account)
        *account = memory_get(sizeof(**account));
    if (domain >= q->top)
        q->top = domain + 1u;
    return *account;
}

/* See quota.h. */
void quota_charge(struct quotas *q, domid_t domain, enum quota which,
                  int64_t amount)
{
    quota_account(q, domain)->used[which] += (uint64_t)amount;
}

/* A guest that keeps trying must not fill the log: 1st, 2nd, 4th, 8th... */
static bool is_worth_a_line(uint64_t refusals)
{
    return !(refusals & (refusals - 1));
}

static void log_refusal(struct quotas *q, domid_t domain, enum quota which,
                        uint64_t refusals)
{
    char line[160];

    snprintf(line, sizeof(line),
             "domain %u hit its quota of %s, %" PRIu64 " (refused %" PRIu64
             " so far): raise it with --quota %s=N",
             domain, quota_name(which), q->limits[which], refusals,
             quota_name(which));
    q->log(q->log_context, line);
}

/* See quota.h. */
bool quota_allows(struct quotas *q, domid_t domain, enum quota which,
                  uint64_t more)
{
    struct account *account = quota_account(q, domain);

    if (!domain || account->used[which] + more <= q->limits[which])
        return true;
    if (is_worth_a_line(++account->refusals[which]))
        log_refusal(q, domain, which, account->refusals[which]);
    return false;
}
