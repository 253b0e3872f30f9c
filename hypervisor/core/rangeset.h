/* SPDX-License-Identifier: MIT */
/*
 * Sets of unsigned numbers kept as sorted, disjoint ranges that don't touch:
 * device frames, I/O ports and interrupts that a domain may use. Ranges are
 * inclusive, so 0 to UINT64_MAX is one; `first` above `last` is -EINVAL, or
 * no range at all for the questions. A failed change leaves the set as it was.
 *
 * The caller sees to it that one change comes after another; questions may be
 * asked at any time, with any lock held, and see a set before or after a
 * change. Looking up takes logarithmic time.
 */
#pragma once

#include "core/types.h"

struct rangeset;

struct rangeset *rangeset_create(void);
void rangeset_destroy(struct rangeset *set);
must_check int rangeset_add(struct rangeset *set, uint64_t first,
                            uint64_t last);
must_check int rangeset_remove(struct rangeset *set, uint64_t first,
                               uint64_t last);
bool rangeset_contains(struct rangeset *set, uint64_t first, uint64_t last);
