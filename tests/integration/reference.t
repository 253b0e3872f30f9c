#!/bin/bash
# shellcheck disable=SC2034
# SPDX-License-Identifier: MIT
#
# The test kernels on Debian's Xen: what it shows is what they expect, except
# for tests/guests/differences.txt. Runs for "make check-reference" alone.

if [ "${REFERENCE:-0}" != 1 ]; then
    echo '1..0 # SKIP for "make check-reference"'
    exit 0
fi

HYPERVISOR=$B/xen/xen.gz
CPU=max,-smap
sides=classic
# shellcheck source=tests/guests/lib/run.bash
. tests/guests/lib/run.bash

report() {
    local word test reason why
    while read -r word test reason; do
        test=${test%:}
        why=$(difference "$test")
        case $word in
        PASS) check "$test" [ -z "$why" ] ||
            echo '# passes, though it is listed as a difference' ;;
        SKIP) skip "$test" "$reason" ;;
        *)
            check "$test${why:+, as listed, is otherwise}" [ -n "$why" ] ||
                echo "# $word $reason"
            ;;
        esac
    done <"$results"
}

# Kernels that attack Mica's own ways say nothing of Xen.
for guest in ${GUESTS:-$(guest_names | grep -v '^hostile')}; do
    check "$guest comes to its end" guest_run "$guest" dom0_mem=64M,max:64M
    report
done
done_testing
