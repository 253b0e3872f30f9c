/* SPDX-License-Identifier: MIT */
/* Pirqs of dom0, on a machine with 24 GSIs and a message for every device. */
#include <check.h>
#include <stdlib.h>

#include "core/evtchn.h"
#include "core/machine.h"
#include "host/arch_fake.h"
#include "host/guest_fake.h"
#include "hypercall_abi/physdev.h"

#define GSIS 24u

static struct domain *d, *other;

/* What the machine was told. */
static struct {
    unsigned next_msi;
    bool mapped[MAX_PIRQS];
    struct physdev_map_pirq_args msi;
    unsigned iopl;
    unsigned ports;
    uint64_t bitmap;
} machine;

unsigned machine_gsi_count(void)
{
    return GSIS;
}

bool machine_pirq_needs_eoi(unsigned pirq)
{
    return pirq < GSIS;
}

int machine_msi_map(struct physdev_map_pirq_args *op)
{
    if (op->devfn == 0xff)
        return -ENODEV;
    machine.msi = *op;
    op->pirq = (int32_t)machine.next_msi++;
    machine.mapped[op->pirq] = true;
    return 0;
}

int machine_msi_unmap(unsigned pirq)
{
    if (pirq >= MAX_PIRQS || !machine.mapped[pirq])
        return -EINVAL;
    machine.mapped[pirq] = false;
    return 0;
}

void machine_msi_restore(uint16_t device)
{
    (void)device;
}

int machine_ioapic_read(uint64_t physbase, uint32_t reg, uint32_t *value)
{
    *value = reg;
    return physbase == 0xfec00000 ? 0 : -ENODEV;
}

void machine_set_iopl(struct vcpu *v, unsigned iopl)
{
    (void)v;
    machine.iopl = iopl;
}

void machine_set_iobitmap(struct vcpu *v, guest_va bitmap, unsigned count)
{
    (void)v;
    machine.bitmap = bitmap.va;
    machine.ports = count;
}

static void setup(void)
{
    fake_boot(1);
    machine.next_msi = GSIS;
    other = fake_domain(3, 1);
    d = fake_domain(0, 1);
    d->is_privileged = true;
    fake_run(d->vcpus[0]);
}

static struct physdev_map_pirq_args gsi(int number)
{
    return (struct physdev_map_pirq_args){
        .domid = DOMID_SELF,
        .type = MAP_PIRQ_TYPE_GSI,
        .index = number,
        .pirq = number,
    };
}

static struct physdev_map_pirq_args message(int type, int entry)
{
    return (struct physdev_map_pirq_args){
        .domid = DOMID_SELF,
        .type = type,
        .index = -1,
        .pirq = -1,
        .bus = 2,
        .devfn = 0x18,
        .entry_nr = entry,
    };
}

static long map(struct physdev_map_pirq_args *op)
{
    return fake_call_with(hc_physdev_op, PHYSDEVOP_map_pirq, op);
}

static long unmap(int pirq)
{
    struct physdev_unmap_pirq_args op = {.domid = DOMID_SELF, .pirq = pirq};

    return fake_call_with(hc_physdev_op, PHYSDEVOP_unmap_pirq, &op);
}

static uint32_t status_of(uint32_t irq)
{
    struct physdev_irq_status_query_args op = {.irq = irq, .flags = 0xff};

    ck_assert_int_eq(
        fake_call_with(hc_physdev_op, PHYSDEVOP_irq_status_query, &op), 0);
    return op.flags;
}

START_TEST(test_physdev_gsi_is_its_own_pirq)
{
    struct physdev_map_pirq_args op = gsi(9);

    op.pirq = -1;
    ck_assert_int_eq(map(&op), 0);
    ck_assert_int_eq(op.pirq, 9);
    ck_assert_int_eq(map(&op), 0);
    ck_assert_uint_eq(status_of(9), XENIRQSTAT_needs_eoi);
    ck_assert_int_eq(unmap(9), 0);
    op.domid = other->id;
    ck_assert_int_eq(map(&op), -EOPNOTSUPP);
    op.domid = 77;
    ck_assert_int_eq(map(&op), -ESRCH);
    fake_run(other->vcpus[0]);
    ck_assert_uint_eq(status_of(9), 0);
}
END_TEST

