#!/bin/sh
# SPDX-License-Identifier: MIT
#
# build_image.sh DIR KERNEL_DEB
# Makes a Debian system with systemd, like the one this script runs on, from
# the mirror that apt uses, with the kernel of the given package and what "make
# install" has put into DIR/install:
#   DIR/disk.img    its root file system, ext4 with the label "mica-root"
#   DIR/initrd.img  the initial RAM disk that Debian's tools made for it
# The password of root is "mica". Needs to be root, as debootstrap does, and
# the packages debootstrap and e2fsprogs.

set -eu

dir=$1
kernel=$(readlink -f "$2")
tree=$dir/tree
PATH=$PATH:/sbin:/usr/sbin
export DEBIAN_FRONTEND=noninteractive LC_ALL=C

# What is there besides a minimal system: what makes it boot, and programs that
# the test runs.
packages=systemd,systemd-sysv,udev,dbus,kmod,initramfs-tools,linux-base,zstd
packages=$packages,iproute2,procps,openssl,python3-minimal,apt-utils

if [ "$(id -u)" -ne 0 ]; then
    echo 'A Debian system is made by root only. Type: sudo make check-debian' >&2
    exit 1
fi

# shellcheck source=/dev/null
codename=$(. /etc/os-release && echo "$VERSION_CODENAME")

# The first mirror in apt's sources that has this release.
find_mirror() {
    # shellcheck disable=SC2016 # apt's variables
    apt-get indextargets \
        --format '$(ORIGIN) $(CODENAME) $(COMPONENT) $(REPO_URI)' \
        'Created-By: Packages' |
        sed -n "s/^Debian $codename main //p" | head -n 1
}

inside() {
    chroot "$tree" "$@" </dev/null
}

# A package with its program, to be installed by apt when the system runs.
put_package_into_cache() {
    (cd "$tree/var/cache" &&
        apt-get -qq -o APT::Sandbox::User=root download dc)
}

configure() {
    echo 'LABEL=mica-root / ext4 errors=remount-ro 0 1' >"$tree/etc/fstab"
    echo mica-debian >"$tree/etc/hostname"
    echo '127.0.0.1 localhost mica-debian' >"$tree/etc/hosts"
    echo 'root:mica' | chroot "$tree" chpasswd
    cat >"$tree/etc/systemd/network/wired.network" <<-END
	[Match]
	Type=ether
	[Network]
	DHCP=ipv4
	END
    inside systemctl --quiet enable systemd-networkd
    # Nothing that wakes up by the hour belongs into a test.
    inside systemctl --quiet mask apt-daily.timer apt-daily-upgrade.timer
    rm -f "$tree/etc/resolv.conf"
}

install_kernel() {
    cp "$kernel" "$tree/var/cache/kernel.deb"
    inside dpkg --install /var/cache/kernel.deb
    rm "$tree/var/cache/kernel.deb"
}

# As somebody does it who runs "make install" there.
install_mica() {
    cp -a "$dir/install/." "$tree/"
    inside systemctl --quiet enable mica-stored mica-consoled mica-monitord
}

make_disk() {
    used=$(du -sxm "$tree" | cut -f 1)
    rm -f "$dir/disk.new"
    mke2fs -q -t ext4 -L mica-root -d "$tree" "$dir/disk.new" \
        "$((used + used / 4 + 256))M"
    mv "$dir/disk.new" "$dir/disk.img"
}

# debootstrap may have left something mounted when it was interrupted.
remove_tree() {
    if [ -d "$tree" ]; then
        umount -q "$tree/proc" "$tree/sys" 2>/dev/null || :
        rm -rf --one-file-system "$tree"
    fi
}

mirror=$(find_mirror)
if [ -z "$mirror" ]; then
    echo "apt's sources name no mirror of Debian $codename." >&2
    echo 'Add one to /etc/apt/sources.list and type: sudo apt-get update' >&2
    exit 1
fi
remove_tree
mkdir -p "$dir"
exec 3>&2 >"$dir/log" 2>&1
trap '[ $? -eq 0 ] || tail -n 20 "$dir/log" >&3' EXIT
debootstrap --variant=minbase --include="$packages" "$codename" "$tree" \
    "$mirror"
configure
install_kernel
install_mica
put_package_into_cache
inside apt-get clean
cp "$tree"/boot/initrd.img-* "$dir/initrd.img"
make_disk
remove_tree
