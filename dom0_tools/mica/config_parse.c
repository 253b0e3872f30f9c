/* SPDX-License-Identifier: MIT */
/*
 * The parser of configuration files: recursive descent over the bytes, one
 * function per rule of the grammar. What a rule has built belongs to the
 * value it was given, so that whoever fails only returns.
 */
#include "dom0_tools/mica/config.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum {
    DEPTH_MAX = 8, /* of lists in lists */
};

struct parser {
    const char *source;
    const char *at, *end;
    const char *line_start;
    unsigned line;
    unsigned depth;
    struct error *error;
};

/* A string that grows. */
struct text {
    char *bytes;
    size_t size, room;
};

static unsigned column_of(const struct parser *p, const char *at)
{
    return (unsigned)(at - p->line_start) + 1;
}

static int fail_at(const struct parser *p, unsigned line, unsigned column,
                   const char *what, const char *hint)
{
    error_set(p->error, EXIT_STATUS_USAGE, "%.120s:%u:%u: %s", p->source, line,
              column, what);
    return error_hint(p->error, "%s", hint);
}

static int fail(const struct parser *p, const char *what, const char *hint)
{
    return fail_at(p, p->line, column_of(p, p->at), what, hint);
}

static int fail_memory(const struct parser *p)
{
    return error_set(p->error, EXIT_STATUS_NO_MEMORY, "not enough memory");
}

/* The next byte, or 0 at the end; a real 0 is no part of any rule. */
static char peek(const struct parser *p)
{
    return p->at < p->end ? *p->at : '\0';
}

