#!/bin/bash
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2317 # functions are called by check
#
# A real Debian system as the first domain: systemd, a login on the console,
# programs of its packages, and every file of its disk read and compared with
# what its package says. "make check-debian" makes the system and sets
# DEBIAN_DIR; otherwise there is nothing to test here.

if [ -z "${DEBIAN_DIR-}" ]; then
    echo '1..0 # SKIP make check-debian does this'
    exit 0
fi

# shellcheck source=tests/run/vm.bash
. tests/run/vm.bash
# shellcheck source=tests/integration/dom0.bash
. tests/integration/dom0.bash

INITRD=$DEBIAN_DIR/initrd.img

logs_in() {
    wait_for 'mica-debian login: $' "$1" || return 1
    send root
    wait_for '^Password: $' 30 || return 1
    send mica
    wait_for '^root@mica-debian:.*# $' 60 || return 1
    shell 20 "stty columns 1000; PS1='# '; unset LS_COLORS"
}

# Waits for the end of the start; a unit that failed makes it "degraded".
is_running() {
    shell 180 'systemctl is-system-running --wait' && says '^running$' && return
    shell 20 'systemctl --failed --no-pager --plain'
    sed 's/^/# /' "$dir/answer"
    return 1
}

root_is_on() {
    shell 10 'findmnt -no SOURCE /' && says "^/dev/$1"
}

is_first_domain() {
    shell 20 'cat /proc/xen/capabilities' && says '^control_d$'
}

# What "make install" brought and systemd started.
tools_are_served() {
    local unit
    for unit in stored consoled monitord; do
        shell 20 "systemctl is-active mica-$unit" && says '^active$' || return
    done
    shell 20 'mica list' && says '^Domain-0 +0 '
}

guest_comes_and_goes() {
    shell 60 'mica create name=echo kernel=/srv/echo.elf memory=4' &&
        shell 60 'until mica console -l echo | grep -q "is up"; do sleep 1; done' &&
        shell 60 'mica destroy echo && ! mica list echo' &&
        says 'there is no domain "echo"'
}

# One that ends is there again.
tools_are_restarted() {
    shell 20 'systemctl kill -s KILL mica-stored' &&
        shell 60 'until mica store ls /; do sleep 1; done' &&
        shell 20 'systemctl is-active mica-stored' && says '^active$'
}

installs_and_runs_a_package() {
    shell 120 'apt-get -qq -y install /var/cache/dc_*.deb' &&
        shell 10 'echo 6 7 \* p | dc' && says '^42$'
}

programs_run() {
    shell 60 "python3 -c 'print(sum(range(10**6)))'" && says '^499999500000$' &&
        shell 60 "head -c 16M /dev/zero | openssl dgst -sha256" &&
        says '080acf35a507ac9849cfcba47dc2ad83e01b75663a516279c8b9d243b719643e$'
}

# Reads all that packages brought. What differs is shown.
every_file_is_right() {
    shell 600 'dpkg --verify' || return 1
    ! grep -aE '^(..5|missing)' "$dir/answer"
}

whole_disk_is_readable() {
    shell 300 "dd if=/dev/$1 of=/dev/null bs=1M"
}

network_has_an_address() {
    shell 60 '/lib/systemd/systemd-networkd-wait-online --timeout=50' &&
        shell 10 'ip -4 addr' && says 'inet 10\.0\.2\.15'
}

file_system_is_clean() {
    /sbin/e2fsck -fn "$dir/disk" >"$dir/e2fsck" 2>&1 || {
        sed 's/^/# /' "$dir/e2fsck"
        return 1
    }
}

# debian DISK [QEMU ARGUMENT...]: boots a copy of the disk, whose own is kept.
debian() {
    local disk=$1
    shift
    cp --sparse=always "$DEBIAN_DIR/disk.img" "$dir/disk"
    vm_start -drive "if=none,id=root,format=raw,file=$dir/disk" "$@"
    check "$disk: logs in on the console" logs_in 240 || return
    check "$disk: all of it started" is_running
    check "$disk: is the root" root_is_on "$disk"
    check "$disk: Xen's first domain" is_first_domain
    check "$disk: Mica's tools are there" tools_are_served
    check "$disk: a guest comes and goes" guest_comes_and_goes
    check "$disk: a daemon that was killed comes back" tools_are_restarted
    check "$disk: the network is there" network_has_an_address
    check "$disk: apt installs a package" installs_and_runs_a_package
    check "$disk: programs run" programs_run
    check "$disk: every file is as its package says" every_file_is_right
    check "$disk: no read error" whole_disk_is_readable "$disk"
    check "$disk: no complaint" no_complaints_in_dmesg
    send poweroff
    check "$disk: powers off" wait_off 90 poweroff
    check "$disk: Mica has no complaint" no_complaints_of_mica
    check "$disk: the file system is clean" file_system_is_clean
}

vm_iso com1=115200,8n1 console=com1 -- console=hvc0 root=LABEL=mica-root
debian vda -device virtio-blk-pci,drive=root -nic user,model=virtio-net-pci
debian sda -machine q35 -device ide-hd,drive=root,bus=ide.0

done_testing
