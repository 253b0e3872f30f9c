# shellcheck shell=bash disable=SC2154
# SPDX-License-Identifier: MIT
#
# What integration tests share: commands in the first domain's shell, and the
# search for complaints among messages. To be read after tests/run/vm.bash.

shell_count=0

# shell SECONDS COMMAND: types a command, waits until it has ended and gives
# its exit status. What it wrote is in $dir/answer then.
shell() {
    local from=$vm_from
    shell_count=$((shell_count + 1))
    send "$2; echo \"ENDED $shell_count\" \$?"
    wait_for "^ENDED $shell_count [0-9]+\$" "$1" || return 1
    vm_output | head -n "$((vm_from - 2))" | tail -n "+$((from + 1))" \
        >"$dir/answer"
    return "${vm_line##* }"
}

# says REGEX: whether the last command wrote a line like this.
says() {
    grep -aEq -e "$1" "$dir/answer" || {
        sed 's/^/# /' "$dir/answer"
        return 1
    }
}

# boots_to_shell SECONDS [QEMU ARGUMENT...]: starts the machine and waits for
# the shell of the first domain, which then may write long lines.
boots_to_shell() {
    local bound=$1
    shift
    vm_start "$@"
    wait_for '^dom0:.*# $' "$bound" && shell 20 'stty columns 1000'
}

# complaints: those lines of the input that are messages of a problem and not
# in the list of known ones.
complaints() {
    grep -aEf tests/integration/complaints.txt |
        grep -avEf <(sed '/^#/d; /^$/d' tests/integration/known_messages.txt)
}

# No complaint among what the machine wrote so far.
no_complaints() {
    local found
    found=$(vm_output | complaints)
    [ -z "$found" ] || {
        sed 's/^/# /' <<<"$found"
        return 1
    }
}

# No complaint among all messages that the kernel kept, also those that are
# not written to the console.
no_complaints_in_dmesg() {
    local found
    shell 60 dmesg || return 1
    found=$(complaints <"$dir/answer")
    [ -z "$found" ] || {
        sed 's/^/# /' <<<"$found"
        return 1
    }
}
