/* SPDX-License-Identifier: MIT */
/* The verbs of mica on a machine in memory, as a person would type them. */
#include "dom0_tools/mica/verb.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "dom0_tools/mica/cpu_set.h"
#include "dom0_tools/mica/domain.h"
#include "dom0_tools/mica/ended.h"
#include "hypercall_abi/sched.h"
#include "mica_fake.h"
#include "mica_suites.h"

enum { WORDS_MAX = 16 };

static struct error error;
static char *output;
static unsigned slept;
static void (*while_asleep)(void);

/* The life-cycle policy waits; tests do not. */
unsigned sleep(unsigned seconds)
{
    slept += seconds;
    if (while_asleep)
        while_asleep();
    return 0;
}

static void setup(void)
{
    fake_reset();
    error = (struct error){0};
    output = NULL;
    slept = 0;
    while_asleep = NULL;
}

static void teardown(void)
{
    free(output);
}

/* Runs a line of words parted by single blanks; "~" in a word is a blank. */
static int run(const char *line)
{
    char *text = strdup(line), *words[WORDS_MAX], *word, *at;
    const struct verb *verb;
    unsigned count = 0;
    struct call call;
    size_t size;
    FILE *out;
    int result;

    free(output);
    output = NULL;
    error = (struct error){0};
    for (word = strtok(text, " "); word; word = strtok(NULL, " ")) {
        for (at = word; (at = strchr(at, '~'));)
            *at = ' ';
        words[count++] = word;
    }
    verb = verb_find(words[0], &error);
    if (!verb) {
        free(text);
        return -1;
    }
    out = open_memstream(&output, &size);
    result = call_begin(&call, verb, count - 1, words + 1, out, &error);
    if (!result)
        result = verb->run(&call, &error);
    call_end(&call);
    fclose(out);
    free(text);
    return result;
}

static void run_well(const char *line)
{
    int result = run(line);

    ck_assert_msg(!result, "%s: %s: %s: %s", line, error.what, error.why,
                  error.hint);
}

static void run_badly(const char *line, enum exit_status status,
                      const char *what)
{
    ck_assert_msg(run(line), "%s succeeds", line);
    ck_assert_str_eq(error.what, what);
    ck_assert_int_eq(error.status, status);
}

static json_t *parse_output(void)
{
    json_error_t why;
    json_t *json = json_loads(output, 0, &why);

    ck_assert_msg(json, "%s in %s", why.text, output);
    return json;
}

static void expect_start(const char *start)
{
    ck_assert_msg(!strncmp(output, start, strlen(start)), "%s", output);
}

static void expect_node(const char *path, const char *value)
{
    const char *found = fake_node(path);

    ck_assert_msg(found, "no node %s", path);
    ck_assert_msg(!strcmp(found, value), "%s is \"%s\"", path, found);
}

/* --- verbs and options ---------------------------------------------------- */

START_TEST(test_mica_unambiguous_beginnings_are_verbs)
{
    ck_assert_str_eq(verb_find("cons", &error)->name, "console");
    ck_assert_str_eq(verb_find("list", &error)->name, "list");
    ck_assert_str_eq(verb_find("sched-credit2", &error)->name, "sched");
    ck_assert_str_eq(verb_find("sched-c", &error)->name, "sched");
    ck_assert_str_eq(verb_find("ended", &error)->name, "ended");
}
END_TEST

START_TEST(test_mica_ambiguous_beginning_lists_candidates)
{
    ck_assert_ptr_null(verb_find("vcpu", &error));
    ck_assert_int_eq(error.status, EXIT_STATUS_USAGE);
    ck_assert_str_eq(error.what, "the verb \"vcpu\" is ambiguous");
    ck_assert_str_eq(error.why,
                     "it may be one of vcpu-list, vcpu-pin, vcpu-set");
}
END_TEST

START_TEST(test_mica_misspelt_verb_gets_a_suggestion)
{
    ck_assert_ptr_null(verb_find("crate", &error));
    ck_assert_str_eq(error.what, "unknown verb \"crate\"");
    ck_assert_ptr_nonnull(strstr(error.hint, "did you mean \"create\"?"));
    ck_assert_ptr_null(verb_find("xyzzy", &error));
    ck_assert_ptr_null(strstr(error.hint, "did you mean"));
    ck_assert_ptr_null(verb_find("", &error));
}
END_TEST

START_TEST(test_mica_internal_verbs_have_no_short_form)
{
    ck_assert_ptr_null(verb_find("ende", &error));
}
END_TEST

static int begin(struct call *call, const char *name, unsigned count,
                 char **words)
{
    return call_begin(call, verb_find(name, NULL), count, words, stdout,
                      &error);
}

START_TEST(test_mica_options_may_stand_anywhere)
{
    char *words[] = {(char[]){"a"}, (char[]){"-wF"}, (char[]){"--time=7"},
                     (char[]){"b"}, (char[]){"--"},  (char[]){"-x"}};
    struct call call;

    ck_assert_int_eq(begin(&call, "shutdown", 6, words), 0);
    ck_assert(call_has(&call, "wait") && call_has(&call, "F"));
    ck_assert(!call_has(&call, "all"));
    ck_assert_str_eq(call_value(&call, "timeout"), "7");
    ck_assert_uint_eq(call.count, 3);
    ck_assert_str_eq(call.operands[2], "-x");
    call_end(&call);
}
END_TEST

START_TEST(test_mica_option_values_in_all_forms)
{
    char *words[] = {(char[]){"-d3"},    (char[]){"-i"},   (char[]){"5"},
                     (char[]){"--sort"}, (char[]){"name"}, (char[]){"--json"}};
    struct call call;

    ck_assert_int_eq(begin(&call, "top", 6, words), 0);
    ck_assert_str_eq(call_value(&call, "d"), "3");
    ck_assert_str_eq(call_value(&call, "iterations"), "5");
    ck_assert_str_eq(call_value(&call, "sort"), "name");
    ck_assert(call.json);
    call_end(&call);
}
END_TEST

START_TEST(test_mica_bad_usage_is_explained)
{
    run_badly("list --frob", EXIT_STATUS_USAGE, "list: --frob");
    ck_assert_str_eq(error.why, "there is no such option");
    run_badly("list -x", EXIT_STATUS_USAGE, "list: -x");
    run_badly("list --long=3", EXIT_STATUS_USAGE, "list: --long");
    run_badly("top --delay", EXIT_STATUS_USAGE, "top: --delay");
    run_badly("domid", EXIT_STATUS_USAGE, "domid: too few arguments");
    run_badly("dmesg x", EXIT_STATUS_USAGE, "dmesg: \"x\" is too much");
    run_badly("destroy --json web", EXIT_STATUS_USAGE, "destroy: --json");
    ck_assert_ptr_nonnull(strstr(error.hint, "mica help destroy"));
}
END_TEST

