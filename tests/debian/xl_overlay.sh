#!/bin/sh
# SPDX-License-Identifier: MIT
#
# xl_overlay.sh DIR KERNEL
# Puts what the first domain needs to run Debian's own tool stack into
# DIR/overlay/xl: xl, the store's and the consoles' daemons, their libraries,
# and a guest to start. Packages are downloaded, not installed.

set -eu

dir=$(readlink -f "$1")
kernel=$2
target=$dir/overlay/xl
programs='xl xenstored xen-init-dom0 xenconsoled xenconsole'
xl_looks_in=usr/lib/xen-4.17/bin
packages='xen-utils-4.17 libxenmisc4.17 libxencall1 libxendevicemodel1
    libxenevtchn1 libxenforeignmemory1 libxengnttab1 libxenhypfs1 libxenstore4
    libxentoolcore1 libxentoollog1 libyajl2 libnl-route-3-200 libnl-3-200'

rm -rf "$dir/overlay" "$dir/guest"
mkdir -p "$target" "$dir/overlay/lib64" "$dir/overlay/$xl_looks_in" \
    "$dir/guest/bin" "$dir/guest/proc" "$dir/guest/sys" "$dir/guest/dev"

libraries=
for package in $packages; do
    dom0_tools/image/fetch_deb.sh "$package" "$dir/$package"
    root=$dir/$package/root
    libraries=$libraries:$root/lib/x86_64-linux-gnu:$root/usr/lib/x86_64-linux-gnu
done
for program in $programs; do
    cp "$dir/xen-utils-4.17/root/$xl_looks_in/$program" "$target/"
done
ln -s /xl/xenconsole "$dir/overlay/$xl_looks_in/"
for program in $programs; do
    LD_LIBRARY_PATH=${libraries#:} ldd "$target/$program"
done | sed -n 's/.*=> \(\/[^ ]*\).*/\1/p' | sort -u | while read -r library; do
    cp -L "$library" "$target/"
done
# What a thread of xl's loads when it is told to end.
cp -L /lib/x86_64-linux-gnu/libgcc_s.so.1 "$target/"
cp -L /lib64/ld-linux-x86-64.so.2 "$dir/overlay/lib64/"

cp /bin/busybox "$dir/guest/bin/"
cp tests/debian/xl_guest_init "$dir/guest/init"
(cd "$dir/guest" && find . | LC_ALL=C sort |
    cpio --quiet -o -H newc -R 0:0) | gzip -9 -n >"$target/guest.gz"
cp -L "$kernel" "$target/vmlinuz"
cp tests/debian/xl_guest.cfg "$target/guest.cfg"
