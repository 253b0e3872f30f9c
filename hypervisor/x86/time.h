/* SPDX-License-Identifier: MIT */
/*
 * Clocks. System time is nanoseconds since Mica started, from the TSC, whose
 * rate is measured once against the HPET or another timer. Where the
 * processors' TSCs differ each pCPU has an offset of its own.
 *
 * All is const after boot but the wall clock, which has its lock.
 */
#pragma once

#include "core/types.h"

void time_sync_answer(void);
void time_sync_join(void);
void time_delay(nsec_t duration);
bool time_tsc_is_stable(void);

/* clock_source.c */
const char *clock_source_measure(uint64_t *tsc_hz, uint64_t *apic_hz);
