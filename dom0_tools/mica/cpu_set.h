/* SPDX-License-Identifier: MIT */
/*
 * Sets of CPUs as people write them: "all", "none", "0-3,6", "0-7,^5".
 */
#pragma once

#include <stdio.h>

#include "dom0_tools/lib/control_domain.h"

#define CPU_SET_MAX 4096 /* CPUs */

struct cpu_set {
    uint8_t bits[CPU_SET_MAX / 8];
};

/*
 * Reads a set. Later parts win; "^" takes CPUs out, from all of them when it
 * comes first. False when it is not one, or names no CPU at all.
 */
bool cpu_set_parse(const char *text, struct cpu_set *set);

/* Whether a CPU is in the set. */
bool cpu_set_has(const struct cpu_set *set, unsigned cpu);

/* Writes the set among `count` CPUs: "all", "none", or "0-3,6". */
void cpu_set_print(const struct cpu_set *set, unsigned count, FILE *out);

/* The set as the library takes it, of `count` CPUs. */
struct control_cpu_set cpu_set_view(struct cpu_set *set, unsigned count);
