/* SPDX-License-Identifier: MIT */
/*
 * Sets of unsigned numbers kept as disjoint ranges that don't touch, at most
 * 510: the device frames that a domain may use. Ranges are inclusive, so 0 to
 * UINT64_MAX is one; `first` is not above `last`. A change fails only if it
 * would make one range too many; then it leaves the set as it was.
 *
 * Changes and questions may be made at any time, with any lock held, and see a
 * set before or after another change.
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
