/* SPDX-License-Identifier: MIT */
/* The parts of test_mica that have files of their own. */
#pragma once

#include <check.h>

TCase *mica_core_case(void);
TCase *mica_console_case(void);
TCase *mica_top_case(void);
