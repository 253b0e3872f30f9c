#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Boots one kernel with one workload on every system, in turn, as often
# as asked, in the same emulator; first by the clock, then counting instructions.
# Prints and saves the medians. A run that hangs, ends early or misses a figure
# is named at the end, and the exit status is 1; the other runs still count.
#
#   BENCH_PARTS     kernel (what a kernel does), admin (what the tools do) (both)
#   BENCH_SYSTEMS   native, xen, mica; xen-xpti, mica-classic, mica-isolated;
#                   mica-xl: Debian's tools on Mica. admin leaves out native,
#                   kernel leaves out mica-xl
#   BENCH_RUNS      how often each is booted                               (3)
#   BENCH_PASSES    wall, icount                                        (both)
#   BENCH_LIMIT     seconds one machine may take                         (300)
#   BENCH_ADMIN_LIMIT  the same for the part admin                       (900)
#   BENCH_DOMAINS   how many guests the part admin makes                 (100)
#   BENCH_REPEAT    how often it does what doesn't depend on them          (3)
#   BENCH_OUT       everything goes there                        (build/bench)
#   BENCH_KERNEL    the kernel                          (build/kernel/vmlinuz)
#   BENCH_MICA      Mica's image                               (build/mica.gz)
#   BENCH_XEN       Xen's image           ($BENCH_OUT/xen.gz, else downloaded)
#   BENCH_MICA_ARGS more words for Mica's command line
#   BENCH_CPU, BENCH_ICOUNT_CPU   processor model of each pass
# $BENCH_OUT/console and what is inside the initramfs of each part must have
# been built: $BENCH_OUT/init for kernel, $BENCH_OUT/admin.img for admin.
set -u
export LC_ALL=C

here=$(dirname "$0")
runs=${BENCH_RUNS:-3}
passes=${BENCH_PASSES:-wall icount}
parts=${BENCH_PARTS:-kernel admin}
limit=${BENCH_LIMIT:-300}
admin_limit=${BENCH_ADMIN_LIMIT:-900}
guests=${BENCH_DOMAINS:-100}
repeat=${BENCH_REPEAT:-3}
out=${BENCH_OUT:-build/bench}
kernel=${BENCH_KERNEL:-build/kernel/vmlinuz}
mica=${BENCH_MICA:-build/mica.gz}
xen=${BENCH_XEN:-$out/xen.gz}
xen_package="xen-hypervisor-4.17-amd64"
qemu=${QEMU:-qemu-system-x86_64}
cpu_wall=${BENCH_CPU:-max,-smap}
cpu_icount=${BENCH_ICOUNT_CPU:-max,-erms,-fsrm,-smap}

die() {
    echo "bench: $1" >&2
    exit 2
}

