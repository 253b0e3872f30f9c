/* SPDX-License-Identifier: MIT */
/*
 * Verbs that list domains: list, vm-list, uptime. Columns are as `xl` prints
 * them, since programs read them.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "dom0_tools/mica/domain.h"
#include "dom0_tools/mica/domain_store.h"
#include "dom0_tools/mica/uuid.h"
#include "hypercall_abi/sched.h"

enum { NAME_COLUMN = 33, CLOCK_SIZE = 48 };

/* One letter per state, "-" where it does not hold: "-b----". */
static void format_state(const struct control_domain *d, char state[7])
{
    static const char reasons[] = "-rscwS";
    bool has_ended = d->flags & CONTROL_DOMAIN_SHUTDOWN;
    unsigned code = has_ended ? d->shutdown_code : 0;

    state[0] = d->flags & CONTROL_DOMAIN_RUNNING ? 'r' : '-';
    state[1] = d->flags & CONTROL_DOMAIN_BLOCKED ? 'b' : '-';
    state[2] = d->flags & CONTROL_DOMAIN_PAUSED ? 'p' : '-';
    state[3] = has_ended ? 's' : '-';
    state[4] = code < sizeof(reasons) - 1 ? reasons[code] : '?';
    state[5] = d->flags & CONTROL_DOMAIN_DYING ? 'd' : '-';
    state[6] = '\0';
}

static unsigned long mib(uint64_t pages)
{
    return (unsigned long)(pages >> (20 - CONTROL_PAGE_SHIFT));
}

static void print_heading(const struct call *call)
{
    fputs("Name                                        ID   Mem VCPUs\tState\t"
          "Time(s)",
          call->out);
    if (call_has(call, "verbose"))
        fputs("   UUID                            Reason-Code\tSecurity Label",
              call->out);
    else if (call_has(call, "context"))
        fputs("   Security Label", call->out);
    if (call_has(call, "cpupool"))
        fputs("         Cpupool", call->out);
    if (call_has(call, "numa"))
        fputs(" NODE Affinity", call->out);
    fputc('\n', call->out);
}

static void print_uuid(const struct control_domain *d, FILE *out)
{
    struct uuid uuid;
    char text[UUID_TEXT_SIZE];

    memcpy(uuid.bytes, d->handle, sizeof(uuid.bytes));
    uuid_format(&uuid, text);
    fprintf(out, " %s", text);
}

static void print_row(const struct call *call, const struct domain *domain)
{
    const struct control_domain *d = &domain->info;
    char state[7];

    format_state(d, state);
    fprintf(call->out, "%-40s %5d %5lu %5d     %s  %8.1f", domain->name,
            d->domain, mib(d->pages), (int)d->online_vcpus, state,
            (double)d->cpu_time / 1e9);
    if (call_has(call, "verbose")) {
        print_uuid(d, call->out);
        if (d->flags & CONTROL_DOMAIN_SHUTDOWN)
            fprintf(call->out, " %8x", d->shutdown_code);
        else
            fprintf(call->out, " %8s", "-");
    }
    if (call_has(call, "verbose") || call_has(call, "context"))
        fprintf(call->out, " %16s", "-");
    if (call_has(call, "cpupool"))
        fprintf(call->out, "%16s", "Pool-0");
    if (call_has(call, "numa"))
        fputs(" all", call->out);
    fputc('\n', call->out);
}

static json_t *json_uuid(const struct control_domain *d)
{
    struct uuid uuid;
    char text[UUID_TEXT_SIZE];

    memcpy(uuid.bytes, d->handle, sizeof(uuid.bytes));
    uuid_format(&uuid, text);
    return json_string(text);
}

static json_t *json_state(const struct control_domain *d)
{
    unsigned flags = d->flags;
    json_t *state = json_pack("{s:b, s:b, s:b, s:b, s:b}", "running",
                              !!(flags & CONTROL_DOMAIN_RUNNING), "blocked",
                              !!(flags & CONTROL_DOMAIN_BLOCKED), "paused",
                              !!(flags & CONTROL_DOMAIN_PAUSED), "shutdown",
                              !!(flags & CONTROL_DOMAIN_SHUTDOWN), "dying",
                              !!(flags & CONTROL_DOMAIN_DYING));

    if (flags & CONTROL_DOMAIN_SHUTDOWN)
        json_object_set_new(
            state, "shutdown_reason",
            json_string(domain_shutdown_name(d->shutdown_code)));
    return state;
}

