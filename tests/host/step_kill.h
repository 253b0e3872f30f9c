/* SPDX-License-Identifier: MIT */
/*
 * Death of a program at a chosen point: every system call has two, before and
 * after it.
 */
#pragma once

#include <stdbool.h>

/*
 * Runs `live`, which ends with _exit(0), in a child, and kills it when it has
 * gone that many points far. False if it ended before. Aborts if it fails.
 */
bool step_kill(void (*live)(void), unsigned steps);
