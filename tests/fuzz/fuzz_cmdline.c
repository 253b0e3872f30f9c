/* SPDX-License-Identifier: MIT */
/*
 * The parser of the command line. A zero in the input stands for "the next
 * byte picks an option's name or a usual value", so that no corpus is needed.
 */
#include <stdlib.h>

#include "core/cmdline.h"

enum {
    LINE_MAX_SIZE = 4096,
    FRAGMENT_MAX = 16,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct {
    bool flag;
    uint64_t number;
    uint64_t size;
    char text[16];
    char guard;
    unsigned int sides;
    struct cmdline_memory memory;
    struct cmdline_serial com1;
    struct cmdline_console console;
    struct cmdline_level level;
    struct cmdline_range vcpus;
} got;

static const char *const sides[] = {"lazy", "isolated", "classic", NULL};

static const struct cmdline_option options[] = {
    {.name = "flag", .kind = CMDLINE_BOOL, .target = &got.flag},
    {.name = "number",
     .kind = CMDLINE_NUMBER,
     .target = &got.number,
     .max = 1000},
    {.name = "size", .kind = CMDLINE_SIZE, .target = &got.size},
    {.name = "text",
     .kind = CMDLINE_STRING,
     .target = got.text,
     .capacity = sizeof(got.text)},
    {.name = "sides",
     .kind = CMDLINE_CHOICE,
     .target = &got.sides,
     .choices = sides},
    {.name = "dom0_mem",
     .kind = CMDLINE_CUSTOM,
     .target = &got.memory,
     .parse = cmdline_parse_memory},
    {.name = "com1",
     .kind = CMDLINE_CUSTOM,
     .target = &got.com1,
     .parse = cmdline_parse_serial},
    {.name = "console",
     .kind = CMDLINE_CUSTOM,
     .target = &got.console,
     .parse = cmdline_parse_console},
    {.name = "loglvl",
     .kind = CMDLINE_CUSTOM,
     .target = &got.level,
     .parse = cmdline_parse_level},
    {.name = "dom0_max_vcpus",
     .kind = CMDLINE_CUSTOM,
     .target = &got.vcpus,
     .parse = cmdline_parse_range},
};

static const char *const fragments[] = {
    " flag=",
    " no-flag",
    " number=",
    " size=",
    " text=",
    " sides=",
    " dom0_mem=",
    " com1=",
    " console=",
    " loglvl=",
    " dom0-max-vcpus=",
    " -- ",
    "min:",
    "max:",
    "115200,8n1",
    "0x3f8",
    "vga",
    "com1",
    "none",
    "all",
    "warning/",
    "isolated",
    "-",
    "%",
    ",",
    "18446744073709551615",
};

static void claim(bool claim_holds)
{
    if (!claim_holds)
        abort();
}

static void check_report(void *context, const char *word, const char *why)
{
    unsigned int *count = context;

    claim(strnlen(word, CMDLINE_WORD_MAX) < CMDLINE_WORD_MAX);
    claim(why && *why);
    (*count)++;
}

static char *make_line(const uint8_t *data, size_t size)
{
    char *line = malloc(size * FRAGMENT_MAX * 2 + 1);
    size_t length = 0;
    size_t i;

    for (i = 0; i < size; i++) {
        const char *fragment;

        if (data[i]) {
            line[length++] = (char)data[i];
            continue;
        }
        if (++i == size)
            break;
        fragment = fragments[data[i] % ARRAY_LEN(fragments)];
        memcpy(line + length, fragment, strlen(fragment));
        length += strlen(fragment);
    }
    line[length] = '\0';
    return realloc(line, length + 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned int count = 0;
    struct cmdline_reporter reporter = {check_report, &count};
    const char *rest;
    char *line;

    if (size > LINE_MAX_SIZE)
        return 0;
    memset(&got, 0, sizeof(got));
    line = make_line(data, size);
    claim(cmdline_parse(line, options, ARRAY_LEN(options), &reporter) == count);
    rest = cmdline_dom0_part(line);
    claim(!rest || (rest >= line && rest <= line + strlen(line)));
    claim(got.number <= 1000 && got.sides < 3 && !got.guard);
    claim(memchr(got.text, '\0', sizeof(got.text)) != NULL);
    claim(!got.com1.is_set || got.com1.baud <= 4000000);
    claim(got.level.lower <= got.level.upper && got.level.upper <= 4);
    claim(got.vcpus.min <= got.vcpus.max);
    free(line);
    return 0;
}
