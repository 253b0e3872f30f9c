/* SPDX-License-Identifier: MIT */
/*
 * What the boot path hands to the rest of the machine layer, and how device
 * memory is reached.
 */
#pragma once

#include "core/types.h"

/* RAM by its physical address; valid once paging is set up (paging.c). */
void *phys_to_virt(uint64_t physical);
uint64_t virt_to_phys(const void *virtual_address);

/*
 * Maps `size` bytes of device memory uncached, for good; never fails for the
 * few pages Mica's own devices need (panics when the fixed space runs out).
 */
void *map_device(uint64_t physical, size_t size);

/* Maps firmware tables (any physical range, cached, read-only) for good. */
const void *map_firmware(uint64_t physical, size_t size);
