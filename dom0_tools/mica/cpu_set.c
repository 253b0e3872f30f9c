/* SPDX-License-Identifier: MIT */
/* Sets of CPUs as text (cpu_set.h). */
#include "dom0_tools/mica/cpu_set.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static void put(struct cpu_set *set, unsigned first, unsigned last, bool is_in)
{
    for (; first <= last; first++) {
        uint8_t bit = (uint8_t)(1u << first % 8);

        if (is_in)
            set->bits[first / 8] |= bit;
        else
            set->bits[first / 8] &= (uint8_t)~bit;
    }
}

/* Moves past the number of a CPU. */
static bool take_cpu(const char **at, unsigned *cpu)
{
    char *end;
    unsigned long number;

    if (!isdigit((unsigned char)**at))
        return false;
    number = strtoul(*at, &end, 10);
    if (number >= CPU_SET_MAX)
        return false;
    *cpu = (unsigned)number;
    *at = end;
    return true;
}

/* Moves past "3", "1-4", "all", each perhaps after a "^". */
static bool take_part(const char **at, struct cpu_set *set, bool is_first)
{
    bool is_in = **at != '^';
    unsigned first = 0, last = CPU_SET_MAX - 1;

    *at += !is_in;
    if (!is_in && is_first)
        put(set, 0, CPU_SET_MAX - 1, true);
    if (!strncmp(*at, "all", 3)) {
        *at += 3;
    } else {
        if (!take_cpu(at, &first))
            return false;
        last = first;
        if (**at == '-') {
            ++*at;
            if (!take_cpu(at, &last) || last < first)
                return false;
        }
    }
    put(set, first, last, is_in);
    return true;
}

/* See cpu_set.h. */
bool cpu_set_parse(const char *text, struct cpu_set *set)
{
    static const struct cpu_set empty;
    const char *at = text;

    *set = empty;
    for (;;) {
        while (*at == ' ')
            at++;
        if (!take_part(&at, set, at == text))
            return false;
        while (*at == ' ')
            at++;
        if (!*at)
            return memcmp(set, &empty, sizeof(empty)) != 0;
        if (*at++ != ',')
            return false;
    }
}

/* See cpu_set.h. */
bool cpu_set_has(const struct cpu_set *set, unsigned cpu)
{
    return cpu < CPU_SET_MAX && (set->bits[cpu / 8] >> cpu % 8 & 1);
}

/* See cpu_set.h. */
void cpu_set_print(const struct cpu_set *set, unsigned count, FILE *out)
{
    unsigned first = 0, end;
    bool is_any = false;

    while (first < count) {
        if (!cpu_set_has(set, first)) {
            first++;
            continue;
        }
        for (end = first; end < count && cpu_set_has(set, end); end++)
            ;
        if (!first && end == count) {
            fputs("all", out);
            return;
        }
        fprintf(out, "%s%u", is_any ? "," : "", first);
        if (end - first > 1)
            fprintf(out, "-%u", end - 1);
        is_any = true;
        first = end;
    }
    if (!is_any)
        fputs("none", out);
}

/* See cpu_set.h. */
struct control_cpu_set cpu_set_view(struct cpu_set *set, unsigned count)
{
    return (struct control_cpu_set){
        .bits = set->bits, .count = count < CPU_SET_MAX ? count : CPU_SET_MAX};
}
