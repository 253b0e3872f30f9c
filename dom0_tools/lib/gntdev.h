/* SPDX-License-Identifier: MIT */
/*
 * Other domains' granted pages in this process, through /dev/xen/gntdev.
 * Conventions of error.h.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "dom0_tools/lib/error.h"
#include "hypercall_abi/abi.h"

struct grant_device;

/* Opens the driver; the descriptor is closed on exec. */
struct grant_device *grant_device_open(struct error *e);

/* Closes it; mappings stay until they are unmapped. NULL is fine. */
void grant_device_close(struct grant_device *d);

/*
 * Maps pages that `domain` grants to dom0, side by side. NULL with *e when
 * one of them can't be mapped: -EINVAL for a bad reference.
 */
void *grant_device_map(struct grant_device *d, domid_t domain,
                       const grant_ref_t *refs, size_t count, bool is_writable,
                       struct error *e);

/* Ends a mapping of `count` pages. NULL is fine. */
void grant_device_unmap(struct grant_device *d, void *mapping, size_t count);
