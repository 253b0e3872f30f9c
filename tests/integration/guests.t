#!/bin/bash
# shellcheck disable=SC2034
# SPDX-License-Identifier: MIT
#
# The test kernels on Mica, in each arrangement of address spaces, or in those
# of SIDES. GUESTS names some kernels only.

# shellcheck source=tests/guests/lib/run.bash
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

# $1: the seed. The domain may end before the kernel does.
survives_hostile_kernel() {
    guest_boot hostile sides=isolated dom0_mem=64M -- "seed=$1" &&
        wait_for '^DONE hostile|dom0 crashed' 60 &&
        ! vm_output | grep -ai 'panic'
}

for sides in ${SIDES:-classic lazy isolated}; do
    for guest in ${GUESTS:-$(guest_names)}; do
        check "$guest comes to its end ($sides)" \
            guest_run "$guest" "sides=$sides" dom0_mem=64M
        report "$sides"
    done
done
# Races need two vCPUs; on two pCPUs they happen.
SMP=2
for sides in ${SIDES:-classic lazy isolated}; do
    for guest in ${RACING-hostile_race hostile_calls hostile_gate types}; do
        check "$guest comes to its end ($sides, 2 vCPUs)" \
            guest_run "$guest" "sides=$sides" dom0_mem=64M dom0_max_vcpus=2
        report "$sides, 2 vCPUs"
    done
done
# So do careless tools; the domains that they make crash, and should.
SMP=4
for sides in ${SIDES:-classic lazy isolated}; do
    check "control_race comes to its end ($sides, 4 vCPUs)" \
        guest_run control_race "sides=$sides" dom0_mem=64M dom0_max_vcpus=4 \
        loglvl=none
    report "$sides, 4 vCPUs"
done
SMP=1
for seed in ${SEEDS:-1 2 3 4}; do
    check "the gate survives a kernel that spoils it, seed $seed" \
        survives_hostile_kernel "$seed"
done
done_testing
