/* SPDX-License-Identifier: MIT */
/*
 * Domains' configurations: from settings to checked values. Everything about
 * a single setting follows its row of the table; what follows here by name
 * are the rules between settings.
 */
#include "dom0_tools/mica/domain_config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dom0_tools/mica/cpu_set.h"
#include "dom0_tools/mica/verb.h"

enum { KEYS_MAX = 64 };

static int fail_memory(struct error *e)
{
    return error_set(e, EXIT_STATUS_NO_MEMORY, "not enough memory");
}

static void *member(const struct domain_config *c, const struct domain_key *key)
{
    return (char *)(uintptr_t)c + key->offset;
}

static const struct domain_key *find_key(const char *name)
{
    const struct domain_key *key;

    for (key = domain_keys(); key->name; key++)
        if (!strcmp(key->name, name))
            return key;
    return NULL;
}

/* Starts an error about a value; error_why() and error_hint() go on. */
static int fail_value(const struct config_setting *s,
                      const struct config_value *v, struct error *e)
{
    return error_set(e, EXIT_STATUS_USAGE, "%.100s:%u:%u: %.64s", s->source,
                     v->line, v->column, s->name);
}

static int fail_kind(const struct config_setting *s,
                     const struct config_value *v, const char *wanted,
                     struct error *e)
{
    fail_value(s, v, e);
    error_why(e, "it wants %s, not %s", wanted, config_kind_name(v->kind));
    return error_hint(e, "mica.cfg(5) describes each setting");
}

static int set_string(const struct config_setting *s,
                      const struct config_value *v, char **string,
                      struct error *e)
{
    if (v->kind == CONFIG_LIST)
        return fail_kind(s, v, "a string", e);
    *string = strdup(v->text);
    return *string ? 0 : fail_memory(e);
}

static int set_number(const struct config_setting *s,
                      const struct domain_key *key, uint64_t *number,
                      struct error *e)
{
    const struct config_value *v = &s->value;
    int64_t value = v->number;
    char *end = NULL;

    if (v->kind == CONFIG_STRING) {
        errno = 0;
        value = strtoll(v->text, &end, 0);
        if (end == v->text || *end || errno)
            return fail_kind(s, v, "a number", e);
    } else if (v->kind == CONFIG_LIST) {
        return fail_kind(s, v, "a number", e);
    }
    if (value < 0 || (uint64_t)value < key->min || (uint64_t)value > key->max) {
        fail_value(s, v, e);
        error_why(e, "%lld is out of range", (long long)value);
        return error_hint(e, "use %llu to %llu", (unsigned long long)key->min,
                          (unsigned long long)key->max);
    }
    *number = (uint64_t)value;
    return 0;
}

static int set_choice(const struct config_setting *s,
                      const struct domain_key *key, uint64_t *choice,
                      struct error *e)
{
    const struct config_value *v = &s->value;
    char list[ERROR_HINT_SIZE] = "";
    uint64_t i;

    if (v->kind == CONFIG_LIST)
        return fail_kind(s, v, "a string", e);
    for (i = 0; key->choices[i]; i++) {
        size_t used = strlen(list);

        if (!strcmp(v->text, key->choices[i])) {
            *choice = i;
            return 0;
        }
        snprintf(list + used, sizeof(list) - used, "%s\"%s\"", i ? ", " : "",
                 key->choices[i]);
    }
    fail_value(s, v, e);
    error_why(e, "\"%.64s\" is not possible", v->text);
    return error_hint(e, "use %s", list);
}

static int set_strings(const struct config_setting *s,
                       struct domain_strings *strings, struct error *e)
{
    const struct config_value *v = &s->value;
    unsigned i;

    if (v->kind != CONFIG_LIST) {
        strings->items = calloc(1, sizeof(*strings->items));
        if (!strings->items)
            return fail_memory(e);
        strings->count = 1;
        strings->is_single = true;
        return set_string(s, v, &strings->items[0], e);
    }
    strings->items = calloc(v->count + 1ul, sizeof(*strings->items));
    if (!strings->items)
        return fail_memory(e);
    for (i = 0; i < v->count; i++) {
        strings->count++;
        if (set_string(s, &v->items[i], &strings->items[i], e))
            return -1;
    }
    return 0;
}

static int set(struct domain_config *c, const struct domain_key *key,
               const struct config_setting *s, struct error *e)
{
    uint64_t ignored;

    switch (key->kind) {
    case DOMAIN_KEY_STRING:
        return set_string(s, &s->value, member(c, key), e);
    case DOMAIN_KEY_NUMBER:
        return set_number(s, key, member(c, key), e);
    case DOMAIN_KEY_CHOICE:
        return set_choice(s, key, member(c, key), e);
    case DOMAIN_KEY_STRINGS:
        return set_strings(s, member(c, key), e);
    case DOMAIN_KEY_FIXED:
        return set_choice(s, key, &ignored, e);
    }
    return 0;
}

