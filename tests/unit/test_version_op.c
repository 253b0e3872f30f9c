/* SPDX-License-Identifier: MIT */
/* The small calls: xen_version, vm_assist, console_io, platform_op. */
#include <check.h>
#include <stdlib.h>

#include "core/machine.h"
#include "host/arch_fake.h"
#include "host/guest_fake.h"
#include "hypercall_abi/console.h"
#include "hypercall_abi/version.h"
#include "hypercall_abi/vm_assist.h"

const char *machine_command_line = "loglvl=all noreboot";

static struct domain *d, *guest;
static size_t build_id_size = 3;

const void *machine_build_id(size_t *size)
{
    *size = build_id_size;
    return "\x11\x22\x33";
}

static struct {
    uint64_t secs;
    unsigned state;
} machine;

void machine_set_time(uint64_t secs, uint32_t nsecs, nsec_t system_time)
{
    (void)nsecs;
    (void)system_time;
    machine.secs = secs;
}

int machine_acpi_sleep(unsigned state, uint16_t pm1a, uint16_t pm1b)
{
    (void)pm1a;
    (void)pm1b;
    machine.state = state;
    return state == 5 ? 0 : -EINVAL;
}

void machine_cpu_ids(unsigned cpu, uint32_t *apic_id, uint32_t *acpi_id)
{
    ck_assert_uint_lt(cpu, pcpu_count);
    *apic_id = cpu * 2;
    *acpi_id = cpu + 1;
}

int machine_firmware_info(struct xenpf_firmware_info_args *info)
{
    if (info->type != XEN_FW_KBD_SHIFT_FLAGS)
        return -ESRCH;
    info->u.kbd_shift_flags = 0x20;
    return 0;
}

static void setup(void)
{
    fake_boot(2);
    guest = fake_domain(3, 1);
    d = fake_domain(0, 1);
    d->is_privileged = true;
    fake_run(d->vcpus[0]);
}

static long version(unsigned cmd)
{
    return fake_call(hc_xen_version, cmd, FAKE_GUEST_VA, 0);
}

static uint32_t features(void)
{
    struct xenver_get_features_args op = {.submap_idx = 0};

    ck_assert_int_eq(fake_call_with(hc_xen_version, XENVER_get_features, &op),
                     0);
    return op.submap;
}

static long build_id(uint32_t room)
{
    memset(fake_guest_page, 0xaa, PAGE_SIZE);
    memcpy(fake_guest_page, &room, sizeof(room));
    return version(XENVER_build_id);
}

START_TEST(test_version_build_id_is_for_the_privileged)
{
    ck_assert_int_eq(fake_call(hc_xen_version, XENVER_build_id, 0, 0), 3);
    ck_assert_int_eq(build_id(0), -EINVAL);
    ck_assert_int_eq(build_id(2), -ENOBUFS);
    ck_assert_int_eq(build_id(4), 3);
    ck_assert_uint_eq(fake_guest_page[4], 0x11);
    ck_assert_uint_eq(fake_guest_page[6], 0x33);
    ck_assert_uint_eq(fake_guest_page[7], 0xaa);
    ck_assert_int_eq(fake_call(hc_xen_version, XENVER_build_id, FAKE_BAD_VA, 0),
                     -EFAULT);
    build_id_size = 0;
    ck_assert_int_eq(build_id(4), -ENODATA);
    fake_run(guest->vcpus[0]);
    ck_assert_int_eq(build_id(4), -EPERM);
}
END_TEST

START_TEST(test_version_numbers_are_those_of_the_interface)
{
    ck_assert_int_eq(fake_call(hc_xen_version, XENVER_version, 0, 0), 0x40011);
    ck_assert_int_eq(fake_call(hc_xen_version, XENVER_pagesize, 0, 0), 4096);
    ck_assert_int_eq(version(99), -ENOSYS);
}
END_TEST

START_TEST(test_version_texts_fill_their_fields)
{
    memset(fake_guest_page, 0xff, PAGE_SIZE);
    ck_assert_int_eq(version(XENVER_extraversion), 0);
    ck_assert_mem_eq(fake_guest_page, "-mica\0\0\0\0\0\0\0\0\0\0\0\xff", 17);
    ck_assert_int_eq(version(XENVER_capabilities), 0);
    ck_assert_str_eq((char *)fake_guest_page, "xen-3.0-x86_64 ");
    ck_assert_uint_eq(fake_guest_page[1023], 0);
    ck_assert_uint_eq(fake_guest_page[1024], 0xff);
    ck_assert_int_eq(fake_call(hc_xen_version, 1, FAKE_BAD_VA, 0), -EFAULT);
}
END_TEST

