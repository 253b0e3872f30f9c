/* SPDX-License-Identifier: MIT */
/*
 * Reset and power-off. Only dom0, which interprets the firmware's code, knows
 * the values that switch the machine off: it names them when it asks for S5.
 */
#pragma once

#include "core/types.h"

void power_init(const char *reboot, bool no_reboot);
must_check int power_enter_sleep(uint16_t pm1a, uint16_t pm1b, uint32_t state);
