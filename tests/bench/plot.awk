# SPDX-License-Identifier: MIT
#
# Draws results.csv as an SVG: for each pass one panel, for each metric one bar
# per system, as long as the logarithm of its ratio to native. Variables:
# systems, passes (lists). Files: metrics.txt, then results.csv.

BEGIN {
    system_count = split(systems, system_names, " ")
    pass_count = split(passes, pass_names, " ")
    title["wall"] = "Time under TCG"
    title["icount"] = "Retired instructions"
    split("#c4591a #1f6fb2 #3f9a4f #8a5fb0 #777777", colours, " ")
    label_width = 240; panel_width = 420; gap = 20
    top = 64; bar = 11; row_gap = 7
    log_least = log(0.8); log_most = log(100)
}

FNR == NR {
    if ($0 !~ /^#/ && split($0, field, "|") > 2) {
        names[++name_count] = field[1]
        label[field[1]] = field[2]
    }
    next
}

FNR > 1 && $9 != "-" && $4 != "native" {
    ratio[$1, $4, $2] = $9
    is_shown[$2] = 1
}

function escape(text) {
    gsub(/&/, "\\&amp;", text)
    gsub(/</, "\\&lt;", text)
    return text
}

function place(r, x) {
    x = log(r < 0.8 ? 0.8 : r > 100 ? 100 : r)
    return (x - log_least) / (log_most - log_least) * (panel_width - 45)
}

function text(x, y, anchor, size, words) {
    printf "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\" font-size=\"%d\">" \
        "%s</text>\n", x, y, anchor, size, escape(words)
}

function grid(left, bottom, i, marks, n, x) {
    n = split("1 2 5 10 20 50 100", marks, " ")
    for (i = 1; i <= n; i++) {
        x = left + place(marks[i])
        printf "<line x1=\"%.1f\" x2=\"%.1f\" y1=\"%d\" y2=\"%d\" " \
            "stroke=\"%s\"/>\n", x, x, top - 6, bottom, \
            marks[i] == 1 ? "#555" : "#ddd"
        text(x, top - 10, "middle", 10, marks[i])
    }
}

function bars(pass, left, m, y, i, sys, from, to) {
    for (i = 1; i <= drawn_count; i++) {
        sys = drawn[i]
        if ((pass, sys, m) in ratio) {
            from = left + place(1)
            to = left + place(ratio[pass, sys, m])
            printf "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" " \
                "height=\"%d\" fill=\"%s\"/>\n", from < to ? from : to, y, \
                (from < to ? to - from : from - to) + 0.5, bar - 1, colours[i]
            text((from < to ? to : from) + 4, y + bar - 2, "start", 9, \
                ratio[pass, sys, m])
        }
        y += bar
    }
}

function legend(y, i, x) {
    x = label_width + gap
    for (i = 1; i <= drawn_count; i++) {
        printf "<rect x=\"%d\" y=\"%d\" width=\"12\" height=\"10\" " \
            "fill=\"%s\"/>\n", x, y - 9, colours[i]
        text(x + 16, y, "start", 12, drawn[i])
        x += 110
    }
    text(8, y, "start", 12, "Ratio to native (1 = native)")
}

END {
    for (i = 1; i <= system_count; i++)
        if (system_names[i] != "native")
            drawn[++drawn_count] = system_names[i]
    for (i = 1; i <= name_count; i++)
        if (names[i] in is_shown)
            shown[++shown_count] = names[i]
    row_height = bar * (drawn_count ? drawn_count : 1) + row_gap
    bottom = top + shown_count * row_height
    width = label_width + pass_count * (panel_width + gap) + gap
    printf "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" " \
        "height=\"%d\" viewBox=\"0 0 %d %d\" font-family=\"sans-serif\" " \
        "fill=\"#222\">\n", width, bottom + 40, width, bottom + 40
    printf "<rect width=\"%d\" height=\"%d\" fill=\"#fff\"/>\n", width, \
        bottom + 40
    for (p = 1; p <= pass_count; p++) {
        left = label_width + gap + (p - 1) * (panel_width + gap)
        text(left + place(1), 24, "start", 15, title[pass_names[p]])
        grid(left, bottom)
        for (i = 1; i <= shown_count; i++)
            bars(pass_names[p], left, shown[i], top + (i - 1) * row_height)
    }
    for (i = 1; i <= shown_count; i++)
        text(label_width, top + (i - 1) * row_height + row_height / 2, "end", \
            12, label[shown[i]])
    legend(bottom + 24)
    print "</svg>"
}
