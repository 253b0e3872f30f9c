/* SPDX-License-Identifier: MIT */
/*
 * The families of verbs in the order of the manual, and finding one of them
 * by what a person typed.
 */
#include "dom0_tools/mica/verb.h"

#include <string.h>

enum {
    VERBS_MAX = 128,
    LIST_MAX = 256,
};

static const struct verb *(*const families[])(void) = {
    create_verbs, list_verbs,   life_verbs,    console_verbs, name_verbs,
    info_verbs,   system_verbs, vcpu_verbs,    memory_verbs,  config_verbs,
    store_verbs,  core_verbs,   monitor_verbs, top_verbs,     help_verbs,
};

enum { FAMILIES = sizeof(families) / sizeof(families[0]) };

static const struct verb *first_from(unsigned family)
{
    for (; family < FAMILIES; family++)
        if (families[family]()->name)
            return families[family]();
    return NULL;
}

static unsigned family_of(const struct verb *verb)
{
    const struct verb *v;
    unsigned i;

    for (i = 0; i < FAMILIES; i++)
        for (v = families[i](); v->name; v++)
            if (v == verb)
                return i;
    return FAMILIES;
}

/* The verb after `previous`, first family first; NULL starts and ends. */
const struct verb *verb_next(const struct verb *previous)
{
    if (!previous)
        return first_from(0);
    if (previous[1].name)
        return previous + 1;
    return first_from(family_of(previous) + 1);
}

static const struct verb *find_exactly(const char *word)
{
    const struct verb *v = NULL;

    while ((v = verb_next(v)))
        if (!strcmp(v->name, word) || (v->alias && !strcmp(v->alias, word)))
            return v;
    return NULL;
}

static bool starts_with(const char *name, const char *start)
{
    return name && !strncmp(name, start, strlen(start));
}

/* The verbs whose name starts with `word`, their number, and their list. */
static unsigned find_by_start(const char *word, const struct verb **found,
                              char list[LIST_MAX])
{
    const struct verb *v = NULL;
    unsigned count = 0;

    list[0] = '\0';
    while ((v = verb_next(v))) {
        bool is_name = starts_with(v->name, word);
        size_t used = strlen(list);

        if ((v->flags & VERB_IS_INTERNAL) ||
            (!is_name && !starts_with(v->alias, word)))
            continue;
        *found = v;
        snprintf(list + used, LIST_MAX - used, "%s%s", count ? ", " : "",
                 is_name ? v->name : v->alias);
        count++;
    }
    return count;
}

static const struct verb *fail_unknown(const char *word, struct error *e)
{
    const char *names[VERBS_MAX];
    const struct verb *v = NULL;
    const char *nearest;
    unsigned count = 0;

    while ((v = verb_next(v)) && count < VERBS_MAX)
        if (!(v->flags & VERB_IS_INTERNAL))
            names[count++] = v->name;
    error_set(e, EXIT_STATUS_USAGE, "unknown verb \"%.64s\"", word);
    nearest = verb_nearest(word, names, count);
    if (nearest)
        error_hint(e, "did you mean \"%s\"? \"mica help\" lists all verbs",
                   nearest);
    else
        error_hint(e, "\"mica help\" lists all verbs");
    return NULL;
}

/*
 * Finds a verb by its name, its alias or an unambiguous beginning of them.
 * NULL with EXIT_STATUS_USAGE, which names the candidates or the nearest.
 */
const struct verb *verb_find(const char *word, struct error *e)
{
    const struct verb *found = find_exactly(word);
    char list[LIST_MAX];
    unsigned count;

    if (found)
        return found;
    count = *word ? find_by_start(word, &found, list) : 0;
    if (count == 1)
        return found;
    if (!count)
        return fail_unknown(word, e);
    error_set(e, EXIT_STATUS_USAGE, "the verb \"%.64s\" is ambiguous", word);
    error_why(e, "it may be one of %s", list);
    error_hint(e, "write another letter");
    return NULL;
}