START_TEST(test_physdev_gsi_out_of_range_is_refused)
{
    static const int bad[] = {24, -1, 1024, INT_MAX, INT_MIN};
    struct physdev_map_pirq_args op;

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        op = gsi(bad[i]);
        ck_assert_int_eq(map(&op), -EINVAL);
        ck_assert_int_eq(unmap(bad[i]), -EINVAL);
    }
    op = gsi(4);
    op.pirq = 5;
    ck_assert_int_eq(map(&op), -EINVAL);
}
END_TEST

START_TEST(test_physdev_message_gets_a_pirq_and_loses_it)
{
    struct physdev_map_pirq_args op = message(MAP_PIRQ_TYPE_MSI_SEG, 7);

    op.table_base = 0xfe000000;
    ck_assert_int_eq(map(&op), 0);
    ck_assert_int_eq(op.pirq, GSIS);
    ck_assert_int_eq(machine.msi.bus, 2);
    ck_assert_int_eq(machine.msi.devfn, 0x18);
    ck_assert_int_eq(machine.msi.entry_nr, 7);
    ck_assert_uint_eq(status_of(GSIS), 0);
    ck_assert_int_eq(unmap(GSIS), 0);
    ck_assert(!machine.mapped[GSIS]);
    ck_assert_int_eq(unmap(GSIS), -EINVAL);
}
END_TEST

START_TEST(test_physdev_bad_messages_are_refused)
{
    struct physdev_map_pirq_args op = message(MAP_PIRQ_TYPE_MULTI_MSI, 2);

    ck_assert_int_eq(map(&op), -EINVAL);
    op = message(MAP_PIRQ_TYPE_MSI_SEG, 0);
    op.bus = 0x10002;
    ck_assert_int_eq(map(&op), -EINVAL);
    op = message(MAP_PIRQ_TYPE_MSI, -5);
    ck_assert_int_eq(map(&op), -EINVAL);
    op = message(MAP_PIRQ_TYPE_MSI, 0);
    op.devfn = 256;
    ck_assert_int_eq(map(&op), -EINVAL);
    op = message(MAP_PIRQ_TYPE_MSI, 0);
    op.devfn = 0xff;
    ck_assert_int_eq(map(&op), -ENODEV);
    op = message(MAP_PIRQ_TYPE_MSI, 0);
    op.pirq = 50;
    ck_assert_int_eq(map(&op), -EINVAL);
    op = message(MAP_PIRQ_TYPE_UNKNOWN, 0);
    ck_assert_int_eq(map(&op), -EINVAL);
}
END_TEST

START_TEST(test_physdev_map_that_cannot_be_answered_is_undone)
{
    struct physdev_map_pirq_args op = message(MAP_PIRQ_TYPE_MSI, 0);

    fake_guest_set_writable(false);
    ck_assert_int_eq(map(&op), -EFAULT);
    ck_assert(!machine.mapped[GSIS]);
}
END_TEST

START_TEST(test_physdev_eoi_of_any_pirq_in_range_succeeds)
{
    struct physdev_eoi_args op = {.irq = 9};

    ck_assert_int_eq(fake_call_with(hc_physdev_op, PHYSDEVOP_eoi, &op), 0);
    op.irq = MAX_PIRQS - 1;
    ck_assert_int_eq(fake_call_with(hc_physdev_op, PHYSDEVOP_eoi, &op), 0);
    op.irq = MAX_PIRQS;
    ck_assert_int_eq(fake_call_with(hc_physdev_op, PHYSDEVOP_eoi, &op),
                     -EINVAL);
}
END_TEST

