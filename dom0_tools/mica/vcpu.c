/* SPDX-License-Identifier: MIT */
/*
 * Verbs about virtual CPUs and their scheduling: vcpu-list, vcpu-pin,
 * vcpu-set, sched. Columns are as `xl` prints them.
 */
#include <stdlib.h>
#include <string.h>

#include "dom0_tools/lib/control_system.h"
#include "dom0_tools/mica/cpu_set.h"
#include "dom0_tools/mica/domain.h"
#include "hypercall_abi/sysctl.h"

/* A vCPU with where it may run. */
struct row {
    struct control_vcpu info;
    struct cpu_set hard, soft;
};

static int count_cpus(struct call *call, unsigned *cpus, struct error *e)
{
    struct control_machine machine;

    if (!call_control(call, e) || control_machine(call->control, &machine, e))
        return -1;
    *cpus = machine.max_cpu + 1;
    return 0;
}

static int read_row(struct call *call, domid_t id, unsigned vcpu, unsigned cpus,
                    struct row *row, struct error *e)
{
    struct control_cpu_set hard = cpu_set_view(&row->hard, cpus);
    struct control_cpu_set soft = cpu_set_view(&row->soft, cpus);

    if (control_vcpu_info(call->control, id, vcpu, &row->info, e))
        return -1;
    return control_vcpu_get_affinity(call->control, id, vcpu, &hard, &soft, e);
}

static void print_row(const struct call *call, const struct domain *domain,
                      unsigned vcpu, unsigned cpus, const struct row *row)
{
    const struct control_vcpu *info = &row->info;

    fprintf(call->out, "%-32s %5u %5u", domain->name, domain->info.domain,
            vcpu);
    if (info->is_online)
        fprintf(call->out, "%5u %3c%c- ", info->cpu,
                info->is_running ? 'r' : '-', info->is_blocked ? 'b' : '-');
    else
        fprintf(call->out, "%5c %3c%cp ", '-', '-', '-');
    fprintf(call->out, "%9.1f  ", (double)info->cpu_time / 1e9);
    cpu_set_print(&row->hard, cpus, call->out);
    fputs(" / ", call->out);
    cpu_set_print(&row->soft, cpus, call->out);
    fputc('\n', call->out);
}

static json_t *json_set(const struct cpu_set *set, unsigned cpus)
{
    json_t *list = json_array();
    unsigned cpu;

    for (cpu = 0; cpu < cpus; cpu++)
        if (cpu_set_has(set, cpu))
            json_array_append_new(list, json_integer(cpu));
    return list;
}

static json_t *json_vcpu(const struct domain *domain, unsigned vcpu,
                         unsigned cpus, const struct row *row)
{
    const struct control_vcpu *info = &row->info;
    json_t *json = json_pack(
        "{s:s, s:i, s:i, s:b, s:b, s:b, s:f, s:o, s:o}", "name", domain->name,
        "domid", (int)domain->info.domain, "vcpu", (int)vcpu, "online",
        info->is_online, "running", info->is_running, "blocked",
        info->is_blocked, "cpu_seconds", (double)info->cpu_time / 1e9, "hard",
        json_set(&row->hard, cpus), "soft", json_set(&row->soft, cpus));

    if (info->is_online)
        json_object_set_new(json, "cpu", json_integer(info->cpu));
    return json;
}

static int list_vcpus(struct call *call, const struct domain *domain,
                      unsigned cpus, json_t *report, struct error *e)
{
    unsigned vcpu;

    for (vcpu = 0; vcpu < domain->info.max_vcpus; vcpu++) {
        struct row row = {0};
        struct error why;

        if (read_row(call, domain->info.domain, vcpu, cpus, &row, &why)) {
            if (why.status == EXIT_STATUS_USAGE ||
                why.status == EXIT_STATUS_NO_DOMAIN)
                continue; /* it was never made, or has gone meanwhile */
            *e = why;
            return -1;
        }
        if (call->json)
            json_array_append_new(report, json_vcpu(domain, vcpu, cpus, &row));
        else
            print_row(call, domain, vcpu, cpus, &row);
    }
    return 0;
}

