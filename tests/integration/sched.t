#!/bin/bash
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2016,SC2317 # for dom0's shell; called by check
#
# Shares of processor time, as the guests and the command line see them: two
# busy guests on the second of two processors, one of them with a cap. What
# they get is compared with each other, never with a clock.

# shellcheck source=tests/run/vm.bash
. tests/run/vm.bash
# shellcheck source=tests/integration/dom0.bash
. tests/integration/dom0.bash

: "${TOOLS=$B/dom0_tools/mica $B/dom0_tools/stored $B/dom0_tools/consoled}"
export TOOLS
MEM=1024
SMP=2

make_tree() {
    local tree=$dir/tree
    mkdir -p "$tree/boot" "$tree/bin"
    cp "$B/guests/echo.elf" "$tree/boot/"
    cat >"$tree/boot/busy.cfg" <<'END_OF_CONFIG'
kernel = "/boot/echo.elf"
memory = 4
cpus = "1"
END_OF_CONFIG
    cat >"$tree/bin/told" <<'END_OF_SCRIPT'
#!/bin/busybox sh
# told DOMAIN WORD: tells it to the guest's console, and waits for the echo.
mkfifo /tmp/in
exec 3<>/tmp/in
: >/tmp/out # or the loop may see what the last one was told
timeout 30 mica console "$1" <&3 >>/tmp/out 2>&1 &
echo "$2" >&3
tries=300
until grep -q "^echo: $2" /tmp/out; do
    tries=$((tries - 1))
    [ $tries -gt 0 ] || break
    usleep 100000
done
printf '\035' >&3
wait
grep -q "^echo: $2" /tmp/out
result=$?
rm /tmp/in
exit $result
END_OF_SCRIPT
    cat >"$tree/bin/share" <<'END_OF_SCRIPT'
#!/bin/busybox sh
# share DOMAIN OTHER: the part of the processor, in percent, that the first
# gets while the second uses it for five seconds.
used() {
    mica list "$1" | awk 'END { print 10 * $NF }'
}
mine=$(used "$1") others=$(used "$2")
tries=600
until [ $(($(used "$2") - others)) -ge 50 ]; do
    tries=$((tries - 1))
    [ $tries -gt 0 ] || exit 1
    usleep 200000
done
mine=$(($(used "$1") - mine)) others=$(($(used "$2") - others))
echo "share $((100 * mine / (mine + others)))"
END_OF_SCRIPT
    chmod +x "$tree"/bin/*
}

make_tree
INITRD=$dir/initrd.img
OVERLAY=$dir/tree dom0_tools/image/initramfs.sh "$INITRD" "$B/kernel" \
    xenfs xen-privcmd xen-evtchn xen-gntdev

# gets LEAST MOST: the capped guest, beside the other.
gets() {
    local share
    shell 180 'share capped other' || return 1
    share=$(sed -n 's/^share \([0-9]*\)$/\1/p' "$dir/answer")
    echo "# gets $share %"
    [ "$share" -ge "$1" ] && [ "$share" -le "$2" ]
}

# lists REGEX COMMAND: what a command writes has such a line.
lists() {
    shell 30 "$2" && says "$1"
}

# fails STATUS REGEX COMMAND
fails() {
    shell 30 "$3"
    [ $? -eq "$1" ] && says "$2"
}

# Until the vCPU of a domain is on that processor.
is_on() {
    shell 60 "for i in \$(seq 100); do mica vcpu-list $1 |
        grep -q '^$1 .* $2  *r-- ' && break; usleep 100000; done; [ \$i != 100 ]"
}

vm_iso com1=115200,8n1 console=com1 dom0_mem=512M dom0_max_vcpus=1 -- \
    console=hvc0
check 'the first domain boots' boots_to_shell 90 || done_testing
check 'it keeps to the first processor' shell 20 'mica vcpu-pin 0 all 0 -'
check 'more than a vCPU can use is no cap' fails 2 'cap=101 is more' \
    'mica create -n /boot/busy.cfg name=bad cap=101'
check 'a guest with a cap is created' shell 60 \
    'mica create /boot/busy.cfg name=capped cap=20 cpus_soft=1'
check 'and one without' shell 60 'mica create /boot/busy.cfg name=other'
check 'the cap is listed' lists '^capped +1 +256 +20$' 'mica sched -d capped'
check 'with all that is known of the guest' lists '"cap": *20' \
    'mica list -l capped'
check 'both are told to work' shell 60 'told capped work && told other work'
check 'the capped one gets a fifth' gets 16 24
check 'its cap is raised' shell 20 'mica sched -d capped -c 40' &&
    check 'which it gets' gets 36 44
check 'weight and cap together' shell 20 'mica sched -d capped -w 1024' &&
    check 'leave the cap in force' gets 36 44
check 'its cap is lifted' shell 20 'mica sched -d capped -w 256 -c 0' &&
    check 'then it gets half' gets 45 55
check 'capped again it can be destroyed' \
    shell 30 'mica sched -d capped -c 1 && mica destroy capped'

check 'where a guest must and should run is listed' lists \
    ' 1 / all$' 'mica vcpu-list other'
check 'it may run anywhere, and rather on 0' \
    shell 20 'mica vcpu-pin 0 all all - && mica vcpu-pin other 0 all 0' &&
    check 'so it says' lists ' all / 0$' 'mica vcpu-list other' &&
    check 'and that is where it goes' is_on other 0
check 'it would rather run on 1' shell 20 'mica vcpu-pin other 0 - 1' &&
    check 'and goes there' is_on other 1

check 'the rate limit is shown' lists '^Cpupool Pool-0: ratelimit=0us$' \
    'mica sched -s'
check 'and can be set' shell 20 'mica sched -s -r 1000' &&
    check 'so it is' lists '^Cpupool Pool-0: ratelimit=1000us$' 'mica sched'
check 'and no longer' shell 20 'mica sched -s -r 0'
done_testing
