/* SPDX-License-Identifier: MIT */
/*
 * What guests read with CPUID on three machines: a server with AVX-512, an
 * emulated one without XSAVE, and one that claims every feature there is.
 */
#include <check.h>
#include <stdlib.h>

#include "x86/cpuid_policy.h"

#define BIT(n) (1u << (n))
#define XCR0_SSE_ONLY 0x3ull
#define XCR0_AVX_TOO 0x7ull
#define XCR0_ALL 0xe7ull

struct recorded {
    uint32_t leaf, subleaf;
    struct cpuid_leaf value;
};

static const struct recorded server[] = {
    {0x0, 0, {0x16, 0x756e6547, 0x6c65746e, 0x49656e69}},
    {0x1, 0, {0x50654, 0x12200800, 0x7ffefbff, 0xbfebfbff}},
    {0x4, 0, {0x7c004121, 0x01c0003f, 0x3f, 0}},
    {0x7, 0, {0, 0xd39ffffb, 0x18, 0xbc002400}},
    {0xa, 0, {0x07300404, 0, 0, 0x603}},
    {0xb, 0, {1, 2, 0x100, 0x12}},
    {0xd, 0, {0x2ff, 0xa88, 0xa88, 0}},
    {0xd, 1, {0xf, 0xa08, 0x100, 0}},
    {0xd, 2, {0x100, 0x240, 0, 0}},
    {0xd, 5, {0x40, 0x440, 0, 0}},
    {0xd, 6, {0x200, 0x480, 0, 0}},
    {0xd, 7, {0x400, 0x680, 0, 0}},
    {0xd, 9, {0x8, 0xa80, 0, 0}},
    {0x15, 0, {2, 0xa8, 0, 0}},
    {0x80000000, 0, {0x80000008, 0, 0, 0}},
    {0x80000001, 0, {0, 0, 0x121, 0x2c100800}},
    {0x80000007, 0, {0, 0, 0, 0x100}},
    {0x80000008, 0, {0x3039, 0, 0, 0}},
};

static const struct recorded emulated[] = {
    {0x0, 0, {0xd, 0x68747541, 0x444d4163, 0x69746e65}},
    {0x1, 0, {0x663, 0x800, 0x80002001, 0x078bfbfd}},
    {0x80000000, 0, {0x8000000a, 0x68747541, 0x444d4163, 0x69746e65}},
    {0x80000001, 0, {0x663, 0, 0x5, 0x2191abfd}},
    {0x80000008, 0, {0x3028, 0, 0, 0}},
    {0x8000000a, 0, {1, 0x10, 0, 0}},
};

static struct cpuid_leaf find(const struct recorded *table, size_t count,
                              uint32_t leaf, uint32_t subleaf)
{
    for (size_t i = 0; i < count; i++)
        if (table[i].leaf == leaf && table[i].subleaf == subleaf)
            return table[i].value;
    return (struct cpuid_leaf){0, 0, 0, 0};
}

static struct cpuid_leaf server_leaf(uint32_t leaf, uint32_t subleaf)
{
    return find(server, ARRAY_LEN(server), leaf, subleaf);
}

static struct cpuid_leaf emulated_leaf(uint32_t leaf, uint32_t subleaf)
{
    return find(emulated, ARRAY_LEN(emulated), leaf, subleaf);
}

static struct cpuid_leaf boastful_leaf(uint32_t leaf, uint32_t subleaf)
{
    (void)leaf;
    (void)subleaf;
    return (struct cpuid_leaf){~0u, ~0u, ~0u, ~0u};
}

static const struct cpuid_view on_server = {
    .host = server_leaf,
    .xcr0_allowed = XCR0_ALL,
    .xcr0 = 1,
    .tsc_khz = 2100000,
    .tsc_is_stable = true,
    .address_width = 39,
};

static const struct cpuid_view on_emulated = {
    .host = emulated_leaf,
    .tsc_khz = 500000,
    .address_width = 33,
};

static const struct cpuid_view on_boastful = {
    .host = boastful_leaf,
    .xcr0_allowed = XCR0_ALL,
    .xcr0 = 1,
};

#define SERVER(leaf, subleaf) cpuid_policy_leaf(&on_server, leaf, subleaf)
#define EMULATED(leaf) cpuid_policy_leaf(&on_emulated, leaf, 0)
#define BOASTFUL(leaf, subleaf) cpuid_policy_leaf(&on_boastful, leaf, subleaf)

