# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: MIT
#
# For tests that boot test kernels; reads tests/run/vm.bash.

. tests/run/vm.bash

MEM=512
INITRD=

# The test kernels that are built.
guest_names() {
    local elf
    for elf in build/guests/*.elf; do
        [ ! -e "$elf" ] || basename "$elf" .elf
    done
}

# guest_run NAME [HYPERVISOR OPTION...]: boots it; true if it came to its end
# and the hypervisor had nothing to complain about. $results has its lines.
guest_run() {
    local name=$1 status=0
    shift
    KERNEL=build/guests/$name.elf
    vm_iso com1=115200,8n1 console=com1 noreboot "$@" || return 1
    vm_start
    wait_for "^DONE $name|[Pp]anic|[Cc]rash" 60 || status=1
    results=$dir/results
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
