#!/bin/sh
# SPDX-License-Identifier: MIT
#
# initramfs.sh OUTPUT [KERNEL_DIR MODULE...]
# Builds the file system of the first domain: busybox, the init script beside
# this one, the named modules with what they need, the programs of the list
# TOOLS, and the contents of the directory OVERLAY, if these variables are set.
# Same input, same bits.

set -eu

output=$1
shift
here=$(dirname "$0")
tree=$output.tree
PATH=$PATH:/sbin:/usr/sbin

copy_modules() {
    kernel=$1
    shift
    version=$(basename "$(readlink -f "$kernel/modules")")
    root=$(readlink -f "$kernel/deb/root")
    for module; do
        modprobe -d "$root" -S "$version" --show-depends "$module"
    done >"$tree/modules"
    sed -n 's/^insmod \([^ ]*\).*/\1/p' "$tree/modules" | while read -r path; do
        target=$tree/${path#"$root"/}
        mkdir -p "$(dirname "$target")"
        cp "$path" "$target"
    done
    # busybox needs only the list of what each module needs.
    (cd "$tree/lib/modules/$version" && find kernel -name '*.ko') |
        awk 'NR == FNR { have[$0 ":"]; next } $1 in have' - \
            "$kernel/modules/modules.dep" \
            >"$tree/lib/modules/$version/modules.dep"
    rm "$tree/modules"
}

rm -rf "$tree"
mkdir -p "$tree/bin" "$tree/sbin" "$tree/etc" "$tree/proc" "$tree/sys" \
    "$tree/dev" "$tree/run" "$tree/tmp" "$tree/root" "$tree/usr/bin" \
    "$tree/usr/sbin" "$tree/mnt" "$tree/var/log" "$tree/var/lib"
cp /bin/busybox "$tree/bin/busybox"
cp "$here/init" "$tree/init"
cp "$here/tour" "$tree/bin/tour"
cp "$here/udhcpc" "$tree/etc/udhcpc"
/bin/busybox --list-full | while read -r applet; do
    [ -e "$tree/$applet" ] || ln -s /bin/busybox "$tree/$applet"
done
echo 'root::0:0:root:/root:/bin/sh' >"$tree/etc/passwd"
echo 'root:x:0:' >"$tree/etc/group"
echo "export PS1='\\h:\\w# '" >"$tree/etc/profile"
if [ $# -gt 1 ]; then
    copy_modules "$@"
fi
for tool in ${TOOLS:-}; do
    cp "$tool" "$tree/usr/sbin/"
done
if [ -e "$tree/usr/sbin/mica" ]; then
    ln -s mica "$tree/usr/sbin/xl"
    # What "mica top" has to know of terminals.
    for terminal in l/linux v/vt100 v/vt220 x/xterm; do
        [ -e "/lib/terminfo/$terminal" ] || continue
        mkdir -p "$tree/lib/terminfo/${terminal%/*}"
        cp "/lib/terminfo/$terminal" "$tree/lib/terminfo/$terminal"
    done
fi
if [ -n "${OVERLAY:-}" ]; then
    cp -a "$OVERLAY"/. "$tree"/
fi
find "$tree" -exec touch -h -d "@${SOURCE_DATE_EPOCH:-1700000000}" {} +
(cd "$tree" && find . | LC_ALL=C sort |
    cpio --quiet -o -H newc -R 0:0 --reproducible) | gzip -9 -n >"$output.new"
mv "$output.new" "$output"
rm -rf "$tree"
