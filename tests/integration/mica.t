#!/bin/bash
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2016,SC2317 # for dom0's shell; called by check
#
# The life of domains under the command line: the guest "echo" is created,
# spoken to, ended and started anew, alone and with many others; what can't be
# done is refused; daemons are killed meanwhile. Nothing may be left of that:
# no memory, nodes, event channels, descriptors or terminals.
#
# COUNT is the number of guests at once, CYCLES that of lives one after the
# other; FULL=1 asks for many of both.

# shellcheck source=tests/run/vm.bash
. tests/run/vm.bash
# shellcheck source=tests/integration/dom0.bash
. tests/integration/dom0.bash

: "${FULL:=}" "${COUNT:=${FULL:+200}}" "${CYCLES:=${FULL:+1000}}"
: "${COUNT:=20}" "${CYCLES:=50}"
: "${TOOLS=$B/dom0_tools/mica $B/dom0_tools/stored $B/dom0_tools/consoled}"
export TOOLS
MEM=$((1024 + COUNT * 8))

# --- the first domain ---------------------------------------------------------

# A program of another architecture: one instruction for 32-bit processors.
make_i386() {
    printf '.globl _start\n_start: ret\n' | as --32 -o "$dir/i386.o" - &&
        ld -m elf_i386 -o "$1" "$dir/i386.o"
}

make_tree() {
    local tree=$dir/tree
    mkdir -p "$tree/boot" "$tree/bin" "$tree/etc"
    cp "$B/guests/echo.elf" "$tree/boot/"
    make_i386 "$tree/boot/i386.elf"
    printf '%s\n' 'root::0:0:root:/root:/bin/sh' \
        'nobody:x:65534:65534::/:/bin/sh' >"$tree/etc/passwd"
    cat >"$tree/boot/echo.cfg" <<'END'
name = "echo"
kernel = "/boot/echo.elf"
memory = 4
END
    printf 'name = "bad"\nkernel = "/boot/echo.elf"\nmemory = [ 4 ]\n' \
        >"$tree/boot/list.cfg"
    printf 'name = "bad"\nkernel = "/boot/echo.elf"\n\nmemory = "4\n' \
        >"$tree/boot/open.cfg"
    printf 'name = "odd"\nkernel = "/boot/echo.elf"\nmemroy = 4\n' \
        >"$tree/boot/typo.cfg"
    cat >"$tree/bin/ask" <<'END'
#!/bin/busybox sh
# ask DOMAIN WORD: tells it to the guest's console, and waits for the echo.
dir=$(mktemp -d)
mkfifo "$dir/in"
exec 3<>"$dir/in"
timeout 30 mica console "$1" <&3 >"$dir/out" 2>&1 &
console=$!
echo "$2" >&3
tries=400
until grep -q "^echo: $2" "$dir/out"; do
    tries=$((tries - 1))
    if [ $tries = 0 ] || ! kill -0 $console 2>/dev/null; then
        echo "$1 does not answer:"
        cat "$dir/out"
        break
    fi
    usleep 50000
done
grep -q "^echo: $2" "$dir/out"
result=$?
printf '\035' >&3
wait $console
rm -r "$dir"
exit $result
END
    cat >"$tree/bin/told" <<'END'
#!/bin/busybox sh
# told DOMAIN WORD: tells it to the guest's console, and waits for its end.
(echo "$2"; sleep 1; printf '\035') | timeout 10 mica console "$1" >/dev/null
END
    cat >"$tree/bin/await" <<'END'
#!/bin/busybox sh
# await COMMAND: runs it until it succeeds, 20 seconds at most.
end=$(($(date +%s) + 20))
until sh -c "$1"; do
    [ "$(date +%s)" -lt $end ] || exit 1
    usleep 100000
done
END
    cat >"$tree/bin/used" <<'END'
#!/bin/busybox sh
# used: what there is of all that guests use.
mica dmesg -c >/dev/null
mica debug-keys me
mica dmesg >/tmp/dump
free=$(sed -n 's/.*heap: \([0-9]*\) frames free.*/\1/p' /tmp/dump)
ports=$(sed '1,/domain 0: event channels/d' /tmp/dump | grep -c ' port ')
domains=$(grep -c ' of .* pages: ' /tmp/dump)
nodes=$(mica store ls -f | wc -l)
ptys=$(ls /dev/pts | wc -l)
sockets=$(ls /run/mica/console | wc -l)
for daemon in stored consoled monitord; do
    fds="$fds $daemon $(ls "/proc/$(pidof $daemon)/fd" | wc -l)"
done
echo "domains $domains free $free ports $ports nodes $nodes ptys $ptys" \
    "sockets $sockets$fds"
END
    cat >"$tree/bin/many" <<'END'
#!/bin/busybox sh
# many COUNT: so many guests at once, each of which answers.
for i in $(seq "$1"); do
    mica create -q /boot/echo.cfg name="echo$i" || exit 1
done
for i in $(seq "$1"); do
    ask "echo$i" "hello$i" || exit 1
done
[ "$(mica list | grep -c '^echo[0-9]')" = "$1" ]
END
    cat >"$tree/bin/cycle" <<'END'
#!/bin/busybox sh
# cycle COUNT: so many lives, one after the other.
start=$(cut -d ' ' -f 1 /proc/uptime)
for i in $(seq "$1"); do
    mica create -q /boot/echo.cfg name=cycle && mica destroy cycle || exit 1
done
end=$(cut -d ' ' -f 1 /proc/uptime)
echo "$start $end $1" | awk '{ print "took", 1000 * ($2 - $1) / $3, "ms each" }'
END
    chmod +x "$tree"/bin/*
}

make_tree
INITRD=$dir/initrd.img
OVERLAY=$dir/tree dom0_tools/image/initramfs.sh "$INITRD" "$B/kernel" \
    xenfs xen-privcmd xen-evtchn xen-gntdev

# --- helpers ------------------------------------------------------------------

# fails STATUS REGEX COMMAND: it ends with that status, and says so.
fails() {
    shell 60 "$3"
    [ $? -eq "$1" ] && says "$2"
}

# refused STATUS REGEX SETTING...: creating a guest fails like that.
refused() {
    local status=$1 reason=$2
    shift 2
    fails "$status" "$reason" "mica create /boot/echo.cfg $*"
}

creates() {
    shell 60 "mica create /boot/echo.cfg $*" && says '^Created domain [0-9]+ '
}

answers() {
    shell 60 "ask $1 $2"
}

# Until a command of dom0 succeeds.
awaits() {
    shell 60 "await '$1'"
}

# What guests use is what it was, as soon as the daemons have noticed.
nothing_is_left() {
    awaits "test \"\$(used)\" = \"$used\"" || {
        shell 30 used
        echo "# was: $used"
        sed 's/^/# is:  /' "$dir/answer"
        return 1
    }
}

many_answer() {
    shell $((60 + COUNT * 3)) "many $COUNT"
}

# All of them, and until the daemons have noticed.
many_end() {
    shell $((60 + COUNT)) \
        'mica destroy $(mica list | sed -n "s/^\(echo[0-9]*\) .*/\1/p")' &&
        awaits '! ls /run/mica/console/*.sock 2>/dev/null'
}

