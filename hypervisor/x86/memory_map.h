/* SPDX-License-Identifier: MIT */
/*
 * The firmware's map of physical memory in normal form: sorted, disjoint,
 * neighbours of one type merged. Where ranges overlap the type that promises
 * least wins, byte by byte. The caller locks; portable.
 */
#pragma once

#include "core/types.h"

/* As BIOSes number them. */
enum memory_type {
    MEMORY_RAM = 1,
    MEMORY_RESERVED = 2,
    MEMORY_ACPI_TABLES = 3,
    MEMORY_ACPI_NVS = 4,
    MEMORY_BAD = 5,
};

struct memory_map_range {
    uint64_t start, end; /* bytes; end is the first beyond */
    enum memory_type type;
};

#define MEMORY_MAP_RANGES 512u

struct memory_map {
    unsigned count;
    struct memory_map_range ranges[MEMORY_MAP_RANGES + 1]; /* one spare */
};

must_check int memory_map_add(struct memory_map *map, uint64_t start,
                              uint64_t size, uint32_t type);