START_TEST(test_cpuid_names_the_hypervisor)
{
    struct cpuid_leaf l = SERVER(0x40000000, 0);
    char text[13] = "";

    memcpy(text, &l.ebx, 4);
    memcpy(text + 4, &l.ecx, 4);
    memcpy(text + 8, &l.edx, 4);
    ck_assert_str_eq(text, "XenVMMXenVMM");
    ck_assert_uint_eq(l.eax, 0x40000005);
    ck_assert_uint_eq(SERVER(0x40000001, 0).eax, 0x00040011);
    ck_assert_uint_eq(SERVER(0x40000002, 0).eax, 0);
    ck_assert_uint_eq(SERVER(0x40000002, 0).ecx, 1);
    ck_assert_uint_eq(SERVER(0x40000005, 0).ebx, 39);
}
END_TEST

START_TEST(test_cpuid_has_no_other_hypervisor)
{
    for (uint32_t base = 0x40000100; base <= 0x4000ff00; base += 0x100) {
        struct cpuid_leaf l = BOASTFUL(base, 0);

        ck_assert(!l.eax && !l.ebx && !l.ecx && !l.edx);
    }
    ck_assert_uint_eq(BOASTFUL(0x40000004, 0).eax, 0);
    ck_assert_uint_eq(BOASTFUL(0x40000006, 0).eax, 0);
}
END_TEST

START_TEST(test_cpuid_time_leaf_tells_the_rate)
{
    struct cpuid_leaf l = SERVER(0x40000003, 0);

    ck_assert_uint_eq(l.eax, 2 | 4); /* reliable, RDTSCP */
    ck_assert_uint_eq(l.ebx, 2);
    ck_assert_uint_eq(l.ecx, 2100000);
    ck_assert_uint_eq(l.edx, 0);
    ck_assert_uint_eq(SERVER(0x40000003, 1).ecx, 0);
    l = EMULATED(0x40000003);
    ck_assert_uint_eq(l.eax, 0);
    ck_assert_uint_eq(l.ebx, 0);
}
END_TEST

struct hidden {
    uint32_t leaf, subleaf;
    struct cpuid_leaf bits;
};

static const struct hidden hidden[] = {
    /* DTES64 MONITOR DS-CPL VMX SMX EST TM2 SDBG xTPR PDCM PCID DCA x2APIC
     * TSC-deadline; VME PSE MTRR PGE PSE36 PSN DS TM PBE */
    {0x1,
     0,
     {0, 0xff000000,
      BIT(2) | BIT(3) | BIT(4) | BIT(5) | BIT(6) | BIT(7) | BIT(8) | BIT(11) |
          BIT(14) | BIT(15) | BIT(17) | BIT(18) | BIT(21) | BIT(24),
      BIT(1) | BIT(3) | BIT(12) | BIT(13) | BIT(17) | BIT(18) | BIT(21) |
          BIT(29) | BIT(31)}},
    /* FSGSBASE TSC_ADJUST SGX SMEP INVPCID PQM MPX PQE SMAP PT; UMIP PKU OSPKE
     * WAITPKG CET LA57 ENQCMD PKS; UINTR AMX CET IBRS STIBP ARCH_CAPS SSBD */
    {0x7,
     0,
     {0,
      BIT(0) | BIT(1) | BIT(2) | BIT(7) | BIT(10) | BIT(12) | BIT(14) |
          BIT(15) | BIT(20) | BIT(25),
      BIT(2) | BIT(3) | BIT(4) | BIT(5) | BIT(7) | BIT(16) | BIT(29) | BIT(30) |
          BIT(31),
      BIT(5) | BIT(18) | BIT(19) | BIT(20) | BIT(22) | BIT(24) | BIT(25) |
          BIT(26) | BIT(27) | BIT(28) | BIT(29) | BIT(30) | BIT(31)}},
    /* XSAVES XFD */
    {0xd, 1, {BIT(3) | BIT(4), 0, ~0u, ~0u}},
    /* SVM EXTAPIC CR8_LEGACY OSVW IBS SKINIT LWP TCE TOPOEXT PERFCTR; VME PSE
     * MTRR PGE PSE36 FFXSR PAGE1GB */
    {0x80000001,
     0,
     {0, 0,
      BIT(2) | BIT(3) | BIT(4) | BIT(9) | BIT(10) | BIT(12) | BIT(15) |
          BIT(17) | BIT(22) | BIT(23) | BIT(24),
      BIT(1) | BIT(3) | BIT(12) | BIT(13) | BIT(17) | BIT(25) | BIT(26)}},
    {0x5, 0, {~0u, ~0u, ~0u, ~0u}}, /* MONITOR */
    {0x6, 0, {~0u, ~0u, ~0u, ~0u}}, /* power management */
    {0xa, 0, {~0u, ~0u, ~0u, ~0u}}, /* performance counters */
    {0xb, 0, {~0u, ~0u, ~0u, ~0u}}, /* topology */
    {0xf, 0, {~0u, ~0u, ~0u, ~0u}},
    {0x12, 0, {~0u, ~0u, ~0u, ~0u}}, /* SGX */
    {0x14, 0, {~0u, ~0u, ~0u, ~0u}}, /* PT */
    {0x1d, 0, {~0u, ~0u, ~0u, ~0u}}, /* AMX */
    {0x7, 2, {~0u, ~0u, ~0u, ~0u}},
    {0x8000000a, 0, {~0u, ~0u, ~0u, ~0u}}, /* SVM */
    {0x8000001d, 0, {~0u, ~0u, ~0u, ~0u}},
    {0xc0000001, 0, {~0u, ~0u, ~0u, ~0u}},
};