# Mica's tables grow with the guests and do not shrink, so this comes after
# the time of the most guests.
count_used() {
    shell 30 used && used=$(grep -a '^domains ' "$dir/answer")
}

# --- tests --------------------------------------------------------------------

lists_it_as_xl_does() {
    says '^Name +ID +Mem VCPUs.State.Time\(s\)$' &&
        says '^Domain-0 +0 +[0-9]+ +1 +r----- +[0-9.]+$' &&
        says '^echo +1 +4 +1 +-b---- +[0-9.]+$'
}

# At the terminal: what is typed arrives, and Ctrl-] comes back.
talks_at_the_terminal() {
    send 'mica console echo; echo LEFT'
    wait_for 'Ctrl-\] leaves' 20 || return 1
    send 'typed here'
    wait_for '^echo: typed here' 20 || return 1
    send_keys '\035'
    wait_for '^LEFT' 20
}

several_see_the_same() {
    shell 60 'for i in 1 2 3; do
        (sleep 4; printf "\035") | timeout 20 mica console echo >/tmp/saw$i &
        done; sleep 1; ask echo shared; wait' &&
        shell 20 'grep -c "^echo: shared" /tmp/saw?' &&
        says '/tmp/saw1:1' && says '/tmp/saw2:1' && says '/tmp/saw3:1'
}

# One of several with the same name comes to life, and nothing of the others.
one_wins() {
    shell 60 'for i in 1 2 3 4 5 6; do
        mica create /boot/echo.cfg name=race >/tmp/race$i 2>&1 & done; wait
        cat /tmp/race?' || return 1
    [ "$(grep -ac '^Created domain' "$dir/answer")" = 1 ] &&
        shell 20 'mica destroy race'
}

