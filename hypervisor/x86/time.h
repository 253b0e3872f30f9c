/* SPDX-License-Identifier: MIT */
/*
 * Clocks. System time is nanoseconds since Mica started, from the TSC, whose
 * rate is measured once against the HPET, the ACPI timer or the PIT. Where
 * the processors' TSCs differ each pCPU has an offset of its own, and
 * arch_now() still never goes back.
 *
 * All is const after boot but the wall clock, which has its lock.
 */
#pragma once

#include "core/types.h"

void time_init(void);
void wallclock_init(void);
void time_init_cpu(void);
void time_sync_serve(void);
void time_sync_join(unsigned cpu);
void time_delay(nsec_t duration);

uint32_t time_tsc_khz(void);
bool time_tsc_is_stable(void);
nsec_t time_at_tsc(uint64_t tsc);
