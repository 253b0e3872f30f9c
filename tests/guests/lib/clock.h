/* SPDX-License-Identifier: MIT */
/* System time of a test kernel, from the clock page of its vCPU. */
#pragma once

#include "guest.h"

#define MS 1000000ul

/* Nanoseconds since start. */
uint64_t system_time(void);
