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
    unsigned sides, consoles;
    struct cmdline_memory memory;
    struct cmdline_serial com1;
    struct cmdline_range vcpus;
} got;

static const struct cmdline_option options[] = {
    CMDLINE_OPTION("flag", bool, got.flag, "yes/no"),
    {.name = "ignored"},
    CMDLINE_OPTION("sides", choice, got.sides, "lazy/isolated/classic"),
    CMDLINE_OPTION("console", set, got.consoles, "com1/com2/vga/none"),
    CMDLINE_OPTION("dom0_mem", memory, got.memory, "1G"),
    CMDLINE_OPTION("com1", serial, got.com1, "115200,8n1,0x3f8,4"),
    CMDLINE_OPTION("dom0_max_vcpus", range, got.vcpus, "4"),
};

static const char *const fragments[] = {
    " flag=",
    " flag",
    " ignored=",
    " sides=",
    " dom0_mem=",
    " com1=",
    " console=",
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
    cmdline_parse(line, options, ARRAY_LEN(options));
    claim(got.sides < 3 && got.consoles < 16);
    claim(got.com1.baud <= 115200 && got.com1.port <= 0xfff8);
    claim(got.com1.irq < 256);
    claim(got.vcpus.min <= got.vcpus.max);
    free(line);
    return 0;
}