static void set_initial(struct domain_config *c)
{
    const struct domain_key *key;

    *c = (struct domain_config){0};
    for (key = domain_keys(); key->name; key++)
        if (key->kind == DOMAIN_KEY_NUMBER || key->kind == DOMAIN_KEY_CHOICE)
            *(uint64_t *)member(c, key) = key->initial;
}

static void warn_unknown(const struct config_setting *s, FILE *warnings)
{
    const char *names[KEYS_MAX];
    const struct domain_key *key;
    const char *nearest;
    unsigned count = 0;

    for (key = domain_keys(); key->name && count < KEYS_MAX; key++)
        names[count++] = key->name;
    nearest = verb_nearest(s->name, names, count);
    fprintf(warnings, "mica: warning: %s:%u:%u: unknown setting %s is ignored",
            s->source, s->line, s->column, s->name);
    if (nearest)
        fprintf(warnings, "; did you mean %s?", nearest);
    fputc('\n', warnings);
}

static void warn_unserved(const struct config_setting *s, FILE *warnings)
{
    fprintf(warnings,
            "mica: warning: %s:%u:%u: %s is kept, but nothing serves it yet\n",
            s->source, s->line, s->column, s->name);
}

static int read_settings(const struct config *from, struct domain_config *c,
                         FILE *warnings, struct error *e)
{
    unsigned i;

    for (i = 0; i < from->count; i++) {
        const struct config_setting *s = &from->settings[i];
        const struct domain_key *key = find_key(s->name);

        if (!key) {
            if (warnings)
                warn_unknown(s, warnings);
            continue;
        }
        if (set(c, key, s, e))
            return -1;
        if (warnings && (!strcmp(s->name, "disk") || !strcmp(s->name, "vif")) &&
            s->value.count)
            warn_unserved(s, warnings);
    }
    return 0;
}