/* --- reports -------------------------------------------------------------- */

static void add_web(void)
{
    struct fake_domain *d = fake_add(3, "web");

    d->info.cpu_time = 12340000000;
    d->info.pages = 131072;
    d->info.max_pages = 262144;
    d->info.online_vcpus = 2;
    d->info.flags = CONTROL_DOMAIN_RUNNING;
}

START_TEST(test_mica_list_has_the_columns_of_xl)
{
    add_web();
    run_well("list");
    ck_assert_str_eq(
        output,
        "Name                                        ID   Mem VCPUs\tState"
        "\tTime(s)\n"
        "Domain-0                                     0   256     1     "
        "-b----       0.0\n"
        "web                                          3   512     2     "
        "r-----      12.3\n");
}
END_TEST

START_TEST(test_mica_list_shows_all_states)
{
    struct fake_domain *d = fake_add(3, "web");

    d->info.flags = CONTROL_DOMAIN_SHUTDOWN | CONTROL_DOMAIN_PAUSED;
    d->info.shutdown_code = SHUTDOWN_crash;
    run_well("list web");
    ck_assert_ptr_nonnull(strstr(output, "     --psc-       0.0\n"));
    d->info.flags = CONTROL_DOMAIN_DYING | CONTROL_DOMAIN_SHUTDOWN;
    d->info.shutdown_code = SHUTDOWN_poweroff;
    run_well("list 3");
    ck_assert_ptr_nonnull(strstr(output, "     ---s-d       0.0\n"));
}
END_TEST

START_TEST(test_mica_list_verbose_has_the_columns_of_xl)
{
    add_web();
    run_well("list -v web");
    ck_assert_str_eq(
        output,
        "Name                                        ID   Mem VCPUs\tState"
        "\tTime(s)   UUID                            Reason-Code"
        "\tSecurity Label\n"
        "web                                          3   512     2     "
        "r-----      12.3 03030303-0303-0303-0303-030303030303        -"
        "                -\n");
}
END_TEST

START_TEST(test_mica_list_json)
{
    json_t *json, *row;

    add_web();
    run_well("list --json");
    json = parse_output();
    row = json_array_get(json, 1);
    ck_assert_str_eq(json_string_value(json_object_get(row, "name")), "web");
    ck_assert_int_eq(json_integer_value(json_object_get(row, "domid")), 3);
    ck_assert(json_is_true(
        json_object_get(json_object_get(row, "state"), "running")));
    json_decref(json);
}
END_TEST

START_TEST(test_mica_list_works_without_the_store)
{
    add_web();
    fake.has_store = false;
    run_well("list");
    ck_assert_ptr_nonnull(strstr(output, "Domain-0 "));
    ck_assert_ptr_nonnull(strstr(output, "(unnamed) "));
}
END_TEST

START_TEST(test_mica_missing_services_are_named)
{
    fake.has_store = false;
    run_badly("list web", EXIT_STATUS_NO_SERVICE, "can't reach the store");
    fake.has_mica = false;
    run_badly("list", EXIT_STATUS_NO_MICA, "can't reach the hypervisor");
    run_badly("info", EXIT_STATUS_NO_MICA, "can't reach the hypervisor");
    run_badly("dmesg", EXIT_STATUS_NO_MICA, "can't reach the hypervisor");
}
END_TEST

START_TEST(test_mica_unknown_domain)
{
    run_badly("list nobody", EXIT_STATUS_NO_DOMAIN,
              "there is no domain \"nobody\"");
    run_badly("pause 9", EXIT_STATUS_NO_DOMAIN, "there is no domain \"9\"");
    run_badly("console 70000", EXIT_STATUS_NO_DOMAIN,
              "there is no domain \"70000\"");
}
END_TEST

START_TEST(test_mica_info_has_the_names_of_xl)
{
    static const char *const lines[] = {
        "nr_cpus                : 4\n",
        "max_cpu_id             : 3\n",
        "cpu_mhz                : 2400.123\n",
        ("hw_caps                : 00000001:00000002:00000003:00000004:"
         "00000005:00000006:00000007:00000008\n"),
        "virt_caps              : pv gnttab-v1\n",
        "total_memory           : 4096\n",
        "free_memory            : 2048\n",
        "xen_major              : 4\n",
        "xen_version            : 4.17-mica\n",
        "xen_scheduler          : credit2\n",
        "xen_pagesize           : 4096\n",
        "build_id               : c0ffee\n",
        "platform_params        : virt_start=0xffff800000000000\n",
        "xend_config_format     : 4\n"};
    unsigned i;

    run_well("info");
    ck_assert_int_eq(strncmp(output, "host                   : ", 25), 0);
    for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
        ck_assert_msg(strstr(output, lines[i]), "%s", lines[i]);
    run_well("info free_memory");
    ck_assert_str_eq(output, "2048\n");
    run_badly("info nothing", EXIT_STATUS_USAGE,
              "info: there is no \"nothing\"");
}
END_TEST

START_TEST(test_mica_info_numa_leaves_out_missing_cpus)
{
    run_well("info -n");
    ck_assert_ptr_nonnull(strstr(output, "cpu_topology           :\n"
                                         "cpu:    core    socket     node\n"
                                         "  0:       0        0        0\n"
                                         "  1:       1        0        0\n"
                                         "  3:       3        0        0\n"
                                         "device topology        :\n"
                                         "device           node\n"));
    ck_assert_ptr_nonnull(strstr(output,
                                 "numa_info              :\n"
                                 "node:    memsize    memfree    distances\n"
                                 "   0:      4096       2048      10\n"
                                 "xen_major"));
}
END_TEST

START_TEST(test_mica_vcpu_list_has_the_columns_of_xl)
{
    fake_add(3, "web")->hard[1] = 0x6;
    run_well("vcpu-list web");
    ck_assert_str_eq(
        output,
        "Name                                ID  VCPU   CPU State   Time(s) "
        "Affinity (Hard / Soft)\n"
        "web                                  3     0    0   -b-       1.5  "
        "all / all\n"
        "web                                  3     1    -   --p       1.5  "
        "1-2 / all\n");
}
END_TEST

