/* SPDX-License-Identifier: MIT */
/*
 * One call of a verb: sorting its words into options and operands, and what
 * every verb needs while it runs. Options may stand anywhere before a "--";
 * long ones may be shortened as long as they stay unambiguous.
 */
#include "dom0_tools/mica/verb.h"

#include <stdlib.h>
#include <string.h>

#include "dom0_tools/lib/control.h"
#include "dom0_tools/lib/store.h"

/* Where the parser is. */
struct words {
    char **next;
    unsigned left;
};

static unsigned count_options(const struct verb *verb)
{
    unsigned count = 0;

    while (verb->options && verb->options[count].help)
        count++;
    return count;
}

static int fail_usage(const struct call *call, struct error *e,
                      const char *word, const char *why)
{
    error_set(e, EXIT_STATUS_USAGE, "%s: %.80s", call->verb->name, word);
    error_why(e, "%s", why);
    return error_hint(e, "see \"mica help %s\"", call->verb->name);
}

static char *take_word(struct words *words)
{
    words->left--;
    return *words->next++;
}

/* Notes option k; its value comes with it, or is the next word. */
static int take_option(struct call *call, unsigned k, const char *value,
                       struct words *words, struct error *e)
{
    const struct verb_option *option = &call->verb->options[k];
    char name[64];

    if (option->name)
        snprintf(name, sizeof(name), "--%s", option->name);
    else
        snprintf(name, sizeof(name), "-%c", option->letter);
    if (!option->value) {
        if (value)
            return fail_usage(call, e, name, "this option takes no value");
        call->given[k] = "";
        return 0;
    }
    if (!value && !words->left)
        return fail_usage(call, e, name, "this option needs a value");
    call->given[k] = value ? value : take_word(words);
    return 0;
}

/* "-abc", "-fFILE", "-f FILE"; `letters` is behind the dash. */
static int take_letters(struct call *call, const char *letters,
                        struct words *words, struct error *e)
{
    unsigned count = count_options(call->verb);
    char word[3] = "-?";
    unsigned k;

    for (; *letters; letters++) {
        if (*letters == 'h') {
            call->wants_help = true;
            continue;
        }
        for (k = 0; k < count; k++)
            if (call->verb->options[k].letter == *letters)
                break;
        word[1] = *letters;
        if (k == count)
            return fail_usage(call, e, word, "there is no such option");
        if (call->verb->options[k].value)
            return take_option(call, k, letters[1] ? letters + 1 : NULL, words,
                               e);
        call->given[k] = "";
    }
    return 0;
}

/* How well `name`, of `length`, fits: 2 is the name itself, 1 its start. */
static unsigned fit(const char *option, const char *name, size_t length)
{
    if (!option || strncmp(option, name, length))
        return 0;
    return option[length] ? 1 : 2;
}

/* Options that all verbs have. */
static bool take_common(struct call *call, const char *name, size_t length)
{
    if (fit("help", name, length) == 2) {
        call->wants_help = true;
        return true;
    }
    if ((call->verb->flags & VERB_REPORTS) && fit("json", name, length) == 2) {
        call->json = true;
        return true;
    }
    return false;
}

/* "--name", "--name=value", "--name value"; `word` has the dashes. */
static int take_long(struct call *call, char *word, struct words *words,
                     struct error *e)
{
    const char *name = word + 2;
    size_t length = strcspn(name, "=");
    unsigned count = count_options(call->verb);
    unsigned k, matches = 0, found = 0;

    if (!name[length] && take_common(call, name, length))
        return 0;
    for (k = 0; k < count; k++) {
        unsigned how = fit(call->verb->options[k].name, name, length);

        if (how == 2)
            matches = 0;
        if (how) {
            found = k;
            matches++;
        }
        if (how == 2)
            break;
    }
    if (matches != 1)
        return fail_usage(call, e, word,
                          matches ? "more than one option starts like this"
                                  : "there is no such option");
    return take_option(call, found, name[length] ? name + length + 1 : NULL,
                       words, e);
}

