/* SPDX-License-Identifier: MIT */
/*
 * The verb help: what a person reads at the terminal. The manual, its copy
 * for the documents, and the shell's completion are made by manual.c.
 */
#include "dom0_tools/mica/help.h"

#include <string.h>

#include "dom0_tools/mica/manual.h"
#include "dom0_tools/mica/verb.h"

enum { WIDTH = 78, NAME_WIDTH = 15, OPTION_WIDTH = 26 };

/* Breaks paragraphs into lines. */
static void print_wrapped(const char *text, unsigned indent, FILE *out)
{
    unsigned column = 0;

    while (*text) {
        size_t length = strcspn(text, " \n");

        if (column && column + 1 + length > WIDTH) {
            fputc('\n', out);
            column = 0;
        }
        if (!column)
            column = (unsigned)fprintf(out, "%*s", (int)indent, "");
        else
            column += (unsigned)fprintf(out, " ");
        column += (unsigned)fprintf(out, "%.*s", (int)length, text);
        text += length;
        if (*text == '\n') {
            fputs("\n\n", out);
            column = 0;
        }
        text += strspn(text, " \n");
    }
    fputc('\n', out);
}

static void print_option(const struct verb_option *option, FILE *out)
{
    char text[64];

    verb_option_text(option, text, sizeof(text));
    fprintf(out, "  %-*s %s\n", OPTION_WIDTH, text, option->help);
}

static void print_options(const struct verb *verb, FILE *out)
{
    const struct verb_option *option;
    const struct verb_option json = {0, "json", NULL, "report in JSON"};
    const struct verb_option help = {'h', "help", NULL, "this text"};

    fputs("\nOptions:\n", out);
    for (option = verb->options; option && option->help; option++)
        print_option(option, out);
    if (verb->flags & VERB_REPORTS)
        print_option(&json, out);
    print_option(&help, out);
}

/* See help.h. */
void help_print_verb(const struct verb *verb, FILE *out)
{
    fprintf(out, "Usage: mica %s [OPTIONS]%s%s\n", verb->name,
            *verb->synopsis ? " " : "", verb->synopsis);
    if (verb->alias)
        fprintf(out, "       mica %s ...\n", verb->alias);
    fputc('\n', out);
    print_wrapped(verb->help, 0, out);
    print_options(verb, out);
    if (verb->details) {
        fputc('\n', out);
        print_wrapped(verb->details, 0, out);
    }
}

/* See help.h. */
void help_print_all(FILE *out)
{
    const struct verb *verb = NULL;

    fputs("Usage: mica VERB [OPTIONS] [ARGUMENTS]\n\n", out);
    while ((verb = verb_next(verb)))
        if (!(verb->flags & VERB_IS_INTERNAL))
            fprintf(out, "  %-*s %s\n", NAME_WIDTH, verb->name, verb->help);
    fputs("\nVerbs may be shortened while they stay unambiguous. \"mica help "
          "VERB\"\ntells more about one; mica(1) and mica.cfg(5) are the "
          "manual.\n",
          out);
}

static int print_made(struct call *call, const char *kind, struct error *e)
{
    if (!strcmp(kind, "bash"))
        manual_print_completion(call->out);
    else if (!strcmp(kind, "verbs"))
        manual_print_verbs(call->out);
    else if (!strcmp(kind, "settings"))
        manual_print_settings(call->out);
    else if (!strcmp(kind, "markdown"))
        manual_print_markdown(call->out);
    else {
        error_set(e, EXIT_STATUS_USAGE, "help: \"%.40s\" can't be made", kind);
        return error_hint(e, "there are bash, verbs, settings and markdown");
    }
    return 0;
}

static int run_help(struct call *call, struct error *e)
{
    const char *kind = call_value(call, "completion");
    const struct verb *verb;

    if (!kind)
        kind = call_value(call, "manual");
    if (kind)
        return print_made(call, kind, e);
    if (!call->count) {
        help_print_all(call->out);
        return 0;
    }
    verb = verb_find(call->operands[0], e);
    if (!verb)
        return -1;
    help_print_verb(verb, call->out);
    return 0;
}

static const struct verb_option options[] = {
    {0, "completion", "SHELL", "print what bash needs to complete verbs"},
    {0, "manual", "PART", "print a part of the manual's source"},
    {0},
};

static const struct verb verbs[] = {
    {.name = "help",
     .synopsis = "[VERB]",
     .help = "list the verbs, or explain one of them",
     .options = options,
     .operand = VERB_OPERAND_VERB,
     .max_operands = 1,
     .run = run_help},
    {0},
};

/* See verb.h. */
const struct verb *help_verbs(void)
{
    return verbs;
}
