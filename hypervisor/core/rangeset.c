/* SPDX-License-Identifier: MIT */
/* Sets of numbers as an array of ranges in no order (rangeset.h). */
#include "core/rangeset.h"

#include "core/heap.h"
#include "core/spinlock.h"

/* With a spare one two pages; a machine has some dozens. */
#define MAX_RANGES 510u

struct range {
    uint64_t first, last;
};

struct rangeset {
    struct spinlock lock;
    size_t count;
    struct range ranges[MAX_RANGES + 1];
};

/* An empty set, or NULL when memory is short. */
struct rangeset *rangeset_create(void)
{
    return heap_zalloc(sizeof(struct rangeset));
}

/* Frees a set; NULL is fine. */
void rangeset_destroy(struct rangeset *set)
{
    heap_zfree(set, sizeof(*set));
}

static void put(struct rangeset *set, uint64_t first, uint64_t last)
{
    set->ranges[set->count++] = (struct range){first, last};
}

/* Makes a range span those that overlap it or touch it. */
static void absorb(const struct rangeset *set, uint64_t *first, uint64_t *last)
{
    for (const struct range *r = set->ranges; r < set->ranges + set->count; r++)
        if (r->last >= *first - (*first != 0) &&
            r->first <= *last + (*last != UINT64_MAX)) {
            *first = min_u64(*first, r->first);
            *last = max_u64(*last, r->last);
        }
}

static void cut(struct rangeset *set, uint64_t first, uint64_t last)
{
    for (size_t i = set->count; i-- > 0;) {
        struct range r = set->ranges[i];

        if (r.last < first || r.first > last)
            continue;
        set->ranges[i] = set->ranges[--set->count];
        if (r.first < first)
            put(set, r.first, first - 1);
        if (r.last > last)
            put(set, last + 1, r.last);
    }
}

static void insert(struct rangeset *set, uint64_t first, uint64_t last)
{
    absorb(set, &first, &last);
    cut(set, first, last);
    put(set, first, last);
}

/* Adds the numbers of a range; some may be members already. 0, -ENOMEM. */
int rangeset_add(struct rangeset *set, uint64_t first, uint64_t last)
{
    int error = 0;

    spin_lock(&set->lock);
    insert(set, first, last);
    if (set->count > MAX_RANGES) { /* it touched none and came last */
        set->count--;
        error = -ENOMEM;
    }
    spin_unlock(&set->lock);
    return error;
}

/* Removes the numbers of a range, members or not. 0, -ENOMEM. */
int rangeset_remove(struct rangeset *set, uint64_t first, uint64_t last)
{
    int error = 0;

    spin_lock(&set->lock);
    cut(set, first, last);
    if (set->count > MAX_RANGES) { /* one became two */
        insert(set, first, last);
        error = -ENOMEM;
    }
    spin_unlock(&set->lock);
    return error;
}

/* Whether all numbers of a range are members. */
bool rangeset_contains(struct rangeset *set, uint64_t first, uint64_t last)
{
    bool is_there = false;

    spin_lock(&set->lock);
    for (size_t i = 0; i < set->count; i++)
        is_there |=
            set->ranges[i].first <= first && set->ranges[i].last >= last;
    spin_unlock(&set->lock);
    return is_there;
}
