#!/bin/sh
# SPDX-License-Identifier: MIT
#
# guests.sh TREE KERNEL ECHO
# Puts two guests and their configuration files into TREE, which then can be
# the overlay of a first domain: "linux", the stock KERNEL with a small file
# system of its own, and "echo", a kernel of 4 MiB that repeats what it is told.

set -eu

tree=$1
kernel=$2
echo_kernel=$3
here=$(dirname "$0")

rm -rf "$tree"
mkdir -p "$tree/boot" "$tree/etc/mica"
TOOLS='' OVERLAY='' "$here/initramfs.sh" "$tree/boot/guest.img"
cp -L "$kernel" "$tree/boot/vmlinuz"
cp "$echo_kernel" "$tree/boot/echo.elf"
cat >"$tree/etc/mica/linux.cfg" <<'EOF'
# mica create -c /etc/mica/linux.cfg
name = "linux"
kernel = "/boot/vmlinuz"
ramdisk = "/boot/guest.img"
extra = "console=hvc0 quiet mica.guest"
memory = 128
vcpus = 1
EOF
cat >"$tree/etc/mica/echo.cfg" <<'EOF'
# mica create -c /etc/mica/echo.cfg
name = "echo"
kernel = "/boot/echo.elf"
memory = 4
EOF
