# SPDX-License-Identifier: MIT
#
# Makes the table of administration from admin.txt and admin_raw.csv: Markdown
# on standard output, the same figures with their range into the file `csv`,
# and there the medians for each number of guests as well. Variables: systems,
# passes (lists), csv (file name). Goes with median.awk.

BEGIN {
    system_count = split(systems, system_names, " ")
    pass_count = split(passes, pass_names, " ")
    scale["times"] = 1
    tools["xen"] = "xl/Xen"; tools["xen-xpti"] = "xl/xpti"
    tools["mica"] = "mica"; tools["mica-xl"] = "xl/Mica"
    tools["mica-classic"] = "m/classic"; tools["mica-isolated"] = "m/isolated"
}

FNR == NR {
    if ($0 ~ /^#/ || $0 == "")
        next
    split($0, field, "|")
    metric = names[++metric_count] = field[1]
    label[metric] = field[2]
    unit[metric] = field[3]
    goal[metric] = field[4]
    next
}

{
    take($1 SUBSEP $2 SUBSEP $4, $5)
    if (split($4, part, "@") == 2) {
        if (part[2] + 0 > most)
            most = part[2] + 0
        points[part[1], ++point_count[part[1]]] = $0
        verbs[part[1]]
    }
}

# Collects the ten figures at either end of the range of guests.
function take_ends(verb, i, n, field) {
    for (i = 1; i <= point_count[verb]; i++) {
        split(points[verb, i], field, ",")
        n = field[4]
        sub(/.*@/, "", n)
        if (n + 0 >= 1 && n + 0 <= 10)
            take(field[1] SUBSEP field[2] SUBSEP verb "@first", field[5])
        if (n + 0 > most - 10 && n + 0 >= 1)
            take(field[1] SUBSEP field[2] SUBSEP verb "@last", field[5])
    }
}

# The figure of a metric or of a quotient of two, in the unit shown, or "".
function figure(pass, sys, m, pair) {
    if (split(m, pair, "/") == 2) {
        if (!((pass, sys, pair[1]) in median) || !median[pass, sys, pair[2]])
            return ""
        return median[pass, sys, pair[1]] / median[pass, sys, pair[2]]
    }
    return (pass, sys, m) in median ? median[pass, sys, m] / scale[unit[m]] : ""
}

function share(pass, sys, m, has, base) {
    has = figure(pass, sys, m)
    base = figure(pass, "xen", m)
    if (has == "" || base == "" || unit[m] == "times")
        return "-"
    return sprintf("%.3f", has / base)
}

function verdict(pass, m, g, has) {
    g = goal[m]
    if (g ~ /^</) {
        has = figure(pass, "mica", m)
        return has == "" ? "-" : has < substr(g, 2) + 0 ? "yes" : "no"
    }
    has = share(pass, "mica", m)
    return has == "-" || g == "-" ? "-" : has + 0 <= g + 0 ? "yes" : "no"
}

function goal_text(m) {
    return goal[m] ~ /^</ ? "< " substr(goal[m], 2) : goal[m]
}

function header(n, i) {
    n = 0
    cells[++n] = "verb"; cells[++n] = "unit"
    for (i = 1; i <= system_count; i++)
        cells[++n] = tools[system_names[i]]
    for (i = 1; i <= system_count; i++)
        if (system_names[i] != "xen")
            cells[++n] = tools[system_names[i]] " /xl"
    cells[++n] = "goal"; cells[++n] = "reached"
    row(cells, n)
    rule(n)
}

function metric_row(pass, m, n, i, has) {
    n = 0
    cells[++n] = label[m]; cells[++n] = unit_text(pass, m)
    for (i = 1; i <= system_count; i++) {
        has = figure(pass, system_names[i], m)
        cells[++n] = has == "" ? "-" : digits(has)
    }
    for (i = 1; i <= system_count; i++)
        if (system_names[i] != "xen")
            cells[++n] = share(pass, system_names[i], m)
    cells[++n] = goal_text(m); cells[++n] = verdict(pass, m)
    row(cells, n)
}

function save(pass, sys, m, key, by) {
    key = pass SUBSEP sys SUBSEP m
    by = scale[unit[m]]
    if (key in median)
        printf "%s,%s,%s,%s,%s,%s,%s,%d,%s\n", pass, m, unit_text(pass, m), \
            sys, median[key] / by, lowest[key] / by, highest[key] / by, \
            count[key], share(pass, sys, m) >csv
}

# All figures of a pass and system, those for one number of guests too.
function save_all(pass, sys, i, n, verb) {
    for (i = 1; i <= metric_count; i++)
        save(pass, sys, names[i])
    for (verb in verbs)
        for (n = 0; n <= most; n++) {
            if ((verb "@" n) in label)
                continue
            unit[verb "@" n] = "ms"
            save(pass, sys, verb "@" n)
        }
}

END {
    for (verb in verbs)
        take_ends(verb)
    for (key in count)
        settle(key)
    print "pass,metric,unit,system,median,lowest,highest,figures,share" >csv
    for (p = 1; p <= pass_count; p++) {
        printf "\n## Administration: %s\n\n", title[pass_names[p]]
        header()
        for (i = 1; i <= metric_count; i++)
            metric_row(pass_names[p], names[i])
        for (i = 1; i <= system_count; i++)
            save_all(pass_names[p], system_names[i])
    }
}
