/* SPDX-License-Identifier: MIT */
/*
 * The monitor: one process that does what configurations say about domains
 * that have ended. All it needs to know is in the store, so that it may be
 * killed and started at any time.
 */
#pragma once

#include "dom0_tools/mica/verb.h"

#define MONITOR_LOCK "/run/mica/monitord.lock"

/* Starts the monitor unless it runs; a failure is a warning on stderr. */
void monitor_ensure(struct call *call);
