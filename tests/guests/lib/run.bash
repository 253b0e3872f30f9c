# shellcheck shell=bash disable=SC2034,SC2154
# SPDX-License-Identifier: MIT
#
# For tests that boot test kernels; reads tests/run/vm.bash.

# shellcheck source=tests/run/vm.bash
. tests/run/vm.bash

MEM=512
INITRD=

# The test kernels that are built and meant to come to their end as dom0.
guest_names() {
    local name
    for name in tests/guests/*/; do
        name=$(basename "$name")
        case $name in
        hostile | echo | control_race) continue ;;
        esac
        [ ! -e "$B/guests/$name.elf" ] || echo "$name"
    done
}

# guest_boot NAME [HYPERVISOR OPTION...] [-- KERNEL OPTION...]
guest_boot() {
    KERNEL=$B/guests/$1.elf
    shift
    vm_iso com1=115200,8n1 console=com1 noreboot "$@" && vm_start
}

# guest_run NAME [HYPERVISOR OPTION...]: boots it; true if it came to its end
# and the hypervisor had nothing to complain about. $results has its lines.
# The kernel is told the arrangement of address spaces, $sides.
guest_run() {
    local name=$1 status=0
    results=$dir/results
    : >"$results"
    guest_boot "$@" -- "sides=$sides" || return 1
    wait_for "^DONE $name|[Pp]anic|[Cc]rash" 60 || status=1
    vm_output | grep -aE '^(PASS|FAIL|SKIP|ERROR) ' >"$results"
    if ! vm_output | grep -aq "^DONE $name"; then
        vm_output | tail -n 40 | sed 's/^/# /'
        status=1
    fi
    vm_stop
    return $status
}

# Is this test known to be otherwise on the reference, and why?
difference() {
    sed -n "s|^$1  *||p" tests/guests/differences.txt
}
