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

#include "x86/time_scale.h"

#define LAST_BASIC_LEAF 0xdu
#define LAST_EXTENDED_LEAF 0x80000008u
#define ALL 0xffffffffu
#define ANY 0xffffffffu /* subleaf */

#define XCR0_SSE (1ull << 1)
#define XCR0_AVX (1ull << 2)
#define XCR0_AVX512 (7ull << 5)

/*
 * TSC mode "never emulated": an application may use RDTSC as a clock. The
 * ABI's other modes do not apply.
 */
#define TSC_MODE_DEFAULT 0u
#define TSC_MODE_NATIVE 2u

#define BIT(n) (1u << (n))

/* Leaf 1 */
#define C1_AVX (BIT(12) | BIT(28) | BIT(29)) /* FMA AVX F16C */
#define C1_XSAVE BIT(26)
#define C1_OSXSAVE BIT(27)
#define C1_HYPERVISOR BIT(31)
/* SSE3 PCLMULQDQ SSSE3 CX16 SSE4.1 SSE4.2 MOVBE POPCNT AES RDRAND */
#define C1_SHOWN                                                               \
    (BIT(0) | BIT(1) | BIT(9) | BIT(13) | BIT(19) | BIT(20) | BIT(22) |        \
     BIT(23) | BIT(25) | BIT(30))
/* FPU DE TSC MSR PAE MCE CX8 APIC MCA CMOV PAT MMX FXSR; also 0x80000001 */
#define D1_COMMON                                                              \
    (BIT(0) | BIT(2) | BIT(4) | BIT(5) | BIT(6) | BIT(7) | BIT(8) | BIT(9) |   \
     BIT(14) | BIT(15) | BIT(16) | BIT(23) | BIT(24))
/* ... and SEP CLFLUSH ACPI SSE SSE2 SS HTT */
#define D1_SHOWN                                                               \
    (D1_COMMON | BIT(11) | BIT(19) | BIT(22) | BIT(25) | BIT(26) | BIT(27) |   \
     BIT(28))

/* Leaf 7 */
#define B7_AVX2 BIT(5)
#define B7_AVX512                                                              \
    (BIT(16) | BIT(17) | BIT(21) | BIT(26) | BIT(27) | BIT(28) | BIT(30) |     \
     BIT(31))
/* BMI1 HLE FDP_EXCPTN BMI2 ERMS RTM FPU_CS_DS RDSEED ADX CLFLUSHOPT CLWB SHA */
#define B7_SHOWN                                                               \
    (BIT(3) | BIT(4) | BIT(6) | BIT(8) | BIT(9) | BIT(11) | BIT(13) |          \
     BIT(18) | BIT(19) | BIT(23) | BIT(24) | BIT(29))
#define C7_AVX (BIT(9) | BIT(10)) /* VAES VPCLMULQDQ */
#define C7_AVX512 (BIT(1) | BIT(6) | BIT(11) | BIT(12) | BIT(14))
/* PREFETCHWT1 GFNI RDPID CLDEMOTE MOVDIRI MOVDIR64B */
#define C7_SHOWN (BIT(0) | BIT(8) | BIT(22) | BIT(25) | BIT(27) | BIT(28))
#define D7_AVX512 (BIT(2) | BIT(3) | BIT(8) | BIT(23))
#define D7_SHOWN (BIT(4) | BIT(10) | BIT(14) | BIT(16)) /* FSRM MD_CLEAR ... */

#define A7_1_AVX_VNNI BIT(4)
#define A7_1_AVX512_BF16 BIT(5)
#define A7_1_SHOWN (BIT(10) | BIT(11) | BIT(12)) /* FZRM FSRS FSRC */
#define AD_1_SHOWN (BIT(0) | BIT(1) | BIT(2))    /* XSAVEOPT XSAVEC XGETBV1 */

/* Leaf 0x80000001: LAHF CMP_LEGACY LZCNT SSE4A MISALIGNSSE PREFETCH TBM */
#define CX1_SHOWN                                                              \
    (BIT(0) | BIT(1) | BIT(5) | BIT(6) | BIT(7) | BIT(8) | BIT(21))
