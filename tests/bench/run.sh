#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Boots one kernel with one workload on every system, in turn, as often
# as asked, in the same emulator; first by the clock, then counting instructions.
# Prints and saves the medians. A run that hangs, ends early or misses a figure
# is named at the end, and the exit status is 1; the other runs still count.
#
#   BENCH_SYSTEMS   native, xen, mica; xen-xpti, mica-classic, mica-isolated
#   BENCH_RUNS      how often each is booted                               (3)
#   BENCH_PASSES    wall, icount                                        (both)
#   BENCH_LIMIT     seconds one machine may take                         (300)
#   BENCH_OUT       everything goes there                        (build/bench)
#   BENCH_KERNEL    the kernel                          (build/kernel/vmlinuz)
#   BENCH_MICA      Mica's image                               (build/mica.gz)
#   BENCH_XEN       Xen's image           ($BENCH_OUT/xen.gz, else downloaded)
#   BENCH_MICA_ARGS more words for Mica's command line
#   BENCH_CPU, BENCH_ICOUNT_CPU   processor model of each pass
# $BENCH_OUT/console and $BENCH_OUT/init must have been built.
set -u
export LC_ALL=C

here=$(dirname "$0")
runs=${BENCH_RUNS:-3}
passes=${BENCH_PASSES:-wall icount}
limit=${BENCH_LIMIT:-300}
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
        mica | mica-classic | mica-isolated)
            [ -f "$mica" ] || { skip "$s" "no file $mica"; continue; } ;;
        *) die "unknown system '$s'" ;;
        esac
        systems="$systems $s"
    done
    [ -n "$systems" ] || die "no system to boot"
}

skip() {
    echo "bench: $1 is left out: $2"
}

hypervisor_words() {
    words="placeholder com1=115200,8n1 console=com1"
    case $1 in
    *-xpti) words="$words xpti=true" ;;
    *-classic) words="$words sides=classic" ;;
    *-isolated) words="$words sides=isolated" ;;
    esac
    case $1 in
    mica*) words="$words ${BENCH_MICA_ARGS:-}" ;;
    esac
    echo "$words"
}

# loglevel=6 shows "Linux version" and little else. The early console shows
# it when the kernel starts, not when the serial driver is up.
kernel_words() {
    echo "loglevel=6 panic=1 $1 BENCH_SAMPLE_MS=$2"
}

menu() {
    case $2 in
    wall) ms=50 ;;
    *) ms=20 ;;
    esac
    echo 'serial --unit=0 --speed=115200'
    echo 'terminal_output serial'
    echo 'set timeout=0'
    echo 'menuentry bench {'
    if [ "$1" = native ]; then
        echo "linux /vmlinuz $(kernel_words \
            'earlyprintk=serial,ttyS0,115200 console=ttyS0,115200' $ms)"
        echo "initrd /initrd"
    else
        echo "multiboot2 /hypervisor.gz $(hypervisor_words "$1")"
        echo "module2 /vmlinuz placeholder $(kernel_words \
            'earlyprintk=xen console=hvc0' $ms)"
        echo "module2 --nounzip /initrd"
    fi
    echo 'echo BENCH loader'
    echo '}'
}

build_iso() {
    tree=$out/iso/$1
    rm -rf "$tree" && mkdir -p "$tree/boot/grub"
    cp "$kernel" "$tree/vmlinuz" && cp "$out/initrd" "$tree/initrd" || return 1
    case $1 in
    xen*) cp "$xen" "$tree/hypervisor.gz" || return 1 ;;
    mica*) cp "$mica" "$tree/hypervisor.gz" || return 1 ;;
    esac
    menu "$1" "$2" >"$tree/boot/grub/grub.cfg"
    grub-mkrescue -o "$out/iso/$1-$2.iso" "$tree" \
        >"$out/iso/$1-$2.log" 2>&1 || return 1
    rm -rf "$tree"
}

build_images() {
    mkdir -p "$out/iso" "$out/logs"
    (cd "$out" && echo init | cpio -o -H newc --quiet >initrd) ||
        die "cannot make $out/initrd"
    for s in $systems; do
        for p in $passes; do
            build_iso "$s" "$p" ||
                die "cannot make the ISO image, see $out/iso/$s-$p.log"
        done
    done
}

fail() {
    echo "$1" | tee -a "$out/failures.txt"
}

