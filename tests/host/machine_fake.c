/* SPDX-License-Identifier: MIT */
/* A processor for tests (machine_fake.h): pairs of pCPUs share a core. */
#include "host/machine_fake.h"

#include <string.h>

char fake_keys[FAKE_KEYS + 1];

static const struct {
    uint32_t leaf, subleaf;
    struct machine_cpuid r;
} leaves[] = {
    {0x0, 0, {0x14, 1, 2, 3}},
    {0x1, 0, {0x600, 0x800, 0x80000201, FAKE_CPUID_1D}},
    {0x4, 0, {0x121, 0, 0, 0}},
    {0x4, 1, {0x122, 0, 0, 0}},
    {0x7, 0, {1, FAKE_CPUID_7B, 4, 5}},
    {0x7, 1, {0x1c00, 0, 0, 0}},
    {0xb, 0, {1, 2, 0x100, 0}},
    {0xb, 1, {3, 8, 0x201, 0}},
    {0xd, 0, {7, 576, 832, 0}},
    {0xd, 1, {3, 0, 0, 0}},
    {0xd, 2, {256, 576, 0, 0}},
    {0x14, 0, {1, 1, 1, 1}},
    {0x80000000, 0, {0x80000008, 0, 0, 0}},
    {0x80000001, 0, {0, 0, 0x121, 0x20100800}},
    {0x80000007, 0, {0, 0, 0, 0x100}},
    {0x80000008, 0, {0x3028, 0, 0, 0}},
};

struct machine_cpuid machine_cpuid(enum machine_cpuid_view view, uint32_t leaf,
                                   uint32_t subleaf)
{
    struct machine_cpuid r = {0, 0, 0, 0};

    for (size_t i = 0; i < ARRAY_LEN(leaves); i++)
        if (leaves[i].leaf == leaf && leaves[i].subleaf == subleaf)
            r = leaves[i].r;
    if (view == MACHINE_CPUID_GUEST && leaf == 0x1)
        r.d &= ~FAKE_CPUID_HIDDEN;
    if (view == MACHINE_CPUID_GUEST && leaf == 0x7 && !subleaf)
        r.b &= ~FAKE_CPUID_HIDDEN;
    return r;
}

struct machine_place machine_cpu_place(unsigned cpu)
{
    return (struct machine_place){.core = cpu / 2 % 2, .socket = cpu / 4};
}

void machine_press_key(char key)
{
    size_t pressed = strlen(fake_keys);

    if (pressed < FAKE_KEYS)
        fake_keys[pressed] = key;
}
