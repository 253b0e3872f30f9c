/* SPDX-License-Identifier: MIT */
/*
 * Multicalls over hypercalls that only note how they were called: results,
 * failing entries, and being cut short between and within entries.
 */
#include <check.h>
#include <stdlib.h>

#include "core/domain.h"
#include "core/frame.h"
#include "core/heap.h"
#include "core/hypercall.h"
#include "core/pte.h"
#include "core/vcpu.h"
#include "host/arch_fake.h"
#include "hypercall_abi/multicall.h"

#define LIST_VA 0x10000000ull
#define BAD_VA 0x20000000ull
#define ENTRIES 64 /* of a page */

static struct multicall_entry *list; /* at LIST_VA, one page */
static struct domain d;
static struct vcpu v;

static struct {
    unsigned count; /* of calls that got through */
    uint64_t last;  /* hypercall number */
    struct hc_args args;
    unsigned restart; /* for so many calls: progress by 10, then restart */
    unsigned rest_nr; /* as this call, unless 0 */
    nsec_t duration;
} called;

static long note(uint64_t nr, const struct hc_args *args)
{
    called.count++;
    called.last = nr;
    called.args = *args;
    fake.now += called.duration;
    if (called.restart > 0) {
        struct hc_args rest = *args;

        called.restart--;
        rest.a[0] += 10;
        rest.a[4] -= 1;
        return hypercall_restart(
            &v, called.rest_nr ? called.rest_nr : (unsigned)nr, &rest);
    }
    return -(long)args->a[1];
}

/* Every hypercall but the one under test, and those linked in with others. */
#define hc_multicall hc_unused
#define HYPERCALL(nr, name, count)                                             \
    __attribute__((weak)) long hc_##name(struct vcpu *caller,                  \
                                         const struct hc_args *args)           \
    {                                                                          \
        ck_assert_ptr_eq(caller, &v);                                          \
        return note(nr, args);                                                 \
    }
long hc_unused(struct vcpu *caller, const struct hc_args *args);
#include "hypercall_abi/hypercalls.def"
#undef HYPERCALL
#undef hc_multicall

static void setup(void)
{
    mfn_t root;

    fake_boot(1);
    root = arch_frame_of(frames_alloc(0));
    list = frames_alloc(0);
    ck_assert(fake_guest_map(root, LIST_VA, arch_frame_of(list),
                             PTE_PRESENT | PTE_WRITE | PTE_USER));
    v = (struct vcpu){.domain = &d, .kernel_root = root};
    pcpus[0].current = &v;
    pcpus[0].entered_at = fake.now;
    pcpus[0].need_resched = false;
}

static long run(uint64_t va, uint64_t count)
{
    struct hc_args args = {.a = {va, count}};

    return hypercall_dispatch(&v, HC_multicall, &args);
}

/* Entry `i` calls `nr`, which will return `error`. */
static void put(unsigned i, uint64_t nr, int error)
{
    list[i] = (struct multicall_entry){
        .op = nr,
        .result = 12345,
        .args = {100 + i, (uint64_t)-error, 3, 4, 5},
    };
}

START_TEST(test_hypercall_without_a_row_is_refused)
{
    struct hc_args args = {.a = {0}};

    ck_assert_int_eq(hypercall_dispatch(&v, 11, &args), -ENOSYS);
    ck_assert_int_eq(hypercall_dispatch(&v, 63, &args), -ENOSYS);
    ck_assert_int_eq(hypercall_dispatch(&v, 64, &args), -ENOSYS);
    ck_assert_int_eq(hypercall_dispatch(&v, UINT64_MAX, &args), -ENOSYS);
    ck_assert_int_eq(hypercall_dispatch(&v, 1ull << 32 | HC_sched_op, &args),
                     -ENOSYS);
    ck_assert_uint_eq(called.count, 0);
    ck_assert_uint_eq(v.hypercalls, 0);
}
END_TEST

START_TEST(test_hypercalls_are_counted_one_by_one)
{
    put(0, HC_sched_op, 0);
    put(1, HC_sched_op, 0);
    ck_assert_int_eq(run(LIST_VA, 2), 0);
    ck_assert_uint_eq(v.hypercalls, 3);
}
END_TEST

START_TEST(test_multicall_runs_entries_in_order_with_their_arguments)
{
    put(0, HC_mmu_update, 0);
    put(1, HC_sched_op, 0);
    ck_assert_int_eq(run(LIST_VA, 2), 0);
    ck_assert_uint_eq(called.count, 2);
    ck_assert_uint_eq(called.last, HC_sched_op);
    ck_assert_uint_eq(called.args.a[0], 101);
    ck_assert_uint_eq(called.args.a[4], 5);
}
END_TEST

START_TEST(test_multicall_failing_entry_does_not_stop_the_rest)
{
    put(0, HC_mmu_update, -EINVAL);
    put(1, 63, 0);
    put(2, HC_sched_op, -EPERM);
    ck_assert_int_eq(run(LIST_VA, 3), 0);
    ck_assert_int_eq(list[0].result, -EINVAL);
    ck_assert_int_eq(list[1].result, -ENOSYS);
    ck_assert_int_eq(list[2].result, -EPERM);
    ck_assert_uint_eq(called.count, 2);
}
END_TEST

START_TEST(test_multicall_in_a_multicall_is_refused)
{
    put(0, HC_multicall, 0);
    put(1, HC_iret, 0);
    ck_assert_int_eq(run(LIST_VA, 2), 0);
    ck_assert_int_eq(list[0].result, -EINVAL);
    ck_assert_int_eq(list[1].result, -EINVAL);
    ck_assert_uint_eq(called.count, 0);
}
END_TEST