START_TEST(test_version_features_are_what_linux_needs_and_no_more)
{
    struct xenver_get_features_args op = {.submap_idx = 1};

    ck_assert_uint_eq(features(), 0x108f0);
    ck_assert_int_eq(fake_call_with(hc_xen_version, XENVER_get_features, &op),
                     -EINVAL);
    fake_run(guest->vcpus[0]);
    ck_assert_uint_eq(features(), 0x100f0);
}
END_TEST

START_TEST(test_version_command_line_is_for_dom0)
{
    ck_assert_int_eq(version(XENVER_commandline), 0);
    ck_assert_str_eq((char *)fake_guest_page, machine_command_line);
    fake_run(guest->vcpus[0]);
    ck_assert_int_eq(version(XENVER_commandline), -EPERM);
}
END_TEST

START_TEST(test_vm_assist_sets_and_clears_known_types)
{
    ck_assert_int_eq(fake_call(hc_vm_assist, VMASST_CMD_enable,
                               VMASST_TYPE_runstate_update_flag, 0),
                     0);
    ck_assert(domain_has_assist(d, VMASST_TYPE_runstate_update_flag));
    ck_assert_int_eq(fake_call(hc_vm_assist, VMASST_CMD_disable,
                               VMASST_TYPE_runstate_update_flag, 0),
                     0);
    ck_assert_uint_eq(d->vm_assist, 0);
    ck_assert_int_eq(fake_call(hc_vm_assist, 0, 6, 0), -EINVAL);
    ck_assert_int_eq(fake_call(hc_vm_assist, 0, 64, 0), -EINVAL);
    ck_assert_int_eq(fake_call(hc_vm_assist, 0, UINT64_MAX, 0), -EINVAL);
    ck_assert_int_eq(fake_call(hc_vm_assist, 2, 0, 0), -ENOSYS);
}
END_TEST

static long console(unsigned cmd, uint64_t count, uint64_t va)
{
    return fake_call(hc_console_io, cmd, count, va);
}

START_TEST(test_console_write_takes_any_length)
{
    ck_assert_int_eq(console(CONSOLEIO_write, 0, FAKE_BAD_VA), 0);
    ck_assert_int_eq(console(CONSOLEIO_write, 1000, FAKE_GUEST_VA), 0);
    ck_assert_int_eq(console(CONSOLEIO_write, PAGE_SIZE + 1, FAKE_GUEST_VA),
                     -EFAULT);
    ck_assert_int_eq(console(CONSOLEIO_write, UINT32_MAX, FAKE_GUEST_VA),
                     -EFAULT);
    ck_assert_int_eq(console(7, 1, FAKE_GUEST_VA), -ENOSYS);
}
END_TEST

START_TEST(test_console_write_that_is_long_restarts)
{
    pcpus[0].need_resched = true;
    ck_assert_int_eq(console(CONSOLEIO_write, 1000, FAKE_GUEST_VA),
                     HC_console_io);
    ck_assert_uint_eq(fake.restarts, 1);
}
END_TEST

START_TEST(test_console_read_gets_what_was_typed)
{
    fake.console_input = "hello";
    ck_assert_int_eq(console(CONSOLEIO_read, 3, FAKE_GUEST_VA), 3);
    ck_assert_int_eq(console(CONSOLEIO_read, UINT32_MAX, FAKE_GUEST_VA + 3), 2);
    ck_assert_int_eq(console(CONSOLEIO_read, 9, FAKE_GUEST_VA), 0);
    ck_assert_mem_eq(fake_guest_page, "hello", 5);
}
END_TEST

START_TEST(test_console_is_dom0s)
{
    fake_run(guest->vcpus[0]);
    ck_assert_int_eq(console(CONSOLEIO_read, 3, FAKE_GUEST_VA), -EPERM);
    ck_assert_int_eq(console(CONSOLEIO_write, 3, FAKE_GUEST_VA),
                     CONFIG_DEBUG ? 0 : -EPERM);
}
END_TEST

static long platform(struct xen_platform_op *op)
{
    op->interface_version = XENPF_INTERFACE_VERSION;
    return fake_call_bytes(hc_platform_op, FAKE_GUEST_VA, op, sizeof(*op));
}

