#!/bin/bash
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2119,SC2317 # functions are called by check
#
# What a user can get wrong in a boot entry or with a machine: each ends with a
# message that says what to change, and the machine halts, so that it can be
# read. What is merely not understood is reported, and the boot goes on.

# shellcheck source=tests/run/vm.bash
. tests/run/vm.bash
# shellcheck source=tests/integration/dom0.bash
. tests/integration/dom0.bash

good=$KERNEL
MEM=1024

# use KERNEL INITRD [OPTION...]: what the next machine boots.
use() {
    KERNEL=$1 INITRD=$2
    shift 2
    vm_iso com1=115200,8n1 console=com1 "$@" -- console=hvc0 mica.tour
}

# Neither resets nor goes on.
is_halted() {
    monitor 'info registers' && answers 'HLT=1' &&
        [ "$(vm_output | grep -ac "Booting \`Mica'")" = 1 ]
}

stays_halted() {
    wait_for '^Mica stops here' 10 && is_halted
}

# answers TEXT: QEMU's monitor writes this within some seconds.
answers() {
    local line
    while read -rt 10 line <&"$vm_answers"; do
        [[ $line != *"$1"* ]] || return 0
    done
    return 1
}

# stops_with NAME REGEX: Mica says so and halts.
stops_with() {
    vm_start
    check "$1: says why" wait_for "^\(MICA\).*$2" 60
    check "$1: the machine halts" stays_halted
}

# Where the packed payload of a bzImage begins, by its header.
payload_offset() {
    local sectors offset
    sectors=$(od -An -tu1 -j $((0x1f1)) -N 1 "$good")
    offset=$(od -An -tu4 -j $((0x248)) -N 4 "$good")
    echo $(((sectors + 1) * 512 + offset))
}

# with_bytes FILE OFFSET TEXT: the good kernel with other bytes at one place.
with_bytes() {
    cp -L "$good" "$1"
    printf '%s' "$3" |
        dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

# hypervisor_with_overlaps FILE: Mica behind a loader that spoils the map of
# memory.
hypervisor_with_overlaps() {
    local entry start
    gzip -dc "$HYPERVISOR" >"$dir/hypervisor"
    entry=$(readelf -hW "$dir/hypervisor" | awk '/Entry point/ { print $NF }')
    start=$(readelf -lW "$dir/hypervisor" |
        awk '$1 == "LOAD" { print $4; exit }')
    objcopy -O binary --set-section-flags .init.bss=alloc,load,contents \
        "$dir/hypervisor" "$dir/hypervisor.bin"
    gcc -nostdlib -static -no-pie -Wl,--build-id=none -Wl,-Ttext=0x100000 \
        -Wl,--no-warn-rwx-segments \
        -Wl,--section-start=.hypervisor="$start",--defsym=ENTRY="$entry" \
        -Wa,-I"$dir" -o "$1" tests/integration/overlaps.S
}

# Of the 1023 MiB of RAM, 16 in the middle are reserved now, and none counts
# twice.
overlaps_are_resolved() {
    wait_for '^\(MICA\).* memory: 1007 MiB of RAM' 60 &&
        wait_for 'Xen: \[mem 0x0*20000000-0x0*20ffffff\] reserved' 60 &&
        wait_for 'Xen: \[mem 0x0*3ffe0000-0x0*3fffffff\] reserved' 10
}

# An ELF file that is a kernel, but for no hypervisor.
kernel_without_notes() {
    echo '.globl _start; _start: hlt; .section .note.GNU-stack,"",@progbits' |
        gcc -nostdlib -static -no-pie -Wl,--build-id=none \
            -Wl,-Ttext=0xffffffff81000000 -x assembler -o "$1" -
}

use '' ''
stops_with 'no module' 'No dom0 kernel: .*module2'

kernel_without_notes "$dir/plain"
use "$dir/plain" ''
stops_with 'a kernel without notes' 'it has no Xen notes'

head -c 2M "$good" >"$dir/short"
use "$dir/short" ''
stops_with 'a truncated kernel' 'cut short'

with_bytes "$dir/corrupt" $(($(payload_offset) + 1000000)) 'not what was packed'
use "$dir/corrupt" ''
stops_with 'a corrupt kernel' 'damaged'

with_bytes "$dir/unknown" "$(payload_offset)" 'unknown magic'
use "$dir/unknown" ''
stops_with 'an unknown packing' 'packed by an unknown method'

echo 'no kernel at all' >"$dir/text"
use "$dir/text" ''
stops_with 'a text file' 'neither a Linux bzImage nor an ELF file'

truncate -s 160M "$dir/large"
use "$good" "$dir/large" dom0_mem=128M
stops_with 'an initrd larger than the memory' 'initrd .*do not fit'
rm "$dir/large"

use "$good" '' dom0_mem=8G
stops_with 'dom0_mem beyond the machine' 'dom0_mem: 8192 MiB wanted, .* ask for less'

use "$good" '' dom0_mem=1M
stops_with 'dom0_mem too small' 'dom0_mem: 1 MiB is too little'

use "$good" ''
CPU=qemu64,-apic stops_with 'a processor without a local APIC' \
    'local APIC, which Mica needs, is off'

# This one is written before Mica has a console of its own.
CPU=qemu64,-nx vm_start
check 'a processor without NX: says why' \
    wait_for '^Mica: this processor has no NX\. Switch' 60
check 'a processor without NX: the machine halts' is_halted

hypervisor_with_overlaps "$dir/overlaps"
HYPERVISOR=$dir/overlaps use "$good" "$B"/dom0/initrd.img
vm_start
check 'a memory map with overlaps: the safer claim holds' overlaps_are_resolved
check 'a memory map with overlaps: boots' wait_for '^TOUR done$' 60
check 'a memory map with overlaps: powers off' wait_off 30 poweroff
check 'a memory map with overlaps: no complaint' no_complaints

use "$good" "$B"/dom0/initrd.img nonsense=1 com2=fast dom0_mem=lots
vm_start
check 'an unknown option is reported' \
    wait_for '^\(MICA\).*command line: nonsense=1:' 60
check 'a bad value is reported' \
    wait_for '^\(MICA\).*command line: dom0_mem=lots:' 10
check 'and the first domain starts' wait_for '^TOUR done$' 60
check 'and powers off' wait_off 30 poweroff

done_testing
