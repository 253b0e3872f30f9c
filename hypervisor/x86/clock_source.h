/* SPDX-License-Identifier: MIT */
/*
 * The platform's counters of known rate, against which the rates of the TSC
 * and of the local APIC's timer are measured. Used at boot only; afterwards
 * the hardware is as it was found.
 */
#pragma once

#include "core/types.h"

struct clock_rates {
    const char *source; /* what they were measured against */
    uint64_t tsc_hz;
    uint64_t apic_hz; /* 0 when the APIC's timer does not count */
};

void clock_source_measure(struct clock_rates *out);
