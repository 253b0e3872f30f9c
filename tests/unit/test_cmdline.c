/* SPDX-License-Identifier: MIT */
/* The parser of the command line. */
#include <check.h>
#include <stdlib.h>

#include "core/cmdline.h"
#include "core/log.h"
#include "host/arch_fake.h"

static struct {
    bool noreboot, sync;
    char text[16];
    unsigned int sides, reboot, consoles;
    struct cmdline_memory memory;
    struct cmdline_serial com1;
    struct cmdline_range vcpus, number;
} got;

static bool cmdline_parse_text(const char **at, const char *form, void *out)
{
    size_t length = strlen(*at);

    (void)form;
    strncpy(out, *at, sizeof(got.text));
    *at += length;
    return length < sizeof(got.text);
}

static const struct cmdline_option options[] = {
    CMDLINE_OPTION("noreboot", bool, got.noreboot, "yes/no"),
    CMDLINE_OPTION("sync_console", bool, got.sync, "yes/no"),
    CMDLINE_OPTION("number", range, got.number, "4"),
    CMDLINE_OPTION("text", text, got.text, "any"),
    {.name = "edd"},
    CMDLINE_OPTION("sides", choice, got.sides, "lazy/isolated/classic"),
    CMDLINE_OPTION("reboot", choice, got.reboot, "acpi/kbd/triple"),
    CMDLINE_OPTION("console", set, got.consoles, "com1/com2/vga/none"),
    CMDLINE_OPTION("dom0_mem", memory, got.memory, "1G"),
    CMDLINE_OPTION("com1", serial, got.com1, "115200,8n1,0x3f8,4"),
    CMDLINE_OPTION("dom0_max_vcpus", range, got.vcpus, "4"),
};

/* What the log says of the words that were not understood, each with a `;`. */
static const char *get_reports(void)
{
    static const char head[] = " command line: ";
    static char text[8192], reports[2048];
    uint64_t position = 0;
    const char *at = text;

    text[log_ring_read(text, sizeof(text) - 1, &position)] = '\0';
    reports[0] = '\0';
    while ((at = strstr(at, head))) {
        const char *word = at + strlen(head);

        at = strstr(word, ": ");
        ck_assert_ptr_nonnull(at);
        ck_assert_int_lt(at - word, CMDLINE_WORD_MAX);
        strncat(reports, word, (size_t)(at - word));
        strcat(reports, ";");
    }
    return reports;
}

static void parse(const char *line, const char *expected_reports)
{
    char *exact = strdup(line);

    log_ring_clear();
    cmdline_parse(exact, options, ARRAY_LEN(options));
    ck_assert_str_eq(get_reports(), expected_reports);
    free(exact);
}

START_TEST(test_cmdline_parse_of_empty_line_changes_nothing)
{
    parse("", "");
    parse(" \t \n ", "");
    parse("--", "");
}
END_TEST

START_TEST(test_cmdline_parse_of_a_usual_line_understands_all)
{
    parse("/boot/mica.gz dom0_mem=1G,max:2G,min:512M com1=115200,8n1 "
          "console=com1,vga noreboot sides=isolated "
          "dom0_max_vcpus=2 sync_console edd=off",
          "");
    ck_assert_uint_eq(got.memory.want.bytes, 1ull << 30);
    ck_assert_uint_eq(got.memory.max.bytes, 2ull << 30);
    ck_assert_uint_eq(got.memory.min.bytes, 512ull << 20);
    ck_assert_uint_eq(got.com1.baud, 115200);
    ck_assert(!memcmp(got.com1.format, "8n1", 3));
    ck_assert_uint_eq(got.consoles, 1 | 4);
    ck_assert(got.noreboot && got.sync);
    ck_assert_uint_eq(got.sides, 1);
    ck_assert_uint_eq(got.vcpus.min, 2);
    ck_assert_uint_eq(got.vcpus.max, 2);
}
END_TEST

static const struct {
    const char *line;
    bool value;
} bools[] = {
    {"sync_console", true},
    {"sync-console", true},
    {"sync_console=1", true},
    {"sync_console=on", true},
    {"sync_console=true", true},
    {"sync_console=yes", true},
    {"sync_console=0", false},
    {"sync_console=off", false},
    {"sync_console=false", false},
    {"sync_console=no", false},
    {"sync_console sync_console=no", false},
    {"sync_console=no sync_console", true},
};

START_TEST(test_cmdline_parse_of_bool_sets_it)
{
    got.sync = !bools[_i].value;
    parse(bools[_i].line, "");
    ck_assert_int_eq(got.sync, bools[_i].value);
}
END_TEST

