#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The test kernels on Mica, in each arrangement of address spaces, or in those
# of SIDES. GUESTS names some kernels only.

. tests/guests/lib/run.bash

# $1: the arrangement. One TAP result for each line of the kernel.
report() {
    local word test reason
    while read -r word test reason; do
        test=${test%:}
        case $word in
        PASS) check "$test ($1)" true ;;
        SKIP) skip "$test ($1)" "$reason" ;;
        *)
            check "$test ($1)" false || echo "# $word $reason"
            ;;
        esac
    done <"$results"
}

for sides in ${SIDES:-classic lazy isolated}; do
    for guest in ${GUESTS:-$(guest_names)}; do
        check "$guest comes to its end ($sides)" \
            guest_run "$guest" "sides=$sides" dom0_mem=64M
        report "$sides"
    done
done
done_testing