START_TEST(test_mica_sched_has_the_columns_of_xl)
{
    fake_add(3, "web")->sched = (struct control_sched_params){512, 50};
    run_well("sched-credit2 -d web");
    ck_assert_str_eq(output,
                     "Name                                ID Weight  Cap\n"
                     "web                                  3    512   50\n");
    run_well("sched -d web -w 100");
    ck_assert_uint_eq(fake.domains[3].sched.weight, 100);
    ck_assert_uint_eq(fake.domains[3].sched.cap, 50);
    run_badly("sched -w 3", EXIT_STATUS_USAGE, "sched: no domain to change");
    run_badly("sched -d web -w x", EXIT_STATUS_USAGE,
              "sched: \"x\" is no weight");
}
END_TEST

START_TEST(test_mica_sched_sets_a_cap_up_to_all_vcpus)
{
    struct fake_domain *web = fake_add(3, "web");

    web->info.max_vcpus = 2;
    web->sched = (struct control_sched_params){512, 0};
    run_well("sched -d web -c 150");
    ck_assert_uint_eq(web->sched.weight, 512);
    ck_assert_uint_eq(web->sched.cap, 150);
    run_badly("sched -d web -c 201", EXIT_STATUS_USAGE,
              "sched: \"201\" is no cap");
    ck_assert_uint_eq(web->sched.cap, 150);
    run_well("sched -d web -c 0");
    ck_assert_uint_eq(web->sched.cap, 0);
}
END_TEST

START_TEST(test_mica_sched_rate_limit)
{
    run_well("sched -s");
    ck_assert_str_eq(output, "Cpupool Pool-0: ratelimit=0us\n");
    run_well("sched-credit2 -s -r 500");
    ck_assert_uint_eq(fake.rate_limit, 500);
    run_well("sched -s");
    ck_assert_str_eq(output, "Cpupool Pool-0: ratelimit=500us\n");
    run_well("sched");
    ck_assert_ptr_eq(strstr(output, "Cpupool Pool-0: ratelimit=500us\nName "),
                     output);
    run_well("sched -s --json");
    ck_assert_ptr_nonnull(strstr(output, "\"ratelimit_us\": 500"));
    run_badly("sched -r 500", EXIT_STATUS_USAGE, "sched: -r needs -s");
    run_badly("sched -s -r 99", EXIT_STATUS_USAGE,
              "sched: \"99\" is no ratelimit_us");
    run_badly("sched -s -r 500001", EXIT_STATUS_USAGE,
              "sched: \"500001\" is no ratelimit_us");
    run_badly("sched -s -d web", EXIT_STATUS_USAGE,
              "sched: -s is for all domains");
    run_well("sched -s -r 0");
    ck_assert_uint_eq(fake.rate_limit, 0);
}
END_TEST

START_TEST(test_mica_uptime_counts_from_the_start)
{
    char start[32];

    fake_add(3, "web");
    snprintf(start, sizeof(start), "%lld",
             (long long)time(NULL) - 2 * 86400 - 3 * 3600 - 4 * 60);
    fake_set_node("/mica/domain/3/start_time", start);
    run_well("uptime web");
    expect_start("Name                                ID Uptime\n"
                 "web                                  3 2 days,  3:04:0");
}
END_TEST

/* A domain that xl has created. */
START_TEST(test_mica_uptime_knows_domains_of_other_tools)
{
    char start[32];

    fake_add(3, "theirs");
    snprintf(start, sizeof(start), "%lld.25", (long long)time(NULL) - 60);
    fake_set_node("/local/domain/3/vm", "/vm/their-uuid");
    fake_set_node("/vm/their-uuid/start_time", start);
    run_well("uptime theirs");
    ck_assert_ptr_nonnull(strstr(output, "theirs                               "
                                         "3  0:01:0"));
    fake_set_node("/vm/their-uuid/start_time", "long ago");
    run_well("uptime theirs");
    ck_assert_ptr_null(strstr(output, "theirs"));
}
END_TEST

START_TEST(test_mica_vm_list_has_the_columns_of_xl)
{
    add_web();
    run_well("vm-list");
    ck_assert_str_eq(output,
                     "UUID                                  ID    name\n"
                     "00000000-0000-0000-0000-000000000000  0    Domain-0      "
                     "                \n"
                     "03030303-0303-0303-0303-030303030303  3    web           "
                     "                \n");
}
END_TEST

/* Whatever tells something tells it to programs, too. */
static const char *const reporting[] = {
    "list --json",  "list -l",          "vm-list --json",   "uptime --json",
    "info --json",  "info -n --json",   "vcpu-list --json", "sched --json",
    "dmesg --json", "domid web --json", "domname 3 --json", "top --json -i 1",
};

START_TEST(test_mica_reports_in_json)
{
    add_web();
    run_well(reporting[_i]);
    json_decref(parse_output());
}
END_TEST

START_TEST(test_mica_json_of_names_and_log)
{
    json_t *json;

    add_web();
    run_well("domid web --json");
    json = parse_output();
    ck_assert_int_eq(json_integer_value(json_object_get(json, "domid")), 3);
    ck_assert_str_eq(json_string_value(json_object_get(json, "name")), "web");
    json_decref(json);
    run_well("dmesg --json -c");
    json = parse_output();
    ck_assert_uint_eq(json_array_size(json), 2);
    ck_assert_str_eq(json_string_value(json_array_get(json, 1)), "(Mica) two");
    json_decref(json);
    ck_assert(fake.is_log_cleared);
}
END_TEST

START_TEST(test_mica_dmesg_reads_all_and_clears_on_request)
{
    run_well("dmesg");
    ck_assert_str_eq(output, "(Mica) one\n(Mica) two\n");
    ck_assert(!fake.is_log_cleared);
    run_well("dmesg -c");
    ck_assert(fake.is_log_cleared);
    run_well("debug-keys q");
    ck_assert_str_eq(fake.keys, "q");
}
END_TEST

START_TEST(test_mica_top_batch)
{
    add_web();
    run_well("top -b -i 2 -o memory -v");
    expect_start("      NAME  STATE   CPU(sec) CPU(%)     MEM(k) MEM(%)"
                 "  MAXMEM(k) MAXMEM(%) VCPUS  CALLS/s EVENTS/s\n"
                 "       web -----r         12    0.0     524288   12.5"
                 "    1048576      25.0     2        0        0\n"
                 "           vCPU 0: blocked, CPU 0, 1.5 s\n");
    ck_assert_uint_eq(slept, 3);
}
END_TEST

/* --- steering ------------------------------------------------------------- */