# Signals at any time: the guest is there and complete, or nothing of it is.
interrupted() {
    shell 120 'for i in $(seq 30); do
        mica create -q /boot/echo.cfg name=half memory=64 & pid=$!
        usleep $((i * 3000)); kill -INT $pid 2>/dev/null; kill $pid 2>/dev/null
        wait $pid; if mica list half >/dev/null 2>&1; then
        mica destroy half || break; fi; done
        test $i = 30 && ! mica list | grep -q "^(null)"'
}

on_this_computer() {
    local said status wanted=4 words='the hypervisor.*run it in the first'
    [ "$(id -u)" -eq 0 ] || { wanted=6 words='needs root'; }
    said=$("$B/dom0_tools/mica" list 2>&1)
    status=$?
    grep -qE "^mica: .*$words" <<<"$said" && [ "$status" = "$wanted" ] &&
        return
    echo "# status $status: $said"
    return 1
}

# killed DAEMON: guests come and go while it is killed again and again, and
# nobody notices but the daemon itself.
killed() {
    shell 120 "(for i in 1 2 3; do
        await 'pidof $1 && mica store ls /' >/dev/null && usleep 1300000
        kill -9 \$(pidof $1); done) &
        killer=\$!; lives=0; failures=0; while kill -0 \$killer 2>/dev/null; do
        lives=\$((lives + 1)); mica create -q /boot/echo.cfg name=under &&
        mica destroy under || failures=\$((failures + 1)); done; wait
        echo of \$lives lives \$failures failed"
    says '^of [1-9][0-9]* lives 0 failed' && awaits "pidof $1 >/dev/null" &&
        awaits 'mica store ls / >/dev/null' && awaits "ask stays $1"
}

pauses_and_goes_on() {
    shell 20 'mica pause echo && mica list echo' &&
        says '^echo .* [r-][b-]p--- ' &&
        shell 20 'mica unpause echo && mica list echo' &&
        says '^echo .* -b---- '
}

dry_run_changes_nothing() {
    shell 20 'mica create -n /boot/echo.cfg name=dry memory=8 &&
        ! mica list dry 2>/dev/null' && says '^memory = 8$' &&
        says '^# would start /boot/echo.elf'
}

waits_for_its_start() {
    creates -p name=held && shell 20 'mica list held' &&
        says '^held .* --p--- +0\.0$' &&
        shell 20 'mica unpause held' && answers held started &&
        shell 20 'mica destroy held'
}

stays_in_front() {
    shell 60 '(sleep 2; told front poweroff) &
        mica create -F /boot/echo.cfg name=front && ! mica list front' &&
        says '^Created domain' && says '^Domain [0-9]+ \(front\) has ended'
}

has_names_and_numbers() {
    shell 20 'test "$(mica domname $(mica domid echo))" = echo &&
        mica rename echo other && mica domid other && ! mica domid echo &&
        mica rename other echo' && says 'no domain "echo"'
}

is_scheduled_as_told() {
    shell 20 'mica sched -d echo -w 512 && mica sched -d echo &&
        mica vcpu-pin echo 0 0 && mica vcpu-list echo' &&
        says '^echo +[0-9]+ +512 ' && says '^echo +[0-9]+ +0 +0 .* (0|all) / all$'
}

# Only the guest can do it; it is told by the store.
is_told_its_memory() {
    shell 20 'mica mem-max echo 8 && mica mem-set echo 5 &&
        mica store read "/local/domain/$(mica domid echo)/memory/target"' &&
        says '^5120$' &&
        fails 2 'its limit is 8192 KiB' 'mica mem-set echo 9' &&
        fails 5 'KiB are free' 'mica mem-max echo 1t; mica mem-set echo 1t' &&
        shell 20 'mica mem-max echo 4'
}

is_told_of_a_key() {
    shell 20 'mica sysrq echo s &&
        mica store read "/local/domain/$(mica domid echo)/control/sysrq"' &&
        says '^s$'
}

has_another_configuration() {
    shell 20 'mica config-update echo /boot/echo.cfg memory=6 &&
        mica store read "/mica/domain/$(mica domid echo)/config/memory"' &&
        says '^6$'
}

# dom0 is at work for this, so that its rates are not zero.
top_shows_rates() {
    shell 60 'mica top -b -v -i 2 -d 2' &&
        says '^ +NAME +STATE .* CALLS/s EVENTS/s$' &&
        says '^ +Domain-0 -----r .* [1-9][0-9]* +[1-9][0-9]*$' &&
        says '^ +echo --b--- +[0-9]+ +0\.0 +4096 .* 1 +[0-9]+ +[0-9]+$' &&
        says '^ +vCPU 0: blocked, CPU 0, [0-9.]+ s$'
}

