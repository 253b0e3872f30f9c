# SPDX-License-Identifier: MIT
#
# Makes the tables from metrics.txt and raw.csv: Markdown on standard output,
# the same figures with their range into the file `csv`. Variables: systems,
# passes (lists), csv (file name). Ratios are of medians. Goes with median.awk.

BEGIN {
    system_count = split(systems, system_names, " ")
    pass_count = split(passes, pass_names, " ")
}

FNR == NR {
    if ($0 ~ /^#/ || $0 == "")
        next
    split($0, field, "|")
    metric = names[++metric_count] = field[1]
    label[metric] = field[2]
    unit[metric] = field[3]
    reference["wall", metric] = field[4]
    reference["icount", metric] = field[5]
    goal["wall", metric] = field[6]
    goal["icount", metric] = field[7]
    next
}

{
    take($1 SUBSEP $2 SUBSEP $4, $5)
}

function value(pass, sys, m) {
    if (!((pass, sys, m) in median))
        return "-"
    return digits(median[pass, sys, m] / scale[unit[m]])
}

function ratio(pass, sys, base, m) {
    if (!((pass, sys, m) in median) || !((pass, base, m) in median) ||
        median[pass, base, m] == 0)
        return "-"
    return sprintf("%.2f", median[pass, sys, m] / median[pass, base, m])
}

function goal_text(pass, m, g) {
    g = goal[pass, m]
    if (g == "xen")
        return "as Xen"
    if (g ~ /^</)
        return "< " substr(g, 2) " " unit_text(pass, m)
    return g
}

# No more than Xen, within 1 %; beyond that a tie if the runs' ranges overlap.
function compare_to_xen(pass, m, mica, xen) {
    mica = pass SUBSEP "mica" SUBSEP m
    xen = pass SUBSEP "xen" SUBSEP m
    if (!(xen in median))
        return "-"
    if (median[mica] <= median[xen] * 1.01)
        return "yes"
    return lowest[mica] <= highest[xen] ? "tie" : "no"
}

# Whether Mica reaches its goal: yes, tie, no, or "-" where nobody can tell.
function verdict(pass, m, g, has, r) {
    g = goal[pass, m]
    if (g == "-" || !((pass, "mica", m) in median))
        return "-"
    has = median[pass, "mica", m]
    if (g ~ /^</)
        return has / scale[unit[m]] < substr(g, 2) + 0 ? "yes" : "no"
    if (g == "xen")
        return compare_to_xen(pass, m)
    r = ratio(pass, "mica", "native", m)
    return r == "-" ? "-" : r + 0 <= g + 0 ? "yes" : "no"
}

function header(n, i) {
    n = 0
    cells[++n] = "metric"; cells[++n] = "unit"
    for (i = 1; i <= system_count; i++)
        cells[++n] = system_names[i]
    for (i = 1; i <= system_count; i++)
        if (system_names[i] != "native")
            cells[++n] = system_names[i] " /nat"
    if (has_mica) {
        cells[++n] = "mica /xen"; cells[++n] = "goal"; cells[++n] = "reached"
    } else {
        cells[++n] = "ref. Xen"; cells[++n] = "Mica goal"
    }
    row(cells, n)
    rule(n)
}

function metric_row(pass, m, n, i, sys) {
    n = 0
    cells[++n] = label[m]; cells[++n] = unit_text(pass, m)
    for (i = 1; i <= system_count; i++)
        cells[++n] = value(pass, system_names[i], m)
    for (i = 1; i <= system_count; i++)
        if (system_names[i] != "native")
            cells[++n] = ratio(pass, system_names[i], "native", m)
    if (has_mica) {
        cells[++n] = ratio(pass, "mica", "xen", m)
        cells[++n] = goal_text(pass, m); cells[++n] = verdict(pass, m)
    } else {
        cells[++n] = reference[pass, m]; cells[++n] = goal_text(pass, m)
    }
    row(cells, n)
}

function is_measured(pass, m, i) {
    for (i = 1; i <= system_count; i++)
        if ((pass, system_names[i], m) in median)
            return 1
    return 0
}

function save(pass, m, i, sys, key) {
    for (i = 1; i <= system_count; i++) {
        sys = system_names[i]
        if (!((pass, sys, m) in median))
            continue
        key = pass SUBSEP sys SUBSEP m
        printf "%s,%s,%s,%s,%s,%s,%s,%d,%s\n", pass, m, unit_text(pass, m), \
            sys, median[key] / scale[unit[m]], lowest[key] / scale[unit[m]], \
            highest[key] / scale[unit[m]], count[key], \
            ratio(pass, sys, "native", m) >csv
    }
}

END {
    for (key in count)
        settle(key)
    for (i = 1; i <= system_count; i++)
        has_mica = has_mica || system_names[i] == "mica"
    print "pass,metric,unit,system,median,lowest,highest,runs,ratio" >csv
    for (p = 1; p <= pass_count; p++) {
        printf "\n## %s\n\n", title[pass_names[p]]
        header()
        for (i = 1; i <= metric_count; i++)
            if (is_measured(pass_names[p], names[i])) {
                metric_row(pass_names[p], names[i])
                save(pass_names[p], names[i])
            }
    }
}
