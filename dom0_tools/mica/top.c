/* SPDX-License-Identifier: MIT */
/* The verb top: samples, their order, and the batch mode (top.h). */
#include "dom0_tools/mica/top.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S 1000000000ull
#define KIB_PER_PAGE (CONTROL_PAGE_SIZE / 1024)

static const char *const orders[TOP_ORDERS] = {"cpu",    "memory", "calls",
                                               "events", "name",   "id"};

/* See top.h. */
uint64_t top_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

static const struct top_row *find_row(const struct top_sample *sample,
                                      domid_t id)
{
    unsigned i;

    for (i = 0; sample && i < sample->count; i++)
        if (sample->rows[i].domain.info.domain == id)
            return &sample->rows[i];
    return NULL;
}

/* How much grew in a second; a new domain of the same number starts at 0. */
static double rate(uint64_t now, uint64_t before, double seconds)
{
    return now > before && seconds > 0 ? (double)(now - before) / seconds : 0;
}

static void fill_row(struct call *call, struct top_sample *sample,
                     const struct top_sample *before, struct top_row *row)
{
    const struct control_domain *d = &row->domain.info;
    const struct top_row *old = find_row(before, d->domain);
    double seconds;

    control_domain_activity(call->control, d->domain, &row->activity, NULL);
    if (!old)
        return;
    seconds = (double)(sample->time - before->time) / (double)NS_PER_S;
    row->cpu_percent =
        rate(d->cpu_time, old->domain.info.cpu_time, seconds * 1e7);
    row->calls_per_s =
        rate(row->activity.hypercalls, old->activity.hypercalls, seconds);
    row->events_per_s =
        rate(row->activity.events, old->activity.events, seconds);
}

/* See top.h. */
int top_take(struct call *call, struct top_sample *sample,
             const struct top_sample *before, struct error *e)
{
    struct domain *list;
    unsigned i;

    *sample = (struct top_sample){.time = top_now()};
    if (!call_control(call, e) ||
        control_machine(call->control, &sample->machine, e))
        return -1;
    list = domain_list(call, &sample->count, e);
    if (!list)
        return -1;
    sample->rows = calloc(sample->count + 1ul, sizeof(*sample->rows));
    if (!sample->rows) {
        free(list);
        return error_set(e, EXIT_STATUS_NO_MEMORY, "not enough memory");
    }
    for (i = 0; i < sample->count; i++) {
        sample->rows[i].domain = list[i];
        fill_row(call, sample, before, &sample->rows[i]);
    }
    free(list);
    return 0;
}

/* See top.h. */
void top_free(struct top_sample *sample)
{
    free(sample->rows);
    *sample = (struct top_sample){0};
}

static int compare_ids(const void *a, const void *b)
{
    const struct top_row *left = a, *right = b;

    return (left->domain.info.domain > right->domain.info.domain) -
           (left->domain.info.domain < right->domain.info.domain);
}

/* The larger one first. */
static int compare_numbers(double left, double right, const void *a,
                           const void *b)
{
    int order = (left < right) - (left > right);

    return order ? order : compare_ids(a, b);
}

static int compare_shares(const void *a, const void *b)
{
    const struct top_row *left = a, *right = b;

    return compare_numbers(left->cpu_percent, right->cpu_percent, a, b);
}

static int compare_memory(const void *a, const void *b)
{
    const struct top_row *left = a, *right = b;

    return compare_numbers((double)left->domain.info.pages,
                           (double)right->domain.info.pages, a, b);
}

static int compare_calls(const void *a, const void *b)
{
    const struct top_row *left = a, *right = b;

    return compare_numbers(left->calls_per_s, right->calls_per_s, a, b);
}

static int compare_events(const void *a, const void *b)
{
    const struct top_row *left = a, *right = b;

    return compare_numbers(left->events_per_s, right->events_per_s, a, b);
}

static int compare_names(const void *a, const void *b)
{
    const struct top_row *left = a, *right = b;
    int order = strcmp(left->domain.name, right->domain.name);

    return order ? order : compare_ids(a, b);
}

/* See top.h. */
void top_sort(struct top_sample *sample, enum top_order order)
{
    static int (*const compare[TOP_ORDERS])(const void *, const void *) = {
        compare_shares, compare_memory, compare_calls,
        compare_events, compare_names,  compare_ids};

    qsort(sample->rows, sample->count, sizeof(*sample->rows), compare[order]);
}

/* See top.h. */
const char *top_order_name(enum top_order order)
{
    return orders[order];
}

