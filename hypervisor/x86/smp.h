/* SPDX-License-Identifier: MIT */
/*
 * The start of the secondary processors, one after the other, by the boot
 * processor. Each comes up in boot.S, sets itself up, compares
 * clocks and joins the scheduler.
 */
#pragma once

#include "core/types.h"
#include "x86/memory_map.h"

void smp_start(const struct memory_map *map, unsigned max_cpus);

/* Where a processor with nothing to run waits; the scheduler's end. */
_Noreturn void idle_loop(void);
