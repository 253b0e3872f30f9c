/* SPDX-License-Identifier: MIT */
/*
 * Domains' configurations on the way out: as files that read back the same,
 * and as JSON.
 */
#include "dom0_tools/mica/domain_config.h"

#include <stdlib.h>
#include <string.h>

static const void *member(const struct domain_config *c,
                          const struct domain_key *key)
{
    return (const char *)c + key->offset;
}

static void print_quoted(const char *text, FILE *out)
{
    fputc('"', out);
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;

        if (c == '"' || c == '\\')
            fprintf(out, "\\%c", c);
        else if (c < ' ' || c == 127)
            fprintf(out, "\\x%02x", c);
        else
            fputc(c, out);
    }
    fputc('"', out);
}

static void print_strings(const struct domain_strings *strings, FILE *out)
{
    unsigned i;

    if (strings->is_single) {
        print_quoted(strings->items[0], out);
        return;
    }
    fputc('[', out);
    for (i = 0; i < strings->count; i++) {
        fputs(i ? ", " : "", out);
        print_quoted(strings->items[i], out);
    }
    fputc(']', out);
}

static bool is_set(const struct domain_config *c, const struct domain_key *key)
{
    switch (key->kind) {
    case DOMAIN_KEY_STRING:
        return *(char *const *)member(c, key) != NULL;
    case DOMAIN_KEY_STRINGS:
        return ((const struct domain_strings *)member(c, key))->count > 0;
    case DOMAIN_KEY_NUMBER:
    case DOMAIN_KEY_CHOICE:
        return *(const uint64_t *)member(c, key) != key->initial;
    case DOMAIN_KEY_FIXED:
        break;
    }
    return false;
}

static void print_value(const struct domain_config *c,
                        const struct domain_key *key, FILE *out)
{
    switch (key->kind) {
    case DOMAIN_KEY_STRING:
        print_quoted(*(char *const *)member(c, key), out);
        break;
    case DOMAIN_KEY_STRINGS:
        print_strings(member(c, key), out);
        break;
    case DOMAIN_KEY_NUMBER:
        fprintf(out, "%llu",
                (unsigned long long)*(const uint64_t *)member(c, key));
        break;
    case DOMAIN_KEY_CHOICE:
        print_quoted(key->choices[*(const uint64_t *)member(c, key)], out);
        break;
    case DOMAIN_KEY_FIXED:
        break;
    }
}

/* See domain_config.h. */
char *domain_config_value(const struct domain_config *c,
                          const struct domain_key *key)
{
    char *text = NULL;
    size_t size;
    FILE *out;

    if (!is_set(c, key))
        return NULL;
    out = open_memstream(&text, &size);
    if (!out)
        return NULL;
    print_value(c, key, out);
    if (fclose(out)) {
        free(text);
        return NULL;
    }
    return text;
}

/* See domain_config.h. */
void domain_config_print(const struct domain_config *c, FILE *out)
{
    const struct domain_key *key;

    for (key = domain_keys(); key->name; key++) {
        if (!is_set(c, key))
            continue;
        fprintf(out, "%s = ", key->name);
        print_value(c, key, out);
        fputc('\n', out);
    }
}

static json_t *json_strings(const struct domain_strings *strings)
{
    json_t *list = json_array();
    unsigned i;

    for (i = 0; i < strings->count; i++)
        json_array_append_new(list, json_string(strings->items[i]));
    return list;
}

static json_t *json_range(uint64_t count)
{
    json_t *list = json_array();
    uint64_t i;

    for (i = 0; i < count; i++)
        json_array_append_new(list, json_integer((json_int_t)i));
    return list;
}

static json_t *build_info(const struct domain_config *c)
{
    return json_pack(
        "{s:I, s:o, s:I, s:I, s:{s:s, s:I, s:I}, s:s, s:s*, s:s*, s:I, s:I, "
        "s:I, s:o, s:o, s:{}}",
        "max_vcpus", (json_int_t)c->maxvcpus, "avail_vcpus",
        json_range(c->vcpus), "max_memkb", (json_int_t)(c->maxmem * 1024),
        "target_memkb", (json_int_t)(c->memory * 1024), "sched_params", "sched",
        "credit2", "weight", (json_int_t)c->cpu_weight, "cap",
        (json_int_t)c->cap, "kernel", c->kernel, "ramdisk", c->ramdisk,
        "cmdline", c->command_line, "max_grant_frames",
        (json_int_t)c->max_grant_frames, "max_maptrack_frames",
        (json_int_t)c->max_maptrack_frames, "event_channels",
        (json_int_t)c->max_event_channels, "cpus", json_strings(&c->cpus),
        "cpus_soft", json_strings(&c->cpus_soft), "type.pv");
}

/* See domain_config.h. */
json_t *domain_config_json(const struct domain_config *c)
{
    return json_pack("{s:{s:s, s:s, s:s}, s:o, s:o, s:o, s:s, s:s, s:s, s:s}",
                     "c_info", "type", "pv", "name", c->name, "uuid",
                     c->uuid_text, "b_info", build_info(c), "disks",
                     json_strings(&c->disk), "nics", json_strings(&c->vif),
                     "on_poweroff", domain_action_name(c->on_poweroff),
                     "on_reboot", domain_action_name(c->on_reboot),
                     "on_watchdog", domain_action_name(c->on_watchdog),
                     "on_crash", domain_action_name(c->on_crash));
}
