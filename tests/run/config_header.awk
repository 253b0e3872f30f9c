# SPDX-License-Identifier: MIT
#
# Reads Kconfig, then a configuration; writes a C header in which every symbol
# is defined: a boolean as 0 or 1, a number or string as it is.

FNR == 1 { file++ }

file == 1 && $1 == "config" { name = "CONFIG_" $2; order[++count] = name }
file == 1 && $1 == "bool" { value[name] = "0" }

file == 2 && /^CONFIG_[A-Z0-9_]*=/ {
    at = index($0, "=")
    text = substr($0, at + 1)
    value[substr($0, 1, at - 1)] = text == "y" ? "1" : text
}

END {
    print "/* SPDX-License-Identifier: MIT */"
    print "/* Made from Kconfig; changes here are lost. */"
    print "#pragma once\n"
    for (i = 1; i <= count; i++)
        print "#define " order[i] " " value[order[i]]
}
