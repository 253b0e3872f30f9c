/* SPDX-License-Identifier: MIT */
/*
 * The wall clock: UTC at system time 0, which every domain finds in its
 * shared_info once arch_domain_publish_clock has put it there. Starts from the
 * CMOS clock; dom0 corrects it. One lock guards it and its copies in the
 * domains' pages.
 */
#pragma once

#include "core/types.h"

void wallclock_init(void);
void wallclock_set(uint64_t secs, uint32_t nsecs, nsec_t system_time);
