#!/bin/bash
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2317 # functions are called by check
#
# Real devices in the first domain: what its own drivers read from disks and
# get from the network through interrupt lines, MSI and MSI-X is right.

# shellcheck source=tests/run/vm.bash
. tests/run/vm.bash
# shellcheck source=tests/integration/dom0.bash
. tests/integration/dom0.bash

disk_mib=32
net_mib=50

# A shell of its own as the first domain's initrd: more drivers than usual.
INITRD=$dir/initrd.img
dom0_tools/image/initramfs.sh "$INITRD" "$B/kernel" e1000 e1000e virtio_net \
    virtio_pci virtio_blk ahci ata_piix sd_mod nvme ext4 xenfs xen-privcmd \
    xen-evtchn xen-gntdev

head -c ${disk_mib}M /dev/urandom >"$dir/disk.data"
head -c ${net_mib}M /dev/urandom >"$dir/net.data"
disk_sum=$(sha256sum <"$dir/disk.data" | cut -d ' ' -f 1)
net_sum=$(sha256sum <"$dir/net.data" | cut -d ' ' -f 1)

# Whoever connects to this address gets net.data, from a program that QEMU
# starts: no port of this computer is open.
served='guestfwd=tcp:10.0.2.100:80-cmd:cat '$(readlink -f "$dir/net.data")
user_net=(-nic none -netdev "user,id=net,$served")

# disk NUMBER [FILE]: a drive for -device, an empty one without a file.
disk() {
    local file=$dir/disk$1
    if [ $# -gt 1 ]; then
        cp "$2" "$file"
    else
        rm -f "$file"
        truncate -s ${disk_mib}M "$file"
    fi
    drive="if=none,id=disk$1,format=raw,file=$file"
}

# reads DEVICE: the first domain reads there what was put onto the disk.
reads() {
    shell 60 "sha256sum <$1" && says "^$disk_sum "
}

copies() {
    shell 60 "dd if=$1 of=$2 bs=1M conv=fsync" &&
        shell 10 'echo 3 >/proc/sys/vm/drop_caches' && reads "$2"
}

# uses DRIVER KIND: whether a driver's interrupts came, and came that way.
uses() {
    shell 10 "grep -E '$1' /proc/interrupts" &&
        says "^ *[0-9]+: +[1-9][0-9]* +xen-pirq +-$2 "
}

gets_an_address() {
    shell 60 'udhcpc -i eth0 -s /etc/udhcpc -n -q -t 8' &&
        shell 10 'ip addr show eth0' && says 'inet 10\.0\.2\.'
}

transfers() {
    shell 240 'nc 10.0.2.100 80 </dev/null | sha256sum' && says "^$net_sum "
}

# Afterwards: nothing to complain of, and an end that leaves disks in order.
ends_well() {
    check "$1: no complaint" no_complaints_in_dmesg
    send poweroff
    check "$1: powers off" wait_off 30 poweroff
    check "$1: Mica has no complaint" no_complaints_of_mica
}

# network NAME MODULE INTERRUPT [QEMU ARGUMENT...]
network() {
    local name=$1 module=$2 interrupt=$3
    shift 3
    check "$name: boots" boots_to_shell 60 "${user_net[@]}" "$@" || return
    check "$name: the driver starts" shell 20 "modprobe -a $module"
    check "$name: gets an address" gets_an_address
    check "$name: $net_mib MiB arrive as they were sent" transfers
    check "$name: by $interrupt" uses 'eth0|virtio' "$interrupt"
    ends_well "$name"
}

vm_iso com1=115200,8n1 console=com1 -- console=hvc0

disks_of_a_pc() {
    local name='disks of an i440fx' drives=()
    disk 0 "$dir/disk.data"
    drives+=(-drive "$drive" -device "virtio-blk-pci,drive=disk0")
    disk 1
    drives+=(-drive "$drive" -device "ahci,id=ahci"
        -device "ide-hd,drive=disk1,bus=ahci.0")
    disk 2
    drives+=(-drive "$drive" -device "ide-hd,drive=disk2,bus=ide.0")
    disk 3
    drives+=(-drive "$drive" -device "nvme,drive=disk3,serial=3")
    check "$name: boots" boots_to_shell 60 "${drives[@]}" || return
    check "$name: drivers start" \
        shell 30 'modprobe -a virtio_pci virtio_blk sd_mod nvme'
    check "$name: virtio reads" reads /dev/vda
    check "$name: virtio by MSI-X" uses virtio0-req msi-x
    check "$name: AHCI drives its disk" shell 30 \
        'modprobe ahci && while [ ! -e /dev/sda ]; do usleep 50000; done'
    check "$name: AHCI writes and reads" copies /dev/vda /dev/sda
    check "$name: AHCI by MSI" uses ahci msi
    check "$name: IDE drives its disk" shell 30 \
        'modprobe ata_piix && while [ ! -e /dev/sdb ]; do usleep 50000; done'
    check "$name: IDE writes and reads" copies /dev/sda /dev/sdb
    check "$name: IDE by interrupt lines" uses ata_piix ioapic-edge
    check "$name: NVMe writes and reads" copies /dev/sdb /dev/nvme0n1
    check "$name: NVMe by MSI-X" uses nvme0q1 msi-x
    ends_well "$name"
    check "$name: what came last is on the disk" \
        cmp "$dir/disk.data" "$dir/disk3"
}

# So much memory that drivers of old devices, which reach 4 GiB only, have to
# copy.
MEM=6144 disks_of_a_pc
network 'e1000' e1000 ioapic-level -device e1000,netdev=net
network 'e1000e' e1000e msi-x -machine q35 \
    -device e1000e,netdev=net
network 'virtio-net' 'virtio_pci virtio_net' msi-x -machine q35 \
    -device virtio-net-pci,netdev=net

done_testing
