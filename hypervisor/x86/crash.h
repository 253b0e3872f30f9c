/* SPDX-License-Identifier: MIT */
/* The last words: registers, stack and backtrace of a dead Mica. */
#pragma once

#include "x86/regs.h"

/* An exception in Mica itself that nothing expected. */
_Noreturn void crash_own(const struct regs *r);
