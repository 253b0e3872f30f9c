/* SPDX-License-Identifier: MIT */
/*
 * One table says which bits of which leaf pass, and which do so only with
 * what registers the guest may enable; a leaf that is not in it reads as
 * zeros. Whatever depends on more than that is done afterwards.
 *
 * Not shown, though harmless alone: features whose kernel side needs MSRs or
 * control registers that belong to Mica (FSGSBASE, protection keys, PCID,
 * SMEP, MTRRs, large and global pages, performance counters, speculation
 * controls and the like), and MONITOR and EST also from dom0: the first
 * domain's power management would need calls that Mica does not offer.
 */
#include "x86/cpuid_policy.h"

#include "hypercall_abi/cpuid.h"

#define LAST_BASIC_LEAF 0xdu
#define LAST_EXTENDED_LEAF 0x80000008u
#define ALL 0xffffffffu
#define ANY 0xffffffffu /* subleaf */

/*
 * TSC mode "never emulated": an application may use RDTSC as a clock. The
 * ABI's other modes do not apply.
 */
#define TSC_MODE_DEFAULT 0u
#define TSC_MODE_NATIVE 2u

#define C1_XSAVE (1u << 26)
#define C1_OSXSAVE (1u << 27)
#define C1_HYPERVISOR (1u << 31)
#define DX1_RDTSCP (1u << 27)
#define DX7_INVARIANT_TSC (1u << 8)

/* What passes of some leaves if the guest may enable all of `needs` in XCR0. */
static const struct rule {
    uint32_t first, last, subleaf;
    uint64_t needs;
    struct cpuid_leaf shown;
} rules[] = {
    {0x0, 0x0, ANY, 0, {ALL, ALL, ALL, ALL}},
    /*
     * ecx: SSE3 PCLMULQDQ SSSE3 CX16 SSE4.1 SSE4.2 MOVBE POPCNT AES RDRAND
     * edx: FPU DE TSC MSR PAE MCE CX8 APIC SEP MCA CMOV PAT CLFLUSH ACPI MMX
     * FXSR SSE SSE2 SS HTT
     */
    {0x1, 0x1, ANY, 0, {ALL, 0x00ffffff, 0x42d82203, 0x1fc9cbf5}},
    {0x1, 0x1, ANY, XCR0_SSE, {0, 0, C1_XSAVE, 0}},
    /* FMA AVX F16C */
    {0x1, 0x1, ANY, XCR0_AVX, {0, 0, 0x30001000, 0}},
    {0x2, 0x2, ANY, 0, {ALL, ALL, ALL, ALL}},
    {0x4, 0x4, ANY, 0, {ALL, ALL, ALL, ALL}},
    /*
     * ebx: BMI1 HLE FDP_EXCPTN BMI2 ERMS RTM FPU_CS_DS RDSEED ADX CLFLUSHOPT
     * CLWB SHA; ecx: PREFETCHWT1 GFNI RDPID CLDEMOTE MOVDIRI MOVDIR64B;
     * edx: FSRM MD_CLEAR SERIALIZE TSXLDTRK
     */
    {0x7, 0x7, 0, 0, {ALL, 0x218c2b58, 0x1a400101, 0x00014410}},
    /* AVX2; VAES VPCLMULQDQ */
    {0x7, 0x7, 0, XCR0_AVX, {0, 0x20, 0x600, 0}},
    /* F DQ IFMA PF ER CD BW VL; VBMI VBMI2 VNNI BITALG VPOPCNTDQ; 4VNNIW
     * 4FMAPS VP2INTERSECT FP16 */
    {0x7, 0x7, 0, XCR0_AVX512, {0, 0xdc230000, 0x5842, 0x0080010c}},
    /* FZRM FSRS FSRC; AVX-VNNI; AVX512-BF16 */
    {0x7, 0x7, 1, 0, {0x1c00, 0, 0, 0}},
    {0x7, 0x7, 1, XCR0_AVX, {0x10, 0, 0, 0}},
    {0x7, 0x7, 1, XCR0_AVX512, {0x20, 0, 0, 0}},
    /* XSAVEOPT XGETBV1 */
    {0xd, 0xd, 1, 0, {0x5, 0, 0, 0}},
    {0x80000000, 0x80000000, ANY, 0, {ALL, ALL, ALL, ALL}},
    /*
     * ecx: LAHF CMP_LEGACY LZCNT SSE4A MISALIGNSSE PREFETCH TBM
     * edx: what is repeated of leaf 1, then SYSCALL NX MMXEXT RDTSCP LM
     * 3DNOWEXT 3DNOW
     */
    {0x80000001, 0x80000001, ANY, 0, {ALL, ALL, 0x002001e3, 0xe9d1cbf5}},
    /* XOP FMA4 */
    {0x80000001, 0x80000001, ANY, XCR0_AVX, {0, 0, 0x00010800, 0}},
    {0x80000002, 0x80000006, ANY, 0, {ALL, ALL, ALL, ALL}},
    {0x80000007, 0x80000007, ANY, 0, {0, 0, 0, DX7_INVARIANT_TSC}},
    /* CLZERO RSTR_FP_ERR_PTRS */
    {0x80000008, 0x80000008, ANY, 0, {0x0000ffff, 0x5, 0x0000f0ff, 0}},
};

