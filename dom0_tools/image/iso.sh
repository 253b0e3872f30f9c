#!/bin/sh
# SPDX-License-Identifier: MIT
#
# iso.sh OUTPUT HYPERVISOR KERNEL INITRD
# Builds a GRUB image that boots by BIOS and by UEFI. The entry is the one a
# distribution writes for Xen. INITRD may be empty. In the environment:
#   MICA_CMDLINE  the hypervisor's options
#   CMDLINE       the kernel's options

set -eu

output=$1
hypervisor=$2
kernel=$3
initrd=$4
export SOURCE_DATE_EPOCH="${SOURCE_DATE_EPOCH:-1700000000}"
tree=$output.tree
name=$(basename "$hypervisor")

rm -rf "$tree"
mkdir -p "$tree/boot/grub"
cp -L "$hypervisor" "$tree/boot/$name"
[ -z "$kernel" ] || cp -L "$kernel" "$tree/boot/vmlinuz"
[ -z "$initrd" ] || cp -L "$initrd" "$tree/boot/initrd.img"

{
    echo 'serial --unit=0 --speed=115200'
    echo 'terminal_input serial console'
    echo 'terminal_output serial console'
    echo 'insmod gzio'
    echo 'set timeout=0'
    echo "menuentry 'Mica' {"
    # shellcheck disable=SC2016 # GRUB's variable, not ours
    echo '    if [ "$grub_platform" = pc ]; then'
    echo '        rm_opts='
    echo '    else'
    echo '        rm_opts="no-real-mode edd=off"'
    echo '    fi'
    echo "    multiboot2 /boot/$name placeholder ${MICA_CMDLINE-} \$rm_opts"
    [ -z "$kernel" ] ||
        echo "    module2 /boot/vmlinuz placeholder ${CMDLINE-}"
    [ -z "$initrd" ] || echo "    module2 --nounzip /boot/initrd.img"
    echo '}'
} >"$tree/boot/grub/grub.cfg"

modules='multiboot2 gzio serial terminal normal test echo ls cat reboot halt
    configfile iso9660'

bios() {
    # shellcheck disable=SC2086
    grub-mkimage -O i386-pc-eltorito -p /boot/grub \
        -o "$tree/boot/grub/bios.img" biosdisk $modules
}

efi() {
    echo 'search --file --set=root /boot/grub/grub.cfg' >"$output.cfg"
    # shellcheck disable=SC2086
    grub-mkimage -O x86_64-efi -p /boot/grub -c "$output.cfg" \
        -o "$output.efi" part_msdos part_gpt search search_fs_file efi_gop \
        $modules
    touch -d "@$SOURCE_DATE_EPOCH" "$output.efi"
    rm -f "$output.fat"
    mformat -C -f 2880 -N 4d494341 -i "$output.fat" ::
    mmd -i "$output.fat" ::/EFI ::/EFI/BOOT
    mcopy -m -i "$output.fat" "$output.efi" ::/EFI/BOOT/BOOTX64.EFI
}

bios
efi
find "$tree" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
xorriso -as mkisofs -quiet -R -V MICA -o "$output.new" \
    --modification-date="$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y%m%d%H%M%S00)" \
    --set_all_file_dates set_to_mtime \
    -b boot/grub/bios.img -no-emul-boot -boot-load-size 4 -boot-info-table \
    --grub2-boot-info --grub2-mbr /usr/lib/grub/i386-pc/boot_hybrid.img \
    -append_partition 2 0xef "$output.fat" \
    -eltorito-alt-boot -e --interval:appended_partition_2:all:: \
    -no-emul-boot "$tree" >/dev/null 2>"$output.log" || {
    cat "$output.log" >&2
    exit 1
}
mv "$output.new" "$output"
rm -rf "$tree" "$output.cfg" "$output.efi" "$output.fat" "$output.log"