START_TEST(test_cpuid_hides_what_a_guest_kernel_cannot_use)
{
    const struct hidden *h = &hidden[_i];
    struct cpuid_leaf l = BOASTFUL(h->leaf, h->subleaf);

    ck_assert_uint_eq(l.eax & h->bits.eax, 0);
    ck_assert_uint_eq(l.ebx & h->bits.ebx, 0);
    ck_assert_uint_eq(l.ecx & h->bits.ecx, 0);
    ck_assert_uint_eq(l.edx & h->bits.edx, 0);
}
END_TEST

START_TEST(test_cpuid_shows_what_kernels_need)
{
    /* FPU TSC MSR PAE CX8 APIC CMOV PAT FXSR SSE SSE2 */
    uint32_t must = BIT(0) | BIT(4) | BIT(5) | BIT(6) | BIT(8) | BIT(9) |
                    BIT(15) | BIT(16) | BIT(24) | BIT(25) | BIT(26);

    ck_assert_uint_eq(SERVER(1, 0).edx & must, must);
    ck_assert_uint_eq(EMULATED(1).edx & must, must);
    /* SYSCALL NX LM */
    must = BIT(11) | BIT(20) | BIT(29);
    ck_assert_uint_eq(SERVER(0x80000001, 0).edx & must, must);
    ck_assert_uint_eq(EMULATED(0x80000001).edx & must, must);
    ck_assert(SERVER(1, 0).ecx & BIT(31)); /* a hypervisor is there */
    ck_assert(EMULATED(1).ecx & BIT(31));
    ck_assert_uint_eq(SERVER(0, 0).eax, 0xd);
    ck_assert_uint_eq(SERVER(0, 0).ebx, 0x756e6547);
    ck_assert_uint_eq(EMULATED(0x80000000).eax, 0x80000008);
}
END_TEST

START_TEST(test_cpuid_shows_osxsave_before_a_kernel_set_it)
{
    ck_assert_uint_eq(SERVER(1, 0).ecx & (3u << 26), 3u << 26);
    ck_assert_uint_eq(EMULATED(1).ecx & (3u << 26), 0);
}
END_TEST

START_TEST(test_cpuid_leaf_13_agrees_with_the_features_allowed)
{
    struct cpuid_view view = on_server;
    struct cpuid_leaf l = SERVER(0xd, 0);

    ck_assert_uint_eq(l.eax, 0xe7);
    ck_assert_uint_eq(l.edx, 0);
    ck_assert_uint_eq(l.ebx, 576);
    ck_assert_uint_eq(l.ecx, 0xa80);
    ck_assert_uint_eq(SERVER(0xd, 1).eax, 5); /* no XSAVEC */
    ck_assert_uint_eq(SERVER(0xd, 7).ebx, 0x680);
    ck_assert_uint_eq(SERVER(0xd, 9).eax, 0); /* protection keys */
    ck_assert_uint_eq(SERVER(0xd, 3).eax, 0);
    ck_assert_uint_eq(SERVER(0xd, 0xffffffff).eax, 0);
    view.xcr0 = XCR0_AVX_TOO;
    ck_assert_uint_eq(cpuid_policy_leaf(&view, 0xd, 0).ebx, 0x340);
    view.xcr0 = XCR0_ALL;
    ck_assert_uint_eq(cpuid_policy_leaf(&view, 0xd, 0).ebx, 0xa80);
    ck_assert_uint_eq(EMULATED(0xd).eax, 0);
}
END_TEST