START_TEST(test_platform_time_is_checked)
{
    struct xen_platform_op op = {.cmd = XENPF_settime64};

    op.u.settime64.secs = 1700000000;
    ck_assert_int_eq(platform(&op), 0);
    ck_assert_uint_eq(machine.secs, 1700000000);
    op.u.settime64.mbz = 1;
    ck_assert_int_eq(platform(&op), -EINVAL);
    op.u.settime64.mbz = 0;
    op.u.settime64.nsecs = 1000000000;
    ck_assert_int_eq(platform(&op), -EINVAL);
}
END_TEST

START_TEST(test_platform_cpu_that_is_not_there_is_invalid)
{
    struct xen_platform_op op = {.cmd = XENPF_get_cpuinfo};

    op.u.pcpu_info.xen_cpuid = 1;
    ck_assert_int_eq(platform(&op), 0);
    ck_assert_uint_eq(op.u.pcpu_info.flags, XEN_PCPU_FLAGS_ONLINE);
    ck_assert_uint_eq(op.u.pcpu_info.max_present, 1);
    ck_assert_uint_eq(op.u.pcpu_info.apic_id, 2);
    op.u.pcpu_info.xen_cpuid = UINT32_MAX;
    ck_assert_int_eq(platform(&op), 0);
    ck_assert_uint_eq(op.u.pcpu_info.flags, XEN_PCPU_FLAGS_INVALID);
}
END_TEST

START_TEST(test_platform_sleep_is_the_machines_business)
{
    struct xen_platform_op op = {.cmd = XENPF_enter_acpi_sleep};

    op.u.enter_acpi_sleep.sleep_state = 5;
    ck_assert_int_eq(platform(&op), 0);
    ck_assert_uint_eq(machine.state, 5);
    op.u.enter_acpi_sleep.sleep_state = 4;
    ck_assert_int_eq(platform(&op), -EINVAL);
    op.u.enter_acpi_sleep.flags = XENPF_ACPI_SLEEP_EXTENDED;
    ck_assert_int_eq(platform(&op), -EOPNOTSUPP);
}
END_TEST

START_TEST(test_platform_firmware_answers_reach_the_guest)
{
    struct xen_platform_op op = {.cmd = XENPF_firmware_info};

    op.u.firmware_info.type = XEN_FW_KBD_SHIFT_FLAGS;
    ck_assert_int_eq(platform(&op), 0);
    ck_assert_uint_eq(op.u.firmware_info.u.kbd_shift_flags, 0x20);
    op.u.firmware_info.type = XEN_FW_DISK_INFO;
    ck_assert_int_eq(platform(&op), -ESRCH);
}
END_TEST

START_TEST(test_platform_is_for_dom0_and_its_version)
{
    struct xen_platform_op op = {.cmd = XENPF_get_cpuinfo};

    ck_assert_int_eq(
        fake_call_bytes(hc_platform_op, FAKE_GUEST_VA, &op, sizeof(op)),
        -EACCES);
    op.cmd = 1000;
    ck_assert_int_eq(platform(&op), -ENOSYS);
    fake_run(guest->vcpus[0]);
    ck_assert_int_eq(platform(&op), -EPERM);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("version_op");
    TCase *tc = tcase_create("version_op");
    SRunner *runner = srunner_create(suite);
    int failures;

    tcase_add_checked_fixture(tc, setup, NULL);
    tcase_add_test(tc, test_version_numbers_are_those_of_the_interface);
    tcase_add_test(tc, test_version_build_id_is_for_the_privileged);
    tcase_add_test(tc, test_version_texts_fill_their_fields);
    tcase_add_test(tc, test_version_features_are_what_linux_needs_and_no_more);
    tcase_add_test(tc, test_version_command_line_is_for_dom0);
    tcase_add_test(tc, test_vm_assist_sets_and_clears_known_types);
    tcase_add_test(tc, test_console_write_takes_any_length);
    tcase_add_test(tc, test_console_write_that_is_long_restarts);
    tcase_add_test(tc, test_console_read_gets_what_was_typed);
    tcase_add_test(tc, test_console_is_dom0s);
    tcase_add_test(tc, test_platform_time_is_checked);
    tcase_add_test(tc, test_platform_cpu_that_is_not_there_is_invalid);
    tcase_add_test(tc, test_platform_sleep_is_the_machines_business);
    tcase_add_test(tc, test_platform_firmware_answers_reach_the_guest);
    tcase_add_test(tc, test_platform_is_for_dom0_and_its_version);
    suite_add_tcase(suite, tc);
    srunner_run_all(runner, CK_NORMAL);
    failures = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
