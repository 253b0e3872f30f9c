# shellcheck shell=bash
# SPDX-License-Identifier: MIT
#
# vm_args: sets qemu_args from the variables of a user or test: MEM (MiB), SMP,
# CPU (QEMU's name), UEFI (1 for OVMF), QEMU_ARGS (added as they are).

vm_args() {
    qemu_args=(-accel tcg -m "${MEM:-2048}" -smp "${SMP:-1}"
        -cpu "${CPU:-max}" -display none -no-reboot)
    if [ "${UEFI:-0}" = 1 ]; then
        qemu_args+=(-bios /usr/share/ovmf/OVMF.fd)
    fi
    # shellcheck disable=SC2206 # several words on purpose
    qemu_args+=(${QEMU_ARGS-})
}
