/* SPDX-License-Identifier: MIT */
/*
 * mica, the command line of the first domain: finds the verb, runs it, and
 * says what went wrong. Called as "xl" it is the same program.
 */
#include <string.h>
#include <unistd.h>

#include "dom0_tools/mica/help.h"
#include "dom0_tools/mica/verb.h"

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

static int check_root(const struct verb *verb, struct error *e)
{
    if (!(verb->flags & VERB_NEEDS_ROOT) || !geteuid())
        return 0;
    error_set(e, EXIT_STATUS_REFUSED, "%s needs root", verb->name);
    return error_hint(e, "try \"sudo mica %s\"", verb->name);
}

static int run(const char *program, unsigned count, char **words,
               struct error *e)
{
    const struct verb *verb = verb_find(words[0], e);
    struct call call;
    int result;

    if (!verb)
        return -1;
    result = call_begin(&call, verb, count - 1, words + 1, stdout, e);
    call.program = program;
    if (!result && call.wants_help)
        help_print_verb(verb, stdout);
    else if (!result)
        result = check_root(verb, e) ? -1 : verb->run(&call, e);
    call_end(&call);
    if (fflush(stdout) && !result)
        result = error_set(e, EXIT_STATUS_FAILED, "can't write the output");
    return result;
}

/* Options before the verb: help, and xl's that change nothing here. */
static unsigned skip_options(int argc, char **argv)
{
    int i = 1;

    while (i < argc && argv[i][0] == '-' && argv[i][1] &&
           !argv[i][1 + strspn(argv[i] + 1, "vftT")])
        i++;
    return (unsigned)i;
}

/* Exits with a status of error.h. */
int main(int argc, char **argv)
{
    const char *program = argc ? base_name(argv[0]) : "mica";
    unsigned first = skip_options(argc, argv);
    struct error e = {0};

    if (strcmp(program, "xl"))
        program = "mica";
    if (first >= (unsigned)argc) {
        help_print_all(stderr);
        return EXIT_STATUS_USAGE;
    }
    if (!strcmp(argv[first], "-h") || !strcmp(argv[first], "--help")) {
        help_print_all(stdout);
        return EXIT_STATUS_OK;
    }
    if (!run(program, (unsigned)argc - first, argv + first, &e))
        return EXIT_STATUS_OK;
    error_print(&e, program, stderr);
    return (int)e.status;
}
