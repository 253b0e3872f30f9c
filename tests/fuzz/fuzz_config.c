/* SPDX-License-Identifier: MIT */
/*
 * The parser of configuration files, and reading what it parsed as a domain.
 * A zero in the input stands for "the next byte picks a piece of a file", so
 * that no corpus is needed. What is accepted must print as a file that reads
 * back the same.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "dom0_tools/mica/domain_config.h"

enum {
    FILE_MAX_SIZE = 4096,
    PIECE_MAX = 32,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const pieces[] = {
    "name = \"web\"\n",
    "kernel = '/vmlinuz'\n",
    "memory = ",
    "maxmem = ",
    "vcpus = ",
    "maxvcpus = ",
    "cpus = ",
    "on_crash = \"",
    "uuid = \"",
    "extra = ",
    "extra += ",
    "root = ",
    "disk = [",
    "disk += [",
    "\"\"\"",
    "'''",
    "\\x41",
    "\\012",
    "\n",
    ";",
    "# ",
    "0x10",
    "-1",
    "9223372036854775808",
    "\"0-3,^2\"",
    "restart\"\n",
    ", ",
    "]",
};

static void claim(bool claim_holds)
{
    if (!claim_holds)
        abort();
}

static char *make_file(const uint8_t *data, size_t size, size_t *length)
{
    char *text = malloc(size * PIECE_MAX + 1);
    size_t i;

    *length = 0;
    for (i = 0; i < size; i++) {
        const char *piece;

        if (data[i]) {
            text[(*length)++] = (char)data[i];
            continue;
        }
        if (++i == size)
            break;
        if (!data[i]) {
            text[(*length)++] = '\0';
            continue;
        }
        piece = pieces[data[i] % (sizeof(pieces) / sizeof(pieces[0]))];
        memcpy(text + *length, piece, strlen(piece));
        *length += strlen(piece);
    }
    /* Without a spare byte, so that reading past the end is noticed. */
    return realloc(text, *length ? *length : 1);
}

static char *print(const struct domain_config *c, size_t *length)
{
    char *text = NULL;
    FILE *out = open_memstream(&text, length);

    domain_config_print(c, out);
    fclose(out);
    return text;
}

static int read_text(const char *text, size_t size, struct domain_config *c,
                     struct error *e)
{
    struct config config;
    int result;

    config_init(&config);
    *c = (struct domain_config){0};
    result = config_parse(&config, "fuzz", text, size, e);
    if (!result)
        result = domain_config_read(&config, c, NULL, e);
    config_free(&config);
    return result;
}

static void check_round_trip(const struct domain_config *c)
{
    struct domain_config again;
    struct error e;
    size_t length, again_length;
    char *text = print(c, &length), *again_text;

    claim(!read_text(text, length, &again, &e));
    again_text = print(&again, &again_length);
    claim(length == again_length && !memcmp(text, again_text, length));
    json_decref(domain_config_json(&again));
    domain_config_free(&again);
    free(text);
    free(again_text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct domain_config c;
    struct error e = {0};
    size_t length;
    char *text;

    if (size > FILE_MAX_SIZE)
        return 0;
    text = make_file(data, size, &length);
    if (!read_text(text, length, &c, &e))
        check_round_trip(&c);
    else
        claim(e.status != EXIT_STATUS_OK && e.what[0]);
    domain_config_free(&c);
    free(text);
    return 0;
}
