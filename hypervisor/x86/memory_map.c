/* SPDX-License-Identifier: MIT */
/*
 * Ranges are added one at a time to a map that is in normal form before and
 * after. Numbers come from firmware and may be anything.
 */
#include "x86/memory_map.h"

/* How little a type promises; of two claims the higher one holds. */
static const uint8_t severity[] = {
    [MEMORY_RAM] = 0,      [MEMORY_ACPI_TABLES] = 1, [MEMORY_ACPI_NVS] = 2,
    [MEMORY_RESERVED] = 3, [MEMORY_BAD] = 4,
};

static enum memory_type worse(enum memory_type a, enum memory_type b)
{
    return severity[a] >= severity[b] ? a : b;
}

/* Appends in ascending order, merging; false when the map is full. */
static bool append(struct memory_map *map, uint64_t start, uint64_t end,
                   enum memory_type type)
{
    struct memory_map_range *last =
        map->count ? &map->ranges[map->count - 1] : NULL;

    if (start >= end)
        return true;
    if (last && last->end == start && last->type == type) {
        last->end = end;
        return true;
    }
    if (map->count == MEMORY_MAP_RANGES)
        return false;
    map->ranges[map->count++] = (struct memory_map_range){start, end, type};
    return true;
}

/*
 * Appends old range `r`, and of the new one `n` what lies before its end,
 * which is thereby used up.
 */
static bool merge_range(struct memory_map *map,
                        const struct memory_map_range *r,
                        struct memory_map_range *n)
{
    uint64_t from = max_u64(r->start, n->start);
    uint64_t to = min_u64(r->end, n->end);
    bool fits = append(map, n->start, min_u64(n->end, r->start), n->type) &&
                append(map, r->start, min_u64(r->end, n->start), r->type) &&
                append(map, from, to, worse(r->type, n->type)) &&
                append(map, max_u64(r->start, n->end), r->end, r->type);

    n->start = max_u64(n->start, to);
    return fits;
}

/*
 * Enters `size` bytes from `start`, of a BIOS's type number; unknown ones are
 * reserved. -ERANGE when the range wraps round, -ENOSPC when the map would
 * have too many ranges; the map is then as it was.
 */
int memory_map_add(struct memory_map *map, uint64_t start, uint64_t size,
                   uint32_t type)
{
    static struct memory_map old; /* too large for a stack */
    bool is_known = type >= MEMORY_RAM && type <= MEMORY_BAD;
    struct memory_map_range n = {start, start,
                                 is_known ? type : MEMORY_RESERVED};
    bool fits = true;

    if (!size)
        return 0;
    if (add_overflows(start, size, &n.end))
        return -ERANGE;
    old = *map;
    map->count = 0;
    for (unsigned i = 0; fits && i < old.count; i++)
        fits = merge_range(map, &old.ranges[i], &n);
    if (fits && append(map, n.start, n.end, n.type))
        return 0;
    *map = old;
    return -ENOSPC;
}
