/* SPDX-License-Identifier: MIT */
/*
 * CPUID, read once. Leaves and bits are those of the Intel SDM, volume 2A
 * (CPUID), and the AMD manual, volume 3, appendix E.
 */
#include "x86/cpu_features.h"

#include "core/log.h"

#include "x86/start.h"

#define CPUID_APIC (1u << 9)
#define ARCH_CAP_RDCL_NO (1ul << 0)
#define ARCH_CAP_MDS_NO (1ul << 5)
#define ARCH_CAP_TAA_NO (1ul << 8)
#define ARCH_CAP_FB_CLEAR (1ul << 17)

static struct cpu_features features;
static bool has_arch_capabilities, has_md_clear, has_rtm;

enum cpuid_register { EBX, ECX, EDX };

/* What Mica uses where it is. */
static const struct feature {
    uint32_t leaf;
    enum cpuid_register where;
    uint8_t bit;
    bool *flag;
} feature_table[] = {
    {1, ECX, 31, &features.hypervisor},
    {1, ECX, 21, &features.x2apic},
    {1, ECX, 24, &features.tsc_deadline},
    {1, ECX, 26, &features.xsave},
    {7, EBX, 7, &features.smep},
    {7, EBX, 11, &has_rtm},
    {7, EDX, 10, &has_md_clear},
    {7, EDX, 26, &features.ibpb},
    {7, EDX, 29, &has_arch_capabilities},
    {0x80000001, EDX, 27, &features.rdtscp},
    {0x80000007, EDX, 8, &features.invariant_tsc},
    {0x80000008, EBX, 12, &features.ibpb},
};

/* What CPUID says; a leaf beyond the highest of its half is zero. */
struct cpuid_leaf cpu_leaf(uint32_t leaf, uint32_t subleaf)
{
    if (leaf > cpuid(leaf & 0x80000000, 0).eax)
        return (struct cpuid_leaf){0, 0, 0, 0};
    return cpuid(leaf, subleaf);
}

static void detect_table(void)
{
    const struct feature *f = feature_table;

    for (; f < feature_table + ARRAY_LEN(feature_table); f++) {
        struct cpuid_leaf l = cpu_leaf(f->leaf, 0);
        const uint32_t registers[] = {l.ebx, l.ecx, l.edx};

        *f->flag |= registers[f->where] >> f->bit & 1;
    }
}

static void detect_identity(void)
{
    struct cpuid_leaf vendor = cpuid(0, 0);
    uint32_t words[] = {vendor.ebx, vendor.edx, vendor.ecx};
    char name[sizeof(words) + 1] = "";

    features.is_intel = vendor.ebx == 0x756e6547; /* Genu */
    features.is_amd = vendor.ebx == 0x68747541 || /* Auth */
                      vendor.ebx == 0x6f677948;   /* Hygo */
    features.physical_bits = cpu_leaf(0x80000008, 0).eax & 0xff;
    memcpy(name, words, sizeof(words));
    log_info("Processor: %s, signature %#x", name, cpuid(1, 0).eax);
    if (!(cpuid(1, 0).edx & CPUID_APIC))
        panic("This processor's local APIC, which Mica needs, is off");
}

/*
 * MPX and the supervisor states are left out: guests get what is useful to
 * applications and keeps no address of its own.
 */
static void detect_xsave(void)
{
    struct cpuid_leaf d = cpu_leaf(0xd, 0);

    features.xcr0 = XCR0_X87 | XCR0_SSE;
    features.xsave &= d.eax != 0;
    if (features.xsave)
        features.xcr0 |= d.eax & XCR0_AVX;
    if (features.xcr0 & XCR0_AVX && (d.eax & XCR0_AVX512) == XCR0_AVX512)
        features.xcr0 |= XCR0_AVX512;
}

static void detect_flaws(void)
{
    uint64_t capabilities = 0;

    if (has_arch_capabilities &&
        rdmsr_safe(MSR_ARCH_CAPABILITIES, &capabilities))
        capabilities = 0;
    features.meltdown = features.is_intel && !(capabilities & ARCH_CAP_RDCL_NO);
    features.clear_buffers =
        (has_md_clear && (!(capabilities & ARCH_CAP_MDS_NO) ||
                          (has_rtm && !(capabilities & ARCH_CAP_TAA_NO)))) ||
        capabilities & ARCH_CAP_FB_CLEAR;
    if (features.meltdown)
        log_info("Processor may have Meltdown and L1TF");
    if (features.clear_buffers)
        log_info("Processor buffers are cleared before a guest runs");
}

/*
 * Fills what cpu_features() returns. Panics, naming what is missing, on a
 * processor that cannot run Mica. MSR faults must be survivable already
 * (rdmsr_safe).
 */
void cpu_features_detect(void)
{
    detect_identity();
    detect_table();
    detect_xsave();
    detect_flaws();
}

/* The features found by cpu_features_detect. */
const struct cpu_features *cpu_features(void)
{
    return &features;
}