START_TEST(test_physdev_what_is_dom0s_is_refused_to_others)
{
    struct physdev_map_pirq_args op = gsi(9);
    struct physdev_set_iopl_args iopl = {.iopl = 1};

    fake_run(other->vcpus[0]);
    ck_assert_int_eq(map(&op), -EPERM);
    for (unsigned cmd = 0; cmd < 64; cmd++) {
        if (cmd >= PHYSDEVOP_IRQ_UNMASK_NOTIFY && cmd <= PHYSDEVOP_set_iobitmap)
            continue;
        ck_assert_int_lt(fake_call(hc_physdev_op, cmd, FAKE_BAD_VA, 0), 0);
    }
    ck_assert_int_eq(fake_call_with(hc_physdev_op, PHYSDEVOP_set_iopl, &iopl),
                     0);
    ck_assert_uint_eq(machine.iopl, 1);
    iopl.iopl = 4;
    ck_assert_int_eq(fake_call_with(hc_physdev_op, PHYSDEVOP_set_iopl, &iopl),
                     -EINVAL);
}
END_TEST

START_TEST(test_physdev_set_iobitmap_checks_the_number_of_ports)
{
    struct physdev_set_iobitmap_args op = {.bitmap = {0x1234}, .nr_ports = 16};

    ck_assert_int_eq(fake_call_with(hc_physdev_op, PHYSDEVOP_set_iobitmap, &op),
                     0);
    ck_assert(machine.ports == 16 && machine.bitmap == 0x1234);
    op.nr_ports = 65537;
    ck_assert_int_eq(fake_call_with(hc_physdev_op, PHYSDEVOP_set_iobitmap, &op),
                     -EINVAL);
    ck_assert_uint_eq(machine.ports, 16);
    op.nr_ports = 65536;
    op.bitmap.va = 0;
    ck_assert_int_eq(fake_call_with(hc_physdev_op, PHYSDEVOP_set_iobitmap, &op),
                     0);
    ck_assert_uint_eq(machine.ports, 0);
}
END_TEST

START_TEST(test_physdev_setup_gsi_checks_its_numbers)
{
    struct physdev_setup_gsi_args op = {.gsi = 9, .triggering = 1};

    ck_assert_int_eq(fake_call_with(hc_physdev_op, PHYSDEVOP_setup_gsi, &op),
                     0);
    op.triggering = 2;
    ck_assert_int_eq(fake_call_with(hc_physdev_op, PHYSDEVOP_setup_gsi, &op),
                     -EINVAL);
    op.triggering = 0;
    op.gsi = -1;
    ck_assert_int_eq(fake_call_with(hc_physdev_op, PHYSDEVOP_setup_gsi, &op),
                     -EINVAL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("physdev_op");
    TCase *tc = tcase_create("physdev_op");
    SRunner *runner = srunner_create(suite);
    int failures;

    tcase_add_checked_fixture(tc, setup, NULL);
    tcase_add_test(tc, test_physdev_gsi_is_its_own_pirq);
    tcase_add_test(tc, test_physdev_gsi_out_of_range_is_refused);
    tcase_add_test(tc, test_physdev_message_gets_a_pirq_and_loses_it);
    tcase_add_test(tc, test_physdev_bad_messages_are_refused);
    tcase_add_test(tc, test_physdev_map_that_cannot_be_answered_is_undone);
    tcase_add_test(tc, test_physdev_eoi_of_any_pirq_in_range_succeeds);
    tcase_add_test(tc, test_physdev_what_is_dom0s_is_refused_to_others);
    tcase_add_test(tc, test_physdev_set_iobitmap_checks_the_number_of_ports);
    tcase_add_test(tc, test_physdev_setup_gsi_checks_its_numbers);
    suite_add_tcase(suite, tc);
    srunner_run_all(runner, CK_NORMAL);
    failures = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
