#!/bin/bash
# SPDX-License-Identifier: MIT
#
# run.sh [--tour] IMAGE
# Boots an image with the serial line on the terminal; Ctrl-A X ends QEMU.
# With --tour nobody types: the output is also kept in build/tour.log, and the
# result is good only if the first domain showed every step of its tour and
# the machine powered itself off within TOUR_SECONDS.

set -u
# shellcheck source=tests/run/qemu_args.bash
. tests/run/qemu_args.bash

tour=no
if [ "${1-}" = --tour ]; then
    tour=yes
    shift
fi
image=$1
log=${B:=build}/tour.log
trace=$B/tour.trace
bound=${TOUR_SECONDS:-300}

vm_args
qemu_args+=(-cdrom "$image" -boot d)

if [ $tour = no ]; then
    echo '  QEMU    Ctrl-A X ends it, Ctrl-A H lists other keys'
    exec qemu-system-x86_64 "${qemu_args[@]}" -serial mon:stdio
fi

rm -f "$trace"
timeout --foreground "$bound" qemu-system-x86_64 "${qemu_args[@]}" \
    -serial stdio -D "$trace" -trace qemu_system_shutdown_request \
    </dev/null | tee "$log"
status=${PIPESTATUS[0]}

bad=0
complain() {
    echo "run: $1" >&2
    bad=1
}

if [ "$status" -eq 124 ]; then
    complain "not finished within $bound seconds (TOUR_SECONDS)"
elif [ "$status" -ne 0 ]; then
    complain "QEMU failed with status $status"
elif ! grep -q qemu_system_shutdown_request "$trace"; then
    complain 'the machine was reset instead of powered off'
fi
steps=
if grep -aq '^TOUR guest' "$log"; then
    steps='guest/list guest/linux guest/echo guest/shutdown guest/destroy
        guest/gone'
fi
for step in $steps kernel capabilities hypervisor/type hypervisor/version/major \
    hypervisor/version/minor hypervisor/version/extra \
    hypervisor/properties/capabilities memory cpus interrupts; do
    grep -aq "^TOUR $step: [^[:space:]]" "$log" || complain "no step '$step'"
    ! grep -aq "^TOUR $step: missing" "$log" || complain "step '$step' is empty"
done
tr -d '\r' <"$log" | grep -aq '^TOUR done$' || complain 'the tour did not end'
if [ $bad -eq 0 ]; then
    echo 'run: every step was seen and the machine powered itself off'
fi
exit $bad
