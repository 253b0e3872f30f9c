#!/bin/sh
# SPDX-License-Identifier: MIT
#
# abi_table.sh [--check]
# Writes docs/abi.md from the headers and sources. With --check writes nothing
# but a complaint if the file is not what it would write, for "make lint".

set -eu

table() {
    awk -f tests/run/abi_table.awk hypercall_abi/hypercalls.def \
        hypercall_abi/*.h hypervisor/core/*.c hypervisor/x86/*.c
}

if [ "${1-}" = --check ]; then
    table | cmp -s - docs/abi.md || {
        echo 'docs/abi.md is out of date: make docs'
        exit 1
    }
else
    table >docs/abi.md.new
    mv docs/abi.md.new docs/abi.md
fi