/* SYSCALL NX MMXEXT RDTSCP LM 3DNOWEXT 3DNOW */
#define DX1_SHOWN                                                              \
    (D1_COMMON | BIT(11) | BIT(20) | BIT(22) | DX1_RDTSCP | BIT(29) |          \
     BIT(30) | BIT(31))
#define DX1_RDTSCP BIT(27)
#define CX1_AVX (BIT(11) | BIT(16)) /* XOP FMA4 */
#define DX7_INVARIANT_TSC BIT(8)
#define BX8_SHOWN (BIT(0) | BIT(2)) /* CLZERO RSTR_FP_ERR_PTRS */

/* What passes of a leaf if the guest may enable all of `needs` in XCR0. */
static const struct rule {
    uint32_t leaf, subleaf;
    uint64_t needs;
    struct cpuid_leaf shown;
} rules[] = {
    {0x0, ANY, 0, {ALL, ALL, ALL, ALL}},
    {0x1, ANY, 0, {ALL, 0x00ffffff, C1_SHOWN, D1_SHOWN}},
    {0x1, ANY, XCR0_SSE, {0, 0, C1_XSAVE, 0}},
    {0x1, ANY, XCR0_AVX, {0, 0, C1_AVX, 0}},
    {0x2, ANY, 0, {ALL, ALL, ALL, ALL}},
    {0x4, ANY, 0, {ALL, ALL, ALL, ALL}},
    {0x7, 0, 0, {ALL, B7_SHOWN, C7_SHOWN, D7_SHOWN}},
    {0x7, 0, XCR0_AVX, {0, B7_AVX2, C7_AVX, 0}},
    {0x7, 0, XCR0_AVX512, {0, B7_AVX512, C7_AVX512, D7_AVX512}},
    {0x7, 1, 0, {A7_1_SHOWN, 0, 0, 0}},
    {0x7, 1, XCR0_AVX, {A7_1_AVX_VNNI, 0, 0, 0}},
    {0x7, 1, XCR0_AVX512, {A7_1_AVX512_BF16, 0, 0, 0}},
    {0xd, 1, 0, {AD_1_SHOWN, 0, 0, 0}},
    {0x80000000, ANY, 0, {ALL, ALL, ALL, ALL}},
    {0x80000001, ANY, 0, {ALL, ALL, CX1_SHOWN, DX1_SHOWN}},
    {0x80000001, ANY, XCR0_AVX, {0, 0, CX1_AVX, 0}},
    {0x80000002, ANY, 0, {ALL, ALL, ALL, ALL}},
    {0x80000003, ANY, 0, {ALL, ALL, ALL, ALL}},
    {0x80000004, ANY, 0, {ALL, ALL, ALL, ALL}},
    {0x80000005, ANY, 0, {ALL, ALL, ALL, ALL}},
    {0x80000006, ANY, 0, {ALL, ALL, ALL, ALL}},
    {0x80000007, ANY, 0, {0, 0, 0, DX7_INVARIANT_TSC}},
    {0x80000008, ANY, 0, {0x0000ffff, BX8_SHOWN, 0x0000f0ff, 0}},
};

/* The processor's answer as far as the table lets it pass. */
static struct cpuid_leaf shown_part(const struct cpuid_view *view,
                                    uint32_t leaf, uint32_t subleaf)
{
    struct cpuid_leaf host = view->host(leaf, subleaf);
    struct cpuid_leaf out = {0, 0, 0, 0};

    for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
        const struct rule *r = &rules[i];

        if (r->leaf != leaf || r->needs & ~view->xcr0_allowed ||
            (r->subleaf != ANY && r->subleaf != subleaf))
            continue;
        out.eax |= host.eax & r->shown.eax;
        out.ebx |= host.ebx & r->shown.ebx;
        out.ecx |= host.ecx & r->shown.ecx;
        out.edx |= host.edx & r->shown.edx;
    }
    return out;
}

