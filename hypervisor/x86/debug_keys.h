/* SPDX-License-Identifier: MIT */
/*
 * Keys a person presses on Mica's own side of the console (Ctrl-A three times
 * switches there and back), each with an action. Modules register theirs at
 * boot, before input starts; the table is const afterwards.
 *
 * An action runs in interrupt context with no lock held and prints by the
 * log; it takes bounded time.
 */
#pragma once

#include "core/types.h"

void debug_key_register(char key, const char *help, void (*handler)(void));
void debug_key_press(char key);
