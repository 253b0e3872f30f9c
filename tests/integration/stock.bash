# shellcheck shell=bash disable=SC2016,SC2154
# SPDX-License-Identifier: MIT
#
# Guests with the stock kernel and the shell of a guest, for tests: what the
# first domain needs to run them, and how a test talks to them. To be read after
# tests/integration/dom0.bash. Files for the first domain go to $stock.

: "${TOOLS=$B/dom0_tools/mica $B/dom0_tools/stored $B/dom0_tools/consoled}"
export TOOLS
stock=$dir/tree

# The programs "ask", "await" and "used" of the first domain.
make_programs() {
    cat >"$stock/bin/ask" <<'END'
#!/bin/busybox sh
# ask GUEST SECONDS COMMAND REGEX: types the command into the guest's shell as
# soon as that is there, and waits for a line of output; shows it. A command
# "-" is not typed.
dir=$(mktemp -d)
mkfifo "$dir/in"
exec 3<>"$dir/in"
mica console "$1" <&3 >"$dir/out" 2>&1 &
console=$!
end=$(($(date +%s) + $2))
shows() {
    tr -d '\r' <"$dir/out" | grep -Eao -e "$1"
}
await() {
    until shows "$1"; do
        if [ "$(date +%s)" -ge $end ] || ! kill -0 $console 2>/dev/null; then
            shows "$1"
            return
        fi
        usleep 100000
    done
}
if [ "$3" = - ]; then
    await "$4"
else
    await '^guest:[^#]*# ' >/dev/null && echo "$3" >&3 && await "$4"
fi
result=$?
if [ $result != 0 ]; then
    echo "$1 does not answer; the end of what it wrote:"
    tail -n 15 "$dir/out"
fi
printf '\035' >&3
wait $console
rm -r "$dir"
exit $result
END
    cat >"$stock/bin/await" <<'END'
#!/bin/busybox sh
# await SECONDS COMMAND: runs it until it succeeds.
end=$(($(date +%s) + $1))
until sh -c "$2"; do
    [ "$(date +%s)" -lt $end ] || exit 1
    usleep 100000
done
END
    cat >"$stock/bin/used" <<'END'
#!/bin/busybox sh
# used: what there is of all that guests use.
mica dmesg -c >/dev/null
mica debug-keys me
mica dmesg >/tmp/dump
echo "free $(mica info free_memory) MiB" \
    "domains $(grep -c ' of .* pages: ' /tmp/dump)" \
    "ports $(sed '1,/domain 0: event channels/d' /tmp/dump | grep -c ' port ')" \
    "nodes $(mica store ls -f | wc -l) ptys $(ls /dev/pts | wc -l)" \
    "sockets $(ls /run/mica/console | wc -l)"
END
    chmod +x "$stock"/bin/*
}

# make_stock_files: puts the programs, the stock kernel and a ramdisk with a shell
# into $stock, with a configuration, /boot/stock.cfg.
make_stock_files() {
    mkdir -p "$stock/boot" "$stock/bin"
    make_programs
    TOOLS='' OVERLAY='' dom0_tools/image/initramfs.sh "$stock/boot/guest.img"
    cp -L "$KERNEL" "$stock/boot/vmlinuz"
    cat >"$stock/boot/stock.cfg" <<'END'
name = "stock"
kernel = "/boot/vmlinuz"
ramdisk = "/boot/guest.img"
memory = 128
extra = "console=hvc0 mica.guest"
END
}

# make_stock_initrd [MODULE...]: makes the first domain's initial ramdisk of
# what is in $stock.
make_stock_initrd() {
    INITRD=$dir/initrd.img
    OVERLAY=$stock dom0_tools/image/initramfs.sh "$INITRD" "$B/kernel" \
        xenfs xen-privcmd xen-evtchn xen-gntdev "$@"
}

# creates SETTING...: a guest from /boot/stock.cfg.
creates() {
    shell 120 "mica create -q /boot/stock.cfg $*" || {
        sed 's/^/# /' "$dir/answer"
        return 1
    }
}

# asks GUEST SECONDS COMMAND REGEX: the guest's shell writes such a line.
asks() {
    shell $(($2 + 20)) "ask $1 $2 '$3' '$4'"
}

asked=0

# The guest's shell is there, and computes.
answers() {
    asked=$((asked + 1))
    asks "$1" "${2:-120}" "echo answer $asked \$(($asked * 7))" \
        "^answer $asked $((asked * 7))"
}

# awaits SECONDS COMMAND: until a command of the first domain succeeds.
awaits() {
    shell $(($1 + 20)) "await $1 '$2'"
}

used=

# Once the guests before are gone: whoever had their pages lets go in its time.
count_used() {
    awaits 30 'used | grep -q " domains 1 "' && shell 60 used && used=$(grep -a '^free ' "$dir/answer")
}

# What guests use is what it was when count_used() was called.
nothing_is_left() {
    awaits 30 "test \"\$(used)\" = \"$used\"" || {
        shell 60 used
        echo "# was: $used"
        sed 's/^/# is:  /' "$dir/answer"
        return 1
    }
}

audit_is_clean() {
    shell 120 'mica dmesg -c >/dev/null; mica debug-keys F; mica dmesg' &&
        says 'audit: all counts are right'
}
