/* SPDX-License-Identifier: MIT */
/*
 * Reset and power-off. Only dom0, which interprets the firmware's code, knows
 * the values that switch the machine off: it names them when it asks for S5.
 */
#pragma once

#include "core/types.h"

enum power_way {
    POWER_ACPI,
    POWER_KEYBOARD,
    POWER_CHIPSET,
    POWER_TRIPLE_FAULT,
};

void power_init(enum power_way way, bool no_reboot);
