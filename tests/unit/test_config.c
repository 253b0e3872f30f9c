/* SPDX-License-Identifier: MIT */
/* Configuration files: the grammar, and what it says about a domain. */
#include "dom0_tools/mica/domain_config.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dom0_tools/mica/cpu_set.h"

static struct config config;
static struct domain_config domain;
static struct error error;
static char *warnings;
static size_t warnings_size;
static FILE *warnings_file;

static void setup(void)
{
    config_init(&config);
    domain = (struct domain_config){0};
    error = (struct error){0};
    warnings_file = open_memstream(&warnings, &warnings_size);
}

static void teardown(void)
{
    config_free(&config);
    domain_config_free(&domain);
    fclose(warnings_file);
    free(warnings);
}

static int parse(const char *text)
{
    return config_parse(&config, "web.cfg", text, strlen(text), &error);
}

/* The text as a whole configuration. */
static int read_domain(const char *text)
{
    static const char rest[] = "name='web'\nkernel='/k'\n";

    ck_assert_int_eq(parse(rest), 0);
    if (parse(text))
        return -1;
    return domain_config_read(&config, &domain, warnings_file, &error);
}

static const struct config_value *value(const char *name)
{
    const struct config_setting *s = config_find(&config, name);

    ck_assert_msg(s, "no setting %s", name);
    return &s->value;
}

static void expect_error(const char *text, const char *what)
{
    ck_assert_int_eq(parse(text), -1);
    ck_assert_int_eq(error.status, EXIT_STATUS_USAGE);
    ck_assert_str_eq(error.what, what);
    ck_assert(error.hint[0]);
}

START_TEST(test_config_strings_of_both_quotes)
{
    ck_assert_int_eq(parse("a = \"x 'y'\"\nb='z \"w\"'"), 0);
    ck_assert_str_eq(value("a")->text, "x 'y'");
    ck_assert_str_eq(value("b")->text, "z \"w\"");
}
END_TEST

START_TEST(test_config_escapes)
{
    ck_assert_int_eq(parse("a = \"1\\n2\\t\\x41\\101\\\\\\\"\""), 0);
    ck_assert_str_eq(value("a")->text, "1\n2\tAA\\\"");
}
END_TEST

START_TEST(test_config_long_strings_span_lines)
{
    ck_assert_int_eq(parse("a = \"\"\"one\n\"two\"\n\"\"\"\nb = 2"), 0);
    ck_assert_str_eq(value("a")->text, "one\n\"two\"\n");
    ck_assert_int_eq(value("b")->number, 2);
}
END_TEST

START_TEST(test_config_numbers_of_all_bases)
{
    ck_assert_int_eq(parse("a=12;b=0x1F;c=-3;d=010"), 0);
    ck_assert_int_eq(value("a")->number, 12);
    ck_assert_int_eq(value("b")->number, 31);
    ck_assert_int_eq(value("c")->number, -3);
    ck_assert_int_eq(value("d")->number, 8);
    ck_assert_str_eq(value("b")->text, "0x1F");
}
END_TEST

START_TEST(test_config_lists_with_lines_comments_and_last_comma)
{
    ck_assert_int_eq(parse("d = [ 'a', # first\n  'b',\n]\ne = []"), 0);
    ck_assert_uint_eq(value("d")->count, 2);
    ck_assert_str_eq(value("d")->items[1].text, "b");
    ck_assert_uint_eq(value("d")->items[1].line, 2);
    ck_assert_uint_eq(value("e")->count, 0);
}
END_TEST

START_TEST(test_config_later_setting_replaces)
{
    ck_assert_int_eq(parse("a=1\na='two'\n"), 0);
    ck_assert_uint_eq(config.count, 1);
    ck_assert_str_eq(value("a")->text, "two");
}
END_TEST

START_TEST(test_config_plus_extends_strings_and_lists)
{
    ck_assert_int_eq(parse("a='x'\na+='y'\nl=['1']\nl+=['2','3']\nl+=['4']"),
                     0);
    ck_assert_str_eq(value("a")->text, "xy");
    ck_assert_uint_eq(value("l")->count, 4);
    ck_assert_str_eq(value("l")->items[3].text, "4");
}
END_TEST

START_TEST(test_config_plus_of_unlike_values_is_refused)
{
    expect_error("a='x'\na += 3",
                 "web.cfg:2:6: \"+=\" can't join these values");
}
END_TEST

START_TEST(test_config_dos_line_ends)
{
    ck_assert_int_eq(parse("a=1\r\nb='x'\r\n"), 0);
    ck_assert_int_eq(value("a")->number, 1);
    ck_assert_str_eq(value("b")->text, "x");
}
END_TEST

