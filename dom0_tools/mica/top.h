/* SPDX-License-Identifier: MIT */
/*
 * What top shows: samples of the machine and their differences (top.c), lines
 * of text made from them (top_format.c), and the screen (top_screen.c).
 */
#pragma once

#include "dom0_tools/lib/control_system.h"
#include "dom0_tools/mica/domain.h"

#define TOP_LINE_SIZE 512

enum top_order {
    TOP_BY_CPU,
    TOP_BY_MEMORY,
    TOP_BY_CALLS,
    TOP_BY_EVENTS,
    TOP_BY_NAME,
    TOP_BY_ID,
    TOP_ORDERS,
};

struct top_row {
    struct domain domain;
    struct control_activity activity;
    double cpu_percent;               /* of one CPU */
    double calls_per_s, events_per_s; /* all three: since the sample before */
};

struct top_sample {
    struct control_machine machine;
    struct top_row *rows;
    unsigned count;
    uint64_t time; /* ns */
};

/* Takes a sample; the rates are since `before`, 0 without one. */
int top_take(struct call *call, struct top_sample *sample,
             const struct top_sample *before, struct error *e);
void top_free(struct top_sample *sample);

/* The time that samples have, in ns. */
uint64_t top_now(void);

void top_sort(struct top_sample *sample, enum top_order order);
const char *top_order_name(enum top_order order);

/* Which columns there are. */
struct top_layout {
    unsigned columns; /* a bit for each */
    unsigned name_width;
    unsigned name_limit; /* longer names are cut off */
};

/*
 * The layout for lines of `width` characters: the columns that matter most,
 * and then the names as far as there is room. 0 is for lines of any length,
 * with all columns and whole names.
 */
struct top_layout top_choose_layout(const struct top_sample *sample,
                                    unsigned width);

/* Lines of text in a buffer of TOP_LINE_SIZE, without line ends. */
void top_format_machine(const struct top_sample *sample, char *line);
void top_format_heading(const struct top_layout *layout, char *line);
void top_format_row(const struct top_layout *layout,
                    const struct top_sample *sample, const struct top_row *row,
                    char *line);

/* "vCPU 0: running, CPU 3, 12.0 s" under the name; false if there is none. */
bool top_format_vcpu(struct call *call, domid_t domain, unsigned vcpu,
                     char *line);

/* Shows samples until q is typed, or `rounds` are over unless 0. */
int top_run_screen(struct call *call, unsigned delay, unsigned rounds,
                   enum top_order order, struct error *e);
