/* SPDX-License-Identifier: MIT */
/* What a person may ask of a running machine by debug keys. */
#pragma once

/* Registers the keys; before console_input_start. */
void debug_dumps_init(void);
