/* SPDX-License-Identifier: MIT */
/* Where messages are, in a device of one BAR. */
#include <check.h>
#include <stdlib.h>

#include "core/machine.h"
#include "host/arch_fake.h"
#include "x86/apic.h"
#include "x86/machine_early.h"
#include "x86/msi.h"
#include "x86/pci.h"

#define DEVICE 0x18u
#define CAPABILITY 0x70u
#define MSI_CAPABILITY 0xf4u
#define BAR 0xfebf0000ull
#define LAST_ENTRY 511u

static uint32_t table_offset;
static _Alignas(PAGE_SIZE) char bar[4 * PAGE_SIZE];

uint8_t pci_find_capability(uint16_t device, uint8_t id)
{
    ck_assert_uint_eq(device, DEVICE);
    return id == PCI_CAPABILITY_MSIX ? CAPABILITY : MSI_CAPABILITY;
}

uint32_t pci_read(uint16_t device, unsigned reg, unsigned size)
{
    (void)device;
    (void)size;
    switch (reg) {
    case PCI_COMMAND:
        return PCI_COMMAND_MEMORY;
    case CAPABILITY + 2:
        return LAST_ENTRY;
    case MSI_CAPABILITY + 2:
        return 0x180; /* 64-bit addresses, a mask */
    default:
        return table_offset;
    }
}

void pci_write(uint16_t device, unsigned reg, unsigned size, uint32_t value)
{
    ck_abort_msg("%x: register %#x, %u bytes: %#x", device, reg, size, value);
}

void *map_device(uint64_t physical, size_t size)
{
    ck_assert_uint_eq(physical % PAGE_SIZE, 0);
    ck_assert_uint_eq(size, PAGE_SIZE);
    return bar + (physical - BAR);
}

uint32_t apic_id_of_cpu(unsigned cpu)
{
    return cpu;
}

static void setup(void)
{
    fake_boot(1);
    memset(bar, 0, sizeof(bar));
}

static int find(uint64_t base, uint16_t entry, struct msi *m)
{
    struct physdev_map_pirq_args wanted = {
        .devfn = DEVICE, .entry_nr = entry, .table_base = base};

    return msi_find(&wanted, m);
}

START_TEST(test_msi_table_begins_at_any_multiple_of_8)
{
    struct msi m;

    table_offset = 0x1008;
    ck_assert_int_eq(find(BAR, 2, &m), 0);
    msi_write(&m, 0x55);
    ck_assert_uint_eq(*(uint32_t *)(bar + 0x1008 + 2 * 16), 0xfee00000);
    ck_assert_uint_eq(*(uint32_t *)(bar + 0x1008 + 2 * 16 + 8), 0x55);
    ck_assert_uint_eq(*(uint32_t *)(bar + 0x1008 + 2 * 16 + 12), 1);
    table_offset = 0x2000;
    ck_assert_int_eq(find(BAR, 255, &m), 0);
    ck_assert_ptr_eq((const char *)m.entry, bar + 0x2ff0);
}
END_TEST

START_TEST(test_msi_entry_across_pages_is_refused)
{
    struct msi m;

    table_offset = 0x1008;
    ck_assert_int_eq(find(BAR, 254, &m), 0);
    ck_assert_int_eq(find(BAR, 255, &m), -EINVAL);
    ck_assert_int_eq(find(BAR, 256, &m), 0);
    ck_assert_int_eq(find(BAR + 4, 0, &m), -EINVAL);
    ck_assert_int_eq(find(BAR, LAST_ENTRY + 1, &m), -EINVAL);
}
END_TEST

START_TEST(test_msi_registers_behind_the_space_stay_there)
{
    struct msi m;

    ck_assert_int_eq(find(0, 0, &m), 0);
    ck_assert_uint_eq(m.data, 0x100);
    ck_assert_uint_eq(m.mask, 0x104);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("msi");
    TCase *tc = tcase_create("msi");
    SRunner *runner = srunner_create(suite);
    int failures;

    tcase_add_checked_fixture(tc, setup, NULL);
    tcase_add_test(tc, test_msi_table_begins_at_any_multiple_of_8);
    tcase_add_test(tc, test_msi_entry_across_pages_is_refused);
    tcase_add_test(tc, test_msi_registers_behind_the_space_stay_there);
    suite_add_tcase(suite, tc);
    srunner_run_all(runner, CK_NORMAL);
    failures = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