/* Bytes of an XSAVE area for `features`; compact: as XSAVEC lays it out. */
static uint32_t xsave_bytes(const struct cpuid_view *view, uint64_t features,
                            bool is_compact)
{
    uint32_t end = 512 + 64;

    for (unsigned i = 2; i < 63; i++) {
        struct cpuid_leaf part;

        if (!(features & view->xcr0_allowed & 1ull << i))
            continue;
        part = view->host(0xd, i); /* eax: size, ebx: standard offset */
        if (is_compact && part.ecx & BIT(1))
            end = (end + 63) & ~63u;
        if (is_compact)
            end += part.eax;
        else if (part.ebx + part.eax > end)
            end = part.ebx + part.eax;
    }
    return end;
}

static struct cpuid_leaf xsave_leaf(const struct cpuid_view *view,
                                    uint32_t subleaf)
{
    struct cpuid_leaf out = {0, 0, 0, 0};

    if (!view->xcr0_allowed || !view->host(0xd, 0).eax)
        return out;
    if (subleaf == 0) {
        out.eax = (uint32_t)view->xcr0_allowed;
        out.ebx = xsave_bytes(view, view->xcr0, false);
        out.ecx = xsave_bytes(view, view->xcr0_allowed, false);
        out.edx = (uint32_t)(view->xcr0_allowed >> 32);
    } else if (subleaf == 1) {
        out = shown_part(view, 0xd, 1);
        if (out.eax & BIT(1))
            out.ebx = xsave_bytes(view, view->xcr0, true);
    } else if (subleaf < 63 && view->xcr0_allowed >> subleaf & 1) {
        out = view->host(0xd, subleaf);
        out.ecx &= BIT(1);
        out.edx = 0;
    }
    return out;
}

static struct cpuid_leaf time_leaf(const struct cpuid_view *view,
                                   uint32_t subleaf)
{
    struct cpuid_leaf x1 = shown_part(view, 0x80000001, 0);
    struct cpuid_leaf out = {0, 0, 0, 0};

    if (subleaf == 0) {
        if (view->tsc_is_stable)
            out.eax |= XEN_CPUID_TIME_TSC_RELIABLE;
        if (x1.edx & DX1_RDTSCP)
            out.eax |= XEN_CPUID_TIME_HAS_RDTSCP;
        out.ebx = view->tsc_is_stable ? TSC_MODE_NATIVE : TSC_MODE_DEFAULT;
        out.ecx = view->tsc_khz;
    } else if (subleaf == 1 && view->tsc_khz) {
        struct time_scale scale =
            time_scale_make(view->tsc_khz * 1000ull, NSEC_PER_SEC);

        out.ecx = scale.mul;
        out.edx = (uint32_t)scale.shift;
    } else if (subleaf == 2) {
        out.eax = view->tsc_khz;
    }
    return out;
}

static struct cpuid_leaf hypervisor_leaf(const struct cpuid_view *view,
                                         uint32_t leaf, uint32_t subleaf)
{
    struct cpuid_leaf out = {0, 0, 0, 0};

    switch (leaf) {
    case XEN_CPUID_FIRST_LEAF:
        out.eax = XEN_CPUID_FIRST_LEAF + XEN_CPUID_MAX_NUM_LEAVES;
        out.ebx = XEN_CPUID_SIGNATURE_EBX;
        out.ecx = XEN_CPUID_SIGNATURE_ECX;
        out.edx = XEN_CPUID_SIGNATURE_EDX;
        break;
    case XEN_CPUID_LEAF_VERSION:
        out.eax = GUEST_VISIBLE_VERSION;
        break;
    case XEN_CPUID_LEAF_CALLS:
        out.eax = 1;
        out.ebx = XEN_CPUID_HYPERCALL_MSR;
        out.ecx = XEN_CPUID_FEAT1_MMU_PT_UPDATE_PRESERVE_AD;
        break;
    case XEN_CPUID_LEAF_TIME:
        return time_leaf(view, subleaf);
    case XEN_CPUID_LEAF_PV:
        out.ebx = view->address_width & XEN_CPUID_MACHINE_ADDRESS_WIDTH_MASK;
        break;
    }
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
