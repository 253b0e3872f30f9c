/* SPDX-License-Identifier: MIT */
/* Lists of CPUID leaves, as tools read and propose them. */
#include <check.h>
#include <stdlib.h>

#include "core/cpu_policy.h"
#include "core/domain.h"
#include "core/heap.h"
#include "host/arch_fake.h"
#include "host/guest_fake.h"
#include "host/machine_fake.h"

static struct xen_cpuid_leaf *leaves(void)
{
    return (struct xen_cpuid_leaf *)fake_guest_page;
}

static struct domain *guest;

static void setup(void)
{
    fake_boot(1);
    fake_run(fake_domain(0, 1)->vcpus[0]);
    guest = fake_domain(1, 1);
}

static int put(enum machine_cpuid_view view, uint32_t *count)
{
    return cpu_policy_put(view, (guest_va){FAKE_GUEST_VA}, count);
}

static const struct xen_cpuid_leaf *find(uint32_t count, uint32_t leaf,
                                         uint32_t subleaf)
{
    for (uint32_t i = 0; i < count; i++)
        if (leaves()[i].leaf == leaf && leaves()[i].subleaf == subleaf)
            return &leaves()[i];
    return NULL;
}

static int set(uint32_t count, struct xen_cpuid_leaf *bad)
{
    return cpu_policy_set(guest, (guest_va){FAKE_GUEST_VA}, count, bad);
}

static int check(struct xen_cpuid_leaf wanted, struct xen_cpuid_leaf *bad)
{
    leaves()[0] = (struct xen_cpuid_leaf){.leaf = 0x40000000, .a = ~0u};
    leaves()[1] = wanted;
    return set(2, bad);
}

/* Has the guest see what all may see but for leaf `l`. */
static void show(struct xen_cpuid_leaf l)
{
    struct xen_cpuid_leaf bad;

    ck_assert_int_eq(check(l, &bad), 0);
}

static struct machine_cpuid seen(uint32_t leaf, uint32_t subleaf)
{
    return cpu_policy_read(guest, ~0ull, leaf, subleaf);
}

START_TEST(test_cpu_policy_lists_leaves_in_order)
{
    uint32_t count = CPU_POLICY_MAX_LEAVES;

    ck_assert_int_eq(put(MACHINE_CPUID_HOST, &count), 0);
    ck_assert_uint_lt(count, CPU_POLICY_MAX_LEAVES);
    for (uint32_t i = 1; i < count; i++)
        ck_assert(leaves()[i - 1].leaf < leaves()[i].leaf ||
                  (leaves()[i - 1].leaf == leaves()[i].leaf &&
                   leaves()[i - 1].subleaf < leaves()[i].subleaf));
    ck_assert_uint_eq(find(count, 0x1, XEN_CPUID_NO_SUBLEAF)->d, FAKE_CPUID_1D);
    ck_assert_uint_eq(find(count, 0xd, 2)->a, 256);
    ck_assert_uint_eq(find(count, 0x80000007, XEN_CPUID_NO_SUBLEAF)->d, 0x100);
}
END_TEST

/* What the tools' library takes for an error must not be listed. */
START_TEST(test_cpu_policy_has_subleaves_where_they_matter_only)
{
    uint32_t count = CPU_POLICY_MAX_LEAVES;

    ck_assert_int_eq(put(MACHINE_CPUID_GUEST, &count), 0);
    for (uint32_t i = 0; i < count; i++) {
        const struct xen_cpuid_leaf *l = &leaves()[i];
        bool is_family = l->leaf == 0x4 || l->leaf == 0x7 || l->leaf == 0xb ||
                         l->leaf == 0xd;

        ck_assert(is_family == (l->subleaf != XEN_CPUID_NO_SUBLEAF));
    }
    ck_assert_ptr_null(find(count, 0x4, 6));
    ck_assert_uint_eq(find(count, 0x7, 1)->a, 0x1c00);
    ck_assert_ptr_null(find(count, 0x7, 2));
    ck_assert_uint_eq(find(count, 0xd, 62)->a, 0);
    ck_assert_ptr_null(find(count, 0xd, 63));
    ck_assert_ptr_null(find(count, 0x14, XEN_CPUID_NO_SUBLEAF));
    ck_assert_ptr_null(find(count, 0x80000021, XEN_CPUID_NO_SUBLEAF));
}
END_TEST

