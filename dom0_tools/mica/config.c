/* SPDX-License-Identifier: MIT */
/*
 * Configurations as the parser leaves them: settings by name, and where they
 * come from.
 */
#include "dom0_tools/mica/config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    FILE_MAX = 1 << 20,
    SETTINGS_MAX = 1024,
};

static int fail_memory(struct error *e)
{
    return error_set(e, EXIT_STATUS_NO_MEMORY, "not enough memory");
}

/* See config.h. */
struct config_value *config_add_item(struct config_value *v, struct error *e)
{
    struct config_value *items = v->items;

    if (!(v->count & (v->count - 1))) {
        size_t room = v->count ? v->count * 2ul : 1;

        items = realloc(items, room * sizeof(*items));
        if (!items) {
            fail_memory(e);
            return NULL;
        }
        v->items = items;
    }
    items[v->count] = (struct config_value){0};
    return &items[v->count++];
}

/* See config.h. */
void config_value_free(struct config_value *v)
{
    while (v->count)
        config_value_free(&v->items[--v->count]);
    free(v->items);
    free(v->text);
    *v = (struct config_value){0};
}

/* Starts an empty configuration. config_free() takes any. */
void config_init(struct config *c)
{
    *c = (struct config){0};
}

void config_free(struct config *c)
{
    while (c->count) {
        struct config_setting *s = &c->settings[--c->count];

        free(s->name);
        config_value_free(&s->value);
    }
    while (c->source_count)
        free(c->sources[--c->source_count]);
    free(c->settings);
    free(c->sources);
    config_init(c);
}

static struct config_setting *find(const struct config *c, const char *name)
{
    unsigned i;

    for (i = 0; i < c->count; i++)
        if (!strcmp(c->settings[i].name, name))
            return &c->settings[i];
    return NULL;
}

/* The setting of that name, or NULL. */
const struct config_setting *config_find(const struct config *c,
                                         const char *name)
{
    return find(c, name);
}

/* The setting of that name, new if need be; takes over `name`. */
static struct config_setting *obtain(struct config *c, char *name,
                                     struct error *e)
{
    struct config_setting *s = find(c, name);

    if (s) {
        free(name);
        return s;
    }
    s = c->count < SETTINGS_MAX
            ? realloc(c->settings, (c->count + 1ul) * sizeof(*s))
            : NULL;
    if (!s) {
        free(name);
        error_set(e, EXIT_STATUS_NO_MEMORY, "no room for more settings");
        return NULL;
    }
    c->settings = s;
    s += c->count++;
    *s = (struct config_setting){.name = name};
    return s;
}

static int fail_join(const struct config_setting *s, struct error *e)
{
    error_set(e, EXIT_STATUS_USAGE,
              "%.120s:%u:%u: \"+=\" can't join these "
              "values",
              s->source, s->value.line, s->value.column);
    return error_hint(e, "it extends a string by a string, a list by a list");
}

/* "+=": strings grow by strings, lists by the items of lists. */
static int extend(struct config_setting *s, struct config_setting *with,
                  struct error *e)
{
    struct config_value *v = &s->value, *more = &with->value;
    unsigned i;

    if (v->kind != more->kind || v->kind == CONFIG_NUMBER)
        return fail_join(with, e);
    if (v->kind == CONFIG_STRING) {
        size_t length = strlen(v->text);
        char *text = realloc(v->text, length + strlen(more->text) + 1);

        if (!text)
            return fail_memory(e);
        strcpy(text + length, more->text);
        v->text = text;
        return 0;
    }
    for (i = 0; i < more->count; i++) {
        struct config_value *item = config_add_item(v, e);

        if (!item)
            return -1;
        *item = more->items[i];
        more->items[i] = (struct config_value){0};
    }
    return 0;
}

/* See config.h. */
int config_set(struct config *c, struct config_setting *new, bool is_extension,
               struct error *e)
{
    struct config_setting *s = obtain(c, new->name, e);

    new->name = NULL;
    if (!s)
        return -1;
    if (is_extension && s->source)
        return extend(s, new, e);
    config_value_free(&s->value);
    s->source = new->source;
    s->line = new->line;
    s->column = new->column;
    s->value = new->value;
    new->value = (struct config_value){0};
    return 0;
}

/* See config.h. */
const char *config_keep_source(struct config *c, const char *source)
{
    char **sources =
        realloc(c->sources, (c->source_count + 1ul) * sizeof(*sources));
    char *copy = strdup(source);

    if (sources)
        c->sources = sources;
    if (!sources || !copy) {
        free(copy);
        return NULL;
    }
    return c->sources[c->source_count++] = copy;
}

/* Reads a file of at most FILE_MAX bytes. The size, or -1 with errno. */
static ssize_t read_all(int fd, char *text)
{
    size_t size = 0;

    while (size <= FILE_MAX) {
        ssize_t n = read(fd, text + size, FILE_MAX + 1 - size);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        if (!n)
            return (ssize_t)size;
        size += (size_t)n;
    }
    errno = EFBIG;
    return -1;
}

/* The same for a file; "-" is the standard input. */
int config_read(struct config *c, const char *path, struct error *e)
{
    bool is_stdin = !strcmp(path, "-");
    char *text = malloc(FILE_MAX + 1);
    int fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    ssize_t size = fd < 0 || !text ? -1 : read_all(fd, text);
    int number = errno;
    int result;

    if (size < 0) {
        result = error_set_errno(e, number, "can't read %.120s", path);
        if (number == ENOENT)
            error_hint(e, "write the path of a configuration file; "
                          "mica.cfg(5) says what it may contain");
    } else {
        result = config_parse(c, is_stdin ? "standard input" : path, text,
                              (size_t)size, e);
    }
    if (!is_stdin && fd >= 0)
        close(fd);
    free(text);
    return result;
}

static int parse_bare(struct config *c, const char *argument,
                      const char *equals, struct error *e)
{
    const char *source = config_keep_source(c, "argument");
    struct config_setting s = {.source = source, .line = 1, .column = 1};

    s.name = strndup(argument, (size_t)(equals - argument));
    s.value.text = strdup(equals + 1);
    s.value.line = 1;
    s.value.column = (unsigned)(equals - argument) + 2;
    if (!source || !s.name || !s.value.text || config_set(c, &s, false, e)) {
        free(s.name);
        config_value_free(&s.value);
        return fail_memory(e);
    }
    return 0;
}

static bool is_bare_setting(const char *argument, const char *equals)
{
    size_t length;

    if (!equals || (equals[1] && strchr("\"'[", equals[1])))
        return false;
    length = (size_t)(equals - argument);
    return length && length <= CONFIG_NAME_MAX &&
           config_name_length(argument, equals) == length;
}

/*
 * The same for one setting given as an argument. What is no value by the
 * grammar is taken as a string: name=web needs no quotes, ramdisk= is empty.
 */
int config_parse_argument(struct config *c, const char *argument,
                          struct error *e)
{
    const char *equals = strchr(argument, '=');
    struct error why;

    if (!config_parse(c, "argument", argument, strlen(argument), &why))
        return 0;
    if (is_bare_setting(argument, equals))
        return parse_bare(c, argument, equals, e);
    error_set(e, EXIT_STATUS_USAGE, "\"%.80s\" is no setting", argument);
    error_why(e, "%s", why.what);
    return error_hint(e, "%s", why.hint);
}

/* What kind of value it is, for messages: "a string". */
const char *config_kind_name(enum config_kind kind)
{
    static const char *const names[] = {"a string", "a number", "a list"};

    return names[kind];
}
