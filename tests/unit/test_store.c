/* SPDX-License-Identifier: MIT */
/*
 * The store daemon without a hypervisor: what requests do, who may do what,
 * transactions, watches, quotas; the journal; rings, honest and hostile; and
 * the daemon as a process that is killed.
 */
#include <check.h>
#include <stdlib.h>

#include "store_suites.h"

int main(void)
{
    SRunner *runner = srunner_create(store_requests_suite());
    int failures;

    srunner_add_suite(runner, store_transactions_suite());
    srunner_add_suite(runner, store_watches_suite());
    srunner_add_suite(runner, store_quotas_suite());
    srunner_add_suite(runner, store_journal_suite());
    srunner_add_suite(runner, store_ring_suite());
    srunner_add_suite(runner, store_kill_suite());
    srunner_add_suite(runner, store_daemon_suite());
    srunner_run_all(runner, CK_ENV);
    failures = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
