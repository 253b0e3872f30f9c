/* SPDX-License-Identifier: MIT */
/*
 * The verb store: the store by hand. Guests write much of what is in it, so
 * values are shown with their odd bytes escaped, unless --raw is given.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dom0_tools/lib/store.h"
#include "dom0_tools/mica/verb.h"

/* Longest path, and the zero byte. */
#define PATH_SIZE 3073

static void print_escaped(FILE *out, const char *value, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)value[i];

        if (c == '"' || c == '\\')
            fprintf(out, "\\%c", c);
        else if (c < ' ' || c > '~')
            fprintf(out, "\\x%02x", c);
        else
            fputc(c, out);
    }
}

/* " (n0,r5)" */
static int print_permissions(struct call *call, const char *path,
                             struct error *e)
{
    unsigned count;
    struct store_perm *perms =
        store_get_perms(call->store, STORE_NO_TX, path, &count, e);
    char word[8];

    if (!perms)
        return -1;
    for (unsigned i = 0; i < count; i++) {
        store_perm_format(&perms[i], word);
        fprintf(call->out, "%s%s", i ? "," : " (", word);
    }
    fputs(")", call->out);
    free(perms);
    return 0;
}

/* What one node looks like in the tree. */
static int print_node(struct call *call, const char *path, unsigned depth,
                      struct error *e)
{
    const char *name = strrchr(path, '/') + 1;
    size_t size;
    char *value = store_read(call->store, STORE_NO_TX, path, &size, e);
    int rc = 0;

    if (!value)
        return -1;
    if (call_has(call, "flat"))
        fputs(path, call->out);
    else
        fprintf(call->out, "%*s%s", (int)depth, "", name);
    fputs(" = \"", call->out);
    print_escaped(call->out, value, size);
    fputc('"', call->out);
    free(value);
    if (call_has(call, "permissions"))
        rc = print_permissions(call, path, e);
    fputc('\n', call->out);
    return rc;
}

/* "a" below "/" is "/a". False if that is too long. */
static bool join(char out[PATH_SIZE], const char *path, const char *name)
{
    int size =
        snprintf(out, PATH_SIZE, "%s/%s", strcmp(path, "/") ? path : "", name);

    return size > 0 && size < PATH_SIZE;
}

/* Whether a node has gone since its parent was listed: no failure. */
static bool has_gone(const struct error *e)
{
    return e->number == ENOENT;
}

static int print_below(struct call *call, const char *path, unsigned depth,
                       struct error *e)
{
    unsigned count;
    char **names = store_list(call->store, STORE_NO_TX, path, &count, e);
    char child[PATH_SIZE];
    int rc = 0;

    if (!names)
        return -1;
    for (unsigned i = 0; i < count && !rc; i++) {
        if (!join(child, path, names[i]))
            continue;
        rc = print_node(call, child, depth, e);
        if (!rc && !call_has(call, "children"))
            rc = print_below(call, child, depth + 1, e);
        if (rc && has_gone(e))
            rc = 0;
    }
    free(names);
    return rc;
}

/* A node and all below it: {"value": ..., "children": {...}}. */
static json_t *report_node(struct call *call, const char *path, struct error *e)
{
    size_t size;
    unsigned count = 0;
    char *value = store_read(call->store, STORE_NO_TX, path, &size, e);
    char **names =
        value ? store_list(call->store, STORE_NO_TX, path, &count, e) : NULL;
    json_t *children = names ? json_object() : NULL, *text, *report = NULL;
    char child[PATH_SIZE];

    for (unsigned i = 0; i < count; i++) {
        json_t *below =
            join(child, path, names[i]) ? report_node(call, child, e) : NULL;

        if (below)
            json_object_set_new(children, names[i], below);
    }
    if (children) {
        text = json_stringn(value, size);
        /* Bytes that are no UTF-8 have no place in JSON. */
        report = json_pack("{s:o, s:o}", "value", text ? text : json_null(),
                           "children", children);
    }
    free(names);
    free(value);
    return report;
}

static int run_ls(struct call *call, struct error *e)
{
    const char *path = call->count > 1 ? call->operands[1] : "/";

    if (call->json) {
        json_t *report = report_node(call, path, e);

        return report ? call_report(call, report, e) : -1;
    }
    return print_below(call, path, 0, e);
}

static int run_read(struct call *call, struct error *e)
{
    for (unsigned i = 1; i < call->count; i++) {
        size_t size;
        char *value =
            store_read(call->store, STORE_NO_TX, call->operands[i], &size, e);

        if (!value)
            return -1;
        if (call_has(call, "raw")) {
            fwrite(value, 1, size, call->out);
        } else {
            print_escaped(call->out, value, size);
            fputc('\n', call->out);
        }
        free(value);
    }
    return 0;
}

/* All values or none, so that readers see them together. */
static int write_together(struct call *call, struct error *e)
{
    uint32_t tx = store_begin(call->store, e);

    if (!tx)
        return -1;
    for (unsigned i = 1; i < call->count; i += 2)
        if (store_write(call->store, tx, call->operands[i],
                        call->operands[i + 1], e)) {
            store_abort(call->store, tx);
            return -1;
        }
    return store_commit(call->store, tx, e);
}

static int run_write(struct call *call, struct error *e)
{
    struct error failure = {.number = 0};
    int rc;

    if (call->count % 2 == 0) {
        error_set(e, EXIT_STATUS_USAGE, "store write: %.80s has no value",
                  call->operands[call->count - 1]);
        return error_hint(e, "mica store write PATH VALUE");
    }
    do
        rc = write_together(call, &failure);
    while (rc && failure.number == EAGAIN);
    if (rc)
        *e = failure;
    return rc;
}