static const char *const bad_words[] = {
    "nonsense",
    "nonsense=1",
    "no-nonsense",
    "no-",
    "=",
    "=1",
    "noreboot=2",
    "sync_console=ON",
    "sync_consol",
    "sync_console2",
    "number=",
    "number",
    "number=12x",
    "number=0x",
    "number=99999999999999999999",
    "text=0123456789abcdef",
    "sides=",
    "sides",
    "sides=Lazy",
    "sides=lazyy",
    "sides=both",
    "dom0_mem",
    "dom0_mem=",
    "dom0_mem=1G,",
    "dom0_mem=x",
    "dom0_mem=1kk",
    "dom0_mem=16777216t",
    "dom0_mem=1G;2G",
    "dom0_mem=min:",
    "dom0_mem=max=2G",
    "com1=fast",
    "com1=115200,9n1",
    "com1=115200,8",
    "com1=115200,8n",
    "com1=115200,8x1",
    "com1=115200,8n3",
    "com1=115200,8n10",
    "com1=9600,8n1,0x10000",
    "com1=9600,8n1,0x3f8,256",
    "com1=9600,8n1,0x3f8,4,5",
    "com1=115201",
    "console=",
    "console=com3",
    "console=vga,",
    "console=vgacom1",
    "console=none/",
    "console=none/some",
    "dom0_max_vcpus=",
    "dom0_max_vcpus=0",
    "dom0_max_vcpus=4-2",
    "dom0_max_vcpus=1-2-3",
    "dom0_mem=101%",
    "dom0_mem=%",
    "dom0_max_vcpus=-0",
    "dom0_max_vcpus=4294967296",
    "dom0_max_vcpus=x",
};

START_TEST(test_cmdline_parse_of_bad_word_reports_it_and_changes_nothing)
{
    char before[sizeof(got)], line[300], report[300];

    memset(&got, 0, sizeof(got));
    memcpy(before, &got, sizeof(got));
    strcat(strcpy(report, bad_words[_i]), ";");
    parse(bad_words[_i], report);
    ck_assert(!memcmp(before, &got, sizeof(got)));
    strcat(strcpy(line, bad_words[_i]), " number=7");
    parse(line, report);
    ck_assert_uint_eq(got.number.max, 7);
}
END_TEST

static const struct {
    const char *line;
    uint64_t bytes;
} sizes[] = {
    {"dom0_mem=7", 7 * 1024},
    {"dom0_mem=7b", 7},
    {"dom0_mem=7K", 7 * 1024},
    {"dom0_mem=7m", 7 << 20},
    {"dom0_mem=3G", 3ull << 30},
    {"dom0_mem=2t", 2ull << 40},
    {"dom0_mem=0x10M", 16 << 20},
    {"dom0_mem=0", 0},
    {"dom0_mem=16777215t", 16777215ull << 40},
    {"dom0_mem=18446744073709551615b", UINT64_MAX},
};

START_TEST(test_cmdline_parse_of_size_counts_bytes)
{
    parse(sizes[_i].line, "");
    ck_assert_uint_eq(got.memory.want.bytes, sizes[_i].bytes);
}
END_TEST

START_TEST(test_cmdline_parse_passes_over_the_file_name)
{
    parse("/boot/mica.gz number=3", "");
    parse("number=3 /boot/mica.gz", "/boot/mica.gz;");
}
END_TEST

START_TEST(test_cmdline_parse_of_choice_takes_abbreviations)
{
    parse("sides=c", "");
    ck_assert_uint_eq(got.sides, 2);
    parse("reboot=tr", "");
    ck_assert_uint_eq(got.reboot, 2);
    parse("reboot=k", "");
    ck_assert_uint_eq(got.reboot, 1);
}
END_TEST

START_TEST(test_cmdline_parse_of_long_word_reports_its_beginning)
{
    char line[700], report[CMDLINE_WORD_MAX + 1];

    memset(line, 'x', 600);
    strcpy(line + 600, " number=5");
    memset(report, 'x', CMDLINE_WORD_MAX - 1);
    strcpy(report + CMDLINE_WORD_MAX - 1, ";");
    parse(line, report);
    ck_assert_uint_eq(got.number.max, 5);
    memcpy(line, "text=", 5);
    memcpy(report, "text=", 5);
    parse(line, report);
}
END_TEST

START_TEST(test_cmdline_parse_stops_at_the_separator)
{
    parse("number=4 -- number=5 nonsense", "");
    ck_assert_uint_eq(got.number.max, 4);
    parse("number=5 text=--y -- nonsense", "");
    ck_assert_uint_eq(got.number.max, 5);
    ck_assert_str_eq(got.text, "--y");
    parse("__ number=6", "__;");
    ck_assert_uint_eq(got.number.max, 6);
}
END_TEST

START_TEST(test_cmdline_parse_serial_keeps_what_is_left_out)
{
    got.com1 = (struct cmdline_serial){9600, "8n1", 0x3f8, 4};
    parse("com1=,,0x2f8", "");
    ck_assert_uint_eq(got.com1.baud, 9600);
    ck_assert(!memcmp(got.com1.format, "8n1", 3));
    ck_assert_uint_eq(got.com1.port, 0x2f8);
    ck_assert_uint_eq(got.com1.irq, 4);
    parse("com1=auto,7e2,,0", "");
    ck_assert_uint_eq(got.com1.baud, 0);
    ck_assert(!memcmp(got.com1.format, "7e2", 3));
    ck_assert_uint_eq(got.com1.port, 0x2f8);
    ck_assert_uint_eq(got.com1.irq, 0);
    parse("com1", "");
    ck_assert_uint_eq(got.com1.port, 0x2f8);
}
END_TEST

