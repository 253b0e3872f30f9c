/* SPDX-License-Identifier: MIT */
/*
 * The VGA text screen, 80 by 25, while it is Mica's: from vga_init until dom0
 * takes the screen. Calls are serialised by the log's lock.
 */
#pragma once

#include "core/types.h"

void vga_init(void);
void vga_write(const char *text, size_t length);
void vga_release(void);