START_TEST(test_config_errors_tell_the_place)
{
    expect_error("a = 1\nb = \"open\nc = 2",
                 "web.cfg:2:5: the string does not end in its line");
    expect_error("x = 'open", "web.cfg:1:5: the string does not end");
    expect_error("\n\n  = 3", "web.cfg:3:3: expected the name of a setting");
    expect_error("a 3", "web.cfg:1:3: expected \"=\" after a name");
    expect_error("a = ", "web.cfg:1:5: expected a value");
    expect_error("a = foo", "web.cfg:1:5: expected a value");
    expect_error("a = 1 2", "web.cfg:1:7: more text after a value");
    expect_error("a = 12k", "web.cfg:1:5: this is not a whole number");
    expect_error("a = 99999999999999999999",
                 "web.cfg:1:5: this number is too large");
    expect_error("a = ['b' 'c']",
                 "web.cfg:1:10: expected \",\" or \"]\" in a list");
    expect_error("a = ['b'", "web.cfg:1:9: expected \",\" or \"]\" in a list");
    expect_error("a = \"\\q\"",
                 "web.cfg:1:7: unknown escape after a backslash");
    expect_error("a = [[[[[[[[[1]]]]]]]]]",
                 "web.cfg:1:13: lists are nested too deeply");
}
END_TEST

START_TEST(test_config_zero_byte_is_refused)
{
    ck_assert_int_eq(config_parse(&config, "f", "a='\0'", 5, &error), -1);
    ck_assert_int_eq(config_parse(&config, "f", "a\0=1", 4, &error), -1);
}
END_TEST

START_TEST(test_config_argument_needs_no_quotes)
{
    ck_assert_int_eq(config_parse_argument(&config, "name=web2", &error), 0);
    ck_assert_int_eq(config_parse_argument(&config, "memory=64", &error), 0);
    ck_assert_int_eq(config_parse_argument(&config, "d=['x']", &error), 0);
    ck_assert_int_eq(config_parse_argument(&config, "k=/boot/a b", &error), 0);
    ck_assert_int_eq(config_parse_argument(&config, "cpus=0-3", &error), 0);
    ck_assert_str_eq(value("name")->text, "web2");
    ck_assert_int_eq(value("memory")->kind, CONFIG_NUMBER);
    ck_assert_int_eq(value("d")->kind, CONFIG_LIST);
    ck_assert_str_eq(value("k")->text, "/boot/a b");
    ck_assert_str_eq(value("cpus")->text, "0-3");
}
END_TEST

START_TEST(test_config_bad_argument_is_refused)
{
    ck_assert_int_eq(config_parse_argument(&config, "name", &error), -1);
    ck_assert_str_eq(error.what, "\"name\" is no setting");
    ck_assert_int_eq(config_parse_argument(&config, "a=\"x", &error), -1);
    ck_assert_int_eq(config_parse_argument(&config, "=3", &error), -1);
}
END_TEST

START_TEST(test_config_missing_file_says_so)
{
    ck_assert_int_eq(config_read(&config, "/nonexistent/x.cfg", &error), -1);
    ck_assert_int_eq(error.number, 2);
    ck_assert_str_eq(error.what, "can't read /nonexistent/x.cfg");
}
END_TEST

START_TEST(test_config_defaults)
{
    ck_assert_int_eq(read_domain(""), 0);
    ck_assert_uint_eq(domain.memory, 128);
    ck_assert_uint_eq(domain.maxmem, 128);
    ck_assert_uint_eq(domain.vcpus, 1);
    ck_assert_uint_eq(domain.maxvcpus, 1);
    ck_assert_uint_eq(domain.cpu_weight, 256);
    ck_assert_uint_eq(domain.on_poweroff, DOMAIN_ACTION_DESTROY);
    ck_assert_uint_eq(domain.on_reboot, DOMAIN_ACTION_RESTART);
    ck_assert_str_eq(domain.command_line, "");
    ck_assert_uint_eq(strlen(domain.uuid_text), 36);
    ck_assert_uint_eq(domain.uuid.bytes[6] >> 4, 4);
}
END_TEST

START_TEST(test_config_command_line_from_root_and_extra)
{
    ck_assert_int_eq(read_domain("root='/dev/xvda1'\nextra='ro quiet'"), 0);
    ck_assert_str_eq(domain.command_line, "root=/dev/xvda1 ro quiet");
}
END_TEST

