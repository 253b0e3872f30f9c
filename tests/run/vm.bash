# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: MIT
#
# Runs virtual machines for tests, and prints results as TAP. A test is a bash
# script that reads this file from the root of the repository:
#
#   . tests/run/vm.bash
#   vm_iso com1=115200,8n1 console=com1 -- console=hvc0
#   vm_start -smp 2
#   check "the shell answers" wait_for '# $' 60
#   send 'echo $((6 * 7))'
#   check "and computes" wait_for '^42' 5
#   send poweroff
#   check "and powers off" wait_off 20 poweroff
#   done_testing
#
# Every wait has a bound in seconds and ends at once when the machine stops.
# TIME_FACTOR multiplies all bounds on a slow computer. At exit the machine is
# ended. Files of the test lie in $dir:
#   serial   what the machine wrote     monitor  what QEMU's monitor wrote
#   trace    why the machine stopped    boot.iso its disk
#
# Variables a test may set before vm_iso and vm_start:
#   HYPERVISOR KERNEL INITRD   files; INITRD may be empty
#   MEM SMP CPU UEFI           see qemu_args.bash

set -u
# shellcheck source=tests/run/qemu_args.bash
. tests/run/qemu_args.bash

: "${B:=build}"
: "${HYPERVISOR=$B/mica.gz}" "${KERNEL=$B/kernel/vmlinuz}"
: "${INITRD=$B/dom0/initrd.img}" "${TIME_FACTOR:=1}"
vm_pid=
tap_count=0
tap_failed=0
dir=$B/tests/$(basename "${0%.t}")
rm -rf "$dir"
mkdir -p "$dir"

# vm_iso [HYPERVISOR OPTION...] [-- KERNEL OPTION...]: builds $dir/boot.iso.
vm_iso() {
    local options=()
    while [ $# -gt 0 ] && [ "$1" != -- ]; do
        options+=("$1")
        shift
    done
    [ $# -eq 0 ] || shift
    MICA_CMDLINE="${options[*]-}" CMDLINE="$*" dom0_tools/image/iso.sh \
        "$dir/boot.iso" "$HYPERVISOR" "$KERNEL" "$INITRD"
}

# vm_start [QEMU ARGUMENT...]: boots $dir/boot.iso in the background.
vm_start() {
    local qemu_args
    vm_stop
    vm_args
    rm -f "$dir"/{input,monitor.in,monitor.out,trace}
    mkfifo "$dir/input" "$dir/monitor.in" "$dir/monitor.out"
    : >"$dir/serial"
    # Opened for both directions, so that nobody waits for the other end.
    exec {vm_input}<>"$dir/input" {vm_monitor}<>"$dir/monitor.in" \
        {vm_answers}<>"$dir/monitor.out"
    qemu-system-x86_64 "${qemu_args[@]}" -cdrom "$dir/boot.iso" -boot d \
        -chardev pipe,id=monitor,path="$dir/monitor" -mon monitor \
        -D "$dir/trace" -trace qemu_system_shutdown_request \
        -serial stdio "$@" \
        <"$dir/input" >"$dir/serial" 2>"$dir/qemu.err" &
    vm_pid=$!
    vm_from=1
}

# Ends the machine if it still runs.
vm_stop() {
    [ -n "$vm_pid" ] || return 0
    kill "$vm_pid" 2>/dev/null
    vm_reap
}

vm_reap() {
    wait "$vm_pid" 2>/dev/null
    vm_pid=
    exec {vm_input}>&- {vm_monitor}>&- {vm_answers}>&-
}

vm_runs() {
    [ -n "$vm_pid" ] && kill -0 "$vm_pid" 2>/dev/null
}

# What the machine wrote, without carriage returns and cursor movements.
vm_output() {
    tr -d '\r\0' <"$dir/serial" | sed 's/\x1b\[[0-9;?]*[A-Za-z]//g'
}

# wait_for REGEX SECONDS: waits until a line of the output matches the extended
# regular expression, and puts that line into $vm_line. The search starts
# behind the line that was found last, so that an old answer is not taken for a
# new one.
wait_for() {
    local end=$((SECONDS + $2 * TIME_FACTOR)) running line
    while :; do
        running=no
        ! vm_runs || running=yes
        line=$(vm_output | tail -n "+$vm_from" | grep -aEn -m 1 -e "$1")
        if [ -n "$line" ]; then
            vm_from=$((vm_from + ${line%%:*}))
            vm_line=${line#*:}
            return 0
        fi
        if [ $running = no ] || [ $SECONDS -ge $end ]; then
            echo "# no /$1/ within $2 s (machine runs: $running); the end:"
            tail -v -n 5 "$dir/trace" "$dir/qemu.err" 2>&1 | sed 's/^/# /'
            vm_output | tail -n 20 | sed 's/^/# /'
            return 1
        fi
        read -rt 0.1 <>"$dir/tick" || :
    done
}

# wait_off SECONDS [poweroff|reset]: waits until the machine stops, and checks
# how it did.
wait_off() {
    local end=$((SECONDS + $1 * TIME_FACTOR))
    while vm_runs && [ $SECONDS -lt $end ]; do
        read -rt 0.1 <>"$dir/tick" || :
    done
    if vm_runs; then
        echo "# still running after $1 s"
        return 1
    fi
    vm_reap
    [ $# -eq 1 ] || [ "$(vm_end)" = "$2" ]
}

# How the machine stopped: poweroff, or else reset (which includes a triple
# fault, since machines are started with -no-reboot).
vm_end() {
    if grep -q qemu_system_shutdown_request "$dir/trace" 2>/dev/null; then
        echo poweroff
    else
        echo reset
    fi
}

# send TEXT: types the text and Enter. send_keys TEXT: only the text, in which
# printf's escapes are known, \001 for Ctrl-A.
send() {
    printf '%s\n' "$1" >&"$vm_input"
}

send_keys() {
    printf '%b' "$1" >&"$vm_input"
}

# monitor TEXT: a command for QEMU's monitor, such as "nmi".
monitor() {
    printf '%s\n' "$1" >&"$vm_monitor"
}

# check NAME COMMAND...: one TAP result.
check() {
    local name=$1
    shift
    tap_count=$((tap_count + 1))
    if "$@"; then
        echo "ok $tap_count - $name"
    else
        tap_failed=$((tap_failed + 1))
        echo "not ok $tap_count - $name"
        return 1
    fi
}

# skip NAME REASON
skip() {
    tap_count=$((tap_count + 1))
    echo "ok $tap_count - $1 # SKIP $2"
}

# Prints the plan; the test's exit status says whether all went well.
done_testing() {
    echo "1..$tap_count"
    vm_stop
    exit $((tap_failed > 0))
}

mkfifo "$dir/tick"
trap vm_stop EXIT
trap 'exit 130' INT TERM
