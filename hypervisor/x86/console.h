/* SPDX-License-Identifier: MIT */
/*
 * The console: text goes to the serial ports and the VGA screen that
 * are chosen; what is typed on the serial ports goes to dom0 or to
 * Mica's debug keys. Ctrl-A three times changes between the two.
 *
 * Output is under the log's lock. The queue of input has its own.
 */
#pragma once

#include "core/cmdline.h"
#include "core/types.h"

struct console_options {
    struct cmdline_console outputs;
    struct cmdline_serial com1, com2; /* not set: the usual settings */
    bool has_text_screen;             /* the screen is in VGA text mode */
    bool keep_screen;                 /* Mica writes to it beside dom0 */
};

void console_init(const struct console_options *options);
void console_input_start(void);
void console_give_to_dom0(void);