START_TEST(test_config_cmdline_wins_over_root_and_extra)
{
    ck_assert_int_eq(read_domain("cmdline='a'\nroot='b'\nextra='c'"), 0);
    ck_assert_str_eq(domain.command_line, "a");
}
END_TEST

START_TEST(test_config_number_in_quotes_is_a_number)
{
    ck_assert_int_eq(read_domain("memory='512'"), 0);
    ck_assert_uint_eq(domain.memory, 512);
}
END_TEST

START_TEST(test_config_uuid_is_brought_into_form)
{
    ck_assert_int_eq(read_domain("uuid='0123456789ABCDEF0123456789abcdef'"), 0);
    ck_assert_str_eq(domain.uuid_text, "01234567-89ab-cdef-0123-456789abcdef");
    ck_assert_uint_eq(domain.uuid.bytes[15], 0xef);
}
END_TEST

static const struct refusal {
    const char *text, *what, *why;
} refusals[] = {
    {"memory='much'", "web.cfg:1:8: memory", "it wants a number, not a string"},
    {"memory=0", "web.cfg:1:8: memory", "0 is out of range"},
    {"memory=-5", "web.cfg:1:8: memory", "-5 is out of range"},
    {"vcpus=1000", "web.cfg:1:7: vcpus", "1000 is out of range"},
    {"memory=[1]", "web.cfg:1:8: memory", "it wants a number, not a list"},
    {"kernel=['a']", "web.cfg:1:8: kernel", "it wants a string, not a list"},
    {"on_crash='explode'", "web.cfg:1:10: on_crash",
     "\"explode\" is not possible"},
    {"type='hvm'", "web.cfg:1:6: type", "\"hvm\" is not possible"},
    {"memory=9\nmaxmem=8", "maxmem=8 is less than memory=9", ""},
    {"vcpus=3\nmaxvcpus=2", "maxvcpus=2 is less than vcpus=3", ""},
    {"vcpus=2\ncap=201", "cap=201 is more than all can use", ""},
    {"name='12'", "\"12\" is no name for a domain", ""},
    {"name='a/b'", "\"a/b\" is no name for a domain", ""},
    {"name=''", "\"\" is no name for a domain", ""},
    {"kernel=''", "the configuration has no kernel", ""},
    {"uuid='abc'", "\"abc\" is no UUID", ""},
    {"cpus='0-'", "cpus: \"0-\" is no set of CPUs", ""},
    {"cpus=['0','^all']", "cpus: \"^all\" is no set of CPUs", ""},
};

START_TEST(test_config_refusals)
{
    const struct refusal *r = &refusals[_i];

    ck_assert_int_eq(read_domain(r->text), -1);
    ck_assert_int_eq(error.status, EXIT_STATUS_USAGE);
    ck_assert_str_eq(error.what, r->what);
    if (*r->why)
        ck_assert_str_eq(error.why, r->why);
    ck_assert(error.hint[0]);
}
END_TEST

START_TEST(test_config_long_command_line_is_refused)
{
    char text[1200];

    snprintf(text, sizeof(text), "extra='%01024d'", 0);
    ck_assert_int_eq(read_domain(text), -1);
    ck_assert_str_eq(error.why,
                     "it has 1024 bytes, and a guest can be given 1023");
}
END_TEST

START_TEST(test_config_unknown_setting_is_a_warning_with_a_suggestion)
{
    ck_assert_int_eq(read_domain("memmory=5\n\nfrobnicate=[]"), 0);
    fflush(warnings_file);
    ck_assert_str_eq(
        warnings,
        "mica: warning: web.cfg:1:1: unknown setting memmory is ignored; did "
        "you mean memory?\n"
        "mica: warning: web.cfg:3:1: unknown setting frobnicate is ignored\n");
}
END_TEST

START_TEST(test_config_disks_are_kept_with_a_warning)
{
    ck_assert_int_eq(read_domain("disk=['a','b']\nvif=[]"), 0);
    fflush(warnings_file);
    ck_assert_str_eq(warnings, "mica: warning: web.cfg:1:1: disk is kept, but "
                               "nothing serves it yet\n");
    ck_assert_uint_eq(domain.disk.count, 2);
}
END_TEST

START_TEST(test_config_prints_what_reads_back)
{
    static const char text[] = "name = \"web\"\n"
                               "uuid = \"01234567-89ab-cdef-0123-"
                               "456789abcdef\"\n"
                               "kernel = \"/k \\\"q\\\"\\\\\\x0a\"\n"
                               "memory = 64\n"
                               "maxmem = 64\n"
                               "vcpus = 2\n"
                               "maxvcpus = 2\n"
                               "cpus = [\"0\", \"1-2\"]\n"
                               "cpus_soft = \"all\"\n"
                               "on_crash = \"preserve\"\n";
    char *printed = NULL;
    size_t size;
    FILE *out = open_memstream(&printed, &size);

    ck_assert_int_eq(read_domain(text), 0);
    domain_config_print(&domain, out);
    fclose(out);
    ck_assert_str_eq(printed, text);
    free(printed);
}
END_TEST

