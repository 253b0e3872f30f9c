/* SPDX-License-Identifier: MIT */
/*
 * Ranges are added one at a time to a map that is in normal form before and
 * after. Numbers come from firmware and may be anything.
 */
#include "x86/memory_map.h"

/* How little a type promises; of two claims the higher one holds. */
static unsigned severity(enum memory_type type)
{
    switch (type) {
    case MEMORY_RAM:
        return 0;
    case MEMORY_ACPI_TABLES:
        return 1;
    case MEMORY_ACPI_NVS:
        return 2;
    case MEMORY_RESERVED:
        return 3;
    default:
        return 4;
    }
}

static enum memory_type known_type(uint32_t type)
{
    if (type >= MEMORY_RAM && type <= MEMORY_BAD)
        return (enum memory_type)type;
    return MEMORY_RESERVED;
}

static enum memory_type worse(enum memory_type a, enum memory_type b)
{
    return severity(a) >= severity(b) ? a : b;
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
    bool fits;

    if (from >= to) { /* apart: the lower one first */
        if (n->start < n->end && n->start < r->start) {
            fits = append(map, n->start, n->end, n->type);
            n->start = n->end;
        } else {
            fits = true;
        }
        return fits && append(map, r->start, r->end, r->type);
    }
    fits = append(map, n->start, from, n->type) &&
           append(map, r->start, from, r->type) &&
           append(map, from, to, worse(r->type, n->type)) &&
           append(map, to, r->end, r->type);
    n->start = to;
    return fits;
}

static void copy_map(struct memory_map *to, const struct memory_map *from)
{
    to->count = from->count;
    memcpy(to->ranges, from->ranges, from->count * sizeof(from->ranges[0]));
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
    struct memory_map_range n = {start, start, known_type(type)};

    if (!size)
        return 0;
    if (add_overflows(start, size, &n.end))
        return -ERANGE;
    copy_map(&old, map);
    map->count = 0;
    for (unsigned i = 0; i < old.count; i++)
        if (!merge_range(map, &old.ranges[i], &n))
            goto restore;
    if (!append(map, n.start, n.end, n.type))
        goto restore;
    return 0;

restore:
    copy_map(map, &old);
    return -ENOSPC;
}

/*
 * The type of all of [start, end) when it lies inside one range; reserved
 * when it does not.
 */
enum memory_type memory_map_type(const struct memory_map *map, uint64_t start,
                                 uint64_t end)
{
    for (unsigned i = 0; i < map->count; i++)
        if (start >= map->ranges[i].start && end <= map->ranges[i].end)
            return map->ranges[i].type;
    return MEMORY_RESERVED;
}
