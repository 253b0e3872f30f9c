/* SPDX-License-Identifier: MIT */
/* The parts of test_consoled. */
#pragma once

#include <check.h>

TCase *consoled_backlog_case(void);
TCase *consoled_log_case(void);
TCase *consoled_daemon_case(void);
