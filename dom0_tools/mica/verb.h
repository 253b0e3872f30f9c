/* SPDX-License-Identifier: MIT */
/*
 * The verbs of `mica`: one row says everything about one of them, and the
 * help, the manual page, the shell's completion and the parser of its options
 * all read that row. Each family of verbs is a file with a table of rows and
 * a function that returns it; verb.c lists those functions.
 *
 * A verb prints what it has to report on call->out and returns 0, or fills
 * the error and returns -1; it prints no error itself, except those about
 * single domains when it goes on with the others.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "dom0_tools/lib/error.h"

struct control;
struct store;
struct call;

/* What an operand stands for, which is what the shell completes it with. */
enum verb_operand {
    VERB_OPERAND_NONE,
    VERB_OPERAND_DOMAIN,
    VERB_OPERAND_FILE,
    VERB_OPERAND_VERB,
    VERB_OPERAND_WORD, /* one of `words` */
};

enum {
    VERB_NEEDS_ROOT = 1u << 0,
    VERB_REPORTS = 1u << 1,     /* understands --json */
    VERB_IS_INTERNAL = 1u << 2, /* called by Mica, not listed */
};

/* An option. Tables of them end with a row without a help text. */
struct verb_option {
    char letter;       /* 0: none */
    const char *name;  /* without the dashes; NULL: none */
    const char *value; /* what it takes, in capitals; NULL: nothing */
    const char *help;  /* one line, no full stop */
};

struct verb {
    const char *name;
    const char *alias;    /* another name, or NULL */
    const char *synopsis; /* of the operands: "DOMAIN [FILE]"; or "" */
    const char *help;     /* one line, no full stop */
    const char *details;  /* paragraphs parted by empty lines, or NULL */
    const struct verb_option *options; /* or NULL */
    const char *words; /* for VERB_OPERAND_WORD: parted by blanks; or NULL */
    enum verb_operand operand;
    unsigned flags;                      /* VERB_* */
    unsigned min_operands, max_operands; /* max 0: none; ~0u: any number */
    int (*run)(struct call *call, struct error *e);
};

/* One call of a verb. */
struct call {
    const struct verb *verb;
    const char *program; /* "mica", or "xl" */
    FILE *out;
    bool json;               /* report in JSON */
    bool wants_help;         /* in place of the work of the verb */
    char **operands;         /* NULL after the last */
    unsigned count;          /* of operands */
    const char **given;      /* option k's value, "" without; NULL: not given */
    struct control *control; /* NULL until call_control() */
    struct store *store;     /* NULL until call_store() */
    bool has_waited;         /* for the store, which is worth doing once */
};

/* The families; each returns a table that ends with a row without a name. */
const struct verb *config_verbs(void);
const struct verb *console_verbs(void);
const struct verb *core_verbs(void);
const struct verb *create_verbs(void);
const struct verb *help_verbs(void);
const struct verb *info_verbs(void);
const struct verb *life_verbs(void);
const struct verb *list_verbs(void);
const struct verb *memory_verbs(void);
const struct verb *monitor_verbs(void);
const struct verb *name_verbs(void);
const struct verb *store_verbs(void);
const struct verb *system_verbs(void);
const struct verb *top_verbs(void);
const struct verb *vcpu_verbs(void);

/* The verb after `previous`, first family first; NULL starts and ends. */
const struct verb *verb_next(const struct verb *previous);

/*
 * Finds a verb by its name, its alias or an unambiguous beginning of them.
 * NULL with EXIT_STATUS_USAGE, which names the candidates or the nearest.
 */
const struct verb *verb_find(const char *word, struct error *e);

/*
 * The name nearest to a misspelt word among names[0..count), NULL if none
 * is near enough to be meant.
 */
const char *verb_nearest(const char *word, const char *const *names,
                         unsigned count);

/*
 * Starts a call: sorts the words after the verb into options and operands.
 * 0; -1 with EXIT_STATUS_USAGE. Ends with call_end() in either case.
 */
int call_begin(struct call *call, const struct verb *verb, unsigned count,
               char **words, FILE *out, struct error *e);
void call_end(struct call *call);

/* Whether an option was given: its name, or its letter as a string. */
bool call_has(const struct call *call, const char *option);

/* The value of an option, the last if given more than once, or NULL. */
const char *call_value(const struct call *call, const char *option);

/* The hypervisor and the store, opened when first asked for; the call's. */
struct control *call_control(struct call *call, struct error *e);
struct store *call_store(struct call *call, struct error *e);

/* Prints a report and gives up the reference. NULL is out of memory. */
int call_report(struct call *call, json_t *report, struct error *e);