START_TEST(test_cpu_policy_without_room_is_cut)
{
    uint32_t count = 0;

    ck_assert_int_eq(put(MACHINE_CPUID_HOST, &count), -ENOBUFS);
    ck_assert_uint_eq(count, 0);
    count = 3;
    leaves()[3].leaf = 0x1234;
    ck_assert_int_eq(put(MACHINE_CPUID_HOST, &count), -ENOBUFS);
    ck_assert_uint_eq(count, 3);
    ck_assert_uint_eq(leaves()[3].leaf, 0x1234);
    ck_assert_int_eq(cpu_policy_put(MACHINE_CPUID_HOST, (guest_va){0}, &count),
                     0);
    ck_assert_uint_eq(count, CPU_POLICY_MAX_LEAVES);
    ck_assert_int_eq(
        cpu_policy_put(MACHINE_CPUID_HOST, (guest_va){FAKE_BAD_VA}, &count),
        -EFAULT);
}
END_TEST

START_TEST(test_cpu_policy_of_a_guest_is_allowed_as_it_is)
{
    uint32_t count = CPU_POLICY_MAX_LEAVES;
    struct xen_cpuid_leaf bad;

    ck_assert_int_eq(put(MACHINE_CPUID_GUEST, &count), 0);
    ck_assert_int_eq(set(count, &bad), 0);
    for (uint32_t i = 0; i < 0x10; i++) {
        struct machine_cpuid all = machine_cpuid(MACHINE_CPUID_GUEST, i, 0);
        struct machine_cpuid own = seen(i, 0);

        if (i != 0xd)
            ck_assert_mem_eq(&own, &all, sizeof(all));
    }
}
END_TEST

START_TEST(test_cpu_policy_with_hidden_features_is_refused)
{
    struct xen_cpuid_leaf wanted = {.leaf = 0x7, .b = FAKE_CPUID_7B}, bad;

    ck_assert_int_eq(check(wanted, &bad), -EINVAL);
    ck_assert_uint_eq(bad.leaf, 0x7);
    wanted.b &= ~FAKE_CPUID_HIDDEN;
    ck_assert_int_eq(check(wanted, &bad), 0);
    wanted = (struct xen_cpuid_leaf){
        .leaf = 0x1, .subleaf = XEN_CPUID_NO_SUBLEAF, .d = 1u << 28};
    ck_assert_int_eq(check(wanted, &bad), 0);
    wanted.d |= FAKE_CPUID_HIDDEN;
    ck_assert_int_eq(check(wanted, &bad), -EINVAL);
}
END_TEST

START_TEST(test_cpu_policy_absurdly_long_is_refused)
{
    struct xen_cpuid_leaf bad;

    ck_assert_int_eq(set(CPU_POLICY_MAX_LEAVES + 1, &bad), -E2BIG);
    ck_assert_int_eq(cpu_policy_set(guest, (guest_va){FAKE_BAD_VA}, 1, &bad),
                     -EFAULT);
    ck_assert_ptr_null(guest->cpu_policy);
}
END_TEST

/* Also by leaves that nobody reads: what is kept of a domain has a limit. */
START_TEST(test_cpu_policy_grows_to_its_limit)
{
    uint64_t before = heap_free_frames();
    struct xen_cpuid_leaf bad;

    for (uint32_t i = 0; i < CPU_POLICY_MAX_LEAVES; i++)
        leaves()[i] = (struct xen_cpuid_leaf){.leaf = 0x1000 + i};
    ck_assert_int_eq(set(CPU_POLICY_MAX_LEAVES, &bad), 0);
    ck_assert_int_eq(set(CPU_POLICY_MAX_LEAVES, &bad), 0);
    leaves()[0] = (struct xen_cpuid_leaf){.leaf = 0x2000};
    ck_assert_int_eq(set(1, &bad), -E2BIG);
    cpu_policy_destroy(guest);
    ck_assert_ptr_null(guest->cpu_policy);
    ck_assert_uint_ge(heap_free_frames() + 1, before);
}
END_TEST

START_TEST(test_cpu_policy_hides_features)
{
    struct machine_cpuid all = seen(0x1, 0);

    show((struct xen_cpuid_leaf){.leaf = 0x1,
                                 .subleaf = XEN_CPUID_NO_SUBLEAF,
                                 .c = all.c & ~0x200u,
                                 .d = all.d & ~0x8000u});
    ck_assert_uint_eq(all.c & 0x200, 0x200);
    ck_assert_uint_eq(seen(0x1, 0).c, all.c & ~0x200u);
    ck_assert_uint_eq(seen(0x1, 99).d, all.d & ~0x8000u);
    ck_assert_uint_eq(seen(0x7, 0).c, 4); /* not in the policy */
    show((struct xen_cpuid_leaf){.leaf = 0x7, .subleaf = 0, .a = 1, .b = 0});
    ck_assert_uint_eq(seen(0x7, 0).b, 0);
    ck_assert_uint_eq(seen(0x7, 1).a, 0x1c00);
    ck_assert_uint_eq(seen(0x1, 0).c, all.c & ~0x200u); /* still */
}
END_TEST

