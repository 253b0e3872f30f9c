#!/bin/sh
# SPDX-License-Identifier: MIT
#
# fuzz.sh FUZZER SEEDS SECONDS
# Runs one fuzzer for a time; SEEDS is a directory that need not exist. What
# it learns stays in FUZZER.corpus, an input that breaks something in
# FUZZER-crash-*.

set -eu

fuzzer=$1
seeds=$2
seconds=$3
name=$(basename "$fuzzer")

mkdir -p "$fuzzer.corpus"
[ -d "$seeds" ] || seeds=
status=0
# shellcheck disable=SC2086
"$fuzzer" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 \
    -print_final_stats=1 -artifact_prefix="$fuzzer-" "$fuzzer.corpus" $seeds \
    >"$fuzzer.log" 2>&1 || status=$?
if [ $status -ne 0 ]; then
    tail -n 40 "$fuzzer.log"
    echo "  FAIL    $name"
    exit 1
fi
runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$fuzzer.log")
echo "  FUZZ    $name: $runs inputs in $seconds s, no finding"
