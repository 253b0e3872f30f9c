/* SPDX-License-Identifier: MIT */
/*
 * Measures a tool stack in the first domain: how long its verbs take, from the
 * start of the program to its end, with one domain and with many. Tools are
 * called as a person at a shell calls them, with files that both understand.
 * Each repetition prints "BENCH name nanoseconds", and "BENCH name@N
 * nanoseconds" where the number of domains counts; what fails prints
 * "BENCH-ERROR name: why" and ends the run. "BENCH start" and "BENCH end"
 * enclose the figures.
 *
 *   admin TOOL PROGRAM LOG
 *
 * LOG is where the console's daemon keeps what the guest %s wrote. The
 * environment may have BENCH_DOMAINS and BENCH_REPEAT.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <poll.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/reboot.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define OUTPUT "/run/verb.log" /* what a verb prints */
#define CONFIG "/run/guest.cfg"
#define KERNELS "/run/mica/kernels" /* where mica keeps unpacked kernels */

enum {
    PATH_SIZE = 128,
    NAME_SIZE = 32,
    LINE_SIZE = 200,
    REST_MS = 200,   /* for what goes on after a verb has ended */
    LINE_MS = 60000, /* the most that a guest's first line may take */
    DOMAINS = 100,
    REPEAT = 3,
    LIST_STEP = 10,
};

/*
 * A guest's kernel with the settings that go with it. Linux has its early
 * console on: its first line is then among the first things it does, and the
 * time up to it is the tools', not the guest's.
 */
struct guest {
    const char *name;
    const char *settings;
};

static const struct guest stock = {
    "stock", "kernel = \"/xl/vmlinuz\"\n"
             "ramdisk = \"/xl/guest.gz\"\n"
             "cmdline = \"console=hvc0 earlyprintk=xen\"\n"
             "memory = 256\n"};
static const struct guest tiny = {"tiny", "kernel = \"/bench/echo.elf\"\n"
                                          "memory = 4\n"};

static const char *program, *log_format;
static unsigned guests_made;
static char guest_name[NAME_SIZE]; /* of the guest made last */
extern char **environ;

static uint64_t now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void finish(void)
{
    printf("BENCH end\n");
    fflush(stdout);
    tcdrain(1);
    sleep(30); /* the harness ends the machine */
    reboot(RB_POWER_OFF);
    exit(1);
}

/* Gives up, with the verb's own words if it had any. */
__attribute__((noreturn, format(printf, 2, 3))) static void fail(
    const char *metric, const char *format, ...)
{
    FILE *output = fopen(OUTPUT, "re");
    char line[LINE_SIZE];
    va_list args;

    printf("BENCH-ERROR %s: ", metric);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
    while (output && fgets(line, sizeof(line), output))
        printf("output: %s", line);
    finish();
    abort();
}

static void rest(void)
{
    poll(NULL, 0, REST_MS);
}

static void report(const char *metric, uint64_t ns)
{
    printf("BENCH %s %llu\n", metric, (unsigned long long)ns);
    fflush(stdout);
    tcdrain(1); /* no output left to disturb what follows */
}

static void report_at(const char *metric, unsigned domains, uint64_t ns)
{
    char name[NAME_SIZE];

    snprintf(name, sizeof(name), "%s@%u", metric, domains);
    report(name, ns);
}

static pid_t start_verb(const char *metric, const char *const words[])
{
    const char *argv[6] = {program};
    posix_spawn_file_actions_t files;
    unsigned i;
    pid_t pid;
    int error;

    for (i = 0; words[i]; i++)
        argv[i + 1] = words[i];
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, 1, OUTPUT,
                                     O_WRONLY | O_CREAT | O_TRUNC, 0600);
    posix_spawn_file_actions_adddup2(&files, 1, 2);
    error = posix_spawn(&pid, program, &files, NULL,
                        (char *const *)(uintptr_t)argv, environ);
    posix_spawn_file_actions_destroy(&files);
    if (error)
        fail(metric, "cannot start %s: %s", program, strerror(error));
    return pid;
}

static void wait_verb(const char *metric, pid_t pid)
{
    int status;

    if (waitpid(pid, &status, 0) != pid || status)
        fail(metric, "%s ended with status %#x", program, status);
}

/* How long a verb takes. The list of its words ends with NULL. */
static uint64_t time_verb(const char *metric, const char *const words[])
{
    uint64_t start = now();

    wait_verb(metric, start_verb(metric, words));
    return now() - start;
}

/* Every guest has a name of its own, and so a log of its own. */
static void configure(const struct guest *guest)
{
    FILE *file = fopen(CONFIG, "we");

    snprintf(guest_name, sizeof(guest_name), "%s%u", guest->name,
             ++guests_made);
    if (!file)
        fail("admin", "cannot write %s: %s", CONFIG, strerror(errno));
    fprintf(file, "name = \"%s\"\ntype = \"pv\"\nvcpus = 1\n%s", guest_name,
            guest->settings);
    fclose(file);
}

