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
    local lists=tests/integration
    grep -aEf <(sed '/^#/d; /^$/d' $lists/complaints.txt) |
        grep -avEf <(sed '/^#/d; /^$/d' $lists/known_messages.txt)
}

# is_silent: nothing comes in; what comes is shown.
is_silent() {
    ! sed 's/^/# /' | grep -a .
}

# No complaint among what the kernel and Mica wrote to the console so far.
no_complaints() {
    vm_output | grep -aE '^(\(MICA\)|\[ *[0-9]+\.)' | complaints | is_silent
}

# No complaint among all messages that the kernel kept, also those that are
# not written to the console.
no_complaints_in_dmesg() {
    shell 60 dmesg && complaints <"$dir/answer" | is_silent
}

# No complaint from Mica itself.
no_complaints_of_mica() {
    vm_output | grep -a '^(MICA)' | complaints | is_silent
}