/* The processor's answer as far as the table lets it pass. */
static struct cpuid_leaf shown_part(const struct cpuid_view *view,
                                    uint32_t leaf, uint32_t subleaf)
{
    struct cpuid_leaf host = view->host(leaf, subleaf);
    struct cpuid_leaf out = {0, 0, 0, 0};

    for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
        const struct rule *r = &rules[i];

        if (leaf < r->first || leaf > r->last ||
            r->needs & ~view->xcr0_allowed ||
            (r->subleaf != ANY && r->subleaf != subleaf))
            continue;
        out.eax |= host.eax & r->shown.eax;
        out.ebx |= host.ebx & r->shown.ebx;
        out.ecx |= host.ecx & r->shown.ecx;
        out.edx |= host.edx & r->shown.edx;
    }
    return out;
}

/* Bytes of an XSAVE area for `features`. */
static uint32_t xsave_bytes(const struct cpuid_view *view, uint64_t features)
{
    uint64_t end = 512 + 64;

    for (unsigned i = 2; i < 63; i++) {
        struct cpuid_leaf part; /* eax: size, ebx: offset */

        if (!(features & view->xcr0_allowed & 1ull << i))
            continue;
        part = view->host(0xd, i);
        end = max_u64(end, part.ebx + part.eax);
    }
    return (uint32_t)end;
}

static struct cpuid_leaf xsave_leaf(const struct cpuid_view *view,
                                    uint32_t subleaf)
{
    struct cpuid_leaf out = {0, 0, 0, 0}, part = view->host(0xd, subleaf);

    if (!view->xcr0_allowed || !view->host(0xd, 0).eax)
        return out;
    if (subleaf == 0) {
        out.eax = (uint32_t)view->xcr0_allowed;
        out.ebx = xsave_bytes(view, view->xcr0);
        out.ecx = xsave_bytes(view, view->xcr0_allowed);
    } else if (subleaf == 1) {
        out = shown_part(view, 0xd, 1);
    } else if (subleaf < 63 && view->xcr0_allowed >> subleaf & 1) {
        out.eax = part.eax;
        out.ebx = part.ebx;
    }
    return out;
}

static struct cpuid_leaf hypervisor_leaf(const struct cpuid_view *view,
                                         uint32_t leaf, uint32_t subleaf)
{
    static const struct cpuid_leaf leaves[] = {
        {XEN_CPUID_FIRST_LEAF + XEN_CPUID_MAX_NUM_LEAVES,
         XEN_CPUID_SIGNATURE_EBX, XEN_CPUID_SIGNATURE_ECX,
         XEN_CPUID_SIGNATURE_EDX},
        [XEN_CPUID_LEAF_VERSION -
            XEN_CPUID_FIRST_LEAF] = {.eax = GUEST_VISIBLE_VERSION},
        [XEN_CPUID_LEAF_CALLS - XEN_CPUID_FIRST_LEAF] =
            {.ecx = XEN_CPUID_FEAT1_MMU_PT_UPDATE_PRESERVE_AD},
    };
    struct cpuid_leaf out = {0, 0, 0, 0};

    if (leaf - XEN_CPUID_FIRST_LEAF < ARRAY_LEN(leaves))
        return leaves[leaf - XEN_CPUID_FIRST_LEAF];
    if (leaf == XEN_CPUID_LEAF_PV)
        out.ebx = view->address_width;
    if (leaf != XEN_CPUID_LEAF_TIME || subleaf)
        return out;
    if (view->tsc_is_stable)
        out.eax |= XEN_CPUID_TIME_TSC_RELIABLE;
    if (shown_part(view, 0x80000001, 0).edx & DX1_RDTSCP)
        out.eax |= XEN_CPUID_TIME_HAS_RDTSCP;
    out.ebx = view->tsc_is_stable ? TSC_MODE_NATIVE : TSC_MODE_DEFAULT;
    out.ecx = view->tsc_khz;
    return out;
}

/* What a guest described by `view` reads for a leaf and subleaf. */
struct cpuid_leaf cpuid_policy_leaf(const struct cpuid_view *view,
                                    uint32_t leaf, uint32_t subleaf)
{
    struct cpuid_leaf out;

    if (leaf >> 16 == XEN_CPUID_FIRST_LEAF >> 16)
        return hypervisor_leaf(view, leaf, subleaf);
    if (leaf == 0xd)
        return xsave_leaf(view, subleaf);
    out = shown_part(view, leaf, subleaf);
    switch (leaf) {
    case 0x0:
        out.eax = (uint32_t)min_u64(out.eax, LAST_BASIC_LEAF);
        break;
    case 0x1:
        /*
         * Kernels give XSAVE up for good if they do not find OSXSAVE set
         * before they have set it; the hardware's is always on.
         */
        out.ecx |= C1_HYPERVISOR | (out.ecx & C1_XSAVE ? C1_OSXSAVE : 0);
        break;
    case 0x7:
        if (subleaf == 0)
            out.eax = (uint32_t)min_u64(out.eax, 1);
        break;
    case 0x80000000:
        out.eax = (uint32_t)min_u64(out.eax, LAST_EXTENDED_LEAF);
        break;
    case 0x80000007:
        if (!view->tsc_is_stable)
            out.edx = 0;
        break;
    case 0x80000008: /* five-level paging is not shown */
        if ((out.eax >> 8 & 0xff) > 48)
            out.eax = (out.eax & 0xff) | 48 << 8;
        break;
    }
    return out;
}
