/* SPDX-License-Identifier: MIT */
/* The parser of ACPI tables on firmware made up by hand, sound and broken. */
#include <check.h>
#include <stdlib.h>

#include "x86/acpi.h"
#include "x86/machine_early.h"

#define MEMORY_SIZE 0x110000u
#define HEADER 36u
#define RSDP_AT 0xe0040u
#define ROOT_AT 0x100000u
#define MADT_AT 0x101000u
#define FADT_AT 0x102000u
#define OTHER_AT 0x103000u
#define MAX_MAPPINGS 64u

static uint8_t *memory;
static void *mappings[MAX_MAPPINGS];
static unsigned mapping_count;
static uint32_t root_entries;

/* A copy of just the size asked for, so that reads beyond it are noticed. */
const void *map_firmware(uint64_t physical, size_t size)
{
    uint8_t *copy = calloc(1, size);

    ck_assert_uint_lt(mapping_count, MAX_MAPPINGS);
    for (size_t i = 0; i < size; i++)
        if (physical + i < MEMORY_SIZE)
            copy[i] = memory[physical + i];
    return mappings[mapping_count++] = copy;
}

static void setup(void)
{
    memory = calloc(1, MEMORY_SIZE);
    mapping_count = 0;
    root_entries = 0;
}

static void teardown(void)
{
    while (mapping_count)
        free(mappings[--mapping_count]);
    free(memory);
}

static void put(uint32_t at, uint64_t value, unsigned bytes)
{
    memcpy(memory + at, &value, bytes);
}

static void fix_sum(uint32_t at, uint32_t size, uint32_t sum_at)
{
    uint8_t sum = 0;

    for (uint32_t i = 0; i < size; i++)
        sum = (uint8_t)(sum + memory[at + i]);
    memory[at + sum_at] = (uint8_t)(memory[at + sum_at] - sum);
}

static void finish_table(uint32_t at, const char *signature, uint32_t size)
{
    memcpy(memory + at, signature, 4);
    put(at + 4, size, 4);
    fix_sum(at, size, 9);
}

static void list_table(uint32_t at)
{
    put(ROOT_AT + HEADER + 8 * root_entries++, at, 8);
}

static void make_root(void)
{
    memcpy(memory + RSDP_AT, "RSD PTR ", 8);
    memory[RSDP_AT + 15] = 2;
    put(RSDP_AT + 20, ACPI_RSDP_SIZE, 4);
    put(RSDP_AT + 24, ROOT_AT, 8);
    fix_sum(RSDP_AT, 20, 8);
    fix_sum(RSDP_AT, ACPI_RSDP_SIZE, 32);
    finish_table(ROOT_AT, "XSDT", HEADER + 8 * root_entries);
}

/* Appends an entry to the MADT, whose size so far is *size. */
static void add_entry(uint32_t *size, const char *bytes, unsigned length)
{
    memcpy(memory + MADT_AT + *size, bytes, length);
    *size += length;
}

static void make_madt(void)
{
    uint32_t size = 44;

    put(MADT_AT + 36, 0xfee00000, 4);
    put(MADT_AT + 40, 1, 4);
    add_entry(&size, "\0\x08\0\0\1\0\0\0", 8);
    add_entry(&size, "\0\x08\1\2\1\0\0\0", 8);
    add_entry(&size, "\0\x08\2\4\0\0\0\0", 8);   /* disabled */
    add_entry(&size, "\0\x08\3\2\1\0\0\0", 8);   /* same id again */
    add_entry(&size, "\0\x08\4\xff\1\0\0\0", 8); /* no processor */
    add_entry(&size, "\x09\x10\0\0\0\1\0\0\1\0\0\0\7\0\0\0", 16);
    add_entry(&size, "\1\x0c\5\0\0\0\xc0\xfe\0\0\0\0", 12);
    add_entry(&size, "\2\x0a\0\0\2\0\0\0\0\0", 10);
    add_entry(&size, "\2\x0a\0\x09\x09\0\0\0\x0d\0", 10);
    finish_table(MADT_AT, "APIC", size);
    list_table(MADT_AT);
}

static const struct acpi_info *init(void)
{
    make_root();
    acpi_init((struct bytes){memory + RSDP_AT, ACPI_RSDP_SIZE});
    return acpi_info();
}

START_TEST(test_acpi_nothing_found_leaves_defaults)
{
    acpi_init((struct bytes){NULL, 0});
    ck_assert_uint_eq(acpi_info()->cpu_count, 0);
    ck_assert_uint_eq(acpi_info()->isa[5].gsi, 5);
}
END_TEST