static json_t *json_row(const struct domain *domain)
{
    const struct control_domain *d = &domain->info;

    return json_pack(
        "{s:s, s:i, s:o, s:I, s:I, s:i, s:i, s:o, s:f}", "name", domain->name,
        "domid", (int)d->domain, "uuid", json_uuid(d), "memory_kib",
        (json_int_t)(d->pages * (CONTROL_PAGE_SIZE / 1024)), "max_memory_kib",
        (json_int_t)(d->max_pages * (CONTROL_PAGE_SIZE / 1024)), "vcpus",
        (int)d->online_vcpus, "max_vcpus", (int)d->max_vcpus, "state",
        json_state(d), "cpu_seconds", (double)d->cpu_time / 1e9);
}

/* What is known of a domain that Mica did not create, such as dom0. */
static json_t *json_bare_config(struct call *call, const struct domain *domain)
{
    const struct control_domain *d = &domain->info;
    struct control_sched_params sched = {0};

    control_domain_get_sched(call->control, d->domain, &sched, NULL);
    return json_pack(
        "{s:{s:s, s:s, s:o}, s:{s:i, s:I, s:I, s:{s:s, s:i, s:i}, s:{}}}",
        "c_info", "type", "pv", "name", domain->name, "uuid", json_uuid(d),
        "b_info", "max_vcpus", (int)d->max_vcpus, "max_memkb",
        (json_int_t)(d->max_pages * (CONTROL_PAGE_SIZE / 1024)), "target_memkb",
        (json_int_t)(d->pages * (CONTROL_PAGE_SIZE / 1024)), "sched_params",
        "sched", "credit2", "weight", (int)sched.weight, "cap", (int)sched.cap,
        "type.pv");
}

/* Its configuration, with the share that "mica sched" may have changed. */
static json_t *json_current_config(struct call *call,
                                   const struct domain *domain,
                                   struct domain_config *config)
{
    struct control_sched_params sched;

    if (!control_domain_get_sched(call->control, domain->info.domain, &sched,
                                  NULL)) {
        config->cpu_weight = sched.weight;
        config->cap = sched.cap;
    }
    return domain_config_json(config);
}

/* A row of "list --long": xl's layout, and the state beside it. */
static json_t *json_details(struct call *call, const struct domain *domain)
{
    struct domain_config config;
    json_t *json;

    if (domain_store_load(call, domain->info.domain, &config, NULL))
        json = json_bare_config(call, domain);
    else
        json = json_current_config(call, domain, &config);
    domain_config_free(&config);
    return json_pack("{s:i, s:o, s:o}", "domid", (int)domain->info.domain,
                     "config", json, "state", json_state(&domain->info));
}

static int report_domains(struct call *call, const struct domain *list,
                          unsigned count, struct error *e)
{
    json_t *report = json_array();
    unsigned i;

    for (i = 0; i < count; i++)
        json_array_append_new(report, call_has(call, "long")
                                          ? json_details(call, &list[i])
                                          : json_row(&list[i]));
    return call_report(call, report, e);
}

static int run_list(struct call *call, struct error *e)
{
    unsigned count, i;
    struct domain *list = domain_list_operands(call, &count, e);
    int result = 0;

    if (!list)
        return -1;
    if (call->json || call_has(call, "long")) {
        result = report_domains(call, list, count, e);
    } else {
        print_heading(call);
        for (i = 0; i < count; i++)
            print_row(call, &list[i]);
    }
    free(list);
    return result;
}

static int run_vm_list(struct call *call, struct error *e)
{
    unsigned count, i;
    struct domain *list = domain_list(call, &count, e);
    json_t *report = json_array();

    if (!list) {
        json_decref(report);
        return -1;
    }
    if (!call->json)
        fputs("UUID                                  ID    name\n", call->out);
    for (i = 0; i < count; i++) {
        struct uuid uuid;
        char text[UUID_TEXT_SIZE];

        memcpy(uuid.bytes, list[i].info.handle, sizeof(uuid.bytes));
        uuid_format(&uuid, text);
        json_array_append_new(report, json_row(&list[i]));
        if (!call->json)
            fprintf(call->out, "%s  %d    %-30s\n", text, list[i].info.domain,
                    list[i].name);
    }
    free(list);
    if (call->json)
        return call_report(call, report, e);
    json_decref(report);
    return 0;
}

