#!/bin/bash
# SPDX-License-Identifier: MIT
#
# check.sh [gates] [unit] [qemu [FILE.t...]]
# Runs tests that are built already and sums them up in the last line,
# "N passed, N failed". Succeeds if something passed and nothing failed.

set -u

passed=0
failed=0
logs=${B:=build}/tests/logs
mkdir -p "$logs"
export CK_DEFAULT_TIMEOUT="${CK_DEFAULT_TIMEOUT:-60}" CK_VERBOSITY=normal
export UBSAN_OPTIONS=print_stacktrace=1

# One program made with Check: its summary line has the numbers; a program
# that ends without one has failed as a whole.
run_unit() {
    local name log numbers status checks failures errors
    name=$(basename "$1")
    log=$logs/$name
    timeout 300 "$1" >"$log" 2>&1
    status=$?
    numbers=$(sed -n 's/^[0-9]*%: Checks: \([0-9]*\), Failures: \([0-9]*\), Errors: \([0-9]*\)$/\1 \2 \3/p' "$log" | tail -n 1)
    read -r checks failures errors <<<"${numbers:-0 0 1}"
    if [ $status -ne 0 ] && [ $((failures + errors)) -eq 0 ]; then
        errors=1
    fi
    checks=$((checks - failures - errors))
    passed=$((passed + (checks > 0 ? checks : 0)))
    failed=$((failed + failures + errors))
    if [ $((failures + errors)) -eq 0 ]; then
        printf '  %-7s %s: %d\n' PASS "$name" "$checks"
    else
        printf '  %-7s %s, see %s\n' FAIL "$name" "$log"
        tail -n 30 "$log"
    fi
}

run_units() {
    local source name
    for source in tests/unit/test_*.c; do
        [ -e "$source" ] || continue
        name=$(basename "$source" .c)
        run_unit "$B/tests/$name"
    done
}

# $1: TAP in a file, $2: the exit status of what wrote it.
count_tap() {
    local good bad
    good=$(grep -Ec '^ok ' "$1")
    good=$((good - $(grep -Ec '^ok .*# *(SKIP|TODO)' "$1")))
    bad=$(grep -Ev '# *TODO' "$1" | grep -Ec '^not ok ')
    if [ "$2" -ne 0 ] && [ "$bad" -eq 0 ]; then
        bad=1
    fi
    passed=$((passed + good))
    failed=$((failed + bad))
}

run_gates() {
    tests/run/gates.sh >"$logs/gates" 2>&1
    count_tap "$logs/gates" $?
    sed 's/^ok [0-9]* - /  PASS    /; s/^not ok [0-9]* - /  FAIL    /; /^1\.\./d' \
        "$logs/gates"
}

# Each check of a TAP file that failed, behind the remarks which it made.
failures_of() {
    awk '/^#/ { said = said "    " $0 "\n"; next }
        /^not ok/ { printf "%s  FAIL    %s: %s\n", said, FILENAME, $0 }
        { said = "" }' "$1"
}

# prove judges each script; what each wrote is kept and counted.
run_qemu() {
    local log status name files=()
    [ $# -gt 0 ] || set -- tests/integration/*.t
    for name in "$@"; do
        [ -e "$name" ] || name=tests/integration/${name%.t}.t
        [ -e "$name" ] || { echo "check.sh: there is no $name" >&2; exit 2; }
        files+=("$name")
    done
    rm -rf "$logs/tap"
    mkdir -p "$logs/tap"
    prove --timer -j "${JOBS:-$(nproc)}" --exec tests/run/tap.sh "${files[@]}"
    status=$?
    for log in "$logs"/tap/*; do
        failures_of "$log"
        count_tap "$log" 0
    done
    if [ $status -ne 0 ] && ! grep -q '^not ok' "$logs"/tap/*; then
        failed=$((failed + 1))
    fi
}

while [ $# -gt 0 ]; do
    case $1 in
    gates) run_gates ;;
    unit) run_units ;;
    qemu)
        shift
        run_qemu "$@"
        break
        ;;
    *)
        echo "check.sh: unknown part: $1" >&2
        exit 2
        ;;
    esac
    shift
done

echo "$passed passed, $failed failed"
[ $failed -eq 0 ] && [ $passed -gt 0 ]