static int run_rm(struct call *call, struct error *e)
{
    for (unsigned i = 1; i < call->count; i++)
        if (store_remove(call->store, STORE_NO_TX, call->operands[i], e))
            return -1;
    return 0;
}

/* 0 with the number of events to wait for; 0 is without end. */
static int parse_count(struct call *call, unsigned long *count, struct error *e)
{
    const char *text = call_value(call, "count");
    char *end;

    *count = 0;
    if (!text)
        return 0;
    *count = strtoul(text, &end, 10);
    if (*count && !*end && *text != '-')
        return 0;
    return error_set(e, EXIT_STATUS_USAGE, "store watch: %.40s is no count",
                     text);
}

static int run_watch(struct call *call, struct error *e)
{
    unsigned long left;
    struct store_event event;

    if (parse_count(call, &left, e))
        return -1;
    for (unsigned i = 1; i < call->count; i++)
        if (store_watch(call->store, call->operands[i], call->operands[i], e))
            return -1;
    for (;;) {
        if (store_next_event(call->store, -1, &event, e) < 0)
            return -1;
        fprintf(call->out, "%s\n", event.path);
        fflush(call->out);
        store_event_free(&event);
        if (left && !--left)
            return 0;
    }
}

static int run_chmod(struct call *call, struct error *e)
{
    unsigned count = call->count - 2;
    struct store_perm *perms = calloc(count, sizeof(*perms));
    int rc =
        perms ? 0 : error_set(e, EXIT_STATUS_NO_MEMORY, "not enough memory");

    for (unsigned i = 0; i < count && !rc; i++)
        if (!store_perm_parse(call->operands[i + 2], &perms[i])) {
            error_set(e, EXIT_STATUS_USAGE,
                      "store chmod: %.40s is no permission",
                      call->operands[i + 2]);
            rc = error_hint(e, "one of n, r, w, b and a domain: r5");
        }
    if (!rc)
        rc = store_set_perms(call->store, STORE_NO_TX, call->operands[1], perms,
                             count, e);
    free(perms);
    return rc;
}

static int run_control(struct call *call, struct error *e)
{
    char *answer =
        store_control(call->store, (const char *const *)call->operands + 1,
                      call->count - 1, e);

    if (!answer)
        return -1;
    fprintf(call->out, "%s%s", answer,
            *answer && answer[strlen(answer) - 1] == '\n' ? "" : "\n");
    free(answer);
    return 0;
}

static const struct subverb {
    const char *name, *synopsis;
    unsigned min_operands; /* with its own name */
    int (*run)(struct call *call, struct error *e);
} subverbs[] = {
    {"ls", "[PATH]", 1, run_ls},
    {"read", "PATH...", 2, run_read},
    {"write", "PATH VALUE...", 3, run_write},
    {"rm", "PATH...", 2, run_rm},
    {"watch", "PATH...", 2, run_watch},
    {"chmod", "PATH PERMISSION...", 3, run_chmod},
    {"control", "WORD...", 2, run_control},
};

#define SUBVERBS (sizeof(subverbs) / sizeof(subverbs[0]))

static int run_store(struct call *call, struct error *e)
{
    const char *word = call->operands[0];
    const struct subverb *verb = subverbs;

    while (verb < subverbs + SUBVERBS && strcmp(verb->name, word) != 0)
        verb++;
    if (verb == subverbs + SUBVERBS) {
        error_set(e, EXIT_STATUS_USAGE, "store: there is no \"%.40s\"", word);
        return error_hint(e, "one of ls, read, write, rm, watch, chmod, "
                             "control");
    }
    if (call->count < verb->min_operands) {
        error_set(e, EXIT_STATUS_USAGE, "store %s needs more words",
                  verb->name);
        return error_hint(e, "mica store %s %s", verb->name, verb->synopsis);
    }
    return call_store(call, e) ? verb->run(call, e) : -1;
}

static const struct verb_option options[] = {
    {'c', "children", NULL, "ls: the children alone, not all below"},
    {'f', "flat", NULL, "ls: full paths, in place of a tree"},
    {'n', "count", "NUMBER", "watch: end after so many events"},
    {'p', "permissions", NULL, "ls: show permissions as well"},
    {'r', "raw", NULL, "read: the bytes as they are, and no line end"},
    {0},
};

static const struct verb verbs[] = {
    {.name = "store",
     .synopsis = "WHAT [PATH] [VALUE...]",
     .help = "look at the store and change it",
     .details =
         "ls [PATH] shows the tree; read PATH... values; write PATH VALUE... "
         "sets them, all at once; rm PATH... removes nodes with all below "
         "them; watch PATH... prints what changes; chmod PATH PERMISSION... "
         "sets who may do what; control WORD... speaks to the daemon, and "
         "\"control help\" tells what it understands.\n"
         "\n"
         "The first permission names the owner and what others may: n "
         "nothing, r read, w write, b both. Further ones are for single "
         "domains: \"n5 r7\".",
     .options = options,
     .words = "ls read write rm watch chmod control",
     .operand = VERB_OPERAND_WORD,
     .flags = VERB_NEEDS_ROOT | VERB_REPORTS,
     .min_operands = 1,
     .max_operands = ~0u,
     .run = run_store},
    {0},
};

/* See verb.h. */
const struct verb *store_verbs(void)
{
    return verbs;
}