static int run_vcpu_list(struct call *call, struct error *e)
{
    unsigned count, cpus, i;
    struct domain *list = domain_list_operands(call, &count, e);
    json_t *report = json_array();
    int result = list ? count_cpus(call, &cpus, e) : -1;

    if (!result && !call->json)
        fprintf(call->out, "%-32s %5s %5s %5s %5s %9s %s\n", "Name", "ID",
                "VCPU", "CPU", "State", "Time(s)", "Affinity (Hard / Soft)");
    for (i = 0; !result && i < count; i++)
        result = list_vcpus(call, &list[i], cpus, report, e);
    free(list);
    if (!result && call->json)
        return call_report(call, report, e);
    json_decref(report);
    return result;
}

/* A set, or NULL for "-"; false if it is neither. */
static bool parse_affinity(const char *text, struct cpu_set *set,
                           struct cpu_set **chosen)
{
    *chosen = NULL;
    if (!text || !strcmp(text, "-"))
        return true;
    *chosen = set;
    return cpu_set_parse(text, set);
}

static int pin(struct call *call, domid_t id, unsigned vcpu, unsigned cpus,
               const struct cpu_set *hard, const struct cpu_set *soft,
               struct error *e)
{
    struct cpu_set hard_copy, soft_copy; /* the call answers in them */
    struct control_cpu_set hard_view = cpu_set_view(&hard_copy, cpus);
    struct control_cpu_set soft_view = cpu_set_view(&soft_copy, cpus);

    if (hard)
        hard_copy = *hard;
    if (soft)
        soft_copy = *soft;
    return control_vcpu_set_affinity(call->control, id, vcpu,
                                     hard ? &hard_view : NULL,
                                     soft ? &soft_view : NULL, e);
}

static int parse_vcpus(const char *text, const struct domain *domain,
                       unsigned *first, unsigned *end, struct error *e)
{
    domid_t vcpu;

    *first = 0;
    *end = domain->info.max_vcpus;
    if (!strcmp(text, "all"))
        return 0;
    if (!domain_parse_id(text, &vcpu) || vcpu >= *end) {
        error_set(e, EXIT_STATUS_USAGE, "%.64s has no vCPU \"%.40s\"",
                  domain->name, text);
        return error_hint(e, "write \"all\", or a number up to %u", *end - 1);
    }
    *first = vcpu;
    *end = vcpu + 1u;
    return 0;
}

static int run_vcpu_pin(struct call *call, struct error *e)
{
    const char *soft_text = call->count > 3 ? call->operands[3] : NULL;
    struct cpu_set hard_set, soft_set;
    struct cpu_set *hard, *soft;
    struct domain domain;
    unsigned cpus, vcpu, end;

    if (!parse_affinity(call->operands[2], &hard_set, &hard) ||
        !parse_affinity(soft_text, &soft_set, &soft)) {
        error_set(e, EXIT_STATUS_USAGE, "vcpu-pin: no set of CPUs");
        return error_hint(e, "write \"all\", \"-\" to change nothing, or "
                             "numbers and ranges like 0-3,6");
    }
    if (domain_find(call, call->operands[0], &domain, e) ||
        parse_vcpus(call->operands[1], &domain, &vcpu, &end, e) ||
        count_cpus(call, &cpus, e))
        return -1;
    for (; vcpu < end; vcpu++)
        if (pin(call, domain.info.domain, vcpu, cpus, hard, soft, e))
            return -1;
    return 0;
}

