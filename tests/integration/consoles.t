#!/bin/bash
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2016,SC2317 # for dom0's shell; called by check
#
# A guest's console in the first domain: kept in a log, shown to several at a
# time, typed into, and complete although the daemon is killed while the guest
# writes. A store that stands still or dies holds up no console. A small guest
# obeys what the tools leave in the store.

# shellcheck source=tests/run/vm.bash
. tests/run/vm.bash
# shellcheck source=tests/integration/dom0.bash
. tests/integration/dom0.bash

: "${TOOLS=$B/dom0_tools/mica $B/dom0_tools/stored $B/dom0_tools/consoled}"
export TOOLS
log=/var/log/mica/console/guest.log

# The guest's only process answers lines, and counts when it is told to. Its
# kernel's messages would get into the numbers.
make_guest() {
    mkdir -p "$dir/guest/tree" "$dir/guest/boot"
    cat >"$dir/guest/tree/init" <<'EOF'
#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin
dmesg -n 1
echo 'the guest is up'
while read -r line; do
    case $line in
    count) seq 10001 13000 ;;
    *) echo "the guest heard $line" ;;
    esac
done
EOF
    chmod +x "$dir/guest/tree/init"
    OVERLAY=$dir/guest/tree TOOLS='' dom0_tools/image/initramfs.sh \
        "$dir/guest/boot/guest.img"
    rm -r "$dir/guest/tree"
    cp -L "$KERNEL" "$dir/guest/boot/vmlinuz"
    cat >"$dir/guest/boot/guest.cfg" <<'EOF'
name = "guest"
kernel = "/boot/vmlinuz"
ramdisk = "/boot/guest.img"
memory = 128
extra = "console=hvc0"
EOF
}

make_echo() {
    cp "$B/guests/echo.elf" "$dir/guest/boot/"
    cat >"$dir/guest/boot/echo.cfg" <<'EOF'
name = "echo"
kernel = "/boot/echo.elf"
memory = 4
on_reboot = "restart"
EOF
}

make_guest
make_echo
INITRD=$dir/initrd.img
OVERLAY=$dir/guest dom0_tools/image/initramfs.sh "$INITRD" "$B/kernel" \
    xenfs xen-privcmd xen-evtchn xen-gntdev

# logs SECONDS REGEX: waits until the log has such a line.
logs() {
    shell "$1" "until grep -Eq '$2' $log; do usleep 200000; done"
}

# attached COMMANDS: what a client sees while they type, then it detaches.
attached() {
    shell 60 "($1; printf '\\035') | mica console guest"
}

answers() {
    attached 'echo hello; sleep 3' && says '^the guest heard hello'
}

serves_two() {
    shell 60 'for i in a b; do (sleep 8; printf "\035") |
        mica console guest >/tmp/$i & done; sleep 2; (echo both; sleep 4;
        printf "\035") | mica console guest >/dev/null; wait %1 %2' &&
        shell 20 'grep -q "^the guest heard both" /tmp/a' &&
        shell 20 'grep -q "^the guest heard both" /tmp/b'
}

terminal_works() {
    shell 30 't=$(mica store read /local/domain/1/console/tty); ls $t &&
        (timeout 6 cat $t >/tmp/t & sleep 1; echo line >$t; wait)
        grep -q "^the guest heard line" /tmp/t'
}

# The daemon dies while the guest counts, and comes back.
is_killed_amid() {
    shell 60 '(echo count; sleep 1; printf "\035") | mica console guest \
        >/dev/null & usleep 400000; kill -9 $(pidof consoled); wait' &&
        logs 60 '^13000'
}

nothing_is_missing() {
    shell 20 "tr -d '\\r' <$log | grep -E '^1[0-3][0-9]{3}\$' | sort -un |
        wc -l" && says '^3000$'
}

# The store daemon is stopped, or killed, while people talk to the guest.
answers_while_store() {
    attached "sleep 1; kill -$1 \$(pidof stored); sleep 1; echo $1; sleep 4;
        kill -CONT \$(pidof stored)" && says "^the guest heard $1"
}

# What was put aside comes first.
shows_all_of_the_log() {
    shell 20 "echo older >$log.1; mica console -l guest | head -n 1" &&
        says '^older'
}

is_created() {
    shell 60 'mica create /boot/echo.cfg' &&
        shell 60 'until mica console -l echo | grep -q "is up"; do
            usleep 200000; done'
}

# The new domain writes to the log of the old one.
is_restarted() {
    shell 20 'mica reboot echo' &&
        shell 60 'until [ "$(mica console -l echo | grep -c "is up")" = 2 ]
            do usleep 200000; done'
}

is_shut_down() {
    shell 60 'mica shutdown -w echo' &&
        shell 20 'while mica list echo 2>/dev/null; do usleep 200000; done'
}

is_destroyed() {
    shell 60 'mica destroy guest' &&
        shell 20 'while [ -e /run/mica/console/1.sock ]; do usleep 100000; done'
}

vm_iso com1=115200,8n1 console=com1 dom0_mem=512M -- console=hvc0
check 'the first domain boots' boots_to_shell 90 || done_testing
check 'a guest is created' shell 120 'mica create /boot/guest.cfg'
check 'its kernel writes to the log' logs 120 'Linux version'
check 'and so does its first process' logs 120 '^the guest is up'
check 'what is typed is answered' answers
check 'two clients see the same' serves_two
check 'the terminal of the store works too' terminal_works
check 'the daemon is killed while the guest writes' is_killed_amid
check 'nothing of that is missing in the log' nothing_is_missing
check 'what is typed is answered again' answers
for signal in STOP KILL; do
    check "also while the store gets $signal" answers_while_store $signal
done
check 'the whole log is shown' shows_all_of_the_log
check 'a small guest is created' is_created
check 'it starts anew when told through the store' is_restarted
check 'it shuts down when told through the store' is_shut_down
check 'the daemon tells what it does' shell 20 'cat /var/log/consoled.log' &&
    says 'domain 1 \(guest\): connected, terminal /dev/pts/'
check 'with the domain its socket goes' is_destroyed
check 'the log stays' logs 20 '^the guest is up'
check 'no complaint of Mica' no_complaints_of_mica
done_testing
