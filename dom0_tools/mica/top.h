/* SPDX-License-Identifier: MIT */
/*
 * What top shows: samples of the machine, their differences, and rows of
 * text. The screen is top_screen.c's.
 */
#pragma once

#include "dom0_tools/lib/control_system.h"
#include "dom0_tools/mica/domain.h"

#define TOP_LINE_SIZE 160

enum top_order {
    TOP_BY_CPU,
    TOP_BY_MEMORY,
    TOP_BY_NAME,
    TOP_BY_ID,
    TOP_ORDERS,
};

struct top_row {
    struct domain domain;
    double cpu_percent; /* of one CPU, since the sample before */
};

struct top_sample {
    struct control_machine machine;
    struct top_row *rows;
    unsigned count;
    uint64_t time; /* ns */
};

/* Takes a sample; the shares are since `before`, 0 without one. */
int top_take(struct call *call, struct top_sample *sample,
             const struct top_sample *before, struct error *e);
void top_free(struct top_sample *sample);

void top_sort(struct top_sample *sample, enum top_order order);
const char *top_order_name(enum top_order order);

/* Lines of text, without line ends. */
void top_format_machine(const struct top_sample *sample, char *line);
void top_format_heading(char *line);
void top_format_row(const struct top_sample *sample, const struct top_row *row,
                    char *line);

/* "  vCPU 0 r on CPU 3 12.0s"; false if there is no such vCPU. */
bool top_format_vcpu(struct call *call, domid_t domain, unsigned vcpu,
                     char *line);

/* Shows samples until q is typed, or `rounds` are over unless 0. */
int top_run_screen(struct call *call, unsigned delay, unsigned rounds,
                   enum top_order order, struct error *e);
