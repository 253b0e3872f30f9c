#!/bin/bash
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2317 # functions are called by check
#
# A stock kernel boots as the first domain, on machines of many kinds, finds
# all their memory, and switches them off. FULL=1 tries many more of them.

# shellcheck source=tests/run/vm.bash
. tests/run/vm.bash
# shellcheck source=tests/integration/dom0.bash
. tests/integration/dom0.bash

bound=60

# use HYPERVISOR [OPTION...]: what the next machines boot.
use() {
    HYPERVISOR=$1
    shift
    vm_iso com1=115200,8n1 console=com1 "$@" -- console=hvc0 mica.tour
}

# The tour says which steps there are; none may be empty.
tour_is_complete() {
    local step
    wait_for '^TOUR done$' "$bound" || return 1
    vm_output | grep -a '^TOUR' >"$dir/tour"
    for step in kernel capabilities hypervisor/type memory cpus interrupts; do
        grep -Eq "^TOUR $step: [^ ]" "$dir/tour" ||
            { echo "# no $step" && sed 's/^/# /' "$dir/tour" && return 1; }
    done
    ! grep -E '^TOUR .*: missing' "$dir/tour"
}

# The first domain has at least three quarters of the machine's memory, apart
# from 64 MiB of bounce buffers, which its kernel does not count.
memory_is_there() {
    local kib
    kib=$(sed -n 's/^TOUR memory: \([0-9]*\) kB.*/\1/p' "$dir/tour")
    [ "$((kib / 1024 + 64))" -ge "$((MEM * 3 / 4))" ] ||
        { echo "# $kib KiB" && return 1; }
}

processors_are_online() {
    vm_output | grep -aEq "^\(MICA\).* processors online: $SMP[^0-9]*\$" ||
        vm_output | grep -aq '^(XEN)'
}

# machine NAME [QEMU ARGUMENT...], and MEM, SMP, CPU, UEFI.
machine() {
    local name="$1, $MEM MiB, $SMP x $CPU"
    shift
    [ "${UEFI:-0}" = 0 ] || name="$name, UEFI"
    vm_start "$@"
    check "$name: boots" tour_is_complete || return
    check "$name: all memory is used" memory_is_there
    check "$name: all processors are" processors_are_online
    check "$name: powers off" wait_off 30 poweroff
    check "$name: no complaint" no_complaints
}

hole=(-machine "pc,max-ram-below-4g=1G")
single=tcg,thread=single # for more CPUs than there are: see qemu_args.bash

some_machines() {
    MEM=2048 SMP=2 CPU=max machine i440fx
    MEM=512 SMP=1 CPU=qemu64 machine i440fx
    ACCEL=$single MEM=16384 SMP=4 CPU=EPYC machine q35 -machine q35
    MEM=5120 SMP=1 CPU=max machine 'hole from 1 to 4 GiB' "${hole[@]}"
    MEM=2048 SMP=2 CPU=max UEFI=1 machine q35 -machine q35
}

# Each value of a property meets most values of the others.
many_machines() {
    local MEM SMP CPU UEFI board ACCEL=$single
    for UEFI in 0 1; do
        for board in pc q35; do
            for MEM in 512 2048 16384; do
                case $UEFI$board in
                0pc | 1q35) SMP=1 CPU=qemu64 ;;
                0q35) SMP=2 CPU=EPYC ;;
                1pc) SMP=4 CPU=max ;;
                esac
                machine "$board" -machine "$board"
            done
        done
        MEM=5120 SMP=2 machine 'hole from 1 to 4 GiB' "${hole[@]}"
        MEM=5120 SMP=2 machine 'hole, q35' -machine q35
    done
    MEM=2048 UEFI=0
    for CPU in qemu64 EPYC max; do
        for SMP in 1 2 4; do
            machine i440fx
        done
    done
}

mica=$HYPERVISOR
use "$mica"
if [ "${FULL:-0}" = 1 ]; then
    many_machines
else
    some_machines
fi

for sides in classic isolated; do
    use "$mica" sides=$sides
    MEM=2048 SMP=1 CPU=max machine "sides=$sides"
done

# The entry in the boot menu is Xen's: only the name of the file changes.
xen=$B/xen/xen.gz
if [ -e "$xen" ]; then
    use $xen
    MEM=2048 SMP=1 CPU=max,-smap machine "Xen's xen.gz"
else
    skip "Xen's xen.gz boots" "no $xen"
fi

done_testing
