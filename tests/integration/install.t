#!/bin/bash
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2317 # functions are called by check
#
# What "make install" puts onto a distribution: the files and their places,
# manual pages and the shell's completion of what it holds, units that name
# programs that are there, and GRUB's entries. Then all of it goes again. No
# machine is started for that.

# shellcheck source=tests/run/vm.bash
. tests/run/vm.bash

root=$(readlink -f "$dir")/root
sbin=$root/usr/sbin
boot=$root/boot

# Nothing of an outer make, but for its compiler.
make_into() {
    MAKEFLAGS='' make -s B="$B" ${CC:+CC="$CC"} "$@" \
        DESTDIR="$root" PREFIX=/usr >"$dir/make" 2>&1 ||
        { sed 's/^/# /' "$dir/make" && false; }
}

is_quiet() {
    ! grep . "$dir/make" | grep -v '^  [A-Z]* *[^ ]*$'
}

has_files() {
    local file
    for file in usr/sbin/mica usr/libexec/mica/{stored,consoled} \
        etc/grub.d/20_linux_mica; do
        [ -x "$root/$file" ] || { echo "# no $file" && return 1; }
    done
    for file in usr/share/man/man{1/mica.1,5/mica.cfg.5} boot/mica.gz \
        usr/share/bash-completion/completions/mica \
        usr/lib/systemd/system/mica-{stored,consoled,monitord}.service; do
        [ -s "$root/$file" ] || { echo "# no $file" && return 1; }
    done
    [ -d "$root/etc/mica" ]
}

verbs() {
    "$sbin/mica" help | sed -n 's/^  \([a-z-]*\) .*/\1/p'
}

manual_has_all_verbs() {
    local verb
    [ "$(verbs | wc -l)" -gt 25 ] || return
    for verb in $(verbs); do
        grep -q "^.It Nm mica Cm $verb " "$root/usr/share/man/man1/mica.1" ||
            { echo "# no $verb" && return 1; }
    done
}

manual_has_all_statuses() {
    local status
    for status in $(sed -n 's/^    EXIT_STATUS_[A-Z_]* = \([0-9]*\),.*/\1/p' \
        dom0_tools/lib/error.h); do
        grep -q "^.It $status\$" "$root/usr/share/man/man1/mica.1" ||
            { echo "# no status $status" && return 1; }
    done
    [ "$status" = 11 ]
}

manual_has_all_settings() {
    local setting
    for setting in name uuid kernel ramdisk cmdline root extra memory maxmem \
        vcpus maxvcpus cpus cpu_weight cap on_poweroff on_reboot on_crash \
        on_watchdog max_grant_frames max_event_channels disk vif; do
        grep -q "^.It Cm $setting No" "$root/usr/share/man/man5/mica.cfg.5" ||
            { echo "# no $setting" && return 1; }
    done
}

# completes WORD...: what the shell makes of the last word.
completes() {
    (
        # shellcheck source=/dev/null
        . "$root/usr/share/bash-completion/completions/mica"
        mica() { # in place of a machine with domains
            printf '%s\n' 'Name ID' 'Domain-0 0' 'web 3'
        }
        COMP_WORDS=(mica "$@")
        COMP_CWORD=$#
        _mica
        echo "${COMPREPLY[*]}"
    )
}

completion_knows_what_comes() {
    [ "$(completes cre)" = create ] &&
        [ "$(completes vcpu-)" = 'vcpu-list vcpu-pin vcpu-set' ] &&
        [ "$(completes list --j)" = --json ] &&
        [ "$(completes shutdown --wait w)" = web ] &&
        [ "$(completes create READ)" = README.md ] &&
        [ "$(completes help re)" = 'reboot rename' ]
}

# It is xl for who calls it so, down to its messages.
works_as_xl() {
    [ "$("$sbin/xl" frobnicate 2>&1)" != "${said=$("$sbin/mica" frobnicate \
        2>&1)}" ] && "$sbin/xl" frobnicate 2>&1 | grep -q '^xl: unknown verb' &&
        [[ $said == 'mica: unknown verb'* ]]
}

units_name_programs() {
    local unit program
    for unit in "$root"/usr/lib/systemd/system/*.service; do
        ! grep -n '@' "$unit" || return
        program=$(sed -n 's/^ExecStart=\([^ ]*\).*/\1/p' "$unit")
        [ -x "$root$program" ] || { echo "# $unit: $program" && return 1; }
    done
}

