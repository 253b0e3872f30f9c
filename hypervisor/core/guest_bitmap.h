/* SPDX-License-Identifier: MIT */
/*
 * The control ABI's bitmaps in dom0's memory: of pCPUs, of nodes. They may be
 * shorter or longer than Mica's own; what one lacks counts as clear.
 */
#pragma once

#include "core/types.h"
#include "hypercall_abi/domctl.h"

must_check int guest_bitmap_read(uint64_t *bits, unsigned count,
                                 const struct xenctl_bitmap *from);
must_check int guest_bitmap_write(const struct xenctl_bitmap *to,
                                  const uint64_t *bits, unsigned count);
