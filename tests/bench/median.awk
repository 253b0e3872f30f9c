# SPDX-License-Identifier: MIT
#
# What the reports share: medians, and how figures are printed. The figures of
# a key are values[key, 1] to values[key, count[key]].

BEGIN {
    scale["ns"] = 1; scale["us"] = 1e3; scale["ms"] = 1e6; scale["KiB"] = 1
    instructions["ns"] = "instr"; instructions["us"] = "1000 instr"
    instructions["ms"] = "10^6 instr"
    title["wall"] = "Wall time under TCG"
    title["icount"] = "Retired instructions"
}

function take(key, value) {
    values[key, ++count[key]] = value + 0
}

# Sorts the values of a key and sets its median, lowest and highest.
function settle(key, i, j, v, n) {
    n = count[key]
    for (i = 2; i <= n; i++) {
        v = values[key, i]
        for (j = i - 1; j > 0 && values[key, j] > v; j--)
            values[key, j + 1] = values[key, j]
        values[key, j + 1] = v
    }
    median[key] = n % 2 ? values[key, (n + 1) / 2] \
                        : (values[key, n / 2] + values[key, n / 2 + 1]) / 2
    lowest[key] = values[key, 1]
    highest[key] = values[key, n]
}

function digits(x) {
    return sprintf(x >= 1000 ? "%.0f" : x >= 10 ? "%.1f" : "%.2f", x)
}

function unit_text(pass, m) {
    if (pass == "icount" && unit[m] in instructions)
        return instructions[unit[m]]
    return unit[m]
}

function row(cells, n, i, line) {
    line = "|"
    for (i = 1; i <= n; i++)
        line = line sprintf(i == 1 ? " %-37s |" : " %10s |", cells[i])
    print line
}

# The line below the heading of a table with n columns.
function rule(n, i) {
    printf "|%s", "---------------------------------------|"
    for (i = 2; i <= n; i++)
        printf "%s", i == 2 ? "------------|" : "-----------:|"
    print ""
}