fetch_xen() {
    [ -f "$xen" ] && return 0
    rm -rf "$out/deb" && mkdir -p "$out/deb"
    (cd "$out/deb" && apt-get download -q "$xen_package") \
        >"$out/deb/log" 2>&1 &&
        dpkg-deb -x "$out"/deb/*.deb "$out/deb/files" &&
        cp "$out"/deb/files/boot/xen-4.17-amd64.gz "$xen" &&
        rm -rf "$out/deb"
}

# Which of the wanted systems can be booted; the others are named.
choose_systems() {
    systems=
    for s in ${BENCH_SYSTEMS:-native xen mica}; do
        case $s in
        native) ;;
        xen | xen-xpti)
            fetch_xen || { skip "$s" "cannot download $xen_package"; continue; } ;;
        mica | mica-classic | mica-isolated | mica-xl)
            [ -f "$mica" ] || { skip "$s" "no file $mica"; continue; } ;;
        *) die "unknown system '$s'" ;;
        esac
        systems="$systems $s"
    done
    [ -n "$systems" ] || die "no system to boot"
}

# Whether the part $1 runs on the system $2.
has_part() {
    case $1-$2 in
    admin-native | kernel-mica-xl) return 1 ;;
    esac
}

# The systems of the part $1.
systems_of() {
    for s in $systems; do
        ! has_part "$1" "$s" || printf '%s ' "$s"
    done
}

skip() {
    echo "bench: $1 is left out: $2"
}

# $1 part, $2 system. Half of a machine's dom0 memory is enough for the tools,
# and a fixed amount keeps them from moving it.
hypervisor_words() {
    words="placeholder com1=115200,8n1 console=com1"
    case $2 in
    *-xpti) words="$words xpti=true" ;;
    *-classic) words="$words sides=classic" ;;
    *-isolated) words="$words sides=isolated" ;;
    esac
    case $1 in
    admin) words="$words dom0_mem=1024M" ;;
    esac
    case $2 in
    mica*) words="$words ${BENCH_MICA_ARGS:-}" ;;
    esac
    echo "$words"
}

# loglevel=6 shows "Linux version" and little else. The early console shows
# it when the kernel starts, not when the serial driver is up.
# $1 part, $2 system, $3 pass, $4 words about the console.
kernel_words() {
    words="loglevel=6 panic=1 $4"
    case $1-$2-$3 in
    admin-*) words="$words BENCH_DOMAINS=$guests BENCH_REPEAT=$repeat" ;;
    *-wall) words="$words BENCH_SAMPLE_MS=50" ;;
    *) words="$words BENCH_SAMPLE_MS=20" ;;
    esac
    case $1-$2 in
    admin-xen* | admin-mica-xl) words="$words BENCH_TOOL=xl" ;;
    admin-*) words="$words BENCH_TOOL=mica" ;;
    esac
    echo "$words"
}

menu() {
    echo 'serial --unit=0 --speed=115200'
    echo 'terminal_output serial'
    echo 'set timeout=0'
    echo 'menuentry bench {'
    if [ "$2" = native ]; then
        echo "linux /vmlinuz $(kernel_words "$@" \
            'earlyprintk=serial,ttyS0,115200 console=ttyS0,115200')"
        echo "initrd /initrd"
    else
        echo "multiboot2 /hypervisor.gz $(hypervisor_words "$1" "$2")"
        echo "module2 /vmlinuz placeholder $(kernel_words "$@" \
            'earlyprintk=xen console=hvc0')"
        echo "module2 --nounzip /initrd"
    fi
    echo 'echo BENCH loader'
    echo '}'
}

# $1 part, $2 system, $3 pass
build_iso() {
    tree=$out/iso/$2
    iso=$out/iso/$1-$2-$3
    rm -rf "$tree" && mkdir -p "$tree/boot/grub"
    cp "$kernel" "$tree/vmlinuz" || return 1
    case $1 in
    kernel) cp "$out/initrd" "$tree/initrd" || return 1 ;;
    admin) cp "$out/admin.img" "$tree/initrd" || return 1 ;;
    esac
    case $2 in
    xen*) cp "$xen" "$tree/hypervisor.gz" || return 1 ;;
    mica*) cp "$mica" "$tree/hypervisor.gz" || return 1 ;;
    esac
    menu "$1" "$2" "$3" >"$tree/boot/grub/grub.cfg"
    grub-mkrescue -o "$iso.iso" "$tree" >"$iso.log" 2>&1 || return 1
    rm -rf "$tree"
}

make_initrd() {
    (cd "$out" && echo init | cpio -o -H newc --quiet >initrd) ||
        die "cannot make $out/initrd"
}

build_images() {
    mkdir -p "$out/iso" "$out/logs"
    for part in $parts; do
        [ "$part" != kernel ] || make_initrd
        for s in $(systems_of "$part"); do
            for p in $passes; do
                build_iso "$part" "$s" "$p" ||
                    die "cannot make the ISO image, see $iso.log"
            done
        done
    done
}

fail() {
    echo "$1" | tee -a "$out/failures.txt"
}

# $1 part, $2 system, $3 pass, $4 log: returns what console returns.
boot() {
    part=$1 system=$2 pass=$3 log=$4 most=$limit
    [ "$part" = kernel ] || most=$admin_limit
    case $pass in
    wall) set -- -cpu "$cpu_wall" ;;
    *) set -- -cpu "$cpu_icount" -icount shift=0,sleep=off ;;
    esac
    set -- "$qemu" -accel tcg -m 4G "$@" -display none -monitor none \
        -serial stdio -no-reboot -boot d \
        -cdrom "$out/iso/$part-$system-$pass.iso"
    # Xen tells by debug keys what it has given and what is free.
    case $part-$system-$pass in
    kernel-xen*-wall) set -- -e ' nr_pages=' -c 'BENCH end' -k "$(printf \
        '\001\001\001m')" -c 'Dom heap:' -k q -- "$@" ;;
    *) set -- -e 'BENCH end' -- "$@" ;;
    esac
    nice -n "${BENCH_NICE:-0}" "$out/console" -t "$most" "$@" \
        >"$log" 2>"$log.err"
}

# $1 part, $2 system, $3 pass, $4 number of the run
run_once() {
    name="$1, $2, $3, run $4"
    log=$out/logs/$1-$3-$2-$4.log
    printf 'bench: %s\n' "$name"
    boot "$1" "$2" "$3" "$log"
    status=$?
    case $status in
    0) ;;
    3) fail "$name: ended early, see $log; last: $(tail -n 1 "$log")" ;;
    4) fail "$name: hung, see $log; last: $(tail -n 1 "$log")" ;;
    *) fail "$name: cannot start: $(tail -n 1 "$log.err")" ;;
    esac
    sed -n "s/.*BENCH-ERROR /$name: failed: /p" "$log" |
        tee -a "$out/failures.txt"
    awk -f "$here/parse.awk" -v part="$1" -v pass="$3" -v machine="$2" \
        -v run="$4" "$log" >"$out/run.csv" || fail "$name: cannot read $log"
    [ "$status" -ne 0 ] || "require_$1" "$2" "$3"
    cat "$out/run.csv" >>"$out/$1_raw.csv"
    rm -f "$out/run.csv"
}

# require FIGURE: the run that came to its end has it.
require() {
    grep -q ",$1,[0-9]" "$out/run.csv" || fail "$name: no figure for $1"
}

# Everything that can be measured. $1 system, $2 pass
require_kernel() {
    sed -n 's/^\([a-z][a-z_]*\)|.*/\1/p' "$here/metrics.txt" | while read -r m
    do
        case $2-$1-$m in
        *-boot_clock) ;;
        icount-*-boot_* | icount-*-kept) continue ;;
        *-boot_kernel | *-boot_total) ;;
        wall-native-boot_* | wall-native-kept) continue ;;
        esac
        require "$m"
    done
}

