/* SPDX-License-Identifier: MIT */
/*
 * Ranges are added one at a time to a map that is in normal form before and
 * after. Numbers come from firmware and may be anything.
 */
#include "x86/memory_map.h"

/* How little a type promises; of two claims the higher one holds. */
static const uint8_t severity[] = {
    [MEMORY_RAM] = 1,      [MEMORY_ACPI_TABLES] = 2, [MEMORY_ACPI_NVS] = 3,
    [MEMORY_RESERVED] = 4, [MEMORY_BAD] = 5,
};

/*
 * The type of the byte at `at`, 0 when no range holds it; *next is where that
 * may change.
 */
static enum memory_type type_at(const struct memory_map *map, uint64_t at,
                                uint64_t *next)
{
    enum memory_type type = 0;

    *next = UINT64_MAX;
    for (unsigned i = 0; i < map->count; i++) {
        const struct memory_map_range *r = &map->ranges[i];

        if (at < r->start) {
            *next = min_u64(*next, r->start);
        } else if (at < r->end) {
            *next = min_u64(*next, r->end);
            type = severity[r->type] > severity[type] ? r->type : type;
        }
    }
    return type;
}

/*
 * Enters `size` bytes from `start`, of a BIOS's type number; unknown ones are
 * reserved. -ERANGE when the range wraps round, -ENOSPC when the map would
 * have too many ranges; the map is then as it was.
 */
int memory_map_add(struct memory_map *map, uint64_t start, uint64_t size,
                   uint32_t type)
{
    static struct memory_map all, sum; /* too large for a stack */
    struct memory_map_range n = {.start = start, .type = MEMORY_RESERVED};

    if (add_overflows(start, size, &n.end))
        return -ERANGE;
    if (type >= MEMORY_RAM && type <= MEMORY_BAD)
        n.type = type;
    all = *map;
    all.ranges[all.count++] = n;
    sum.count = 0;
    for (uint64_t at = 0, next; at < UINT64_MAX; at = next) {
        struct memory_map_range *end = &sum.ranges[sum.count];

        n = (struct memory_map_range){.start = at,
                                      .type = type_at(&all, at, &next)};
        n.end = next;
        if (sum.count && end[-1].end == at && end[-1].type == n.type)
            end[-1].end = next;
        else if (n.type)
            sum.ranges[sum.count++] = n;
        if (sum.count > MEMORY_MAP_RANGES)
            return -ENOSPC;
    }
    *map = sum;
    return 0;
}
