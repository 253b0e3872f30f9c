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
    unsigned int sides, consoles;
    struct cmdline_memory memory;
    struct cmdline_serial com1;
    unsigned level;
    struct cmdline_range vcpus;
} got;

static const char *const sides[] = {"lazy", "isolated", "classic", NULL};
static const char *const consoles[] = {"com1", "com2", "vga", "none", NULL};

static const struct cmdline_option options[] = {
    {.name = "flag", .parse = cmdline_parse_bool, .target = &got.flag},
    {.name = "number",
     .parse = cmdline_parse_number,
     .target = &got.number,
     .max = 1000},
    {.name = "ignored"},
    {.name = "sides",
     .parse = cmdline_parse_choice,
     .target = &got.sides,
     .choices = sides},
    {.name = "console",
     .parse = cmdline_parse_set,
     .target = &got.consoles,
     .choices = consoles},
    {.name = "dom0_mem", .parse = cmdline_parse_memory, .target = &got.memory},
    {.name = "com1", .parse = cmdline_parse_serial, .target = &got.com1},
    {.name = "loglvl", .parse = cmdline_parse_level, .target = &got.level},
    {.name = "dom0_max_vcpus",
     .parse = cmdline_parse_range,
     .target = &got.vcpus},
};

static const char *const fragments[] = {
    " flag=",     " flag",  " number=",  " ignored=",  " sides=",
    " dom0_mem=", " com1=", " console=", " loglvl=",   " dom0-max-vcpus=",
    " -- ",       "min:",   "max:",      "115200,8n1", "0x3f8",
    "vga",        "com1",   "none",      "all",        "warning/",
    "isolated",   "-",      "%",         ",",          "18446744073709551615",
};

static void claim(bool claim_holds)
{
    if (!claim_holds)
        abort();
}

static void check_report(const char *word, const char *why)
{
    claim(strnlen(word, CMDLINE_WORD_MAX) < CMDLINE_WORD_MAX);
    claim(why && *why);
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
    char *line;

    if (size > LINE_MAX_SIZE)
        return 0;
    memset(&got, 0, sizeof(got));
    line = make_line(data, size);
    cmdline_parse(line, options, ARRAY_LEN(options), check_report);
    claim(got.number <= 1000 && got.sides < 3 && got.consoles < 16);
    claim(got.com1.baud <= 115200 && got.com1.port <= 0xfff8);
    claim(got.level <= LOG_LEVELS);
    claim(got.vcpus.min <= got.vcpus.max);
    free(line);
    return 0;
}
