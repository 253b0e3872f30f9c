# SPDX-License-Identifier: MIT
#
# Reads "nm -n" and writes the assembly source of the hypervisor's own symbol
# table, sorted by address:
#   symbol_table  struct { uint64_t addr; uint32_t name_off; uint32_t zero; }[]
#   symbol_count  uint32_t
#   symbol_names  strings, each ended by a zero byte
# Only code in the upper half is listed, so the table cannot move what it
# lists as long as it lies behind all code.

BEGIN {
    print "/* Made by the build; changes here are lost. */"
    print "    .section .symbols, \"a\", @progbits"
    print "    .balign 8"
    print "    .globl symbol_table, symbol_count, symbol_names"
    print "symbol_table:"
}

$1 ~ /^ffff/ && ($2 == "t" || $2 == "T") && $3 !~ /^\./ {
    if ($1 == last)
        next
    last = $1
    print "    .quad 0x" $1
    print "    .long " offset ", 0"
    offset += length($3) + 1
    names[++count] = $3
}

BEGIN { offset = 0; count = 0 }

END {
    print "symbol_count:"
    print "    .long " count
    print "symbol_names:"
    for (i = 1; i <= count; i++)
        print "    .asciz \"" names[i] "\""
    print "    .section .note.GNU-stack, \"\", @progbits"
}