START_TEST(test_acpi_madt_is_understood)
{
    const struct acpi_info *a;

    make_madt();
    a = init();
    ck_assert_uint_eq(a->cpu_count, 3);
    ck_assert_uint_eq(a->cpus[1].apic_id, 2);
    ck_assert_uint_eq(a->cpus[1].acpi_id, 1);
    ck_assert_uint_eq(a->cpus[2].apic_id, 0x100);
    ck_assert_uint_eq(a->cpus[2].acpi_id, 7);
    ck_assert_uint_eq(a->ioapic_count, 1);
    ck_assert_uint_eq(a->ioapics[0].address, 0xfec00000);
    ck_assert_uint_eq(a->isa[0].gsi, 2);
    ck_assert(!a->isa[0].is_level);
    ck_assert(a->isa[9].is_level && !a->isa[9].is_active_low);
}
END_TEST

START_TEST(test_acpi_old_root_pointer_leads_to_the_old_table)
{
    make_madt();
    make_root();
    put(RSDP_AT + 16, ROOT_AT, 4);
    put(ROOT_AT + HEADER, MADT_AT, 4);
    finish_table(ROOT_AT, "RSDT", HEADER + 4);
    acpi_init((struct bytes){memory + RSDP_AT, 20});
    ck_assert_uint_eq(acpi_info()->cpu_count, 3);
    acpi_init((struct bytes){memory + RSDP_AT, 15});
    ck_assert_uint_eq(acpi_info()->cpu_count, 0);
}
END_TEST

static void make_both_roots(void)
{
    make_madt();
    make_root();
    put(RSDP_AT + 16, OTHER_AT, 4);
    put(OTHER_AT + HEADER, MADT_AT, 4);
    finish_table(OTHER_AT, "RSDT", HEADER + 4);
}

START_TEST(test_acpi_without_new_root_table_the_old_one_is_used)
{
    make_both_roots();
    put(RSDP_AT + 24, 0, 8);
    acpi_init((struct bytes){memory + RSDP_AT, ACPI_RSDP_SIZE});
    ck_assert_uint_eq(acpi_info()->cpu_count, 3);
}
END_TEST

START_TEST(test_acpi_with_broken_new_root_table_the_old_one_is_used)
{
    make_both_roots();
    memory[ROOT_AT + 10]++;
    acpi_init((struct bytes){memory + RSDP_AT, ACPI_RSDP_SIZE});
    ck_assert_uint_eq(acpi_info()->cpu_count, 3);
}
END_TEST

START_TEST(test_acpi_of_two_equal_tables_the_first_is_used)
{
    make_madt();
    list_table(MADT_AT);
    put(FADT_AT + 64, 0x604, 4);
    finish_table(FADT_AT, "FACP", 116);
    list_table(FADT_AT);
    put(OTHER_AT + 64, 0x1804, 4);
    finish_table(OTHER_AT, "FACP", 116);
    list_table(OTHER_AT);
    ck_assert_uint_eq(init()->ioapic_count, 1);
    ck_assert_uint_eq(acpi_info()->pm1a_control, 0x604);
}
END_TEST

START_TEST(test_acpi_broken_table_does_not_hide_a_second_one)
{
    make_madt();
    memcpy(memory + OTHER_AT, memory + MADT_AT, 256);
    memory[MADT_AT + 10]++;
    list_table(OTHER_AT);
    ck_assert_uint_eq(init()->cpu_count, 3);
}
END_TEST

START_TEST(test_acpi_table_with_wrong_sum_is_ignored)
{
    make_madt();
    memory[MADT_AT + 44]++;
    ck_assert_uint_eq(init()->cpu_count, 0);
}
END_TEST

START_TEST(test_acpi_entry_beyond_the_table_ends_it)
{
    uint32_t size = 44;

    add_entry(&size, "\0\x08\0\0\1\0\0\0", 8);
    add_entry(&size, "\0\xff\1\1\1\0\0\0", 8);
    finish_table(MADT_AT, "APIC", size);
    list_table(MADT_AT);
    ck_assert_uint_eq(init()->cpu_count, 1);
}
END_TEST

START_TEST(test_acpi_entry_without_length_ends_the_table)
{
    uint32_t size = 44;

    add_entry(&size, "\0\0\0\0", 4);
    add_entry(&size, "\0\x08\0\0\1\0\0\0", 8);
    finish_table(MADT_AT, "APIC", size);
    list_table(MADT_AT);
    ck_assert_uint_eq(init()->cpu_count, 0);
}
END_TEST

START_TEST(test_acpi_table_of_impossible_length_is_ignored)
{
    static const uint32_t lengths[] = {0, 35, 0x7fffffff, UINT32_MAX};

    for (unsigned i = 0; i < ARRAY_LEN(lengths); i++) {
        teardown();
        setup();
        memcpy(memory + MADT_AT, "APIC", 4);
        put(MADT_AT + 4, lengths[i], 4);
        list_table(MADT_AT);
        ck_assert_uint_eq(init()->cpu_count, 0);
    }
}
END_TEST

START_TEST(test_acpi_table_at_the_end_of_addresses_is_ignored)
{
    make_madt();
    list_table(0);
    put(ROOT_AT + HEADER + 8 * root_entries++, UINT64_MAX - 8, 8);
    ck_assert_uint_eq(init()->cpu_count, 3);
}
END_TEST

