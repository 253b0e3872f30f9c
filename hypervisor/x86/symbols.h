/* SPDX-License-Identifier: MIT */
/* Names of Mica's own functions, from the table the build links in. */
#pragma once

#include "core/types.h"

/* The function that `address` lies in, and how far in; NULL when unknown. */
const char *symbol_find(uint64_t address, uint64_t *offset);
