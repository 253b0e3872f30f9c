/* SPDX-License-Identifier: MIT */
/*
 * The verb info: the machine and the hypervisor, under the names and in the
 * columns of `xl info`. The report is collected as JSON first, whose members
 * keep their order; the text is made from it.
 */
#include <string.h>
#include <sys/utsname.h>

#include "dom0_tools/lib/control_system.h"
#include "dom0_tools/mica/info_places.h"
#include "dom0_tools/mica/verb.h"
#include "hypercall_abi/sysctl.h"

enum { MIB_SHIFT = 20 - CONTROL_PAGE_SHIFT };

/* XEN_SCHEDULER_* */
static const char *scheduler_name(int number)
{
    switch (number) {
    case 5:
        return "credit";
    case 6:
        return "credit2";
    default:
        return "unknown";
    }
}

__attribute__((format(printf, 3, 4))) static void add(json_t *report,
                                                      const char *key,
                                                      const char *format, ...)
{
    char text[1100];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    json_object_set_new(report, key, json_string(text));
}

static void add_number(json_t *report, const char *key, uint64_t number)
{
    json_object_set_new(report, key, json_integer((json_int_t)number));
}

static void add_host(json_t *report)
{
    struct utsname name;

    if (uname(&name))
        return;
    add(report, "host", "%s", name.nodename);
    add(report, "release", "%s", name.release);
    add(report, "version", "%s", name.version);
    add(report, "machine", "%s", name.machine);
}

static void add_capabilities(json_t *report, const uint32_t caps[8])
{
    add(report, "hw_caps", "%08x:%08x:%08x:%08x:%08x:%08x:%08x:%08x", caps[0],
        caps[1], caps[2], caps[3], caps[4], caps[5], caps[6], caps[7]);
}

/* What guests can be had here, in xl's words. */
static void add_virtualization(json_t *report, unsigned capabilities)
{
    static const struct {
        unsigned bit;
        const char *word;
    } words[] = {{XEN_SYSCTL_PHYSCAP_pv, "pv"},
                 {XEN_SYSCTL_PHYSCAP_shadow, "shadow"},
                 {XEN_SYSCTL_PHYSCAP_gnttab_v1, "gnttab-v1"},
                 {XEN_SYSCTL_PHYSCAP_gnttab_v2, "gnttab-v2"}};
    char text[64] = "";
    unsigned i;

    for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (!(capabilities & words[i].bit))
            continue;
        if (*text)
            strcat(text, " ");
        strcat(text, words[i].word);
    }
    add(report, "virt_caps", "%s", text);
}

static void add_machine(json_t *report, const struct control_machine *m)
{
    add_number(report, "nr_cpus", m->cpus);
    add_number(report, "max_cpu_id", m->max_cpu);
    add_number(report, "nr_nodes", m->nodes);
    add_number(report, "cores_per_socket", m->cores_per_socket);
    add_number(report, "threads_per_core", m->threads_per_core);
    add(report, "cpu_mhz", "%u.%03u", m->cpu_khz / 1000, m->cpu_khz % 1000);
    add_capabilities(report, m->hardware_caps);
    add_virtualization(report, m->capabilities);
    add_number(report, "total_memory", m->total_pages >> MIB_SHIFT);
    add_number(report, "free_memory",
               (m->free_pages - m->outstanding_pages) >> MIB_SHIFT);
    add_number(report, "sharing_freed_memory", 0);
    add_number(report, "sharing_used_memory", 0);
    add_number(report, "outstanding_claims", m->outstanding_pages >> MIB_SHIFT);
    add_number(report, "free_cpus", 0);
}

static void add_hypervisor(json_t *report, const struct control_version *v,
                           int scheduler)
{
    add_number(report, "xen_major", v->major);
    add_number(report, "xen_minor", v->minor);
    add(report, "xen_extra", "%s", v->extra);
    add(report, "xen_version", "%u.%u%s", v->major, v->minor, v->extra);
    add(report, "xen_caps", "%s", v->capabilities);
    add(report, "xen_scheduler", "%s", scheduler_name(scheduler));
    add_number(report, "xen_pagesize", v->page_size);
    add(report, "platform_params", "virt_start=0x%llx",
        (unsigned long long)v->virt_start);
    add(report, "xen_changeset", "%s", v->changeset);
    add(report, "xen_commandline", "%s", v->command_line);
    add(report, "cc_compiler", "%s", v->compiler);
    add(report, "cc_compile_by", "%s", v->compiled_by);
    add(report, "cc_compile_domain", "%s", v->compiled_at);
    add(report, "cc_compile_date", "%s", v->compiled_on);
    add(report, "build_id", "%s", v->build_id);
    add_number(report, "xend_config_format", 4);
}

static json_t *collect(struct call *call, struct error *e)
{
    struct control_machine machine;
    struct control_version version;
    json_t *report = json_object();
    int scheduler = -1;

    if (!call_control(call, e) || control_machine(call->control, &machine, e) ||
        control_version(call->control, &version, e) ||
        (scheduler = control_scheduler(call->control, e)) < 0)
        goto drop;
    add_host(report);
    add_machine(report, &machine);
    if (call_has(call, "numa") && info_places_add(call, report, &machine, e))
        goto drop;
    add_hypervisor(report, &version, scheduler);
    return report;
drop:
    json_decref(report);
    return NULL;
}

static void print_value(const json_t *value, FILE *out)
{
    if (json_is_integer(value))
        fprintf(out, "%lld", (long long)json_integer_value(value));
    else
        fputs(json_string_value(value), out);
}

static void print_report(json_t *report, FILE *out)
{
    const char *key;
    json_t *value;

    json_object_foreach(report, key, value)
    {
        if (json_is_array(value)) {
            info_places_print(key, value, out);
            continue;
        }
        fprintf(out, "%-23s: ", key);
        print_value(value, out);
        fputc('\n', out);
    }
}

static int run_info(struct call *call, struct error *e)
{
    json_t *report = collect(call, e);
    json_t *value;

    if (!report)
        return -1;
    if (call->json)
        return call_report(call, report, e);
    if (call->count) {
        value = json_object_get(report, call->operands[0]);
        if (!value || json_is_array(value)) {
            error_set(e, EXIT_STATUS_USAGE, "info: there is no \"%.40s\"",
                      call->operands[0]);
            error_hint(e, "\"mica info\" shows all names");
            json_decref(report);
            return -1;
        }
        print_value(value, call->out);
        fputc('\n', call->out);
    } else {
        print_report(report, call->out);
    }
    json_decref(report);
    return 0;
}

static const struct verb_option options[] = {
    {'n', "numa", NULL, "where CPUs, devices and memory are, too"},
    {0},
};

static const struct verb verbs[] = {
    {.name = "info",
     .synopsis = "[NAME]",
     .help = "describe the machine and the hypervisor",
     .details = "With NAME, only the value of that name. Memory is in MiB. "
                "The names are those of xl, so that programs find them; what "
                "starts with xen_ is about Mica.",
     .options = options,
     .flags = VERB_NEEDS_ROOT | VERB_REPORTS,
     .max_operands = 1,
     .run = run_info},
    {0},
};

/* See verb.h. */
const struct verb *info_verbs(void)
{
    return verbs;
}
