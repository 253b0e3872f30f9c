#!/bin/bash
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2016,SC2317 # for the shells of dom0 and guests
#
# Guests with the stock kernel that panic, reboot and power off: what their
# configurations say about it is done, and a second guest notices nothing. The
# dump of one that panicked is taken out of the machine and read with gdb.

# shellcheck source=tests/run/vm.bash
. tests/run/vm.bash
# shellcheck source=tests/integration/dom0.bash
. tests/integration/dom0.bash
# shellcheck source=tests/integration/stock.bash
. tests/integration/stock.bash

MEM=1536
make_stock_files
make_stock_initrd virtio_blk virtio_pci
truncate -s 512M "$dir/disk"

# Notes who the guest is, to see later whether it is another one.
remember() {
    shell 30 "mica domid $1 && mica store read /local/domain/\$(mica domid $1)/vm" &&
        { read -r id && read -r uuid; } <"$dir/answer"
}

# panics GUEST: its kernel does, and its last words are on its console.
panics() {
    remember "$1" && shell 180 "ask $1 120 'echo c >/proc/sysrq-trigger' \
        'Kernel panic - not syncing: sysrq triggered crash'"
}

# does GUEST COMMAND: types a command that ends the guest.
does() {
    remember "$1" && shell 180 "ask $1 120 '$2' 'reboot: .*'"
}

# is_started_anew GUEST: another domain has its name and UUID, and answers.
is_started_anew() {
    local old_id=$id old_uuid=$uuid
    awaits 60 "new=\$(mica domid $1 2>/dev/null) && test \$new != $id" &&
        answers "$1" 180 && remember "$1" &&
        [ "$id" != "$old_id" ] && [ "$uuid" = "$old_uuid" ]
}

is_gone() {
    awaits 60 "! mica domid $1 2>/dev/null"
}

# stays GUEST LETTERS: it is there, and its state is shown so.
stays() {
    awaits 60 "mica list $1 | grep -q -e '$2'"
}

# from_now_on SETTING...: what becomes of the guest when it ends.
from_now_on() {
    shell 30 "mica config-update bad /boot/stock.cfg name=bad vcpus=2 $*"
}

is_undisturbed() {
    answers calm 60 && shell 20 'mica domid calm' && says '^1$'
}

# Mica complains of nothing else.
no_complaints_but_crashes() {
    vm_output | grep -a '^(MICA)' | grep -av 'domain [0-9]* crashed' |
        complaints | is_silent
}

log_is_without_guests() {
    ! vm_output | grep -a '^(d[0-9]' && shell 20 '! mica dmesg | grep "^(d"'
}

# The only dump goes to the disk, then out of the machine.
fetches_dump() {
    awaits 60 'grep -q "was dumped" /var/log/monitord.log' &&
        shell 60 'set -- /var/lib/mica/dump/*.core; test $# = 1 &&
            stat -c %s $1' && size=$(tail -n 1 "$dir/answer") &&
        shell 120 'modprobe virtio_pci; modprobe virtio_blk
            cat $1 >/dev/vda && sync && rm $1' &&
        head -c "$size" "$dir/disk" >"$dir/core"
}

# What the guest's kernel says of its own symbols, as "name address" lines.
learns_symbols() {
    local symbol
    shell 120 "ask bad 100 'grep -E \" (linux_banner|panic|_stext|_etext)\$\" \
        /proc/kallsyms; echo those' '^those'; cat /var/log/mica/console/bad.log
        echo" &&
        tr -d '\r' <"$dir/answer" |
        sed -n 's/^\([0-9a-f]\{16\}\) . \([a-z_]*\)$/\2 \1/p' \
            >"$dir/symbols" &&
        for symbol in linux_banner panic _stext _etext; do
            grep -q "^$symbol f" "$dir/symbols" || return 1
        done
}

symbol() {
    sed -n "s/^$1 //p" "$dir/symbols" | head -n 1
}

# debugger COMMAND...: gdb's answers about the dump.
debugger() {
    local commands=() command
    for command; do
        commands+=(-ex "$command")
    done
    timeout 60 gdb -nx -batch -ex 'set architecture i386:x86-64' \
        -ex "core-file $dir/core" "${commands[@]}" >"$dir/answer" 2>&1
}

reads_memory() {
    debugger "x/s 0x$(symbol linux_banner)" && says '"Linux version [0-9]'
}