static bool is_name_good(const char *name)
{
    static const char others[] = "._+:@-";
    bool is_number = true;
    size_t i;

    for (i = 0; name[i]; i++) {
        char c = name[i];
        bool is_digit = c >= '0' && c <= '9';

        if (!is_digit && !(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') &&
            !strchr(others, c))
            return false;
        is_number &= is_digit;
    }
    return i && i <= DOMAIN_NAME_MAX && !is_number;
}

/* See domain_config.h. */
int domain_config_check_name(const char *name, struct error *e)
{
    if (!strcmp(name, DOMAIN_NAME_DOM0)) {
        error_set(e, EXIT_STATUS_EXISTS, "the name %s is taken", name);
        error_why(e, "dom0 is called so");
        return error_hint(e, "choose another name");
    }
    if (is_name_good(name))
        return 0;
    error_set(e, EXIT_STATUS_USAGE, "\"%.64s\" is no name for a domain", name);
    return error_hint(e,
                      "use up to %d letters, digits and ._+:@- but not "
                      "digits alone",
                      DOMAIN_NAME_MAX);
}

static int check_cpus(const struct domain_strings *cpus, const char *name,
                      struct error *e)
{
    struct cpu_set set;
    unsigned i;

    for (i = 0; i < cpus->count; i++) {
        if (cpu_set_parse(cpus->items[i], &set))
            continue;
        error_set(e, EXIT_STATUS_USAGE, "%s: \"%.80s\" is no set of CPUs", name,
                  cpus->items[i]);
        return error_hint(e, "write \"all\", or numbers and ranges like "
                             "\"0-3,6\"");
    }
    return 0;
}

static int check_sizes(const struct domain_config *c, struct error *e)
{
    if (c->maxmem < c->memory) {
        error_set(e, EXIT_STATUS_USAGE, "maxmem=%llu is less than memory=%llu",
                  (unsigned long long)c->maxmem, (unsigned long long)c->memory);
        return error_hint(e, "raise maxmem, or leave it out");
    }
    if (c->maxvcpus < c->vcpus) {
        error_set(e, EXIT_STATUS_USAGE, "maxvcpus=%llu is less than vcpus=%llu",
                  (unsigned long long)c->maxvcpus,
                  (unsigned long long)c->vcpus);
        return error_hint(e, "raise maxvcpus, or leave it out");
    }
    if (c->cap > 100 * c->maxvcpus) {
        error_set(e, EXIT_STATUS_USAGE, "cap=%llu is more than all can use",
                  (unsigned long long)c->cap);
        return error_hint(e,
                          "a vCPU uses 100 at most, so write up to %llu, "
                          "or 0 for no limit",
                          100 * (unsigned long long)c->maxvcpus);
    }
    return 0;
}

/* The store keeps each setting in one node, which has a limit. */
static int check_lengths(const struct domain_config *c, struct error *e)
{
    const struct domain_key *key;

    for (key = domain_keys(); key->name; key++) {
        char *text = domain_config_value(c, key);
        size_t length = text ? strlen(text) : 0;

        free(text);
        if (length > DOMAIN_SETTING_MAX) {
            error_set(e, EXIT_STATUS_USAGE, "%s is too long", key->name);
            error_why(e, "it has %zu bytes, and %d can be kept", length,
                      DOMAIN_SETTING_MAX);
            return error_hint(e, "use shorter paths");
        }
    }
    return 0;
}

static char *make_command_line(const struct domain_config *c)
{
    const char *root = c->root && *c->root ? c->root : NULL;
    const char *extra = c->extra ? c->extra : "";
    size_t length;
    char *line;

    if (c->cmdline)
        return strdup(c->cmdline);
    length = strlen(extra) + (root ? strlen(root) : 0) + sizeof("root= ");
    line = malloc(length);
    if (line)
        snprintf(line, length, "%s%s%s%s", root ? "root=" : "",
                 root ? root : "", root && *extra ? " " : "", extra);
    return line;
}

static int complete_command_line(struct domain_config *c, struct error *e)
{
    size_t length;

    c->command_line = make_command_line(c);
    if (!c->command_line)
        return fail_memory(e);
    length = strlen(c->command_line);
    if (length <= DOMAIN_COMMAND_LINE_MAX)
        return 0;
    error_set(e, EXIT_STATUS_USAGE, "the kernel's command line is too long");
    return error_why(e, "it has %zu bytes, and a guest can be given %d", length,
                     DOMAIN_COMMAND_LINE_MAX);
}

static int fail_missing(const char *name, const char *hint, struct error *e)
{
    error_set(e, EXIT_STATUS_USAGE, "the configuration has no %s", name);
    return error_hint(e, "%s", hint);
}

static int check(struct domain_config *c, struct error *e)
{
    if (!c->name)
        return fail_missing("name", "add name = \"...\"", e);
    if (domain_config_check_name(c->name, e))
        return -1;
    if (!c->kernel || !*c->kernel)
        return fail_missing("kernel",
                            "add kernel = \"/path/of/vmlinuz\"; boot loaders "
                            "inside the guest's disk are not run",
                            e);
    if (check_sizes(c, e) || check_cpus(&c->cpus, "cpus", e) ||
        check_cpus(&c->cpus_soft, "cpus_soft", e))
        return -1;
    return check_lengths(c, e);
}

/* The UUID that was given, or a new one, in its usual form. */
static int complete_uuid(struct domain_config *c, struct error *e)
{
    char *text = malloc(UUID_TEXT_SIZE);

    if (!text)
        return fail_memory(e);
    if (!c->uuid_text) {
        c->uuid_text = text;
        *text = '\0';
        if (uuid_make(&c->uuid, e))
            return -1;
    } else if (!uuid_parse(c->uuid_text, &c->uuid)) {
        free(text);
        error_set(e, EXIT_STATUS_USAGE, "\"%.64s\" is no UUID", c->uuid_text);
        return error_hint(e, "leave uuid out to get a random one");
    }
    uuid_format(&c->uuid, text);
    if (text != c->uuid_text)
        free(c->uuid_text);
    c->uuid_text = text;
    return 0;
}

/* An argument "ramdisk=" takes back what the file says. */
static void drop_if_empty(char **text)
{
    if (!*text || **text)
        return;
    free(*text);
    *text = NULL;
}

/* Fills in what follows from other settings. */
static int complete(struct domain_config *c, struct error *e)
{
    drop_if_empty(&c->ramdisk);
    drop_if_empty(&c->uuid_text);
    if (!c->maxmem)
        c->maxmem = c->memory;
    if (!c->maxvcpus)
        c->maxvcpus = c->vcpus;
    return complete_command_line(c, e) || complete_uuid(c, e) ? -1 : 0;
}

/* See domain_config.h. */
int domain_config_read(const struct config *from, struct domain_config *c,
                       FILE *warnings, struct error *e)
{
    set_initial(c);
    if (read_settings(from, c, warnings, e) || complete(c, e))
        return -1;
    return check(c, e);
}

/* See domain_config.h. */
void domain_config_free(struct domain_config *c)
{
    const struct domain_key *key;

    for (key = domain_keys(); key->name; key++) {
        if (key->kind == DOMAIN_KEY_STRING) {
            free(*(char **)member(c, key));
        } else if (key->kind == DOMAIN_KEY_STRINGS) {
            struct domain_strings *strings = member(c, key);

            while (strings->count)
                free(strings->items[--strings->count]);
            free(strings->items);
        }
    }
    free(c->command_line);
    *c = (struct domain_config){0};
}
