#!/bin/bash
# SPDX-License-Identifier: MIT
#
# What the processor can reach while an application runs and while its kernel
# runs in ring 1, seen from outside: the machine is stopped at such moments
# and the tables that CR3 names are walked by the emulator. Of Mica there is
# the window and nothing else, and of the window a guest writes two pages.

. tests/run/vm.bash
. tests/integration/dom0.bash

# ask COMMAND: what QEMU's monitor says to it. What sed reads beyond the mark
# is a prompt.
ask() {
    monitor "$1"
    monitor 'print /d 424242'
    timeout 60 sed '/^424242/q' <&"$vm_answers" | tr -d '\r'
}

# catch CPL RIP: stops the machine until the processor is in ring CPL at an
# address that begins with RIP; what it can reach then goes to $dir/sample.
catch() {
    local try
    for ((try = 0; try < 400; try++)); do
        monitor stop
        ask 'info registers' >"$dir/registers"
        if grep -q "CPL=$1" "$dir/registers" &&
            grep -q "^RIP=$2" "$dir/registers"; then
            ask 'info mem' >"$dir/sample"
            monitor cont
            return 0
        fi
        monitor cont
        read -rt 0.02 <>"$dir/tick" || :
    done
    echo "# never seen in ring $1 at $2"
    return 1
}

# reachable: of $dir/sample, what an application or a kernel in ring 1 must
# not reach: one line for each fault, and "walked N" at the end.
reachable() {
    awk -v base=ffff800000000000 '
        function below(a, b) { return (a "") < (b "") }
        !/^[0-9a-f]+-[0-9a-f]+ [0-9a-f]+ [u-][r-][w-]$/ { next }
        {
            from = substr($1, 1, 16); to = substr($1, 18); n++
            user = $3 ~ /^u/; writable = $3 ~ /w$/
        }
        below(from, base) { next }
        user { print "an application reaches " $0; next }
        !below(from, "ffff880000000000") { kernel++; next }
        below(from, "ffff804000000000") {
            m2p++
            if (writable) print "the M2P is writable: " $0
            next
        }
        !below(from, "ffff804000029000") { print "beyond the gate: " $0; next }
        writable && from != "ffff804000023000" &&
            from != "ffff804000028000" { print "writable: " $0; next }
        writable && to != "ffff804000024000" &&
            to != "ffff804000029000" { print "writable: " $0; next }
        { gate++ }
        END {
            if (!m2p || !gate || !kernel)
                print "no window or kernel is mapped at all"
            print "walked " n
        }' "$dir/sample"
}

holds() {
    reachable >"$dir/reachable"
    grep -q '^walked [1-9]' "$dir/reachable" &&
        ! grep -v '^walked' "$dir/reachable" | sed 's/^/# /' | grep .
}

differs() {
    ! holds >/dev/null
}

busy='dd if=/dev/zero of=/dev/null bs=1 & :'
for sides in lazy isolated; do
    vm_iso com1=115200,8n1 console=com1 dom0_mem=256M \
        "sides=$sides" -- console=hvc0
    check "dom0 has a shell (sides=$sides)" boots_to_shell 90
    check 'with a busy application' shell 20 "$busy"
    check 'which is caught in ring 3' catch 3 0
    check 'and reaches nothing of Mica and its kernel' holds
    check 'its kernel is caught in ring 1' catch 1 f
    check 'and reaches the window alone' holds
done

# The same look at the other arrangement shows that it can see something.
vm_iso com1=115200,8n1 console=com1 dom0_mem=256M \
    sides=classic -- console=hvc0
check 'dom0 has a shell (sides=classic)' boots_to_shell 90
check 'with a busy application' shell 20 "$busy"
check 'which is caught in ring 3' catch 3 0
check 'where Mica is mapped' differs

done_testing
