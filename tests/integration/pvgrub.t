#!/bin/bash
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2016,SC2119,SC2317 # for dom0; no arguments; by check
#
# Debian's GRUB as a guest's kernel: its menu is on the guest's console, arrow
# keys move in it, and the chosen entry loads the stock kernel and its initial
# ramdisk from GRUB's memory disk, builds its page tables and starts it. It runs
# to its shell, and nothing is left when it has shut down.

# shellcheck source=tests/run/vm.bash
. tests/run/vm.bash
# shellcheck source=tests/integration/dom0.bash
. tests/integration/dom0.bash
# shellcheck source=tests/integration/stock.bash
. tests/integration/stock.bash

grub_modules=$B/grub-xen/root/usr/lib/grub/x86_64-xen

# GRUB with a memory disk, in which the kernel, ramdisk and menu are.
make_grub() {
    cat >"$dir/grub.cfg" <<'END'
set timeout=-1
menuentry 'the first entry' {
    echo 'this is the first entry'
    sleep 1000
}
menuentry 'the second entry' {
    linux (memdisk)/boot/vmlinuz console=hvc0 mica.guest by=grub
    initrd (memdisk)/boot/guest.img
}
menuentry 'the third entry' {
    reboot
}
END
    grub-mkstandalone -O x86_64-xen -d "$grub_modules" --compress=no \
        --fonts= --locales= --themes= \
        --install-modules='normal linux echo sleep reboot' \
        --modules='memdisk tar normal gzio xzio' -o "$stock/boot/grub.elf" \
        "boot/grub/grub.cfg=$dir/grub.cfg" \
        "boot/vmlinuz=$stock/boot/vmlinuz" \
        "boot/guest.img=$stock/boot/guest.img"
    printf '%s\n' 'name = "grub"' 'kernel = "/boot/grub.elf"' 'memory = 256' \
        >"$stock/boot/grub.cfg"
}

mkdir -p "$stock/boot"
make_stock_files
make_grub || exit 1
make_stock_initrd

# keys GUEST TEXT: types it as printf writes it.
keys() {
    shell 30 "(printf '$2'; sleep 1; printf '\\035') |
        mica console $1 >/dev/null"
}

# shows GUEST REGEX: its console has shown this.
shows() {
    shell 140 "ask $1 120 - '$2'"
}

vm_iso com1=115200,8n1 console=com1 dom0_mem=768M -- console=hvc0
check 'the first domain boots' boots_to_shell 90 || done_testing
check 'what guests use can be counted' shell 60 'mica create -qp /boot/grub.cfg &&
    mica destroy grub' && count_used
check 'GRUB is created as a guest' shell 60 'mica create -q /boot/grub.cfg'
check 'its menu is on the console' shows grub '\*the first entry'
check 'an arrow key is pressed' keys grub '\033[B'
check 'the second entry is chosen then' shows grub '\*the second entry'
check 'Enter is pressed' keys grub '\r'
check 'the kernel of the entry starts' shows grub 'Linux version'
check 'and comes to its shell' answers grub 180
check 'as the entry has it' asks grub 60 'cat /proc/cmdline' 'by=grub$'
check 'the guest is shut down' shell 60 'mica shutdown -w grub'
check 'and nothing is left' nothing_is_left
check 'no complaint of Mica' no_complaints_of_mica
check 'the frame table is right' audit_is_clean
done_testing
