# SPDX-License-Identifier: MIT
#
# Reads one run's console log (seconds, then the line) and prints its figures
# as "pass,system,run,metric,value", times in nanoseconds. Variables: pass,
# machine (the system's name), run, part. Times taken on the host mean nothing
# under -icount and are left out there; only the part "kernel" has any.

function say(metric, value) {
    printf "%s,%s,%s,%s,%s\n", pass, machine, run, metric, value
}

# A span between two moments of the host's clock, if both were seen.
function span(metric, from, to) {
    if (pass == "wall" && from != "" && to != "")
        say(metric, sprintf("%.0f", (to - from) * 1e9))
}

function number_after(text, rest) {
    rest = $0
    sub(".*" text, "", rest)
    return rest + 0
}

/ BENCH loader/ { loader = $1 }
loader != "" && hypervisor == "" && /^[0-9.]+ +\((XEN|MICA)\)/ {
    hypervisor = $1
}
unpacking == "" && /d0 has maximum|[Uu]npacking/ { unpacking = $1 }
entry == "" && / mapping kernel into physical memory/ { entry = $1 }
kernel == "" && / Linux version / { kernel = $1 }
/ BENCH start/ { init = $1 }
/ BENCH [a-z_]+(@[0-9]+)? [0-9.]+$/ { say($(NF - 1), $NF) }

/System RAM: .*kB\)/ { ram = number_after("MB \\(") }
/ Dom heap: [0-9]+kB free/ { free = number_after("Dom heap: ") }
/ nr_pages=[0-9]+/ && given == "" { given = 4 * number_after("nr_pages=") }
/memory: kept [0-9]+ KiB/ { kept = number_after("memory: kept ") }

END {
    if (part != "kernel")
        exit
    span("boot_kernel", kernel, init)
    span("boot_own", hypervisor, unpacking)
    span("boot_entry", hypervisor, entry)
    span("boot_hypervisor", hypervisor, kernel)
    span("boot_total", loader, init)
    if (kept == "" && ram != "" && free != "" && given != "")
        kept = ram - free - given
    if (pass == "wall" && kept != "")
        say("kept", kept)
}
