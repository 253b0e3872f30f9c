/* SPDX-License-Identifier: MIT */
/*
 * CPUID, read once. Leaves and bits are those of the Intel SDM, volume 2A
 * (CPUID), and the AMD manual, volume 3, appendix E.
 */
#include "x86/cpu_features.h"

#include "core/log.h"

#include "x86/insn.h"

#define LEAF_1_ECX_PCID 17
#define LEAF_1_ECX_X2APIC 21
#define LEAF_1_ECX_TSC_DEADLINE 24
#define LEAF_1_ECX_XSAVE 26
#define LEAF_1_ECX_HYPERVISOR 31
#define LEAF_7_EBX_FSGSBASE 0
#define LEAF_7_EBX_SMEP 7
#define LEAF_7_EBX_INVPCID 10
#define LEAF_7_EBX_RTM 11
#define LEAF_7_EBX_SMAP 20
#define LEAF_7_ECX_UMIP 2
#define LEAF_7_EDX_MD_CLEAR 10
#define LEAF_7_EDX_IBRS_IBPB 26
#define LEAF_7_EDX_STIBP 27
#define LEAF_7_EDX_ARCH_CAPABILITIES 29
#define LEAF_X1_EDX_HUGE_1G 26
#define LEAF_X1_EDX_RDTSCP 27
#define LEAF_X7_EDX_INVARIANT_TSC 8
#define LEAF_X8_EBX_IBPB 12
#define LEAF_X8_EBX_IBRS 14
#define LEAF_X8_EBX_STIBP 15

#define ARCH_CAP_RDCL_NO (1ul << 0)
#define ARCH_CAP_IBRS_ALL (1ul << 1)
#define ARCH_CAP_MDS_NO (1ul << 5)
#define ARCH_CAP_TAA_NO (1ul << 8)
#define ARCH_CAP_FB_CLEAR (1ul << 17)

#define XCR0_X87 (1ul << 0)
#define XCR0_SSE (1ul << 1)
#define XCR0_AVX (1ul << 2)
#define XCR0_AVX512 (7ul << 5)
#define XCR0_PKRU (1ul << 9)
#define FXSAVE_SIZE 512

static struct cpu_features features;

struct requirement {
    uint32_t leaf;
    bool in_ecx; /* else in edx */
    uint8_t bit;
    const char *name;
};

static const struct requirement requirements[] = {
    {1, false, 3, "4 MiB pages (PSE)"},
    {1, false, 4, "the time stamp counter (TSC)"},
    {1, false, 5, "model specific registers (MSR)"},
    {1, false, 6, "physical address extension (PAE)"},
    {1, false, 8, "CMPXCHG8B"},
    {1, false, 9, "a local APIC"},
    {1, false, 13, "global pages (PGE)"},
    {1, false, 15, "conditional moves (CMOV)"},
    {1, false, 24, "FXSAVE and FXRSTOR"},
    {1, false, 25, "SSE"},
    {1, false, 26, "SSE2"},
    {0x80000001, false, 11, "SYSCALL and SYSRET"},
    {0x80000001, false, 20, "no-execute pages (NX)"},
    {0x80000001, false, 29, "64-bit mode"},
};

static bool bit(uint32_t value, unsigned number)
{
    return value >> number & 1;
}

/* A leaf beyond the highest one reads as zeros, whatever CPUID says. */
static struct cpuid_leaf leaf_or_zero(uint32_t leaf, uint32_t subleaf)
{
    struct cpuid_leaf highest = cpuid(leaf & 0x80000000, 0);

    if (leaf > highest.eax)
        return (struct cpuid_leaf){0, 0, 0, 0};
    return cpuid(leaf, subleaf);
}

static void require_all(void)
{
    for (size_t i = 0; i < ARRAY_LEN(requirements); i++) {
        const struct requirement *r = &requirements[i];
        struct cpuid_leaf l = leaf_or_zero(r->leaf, 0);

        if (!bit(r->in_ecx ? l.ecx : l.edx, r->bit))
            panic("This processor lacks %s, which Mica needs", r->name);
    }
}

static void detect_identity(void)
{
    struct cpuid_leaf vendor = cpuid(0, 0);
    struct cpuid_leaf one = cpuid(1, 0);
    uint32_t family = one.eax >> 8 & 0xf;
    uint32_t model = one.eax >> 4 & 0xf;

    if (family == 6 || family == 15)
        model |= one.eax >> 12 & 0xf0;
    if (family == 15)
        family += one.eax >> 20 & 0xff;
    features.family = (uint8_t)family;
    features.model = (uint8_t)model;
    features.stepping = one.eax & 0xf;
    features.is_intel = vendor.ebx == 0x756e6547; /* Genu */
    features.is_amd = vendor.ebx == 0x68747541 || /* Auth */
                      vendor.ebx == 0x6f677948;   /* Hygo */
    features.hypervisor = bit(one.ecx, LEAF_1_ECX_HYPERVISOR);
}

