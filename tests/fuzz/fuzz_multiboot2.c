/* SPDX-License-Identifier: MIT */
/*
 * The loader's information as arbitrary bytes, in a buffer of exactly their
 * size. Whatever the parser accepts must be in the form its header promises.
 */
#include <stdlib.h>

#include "x86/multiboot2.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile size_t sink; /* keeps the reads below from going away */

static void claim(bool claim_holds)
{
    if (!claim_holds)
        abort();
}

static void check_map(const struct memory_map *m)
{
    claim(m->count > 0 && m->count <= MEMORY_MAP_RANGES);
    for (unsigned i = 0; i < m->count; i++) {
        const struct memory_map_range *r = &m->ranges[i];

        claim(r->start < r->end);
        claim(r->type >= MEMORY_RAM && r->type <= MEMORY_BAD);
        if (!i)
            continue;
        claim(r[-1].end <= r->start);
        claim(r[-1].end < r->start || r[-1].type != r->type);
    }
}

/* Reads every byte that the result points at. */
static void check_info(const struct boot_info *info)
{
    size_t read =
        strlen(info->command_line) + strlen(info->kernel_command_line);

    claim(info->module_count <= BOOT_MODULES);
    for (unsigned i = 0; i < info->module_count; i++)
        claim(info->modules[i].start <= info->modules[i].end);
    for (size_t i = 0; i < info->rsdp.size; i++)
        read += info->rsdp.at[i];
    sink = read;
    check_map(&info->map);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct boot_info info;
    uint8_t *block = malloc(size ? size : 1);

    if (!block)
        return 0;
    memcpy(block, data, size);
    if (!multiboot2_parse(block, size, &info))
        check_info(&info);
    free(block);
    return 0;
}
