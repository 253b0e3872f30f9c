/* SPDX-License-Identifier: MIT */
/* What top shows, in as much room as a terminal has. */
#include "dom0_tools/mica/top.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hypercall_abi/sched.h"
#include "mica_fake.h"
#include "mica_suites.h"

static const struct verb verb = {.name = "top"};
static struct call call;
static struct error error;
static struct top_sample sample;
static char line[TOP_LINE_SIZE];

static void setup(void)
{
    struct fake_domain *d;

    fake_reset();
    d = fake_add(3, "web");
    d->info.cpu_time = 5000000000;
    d->activity = (struct control_activity){1000, 50};
    call = (struct call){.verb = &verb};
    sample = (struct top_sample){0};
}

static void teardown(void)
{
    top_free(&sample);
    call_end(&call);
}

static void take(void)
{
    ck_assert_int_eq(top_take(&call, &sample, NULL, &error), 0);
}

static void expect_heading(unsigned width, const char *heading)
{
    struct top_layout layout = top_choose_layout(&sample, width);

    top_format_heading(&layout, line);
    ck_assert_str_eq(line, heading);
    ck_assert(!width || strlen(line) <= width);
}

START_TEST(test_mica_top_shows_what_fits)
{
    static const char all[] =
        "      NAME  STATE   CPU(sec) CPU(%)     MEM(k) MEM(%)  MAXMEM(k) "
        "MAXMEM(%) VCPUS  CALLS/s EVENTS/s";

    take();
    expect_heading(40, "      NAME  STATE CPU(%)     MEM(k)");
    expect_heading(80, "      NAME  STATE   CPU(sec) CPU(%)     MEM(k) MEM(%) "
                       "VCPUS  CALLS/s EVENTS/s");
    expect_heading(132, all);
    expect_heading(0, all);
    expect_heading(10, "      NAME");
}
END_TEST

START_TEST(test_mica_top_gives_spare_room_to_names)
{
    struct top_layout layout;

    fake_add(4, "a-name-of-22-characters");
    take();
    layout = top_choose_layout(&sample, 80);
    top_format_row(&layout, &sample, &sample.rows[2], line);
    ck_assert_uint_le(strlen(line), 80);
    ck_assert_int_eq(strncmp(line, "a-name-of-22- --b---", 20), 0);
    layout = top_choose_layout(&sample, 132);
    top_format_row(&layout, &sample, &sample.rows[1], line);
    ck_assert_int_eq(strncmp(line, "                    web --b---", 30), 0);
    layout = top_choose_layout(&sample, 0);
    top_format_row(&layout, &sample, &sample.rows[2], line);
    ck_assert_int_eq(strncmp(line, "a-name-of-22-characters --b---", 30), 0);
}
END_TEST

/* No terminal is too narrow, nor any number too long, for the buffer. */
START_TEST(test_mica_top_lines_fit_any_terminal)
{
    struct fake_domain *d = fake_add(4, "x");
    unsigned width;

    d->info.cpu_time = d->info.pages = d->info.max_pages = UINT64_MAX;
    d->info.online_vcpus = UINT32_MAX;
    take();
    sample.rows[2].cpu_percent = sample.rows[2].calls_per_s = 1e30;
    for (width = 0; width < 300; width++) {
        struct top_layout layout = top_choose_layout(&sample, width);

        top_format_heading(&layout, line);
        ck_assert(!width || strlen(line) <= (width > 10 ? width : 10));
        top_format_row(&layout, &sample, &sample.rows[2], line);
    }
}
END_TEST

START_TEST(test_mica_top_has_rates_since_the_sample_before)
{
    struct top_sample before;
    const struct top_row *row = NULL;

    take();
    before = sample;
    before.time -= 2000000000;
    before.rows[1].domain.info.cpu_time -= 1000000000;
    before.rows[1].activity.hypercalls -= 500;
    before.rows[1].activity.events += 10; /* another domain's, with its id */
    ck_assert_int_eq(top_take(&call, &sample, &before, &error), 0);
    row = &sample.rows[1];
    ck_assert(row->cpu_percent > 49 && row->cpu_percent <= 50);
    ck_assert(row->calls_per_s > 249 && row->calls_per_s <= 250);
    ck_assert(row->events_per_s == 0);
    top_free(&before);
}
END_TEST

static const struct {
    enum top_order order;
    domid_t first;
} orders[] = {
    {TOP_BY_CPU, 3},    {TOP_BY_MEMORY, 4}, {TOP_BY_CALLS, 5},
    {TOP_BY_EVENTS, 6}, {TOP_BY_NAME, 7},   {TOP_BY_ID, 0},
};