# $1 system, $2 pass, $3 log: returns what console returns.
boot() {
    case $2 in
    wall) set -- "$1" "$2" "$3" -cpu "$cpu_wall" ;;
    *) set -- "$1" "$2" "$3" -cpu "$cpu_icount" \
        -icount shift=0,sleep=off ;;
    esac
    system=$1 pass=$2 log=$3
    shift 3
    set -- "$qemu" -accel tcg -m 4G "$@" -display none -monitor none \
        -serial stdio -no-reboot -boot d -cdrom "$out/iso/$system-$pass.iso"
    # Xen tells by debug keys what it has given and what is free.
    case $system-$pass in
    xen*-wall) set -- -e ' nr_pages=' -c 'BENCH end' -k "$(printf \
        '\001\001\001m')" -c 'Dom heap:' -k q -- "$@" ;;
    *) set -- -e 'BENCH end' -- "$@" ;;
    esac
    nice -n "${BENCH_NICE:-0}" "$out/console" -t "$limit" "$@" \
        >"$log" 2>"$log.err"
}

run_once() {
    name="$1, $2, run $3"
    log=$out/logs/$2-$1-$3.log
    printf 'bench: %s\n' "$name"
    boot "$1" "$2" "$log"
    status=$?
    case $status in
    0) ;;
    3) fail "$name: ended early, see $log; last: $(tail -n 1 "$log")" ;;
    4) fail "$name: hung, see $log; last: $(tail -n 1 "$log")" ;;
    *) fail "$name: cannot start: $(tail -n 1 "$log.err")" ;;
    esac
    sed -n "s/.*BENCH-ERROR /$name: failed: /p" "$log" |
        tee -a "$out/failures.txt"
    awk -f "$here/parse.awk" -v pass="$2" -v machine="$1" -v run="$3" \
        "$log" >"$out/run.csv" || fail "$name: cannot read $log"
    [ "$status" -ne 0 ] || require_figures "$1" "$2"
    cat "$out/run.csv" >>"$out/raw.csv"
    rm -f "$out/run.csv"
}

# A run that came to its end has a figure for everything it can measure.
require_figures() {
    sed -n 's/^\([a-z][a-z_]*\)|.*/\1/p' "$here/metrics.txt" | while read -r m
    do
        case $2-$1-$m in
        *-boot_clock) ;;
        icount-*-boot_* | icount-*-kept) continue ;;
        *-boot_kernel | *-boot_total) ;;
        wall-native-boot_* | wall-native-kept) continue ;;
        esac
        grep -q ",$m,[0-9]" "$out/run.csv" || fail "$name: no figure for $m"
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
        -e 's/^[0-9.]* (MICA).*\(Mica [^:;]*\).*/* Mica: \1/p' | sort -u
    echo "* Runs: $runs of each, interleaved; medians"
}

report() {
    awk -F, -f "$here/report.awk" -v systems="$systems" \
        -v passes="$passes" -v csv="$out/results.csv" \
        "$here/metrics.txt" "$out/raw.csv" >"$out/tables.md"
    {
        echo "# Benchmark results"
        echo
        describe
        cat "$out/tables.md"
        if [ -s "$out/failures.txt" ]; then
            printf '\n## Failed runs\n\n'
            sed 's/^/* /' "$out/failures.txt"
        fi
    } >"$out/results.md"
    rm -f "$out/tables.md"
    awk -F, -f "$here/plot.awk" -v systems="$systems" -v passes="$passes" \
        "$here/metrics.txt" "$out/results.csv" >"$out/results.svg"
    cat "$out/results.md"
    echo
    echo "bench: $out/results.md, results.csv, results.svg, raw.csv, logs/"
}

for tool in "$qemu" grub-mkrescue xorriso cpio awk; do
    command -v "$tool" >/dev/null || die "$tool is missing"
done
for file in "$kernel" "$out/console" "$out/init"; do
    [ -f "$file" ] || die "$file is missing (try: make bench)"
done
choose_systems
rm -rf "$out/logs" "$out/failures.txt" "$out/raw.csv"
build_images
: >"$out/failures.txt"
: >"$out/raw.csv"
trap 'fail "interrupted"; report; exit 130' INT TERM
for p in $passes; do
    run=1
    while [ "$run" -le "$runs" ]; do
        for s in $systems; do
            run_once "$s" "$p" "$run"
        done
        run=$((run + 1))
    done
done
report
[ ! -s "$out/failures.txt" ]