static uint64_t create_paused(const char *metric)
{
    const char *const words[] = {"create", "-p", CONFIG, NULL};

    return time_verb(metric, words);
}

static uint64_t destroy(const char *metric, const char *name)
{
    const char *const words[] = {"destroy", name, NULL};

    return time_verb(metric, words);
}

static unsigned count_lines(const char *path)
{
    FILE *file = fopen(path, "re");
    unsigned lines = 0;
    int c;

    while (file && (c = getc(file)) != EOF)
        lines += c == '\n';
    if (file)
        fclose(file);
    return lines;
}

/* A heading, the first domain, and the guests. */
static uint64_t list(const char *metric, unsigned guests)
{
    const char *const words[] = {"list", NULL};
    uint64_t taken = time_verb(metric, words);
    unsigned lines = count_lines(OUTPUT);

    if (lines != guests + 2)
        fail(metric, "%u lines for %u guests", lines, guests);
    return taken;
}

/* Waits for a line in the log of the guest made last. */
static void wait_for_line(const char *metric, int watch, const char *log)
{
    struct pollfd events = {.fd = watch, .events = POLLIN};
    char bytes[4096];

    while (!count_lines(log)) {
        if (poll(&events, 1, LINE_MS) <= 0)
            fail(metric, "no line from %s", guest_name);
        if (read(watch, bytes, sizeof(bytes)) <= 0)
            fail(metric, "cannot watch: %s", strerror(errno));
    }
}

static uint64_t create_to_line(const char *metric)
{
    const char *const words[] = {"create", CONFIG, NULL};
    char log[PATH_SIZE], copy[PATH_SIZE];
    int watch = inotify_init1(IN_CLOEXEC);
    uint64_t start, taken;
    pid_t pid;

    snprintf(log, sizeof(log), log_format, guest_name);
    snprintf(copy, sizeof(copy), "%s", log);
    if (watch < 0 ||
        inotify_add_watch(watch, dirname(copy), IN_CREATE | IN_MODIFY) < 0)
        fail(metric, "cannot watch %s: %s", copy, strerror(errno));
    start = now();
    pid = start_verb(metric, words);
    wait_for_line(metric, watch, log);
    taken = now() - start;
    wait_verb(metric, pid);
    close(watch);
    return taken;
}

/* One guest at a time; the kernels that were kept go when asked for. */
static void measure_create(const char *metric, const char *forget,
                           unsigned repeat)
{
    while (repeat--) {
        if (forget && system(forget))
            fail(metric, "cannot do: %s", forget);
        configure(&stock);
        report(metric, create_paused(metric));
        rest();
        report("destroy", destroy("destroy", guest_name));
        rest();
    }
}

static void measure_line(const char *metric, const struct guest *guest,
                         unsigned repeat)
{
    while (repeat--) {
        configure(guest);
        report(metric, create_to_line(metric));
        rest();
        destroy(metric, guest_name);
        rest();
    }
}

static void measure_lists(unsigned guests, unsigned repeat)
{
    while (repeat--)
        report_at("list", guests, list("list", guests));
}

/*
 * Many guests that run, made and ended one by one: the figure's number is
 * that of the guests there are with this one.
 */
static void measure_many(unsigned guests, unsigned repeat)
{
    const char *const words[] = {"create", CONFIG, NULL};
    char name[NAME_SIZE];
    unsigned first, i;

    measure_lists(0, repeat);
    first = guests_made + 1;
    for (i = 1; i <= guests; i++) {
        configure(&tiny);
        report_at("create", i, time_verb("create", words));
        rest();
        if (i % LIST_STEP == 0)
            measure_lists(i, repeat);
    }
    for (i = guests; i > 0; i--) {
        snprintf(name, sizeof(name), "%s%u", tiny.name, first + i - 1);
        report_at("destroy", i, destroy("destroy", name));
        rest();
    }
    measure_lists(0, 1);
}

static unsigned setting(const char *name, unsigned otherwise)
{
    const char *text = getenv(name);
    int value = text ? atoi(text) : 0;

    return value > 0 ? (unsigned)value : otherwise;
}

int main(int argc, char **argv)
{
    unsigned repeat = setting("BENCH_REPEAT", REPEAT);

    if (argc != 4) {
        fputs("usage: admin tool program log\n", stderr);
        return 2;
    }
    program = argv[2];
    log_format = argv[3];
    printf("BENCH start\n");
    rest();
    measure_create("create_cold", "rm -rf " KERNELS, repeat);
    measure_create("create_kept", NULL, repeat);
    measure_line("line_stock", &stock, repeat);
    measure_line("line_tiny", &tiny, repeat);
    measure_many(setting("BENCH_DOMAINS", DOMAINS), repeat);
    finish();
}