START_TEST(test_mica_shutdown_and_reboot_tell_the_guest)
{
    fake_add(3, "web");
    run_well("shutdown -F web");
    expect_node("/local/domain/3/control/shutdown", "poweroff");
    run_well("reboot -F 3");
    expect_node("/local/domain/3/control/shutdown", "reboot");
    run_well("sysrq web s");
    expect_node("/local/domain/3/control/sysrq", "s");
    run_badly("sysrq web sync", EXIT_STATUS_USAGE, "sysrq: \"sync\" is no key");
}
END_TEST

START_TEST(test_mica_shutdown_all_leaves_dom0)
{
    fake_add(3, "web");
    fake_add(4, "db");
    run_well("shutdown -a");
    ck_assert_ptr_null(fake_node("/local/domain/0/control/shutdown"));
    expect_node("/local/domain/3/control/shutdown", "poweroff");
    expect_node("/local/domain/4/control/shutdown", "poweroff");
    run_badly("shutdown", EXIT_STATUS_USAGE, "shutdown: no domain");
    run_badly("shutdown -a web", EXIT_STATUS_USAGE,
              "shutdown: domains beside --all");
}
END_TEST

START_TEST(test_mica_shutdown_wait_ends_with_the_domain)
{
    fake_add(3, "web")->info.flags = CONTROL_DOMAIN_SHUTDOWN;
    run_well("shutdown -w web");
    ck_assert_str_eq(output, "Waiting for 1 domain\n"
                             "Domain 3 (web) has ended\n");
}
END_TEST

START_TEST(test_mica_shutdown_timeout)
{
    fake_add(3, "web");
    run_badly("shutdown -t 1 web", EXIT_STATUS_TIMEOUT,
              "1 domain has not ended after 1 s");
}
END_TEST

START_TEST(test_mica_dom0_is_never_stopped)
{
    run_badly("shutdown 0", EXIT_STATUS_REFUSED, "can't poweroff dom0");
    run_badly("destroy 0", EXIT_STATUS_REFUSED, "can't destroy dom0");
    run_badly("pause Domain-0", EXIT_STATUS_REFUSED, "can't pause dom0");
    ck_assert(fake.domains[0].is_there);
}
END_TEST

START_TEST(test_mica_pause_and_unpause)
{
    fake_add(3, "web");
    run_well("pause web");
    ck_assert(fake.domains[3].info.flags & CONTROL_DOMAIN_PAUSED);
    run_well("unpause web");
    ck_assert(!(fake.domains[3].info.flags & CONTROL_DOMAIN_PAUSED));
}
END_TEST

START_TEST(test_mica_names_and_numbers)
{
    fake_add(3, "web");
    run_well("domid web");
    ck_assert_str_eq(output, "3\n");
    run_well("domname 3");
    ck_assert_str_eq(output, "web\n");
    run_badly("domname web", EXIT_STATUS_USAGE,
              "domname: \"web\" is no number");
    run_well("rename web shop.example");
    expect_node("/local/domain/3/name", "shop.example");
    expect_node("/mica/name/shop@2eexample", "3");
    run_badly("rename 3 42", EXIT_STATUS_USAGE,
              "\"42\" is no name for a domain");
    run_badly("rename 3 Domain-0", EXIT_STATUS_EXISTS,
              "the name Domain-0 is taken");
    run_badly("rename Domain-0 zero", EXIT_STATUS_REFUSED, "can't rename dom0");
    run_badly("rename 0 zero", EXIT_STATUS_REFUSED, "can't rename dom0");
    expect_node("/local/domain/0/name", "Domain-0");
}
END_TEST

START_TEST(test_mica_vcpu_pin)
{
    fake_add(3, "web");
    run_well("vcpu-pin web all 1-2");
    ck_assert_uint_eq(fake.domains[3].hard[0], 0x6);
    ck_assert_uint_eq(fake.domains[3].hard[1], 0x6);
    ck_assert_uint_eq(fake.domains[3].soft[0], 0xff);
    run_well("vcpu-pin web 1 - 3");
    ck_assert_uint_eq(fake.domains[3].hard[1], 0x6);
    ck_assert_uint_eq(fake.domains[3].soft[1], 0x8);
    run_badly("vcpu-pin web 5 all", EXIT_STATUS_USAGE, "web has no vCPU \"5\"");
    run_badly("vcpu-pin web 0 x", EXIT_STATUS_USAGE,
              "vcpu-pin: no set of CPUs");
}
END_TEST

START_TEST(test_mica_vcpu_set)
{
    fake_add(3, "web");
    run_well("vcpu-set web 1");
    expect_node("/local/domain/3/cpu/0/availability", "online");
    expect_node("/local/domain/3/cpu/1/availability", "offline");
    run_badly("vcpu-set web 3", EXIT_STATUS_USAGE,
              "web can't have \"3\" vCPUs");
}
END_TEST

START_TEST(test_mica_memory_is_checked_before_it_is_promised)
{
    fake_add(3, "web")->info.max_pages = 1 << 18;
    run_well("mem-set web 512");
    expect_node("/local/domain/3/memory/target", "524288");
    run_badly("mem-set web 2g", EXIT_STATUS_USAGE,
              "can't give web 2097152 KiB");
    ck_assert_str_eq(error.why, "its limit is 1048576 KiB");
    fake.free_pages = 100;
    run_badly("mem-set web 1g", EXIT_STATUS_NO_MEMORY,
              "can't give web 1048576 KiB");
    ck_assert_str_eq(error.why, "400 KiB are free");
    run_badly("mem-set web lots", EXIT_STATUS_USAGE, "\"lots\" is no size");
    run_well("mem-max web 2g");
    ck_assert_uint_eq(fake.domains[3].info.max_pages, 1 << 19);
    expect_node("/local/domain/3/memory/static-max", "2097152");
    run_badly("mem-max web 1", EXIT_STATUS_USAGE,
              "can't limit web to 1024 KiB");
}
END_TEST

START_TEST(test_mica_sizes)
{
    uint64_t kib;

    ck_assert(domain_parse_size("512", &kib) && kib == 524288);
    ck_assert(domain_parse_size("512M", &kib) && kib == 524288);
    ck_assert(domain_parse_size("7k", &kib) && kib == 7);
    ck_assert(domain_parse_size("2048b", &kib) && kib == 2);
    ck_assert(domain_parse_size("1t", &kib) && kib == 1 << 30);
    ck_assert(!domain_parse_size("1000b", &kib));
    ck_assert(!domain_parse_size("0", &kib));
    ck_assert(!domain_parse_size("-1", &kib));
    ck_assert(!domain_parse_size("1gb", &kib));
    ck_assert(!domain_parse_size("", &kib));
    ck_assert(!domain_parse_size("99999999999999999999", &kib));
    ck_assert(!domain_parse_size("1099511627775t", &kib));
}
END_TEST

