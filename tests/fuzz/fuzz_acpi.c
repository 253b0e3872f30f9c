/* SPDX-License-Identifier: MIT */
/*
 * ACPI tables from firmware that says anything. The input is physical memory
 * from 4 KiB on, with the root table at its start; each mapping is a copy of
 * exactly the size asked for, so that a read beyond it shows. Sums are made
 * right unless the table's own revision byte is odd: a fuzzer cannot guess
 * them.
 */
#include <stdlib.h>

#include "x86/acpi.h"
#include "x86/machine_early.h"

#define MEMORY_AT 0x1000u
#define MAX_MAPPINGS 1024u
#define REVISION 8
#define CHECKSUM 9
#define HEADER 36u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t *memory;
static size_t memory_size;
static void *mappings[MAX_MAPPINGS];
static unsigned mapping_count;

static void claim(bool claim_holds)
{
    if (!claim_holds)
        abort();
}

static void fix_sum(uint8_t *bytes, size_t size, size_t at)
{
    uint8_t sum = 0;

    for (size_t i = 0; i < size; i++)
        sum = (uint8_t)(sum + bytes[i]);
    bytes[at] = (uint8_t)(bytes[at] - sum);
}

const void *map_firmware(uint64_t physical, size_t size)
{
    uint8_t *copy;

    if (mapping_count == MAX_MAPPINGS)
        return NULL;
    copy = calloc(1, size);
    claim(copy);
    for (size_t i = 0; i < size; i++)
        if (physical + i >= MEMORY_AT && physical + i - MEMORY_AT < memory_size)
            copy[i] = memory[physical + i - MEMORY_AT];
    if (size >= HEADER && size <= 1u << 20 && !(copy[REVISION] & 1))
        fix_sum(copy, size, CHECKSUM);
    mappings[mapping_count++] = copy;
    return copy;
}

static void make_rsdp(uint8_t *rsdp, bool has_xsdt)
{
    const uint32_t address = MEMORY_AT;

    memset(rsdp, 0, ACPI_RSDP_SIZE);
    memcpy(rsdp, "RSD PTR ", 8);
    rsdp[15] = has_xsdt ? 2 : 0;
    memcpy(rsdp + 16, &address, 4);
    memcpy(rsdp + 24, &address, 4);
    fix_sum(rsdp, 20, 8);
    fix_sum(rsdp, ACPI_RSDP_SIZE, 32);
}

static void check_info(const struct acpi_info *a)
{
    claim(a->cpu_count <= ACPI_MAX_CPUS);
    claim(a->ioapic_count <= ACPI_MAX_IOAPICS);
    for (unsigned i = 0; i < a->cpu_count; i++)
        for (unsigned k = 0; k < i; k++)
            claim(a->cpus[i].apic_id != a->cpus[k].apic_id);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t rsdp[ACPI_RSDP_SIZE];

    if (!size)
        return 0;
    memory = data + 1;
    memory_size = size - 1;
    make_rsdp(rsdp, data[0] & 1);
    acpi_init((struct bytes){rsdp, data[0] & 2 ? ACPI_RSDP_SIZE : 20});
    check_info(acpi_info());
    while (mapping_count)
        free(mappings[--mapping_count]);
    return 0;
}
