/* SPDX-License-Identifier: MIT */
/*
 * The x86 side of core/machine.h, and what the boot path tells it. Const
 * after boot.
 */
#pragma once

#include "core/machine.h"
#include "x86/multiboot2.h"

void machine_describe(struct boot_info *boot);
