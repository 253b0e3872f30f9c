#!/bin/sh
# SPDX-License-Identifier: MIT
#
# fetch_deb.sh PACKAGE DIR
# Downloads a Debian package and unpacks it into DIR/root, without installing
# it. Does nothing when DIR is complete already. As root it refreshes apt's
# lists when the package cannot be had with the present ones.

set -eu

package=$1
dir=$2

[ ! -e "$dir/complete" ] || exit 0

# A package that only stands for another one gives way to it.
resolve() {
    real=$(apt-cache depends --no-recommends --no-suggests "$1" 2>/dev/null |
        sed -n "s/^ *Depends: \(linux-image-[0-9].*\)/\1/p" | head -n 1)
    echo "${real:-$1}"
}

download() {
    name=$(resolve "$package")
    (cd "$dir" && apt-get -qq -o APT::Sandbox::User=root download "$name")
}

rm -rf "$dir"
mkdir -p "$dir"
if ! apt-cache show "$package" >/dev/null 2>&1 || ! download; then
    if [ "$(id -u)" -ne 0 ]; then
        echo "Cannot download $package. Type: sudo apt-get update" >&2
        exit 1
    fi
    apt-get -qq update
    download
fi
dpkg-deb -x "$dir"/*.deb "$dir/root"
touch "$dir/complete"
