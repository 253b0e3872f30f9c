/* SPDX-License-Identifier: MIT */
/*
 * The hypervisor's command line, in Xen's words. A line is a list of words
 * separated by blanks; quotes, ' or ", keep blanks inside a word. A word is
 * `name`, `name=value` or `no-name`; in names - and _ are the same letter.
 * A word `--` ends the line: what follows is the first domain's.
 *
 * Nothing on the line is fatal: what can't be understood is reported, by
 * name, and the option keeps the value it had. A later word overrides an
 * earlier one. No locks; meant for start-up.
 */
#pragma once

#include "core/types.h"

/* Longer words are reported and left out. */
#define CMDLINE_WORD_MAX 256u

enum cmdline_kind {
    CMDLINE_BOOL,   /* bool: name, no-name, name=1|0|on|off|true|false|... */
    CMDLINE_NUMBER, /* uint64_t, decimal or 0x..., within min and max */
    CMDLINE_SIZE,   /* uint64_t in bytes: suffix b k m g t, none means k */
    CMDLINE_STRING, /* char[capacity] */
    CMDLINE_CHOICE, /* unsigned int: index in `choices`, or its abbreviation */
    CMDLINE_CUSTOM, /* anything that `parse` understands */
};

/*
 * Parse a value into *target. "" stands for a missing value. Returns 0, or
 * -EINVAL with *why and the target unchanged.
 */
typedef int cmdline_parse_fn(void *target, const char *value, const char **why);

struct cmdline_option {
    const char *name;
    enum cmdline_kind kind;
    void *target;
    uint64_t min;               /* of a number or size */
    uint64_t max;               /* 0: no bound */
    size_t capacity;            /* of a string, with its end */
    const char *const *choices; /* ends with NULL */
    cmdline_parse_fn *parse;    /* of a custom option */
};

/* Called for each word that was not understood. `word` is cut if too long. */
typedef void cmdline_report_fn(void *context, const char *word,
                               const char *why);

struct cmdline_reporter {
    cmdline_report_fn *report;
    void *context;
};

/* An amount of memory that may depend on how much there is. */
enum cmdline_amount_kind {
    CMDLINE_AMOUNT_UNSET,
    CMDLINE_AMOUNT_BYTES,   /* n bytes */
    CMDLINE_AMOUNT_ALL_BUT, /* all but n bytes */
    CMDLINE_AMOUNT_PERCENT, /* n percent of all */
};

struct cmdline_amount {
    enum cmdline_amount_kind kind;
    uint64_t n;
};

/* dom0_mem=1G,min:512M,max:2G */
struct cmdline_memory {
    struct cmdline_amount want;
    struct cmdline_amount min;
    struct cmdline_amount max;
};

/* com1=115200,8n1,0x3f8,4; a field left out keeps its value. */
struct cmdline_serial {
    bool is_set;   /* the option was given */
    uint32_t baud; /* 0: leave the line as the firmware set it up */
    uint8_t data_bits;
    char parity; /* n o e m s */
    uint8_t stop_bits;
    uint16_t port;
    uint8_t irq; /* 0: poll */
};

/* console=com1,vga */
struct cmdline_console {
    bool com1;
    bool com2;
    bool vga;
};

/*
 * loglvl=lower/upper: messages up to `lower` are always printed, those up to
 * `upper` at a limited rate. 0 none, 1 errors, 2 warnings, 3 info, 4 all.
 */
struct cmdline_level {
    uint8_t lower;
    uint8_t upper;
};

/* dom0_max_vcpus=4, 2-4, 2- or -4 */
struct cmdline_range {
    uint32_t min;
    uint32_t max;
};

unsigned int cmdline_parse(const char *line,
                           const struct cmdline_option *options, size_t count,
                           const struct cmdline_reporter *reporter);
const char *cmdline_dom0_part(const char *line);
uint64_t cmdline_amount_of(const struct cmdline_amount *amount, uint64_t all,
                           uint64_t unset);

cmdline_parse_fn cmdline_parse_memory;
cmdline_parse_fn cmdline_parse_serial;
cmdline_parse_fn cmdline_parse_console;
cmdline_parse_fn cmdline_parse_level;
cmdline_parse_fn cmdline_parse_range;