static int take_words(struct call *call, struct words *words, struct error *e)
{
    bool are_options = true;

    while (words->left) {
        char *word = take_word(words);

        if (are_options && !strcmp(word, "--")) {
            are_options = false;
        } else if (are_options && word[0] == '-' && word[1] == '-') {
            if (take_long(call, word, words, e))
                return -1;
        } else if (are_options && word[0] == '-' && word[1]) {
            if (take_letters(call, word + 1, words, e))
                return -1;
        } else {
            call->operands[call->count++] = word;
        }
    }
    return 0;
}

static int check_count(const struct call *call, struct error *e)
{
    const struct verb *verb = call->verb;

    if (call->wants_help)
        return 0;
    if (call->count < verb->min_operands) {
        error_set(e, EXIT_STATUS_USAGE, "%s: too few arguments", verb->name);
        error_why(e, "it wants \"%s\"", verb->synopsis);
    } else if (call->count > verb->max_operands) {
        error_set(e, EXIT_STATUS_USAGE, "%s: \"%.80s\" is too much", verb->name,
                  call->operands[verb->max_operands]);
        if (verb->max_operands)
            error_why(e, "it wants \"%s\"", verb->synopsis);
        else
            error_why(e, "it takes no arguments");
    } else {
        return 0;
    }
    return error_hint(e, "see \"mica help %s\"", verb->name);
}

/*
 * Starts a call: sorts the words after the verb into options and operands.
 * 0; -1 with EXIT_STATUS_USAGE. Ends with call_end() in either case.
 */
int call_begin(struct call *call, const struct verb *verb, unsigned count,
               char **words, FILE *out, struct error *e)
{
    struct words all = {words, count};

    *call = (struct call){.verb = verb, .program = "mica", .out = out};
    call->operands = calloc(count + 1ul, sizeof(*call->operands));
    call->given = calloc(count_options(verb) + 1ul, sizeof(*call->given));
    if (!call->operands || !call->given)
        return error_set(e, EXIT_STATUS_NO_MEMORY, "not enough memory");
    if (take_words(call, &all, e))
        return -1;
    return check_count(call, e);
}

/* Ends a call: closes and frees what it had. */
void call_end(struct call *call)
{
    control_close(call->control);
    store_close(call->store);
    free(call->operands);
    free(call->given);
    *call = (struct call){0};
}

/* The value of an option, the last if given more than once, or NULL. */
const char *call_value(const struct call *call, const char *option)
{
    unsigned count = count_options(call->verb);
    unsigned k;

    for (k = 0; k < count; k++) {
        const struct verb_option *o = &call->verb->options[k];

        if ((o->name && !strcmp(o->name, option)) ||
            (option[0] == o->letter && !option[1]))
            return call->given[k];
    }
    return NULL;
}

/* Whether an option was given: its name, or its letter as a string. */
bool call_has(const struct call *call, const char *option)
{
    return call_value(call, option) != NULL;
}

/* The hypervisor, opened when first asked for; the call's. */
struct control *call_control(struct call *call, struct error *e)
{
    if (!call->control)
        call->control = control_open(e);
    return call->control;
}

/* The store, opened when first asked for; the call's. */
struct store *call_store(struct call *call, struct error *e)
{
    if (!call->store)
        call->store = call->has_waited
                          ? store_open_at(getenv("XENSTORED_PATH"), e)
                          : store_open(e);
    call->has_waited = true;
    return call->store;
}

/* Prints a report and gives up the reference. NULL is out of memory. */
int call_report(struct call *call, json_t *report, struct error *e)
{
    if (!report)
        return error_set(e, EXIT_STATUS_NO_MEMORY, "not enough memory");
    json_dumpf(report, call->out, JSON_INDENT(4));
    fputc('\n', call->out);
    json_decref(report);
    return 0;
}