START_TEST(test_mica_top_sorts)
{
    fake_add(4, "large")->info.pages = 1 << 30;
    fake_add(5, "asks");
    fake_add(6, "hears");
    fake_add(7, "A");
    take();
    sample.rows[1].cpu_percent = 5;
    sample.rows[3].calls_per_s = 5;
    sample.rows[4].events_per_s = 5;
    top_sort(&sample, orders[_i].order);
    ck_assert_uint_eq(sample.rows[0].domain.info.domain, orders[_i].first);
    ck_assert(top_order_name(orders[_i].order)[0]);
}
END_TEST

START_TEST(test_mica_top_has_a_letter_for_each_state)
{
    struct control_domain *d = &fake_add(4, "x")->info;
    struct top_layout layout;

    d->flags =
        CONTROL_DOMAIN_SHUTDOWN | CONTROL_DOMAIN_DYING | CONTROL_DOMAIN_PAUSED;
    d->shutdown_code = SHUTDOWN_crash;
    take();
    layout = top_choose_layout(&sample, 40);
    top_format_row(&layout, &sample, &sample.rows[2], line);
    ck_assert_ptr_nonnull(strstr(line, " ds-cp- "));
}
END_TEST

START_TEST(test_mica_top_machine_fits_a_narrow_terminal)
{
    take();
    top_format_machine(&sample, line);
    ck_assert_str_eq(line, "4 CPUs, 2400 MHz; 2048 of 4096 MiB free");
}
END_TEST

/* --- the screen ---------------------------------------------------------- */

static char shown[65536];

/*
 * What a terminal of this size gets to see while the keys are typed, after
 * which nobody types any more.
 */
static void show(const char *lines, const char *columns, const char *keys)
{
    FILE *screen = tmpfile();
    int typed[2];
    ssize_t size;

    ck_assert(screen && !pipe(typed));
    ck_assert_int_eq(write(typed[1], keys, strlen(keys)), (int)strlen(keys));
    setenv("TERM", "vt100", 1);
    setenv("LINES", lines, 1);
    setenv("COLUMNS", columns, 1);
    ck_assert(dup2(typed[0], STDIN_FILENO) >= 0);
    ck_assert(dup2(fileno(screen), STDOUT_FILENO) >= 0);
    ck_assert_int_eq(top_run_screen(&call, 30, 0, TOP_BY_CPU, &error), 0);
    fflush(stdout);
    size = pread(fileno(screen), shown, sizeof(shown) - 1, 0);
    ck_assert_int_gt(size, 0);
    shown[size] = '\0';
}

static bool has_shown(const char *text)
{
    return strstr(shown, text) != NULL;
}

START_TEST(test_mica_top_screen_has_all_parts)
{
    show("24", "80", "q");
    ck_assert(has_shown("2 domains, by cpu"));
    ck_assert(has_shown("4 CPUs, 2400 MHz; 2048 of 4096 MiB free"));
    ck_assert(has_shown("CALLS/s EVENTS/s"));
    ck_assert(has_shown("Domain-0 --b---"));
    ck_assert(has_shown("web --b---"));
    ck_assert(has_shown("s sort  v vCPUs  arrows scroll  q quit"));
    ck_assert(!has_shown("vCPU 0"));
}
END_TEST

START_TEST(test_mica_top_screen_heeds_keys)
{
    show("24", "80", "svq");
    ck_assert(has_shown("vCPU 0: blocked, CPU 0"));
    show("24", "80", "ssq");
    ck_assert(has_shown("memory"));
    ck_assert(has_shown("calls"));
}
END_TEST

START_TEST(test_mica_top_screen_is_cut_to_its_size)
{
    domid_t id;

    for (id = 4; id < 14; id++)
        fake_add(id, id == 13 ? "last" : "other");
    show("10", "40", "q");
    ck_assert(has_shown("CPU(%)     MEM(k)"));
    ck_assert(!has_shown("VCPUS"));
    ck_assert(!has_shown("last"));
    ck_assert(has_shown("q quit"));
    show("10", "40", "\033[6~q"); /* scrolled by a page */
    ck_assert(has_shown("q quit"));
    show("3", "9", "vq");
    ck_assert(has_shown("NAME") || has_shown("s sort"));
}
END_TEST

/* See mica_suites.h. */
TCase *mica_top_case(void)
{
    TCase *t = tcase_create("top");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, test_mica_top_shows_what_fits);
    tcase_add_test(t, test_mica_top_gives_spare_room_to_names);
    tcase_add_test(t, test_mica_top_lines_fit_any_terminal);
    tcase_add_test(t, test_mica_top_has_rates_since_the_sample_before);
    tcase_add_loop_test(t, test_mica_top_sorts, 0,
                        sizeof(orders) / sizeof(orders[0]));
    tcase_add_test(t, test_mica_top_has_a_letter_for_each_state);
    tcase_add_test(t, test_mica_top_machine_fits_a_narrow_terminal);
    tcase_add_test(t, test_mica_top_screen_has_all_parts);
    tcase_add_test(t, test_mica_top_screen_heeds_keys);
    tcase_add_test(t, test_mica_top_screen_is_cut_to_its_size);
    return t;
}