/* How long a domain has been there, in seconds; -1 if nobody knows. */
static long uptime_of(struct call *call, const struct domain *domain)
{
    uint64_t start;
    double seconds;
    FILE *file;
    bool is_read;

    if (!domain->info.domain) {
        file = fopen("/proc/uptime", "re");
        is_read = file && fscanf(file, "%lf", &seconds) == 1;
        if (file)
            fclose(file);
        return is_read ? (long)seconds : -1;
    }
    start = domain_store_start_time(call, domain->info.domain);
    if (!start)
        return -1;
    return (long)time(NULL) - (long)start;
}

/* "2 days,  3:04:05"; the short form has no seconds. */
static void format_uptime(long seconds, bool is_short, char text[CLOCK_SIZE])
{
    long days = seconds / 86400;
    int n = 0;

    if (days)
        n = snprintf(text, CLOCK_SIZE, "%ld day%s, ", days,
                     days > 1 ? "s" : "");
    n += snprintf(text + n, (size_t)(CLOCK_SIZE - n), "%2ld:%02ld",
                  seconds / 3600 % 24, seconds / 60 % 60);
    if (!is_short)
        snprintf(text + n, (size_t)(CLOCK_SIZE - n), ":%02ld", seconds % 60);
}

static void print_uptime(const struct call *call, const struct domain *domain,
                         long seconds)
{
    bool is_short = call_has(call, "s");
    char text[CLOCK_SIZE], clock[CLOCK_SIZE];
    time_t now = time(NULL);
    struct tm tm;

    format_uptime(seconds, is_short, text);
    if (!is_short) {
        fprintf(call->out, "%-*s %4d %s\n", NAME_COLUMN, domain->name,
                domain->info.domain, text);
        return;
    }
    strftime(clock, sizeof(clock), "%H:%M:%S", localtime_r(&now, &tm));
    fprintf(call->out, " %s up %s, %s (%d)\n", clock, text, domain->name,
            domain->info.domain);
}

static int run_uptime(struct call *call, struct error *e)
{
    unsigned count, i;
    struct domain *list = domain_list_operands(call, &count, e);
    json_t *report = json_array();

    if (!list) {
        json_decref(report);
        return -1;
    }
    if (!call->json && !call_has(call, "s"))
        fprintf(call->out, "%-*s %4s %s\n", NAME_COLUMN, "Name", "ID",
                "Uptime");
    for (i = 0; i < count; i++) {
        long seconds = uptime_of(call, &list[i]);

        if (seconds < 0)
            continue;
        json_array_append_new(report,
                              json_pack("{s:s, s:i, s:I}", "name", list[i].name,
                                        "domid", (int)list[i].info.domain,
                                        "uptime_seconds", (json_int_t)seconds));
        if (!call->json)
            print_uptime(call, &list[i], seconds);
    }
    free(list);
    if (call->json)
        return call_report(call, report, e);
    json_decref(report);
    return 0;
}

static const struct verb_option list_options[] = {
    {'l', "long", NULL, "all details, in JSON"},
    {'v', "verbose", NULL, "UUIDs and shutdown codes too"},
    {'Z', "context", NULL, "security labels, of which there are none"},
    {'c', "cpupool", NULL, "the CPU pool, of which there is one"},
    {'n', "numa", NULL, "node affinity"},
    {0},
};

static const struct verb_option uptime_options[] = {
    {'s', NULL, NULL, "short: one line like uptime(1)"},
    {0},
};

static const struct verb verbs[] = {
    {.name = "list",
     .synopsis = "[DOMAIN...]",
     .help = "list domains",
     .details =
         "A line for each domain: name, number, memory in MiB, virtual CPUs, "
         "state, and the CPU time it has used in seconds. The letters of the "
         "state are r (running), b (blocked: waits for something to do), p "
         "(paused), s (has shut down), then why it did: r (to reboot), s (to "
         "be saved), c (crashed), w (watchdog), and d (dying: being "
         "destroyed).",
     .options = list_options,
     .operand = VERB_OPERAND_DOMAIN,
     .flags = VERB_NEEDS_ROOT | VERB_REPORTS,
     .max_operands = ~0u,
     .run = run_list},
    {.name = "vm-list",
     .synopsis = "",
     .help = "list UUIDs, numbers and names of domains",
     .flags = VERB_NEEDS_ROOT | VERB_REPORTS,
     .run = run_vm_list},
    {.name = "uptime",
     .synopsis = "[DOMAIN...]",
     .help = "tell how long domains have been running",
     .options = uptime_options,
     .operand = VERB_OPERAND_DOMAIN,
     .flags = VERB_NEEDS_ROOT | VERB_REPORTS,
     .max_operands = ~0u,
     .run = run_uptime},
    {0},
};

/* See verb.h. */
const struct verb *list_verbs(void)
{
    return verbs;
}
