#!/bin/bash
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2317 # functions are called by check
#
# Debian's own tool stack, unchanged, in the first domain: xl with the store
# and console daemons of the same packages starts, watches and ends a guest.
# Beside it is mica, which has to print what xl prints, byte for byte.
# "make check-xl" fetches them and sets XL_DIR.

# shellcheck source=tests/run/vm.bash
. tests/run/vm.bash
# shellcheck source=tests/integration/dom0.bash
. tests/integration/dom0.bash

# $dir/overlay/xl becomes /xl
INITRD=$dir/initrd.img
cp -a "$XL_DIR/overlay" "$dir/"
cp tests/debian/xl_compare "$dir/overlay/xl/compare"
TOOLS=$B/dom0_tools/mica OVERLAY=$dir/overlay dom0_tools/image/initramfs.sh "$INITRD" "$B/kernel" \
    xenfs xen-privcmd xen-evtchn xen-gntdev

daemons_start() {
    shell 20 'mkdir -p /run/xenstored /run/xen /var/lib/xenstored
        mkdir -p /var/lib/xen /var/log/xen /var/lock /etc/xen; touch /etc/xen/xl.conf
        rm -rf /var/run; ln -s /run /var/run
        rm -f /usr/sbin/xl; export LD_LIBRARY_PATH=/xl PATH=/xl:$PATH' &&
        shell 30 'xenstored --pid-file /run/xenstored.pid && xen-init-dom0' &&
        shell 30 'xenconsoled --log=guest --log-dir=/tmp'
}

info_is_right() {
    shell 60 'xl info' && says '^xen_version *: 4\.17-mica$' &&
        says '^nr_cpus *: 2$' && says '^virt_caps *: pv ' &&
        says '^xen_scheduler *: credit2$' && says '^total_memory *: 20[0-9]{2}$'
}

topology_is_right() {
    shell 60 'xl info -n' && says '^ *1: +1 +0 +0$' &&
        says '^ *0: +20[0-9]{2} +[0-9]+ +10$'
}

pool_has_all() {
    shell 60 'xl cpupool-list -c' && says '^Pool-0 +0,1$'
}

log_can_be_read() {
    shell 60 'xl dmesg' && says 'Mica, a paravirtualization hypervisor'
}

free_memory() {
    shell 60 'xl info free_memory' && sed -n '/^[0-9]*$/p' "$dir/answer"
}

guest_starts() {
    shell 120 'xl create /xl/guest.cfg' && shell 60 'xl list' &&
        says '^guest +[0-9]+ +256 '
}

# One that waits to be started.
guest_waits() {
    shell 120 'xl create -p /xl/guest.cfg' && shell 60 'xl list guest' &&
        says '^guest +[0-9]+ +256 +1 +--p--- +0\.0' && shell 60 'xl unpause guest'
}

# It wants a terminal, which here is dom0's own.
console_talks() {
    local is_answered=1
    send 'xl console guest'
    wait_for 'job control turned off' 30
    send 'echo $((6 * 7)) is it'
    wait_for '^42 is it' 30 && is_answered=0
    send_keys '\035' # counts only alone
    wait_for 'dom0:.*# $' 20 && return $is_answered
}

# becomes SECONDS COMMAND: waits in dom0 until the command succeeds.
becomes() {
    shell $(($1 * 3)) "for i in \$(seq $1); do $2 && break; sleep 1; done; $2"
}

# The console daemon keeps what guests write.
guest_says() {
    becomes "$1" "grep -q '$2' /tmp/guest-guest.log"
}

pauses_and_goes_on() {
    shell 60 'xl pause guest && xl list guest' &&
        says '^guest .* [r-][b-]p--- ' &&
        shell 60 'xl unpause guest && xl list guest' &&
        says '^guest .* [r-][b-]---- '
}

weight_is_kept() {
    shell 60 'xl sched-credit2 -d guest -w 512 -c 50 && xl sched-credit2' &&
        says '^guest +[0-9]+ +512 +50$'
}

pins_a_vcpu() {
    shell 60 'xl vcpu-pin guest 0 1 && xl vcpu-list guest' &&
        says '^guest +[0-9]+ +0 .* 1 / all$'
}

balloon_shrinks() {
    shell 60 'xl mem-set guest 200' &&
        becomes 40 'xl list guest | grep -Eq "^guest +[0-9]+ +20[0-9] "'
}

# same HOW ARGUMENTS: see xl_compare.
same() {
    check "mica $2 prints what xl does" compares "$@"
}

compares() {
    shell 120 "compare $1 $2" && return
    sed 's/^/# /' "$dir/answer"
    return 1
}

prints_what_xl_does() {
    same but_dom0 list
    same exactly 'list guest'
    same but_dom0 'list -v'
    same but_dom0 'list -vcn'
    same exactly 'list -Z guest'
    same fields 'list -l guest'
    same exactly info
    same exactly 'info -n'
    same exactly 'info free_memory'
    same but_dom0 vcpu-list
    same exactly 'vcpu-list guest'
    same exactly vm-list
    same exactly uptime
    same exactly 'uptime -s guest'
    same exactly 'domid guest'
    same exactly 'domname 0'
    same exactly sched-credit2
    same exactly 'sched-credit2 -d guest'
}

guest_ends() {
    shell 60 'xl destroy guest' && shell 60 'xl list' &&
        ! grep -q ^guest "$dir/answer"
}

gives_all_back() {
    local after
    after=$(free_memory)
    echo "# free before: $before MiB, after: $after MiB"
    [ -n "$before" ] && [ "$after" = "$before" ]
}

audit_is_clean() {
    shell 60 'xl debug-keys F && xl dmesg' && says 'audit: all counts are right'
}

MEM=2048
SMP=2
vm_iso com1=115200,8n1 console=com1 dom0_mem=1024M -- console=hvc0
check 'boots' boots_to_shell 120
check 'the daemons start' daemons_start
check 'xl info' info_is_right
check 'xl info -n' topology_is_right
check 'xl cpupool-list' pool_has_all
check 'xl dmesg' log_can_be_read
before=$(free_memory)
for round in 1 2; do
    if [ $round = 1 ]; then
        check 'a guest starts' guest_starts
    else
        check 'a guest waits and starts' guest_waits
    fi
    check "guest $round comes up" guest_says 120 'guest: up as xen'
    check "guest $round has all its vCPUs" guest_says 60 'guest: 2 processors'
    check "guest $round is talked to" console_talks
    check "guest $round pauses and goes on" pauses_and_goes_on
    if [ $round = 1 ]; then
        check 'it is paused' shell 60 'xl pause guest'
        prints_what_xl_does
        check 'it goes on' shell 60 'xl unpause guest'
    fi
    check "guest $round gets another weight and cap" weight_is_kept
    check "guest $round has a vCPU pinned" pins_a_vcpu
    check "guest $round gives memory back" balloon_shrinks
    check "guest $round is destroyed" guest_ends
    check "guest $round leaves nothing behind" gives_all_back
    shell 10 'rm -f /tmp/guest-guest.log'
done
check 'no complaint' no_complaints
check 'every reference is accounted for' audit_is_clean
send poweroff
check 'powers off' wait_off 30 poweroff

done_testing