START_TEST(test_multicall_of_nothing_succeeds)
{
    ck_assert_int_eq(run(BAD_VA, 0), 0);
    ck_assert_int_eq(run(BAD_VA, 1ull << 32), 0);
}
END_TEST

START_TEST(test_multicall_beyond_the_list_fails_after_what_is_there)
{
    for (unsigned i = 0; i < ENTRIES; i++)
        put(i, HC_sched_op, 0);
    ck_assert_int_eq(run(LIST_VA, UINT32_MAX), -EFAULT);
    ck_assert_uint_eq(called.count, ENTRIES);
    ck_assert_int_eq(run(BAD_VA, 1), -EFAULT);
    ck_assert_int_eq(run(UINT64_MAX - 8, 1), -EFAULT);
}
END_TEST

START_TEST(test_multicall_in_read_only_memory_fails)
{
    put(0, HC_sched_op, 0);
    ck_assert(fake_guest_map(v.kernel_root, LIST_VA, arch_frame_of(list),
                             PTE_PRESENT | PTE_USER));
    ck_assert_int_eq(run(LIST_VA, 1), -EFAULT);
}
END_TEST

START_TEST(test_multicall_restarts_between_entries)
{
    put(0, HC_sched_op, 0);
    put(1, HC_sched_op, 0);
    pcpus[0].need_resched = true;
    ck_assert_int_eq(run(LIST_VA, 2), HC_multicall);
    ck_assert_uint_eq(fake.restarts, 1);
    ck_assert_uint_eq(called.count, 1);
    ck_assert_int_eq(list[0].result, 0);
    ck_assert_int_eq(list[1].result, 12345);
    ck_assert_int_eq(run(LIST_VA + sizeof(list[0]), 1), 0);
    ck_assert_uint_eq(fake.restarts, 1);
}
END_TEST

START_TEST(test_multicall_restarts_when_it_took_long)
{
    for (unsigned i = 0; i < ENTRIES; i++)
        put(i, HC_sched_op, 0);
    called.duration = 100 * NSEC_PER_US;
    ck_assert_int_eq(run(LIST_VA, ENTRIES), HC_multicall);
    ck_assert_uint_eq(called.count, 6);
}
END_TEST

START_TEST(test_multicall_entry_goes_on_where_it_was_cut_short)
{
    put(0, HC_sched_op, 0);
    put(1, HC_mmu_update, -ENOMEM);
    put(2, HC_sched_op, 0);
    called.restart = 0;
    ck_assert_int_eq(run(LIST_VA, 1), 0);
    called.restart = 2;
    for (unsigned i = 1; i <= 2; i++) {
        ck_assert_int_eq(run(LIST_VA + sizeof(list[0]), 2), HC_multicall);
        ck_assert_uint_eq(fake.restarts, i);
        ck_assert_uint_eq(list[1].op, HC_mmu_update);
        ck_assert_uint_eq(list[1].args[0], 101 + 10 * i);
        ck_assert_uint_eq(list[1].args[4], 5 - i);
        ck_assert_int_eq(list[1].result, 12345);
    }
    ck_assert_int_eq(run(LIST_VA + sizeof(list[0]), 2), 0);
    ck_assert_int_eq(list[1].result, -ENOMEM);
    ck_assert_int_eq(list[2].result, 0);
    ck_assert_uint_eq(called.count, 5);
}
END_TEST

START_TEST(test_multicall_entry_goes_on_as_another_call)
{
    put(0, HC_nmi_op, 0);
    called.restart = 1;
    called.rest_nr = HC_callback_op;
    ck_assert_int_eq(run(LIST_VA, 1), HC_multicall);
    ck_assert_uint_eq(called.last, HC_nmi_op);
    ck_assert_uint_eq(list[0].op, HC_callback_op);
    ck_assert_uint_eq(list[0].args[0], 110);
    ck_assert_int_eq(list[0].result, 12345);
    ck_assert_int_eq(run(LIST_VA, 1), 0);
    ck_assert_uint_eq(called.last, HC_callback_op);
    ck_assert_int_eq(list[0].result, 0);
}
END_TEST

START_TEST(test_restart_outside_a_multicall_is_the_machines)
{
    struct hc_args args = {.a = {1}};

    called.restart = 1;
    ck_assert_int_eq(hypercall_dispatch(&v, HC_sched_op, &args), HC_sched_op);
    ck_assert_uint_eq(fake.restarts, 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("multicall");
    TCase *tc = tcase_create("multicall");
    SRunner *runner = srunner_create(suite);
    int failures;

    tcase_add_checked_fixture(tc, setup, NULL);
    tcase_add_test(tc, test_hypercall_without_a_row_is_refused);
    tcase_add_test(tc, test_hypercalls_are_counted_one_by_one);
    tcase_add_test(tc,
                   test_multicall_runs_entries_in_order_with_their_arguments);
    tcase_add_test(tc, test_multicall_failing_entry_does_not_stop_the_rest);
    tcase_add_test(tc, test_multicall_in_a_multicall_is_refused);
    tcase_add_test(tc, test_multicall_of_nothing_succeeds);
    tcase_add_test(tc,
                   test_multicall_beyond_the_list_fails_after_what_is_there);
    tcase_add_test(tc, test_multicall_in_read_only_memory_fails);
    tcase_add_test(tc, test_multicall_restarts_between_entries);
    tcase_add_test(tc, test_multicall_restarts_when_it_took_long);
    tcase_add_test(tc, test_multicall_entry_goes_on_where_it_was_cut_short);
    tcase_add_test(tc, test_multicall_entry_goes_on_as_another_call);
    tcase_add_test(tc, test_restart_outside_a_multicall_is_the_machines);
    suite_add_tcase(suite, tc);
    srunner_run_all(runner, CK_NORMAL);
    failures = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