static int run_vcpu_set(struct call *call, struct error *e)
{
    struct store *store = call_store(call, e);
    struct domain domain;
    domid_t count;
    unsigned vcpu;

    if (!store || domain_find(call, call->operands[0], &domain, e))
        return -1;
    if (!domain_parse_id(call->operands[1], &count) || !count ||
        count > domain.info.max_vcpus) {
        error_set(e, EXIT_STATUS_USAGE, "%.64s can't have \"%.40s\" vCPUs",
                  domain.name, call->operands[1]);
        return error_hint(e, "write a number from 1 to %u",
                          domain.info.max_vcpus);
    }
    for (vcpu = 0; vcpu < domain.info.max_vcpus; vcpu++) {
        char rest[40], path[DOMAIN_PATH_SIZE];

        snprintf(rest, sizeof(rest), "/cpu/%u/availability", vcpu);
        domain_path(path, domain.info.domain, rest);
        if (store_write(store, STORE_NO_TX, path,
                        vcpu < count ? "online" : "offline", e))
            return -1;
    }
    return 0;
}

static int list_sched(struct call *call, const struct domain *list,
                      unsigned count, struct error *e)
{
    json_t *report = json_array();
    unsigned i;

    if (!call->json)
        fprintf(call->out, "%-33s %4s %6s %4s\n", "Name", "ID", "Weight",
                "Cap");
    for (i = 0; i < count; i++) {
        struct control_sched_params params;
        int id = list[i].info.domain;

        if (control_domain_get_sched(call->control, list[i].info.domain,
                                     &params, e)) {
            json_decref(report);
            return -1;
        }
        json_array_append_new(report, json_pack("{s:s, s:i, s:i, s:i}", "name",
                                                list[i].name, "domid", id,
                                                "weight", (int)params.weight,
                                                "cap", (int)params.cap));
        if (!call->json)
            fprintf(call->out, "%-33s %4d %6u %4u\n", list[i].name, id,
                    params.weight, params.cap);
    }
    if (call->json)
        return call_report(call, report, e);
    json_decref(report);
    return 0;
}

static int parse_number(const struct call *call, const char *option,
                        unsigned most, unsigned *number, struct error *e)
{
    const char *text = call_value(call, option);
    unsigned long value;
    char *end;

    if (!text)
        return 0;
    value = strtoul(text, &end, 10);
    if (*end || end == text || *text == '-' || value > most) {
        error_set(e, EXIT_STATUS_USAGE, "sched: \"%.40s\" is no %s", text,
                  option);
        return error_hint(e, "write a number up to %u", most);
    }
    *number = (unsigned)value;
    return 0;
}

static int set_sched(struct call *call, const struct domain *domain,
                     struct error *e)
{
    struct control_sched_params params;
    domid_t id = domain->info.domain;

    if (control_domain_get_sched(call->control, id, &params, e) ||
        parse_number(call, "weight", 65535, &params.weight, e) ||
        parse_number(call, "cap", 100 * domain->info.max_vcpus, &params.cap, e))
        return -1;
    return control_domain_set_sched(call->control, id, &params, e);
}

static int print_rate_limit(struct call *call, struct error *e)
{
    unsigned us;

    if (control_rate_limit(call->control, &us, e))
        return -1;
    if (call->json)
        return call_report(
            call,
            json_pack("{s:s, s:i}", "cpupool", "Pool-0", "ratelimit_us", us),
            e);
    fprintf(call->out, "Cpupool Pool-0: ratelimit=%uus\n", us);
    return 0;
}

/* What is the same for all domains. */
static int run_sched_params(struct call *call, struct error *e)
{
    unsigned us = 0;

    if (call_has(call, "domain") || call_has(call, "weight") ||
        call_has(call, "cap"))
        return error_set(e, EXIT_STATUS_USAGE, "sched: -s is for all domains");
    if (!call_has(call, "schedparam")) {
        error_set(e, EXIT_STATUS_USAGE, "sched: -r needs -s");
        return error_hint(e, "it is a parameter of the scheduler, not of a "
                             "domain");
    }
    if (!call_control(call, e))
        return -1;
    if (!call_has(call, "ratelimit_us"))
        return print_rate_limit(call, e);
    if (parse_number(call, "ratelimit_us", XEN_SYSCTL_SCHED_RATELIMIT_MAX, &us,
                     e))
        return -1;
    if (us && us < XEN_SYSCTL_SCHED_RATELIMIT_MIN) {
        error_set(e, EXIT_STATUS_USAGE, "sched: \"%u\" is no ratelimit_us", us);
        return error_hint(e, "write 0 for none, or %u to %u",
                          XEN_SYSCTL_SCHED_RATELIMIT_MIN,
                          XEN_SYSCTL_SCHED_RATELIMIT_MAX);
    }
    return control_set_rate_limit(call->control, us, e);
}