START_TEST(test_cmdline_parse_memory_knows_relative_amounts)
{
    uint64_t gib = 1ull << 30;

    parse("dom0_mem=-256M,max:-1M", "");
    ck_assert_uint_eq(cmdline_amount_of(&got.memory.want, gib, 0), 768u << 20);
    ck_assert_uint_eq(cmdline_amount_of(&got.memory.max, gib, 0), 1023u << 20);
    ck_assert_uint_eq(cmdline_amount_of(&got.memory.min, gib, 42), 42);
    ck_assert_uint_eq(cmdline_amount_of(&got.memory.want, 1000, 0), 0);
    parse("dom0_mem=max:0", "");
    ck_assert_uint_eq(cmdline_amount_of(&got.memory.want, gib, 7), 7);
    ck_assert_uint_eq(cmdline_amount_of(&got.memory.max, gib, 7), 0);
    parse("dom0_mem=2G", "");
    ck_assert_uint_eq(cmdline_amount_of(&got.memory.want, gib, 7), gib);
    parse("dom0_mem=1G,25%,min:-100%,max:100%", "");
    ck_assert_uint_eq(cmdline_amount_of(&got.memory.want, 4000, 7), 1000);
    ck_assert_uint_eq(cmdline_amount_of(&got.memory.min, 4000, 7), 0);
    ck_assert_uint_eq(cmdline_amount_of(&got.memory.max, 4000, 7), 4000);
}
END_TEST

static const struct {
    const char *line;
    unsigned set;
} sets[] = {
    {"console=none", 8},   {"console=com1", 1},    {"console=c,vga", 5},
    {"console=com2/v", 6}, {"console=vga,vga", 4}, {"console=v/com2,n", 14},
};

START_TEST(test_cmdline_parse_set_takes_all_words)
{
    parse(sets[_i].line, "");
    ck_assert_uint_eq(got.consoles, sets[_i].set);
}
END_TEST

static const struct {
    const char *line;
    uint32_t min, max;
} ranges[] = {
    {"dom0_max_vcpus=4", 4, 4},
    {"dom0_max_vcpus=2-4", 2, 4},
    {"dom0_max_vcpus=2-", 2, UINT32_MAX},
    {"dom0_max_vcpus=-4", 1, 4},
    {"dom0_max_vcpus=-", 1, UINT32_MAX},
    {"dom0-max-vcpus=4294967295", UINT32_MAX, UINT32_MAX},
};

START_TEST(test_cmdline_parse_range_knows_open_ends)
{
    parse(ranges[_i].line, "");
    ck_assert_uint_eq(got.vcpus.min, ranges[_i].min);
    ck_assert_uint_eq(got.vcpus.max, ranges[_i].max);
}
END_TEST

static void setup(void)
{
    fake_boot(1);
}

static TCase *make_case(void)
{
    TCase *tc = tcase_create("cmdline");

    tcase_add_checked_fixture(tc, setup, NULL);
    tcase_add_test(tc, test_cmdline_parse_of_empty_line_changes_nothing);
    tcase_add_test(tc, test_cmdline_parse_of_a_usual_line_understands_all);
    tcase_add_loop_test(tc, test_cmdline_parse_of_bool_sets_it, 0,
                        ARRAY_LEN(bools));
    tcase_add_loop_test(
        tc, test_cmdline_parse_of_bad_word_reports_it_and_changes_nothing, 0,
        ARRAY_LEN(bad_words));
    tcase_add_loop_test(tc, test_cmdline_parse_of_size_counts_bytes, 0,
                        ARRAY_LEN(sizes));
    tcase_add_test(tc, test_cmdline_parse_passes_over_the_file_name);
    tcase_add_test(tc, test_cmdline_parse_of_choice_takes_abbreviations);
    tcase_add_test(tc, test_cmdline_parse_of_long_word_reports_its_beginning);
    tcase_add_test(tc, test_cmdline_parse_stops_at_the_separator);
    tcase_add_test(tc, test_cmdline_parse_serial_keeps_what_is_left_out);
    tcase_add_test(tc, test_cmdline_parse_memory_knows_relative_amounts);
    tcase_add_loop_test(tc, test_cmdline_parse_set_takes_all_words, 0,
                        ARRAY_LEN(sets));
    tcase_add_loop_test(tc, test_cmdline_parse_range_knows_open_ends, 0,
                        ARRAY_LEN(ranges));
    return tc;
}

int main(void)
{
    Suite *suite = suite_create("cmdline");
    SRunner *runner = srunner_create(suite);
    int failed;

    suite_add_tcase(suite, make_case());
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