static void print_sample(struct call *call, const struct top_sample *sample)
{
    struct top_layout layout = top_choose_layout(sample, 0);
    char line[TOP_LINE_SIZE];
    unsigned i, vcpu;

    top_format_heading(&layout, line);
    fprintf(call->out, "%s\n", line);
    for (i = 0; i < sample->count; i++) {
        const struct control_domain *d = &sample->rows[i].domain.info;

        top_format_row(&layout, sample, &sample->rows[i], line);
        fprintf(call->out, "%s\n", line);
        for (vcpu = 0; call_has(call, "vcpus") && vcpu < d->max_vcpus; vcpu++)
            if (top_format_vcpu(call, d->domain, vcpu, line))
                fprintf(call->out, "%s\n", line);
    }
}

static int report_sample(struct call *call, const struct top_sample *sample,
                         struct error *e)
{
    json_t *list = json_array();
    unsigned i;

    for (i = 0; i < sample->count; i++) {
        const struct top_row *row = &sample->rows[i];
        const struct control_domain *d = &row->domain.info;

        json_array_append_new(
            list, json_pack("{s:s, s:i, s:f, s:f, s:I, s:i, s:f, s:f}", "name",
                            row->domain.name, "domid", (int)d->domain,
                            "cpu_seconds", (double)d->cpu_time / NS_PER_S,
                            "cpu_percent", row->cpu_percent, "memory_kib",
                            (json_int_t)(d->pages * KIB_PER_PAGE), "vcpus",
                            (int)d->online_vcpus, "hypercalls_per_second",
                            row->calls_per_s, "events_per_second",
                            row->events_per_s));
    }
    return call_report(call, list, e);
}

static int run_batch(struct call *call, unsigned delay, unsigned rounds,
                     enum top_order order, struct error *e)
{
    struct top_sample before = {0}, sample;
    unsigned round;
    int result = 0;

    for (round = 0; !result && (!rounds || round < rounds); round++) {
        if (round)
            sleep(delay);
        result = top_take(call, &sample, round ? &before : NULL, e);
        if (result)
            break;
        top_sort(&sample, order);
        if (call->json)
            result = report_sample(call, &sample, e);
        else
            print_sample(call, &sample);
        fflush(call->out);
        top_free(&before);
        before = sample;
    }
    top_free(&before);
    return result;
}

static int parse_number(const struct call *call, const char *option,
                        unsigned *number, struct error *e)
{
    const char *text = call_value(call, option);
    unsigned long value;
    char *end;

    if (!text)
        return 0;
    value = strtoul(text, &end, 10);
    if (*end || end == text || !value || value > 1u << 30) {
        error_set(e, EXIT_STATUS_USAGE, "top: \"%.40s\" is no %s", text,
                  option);
        return error_hint(e, "write a number from 1 on");
    }
    *number = (unsigned)value;
    return 0;
}

static int parse_order(const struct call *call, enum top_order *order,
                       struct error *e)
{
    const char *text = call_value(call, "sort");
    unsigned i;

    for (i = 0; text && i < TOP_ORDERS; i++) {
        if (!strcmp(orders[i], text)) {
            *order = i;
            return 0;
        }
    }
    if (!text)
        return 0;
    error_set(e, EXIT_STATUS_USAGE, "top: can't sort by \"%.40s\"", text);
    return error_hint(e, "use cpu, memory, calls, events, name or id");
}

static int run_top(struct call *call, struct error *e)
{
    unsigned delay = 3, rounds = 0;
    enum top_order order = TOP_BY_CPU;

    if (parse_number(call, "delay", &delay, e) ||
        parse_number(call, "iterations", &rounds, e) ||
        parse_order(call, &order, e))
        return -1;
    if (call_has(call, "batch") || call->json)
        return run_batch(call, delay, rounds, order, e);
    return top_run_screen(call, delay, rounds, order, e);
}

static const struct verb_option options[] = {
    {'b', "batch", NULL, "print samples one after the other"},
    {'d', "delay", "SECONDS", "time between samples; 3 if not given"},
    {'i', "iterations", "N", "end after so many samples"},
    {'o', "sort", "ORDER", "by cpu, memory, calls, events, name or id"},
    {'v', "vcpus", NULL, "each virtual CPU, too"},
    {0},
};

static const struct verb verbs[] = {
    {.name = "top",
     .synopsis = "",
     .help = "watch what domains do",
     .details =
         "A line for each domain: its state, the CPU time and memory it uses, "
         "and how many hypercalls it makes and events it is sent in a second. "
         "The letters of the state are d (dying), s (has shut down), b "
         "(blocked), c (crashed), p (paused) and r (running). A narrow "
         "terminal shows the columns that matter most.\n\n"
         "Keys: s sorts by something else, v shows or hides virtual CPUs, the "
         "arrows and page keys scroll, q ends.",
     .options = options,
     .flags = VERB_NEEDS_ROOT | VERB_REPORTS,
     .run = run_top},
    {0},
};

/* See verb.h. */
const struct verb *top_verbs(void)
{
    return verbs;
}