tells_how_long() {
    shell 20 'mica uptime echo' && says '^echo +[0-9]+ +0:0[0-9]:[0-9]{2}$'
}

is_called_in_other_ways() {
    shell 20 'mica li echo' && says '^echo ' && shell 20 'xl list echo' &&
        says '^echo ' && fails 2 '^xl: unknown verb "frob"' 'xl frob'
}

# Its "keep" tries again and again meanwhile.
goes_without_consoles() {
    local result
    shell 20 'mv /usr/sbin/consoled /tmp; kill -9 $(pidof consoled)' &&
        fails 10 "mica: can't open the console.*is the console daemon running" \
            'mica console echo' &&
        creates name=quiet; result=$?
    shell 60 "mv /tmp/consoled /usr/sbin; await 'ask quiet there'
        mica destroy quiet"
    return "$result"
}

stays_while_paused() {
    shell 20 'mica pause echo' &&
        fails 7 '1 domain has not ended after 2 s' 'mica shutdown -t 2 echo'
}

ends_when_it_goes_on() {
    shell 20 'mica unpause echo' && awaits '! mica list echo'
}

reboots_into_another() {
    shell 20 'mica domid echo' && before=$(tail -n 1 "$dir/answer") &&
        shell 60 'mica reboot -w echo' &&
        says "^Domain $before \(echo\) has ended" &&
        awaits "id=\$(mica domid echo) && test \$id != $before"
}

all_shut_down() {
    creates name=two && shell 60 'mica shutdown -a -w' &&
        says '^Waiting for 2 domains$' &&
        says '^Domain [0-9]+ \(echo\) has ended' &&
        says '^Domain [0-9]+ \(two\) has ended'
}

# The console from the first line on.
creates_at_a_terminal() {
    send 'mica create -c /boot/echo.cfg; echo LEFT'
    wait_for '^Created domain' 20 && wait_for '^echo: domain [0-9]+ is up' 20 &&
        send_keys 'one\ntwo\n' && wait_for '^echo: one' 20 &&
        wait_for '^echo: two' 20 && send_keys '\035' && wait_for '^LEFT' 20
}

is_started_anew() {
    shell 60 "mica domid $1" && before=$(tail -n 1 "$dir/answer") &&
        shell 30 "told $1 $2" &&
        awaits "id=\$(mica domid $1 2>/dev/null) && test \$id != $before" &&
        answers "$1" "again"
}

vm_iso com1=115200,8n1 console=com1 dom0_mem=512M -- console=hvc0
check 'the first domain boots' boots_to_shell 90 || done_testing
check 'a guest of 4 MiB is created' creates
check 'it is listed in columns as xl has them' shell 20 'mica list' &&
    check 'with its memory and state' lists_it_as_xl_does
check 'it answers on its console' answers echo hello
check 'and at a terminal, until Ctrl-]' talks_at_the_terminal
check 'it is still there' answers echo still
check 'several consoles at once show the same' several_see_the_same
check 'the log has it all' shell 20 'mica console --log echo' &&
    check 'from its first line' says '^echo: domain 1 is up'
check 'it pauses and goes on' pauses_and_goes_on
check 'it has a name and a number' has_names_and_numbers
check 'dom0 keeps its name' \
    fails 6 "can't rename dom0" 'mica rename Domain-0 zero'
check 'it is scheduled as told' is_scheduled_as_told
check 'it is told how much memory to have' is_told_its_memory
check 'and of a key' is_told_of_a_key
check 'it gets another configuration for later' has_another_configuration
check 'top shows what it does' top_shows_rates
check 'but not on a terminal that it does not know' \
    fails 1 "can't draw on this terminal" 'TERM=none mica top'
check 'uptime counts' tells_how_long
check 'verbs can be shortened, and xl be called' is_called_in_other_ways
check 'a dry run changes nothing' dry_run_changes_nothing
check 'one that is created paused waits' waits_for_its_start
check 'one in the foreground is waited for' stays_in_front
check 'without consoles guests are created, but not talked to' \
    goes_without_consoles
check 'it does not shut down while paused, which is told in time' \
    stays_while_paused
