# SPDX-License-Identifier: MIT
#
# Writes docs/abi.md: the hypercalls and their commands. Reads, in this order,
# hypercall_abi/hypercalls.def, the headers beside it and the sources of the
# hypervisor; from these last only where a call or a command is handled.

function base(path) { sub(/.*\//, "", path); return path }

# Collects the comment that ends on the line before a row.
function take_comment(text) {
    if (text ~ /^\/\*/) { note = ""; in_note = 1 }
    if (!in_note) return 0
    if (text ~ /\*\/[ \t]*$/) in_note = 0
    gsub(/^[ \t]*\/?\*+[ \t]?|[ \t]*\*\/[ \t]*$/, "", text)
    note = note (note == "" || text == "" ? "" : " ") text
    return 1
}

# "(a, b): meaning" is split into arguments and meaning.
function add_call(row,    part, end) {
    gsub(/^[ \t]*HYPERCALL\(|\)[ \t]*$|[ \t]/, "", row)
    split(row, part, ",")
    calls++
    number[calls] = part[1]
    name[calls] = part[2]
    end = index(note, "):")
    if (!end) end = match(note, /\)$/)
    arguments[calls] = substr(note, 1, end)
    meaning[calls] = substr(note, end + 1)
    sub(/^:[ \t]*/, "", meaning[calls])
    if (match(meaning[calls], /[a-z_]+\.h/))
        header_of[calls] = substr(meaning[calls], RSTART, RLENGTH)
    note = ""
}

function is_command(word) {
    return word !~ /^XENMEM_resource_/ && \
        (word ~ /^(CALLBACKOP|CONSOLEIO|EVTCHNOP|GNTTABOP|MMU|MMUEXT)_/ ||
         word ~ /^(PHYSDEVOP|SCHEDOP|SEGBASE|VCPUOP|VMASST|XENMEM)_/ ||
         word ~ /^(XENNMI|XENPF|XENPMU|XENVER|XEN_MC)_/ ||
         word ~ /^(XEN_DOMCTL|XEN_SYSCTL|MICA_DOMCTL)_[a-z]/)
}

# The commands are the members of anonymous enums, and of nothing else.
function add_command(text,    word, value) {
    if (text !~ /^ +[A-Z]+[A-Za-z0-9_]* = (0x)?[0-9a-f]+,?( *\/\*.*)?$/) return
    split(text, word, " ")
    if (!is_command(word[1])) return
    value = word[3]
    sub(/,$/, "", value)
    commands++
    command[commands] = word[1]
    command_number[commands] = value
    command_header[commands] = base(FILENAME)
}

# An enum on one line.
function add_short_enum(text,    member, n, i) {
    gsub(/^enum \{ | \};$/, "", text)
    n = split(text, member, /, /)
    for (i = 1; i <= n; i++) add_command("    " member[i])
}

FNR == 1 { in_note = 0; note = "" }
FILENAME ~ /\.def$/ && take_comment($0) { next }
FILENAME ~ /\.def$/ && /^HYPERCALL\(/ { add_call($0) }
FILENAME ~ /\.h$/ && /^enum \{ .*\};$/ { add_short_enum($0); next }
FILENAME ~ /\.h$/ && /^enum \{/ { in_enum = 1 }
FILENAME ~ /\.h$/ && in_enum { add_command($0) }
FILENAME ~ /\.h$/ && /^\}/ { in_enum = 0 }

FILENAME ~ /\.c$/ && /^(hot_path )?long hc_/ && match($0, /hc_[a-z0-9_]+\(/) {
    handler[substr($0, RSTART + 3, RLENGTH - 4)] = base(FILENAME)
}
# A macro that puts names of commands together.
FILENAME ~ /\.c$/ && FNR == 1 { split("", prefix); defined = "" }
FILENAME ~ /\.c$/ && /^#define [A-Z_]+\(/ {
    defined = $2
    sub(/\(.*/, "", defined)
    for (macro in prefix)
        if (index($0, " " macro "(name")) prefix[defined] = prefix[macro]
}
FILENAME ~ /\.c$/ && defined != "" && match($0, /[A-Z_]+_##/) {
    prefix[defined] = substr($0, RSTART, RLENGTH - 2)
}
FILENAME ~ /\.c$/ && !/\\$/ { defined = "" }
FILENAME ~ /\.c$/ {
    rest = $0
    # "OP(send, ..." is EVTCHNOP_send where OP is so defined.
    for (macro in prefix)
        gsub("[^A-Z_]" macro "\\(", "&" prefix[macro], rest)
    while (match(rest, /[A-Z][A-Z]+[A-Za-z0-9]*_[A-Za-z0-9_]+/)) {
        word = substr(rest, RSTART, RLENGTH)
        if (!(word in seen)) seen[word] = base(FILENAME)
        rest = substr(rest, RSTART + RLENGTH)
    }
}

END {
    print "<!-- SPDX-License-Identifier: MIT -->"
    print "<!-- Made by tests/run/abi_table.awk; \"make docs\" writes it anew. -->"
    print "# Hypercalls\n"
    print "The number goes in `rax`, the arguments in `rdi`, `rsi`, `rdx`, `r10`, `r8`;"
    print "`syscall` from any address of the guest kernel makes the call. The result is in"
    print "`rax`, an error as a negative number. `rcx` and `r11` are lost, all other"
    print "registers are kept. A number that is not here gives -ENOSYS (-38).\n"
    print "Structures, error codes and who may call are in the headers of"
    print "`hypercall_abi/`; the sources named are in `hypervisor/core/` or"
    print "`hypervisor/x86/`. [differences.md](differences.md) says where Mica differs"
    print "from Xen.\n"
    print "| no. | name | arguments | meaning | handled in |"
    print "|---:|---|---|---|---|"
    for (i = 1; i <= calls; i++) {
        text = meaning[i]
        gsub(/\|/, "\\|", text)
        given = arguments[i]
        gsub(/^\(|\)$/, "", given)
        gsub(/\|/, "\\|", given)
        print "| " number[i] " | " name[i] " | " (given == "" ? "" : "`" given "`") \
            " | " text " | " handler[name[i]] " |"
    }
    print "\n## Commands\n"
    print "A command without a source is known to the headers only: the call answers as"
    print "it does to an unknown one. A source that is named may still refuse.\n"
    for (i = 1; i <= commands; i++) {
        if (command_header[i] != last) {
            last = command_header[i]
            print (i == 1 ? "" : "\n") "### " last "\n"
            print "| no. | command | handled in |"
            print "|---:|---|---|"
        }
        print "| " command_number[i] " | " command[i] " | " seen[command[i]] " |"
    }
}
