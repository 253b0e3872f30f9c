#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Minutes of load in the first domain, whose programs check every result.
# "make check-stress" sets STRESS_DIR, where these programs are, and
# STRESS_SECONDS.

# shellcheck source=tests/run/vm.bash
. tests/run/vm.bash
# shellcheck source=tests/integration/dom0.bash
. tests/integration/dom0.bash

seconds=${STRESS_SECONDS:-300}

mkdir -p "$dir/overlay/bin"
cp "$STRESS_DIR/stress" "$STRESS_DIR/calls32" "$dir/overlay/bin/"
INITRD=$dir/initrd.img
OVERLAY=$dir/overlay dom0_tools/image/initramfs.sh "$INITRD" "$B/kernel" \
    xenfs xen-privcmd xen-evtchn xen-gntdev

# load NAME SECONDS [QEMU ARGUMENT...]
load() {
    local name=$1 seconds=$2
    shift 2
    check "$name: boots" boots_to_shell 60 "$@" || return
    check "$name: every result was right" \
        shell $((seconds + 120)) "stress $seconds"
    sed 's/^/# /' "$dir/answer"
    check "$name: 32-bit calls" shell 60 calls32
    check "$name: no complaint" no_complaints_in_dmesg
    send poweroff
    check "$name: powers off" wait_off 30 poweroff
    check "$name: Mica has no complaint" no_complaints_of_mica
}

MEM=1024
for sides in lazy isolated classic; do
    vm_iso com1=115200,8n1 console=com1 sides=$sides -- console=hvc0 \
        vsyscall=emulate
    CPU=max load "sides=$sides" $((seconds / 3))
done
CPU=max,vendor=GenuineIntel load "Intel's ways, sides=$sides" 10
vm_iso com1=115200,8n1 console=com1 -- console=hvc0 vsyscall=xonly
CPU=max,vendor=GenuineIntel load "Intel's ways" 10
CPU=qemu64 load 'a processor without XSAVE' 10

done_testing