check 'but does when it goes on' ends_when_it_goes_on
check 'another is created' creates
check 'it reboots when asked to' reboots_into_another
check 'all are asked to shut down, and waited for' all_shut_down
check 'then they are gone' awaits 'test $(mica list | wc -l) = 2'
check 'another is created with its console' creates_at_a_terminal
check 'and destroyed' shell 20 'mica destroy echo'
check "$COUNT guests at once answer" many_answer
check 'they are destroyed' many_end
check 'what guests use can be counted' count_used
echo "# $used"

check 'a name in use is refused' creates &&
    check 'which says who has it' refused 8 'is called so'
check 'it is destroyed' shell 20 'mica destroy echo' &&
    check 'and nothing is left' nothing_is_left
check 'a missing configuration is refused' \
    fails 1 'mica: .*/boot/none.cfg.*No such file' 'mica create /boot/none.cfg'
check 'a missing kernel is refused' \
    refused 1 '/boot/none.*No such file' kernel=/boot/none
check 'a missing ramdisk is refused' \
    refused 1 '/boot/none.*No such file' ramdisk=/boot/none
check 'a misspelt verb gets advice' \
    fails 2 'unknown verb "craete".*did you mean "create"' 'mica craete'
check 'a value of the wrong kind is refused with its place' \
    fails 2 '/boot/list.cfg:3:[0-9]+: memory: it wants a number' \
    'mica create /boot/list.cfg'
check 'a text without end is refused with its place' \
    fails 2 '/boot/open.cfg:4' 'mica create /boot/open.cfg'
check 'an unknown setting is warned of' \
    fails 0 'typo.cfg:3:1: unknown setting memroy.*did you mean memory' \
    'mica create -n /boot/typo.cfg memory=4'
check 'a kernel for another architecture is refused' \
    refused 9 'i386.elf' kernel=/boot/i386.elf
check 'too much memory is refused, with what is free' \
    refused 5 'MiB are wanted, [0-9]+ MiB are free' memory=100000
check 'who is not root is told' \
    fails 6 'list needs root.*sudo' 'su -s /bin/sh nobody -c "mica list"'
check 'a store that does not answer is refused' fails 10 'mica: .*store' \
    'XENSTORED_PATH=/run/none mica create /boot/echo.cfg'
check 'a creation that is interrupted' interrupted
check 'a domain that is none' fails 3 'none' 'mica destroy none'
check 'a CPU that is none fails half-way' refused 1 'mica: ' cpus=77
check 'of several with one name, one is created' one_wins
check 'nothing is left of all that' nothing_is_left
check 'on this computer it says that there is no Mica' on_this_computer

check "$COUNT guests answer again" many_answer
check 'and are destroyed' many_end
check 'and nothing is left' nothing_is_left
check "$CYCLES lives one after the other" shell $((60 + CYCLES)) \
    "cycle $CYCLES" && sed -n 's/^took/# a life took/p' "$dir/answer"
check 'leave nothing' nothing_is_left

check 'a guest that restarts after a crash is created' \
    creates name=stays on_crash=restart on_reboot=restart
check 'it crashes, and is there again' is_started_anew stays crash
check 'it reboots, and is there again' is_started_anew stays reboot
check 'one that is preserved is created' creates name=kept on_crash=preserve &&
    check 'it crashes' shell 30 'told kept crash' &&
    check 'and stays for inspection' \
        awaits 'mica list kept | grep -q -e "---sc-"'
check 'one that is renamed is created' \
    creates name=twin on_crash=rename-restart &&
    check 'it crashes, and another is there' is_started_anew twin crash &&
    check 'beside what is left of it' \
        awaits 'mica list twin-1 | grep -q -e "---sc-"'
check 'all three are destroyed' shell 30 'mica destroy kept twin twin-1'
check 'one that is dumped is created' creates \
    name=dumped on_crash=coredump-destroy &&
    check 'it crashes' shell 30 'told dumped crash' &&
    check 'and is gone' awaits '! mica list dumped' &&
    check 'its dump is there' shell 20 'ls -l /var/lib/mica/dump' &&
    check 'with a name' says '-dumped.[0-9]+.core$'

for daemon in stored consoled monitord; do
    check "$daemon is killed, and guests go on" killed $daemon
done
check 'the guest can still be ended' shell 30 'told stays poweroff' &&
    check 'and is gone' awaits 'test $(mica list | wc -l) = 2'
check 'nothing is left' nothing_is_left
check 'the frame table is right' shell 60 'mica dmesg -c >/dev/null
    mica debug-keys F; mica dmesg' &&
    check 'all of it' says 'audit: all counts are right'
done_testing
