#!/bin/sh
# SPDX-License-Identifier: MIT
#
# fetch_kernel.sh DIR
# Puts Debian's stock kernel into DIR: DIR/vmlinuz, and its modules, with
# their dependencies listed, in DIR/modules.

set -eu

dir=$1
here=$(dirname "$0")

"$here/fetch_deb.sh" linux-image-amd64 "$dir/deb"
version=$(ls "$dir/deb/root/lib/modules")
PATH=$PATH:/sbin:/usr/sbin depmod -b "$dir/deb/root" "$version"
ln -sfn "deb/root/lib/modules/$version" "$dir/modules"
ln -sfn "deb/root/boot/vmlinuz-$version" "$dir/vmlinuz"
