# shellcheck shell=bash
# SPDX-License-Identifier: MIT
#
# vm_args: sets qemu_args from the variables of a user or test: MEM (MiB), SMP,
# CPU (QEMU's name), UEFI (1 for OVMF), ACCEL, QEMU_ARGS (added as they are).
#
# ACCEL=tcg,thread=single is for a kernel that patches its own code on more CPUs
# than the computer has: QEMU 7.2 may keep, for good, its translation of code
# that one CPU overwrites just while another translates it, and a thread that
# is suspended halfway makes that likely.

vm_args() {
    qemu_args=(-accel "${ACCEL:-tcg}" -m "${MEM:-2048}" -smp "${SMP:-1}"
        -cpu "${CPU:-max}" -display none -no-reboot)
    if [ "${UEFI:-0}" = 1 ]; then
        qemu_args+=(-bios /usr/share/ovmf/OVMF.fd)
    fi
    # shellcheck disable=SC2206 # several words on purpose
    qemu_args+=(${QEMU_ARGS-})
}