START_TEST(test_cpu_policy_can_not_hide_what_mica_does)
{
    show((struct xen_cpuid_leaf){.leaf = 0x1});
    ck_assert_uint_eq(seen(0x1, 0).c, 0x80000000);
    ck_assert_uint_eq(seen(0x40000000, 0).a,
                      machine_guest_cpuid(~0ull, ~0ull, 0x40000000, 0).a);
}
END_TEST

START_TEST(test_cpu_policy_names_another_model)
{
    show((struct xen_cpuid_leaf){
        .leaf = 0x0, .a = 0x7, .b = 'A', .c = 'B', .d = 'C'});
    ck_assert_uint_eq(seen(0x0, 0).a, 0x7);
    ck_assert_uint_eq(seen(0x0, 0).d, 'C');
    ck_assert_uint_eq(seen(0xb, 0).a, 0); /* beyond the last */
    ck_assert_uint_eq(seen(0xd, 0).a, 0);
    ck_assert_uint_ne(seen(0x7, 0).b, 0);
    show((struct xen_cpuid_leaf){.leaf = 0x0, .a = 0x1000});
    ck_assert_uint_eq(seen(0x0, 0).a, 0x14);
    show((struct xen_cpuid_leaf){.leaf = 0x7, .subleaf = 0, .a = 0});
    ck_assert_uint_eq(seen(0x7, 1).a, 0);
    show((struct xen_cpuid_leaf){
        .leaf = 0x1, .subleaf = XEN_CPUID_NO_SUBLEAF, .a = 0x12345});
    ck_assert_uint_eq(seen(0x1, 0).a, 0x12345);
}
END_TEST

/* Registers without their feature: leaf 0xd must not offer them. */
START_TEST(test_cpu_policy_without_avx_has_no_avx_state)
{
    const uint32_t xsave = 1u << 26, avx = 1u << 28;

    fake_cpuid_1c = 0x80000201 | xsave | avx;
    ck_assert_uint_eq(seen(0xd, 0).a, 7);
    show((struct xen_cpuid_leaf){.leaf = 0x1, .c = xsave});
    ck_assert_uint_eq(seen(0xd, 0).a, 3);
    show((struct xen_cpuid_leaf){.leaf = 0xd, .subleaf = 0, .a = 1});
    ck_assert_uint_eq(seen(0xd, 0).a, 1);
    show((struct xen_cpuid_leaf){.leaf = 0x1, .c = avx});
    ck_assert_uint_eq(seen(0xd, 0).a, 0);
}
END_TEST

START_TEST(test_cpu_policy_is_given_back_as_it_is_seen)
{
    uint32_t count = CPU_POLICY_MAX_LEAVES;

    show((struct xen_cpuid_leaf){.leaf = 0x7, .subleaf = 0, .a = 1, .c = 4});
    ck_assert_int_eq(
        cpu_policy_put_own(guest, (guest_va){FAKE_GUEST_VA}, &count), 0);
    ck_assert_uint_eq(find(count, 0x7, 0)->b, 0);
    ck_assert_uint_eq(find(count, 0x7, 0)->c, 4);
    ck_assert_uint_eq(find(count, 0x7, 1)->a, 0x1c00);
    ck_assert_uint_eq(find(count, 0x1, XEN_CPUID_NO_SUBLEAF)->a, 0x600);
}
END_TEST

static Suite *cpu_policy_suite(void)
{
    Suite *s = suite_create("cpu_policy");
    TCase *t = tcase_create("cpu_policy");

    tcase_add_checked_fixture(t, setup, NULL);
    tcase_add_test(t, test_cpu_policy_lists_leaves_in_order);
    tcase_add_test(t, test_cpu_policy_has_subleaves_where_they_matter_only);
    tcase_add_test(t, test_cpu_policy_without_room_is_cut);
    tcase_add_test(t, test_cpu_policy_of_a_guest_is_allowed_as_it_is);
    tcase_add_test(t, test_cpu_policy_with_hidden_features_is_refused);
    tcase_add_test(t, test_cpu_policy_absurdly_long_is_refused);
    tcase_add_test(t, test_cpu_policy_grows_to_its_limit);
    tcase_add_test(t, test_cpu_policy_hides_features);
    tcase_add_test(t, test_cpu_policy_can_not_hide_what_mica_does);
    tcase_add_test(t, test_cpu_policy_names_another_model);
    tcase_add_test(t, test_cpu_policy_without_avx_has_no_avx_state);
    tcase_add_test(t, test_cpu_policy_is_given_back_as_it_is_seen);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    SRunner *runner = srunner_create(cpu_policy_suite());
    int failed;

    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