static char take(struct parser *p)
{
    char c = *p->at++;

    if (c == '\n') {
        p->line++;
        p->line_start = p->at;
    }
    return c;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_name_start(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_name(char c)
{
    return is_name_start(c) || is_digit(c) || c == '-' || c == '.';
}

/* See config.h. */
size_t config_name_length(const char *text, const char *end)
{
    const char *at = text;

    if (at == end || !is_name_start(*at))
        return 0;
    while (at < end && is_name(*at))
        at++;
    return (size_t)(at - text);
}

static void skip_comment(struct parser *p)
{
    while (p->at < p->end && *p->at != '\n')
        p->at++;
}

/* Blanks and comments; line ends too where they mean nothing. */
static void skip(struct parser *p, bool also_lines)
{
    while (p->at < p->end) {
        if (*p->at == '#')
            skip_comment(p);
        else if (is_blank(*p->at) || (also_lines && *p->at == '\n'))
            take(p);
        else
            return;
    }
}

static int append(struct parser *p, struct text *t, char c)
{
    if (t->size + 1 >= t->room) {
        size_t room = t->room ? t->room * 2 : 32;
        char *bytes = realloc(t->bytes, room);

        if (!bytes)
            return fail_memory(p);
        t->bytes = bytes;
        t->room = room;
    }
    t->bytes[t->size++] = c;
    t->bytes[t->size] = '\0';
    return 0;
}

static int digit_value(char c)
{
    if (is_digit(c))
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return 16;
}

/* Up to `most` digits of a base; -1 without any. */
static int take_digits(struct parser *p, int base, unsigned most)
{
    int value = 0;
    unsigned n;

    for (n = 0; n < most && digit_value(peek(p)) < base; n++)
        value = value * base + digit_value(take(p));
    return n ? value : -1;
}

/* What follows a backslash. */
static int parse_escape(struct parser *p, struct text *t)
{
    static const char letters[] = "abfnrtv\\'\"";
    static const char meanings[] = "\a\b\f\n\r\t\v\\'\"";
    const char *found;
    int value;

    if (peek(p) == '\n') {
        take(p); /* the line goes on */
        return 0;
    }
    found = peek(p) ? strchr(letters, peek(p)) : NULL;
    if (found) {
        take(p);
        return append(p, t, meanings[found - letters]);
    }
    if (peek(p) == 'x') {
        take(p);
        value = take_digits(p, 16, 2);
    } else {
        value = take_digits(p, 8, 3);
    }
    if (value < 0)
        return fail(p, "unknown escape after a backslash",
                    "write \\\\ for a backslash itself");
    if (value == 0 || value > 255)
        return fail(p, "this escape is no character of a text",
                    "use \\x01 to \\xff");
    return append(p, t, (char)value);
}

/* Whether the quote is written three times here. */
static bool is_triple(const struct parser *p, char quote)
{
    return p->end - p->at >= 3 && p->at[0] == quote && p->at[1] == quote &&
           p->at[2] == quote;
}

/* One character of a string, which a single quote or three of them end. */
static int parse_character(struct parser *p, const struct config_value *v,
                           struct text *t, bool is_long)
{
    char c = take(p);

    if (!c)
        return fail(p, "a zero byte in a string", "is this a text file?");
    if (c == '\n' && !is_long)
        return fail_at(p, v->line, v->column,
                       "the string does not end in its line",
                       "close it with the quote it starts with, or write it "
                       "between three quotes");
    if (c == '\\')
        return parse_escape(p, t);
    return append(p, t, c);
}

static int parse_string(struct parser *p, struct config_value *v)
{
    char quote = peek(p);
    bool is_long = is_triple(p, quote);
    struct text t = {0};
    int result = 0;

    p->at += is_long ? 3 : 1;
    if (append(p, &t, ' '))
        return -1;
    t.bytes[t.size = 0] = '\0';
    while (!result) {
        if (p->at == p->end)
            result = fail_at(p, v->line, v->column, "the string does not end",
                             "close it with the quote it starts with");
        else if (is_long ? is_triple(p, quote) : *p->at == quote)
            break;
        else
            result = parse_character(p, v, &t, is_long);
    }
    v->kind = CONFIG_STRING;
    v->text = t.bytes;
    if (!result)
        p->at += is_long ? 3 : 1;
    return result;
}

static int parse_number(struct parser *p, struct config_value *v)
{
    const char *start = p->at;
    char text[32];
    char *end;
    size_t length;

    while (p->at < p->end &&
           (is_name(*p->at) || *p->at == '+' || *p->at == ':'))
        p->at++;
    length = (size_t)(p->at - start);
    p->at = start;
    if (length >= sizeof(text))
        return fail(p, "this number is too long", "a number has 64 bits");
    memcpy(text, start, length);
    text[length] = '\0';
    errno = 0;
    v->number = strtoll(text, &end, 0);
    if (errno == ERANGE)
        return fail(p, "this number is too large", "a number has 64 bits");
    if (*end || end == text)
        return fail(p, "this is not a whole number",
                    "put quotes around it if it is meant as text");
    v->kind = CONFIG_NUMBER;
    v->text = strdup(text);
    if (!v->text)
        return fail_memory(p);
    p->at = start + length;
    return 0;
}

static int parse_value(struct parser *p, struct config_value *v);

static int parse_items(struct parser *p, struct config_value *v)
{
    for (;;) {
        struct config_value *item;

        skip(p, true);
        if (peek(p) == ']')
            break;
        item = config_add_item(v, p->error);
        if (!item || parse_value(p, item))
            return -1;
        skip(p, true);
        if (peek(p) == ',')
            take(p);
        else if (peek(p) != ']')
            return fail(p, "expected \",\" or \"]\" in a list",
                        "part the values with commas");
    }
    take(p);
    return 0;
}

static int parse_list(struct parser *p, struct config_value *v)
{
    int result;

    if (p->depth == DEPTH_MAX)
        return fail(p, "lists are nested too deeply", "no setting needs that");
    take(p);
    v->kind = CONFIG_LIST;
    p->depth++;
    result = parse_items(p, v);
    p->depth--;
    return result;
}

static int parse_value(struct parser *p, struct config_value *v)
{
    char c = peek(p);

    v->line = p->line;
    v->column = column_of(p, p->at);
    if (c == '"' || c == '\'')
        return parse_string(p, v);
    if (c == '[')
        return parse_list(p, v);
    if (is_digit(c) || c == '-')
        return parse_number(p, v);
    return fail(p, "expected a value",
                "a string in quotes, a number, or a list in [ ]");
}

static int parse_name(struct parser *p, char **name)
{
    size_t length = config_name_length(p->at, p->end);

    if (!length)
        return fail(p, "expected the name of a setting",
                    "lines are name = value; a comment starts with #");
    if (length > CONFIG_NAME_MAX)
        return fail(p, "this name is too long", "no setting is called so");
    *name = strndup(p->at, length);
    p->at += length;
    return *name ? 0 : fail_memory(p);
}

static int parse_equals(struct parser *p, bool *is_extension)
{
    skip(p, false);
    *is_extension = peek(p) == '+';
    if (*is_extension)
        take(p);
    if (peek(p) != '=')
        return fail(p, "expected \"=\" after a name",
                    "settings are written name = value");
    take(p);
    skip(p, false);
    return 0;
}

static int parse_setting(struct parser *p, struct config *c)
{
    struct config_setting s = {
        .source = p->source, .line = p->line, .column = column_of(p, p->at)};
    bool is_extension;
    int result;

    result = parse_name(p, &s.name);
    if (!result)
        result = parse_equals(p, &is_extension);
    if (!result)
        result = parse_value(p, &s.value);
    if (!result)
        result = config_set(c, &s, is_extension, p->error);
    free(s.name);
    config_value_free(&s.value);
    return result;
}

static int parse_file(struct parser *p, struct config *c)
{
    for (;;) {
        skip(p, true);
        if (p->at == p->end)
            return 0;
        if (peek(p) == ';') {
            take(p);
            continue;
        }
        if (parse_setting(p, c))
            return -1;
        skip(p, false);
        if (p->at < p->end && peek(p) != '\n' && peek(p) != ';')
            return fail(p, "more text after a value",
                        "start a new line, or put the text in quotes");
    }
}

/*
 * Parses text and adds its settings; a later "=" replaces an earlier one.
 * `source` names the text in errors. 0; -1 with EXIT_STATUS_USAGE whose
 * `what` starts with source:line:column, and with the settings before it.
 */
int config_parse(struct config *c, const char *source, const char *text,
                 size_t size, struct error *e)
{
    struct parser p = {.source = config_keep_source(c, source),
                       .at = text,
                       .end = text + size,
                       .line_start = text,
                       .line = 1,
                       .error = e};

    if (!p.source)
        return fail_memory(&p);
    return parse_file(&p, c);
}
