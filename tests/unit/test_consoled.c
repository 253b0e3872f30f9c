/* SPDX-License-Identifier: MIT */
/*
 * The console daemon without a hypervisor: logs, what viewers see, and the
 * daemon with rings that are honest or hostile.
 */
#include <check.h>
#include <stdlib.h>

#include "consoled_suites.h"

int main(void)
{
    Suite *suite = suite_create("consoled");
    SRunner *runner = srunner_create(suite);
    int failures;

    suite_add_tcase(suite, consoled_backlog_case());
    suite_add_tcase(suite, consoled_log_case());
    suite_add_tcase(suite, consoled_daemon_case());
    srunner_run_all(runner, CK_ENV);
    failures = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