# kernel VERSION CONFIGURATION [INITRD]
kernel() {
    : >"$boot/vmlinuz-$1"
    echo "$2" >"$boot/config-$1"
    [ -z "${3-}" ] || : >"$boot/$3"
}

make_kernels() {
    kernel 6.1.0-9-amd64 CONFIG_XEN_PV_DOM0=y initrd.img-6.1.0-9-amd64
    kernel 6.1.0-10-amd64 CONFIG_XEN_PV_DOM0=y
    kernel 6.1.0-11-cloud '# CONFIG_XEN_PV_DOM0 is not set'
    printf '#!/bin/sh\ncase $* in *=fs) echo ext2 ;; esac\n' >"$dir/probe"
    printf '#!/bin/sh\necho /boot\n' >"$dir/relative"
    chmod +x "$dir/probe" "$dir/relative"
}

# What grub-mkconfig makes of the script, on a computer with one ext4 disk.
grub_entries() {
    make_kernels
    MICA_BOOT=$boot grub_probe=$(readlink -f "$dir/probe") \
        grub_mkrelpath=$(readlink -f "$dir/relative") GRUB_DISTRIBUTOR="Tom's" \
        GRUB_DEVICE=/dev/sda1 GRUB_DEVICE_UUID=1234-5678 \
        GRUB_DEVICE_BOOT=/dev/sda1 GRUB_CMDLINE_MICA=dom0_mem=1G \
        GRUB_CMDLINE_LINUX=quiet \
        "$root/etc/grub.d/20_linux_mica" >"$dir/grub.cfg" 2>"$dir/found"
}

newest_kernel_comes_first() {
    [ "$(grep -o "^menuentry '.* on Mica, with Linux [^']*" "$dir/grub.cfg" |
        sed 's/.* //' | xargs)" = '6.1.0-10-amd64 6.1.0-9-amd64' ] &&
        grep -q 'Found Mica for: .*/vmlinuz-6.1.0-10-amd64$' "$dir/found"
}

entry_has() {
    grep -qxF "    $1" "$dir/grub.cfg" || {
        sed 's/^/# /' "$dir/grub.cfg"
        return 1
    }
}

entries_are_complete() {
    entry_has 'insmod ext2' &&
        entry_has 'multiboot2 /boot/mica.gz placeholder dom0_mem=1G' &&
        entry_has 'module2 /boot/vmlinuz-6.1.0-9-amd64 placeholder root=UUID=1234-5678 ro quiet ' &&
        entry_has 'module2 --nounzip /boot/initrd.img-6.1.0-9-amd64' &&
        entry_has 'module2 /boot/vmlinuz-6.1.0-10-amd64 placeholder root=/dev/sda1 ro quiet '
}

no_entry_without_mica() {
    mv "$boot/mica.gz" "$dir/"
    MICA_BOOT=$boot "$root/etc/grub.d/20_linux_mica" >"$dir/none" 2>&1 &&
        [ ! -s "$dir/none" ]
    local result=$?
    mv "$dir/mica.gz" "$boot/"
    return $result
}

leaves_what_is_not_its_own() {
    rm "$sbin/xl"
    echo another >"$sbin/xl"
    make_into install && [ "$(cat "$sbin/xl")" = another ] &&
        echo 'name = "web"' >"$root/etc/mica/web.cfg" && make_into uninstall &&
        [ "$(cat "$sbin/xl")" = another ] && [ -e "$root/etc/mica/web.cfg" ]
}

nothing_else_is_left() {
    rm -r "$boot"/{vmlinuz,config,initrd}* "$sbin/xl" "$root/etc/mica/web.cfg"
    ! find "$root" ! -type d | sed 's/^/# /' | grep .
}

check 'it is installed' make_into install
check 'in few words' is_quiet
check 'with all files' has_files
check 'the program runs, and is xl too' works_as_xl
check 'the manual has all verbs' manual_has_all_verbs
check 'and all exit statuses' manual_has_all_statuses
check 'and all settings' manual_has_all_settings
check 'the shell completes verbs, options, domains and files' \
    completion_knows_what_comes
check 'units name programs that are there' units_name_programs
check 'GRUB gets entries' grub_entries
check 'which it understands' grub-script-check "$dir/grub.cfg"
check 'for kernels that can be dom0, the newest first' newest_kernel_comes_first
check 'each with all it needs' entries_are_complete
check 'and none where Mica is not' no_entry_without_mica
check 'it is removed, but for what others put there' leaves_what_is_not_its_own
check 'nothing else is left' nothing_else_is_left
done_testing
