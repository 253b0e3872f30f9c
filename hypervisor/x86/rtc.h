/* SPDX-License-Identifier: MIT */
/*
 * The CMOS clock and memory behind ports 0x70 and 0x71. One lock guards the
 * pair; guests reach it through these functions only.
 */
#pragma once

#include "core/types.h"

uint8_t rtc_cmos_read(uint8_t index);
void rtc_cmos_write(uint8_t index, uint8_t value);
uint64_t rtc_read_seconds(void);
