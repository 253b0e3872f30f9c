# SPDX-License-Identifier: MIT
#
# Draws admin.csv as an SVG: how long create, list and destroy take against the
# number of guests there are, a panel for each verb and pass, a line for each
# system, time on a logarithmic scale. Variables: systems, passes (lists).

BEGIN {
    system_count = split(systems, system_names, " ")
    pass_count = split(passes, pass_names, " ")
    verb_count = split("create list destroy", verb_names, " ")
    title["wall"] = "time under TCG, ms"
    title["icount"] = "retired instructions, millions"
    tools["xen"] = "xl on Xen"; tools["mica"] = "mica on Mica"
    tools["mica-xl"] = "xl on Mica"
    split("#c4591a #1f6fb2 #3f9a4f #8a5fb0 #777777", colours, " ")
    width = 380; height = 200; left = 60; top = 60; gap = 70
    least = 1; most = 10
}

FNR > 1 && split($2, part, "@") == 2 && part[2] ~ /^[0-9]+$/ {
    verb = part[1]
    n = part[2] + 0
    value[$1, verb, $4, n] = $5
    if (n > guests)
        guests = n
    while ($5 > most)
        most *= 10
    while ($5 < least && $5 > 0)
        least /= 10
}

function text(x, y, anchor, size, words) {
    printf "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\" font-size=\"%d\">" \
        "%s</text>\n", x, y, anchor, size, words
}

function place_x(n) {
    return guests ? n / guests * width : 0
}

function place_y(v) {
    return height * (1 - log(v / least) / log(most / least))
}

function line(x1, y1, x2, y2, colour) {
    printf "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" " \
        "stroke=\"%s\"/>\n", x1, y1, x2, y2, colour
}

function grid(x, y, v, n, step) {
    for (v = least; v <= most * 1.001; v *= 10) {
        line(x, y + place_y(v), x + width, y + place_y(v), "#ddd")
        text(x - 6, y + place_y(v) + 4, "end", 10, v)
    }
    step = guests > 20 ? 20 : 5
    for (n = 0; n <= guests; n += step) {
        line(x + place_x(n), y, x + place_x(n), y + height, "#ddd")
        text(x + place_x(n), y + height + 14, "middle", 10, n)
    }
}

function curve(pass, verb, sys, colour, x, y, n, v) {
    printf "<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"1.5\" " \
        "points=\"", colour
    for (n = 0; n <= guests; n++)
        if ((pass, verb, sys, n) in value) {
            v = value[pass, verb, sys, n]
            printf "%.1f,%.1f ", x + place_x(n), y + place_y(v)
        }
    print "\"/>"
}

function legend(y, i, x) {
    x = left
    for (i = 1; i <= system_count; i++) {
        printf "<rect x=\"%d\" y=\"%d\" width=\"12\" height=\"10\" " \
            "fill=\"%s\"/>\n", x, y - 9, colours[i]
        text(x + 16, y, "start", 12, \
            system_names[i] in tools ? tools[system_names[i]] \
                                     : system_names[i])
        x += 130
    }
    text(x + 20, y, "start", 12, "against the number of guests")
}

END {
    all_width = left + pass_count * (width + gap)
    all_height = top + verb_count * (height + gap) + 10
    printf "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" " \
        "height=\"%d\" viewBox=\"0 0 %d %d\" font-family=\"sans-serif\" " \
        "fill=\"#222\">\n", all_width, all_height, all_width, all_height
    printf "<rect width=\"%d\" height=\"%d\" fill=\"#fff\"/>\n", all_width, \
        all_height
    for (p = 1; p <= pass_count; p++)
        for (k = 1; k <= verb_count; k++) {
            x = left + (p - 1) * (width + gap)
            y = top + (k - 1) * (height + gap)
            text(x, y - 10, "start", 14, \
                verb_names[k] ": " title[pass_names[p]])
            grid(x, y)
            for (i = 1; i <= system_count; i++)
                curve(pass_names[p], verb_names[k], system_names[i], \
                    colours[i], x, y)
        }
    legend(24)
    print "</svg>"
}
