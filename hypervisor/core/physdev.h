/* SPDX-License-Identifier: MIT */
/*
 * Physical interrupts of domains: which pirq is mapped to whom. A mapped pirq
 * is in its domain's `irqs`, so that it may be bound to a port; here is kept
 * that it was mapped, and not merely allowed.
 *
 * A lock of this module's guards the map; it nests outside the event locks.
 */
#pragma once

#include "core/types.h"

struct domain;

void physdev_release(struct domain *d);
