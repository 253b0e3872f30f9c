/* SPDX-License-Identifier: MIT */
/* The parts of test_store. */
#pragma once

#include <check.h>

Suite *store_requests_suite(void);
Suite *store_transactions_suite(void);
Suite *store_watches_suite(void);
Suite *store_quotas_suite(void);
Suite *store_journal_suite(void);
Suite *store_ring_suite(void);
Suite *store_kill_suite(void);
Suite *store_daemon_suite(void);
