/* SPDX-License-Identifier: MIT */
/*
 * The hypervisor's command line, in Xen's words. A line is a list of words
 * separated by blanks. A word is `name` or `name=value`; in names - and _ are
 * the same letter. A word `--` ends the line: what follows is the first
 * domain's.
 *
 * Nothing on the line is fatal: what can't be understood is logged, by name,
 * and the option keeps the value it had. A later word overrides an earlier
 * one. No locks; meant for start-up.
 */
#pragma once

#include "core/types.h"

/* Longer words are reported and left out. */
#define CMDLINE_WORD_MAX 256u

/*
 * Moves past the value at *at, whose end is its word's, and puts it into *out,
 * which has the old one. False when it makes no sense.
 */
typedef bool cmdline_parse_fn(const char **at, const char *form, void *out);

struct cmdline_option {
    const char *name;
    cmdline_parse_fn *parse; /* NULL: whatever its value, it is ignored */
    void *target;            /* what `parse` says it is */
    size_t size;             /* of that; at most a cmdline_memory's */
    const char *form; /* a/b/c: the words to choose from; or an example */
};

#define CMDLINE_OPTION(name, kind, target, form)                               \
    {                                                                          \
        name, cmdline_parse_##kind, &(target), sizeof(target), form            \
    }

/* An amount of memory, or all but that. */
struct cmdline_amount {
    bool is_set, is_rest;
    uint64_t bytes;
    uint64_t percent; /* in place of bytes: of what is free */
};

/* dom0_mem=1G,min:512M,max:2G */
struct cmdline_memory {
    struct cmdline_amount want, min, max;
};

/* com1=115200,8n1,0x3f8,4; a field left out keeps its value. */
struct cmdline_serial {
    uint64_t baud;  /* 0: leave the line as the firmware set it up */
    char format[3]; /* 5 to 8 data bits; n o e m s: parity; 1 or 2 stop bits */
    uint64_t port;
    uint64_t irq; /* below 256; 0: no input */
};

/* dom0_max_vcpus=4, 2-4, 2- or -4 */
struct cmdline_range {
    uint32_t min, max;
};

void cmdline_parse(const char *line, const struct cmdline_option *options,
                   size_t count);
uint64_t cmdline_amount_of(const struct cmdline_amount *amount, uint64_t all,
                           uint64_t unset);

cmdline_parse_fn cmdline_parse_bool, cmdline_parse_choice, cmdline_parse_set,
    cmdline_parse_memory, cmdline_parse_serial, cmdline_parse_range;