START_TEST(test_acpi_old_fadt_gives_ports_only)
{
    put(FADT_AT + 64, 0x604, 4);
    put(FADT_AT + 76, 0x608, 4);
    put(FADT_AT + 112, 1 << 10, 4);
    finish_table(FADT_AT, "FACP", 116);
    list_table(FADT_AT);
    ck_assert_uint_eq(init()->pm1a_control, 0x604);
    ck_assert_uint_eq(acpi_info()->pm_timer, 0x608);
    ck_assert_uint_eq(acpi_info()->reset, 0);
}
END_TEST

START_TEST(test_acpi_register_that_is_no_port_is_left_out)
{
    put(FADT_AT + 112, 1 << 10, 4);
    put(FADT_AT + 120, 0xfed80000, 8);
    put(FADT_AT + 172, 1, 1);
    put(FADT_AT + 176, 0x10000, 8);
    finish_table(FADT_AT, "FACP", 244);
    list_table(FADT_AT);
    ck_assert_uint_eq(init()->pm1a_control, 0);
    ck_assert_uint_eq(acpi_info()->reset, 0);
}
END_TEST

START_TEST(test_acpi_new_fadt_gives_the_wide_registers)
{
    put(FADT_AT + 64, 0x604, 4);
    put(FADT_AT + 112, 1 << 10, 4);
    put(FADT_AT + 116, 1, 1);
    put(FADT_AT + 120, 0xcf9, 8);
    put(FADT_AT + 128, 6, 1);
    put(FADT_AT + 172, 1, 1);
    put(FADT_AT + 176, 0x1804, 8);
    put(FADT_AT + 208, 1, 1);
    put(FADT_AT + 212, 0x1808, 8);
    finish_table(FADT_AT, "FACP", 244);
    list_table(FADT_AT);
    ck_assert_uint_eq(init()->pm1a_control, 0x1804);
    ck_assert_uint_eq(acpi_info()->pm_timer, 0x1808);
    ck_assert_uint_eq(acpi_info()->reset, 0xcf9);
    ck_assert_uint_eq(acpi_info()->reset_value, 6);
}
END_TEST

START_TEST(test_acpi_hpet_is_found)
{
    put(OTHER_AT + 44, 0xfed00000, 8);
    finish_table(OTHER_AT, "HPET", 56);
    list_table(OTHER_AT);
    ck_assert_uint_eq(init()->hpet_address, 0xfed00000);
}
END_TEST

START_TEST(test_acpi_too_many_processors_are_left_out)
{
    uint32_t size = 44;

    for (unsigned i = 0; i < ACPI_MAX_CPUS + 5; i++) {
        char e[16] = {9, 16, 0, 0, (char)i, (char)(i >> 8), 0, 0, 1};

        add_entry(&size, e, sizeof(e));
    }
    finish_table(MADT_AT, "APIC", size);
    memmove(memory + 0x104000, memory + MADT_AT, size);
    list_table(0x104000);
    ck_assert_uint_eq(init()->cpu_count, ACPI_MAX_CPUS);
}
END_TEST

static void add_tests(TCase *c)
{
    tcase_add_test(c, test_acpi_nothing_found_leaves_defaults);
    tcase_add_test(c, test_acpi_madt_is_understood);
    tcase_add_test(c, test_acpi_old_root_pointer_leads_to_the_old_table);
    tcase_add_test(c, test_acpi_without_new_root_table_the_old_one_is_used);
    tcase_add_test(c, test_acpi_with_broken_new_root_table_the_old_one_is_used);
    tcase_add_test(c, test_acpi_of_two_equal_tables_the_first_is_used);
    tcase_add_test(c, test_acpi_broken_table_does_not_hide_a_second_one);
    tcase_add_test(c, test_acpi_table_with_wrong_sum_is_ignored);
    tcase_add_test(c, test_acpi_entry_beyond_the_table_ends_it);
    tcase_add_test(c, test_acpi_entry_without_length_ends_the_table);
    tcase_add_test(c, test_acpi_table_of_impossible_length_is_ignored);
    tcase_add_test(c, test_acpi_table_at_the_end_of_addresses_is_ignored);
    tcase_add_test(c, test_acpi_old_fadt_gives_ports_only);
    tcase_add_test(c, test_acpi_register_that_is_no_port_is_left_out);
    tcase_add_test(c, test_acpi_new_fadt_gives_the_wide_registers);
    tcase_add_test(c, test_acpi_hpet_is_found);
    tcase_add_test(c, test_acpi_too_many_processors_are_left_out);
}

int main(void)
{
    Suite *s = suite_create("acpi");
    TCase *c = tcase_create("tables");
    SRunner *r;
    int failed;

    tcase_add_checked_fixture(c, setup, teardown);
    add_tests(c);
    suite_add_tcase(s, c);
    r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
