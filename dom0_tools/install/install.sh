#!/bin/sh
# SPDX-License-Identifier: MIT
#
# install.sh [--remove]
# Puts what was built in $B below $DESTDIR, or takes it away again. $TOOLS are
# the programs, $PREFIX is where they belong. Configurations in /etc/mica stay.

set -eu

here=$(dirname "$0")
sbin=$PREFIX/sbin
libexec=$PREFIX/libexec/mica
man=$PREFIX/share/man
units=$PREFIX/lib/systemd/system

# put MODE SOURCE TARGET
put() {
    mkdir -p "$DESTDIR$(dirname "$3")"
    install -m "$1" "$2" "$DESTDIR$3"
}

remove() {
    rm -f "$DESTDIR$3"
}

# put_unit SOURCE TARGET: with the paths that it is to have.
put_unit() {
    mkdir -p "$DESTDIR$(dirname "$2")"
    sed "s|@SBIN@|$sbin|; s|@LIBEXEC@|$libexec|" "$1" >"$DESTDIR$2"
    chmod 644 "$DESTDIR$2"
}

remove_unit() {
    rm -f "$DESTDIR$2"
}

# Another program's file of that name stays.
is_our_xl() {
    [ "$(readlink "$DESTDIR$sbin/xl")" = mica ]
}

put_xl() {
    if [ ! -e "$DESTDIR$sbin/xl" ] || is_our_xl; then
        ln -sfn mica "$DESTDIR$sbin/xl"
    fi
}

remove_xl() {
    ! is_our_xl || rm -f "$DESTDIR$sbin/xl"
}

# each DO: does it to all files, as "put" and "remove".
each() {
    for tool in $TOOLS; do
        name=$(basename "$tool")
        case $name in
        mica) $1 755 "$tool" "$sbin/$name" ;;
        *) $1 755 "$tool" "$libexec/$name" ;;
        esac
    done
    "$1_xl"
    $1 644 "$B/man/mica.1" "$man/man1/mica.1"
    $1 644 "$B/man/mica.cfg.5" "$man/man5/mica.cfg.5"
    $1 644 "$B/completion/mica" \
        "$PREFIX/share/bash-completion/completions/mica"
    $1 644 "$B/mica.gz" /boot/mica.gz
    $1 755 "$here/20_linux_mica" /etc/grub.d/20_linux_mica
    for unit in "$here"/*.service.in; do
        "$1_unit" "$unit" "$units/$(basename "$unit" .in)"
    done
}

if [ "${1-}" = --remove ]; then
    each remove
    rmdir "$DESTDIR$libexec" "$DESTDIR/etc/mica" 2>/dev/null || :
else
    each put
    mkdir -p "$DESTDIR/etc/mica"
fi
