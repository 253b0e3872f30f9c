/* SPDX-License-Identifier: MIT */
/* Samples as lines of text, in as much room as there is (top.h). */
#include "dom0_tools/mica/top.h"

#include <string.h>

#include "hypercall_abi/sched.h"

#define NS_PER_S 1000000000ull
#define KIB_PER_PAGE (CONTROL_PAGE_SIZE / 1024)

enum { MIB_SHIFT = 20 - CONTROL_PAGE_SHIFT, NAME_MIN = 10 };

enum column {
    STATE,
    CPU_SECONDS,
    CPU_PERCENT,
    MEMORY,
    MEMORY_PERCENT,
    MAX_MEMORY,
    MAX_MEMORY_PERCENT,
    VCPUS,
    CALLS,
    EVENTS,
    COLUMNS,
};

/* In the order in which they are shown, behind the name. */
static const struct {
    const char *heading;
    unsigned width;
} columns[COLUMNS] = {
    {"STATE", 6},   {"CPU(sec)", 10},  {"CPU(%)", 6},    {"MEM(k)", 10},
    {"MEM(%)", 6},  {"MAXMEM(k)", 10}, {"MAXMEM(%)", 9}, {"VCPUS", 5},
    {"CALLS/s", 8}, {"EVENTS/s", 8},
};

/* In the order in which they are missed. */
static const enum column by_importance[COLUMNS] = {
    CPU_PERCENT, STATE,       MEMORY,         CALLS,      EVENTS,
    VCPUS,       CPU_SECONDS, MEMORY_PERCENT, MAX_MEMORY, MAX_MEMORY_PERCENT,
};

static unsigned longest_name(const struct top_sample *sample)
{
    size_t longest = NAME_MIN;
    unsigned i;

    for (i = 0; i < sample->count; i++) {
        size_t length = strlen(sample->rows[i].domain.name);

        if (length > longest)
            longest = length;
    }
    return (unsigned)longest;
}

/* See top.h. */
struct top_layout top_choose_layout(const struct top_sample *sample,
                                    unsigned width)
{
    struct top_layout layout = {(1u << COLUMNS) - 1, NAME_MIN,
                                DOMAIN_NAME_SIZE};
    unsigned used = NAME_MIN, spare, more, i;

    if (!width)
        return layout;
    layout.columns = 0;
    for (i = 0; i < COLUMNS; i++) {
        more = 1 + columns[by_importance[i]].width;

        if (used + more > width)
            break;
        used += more;
        layout.columns |= 1u << by_importance[i];
    }
    spare = used < width ? width - used : 0;
    more = longest_name(sample) - NAME_MIN;
    layout.name_width += more < spare ? more : spare;
    layout.name_limit = layout.name_width;
    return layout;
}

/* See top.h. */
void top_format_machine(const struct top_sample *sample, char *line)
{
    const struct control_machine *m = &sample->machine;
    uint64_t free_pages = m->free_pages - m->outstanding_pages;

    snprintf(line, TOP_LINE_SIZE, "%u CPU%s, %u MHz; %llu of %llu MiB free",
             m->cpus, m->cpus == 1 ? "" : "s", m->cpu_khz / 1000,
             (unsigned long long)(free_pages >> MIB_SHIFT),
             (unsigned long long)(m->total_pages >> MIB_SHIFT));
}

static bool has(const struct top_layout *layout, enum column column)
{
    return layout->columns >> column & 1;
}

/* See top.h. */
void top_format_heading(const struct top_layout *layout, char *line)
{
    int at =
        snprintf(line, TOP_LINE_SIZE, "%*s", (int)layout->name_width, "NAME");
    unsigned i;

    for (i = 0; i < COLUMNS; i++)
        if (has(layout, i))
            at += snprintf(line + at, TOP_LINE_SIZE - (size_t)at, " %*s",
                           (int)columns[i].width, columns[i].heading);
}

static double percent(uint64_t part, uint64_t whole)
{
    return whole ? 100.0 * (double)part / (double)whole : 0;
}

/* A letter for each state, in its own place. */
static void format_state(const struct control_domain *d, char state[8])
{
    bool has_ended = d->flags & CONTROL_DOMAIN_SHUTDOWN;

    strcpy(state, "------");
    if (d->flags & CONTROL_DOMAIN_DYING)
        state[0] = 'd';
    if (has_ended)
        state[1] = 's';
    if (d->flags & CONTROL_DOMAIN_BLOCKED)
        state[2] = 'b';
    if (has_ended && d->shutdown_code == SHUTDOWN_crash)
        state[3] = 'c';
    if (d->flags & CONTROL_DOMAIN_PAUSED)
        state[4] = 'p';
    if (d->flags & CONTROL_DOMAIN_RUNNING)
        state[5] = 'r';
}

static void format_cell(const struct top_sample *sample,
                        const struct top_row *row, enum column column,
                        char cell[32])
{
    const struct control_domain *d = &row->domain.info;
    uint64_t total = sample->machine.total_pages;
    uint64_t number = 0;

    switch (column) {
    case STATE:
        format_state(d, cell);
        return;
    case CPU_PERCENT:
        snprintf(cell, 32, "%.1f", row->cpu_percent);
        return;
    case MEMORY_PERCENT:
        snprintf(cell, 32, "%.1f", percent(d->pages, total));
        return;
    case MAX_MEMORY_PERCENT:
        snprintf(cell, 32, "%.1f", percent(d->max_pages, total));
        return;
    case CALLS:
        snprintf(cell, 32, "%.0f", row->calls_per_s);
        return;
    case EVENTS:
        snprintf(cell, 32, "%.0f", row->events_per_s);
        return;
    case CPU_SECONDS:
        number = d->cpu_time / NS_PER_S;
        break;
    case MEMORY:
        number = d->pages * KIB_PER_PAGE;
        break;
    case MAX_MEMORY:
        number = d->max_pages * KIB_PER_PAGE;
        break;
    case VCPUS:
        number = d->online_vcpus;
        break;
    case COLUMNS:
        break;
    }
    snprintf(cell, 32, "%llu", (unsigned long long)number);
}

/* See top.h. */
void top_format_row(const struct top_layout *layout,
                    const struct top_sample *sample, const struct top_row *row,
                    char *line)
{
    int at = snprintf(line, TOP_LINE_SIZE, "%*.*s", (int)layout->name_width,
                      (int)layout->name_limit, row->domain.name);
    unsigned i;

    for (i = 0; i < COLUMNS; i++) {
        char cell[32];

        if (!has(layout, i))
            continue;
        format_cell(sample, row, i, cell);
        at += snprintf(line + at, TOP_LINE_SIZE - (size_t)at, " %*s",
                       (int)columns[i].width, cell);
    }
}

static const char *vcpu_state(const struct control_vcpu *vcpu)
{
    if (!vcpu->is_online)
        return "offline";
    if (vcpu->is_running)
        return "running";
    return vcpu->is_blocked ? "blocked" : "runnable";
}

/* See top.h. */
bool top_format_vcpu(struct call *call, domid_t domain, unsigned vcpu,
                     char *line)
{
    struct control_vcpu info;
    int at;

    if (control_vcpu_info(call->control, domain, vcpu, &info, NULL))
        return false;
    at = snprintf(line, TOP_LINE_SIZE, "%*s vCPU %u: %s", NAME_MIN, "", vcpu,
                  vcpu_state(&info));
    if (info.is_online)
        snprintf(line + at, TOP_LINE_SIZE - (size_t)at, ", CPU %u, %.1f s",
                 info.cpu, (double)info.cpu_time / (double)NS_PER_S);
    return true;
}
