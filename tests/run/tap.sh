#!/bin/bash
# SPDX-License-Identifier: MIT
#
# tap.sh TEST.t: runs a test for prove and keeps a copy of what it writes.

set -o pipefail
bash "$1" | tee "$B/tests/logs/tap/$(basename "$1" .t)"
