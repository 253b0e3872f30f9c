#!/bin/bash
# SPDX-License-Identifier: MIT
#
# What a person has at the serial console: the switch to Mica's debug keys and
# back, and what a crash of dom0 leaves on it.

. tests/run/vm.bash

vm_iso com1=115200,8n1 console=com1 noreboot -- console=hvc0
vm_start
check 'the shell answers' wait_for '# $' 60

send_keys '\001\001\001'
check 'Ctrl-A three times leads to Mica' \
    wait_for 'Console input goes to Mica' 10
send_keys 'h'
check 'h lists the keys' wait_for 'F.*audit' 10
send_keys 'q'
check 'q shows domains and vCPUs' wait_for '[Dd]omain 0|d0' 10
send_keys 'F'
check 'F finds the frame table right' wait_for 'audit.*(clean|0 differences|right)' 20
send_keys '\001\001\001'
check 'and back again' wait_for 'Console input goes to dom0' 10
send 'echo typed $((40 + 2))'
check 'where input arrives' wait_for '^typed 42' 30

send 'echo c >/proc/sysrq-trigger'
check 'a panic of dom0 is its own to tell' \
    wait_for 'Kernel panic - not syncing: sysrq triggered crash' 20
check 'Mica shows the registers' wait_for '^\(MICA\).*rip e033:ffffffff' 20
check 'and the stack' wait_for '^\(MICA\).*stack ffff' 5
check 'and says that dom0 crashed' wait_for '^\(MICA\).*dom0 crashed' 5
check 'noreboot keeps the machine halted' \
    wait_for '^\(MICA\).*noreboot is set' 5

done_testing
