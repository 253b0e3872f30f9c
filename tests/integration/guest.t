#!/bin/bash
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2317 # functions are called by check
#
# A guest: the first domain builds a domain from the stock kernel, which runs
# to its first process, finds itself as it was configured, and powers off. What
# can't be built is refused, and nothing is left of what has ended.

# shellcheck source=tests/run/vm.bash
. tests/run/vm.bash
# shellcheck source=tests/integration/dom0.bash
. tests/integration/dom0.bash

: "${TOOLS=$B/dom0_tools/mica $B/dom0_tools/stored}"
export TOOLS

# The guest's only process powers off if all is right, and else restarts. It is
# quiet, since Linux waits for ever when nobody reads its console.
make_guest() {
    mkdir -p "$dir/guest/tree" "$dir/guest/boot"
    cat >"$dir/guest/tree/init" <<'EOF'
#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
memory=$(sed -n 's/MemTotal: *\([0-9]*\) kB/\1/p' /proc/meminfo)
if [ "$(nproc)" = 2 ] && [ "$memory" -gt 80000 ] && [ "$memory" -lt 131072 ] &&
    grep -q 'a word for the guest' /proc/cmdline &&
    [ "$(cat /sys/hypervisor/type)" = xen ] &&
    [ ! -e /proc/xen/capabilities ]; then
    poweroff -f
fi
reboot -f
EOF
    chmod +x "$dir/guest/tree/init"
    OVERLAY=$dir/guest/tree TOOLS='' dom0_tools/image/initramfs.sh \
        "$dir/guest/boot/guest.img"
    rm -r "$dir/guest/tree"
    cp -L "$KERNEL" "$dir/guest/boot/vmlinuz"
    cat >"$dir/guest/boot/guest.cfg" <<'EOF'
name = "guest"
kernel = "/boot/vmlinuz"
ramdisk = "/boot/guest.img"
memory = 128
vcpus = 2
extra = "quiet loglevel=0 a word for the guest"
on_poweroff = "preserve"
EOF
}

make_guest
INITRD=$dir/initrd.img
OVERLAY=$dir/guest dom0_tools/image/initramfs.sh "$INITRD" "$B/kernel" \
    xenfs xen-privcmd xen-evtchn xen-gntdev

creates() {
    shell 120 "mica create -e /boot/guest.cfg $1"
}

# refused STATUS REGEX SETTING...: create fails that way, and says so.
refused() {
    local status=$1 reason=$2
    shift 2
    shell 60 "mica create -e /boot/guest.cfg $*"
    [ $? -eq "$status" ] && says "$reason"
}

# Puts the MiB that are free into $free_now.
count_free() {
    shell 20 'mica info' &&
        free_now=$(sed -n 's/^free_memory *: *//p' "$dir/answer")
}

# The first domain is the only one, and as much is free as at the start, once
# the daemons have noticed.
nothing_is_left() {
    shell 60 "for i in \$(seq 50); do
        test \$(mica list | wc -l) = 2 &&
            mica info | grep -q '^free_memory *: $free\$' && break
        sleep 0.2
    done; test \$i -lt 50" || {
        count_free
        echo "# free at the start: $free MiB, now: $free_now MiB"
        return 1
    }
}

audit_is_clean() {
    send_keys '\001\001\001'
    wait_for 'Console input goes to Mica' 10 || return 1
    send_keys 'F'
    wait_for 'audit.*(clean|0 differences|right)' 30
}

vm_iso com1=115200,8n1 console=com1 dom0_mem=512M guest_loglvl=all -- \
    console=hvc0
check 'the first domain boots' boots_to_shell 90 || done_testing
check 'it says how much is free' count_free
free=$free_now

check 'more memory than there is is refused' \
    refused 5 'MiB are free' name=big memory=100000
check 'too little memory is refused' \
    refused 5 '16 MiB are given' memory=16
check 'what is no kernel is refused' \
    refused 9 'no Xen notes' kernel=/bin/busybox
check 'nothing is left of that' nothing_is_left

check 'a stock kernel is built' creates ''
check 'it runs to its first process, with all that is its own' \
    wait_for '^\(MICA\).*domain [0-9]+ powered off' 120
check 'it is destroyed' shell 20 'mica destroy guest'
check 'and nothing is left' nothing_is_left
check 'the next one is built from what was kept' creates ''
check 'and runs as well' \
    wait_for '^\(MICA\).*domain [0-9]+ powered off' 120
check 'another is destroyed while it starts' creates name=second &&
    check 'at once' shell 20 'mica destroy second && mica destroy guest'
check 'with nothing left' nothing_is_left
check 'no complaint of Mica' no_complaints_of_mica
check 'the frame table is right' audit_is_clean

done_testing
