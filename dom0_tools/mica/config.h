/* SPDX-License-Identifier: MIT */
/*
 * The grammar of configuration files: `name = value` lines as xl.cfg(5) has
 * them, without any idea of what the names mean.
 *
 *     file    = { [ setting ] ( newline | ";" ) }
 *     setting = name ( "=" | "+=" ) value
 *     value   = string | number | "[" [ value { "," value } [ "," ] ] "]"
 *     string  = '...' | "..." | """...""" | '''...''', with C's escapes
 *     number  = [ "-" ] digits, also 0x and 0o
 *
 * A "#" starts a comment. Line ends mean nothing inside brackets. Files are
 * untrusted: depth and size are bounded, and every byte may be wrong.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dom0_tools/lib/error.h"

#define CONFIG_NAME_MAX 64 /* bytes in a setting's name */

enum config_kind {
    CONFIG_STRING,
    CONFIG_NUMBER,
    CONFIG_LIST,
};

struct config_value {
    enum config_kind kind;
    unsigned line, column; /* where it starts, from 1 */
    char *text;            /* a string, or a number as it was written */
    int64_t number;
    struct config_value *items; /* of a list */
    unsigned count;
};

struct config_setting {
    char *name;
    const char *source; /* the file's name; the config's */
    unsigned line, column;
    struct config_value value;
};

struct config {
    struct config_setting *settings; /* each name once, in order */
    unsigned count;
    char **sources; /* names of what was parsed */
    unsigned source_count;
};

/* Starts an empty configuration. config_free() takes any. */
void config_init(struct config *c);
void config_free(struct config *c);

/*
 * Parses text and adds its settings; a later "=" replaces an earlier one.
 * `source` names the text in errors. 0; -1 with EXIT_STATUS_USAGE whose
 * `what` starts with source:line:column, and with the settings before it.
 */
int config_parse(struct config *c, const char *source, const char *text,
                 size_t size, struct error *e);

/* The same for a file; "-" is the standard input. */
int config_read(struct config *c, const char *path, struct error *e);

/*
 * The same for one setting given as an argument. What is no value by the
 * grammar is taken as a string: name=web needs no quotes, ramdisk= is empty.
 */
int config_parse_argument(struct config *c, const char *argument,
                          struct error *e);

/* The setting of that name, or NULL. */
const struct config_setting *config_find(const struct config *c,
                                         const char *name);

/* What kind of value it is, for messages: "a string". */
const char *config_kind_name(enum config_kind kind);

/*
 * Adds or replaces a setting, or extends the value that is there. Takes over
 * name and value; what it does not need stays in `s` to be freed.
 */
int config_set(struct config *c, struct config_setting *s, bool is_extension,
               struct error *e);

/* A new empty item at the end of a list; NULL without memory. */
struct config_value *config_add_item(struct config_value *list,
                                     struct error *e);
void config_value_free(struct config_value *v);

/* A copy of a source's name that lives as long as the configuration. */
const char *config_keep_source(struct config *c, const char *source);

/* How many bytes from `text` on, before `end`, are the name of a setting. */
size_t config_name_length(const char *text, const char *end);
