#!/bin/bash
# SPDX-License-Identifier: MIT
#
# shellcheck disable=SC2317 # gates are called by name
#
# The rules of style that a machine can judge, one TAP result each. The
# Makefile sets CC, CHECK_FLAGS, CORE_OBJ and C_FILES.

set -u

count=0
failed=0

# gate NAME FUNCTION: passes if the function writes nothing.
gate() {
    local complaints
    count=$((count + 1))
    complaints=$("$2" 2>&1)
    if [ -z "$complaints" ]; then
        echo "ok $count - $1"
    else
        failed=$((failed + 1))
        echo "not ok $count - $1"
        head -n 40 <<<"$complaints" | sed 's/^/#   /'
    fi
}

badly_formatted() {
    local file
    for file in $C_FILES; do
        clang-format "$file" | cmp -s - "$file" || echo "$file: make format"
    done
}

headers_that_lean_on_others() {
    local header language
    find hypervisor hypercall_abi ring_buffers dom0_tools -name '*.h' \
        2>/dev/null | sort |
        while read -r header; do
            language=c
            ! grep -q 'for assembly only' "$header" ||
                language=assembler-with-cpp
            # shellcheck disable=SC2086
            echo "#include \"$header\"" |
                $CC $CHECK_FLAGS -x $language -c -o /dev/null - ||
                echo "$header does not compile alone"
        done
}

abi_headers_that_are_not_c++() {
    local header
    for header in hypercall_abi/*.h; do
        echo "#include \"$header\"" |
            clang -x c++ -std=c++17 -ffreestanding -nostdinc++ -Wall -Wextra \
                -Werror -I. -fsyntax-only - ||
            echo "$header is not C++"
    done
}

core_that_includes_x86() {
    grep -nE '^[[:space:]]*#[[:space:]]*include[[:space:]]*["<](x86|hypervisor/x86)/' \
        hypervisor/core/*.[ch]
}

conditionals_in_core() {
    grep -nE '^[[:space:]]*#[[:space:]]*(if|ifdef|ifndef|elif|else)\b' \
        hypervisor/core/*.c
}

# What core's objects together leave undefined must be something
# that arch.h or machine.h declares, a hypercall that the machine handles, a
# string function, a retpoline, or from a library that unpacks kernels.
core_that_needs_more_than_arch_h() {
    local symbol
    # shellcheck disable=SC2086
    nm $CORE_OBJ | awk '
        $1 == "U" { undefined[$2] = 1 }
        NF == 3 { defined[$3] = 1 }
        END { for (s in undefined) if (!(s in defined)) print s }' |
    sort | while read -r symbol; do
        case $symbol in
        memcpy | memset | memmove | memcmp | strlen | strcmp | strncmp) ;;
        _GLOBAL_OFFSET_TABLE_ | __x86_indirect_thunk_*) ;;
        lzma_* | ZSTD_* | inflate*) ;;
        hc_*)
            grep -qE "\b${symbol#hc_}\b" hypercall_abi/hypercalls.def ||
                echo "core needs $symbol, which is no hypercall"
            ;;
        *)
            grep -qE "\b$symbol\(|^extern .*\b$symbol;" \
                hypervisor/core/{arch,machine}.h ||
                echo "core needs $symbol, which arch.h does not declare"
            ;;
        esac
    done
}

abi_structs_without_size() {
    perl tests/run/abi_gate.pl hypercall_abi/*.h
}

formats_that_format_c_lacks() {
    grep -nE '"[^"]*%[#0-9]*([-.*+hjtzpc]|l*[iXo])' hypervisor/*/*.[ch]
}

stale_hypercall_table() {
    tests/run/abi_table.sh --check
}

files_without_licence() {
    find . \( -path ./build -o -path ./.git \) -prune -o -type f -print |
        while read -r file; do
        case $file in
        *.md | *.txt | ./LICENSE | */corpus/* | *.bin | *.xz | *.zst | *.gz) continue ;;
        esac
        head -n 3 "$file" | grep -aq 'SPDX-License-Identifier: MIT' ||
            echo "$file"
    done
}

gate 'C files are as clang-format writes them' badly_formatted
gate 'every header compiles alone' headers_that_lean_on_others
gate 'the headers of the ABI are C++ as well' abi_headers_that_are_not_c++
gate 'core includes nothing of x86' core_that_includes_x86
gate 'no conditional compilation in core' conditionals_in_core
gate 'core needs only what arch.h declares' core_that_needs_more_than_arch_h
gate 'core/format.c knows every format' formats_that_format_c_lacks
gate 'every ABI struct states its layout' abi_structs_without_size
gate 'every file names its licence' files_without_licence
gate 'docs/abi.md is up to date' stale_hypercall_table
echo "1..$count"
exit $((failed > 0))