/* --- creating ------------------------------------------------------------- */

#define CREATE                                                                 \
    "create -e -q name=web kernel=/boot/k memory=64 vcpus=1 maxvcpus=2 "       \
    "extra=quiet uuid=01234567-89ab-cdef-0123-456789abcdef "

START_TEST(test_mica_create_starts_a_domain)
{
    run_well(CREATE);
    ck_assert(fake.domains[1].is_there);
    ck_assert(fake.domains[1].is_introduced);
    ck_assert(!(fake.domains[1].info.flags & CONTROL_DOMAIN_PAUSED));
    ck_assert_str_eq(fake.built_line, "quiet");
    ck_assert_uint_eq(fake.built_kib, 65536);
    ck_assert_str_eq(output, "");
}
END_TEST

START_TEST(test_mica_create_paused)
{
    run_well(CREATE "-p");
    ck_assert(fake.domains[1].info.flags & CONTROL_DOMAIN_PAUSED);
}
END_TEST

static const struct {
    const char *path, *value, *perms;
} nodes[] = {
    {"/local/domain/1", "", "n0,r1"},
    {"/local/domain/1/name", "web", "n0,r1"},
    {"/local/domain/1/domid", "1", "n0,r1"},
    {"/local/domain/1/vm", "/vm/01234567-89ab-cdef-0123-456789abcdef", "n0,r1"},
    {"/local/domain/1/memory/target", "65536", "n0,r1"},
    {"/local/domain/1/memory/static-max", "65536", "n0,r1"},
    {"/local/domain/1/cpu/0/availability", "online", "n0,r1"},
    {"/local/domain/1/cpu/1/availability", "offline", "n0,r1"},
    {"/local/domain/1/control", "", "n0,r1"},
    {"/local/domain/1/control/shutdown", "", "n1"},
    {"/local/domain/1/control/sysrq", "", "n1"},
    {"/local/domain/1/control/feature-poweroff", "", "n1"},
    {"/local/domain/1/control/platform-feature-xs_reset_watches", "1", "n0,r1"},
    {"/local/domain/1/device", "", "n0,r1"},
    {"/local/domain/1/device/suspend/event-channel", "", "n1"},
    {"/local/domain/1/data", "", "n1"},
    {"/local/domain/1/store/ring-ref", "4097", "n0,r1"},
    {"/local/domain/1/store/port", "1", "n0,r1"},
    {"/local/domain/1/console/ring-ref", "8193", "n0,r1"},
    {"/local/domain/1/console/port", "2", "n0,r1"},
    {"/local/domain/1/console/limit", "1048576", "n0,r1"},
    {"/local/domain/1/console/type", "xenconsoled", "n0,r1"},
    {"/local/domain/1/console/tty", "", "n0,r1"},
    {"/vm/01234567-89ab-cdef-0123-456789abcdef/name", "web", "n0,r1"},
    {"/vm/01234567-89ab-cdef-0123-456789abcdef/image/ostype", "linux", "n0,r1"},
    {"/mica/domain/1/config/kernel", "\"/boot/k\"", "n0"},
    {"/mica/domain/1/config/memory", "64", "n0"},
    {"/mica/name/web", "1", "n0"},
};

START_TEST(test_mica_create_writes_the_nodes_that_guests_expect)
{
    run_well(CREATE);
    expect_node(nodes[_i].path, nodes[_i].value);
    ck_assert_str_eq(fake_perms(nodes[_i].path), nodes[_i].perms);
}
END_TEST

START_TEST(test_mica_create_sets_scheduling)
{
    run_well(CREATE "cpus=1-2 cpus_soft=2 cpu_weight=99 cap=50");
    ck_assert_uint_eq(fake.domains[1].hard[0], 0x6);
    ck_assert_uint_eq(fake.domains[1].hard[1], 0x6);
    ck_assert_uint_eq(fake.domains[1].soft[1], 0x4);
    ck_assert_uint_eq(fake.domains[1].sched.weight, 99);
    ck_assert_uint_eq(fake.domains[1].sched.cap, 50);
}
END_TEST

START_TEST(test_mica_create_places_vcpus_one_by_one)
{
    run_well(CREATE "cpus=['3']");
    ck_assert_uint_eq(fake.domains[1].hard[0], 0x8);
    ck_assert_uint_eq(fake.domains[1].hard[1], 0);
}
END_TEST

/* Whatever fails, in whatever step, the machine is as it was. */
START_TEST(test_mica_create_that_fails_leaves_nothing)
{
    int step;

    for (step = 1;; step++) {
        fake_reset();
        fake.fail_at = step;
        if (!run(CREATE "cpus=1"))
            break;
        ck_assert_msg(!fake.domains[1].is_there, "step %d", step);
        ck_assert(!fake.domains[1].is_introduced);
        ck_assert_uint_eq(fake_count_nodes("/local/domain/1"), 0);
        ck_assert_uint_le(fake_count_nodes("/vm"), 1);
        ck_assert_uint_eq(fake_count_nodes("/mica/domain/1"), 0);
        ck_assert_uint_eq(fake_count_nodes("/mica/name/web"), 0);
        ck_assert(error.what[0]);
    }
    ck_assert_int_gt(step, 40);
    ck_assert(fake.domains[1].is_there);
}
END_TEST

START_TEST(test_mica_create_refuses_a_name_in_use)
{
    run_well(CREATE);
    run_badly("create -e name=web kernel=/k", EXIT_STATUS_EXISTS,
              "can't create domain web");
    ck_assert_str_eq(error.why, "domain 1 is called so");
    ck_assert(!fake.domains[2].is_there);
}
END_TEST

START_TEST(test_mica_create_refuses_the_name_of_dom0)
{
    run_badly(CREATE "name=Domain-0", EXIT_STATUS_EXISTS,
              "the name Domain-0 is taken");
    ck_assert(!fake.domains[1].is_there);
}
END_TEST

START_TEST(test_mica_create_empty_setting_is_as_good_as_none)
{
    run_well(CREATE "ramdisk=/boot/r ramdisk=");
    ck_assert_ptr_null(fake_node("/mica/domain/1/config/ramdisk"));
    run_well("destroy web");
    run_well(CREATE "ramdisk=\"\" extra=");
    ck_assert_ptr_null(fake_node("/mica/domain/2/config/ramdisk"));
    ck_assert_str_eq(fake.built_line, "");
}
END_TEST

