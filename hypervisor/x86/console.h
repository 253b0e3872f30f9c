/* SPDX-License-Identifier: MIT */
/*
 * The console: text goes to the serial ports and the VGA screen that
 * are chosen; what is typed on the serial ports goes to dom0 or to
 * Mica's debug keys. Ctrl-A three times changes between the two; dom0 gets
 * the first two.
 *
 * Output is under the log's lock. The queue of input has its own.
 */
#pragma once

#include "x86/uart.h"

/* Bits of a set of consoles; serial port n is bit n. */
#define CONSOLE_VGA (1u << UART_COUNT)

void console_init_serial(unsigned consoles, const struct cmdline_serial *ports);
void console_input_start(void);
void console_give_to_dom0(void);
