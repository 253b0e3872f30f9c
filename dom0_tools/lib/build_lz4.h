/* SPDX-License-Identifier: MIT */
/*
 * LZ4 in the old format that kernels are packed in, which core's unpack()
 * leaves out. Part of the builder (build.h).
 */
#pragma once

#include "core/unpack.h"

/* As unpack() for one method. */
unpack_fn build_unpack_lz4;
