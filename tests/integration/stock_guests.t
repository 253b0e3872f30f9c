#!/bin/bash
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2016,SC2119,SC2317 # for dom0; no arguments; by check
#
# Guests with the stock kernel, many at once, in a machine of 2 GiB: each comes
# to its shell and answers on its console, beside all others; all are shut down
# with one command, and what they used is there again. COUNT is their number; 8
# take about a minute of processor time.

# shellcheck source=tests/run/vm.bash
. tests/run/vm.bash
# shellcheck source=tests/integration/dom0.bash
. tests/integration/dom0.bash
# shellcheck source=tests/integration/stock.bash
. tests/integration/stock.bash

: "${COUNT:=8}"
MEM=2048
make_stock_files
make_stock_initrd

creates_all() {
    shell $((60 + COUNT * 60)) "for i in \$(seq $COUNT); do
        mica create -q /boot/stock.cfg name=guest\$i || break; done
        mica list | grep -c '^guest[0-9]' | grep -x $COUNT"
}

all_answer() {
    local i
    for ((i = 1; i <= COUNT; i++)); do
        answers "guest$i" "$1" || return 1
    done
}

# All of them run, and none was started anew.
all_are_there() {
    shell 20 'mica list' &&
        [ "$(grep -Eac '^guest[0-9]+ +[0-9]+ +128 ' "$dir/answer")" = "$COUNT" ]
}

# becomes_as_large MIB: the first guest, told so, has as much.
becomes_as_large() {
    shell 60 "mica mem-set guest1 $1m &&
        await 40 'mica list guest1 | grep -Eq \"^guest1 +[0-9]+ +$1 \"'"
}

shut_down_all() {
    shell $((60 + COUNT * 30)) 'mica shutdown -a -w' &&
        [ "$(grep -ac '^Domain .* has ended' "$dir/answer")" = "$COUNT" ]
}

vm_iso com1=115200,8n1 console=com1 dom0_mem=512M -- console=hvc0
check 'the first domain boots' boots_to_shell 90 || done_testing
check 'what guests use can be counted' shell 60 'mica create -qp \
    /boot/stock.cfg && mica destroy stock' && count_used
echo "# $used"
check "$COUNT guests with the stock kernel are created" creates_all
check 'each comes to its shell and answers' all_answer $((120 + COUNT * 40))
check 'and again, while all others are there' all_answer 60
check 'all of them run' all_are_there
check 'one gives memory back when told to' becomes_as_large 100
check 'and takes it again' becomes_as_large 128
check 'they are shut down with one command' shut_down_all
check 'all are gone' awaits 60 'test $(mica list | wc -l) = 2'
check 'and nothing is left' nothing_is_left
check 'no complaint of Mica' no_complaints_of_mica
check 'the frame table is right' audit_is_clean
done_testing
