/* SPDX-License-Identifier: MIT */
/* Sets of numbers as a sorted array of ranges (rangeset.h). */
#include "core/rangeset.h"

#include "core/heap.h"
#include "core/spinlock.h"

struct range {
    uint64_t first, last;
};

struct rangeset {
    struct spinlock lock;
    struct range *ranges; /* lock to change */
    size_t count;         /* lock to change */
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
    heap_zfree(set->ranges, set->count * sizeof(set->ranges[0]));
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

/* Puts `count` pieces in place of the ranges from `at` to `end`. 0, -ENOMEM. */
static int replace(struct rangeset *set, size_t at, size_t end,
                   const struct range *pieces, size_t count)
{
    size_t new_count = set->count - (end - at) + count;
    struct range *ranges = heap_zalloc(new_count * sizeof(*ranges));
    struct range *old = set->ranges;
    size_t old_count = set->count;

    if (!ranges)
        return -ENOMEM;
    for (size_t i = 0; i < new_count; i++)
        ranges[i] = i < at           ? old[i]
                    : i < at + count ? pieces[i - at]
                                     : old[i - at - count + end];
    spin_lock(&set->lock);
    set->ranges = ranges;
    set->count = new_count;
    spin_unlock(&set->lock);
    heap_zfree(old, old_count * sizeof(*old));
    return 0;
}

/* Adds the numbers of a range; some may be members already. 0, -ENOMEM. */
int rangeset_add(struct rangeset *set, uint64_t first, uint64_t last)
{
    struct range sum = {first, last};
    size_t at, end;

    if (first > last)
        return -EINVAL;
    /* Neighbours that touch take part in the merge. */
    at = end = find(set, first ? first - 1 : 0);
    for (; end < set->count; end++) {
        const struct range *r = &set->ranges[end];

        if (r->first > last && r->first - last > 1)
            break;
        sum.first = min_u64(sum.first, r->first);
        sum.last = max_u64(sum.last, r->last);
    }
    return replace(set, at, end, &sum, 1);
}

/* Removes the numbers of a range, members or not. 0, -ENOMEM. */
int rangeset_remove(struct rangeset *set, uint64_t first, uint64_t last)
{
    struct range pieces[2];
    size_t at, end, count = 0;

    if (first > last)
        return -EINVAL;
    at = end = find(set, first);
    for (; end < set->count && set->ranges[end].first <= last; end++) {
        struct range r = set->ranges[end];

        if (r.first < first)
            pieces[count++] = (struct range){r.first, first - 1};
        if (r.last > last)
            pieces[count++] = (struct range){last + 1, r.last};
    }
    return replace(set, at, end, pieces, count);
}

/* Whether all numbers of a range are members. */
bool rangeset_contains(struct rangeset *set, uint64_t first, uint64_t last)
{
    bool is_there;
    size_t at;

    spin_lock(&set->lock);
    at = find(set, first);
    is_there = first <= last && at < set->count &&
               set->ranges[at].first <= first && set->ranges[at].last >= last;
    spin_unlock(&set->lock);
    return is_there;
}
