/* SPDX-License-Identifier: MIT */
/* Sets of numbers as a sorted array of ranges (rangeset.h). */
#include "core/rangeset.h"

#include "core/heap.h"

#define MIN_ROOM 8u

struct range {
    uint64_t first, last;
};

struct rangeset {
    struct range *ranges;
    size_t count, room;
};

/* An empty set, or NULL when memory is short. */
struct rangeset *rangeset_create(void)
{
    return heap_zalloc(sizeof(struct rangeset));
}

/* Frees a set; NULL is fine. */
void rangeset_destroy(struct rangeset *set)
{
    if (!set)
        return;
    heap_zfree(set->ranges, set->room * sizeof(set->ranges[0]));
    heap_zfree(set, sizeof(*set));
}

/* The index of the first range that ends at or after `number`. */
static size_t find(const struct rangeset *set, uint64_t number)
{
    size_t low = 0, high = set->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (set->ranges[middle].last < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Room for one more range. */
static int grow(struct rangeset *set)
{
    size_t room = set->room ? set->room * 2 : MIN_ROOM;
    struct range *ranges;

    if (set->count < set->room)
        return 0;
    ranges = heap_zalloc(room * sizeof(ranges[0]));
    if (!ranges)
        return -ENOMEM;
    if (set->count)
        memcpy(ranges, set->ranges, set->count * sizeof(ranges[0]));
    heap_zfree(set->ranges, set->room * sizeof(ranges[0]));
    set->ranges = ranges;
    set->room = room;
    return 0;
}

/* Puts `put` ranges, which the caller fills, in place of `drop` ones. */
static void replace(struct rangeset *set, size_t at, size_t drop, size_t put)
{
    memmove(&set->ranges[at + put], &set->ranges[at + drop],
            (set->count - at - drop) * sizeof(set->ranges[0]));
    set->count += put - drop;
}

/* Adds the numbers of a range; some may be members already. 0, -ENOMEM. */
int rangeset_add(struct rangeset *set, uint64_t first, uint64_t last)
{
    size_t at, end;

    if (first > last)
        return -EINVAL;
    if (grow(set))
        return -ENOMEM;
    /* Neighbours that touch take part in the merge. */
    at = find(set, first ? first - 1 : 0);
    for (end = at; end < set->count; end++) {
        const struct range *r = &set->ranges[end];

        if (r->first > last && r->first - last > 1)
            break;
        first = min_u64(first, r->first);
        last = max_u64(last, r->last);
    }
    replace(set, at, end - at, 1);
    set->ranges[at] = (struct range){first, last};
    return 0;
}

/* Removes the numbers of a range, members or not. 0, -ENOMEM for a split. */
int rangeset_remove(struct rangeset *set, uint64_t first, uint64_t last)
{
    struct range pieces[2];
    size_t at, end, count = 0;

    if (first > last)
        return -EINVAL;
    if (grow(set))
        return -ENOMEM;
    at = find(set, first);
    for (end = at; end < set->count && set->ranges[end].first <= last; end++) {
        struct range r = set->ranges[end];

        if (r.first < first)
            pieces[count++] = (struct range){r.first, first - 1};
        if (r.last > last)
            pieces[count++] = (struct range){last + 1, r.last};
    }
    replace(set, at, end - at, count);
    for (size_t i = 0; i < count; i++)
        set->ranges[at + i] = pieces[i];
    return 0;
}

/* Whether all numbers of a range are members. */
bool rangeset_contains(const struct rangeset *set, uint64_t first,
                       uint64_t last)
{
    size_t at = find(set, first);

    return first <= last && at < set->count && set->ranges[at].first <= first &&
           set->ranges[at].last >= last;
}

/* Whether any number of a range is a member. */
bool rangeset_overlaps(const struct rangeset *set, uint64_t first,
                       uint64_t last)
{
    size_t at = find(set, first);

    return first <= last && at < set->count && set->ranges[at].first <= last;
}

/*
 * The first run of members at or after `from`, cut to start there. False when
 * there is none. To walk a set, go on from *last + 1 unless that wraps.
 */
bool rangeset_next(const struct rangeset *set, uint64_t from, uint64_t *first,
                   uint64_t *last)
{
    size_t at = find(set, from);

    if (at == set->count)
        return false;
    *first = max_u64(set->ranges[at].first, from);
    *last = set->ranges[at].last;
    return true;
}