START_TEST(test_cpuid_without_avx_state_hides_all_of_avx)
{
    struct cpuid_view view = on_boastful;
    uint32_t avx512 = BIT(16) | BIT(17) | BIT(21) | BIT(28) | BIT(30);

    view.xcr0_allowed = XCR0_AVX_TOO;
    ck_assert(cpuid_policy_leaf(&view, 7, 0).ebx & BIT(5));
    ck_assert(!(cpuid_policy_leaf(&view, 7, 0).ebx & avx512));
    view.xcr0_allowed = XCR0_SSE_ONLY;
    ck_assert(!(cpuid_policy_leaf(&view, 7, 0).ebx & (avx512 | BIT(5))));
    ck_assert(
        !(cpuid_policy_leaf(&view, 1, 0).ecx & (BIT(12) | BIT(28) | BIT(29))));
    ck_assert(cpuid_policy_leaf(&view, 1, 0).ecx & BIT(26));
    ck_assert(
        !(cpuid_policy_leaf(&view, 0x80000001, 0).ecx & (BIT(11) | BIT(16))));
}
END_TEST

START_TEST(test_cpuid_invariant_tsc_needs_a_stable_clock)
{
    struct cpuid_view view = on_server;

    ck_assert_uint_eq(SERVER(0x80000007, 0).edx, 0x100);
    view.tsc_is_stable = false;
    ck_assert_uint_eq(cpuid_policy_leaf(&view, 0x80000007, 0).edx, 0);
}
END_TEST

START_TEST(test_cpuid_addresses_have_48_bits_at_most)
{
    ck_assert_uint_eq(SERVER(0x80000008, 0).eax, 0x3039);
    ck_assert_uint_eq(BOASTFUL(0x80000008, 0).eax, 0x30ff);
}
END_TEST

START_TEST(test_cpuid_of_leaves_beyond_the_machines_is_zero)
{
    struct cpuid_leaf l = EMULATED(0x80000007);

    ck_assert(!l.eax && !l.ebx && !l.ecx && !l.edx);
    l = SERVER(0x15, 0);
    ck_assert(!l.eax && !l.ebx && !l.ecx && !l.edx);
    ck_assert_uint_eq(SERVER(4, 0).eax, 0x7c004121);
    ck_assert_uint_eq(BOASTFUL(7, 0).eax, 1);
}
END_TEST

static TCase *make_case(void)
{
    TCase *tc = tcase_create("policy");

    tcase_add_test(tc, test_cpuid_names_the_hypervisor);
    tcase_add_test(tc, test_cpuid_has_no_other_hypervisor);
    tcase_add_test(tc, test_cpuid_time_leaf_tells_the_rate);
    tcase_add_loop_test(tc, test_cpuid_hides_what_a_guest_kernel_cannot_use, 0,
                        ARRAY_LEN(hidden));
    tcase_add_test(tc, test_cpuid_shows_what_kernels_need);
    tcase_add_test(tc, test_cpuid_shows_osxsave_before_a_kernel_set_it);
    tcase_add_test(tc, test_cpuid_leaf_13_agrees_with_the_features_allowed);
    tcase_add_test(tc, test_cpuid_without_avx_state_hides_all_of_avx);
    tcase_add_test(tc, test_cpuid_invariant_tsc_needs_a_stable_clock);
    tcase_add_test(tc, test_cpuid_addresses_have_48_bits_at_most);
    tcase_add_test(tc, test_cpuid_of_leaves_beyond_the_machines_is_zero);
    return tc;
}

int main(void)
{
    Suite *suite = suite_create("cpuid_policy");
    SRunner *runner = srunner_create(suite);
    int failed;

    suite_add_tcase(suite, make_case());
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