require_admin() {
    sed -n 's/^\([a-z][a-z_]*\)|.*/\1/p' "$here/admin.txt" | while read -r m
    do
        require "$m"
    done
    for m in create@1 "create@$guests" "destroy@$guests" destroy@1 list@0; do
        require "$m"
    done
}

# What ran, from the logs: the loader's line and the kernels' own.
describe() {
    echo "* Emulator: $("$qemu" --version | head -n 1), TCG, -m 4G, one CPU"
    for p in $passes; do
        case $p in
        wall) echo "* Wall time: -cpu $cpu_wall" ;;
        *) echo "* Instructions: -cpu $cpu_icount -icount shift=0,sleep=off" ;;
        esac
    done
    cat "$out"/logs/*.log | tr -d '\r' | sed -n \
        -e 's/.* Linux version \([^ ]*\).*/* Kernel: \1/p' \
        -e 's/^[0-9.]* (XEN) Xen version [^(]*(\([^)]*\)).*/* Xen: \1/p' \
        -e 's/^[0-9.]* (MICA).* Mica, [^,]*, \([^ ]*\).*/* Mica: \1/p' | sort -u
    echo "* Runs: $runs of each, interleaved; medians"
}

report_kernel() {
    awk -F, -f "$here/median.awk" -f "$here/report.awk" \
        -v systems="$(systems_of kernel)" -v passes="$passes" \
        -v csv="$out/results.csv" "$here/metrics.txt" "$out/kernel_raw.csv"
    awk -F, -f "$here/plot.awk" -v systems="$(systems_of kernel)" \
        -v passes="$passes" "$here/metrics.txt" "$out/results.csv" \
        >"$out/results.svg"
}

report_admin() {
    awk -F, -f "$here/median.awk" -f "$here/admin_report.awk" \
        -v systems="$(systems_of admin)" -v passes="$passes" \
        -v csv="$out/admin.csv" "$here/admin.txt" "$out/admin_raw.csv"
    awk -F, -f "$here/admin_plot.awk" -v systems="$(systems_of admin)" \
        -v passes="$passes" "$out/admin.csv" >"$out/admin.svg"
}

report() {
    {
        echo "# Benchmark results"
        echo
        describe
        for part in $parts; do
            "report_$part"
        done
        if [ -s "$out/failures.txt" ]; then
            printf '\n## Failed runs\n\n'
            sed 's/^/* /' "$out/failures.txt"
        fi
    } >"$out/results.md"
    cat "$out/results.md"
    echo
    echo "bench: $out/: results.md, *.csv, *.svg, logs/"
}

for tool in "$qemu" grub-mkrescue xorriso cpio awk; do
    command -v "$tool" >/dev/null || die "$tool is missing"
done
needs="$kernel $out/console"
for part in $parts; do
    case $part in
    kernel) needs="$needs $out/init" ;;
    admin) needs="$needs $out/admin.img" ;;
    *) die "unknown part '$part'" ;;
    esac
done
for file in $needs; do
    [ -f "$file" ] || die "$file is missing (try: make bench)"
done
choose_systems
rm -rf "$out/logs" "$out/iso" "$out"/*.csv "$out"/*.svg
build_images
: >"$out/failures.txt"
for part in $parts; do
    : >"$out/${part}_raw.csv"
done
trap 'fail "interrupted"; report; exit 130' INT TERM
for part in $parts; do
    for p in $passes; do
        run=1
        while [ "$run" -le "$runs" ]; do
            for s in $(systems_of "$part"); do
                run_once "$part" "$s" "$p" "$run"
            done
            run=$((run + 1))
        done
    done
done
report
[ ! -s "$out/failures.txt" ]
