/* SPDX-License-Identifier: MIT */
/* XS_CONTROL: words from dom0 to the daemon itself. */
#pragma once

#include "dom0_tools/stored/engine.h"

/* The words, each with its zero byte. 0 with an answer, or -Exxx. */
int control_execute(struct engine *e, const char *words, size_t size,
                    struct bytes *answer);
