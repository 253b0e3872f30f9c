#!/bin/bash
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2317 # functions are called by check
#
# The store in the first domain: programs reach it by the socket, and the
# stock kernel by its ring, also after the daemon was killed.

# shellcheck source=tests/run/vm.bash
. tests/run/vm.bash
# shellcheck source=tests/integration/dom0.bash
. tests/integration/dom0.bash

bound=120

# The kernel passes programs' requests on to its own ring.
by_kernel='XENSTORED_PATH=/dev/xen/xenbus'

is_served() {
    shell 20 'mica store control list' && says '^ring [0-9]+ domain 0 '
}

carries_a_value() {
    shell 20 "mica store write /test/$1 value-$1" &&
        shell 20 "$by_kernel mica store read /test/$1" && says "^value-$1\$"
}

carries_back() {
    shell 20 "$by_kernel mica store write /test/$1 back-$1" &&
        shell 20 "mica store read /test/$1" && says "^back-$1\$"
}

tells_watches() {
    shell 20 "$by_kernel mica store watch -n 2 /test/watched >/tmp/seen &
        sleep 1; mica store write /test/watched now; wait \$!" &&
        shell 20 'cat /tmp/seen' && says '^/test/watched$'
}

# Most of a value does not fit into the ring at once.
carries_much() {
    shell 20 'head -c 3000 /dev/zero | tr "\0" x >/tmp/much' &&
        shell 20 "$by_kernel mica store write /test/much \$(cat /tmp/much)" &&
        shell 20 "$by_kernel mica store read --raw /test/much | cmp - /tmp/much"
}

comes_back() {
    # shellcheck disable=SC2016 # for the first domain's shell
    shell 20 'kill -9 $(pidof stored)' &&
        shell 60 'for i in $(seq 100); do mica store read /test/a && break;
            usleep 100000; done' && says '^back-a$'
}

went_on() {
    shell 20 'cat /var/log/stored.log' && says 'went on with the store as it was'
}

kernel_probes_devices() {
    shell 20 'ls /sys/bus/xen-backend /proc/xen' && says 'capabilities'
}

vm_iso com1=115200,8n1 console=com1 -- console=hvc0
check 'the first domain boots' boots_to_shell "$bound"
check 'the daemon serves the ring of its kernel' is_served
check 'a value reaches the kernel' carries_a_value a
check 'and comes back' carries_back a
check 'the kernel learns of changes' tells_watches
check 'a value larger than the ring arrives' carries_much
check 'the bus of back ends is there' kernel_probes_devices
for round in 1 2 3; do
    check "the daemon is killed and comes back, $round" comes_back
    check "the kernel did not notice, $round" carries_a_value "b$round"
done
check 'the log says that it went on' went_on
check 'nobody complained' no_complaints_in_dmesg
done_testing