START_TEST(test_config_json_has_the_shape_of_xl)
{
    json_t *json;

    ck_assert_int_eq(read_domain("memory=64\nvcpus=2\ndisk=['x']"), 0);
    json = domain_config_json(&domain);
    ck_assert_ptr_nonnull(json);
    ck_assert_str_eq(json_string_value(json_object_get(
                         json_object_get(json, "c_info"), "name")),
                     "web");
    ck_assert_int_eq(json_integer_value(json_object_get(
                         json_object_get(json, "b_info"), "target_memkb")),
                     65536);
    ck_assert_uint_eq(json_array_size(json_object_get(json, "disks")), 1);
    ck_assert_str_eq(json_string_value(json_object_get(json, "on_reboot")),
                     "restart");
    json_decref(json);
}
END_TEST

static void expect_set(const char *text, unsigned count, const char *printed)
{
    struct cpu_set set;
    char *written = NULL;
    size_t size;
    FILE *out = open_memstream(&written, &size);

    ck_assert_msg(cpu_set_parse(text, &set), "%s", text);
    cpu_set_print(&set, count, out);
    fclose(out);
    ck_assert_str_eq(written, printed);
    free(written);
}

START_TEST(test_config_cpu_sets)
{
    expect_set("all", 8, "all");
    expect_set("0-7", 8, "all");
    expect_set("0-3, 6", 8, "0-3,6");
    expect_set("0-3,^1", 8, "0,2-3");
    expect_set("^0", 4, "1-3");
    expect_set("all,^5-6", 8, "0-4,7");
    expect_set("9", 8, "none");
}
END_TEST

START_TEST(test_config_bad_cpu_sets)
{
    static const char *const bad[] = {"",    ",",   "1,",   "a",    "3-1",
                                      "-",   "1 2", "^",    "1--2", "99999",
                                      "0x1", "1-",  "all0", "^all", "1,,2"};
    struct cpu_set set;
    unsigned i;

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        ck_assert_msg(!cpu_set_parse(bad[i], &set), "%s", bad[i]);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("config");
    TCase *t = tcase_create("config");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, test_config_strings_of_both_quotes);
    tcase_add_test(t, test_config_escapes);
    tcase_add_test(t, test_config_long_strings_span_lines);
    tcase_add_test(t, test_config_numbers_of_all_bases);
    tcase_add_test(t, test_config_lists_with_lines_comments_and_last_comma);
    tcase_add_test(t, test_config_later_setting_replaces);
    tcase_add_test(t, test_config_plus_extends_strings_and_lists);
    tcase_add_test(t, test_config_plus_of_unlike_values_is_refused);
    tcase_add_test(t, test_config_dos_line_ends);
    tcase_add_test(t, test_config_errors_tell_the_place);
    tcase_add_test(t, test_config_zero_byte_is_refused);
    tcase_add_test(t, test_config_argument_needs_no_quotes);
    tcase_add_test(t, test_config_bad_argument_is_refused);
    tcase_add_test(t, test_config_missing_file_says_so);
    tcase_add_test(t, test_config_defaults);
    tcase_add_test(t, test_config_command_line_from_root_and_extra);
    tcase_add_test(t, test_config_cmdline_wins_over_root_and_extra);
    tcase_add_test(t, test_config_number_in_quotes_is_a_number);
    tcase_add_test(t, test_config_uuid_is_brought_into_form);
    tcase_add_loop_test(t, test_config_refusals, 0,
                        sizeof(refusals) / sizeof(refusals[0]));
    tcase_add_test(t, test_config_long_command_line_is_refused);
    tcase_add_test(t,
                   test_config_unknown_setting_is_a_warning_with_a_suggestion);
    tcase_add_test(t, test_config_disks_are_kept_with_a_warning);
    tcase_add_test(t, test_config_prints_what_reads_back);
    tcase_add_test(t, test_config_json_has_the_shape_of_xl);
    tcase_add_test(t, test_config_cpu_sets);
    tcase_add_test(t, test_config_bad_cpu_sets);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    SRunner *r = srunner_create(suite());
    int failed;

    srunner_run_all(r, CK_ENV);
    failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
