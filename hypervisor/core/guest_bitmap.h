/* SPDX-License-Identifier: MIT */
/*
 * The control ABI's bitmaps in dom0's memory, with a bit for each pCPU. They
 * may be shorter or longer than Mica's own; what one lacks counts as clear.
 */
#pragma once

#include "core/bitmap.h"
#include "core/pcpu.h"
#include "hypercall_abi/domctl.h"

#define PCPU_WORDS BITMAP_WORDS(MAX_PCPUS)

must_check int guest_bitmap_read(uint64_t bits[PCPU_WORDS],
                                 const struct xenctl_bitmap *from);
must_check int guest_bitmap_write(const struct xenctl_bitmap *to,
                                  const uint64_t bits[PCPU_WORDS]);