static void power_off(void)
{
    fake.domains[1].is_there = false;
}

/* -F: the program stays as long as the domain. */
START_TEST(test_mica_create_in_the_foreground_ends_with_the_domain)
{
    fake.while_waiting = power_off;
    run_well(CREATE "-F");
    ck_assert_str_eq(output, "Domain 1 (web) has ended\n");
}
END_TEST

START_TEST(test_mica_create_refuses_a_uuid_in_use)
{
    run_well(CREATE);
    run_badly(CREATE "name=other", EXIT_STATUS_EXISTS,
              "can't create domain other");
    ck_assert(!fake.domains[2].is_there);
}
END_TEST

START_TEST(test_mica_create_takes_the_name_of_a_domain_that_is_gone)
{
    run_well(CREATE);
    run_well("destroy web");
    run_well(CREATE);
    expect_node("/mica/name/web", "2");
}
END_TEST

START_TEST(test_mica_create_refuses_what_memory_has_no_room_for)
{
    run_badly(CREATE "memory=4096", EXIT_STATUS_NO_MEMORY, "too large");
    ck_assert_uint_eq(fake.next_id, 1);
}
END_TEST

START_TEST(test_mica_create_dry_run_changes_nothing)
{
    run_well(CREATE "-n");
    ck_assert_uint_eq(fake.next_id, 1);
    ck_assert_uint_eq(fake_count_nodes("/mica"), 0);
    ck_assert_ptr_nonnull(strstr(output, "name = \"web\"\n"));
    ck_assert_ptr_nonnull(strstr(output, "1 vCPU and 64 MiB of the 2048 MiB"));
}
END_TEST

START_TEST(test_mica_create_dry_run_needs_no_machine)
{
    fake.has_mica = false;
    run_well(CREATE "-n");
    ck_assert_ptr_nonnull(strstr(output, "name = \"web\"\n"));
    run_badly(CREATE, EXIT_STATUS_NO_MICA, "can't reach the hypervisor");
}
END_TEST

START_TEST(test_mica_create_without_a_configuration)
{
    run_badly("create", EXIT_STATUS_USAGE, "create: no configuration");
    run_badly("create /nonexistent/web.cfg", EXIT_STATUS_FAILED,
              "can't read /nonexistent/web.cfg");
}
END_TEST

START_TEST(test_mica_destroy_leaves_nothing)
{
    run_well(CREATE);
    fake_set_node("/local/domain/0/backend/vbd/1/51712/state", "4");
    run_well("destroy web");
    ck_assert(!fake.domains[1].is_there);
    ck_assert(!fake.domains[1].is_introduced);
    ck_assert_uint_eq(fake_count_nodes("/local/domain/1"), 0);
    ck_assert_uint_eq(fake_count_nodes("/local/domain/0/backend/vbd/1"), 0);
    ck_assert_uint_eq(fake_count_nodes("/vm"), 1);
    ck_assert_uint_eq(fake_count_nodes("/mica/domain/1"), 0);
    ck_assert_ptr_null(fake_node("/mica/name/web"));
}
END_TEST

START_TEST(test_mica_list_long_has_the_configuration)
{
    json_t *json, *config, *share;

    run_well(CREATE);
    run_well("sched -d web -c 70");
    run_well("list -l web");
    json = parse_output();
    config = json_object_get(json_array_get(json, 0), "config");
    ck_assert_str_eq(json_string_value(json_object_get(
                         json_object_get(config, "b_info"), "kernel")),
                     "/boot/k");
    share = json_object_get(json_object_get(config, "b_info"), "sched_params");
    ck_assert_int_eq(json_integer_value(json_object_get(share, "weight")), 256);
    ck_assert_int_eq(json_integer_value(json_object_get(share, "cap")), 70);
    json_decref(json);
    run_well("list -l");
    json = parse_output();
    ck_assert_uint_eq(json_array_size(json), 2);
    json_decref(json);
}
END_TEST

START_TEST(test_mica_config_update_changes_the_next_start)
{
    run_well(CREATE);
    run_well("config-update web name=web kernel=/boot/new");
    expect_node("/mica/domain/1/config/kernel", "\"/boot/new\"");
    ck_assert_ptr_null(fake_node("/mica/domain/1/config/memory"));
    fake_add(5, "alien");
    run_badly("config-update alien name=x kernel=/k", EXIT_STATUS_FAILED,
              "alien has no configuration");
}
END_TEST

START_TEST(test_mica_config_update_leaves_name_and_uuid)
{
    char uuid[64];

    run_well(CREATE);
    strcpy(uuid, fake_node("/mica/domain/1/config/uuid"));
    run_well("config-update web name=other kernel=/boot/new");
    expect_node("/mica/domain/1/config/uuid", uuid);
    expect_node("/mica/domain/1/config/name", "\"web\"");
}
END_TEST

START_TEST(test_mica_rename_holds_over_a_restart)
{
    run_well(CREATE);
    run_well("rename web shop");
    expect_node("/mica/domain/1/config/name", "\"shop\"");
    ck_assert_ptr_null(fake_node("/mica/name/web"));
    expect_node("/vm/01234567-89ab-cdef-0123-456789abcdef/name", "shop");
}
END_TEST

/* --- what becomes of domains that have ended ------------------------------ */

static void end(domid_t id, unsigned code)
{
    fake.domains[id].info.flags = CONTROL_DOMAIN_SHUTDOWN;
    fake.domains[id].info.shutdown_code = code;
}

START_TEST(test_mica_ended_does_nothing_to_the_living)
{
    run_well(CREATE);
    run_well("ended 1");
    ck_assert(fake.domains[1].is_there);
    end(1, SHUTDOWN_suspend);
    run_well("ended 1");
    ck_assert(fake.domains[1].is_there);
    fake_add(7, "alien");
    end(7, SHUTDOWN_poweroff);
    run_well("ended 7");
    ck_assert(fake.domains[7].is_there);
}
END_TEST

START_TEST(test_mica_ended_destroys_after_poweroff)
{
    run_well(CREATE);
    end(1, SHUTDOWN_poweroff);
    run_well("ended 1");
    ck_assert(!fake.domains[1].is_there);
    ck_assert_uint_eq(fake_count_nodes("/local/domain/1"), 0);
    ck_assert_uint_eq(fake_count_nodes("/mica/domain/1"), 0);
}
END_TEST