static int run_sched(struct call *call, struct error *e)
{
    bool is_change = call_has(call, "weight") || call_has(call, "cap");
    const char *name = call_value(call, "domain");
    struct domain *list, domain;
    unsigned count;
    int result;

    if (call_has(call, "schedparam") || call_has(call, "ratelimit_us"))
        return run_sched_params(call, e);
    if (is_change && !name) {
        error_set(e, EXIT_STATUS_USAGE, "sched: no domain to change");
        return error_hint(e, "name it with --domain");
    }
    if (name) {
        if (domain_find(call, name, &domain, e))
            return -1;
        return is_change ? set_sched(call, &domain, e)
                         : list_sched(call, &domain, 1, e);
    }
    list = domain_list(call, &count, e);
    if (!list)
        return -1;
    result = call->json ? 0 : print_rate_limit(call, e);
    if (!result)
        result = list_sched(call, list, count, e);
    free(list);
    return result;
}

static const struct verb_option pin_options[] = {
    {'f', "force", NULL, "accepted for xl; nothing overrides pinning"},
    {0},
};

static const struct verb_option set_options[] = {
    {'i', "ignore-host", NULL, "accepted for xl; the machine sets no limit"},
    {0},
};

static const struct verb_option sched_options[] = {
    {'d', "domain", "DOMAIN", "this domain only"},
    {'w', "weight", "N", "set its share of CPU time; 256 is usual"},
    {'c', "cap", "PERCENT", "set the most it gets, of one CPU; 0: no limit"},
    {'p', "cpupool", "POOL", "accepted for xl; there is one pool"},
    {'s', "schedparam", NULL, "show what is the same for all domains"},
    {'r', "ratelimit_us", "USEC",
     "with -s: how long a vCPU that wakes up leaves others their CPU; 0: not"},
    {0},
};

static const struct verb verbs[] = {
    {.name = "vcpu-list",
     .synopsis = "[DOMAIN...]",
     .help = "list virtual CPUs",
     .details = "For each: the CPU it runs on or ran on last, its state "
                "(running, blocked, or p when it is offline), the CPU time it "
                "has used, and the CPUs it must and should run on.",
     .operand = VERB_OPERAND_DOMAIN,
     .flags = VERB_NEEDS_ROOT | VERB_REPORTS,
     .max_operands = ~0u,
     .run = run_vcpu_list},
    {.name = "vcpu-pin",
     .synopsis = "DOMAIN VCPU|all CPUS|all|- [CPUS|all|-]",
     .help = "set the CPUs that virtual CPUs must and should run on",
     .options = pin_options,
     .operand = VERB_OPERAND_DOMAIN,
     .flags = VERB_NEEDS_ROOT,
     .min_operands = 3,
     .max_operands = 4,
     .run = run_vcpu_pin},
    {.name = "vcpu-set",
     .synopsis = "DOMAIN COUNT",
     .help = "ask a guest to use this many virtual CPUs",
     .options = set_options,
     .operand = VERB_OPERAND_DOMAIN,
     .flags = VERB_NEEDS_ROOT,
     .min_operands = 2,
     .max_operands = 2,
     .run = run_vcpu_set},
    {.name = "sched",
     .alias = "sched-credit2",
     .synopsis = "",
     .help = "show or set domains' shares of CPU time",
     .options = sched_options,
     .flags = VERB_NEEDS_ROOT | VERB_REPORTS,
     .run = run_sched},
    {0},
};

/* See verb.h. */
const struct verb *vcpu_verbs(void)
{
    return verbs;
}