# Both vCPUs were in the kernel's text.
reads_registers() {
    local rip
    debugger 'thread apply all info registers rip' &&
        grep -ao 'rip  *0x[0-9a-f]*' "$dir/answer" | sed 's/.*0x//' \
            >"$dir/rips" && [ "$(wc -l <"$dir/rips")" = 2 ] || return 1
    while read -r rip; do
        [[ ! $rip < $(symbol _stext) && $rip < $(symbol _etext) ]] || return 1
    done <"$dir/rips"
}

# One vCPU's stack, which is not where memory is mapped one to one, has a way
# back into panic(), which is no longer than 2 KiB.
reads_stacks() {
    local start end
    start=$(symbol panic)
    end=$(printf %x $((0x$start + 2048)))
    debugger 'thread apply all -s x/32gx $rsp' || return 1
    grep -o '0x[0-9a-f]\{16\}' "$dir/answer" | sed 's/^0x//' |
        awk -v "start=x$start" -v "end=x$end" \
            '"x" $0 > start && "x" $0 < end { found = 1 } END { exit !found }'
}

vm_iso com1=115200,8n1 console=com1 dom0_mem=768M -- console=hvc0
check 'the first domain boots' boots_to_shell 90 \
    -drive "if=virtio,format=raw,file=$dir/disk" || done_testing
check 'a guest that shall not be disturbed is created' creates name=calm
check 'and one that will crash' creates name=bad
check 'the first answers' is_undisturbed

check 'the second panics' panics bad &&
    check 'it is destroyed' is_gone bad &&
    check 'its last words are in its log' shell 20 \
        'grep "Kernel panic - not syncing: sysrq" /var/log/mica/console/bad.log'
check 'the first goes on' is_undisturbed

check 'one that shall restart is created' \
    creates name=bad vcpus=2 on_crash=restart
check 'it panics' panics bad &&
    check 'and is started anew under the same name and UUID' \
        is_started_anew bad
check 'the first goes on' is_undisturbed

check 'now with a dump' from_now_on on_crash=coredump-restart &&
    check 'its symbols are known' learns_symbols &&
    check 'it panics' panics bad &&
    check 'and is started anew' is_started_anew bad &&
    check 'its dump is taken out of the machine' fetches_dump
check 'gdb reads memory of the dump' reads_memory
check 'and the registers of both vCPUs' reads_registers
check 'and the stack of the one that panicked' reads_stacks
check 'the first goes on' is_undisturbed

check 'now what crashed is kept' from_now_on on_crash=rename-restart &&
    check 'it panics' panics bad &&
    check 'another with its name is there' \
        awaits 60 "new=\$(mica domid bad) && test \$new != $id" &&
    check 'which answers' answers bad 180 &&
    check 'beside the one that crashed' stays bad-1 '---sc-' &&
    check 'which is destroyed' shell 20 'mica destroy bad-1'

check 'it reboots' does bad reboot &&
    check 'and is started anew' is_started_anew bad
check 'now a power-off restarts it' from_now_on on_poweroff=restart &&
    check 'it powers off' does bad poweroff &&
    check 'and is started anew' is_started_anew bad
check 'now a reboot is its end' from_now_on on_reboot=destroy &&
    check 'it reboots' does bad reboot &&
    check 'and is gone' is_gone bad
check 'the first goes on' is_undisturbed

check 'one that shall be kept is created' creates name=bad on_crash=preserve &&
    check 'it panics' panics bad &&
    check 'and is kept' stays bad '---sc-' &&
    check 'until it is destroyed' shell 20 'mica destroy bad'
check 'one that is dumped and destroyed is created' \
    creates name=bad vcpus=2 on_crash=coredump-destroy &&
    check 'it panics' panics bad &&
    check 'it is gone' is_gone bad &&
    check 'and its dump is there' \
        shell 20 'ls /var/lib/mica/dump/*-bad.*.core && rm /var/lib/mica/dump/*'
check 'the first goes on' is_undisturbed
check 'it powers off' does calm poweroff &&
    check 'and is gone' is_gone calm
check 'none of what guests wrote is in the log of Mica' log_is_without_guests
check 'no complaint of Mica but of crashes' no_complaints_but_crashes
check 'the frame table is right' audit_is_clean
done_testing
