/* SPDX-License-Identifier: MIT */
/* Words to the daemon (control.h). */
#include "dom0_tools/stored/control.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define WORDS_MAX 4

struct word {
    const char *name, *help;
    int (*execute)(struct engine *e, unsigned count, const char **words,
                   struct bytes *answer);
};

static int do_check(struct engine *e, unsigned count, const char **words,
                    struct bytes *answer)
{
    uint64_t counted = 0, charged = 0;
    struct name *n;

    (void)count;
    (void)words;
    for (n = &e->tree.root.name; n; n = names_next(&e->tree.root.name, n))
        counted++;
    for (n = &e->tree.special.name; n; n = names_next(&e->tree.special.name, n))
        counted++;
    for (unsigned i = 0; i < e->quotas.top; i++)
        if (e->quotas.accounts[i])
            charged += e->quotas.accounts[i]->used[QUOTA_NODES];
    if (counted == charged)
        bytes_put_format(answer, "OK, %" PRIu64 " nodes", counted);
    else
        bytes_put_format(
            answer, "%" PRIu64 " nodes in the tree, %" PRIu64 " in accounts",
            counted, charged);
    return 0;
}

static int do_log(struct engine *e, unsigned count, const char **words,
                  struct bytes *answer)
{
    if (count > 1 && strcmp(words[1], "on") && strcmp(words[1], "off"))
        return -EINVAL;
    if (count > 1)
        e->is_tracing = !strcmp(words[1], "on");
    bytes_put_format(answer, "requests are %slogged",
                     e->is_tracing ? "" : "not ");
    return 0;
}

static int do_print(struct engine *e, unsigned count, const char **words,
                    struct bytes *answer)
{
    if (count < 2)
        return -EINVAL;
    engine_log(e, "%s", words[1]);
    bytes_put_format(answer, "OK");
    return 0;
}

/* A domain's use of each quota, beside the limit. */
static int show_quotas(struct engine *e, const char *word, struct bytes *answer)
{
    char *end;
    unsigned long domain = word ? strtoul(word, &end, 10) : 0;
    const struct account *account = NULL;

    if (word && (*end || domain >= DOMID_FIRST_RESERVED))
        return -EINVAL;
    if (word)
        account = quota_account(&e->quotas, (domid_t)domain);
    for (unsigned i = 0; i < QUOTA_COUNT; i++) {
        bytes_put_format(answer, "%-12s %10" PRIu64, quota_name((enum quota)i),
                         e->quotas.limits[i]);
        if (account)
            bytes_put_format(answer, " used %10" PRIu64 " refused %" PRIu64,
                             account->used[i], account->refusals[i]);
        bytes_put(answer, "\n", 1);
    }
    return 0;
}

static int do_quota(struct engine *e, unsigned count, const char **words,
                    struct bytes *answer)
{
    enum quota which;
    uint64_t limit;
    char *end;

    if (count < 3)
        return show_quotas(e, count == 2 ? words[1] : NULL, answer);
    which = quota_find(words[1]);
    if (which == QUOTA_COUNT || words[2][0] < '0' || words[2][0] > '9')
        return -EINVAL;
    limit = strtoull(words[2], &end, 10);
    if (*end)
        return -EINVAL;
    e->quotas.limits[which] = limit;
    bytes_put_format(answer, "OK");
    return 0;
}

static int do_list(struct engine *e, unsigned count, const char **words,
                   struct bytes *answer)
{
    struct connection *c;

    (void)count;
    (void)words;
    for (c = TAILQ_FIRST(&e->connections);
         c && answer->used < XENSTORE_PAYLOAD_MAX - 160;
         c = TAILQ_NEXT(c, of_engine))
        bytes_put_format(answer,
                         "%s %" PRIu32 " domain %u frame %#" PRIx64
                         " port %" PRIu32 " queued %" PRIu64 "%s%s\n",
                         c->is_ring ? "ring" : "socket", c->id, c->domain,
                         c->frame, c->port, c->out_size,
                         c->is_broken ? " disconnected" : "",
                         c->has_shut_down ? " shut down" : "");
    return 0;
}

static int do_help(struct engine *e, unsigned count, const char **words,
                   struct bytes *answer);

static const struct word known[] = {
    {"help", "this list", do_help},
    {"check", "counts the nodes", do_check},
    {"list", "connections", do_list},
    {"log", "[on|off]: log every request", do_log},
    {"print", "TEXT: write a line into the log", do_print},
    {"quota", "[DOMAIN | NAME LIMIT]: show or set limits", do_quota},
};

static int do_help(struct engine *e, unsigned count, const char **words,
                   struct bytes *answer)
{
    (void)e;
    (void)count;
    (void)words;
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        bytes_put_format(answer, "%-6s %s\n", known[i].name, known[i].help);
    return 0;
}

/* See control.h. */
int control_execute(struct engine *e, const char *words, size_t size,
                    struct bytes *answer)
{
    const char *list[WORDS_MAX];
    unsigned count = 0;
    int rc = -EINVAL;

    if (!size || words[size - 1])
        return -EINVAL;
    for (const char *at = words; at < words + size && count < WORDS_MAX;
         at += strlen(at) + 1)
        list[count++] = at;
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (!strcmp(known[i].name, list[0]))
            rc = known[i].execute(e, count, list, answer);
    if (!rc)
        bytes_put_u8(answer, 0);
    return rc;
}