START_TEST(test_mica_ended_restarts_after_reboot)
{
    run_well(CREATE);
    end(1, SHUTDOWN_reboot);
    run_well("ended 1");
    ck_assert(!fake.domains[1].is_there);
    ck_assert(fake.domains[2].is_there);
    ck_assert(!(fake.domains[2].info.flags & CONTROL_DOMAIN_PAUSED));
    expect_node("/local/domain/2/name", "web");
    expect_node("/local/domain/2/vm",
                "/vm/01234567-89ab-cdef-0123-456789abcdef");
    ck_assert_uint_eq(fake_count_nodes("/mica/domain/1"), 0);
    ck_assert_uint_gt(slept, 0);
}
END_TEST

START_TEST(test_mica_ended_preserves)
{
    run_well(CREATE "on_crash=preserve");
    end(1, SHUTDOWN_crash);
    run_well("ended 1");
    ck_assert(fake.domains[1].is_there);
    expect_node("/mica/domain/1/state", "preserved");
    run_well("ended 1");
    ck_assert(fake.domains[1].is_there);
}
END_TEST

START_TEST(test_mica_ended_renames_the_old_and_starts_a_new_one)
{
    run_well(CREATE "on_watchdog=rename-restart");
    end(1, SHUTDOWN_watchdog);
    run_well("ended 1");
    ck_assert(fake.domains[1].is_there);
    expect_node("/local/domain/1/name", "web-1");
    expect_node("/mica/domain/1/state", "preserved");
    expect_node("/local/domain/2/name", "web");
    ck_assert_int_ne(
        memcmp(fake.domains[1].info.handle, fake.domains[2].info.handle, 16),
        0);
}
END_TEST

START_TEST(test_mica_ended_clears_away_what_is_left_of_a_domain)
{
    run_well(CREATE);
    fake.domains[1].is_there = false;
    run_well("ended 1");
    ck_assert_uint_eq(fake_count_nodes("/local/domain/1"), 0);
    ck_assert_uint_eq(fake_count_nodes("/mica/domain/1"), 0);
}
END_TEST

/* A run that was killed between destroying and creating. */
START_TEST(test_mica_ended_goes_on_with_a_restart)
{
    run_well(CREATE);
    fake.domains[1].is_there = false;
    fake_set_node("/mica/domain/1/state", "restart");
    run_well("ended 1");
    ck_assert(fake.domains[2].is_there);
    expect_node("/local/domain/2/name", "web");
    ck_assert_uint_eq(fake_count_nodes("/mica/domain/1"), 0);
}
END_TEST

static void destroy_meanwhile(void)
{
    fake.domains[1].is_there = false;
    store_remove(NULL, STORE_NO_TX, "/local/domain/1", NULL);
    store_remove(NULL, STORE_NO_TX, "/mica", NULL);
}

START_TEST(test_mica_ended_does_not_revive_what_was_destroyed)
{
    run_well(CREATE);
    end(1, SHUTDOWN_reboot);
    while_asleep = destroy_meanwhile;
    run_well("ended 1");
    ck_assert(!fake.domains[2].is_there);
}
END_TEST

/* The same between renaming the old domain and creating the new one. */
START_TEST(test_mica_ended_goes_on_with_a_rename)
{
    run_well(CREATE "on_reboot=rename-restart");
    end(1, SHUTDOWN_reboot);
    run_well("ended 1");
    run_well("destroy web");
    fake_set_node("/mica/domain/1/state", "rename");
    run_well("ended 1");
    expect_node("/local/domain/1/name", "web-1");
    expect_node("/local/domain/3/name", "web");
    expect_node("/mica/domain/1/state", "preserved");
}
END_TEST

START_TEST(test_mica_ended_gives_up_where_there_is_no_memory)
{
    run_well(CREATE);
    end(1, SHUTDOWN_reboot);
    fake.free_pages = 0;
    run_badly("ended 1", EXIT_STATUS_NO_MEMORY, "can't start web anew");
    ck_assert(!fake.domains[2].is_there);
    ck_assert_uint_eq(fake_count_nodes("/mica/domain/1"), 0);
}
END_TEST

/* --- help ----------------------------------------------------------------- */

START_TEST(test_mica_every_verb_is_described)
{
    const struct verb *verb = NULL;
    const struct verb_option *option;

    while ((verb = verb_next(verb))) {
        ck_assert(verb->help && verb->help[0] && verb->run && verb->synopsis);
        ck_assert_msg(verb->help[strlen(verb->help) - 1] != '.', "%s",
                      verb->name);
        ck_assert_msg(verb->min_operands <= verb->max_operands, "%s",
                      verb->name);
        for (option = verb->options; option && option->help; option++)
            ck_assert_msg((option->letter || option->name) &&
                              option->letter != 'h',
                          "%s %s", verb->name, option->help);
    }
}
END_TEST

START_TEST(test_mica_help_knows_every_verb)
{
    const struct verb *verb = NULL;
    char line[64];

    while ((verb = verb_next(verb))) {
        snprintf(line, sizeof(line), "help %s", verb->name);
        run_well(line);
        snprintf(line, sizeof(line), "Usage: mica %s [OPTIONS]", verb->name);
        ck_assert_int_eq(strncmp(output, line, strlen(line)), 0);
    }
    run_well("help");
    ck_assert_ptr_nonnull(strstr(output, "\n  create "));
    ck_assert_ptr_null(strstr(output, "\n  ended "));
    run_badly("help nothing", EXIT_STATUS_USAGE, "unknown verb \"nothing\"");
}
END_TEST

START_TEST(test_mica_help_makes_manual_and_completion)
{
    run_well("help --completion bash");
    ck_assert_ptr_nonnull(strstr(output, "    sched | sched-credit2)\n"));
    run_well("help --manual verbs");
    ck_assert_ptr_nonnull(strstr(output, ".It Nm mica Cm create "));
    run_well("help --manual settings");
    ck_assert_ptr_nonnull(strstr(output, ".It Cm on_reboot No = Ar ACTION\n"));
    run_well("help --manual markdown");
    ck_assert_ptr_nonnull(strstr(output, "\n### vcpu-pin\n"));
    run_badly("help --manual pdf", EXIT_STATUS_USAGE,
              "help: \"pdf\" can't be made");
}
END_TEST

static TCase *make_case(const char *name)
{
    TCase *t = tcase_create(name);

    tcase_add_checked_fixture(t, setup, teardown);
    return t;
}