static void detect_basic(void)
{
    struct cpuid_leaf one = cpuid(1, 0);
    struct cpuid_leaf seven = leaf_or_zero(7, 0);
    struct cpuid_leaf x1 = leaf_or_zero(0x80000001, 0);
    struct cpuid_leaf x7 = leaf_or_zero(0x80000007, 0);
    struct cpuid_leaf x8 = leaf_or_zero(0x80000008, 0);

    features.pcid = bit(one.ecx, LEAF_1_ECX_PCID);
    features.x2apic = bit(one.ecx, LEAF_1_ECX_X2APIC);
    features.tsc_deadline = bit(one.ecx, LEAF_1_ECX_TSC_DEADLINE);
    features.pat = bit(one.edx, 16);
    features.fsgsbase = bit(seven.ebx, LEAF_7_EBX_FSGSBASE);
    features.smep = bit(seven.ebx, LEAF_7_EBX_SMEP);
    features.smap = bit(seven.ebx, LEAF_7_EBX_SMAP);
    features.invpcid = bit(seven.ebx, LEAF_7_EBX_INVPCID);
    features.umip = bit(seven.ecx, LEAF_7_ECX_UMIP);
    features.huge_1g = bit(x1.edx, LEAF_X1_EDX_HUGE_1G);
    features.rdtscp = bit(x1.edx, LEAF_X1_EDX_RDTSCP);
    features.invariant_tsc = bit(x7.edx, LEAF_X7_EDX_INVARIANT_TSC);
    features.physical_bits = x8.eax & 0xff ? x8.eax & 0xff : 36;
}

/*
 * MPX and the supervisor states are left out: guests get what is useful to
 * applications and keeps no address of its own.
 */
static void detect_xsave(void)
{
    struct cpuid_leaf d;
    uint64_t supported;

    features.xcr0 = XCR0_X87 | XCR0_SSE;
    features.xsave_size = FXSAVE_SIZE;
    if (!bit(cpuid(1, 0).ecx, LEAF_1_ECX_XSAVE) || cpuid(0, 0).eax < 0xd)
        return;
    d = cpuid(0xd, 0);
    supported = (uint64_t)d.edx << 32 | d.eax;
    features.xsave = true;
    features.xsaveopt = bit(cpuid(0xd, 1).eax, 0);
    features.xsave_size = FXSAVE_SIZE + 64;
    features.xcr0 |= supported & XCR0_AVX;
    if (supported & XCR0_AVX && (supported & XCR0_AVX512) == XCR0_AVX512)
        features.xcr0 |= XCR0_AVX512;
    features.xcr0 |= supported & XCR0_PKRU;
    for (unsigned i = 2; i < 63; i++) {
        struct cpuid_leaf part;

        if (!(features.xcr0 >> i & 1))
            continue;
        part = cpuid(0xd, i); /* size in eax, offset in ebx */
        if (part.ebx + part.eax > features.xsave_size)
            features.xsave_size = part.ebx + part.eax;
    }
}

/* Models of Intel's family 6 that do not speculate past a fault or at all. */
static bool intel_is_immune(void)
{
    static const uint8_t in_order_atoms[] = {0x1c, 0x26, 0x27, 0x35, 0x36};

    if (features.family < 6)
        return true;
    for (size_t i = 0; i < ARRAY_LEN(in_order_atoms); i++)
        if (features.family == 6 && features.model == in_order_atoms[i])
            return true;
    return false;
}

static void detect_flaws(void)
{
    struct cpuid_leaf seven = leaf_or_zero(7, 0);
    struct cpuid_leaf x8 = leaf_or_zero(0x80000008, 0);
    uint64_t capabilities = 0;

    features.arch_capabilities = bit(seven.edx, LEAF_7_EDX_ARCH_CAPABILITIES);
    if (features.arch_capabilities &&
        rdmsr_safe(MSR_ARCH_CAPABILITIES, &capabilities))
        capabilities = 0;
    features.ibrs =
        bit(seven.edx, LEAF_7_EDX_IBRS_IBPB) || bit(x8.ebx, LEAF_X8_EBX_IBRS);
    features.ibpb =
        bit(seven.edx, LEAF_7_EDX_IBRS_IBPB) || bit(x8.ebx, LEAF_X8_EBX_IBPB);
    features.stibp =
        bit(seven.edx, LEAF_7_EDX_STIBP) || bit(x8.ebx, LEAF_X8_EBX_STIBP);
    features.ibrs_always = capabilities & ARCH_CAP_IBRS_ALL;
    features.meltdown = features.is_intel && !intel_is_immune() &&
                        !(capabilities & ARCH_CAP_RDCL_NO);
    features.l1tf = features.meltdown;
    features.rsb_needs_refill = !features.smep;
    features.clear_buffers = (bit(seven.edx, LEAF_7_EDX_MD_CLEAR) &&
                              (!(capabilities & ARCH_CAP_MDS_NO) ||
                               (bit(seven.ebx, LEAF_7_EBX_RTM) &&
                                !(capabilities & ARCH_CAP_TAA_NO)))) ||
                             capabilities & ARCH_CAP_FB_CLEAR;
}

static void log_features(void)
{
    const struct cpu_features *f = &features;

    log_info("Processor: family %u model %u stepping %u%s", f->family, f->model,
             f->stepping, f->hypervisor ? ", virtual" : "");
    log_info("Processor features:%s%s%s%s%s%s%s", f->x2apic ? " x2apic" : "",
             f->tsc_deadline ? " tsc-deadline" : "",
             f->invariant_tsc ? " invariant-tsc" : "", f->pcid ? " pcid" : "",
             f->fsgsbase ? " fsgsbase" : "", f->smep ? " smep" : "",
             f->xsave ? " xsave" : "");
    if (f->meltdown)
        log_info("Processor may have Meltdown and L1TF");
    if (f->clear_buffers)
        log_info("Processor buffers are cleared before a guest runs");
}

/*
 * Fills what cpu_features() returns. Panics, naming what is missing, on a
 * processor that cannot run Mica. MSR faults must be survivable already
 * (rdmsr_safe).
 */
void cpu_features_detect(void)
{
    require_all();
    detect_identity();
    detect_basic();
    detect_xsave();
    detect_flaws();
    log_features();
}

/* The features found by cpu_features_detect. */
const struct cpu_features *cpu_features(void)
{
    return &features;
}