static TCase *verb_case(void)
{
    TCase *t = make_case("verbs");

    tcase_add_test(t, test_mica_unambiguous_beginnings_are_verbs);
    tcase_add_test(t, test_mica_ambiguous_beginning_lists_candidates);
    tcase_add_test(t, test_mica_misspelt_verb_gets_a_suggestion);
    tcase_add_test(t, test_mica_internal_verbs_have_no_short_form);
    tcase_add_test(t, test_mica_options_may_stand_anywhere);
    tcase_add_test(t, test_mica_option_values_in_all_forms);
    tcase_add_test(t, test_mica_bad_usage_is_explained);
    tcase_add_test(t, test_mica_every_verb_is_described);
    tcase_add_test(t, test_mica_help_knows_every_verb);
    tcase_add_test(t, test_mica_help_makes_manual_and_completion);
    return t;
}

static TCase *report_case(void)
{
    TCase *t = make_case("reports");

    tcase_add_test(t, test_mica_list_has_the_columns_of_xl);
    tcase_add_test(t, test_mica_list_shows_all_states);
    tcase_add_test(t, test_mica_list_verbose_has_the_columns_of_xl);
    tcase_add_test(t, test_mica_list_json);
    tcase_add_test(t, test_mica_list_works_without_the_store);
    tcase_add_test(t, test_mica_missing_services_are_named);
    tcase_add_test(t, test_mica_unknown_domain);
    tcase_add_test(t, test_mica_info_has_the_names_of_xl);
    tcase_add_test(t, test_mica_info_numa_leaves_out_missing_cpus);
    tcase_add_test(t, test_mica_vcpu_list_has_the_columns_of_xl);
    tcase_add_test(t, test_mica_sched_has_the_columns_of_xl);
    tcase_add_test(t, test_mica_sched_sets_a_cap_up_to_all_vcpus);
    tcase_add_test(t, test_mica_sched_rate_limit);
    tcase_add_test(t, test_mica_uptime_counts_from_the_start);
    tcase_add_test(t, test_mica_uptime_knows_domains_of_other_tools);
    tcase_add_test(t, test_mica_vm_list_has_the_columns_of_xl);
    tcase_add_loop_test(t, test_mica_reports_in_json, 0,
                        sizeof(reporting) / sizeof(reporting[0]));
    tcase_add_test(t, test_mica_json_of_names_and_log);
    tcase_add_test(t, test_mica_dmesg_reads_all_and_clears_on_request);
    tcase_add_test(t, test_mica_top_batch);
    return t;
}

static TCase *steer_case(void)
{
    TCase *t = make_case("steering");

    tcase_add_test(t, test_mica_shutdown_and_reboot_tell_the_guest);
    tcase_add_test(t, test_mica_shutdown_all_leaves_dom0);
    tcase_add_test(t, test_mica_shutdown_wait_ends_with_the_domain);
    tcase_add_test(t, test_mica_shutdown_timeout);
    tcase_add_test(t, test_mica_dom0_is_never_stopped);
    tcase_add_test(t, test_mica_pause_and_unpause);
    tcase_add_test(t, test_mica_names_and_numbers);
    tcase_add_test(t, test_mica_vcpu_pin);
    tcase_add_test(t, test_mica_vcpu_set);
    tcase_add_test(t, test_mica_memory_is_checked_before_it_is_promised);
    tcase_add_test(t, test_mica_sizes);
    return t;
}

static TCase *create_case(void)
{
    TCase *t = make_case("creating");

    tcase_add_test(t, test_mica_create_starts_a_domain);
    tcase_add_test(t, test_mica_create_paused);
    tcase_add_loop_test(t, test_mica_create_writes_the_nodes_that_guests_expect,
                        0, sizeof(nodes) / sizeof(nodes[0]));
    tcase_add_test(t, test_mica_create_sets_scheduling);
    tcase_add_test(t, test_mica_create_places_vcpus_one_by_one);
    tcase_add_test(t, test_mica_create_that_fails_leaves_nothing);
    tcase_add_test(t, test_mica_create_refuses_a_name_in_use);
    tcase_add_test(t, test_mica_create_refuses_the_name_of_dom0);
    tcase_add_test(t, test_mica_create_empty_setting_is_as_good_as_none);
    tcase_add_test(t, test_mica_create_in_the_foreground_ends_with_the_domain);
    tcase_add_test(t, test_mica_create_refuses_a_uuid_in_use);
    tcase_add_test(t, test_mica_create_takes_the_name_of_a_domain_that_is_gone);
    tcase_add_test(t, test_mica_create_refuses_what_memory_has_no_room_for);
    tcase_add_test(t, test_mica_create_dry_run_changes_nothing);
    tcase_add_test(t, test_mica_create_dry_run_needs_no_machine);
    tcase_add_test(t, test_mica_create_without_a_configuration);
    tcase_add_test(t, test_mica_destroy_leaves_nothing);
    tcase_add_test(t, test_mica_list_long_has_the_configuration);
    tcase_add_test(t, test_mica_config_update_changes_the_next_start);
    tcase_add_test(t, test_mica_config_update_leaves_name_and_uuid);
    tcase_add_test(t, test_mica_rename_holds_over_a_restart);
    return t;
}

static TCase *ended_case(void)
{
    TCase *t = make_case("ended");

    tcase_add_test(t, test_mica_ended_does_nothing_to_the_living);
    tcase_add_test(t, test_mica_ended_destroys_after_poweroff);
    tcase_add_test(t, test_mica_ended_restarts_after_reboot);
    tcase_add_test(t, test_mica_ended_preserves);
    tcase_add_test(t, test_mica_ended_renames_the_old_and_starts_a_new_one);
    tcase_add_test(t, test_mica_ended_clears_away_what_is_left_of_a_domain);
    tcase_add_test(t, test_mica_ended_goes_on_with_a_restart);
    tcase_add_test(t, test_mica_ended_does_not_revive_what_was_destroyed);
    tcase_add_test(t, test_mica_ended_goes_on_with_a_rename);
    tcase_add_test(t, test_mica_ended_gives_up_where_there_is_no_memory);
    return t;
}

int main(void)
{
    Suite *suite = suite_create("mica");
    SRunner *runner = srunner_create(suite);
    int failed;

    suite_add_tcase(suite, verb_case());
    suite_add_tcase(suite, report_case());
    suite_add_tcase(suite, steer_case());
    suite_add_tcase(suite, create_case());
    suite_add_tcase(suite, ended_case());
    suite_add_tcase(suite, mica_core_case());
    suite_add_tcase(suite, mica_console_case());
    suite_add_tcase(suite, mica_top_case());
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
