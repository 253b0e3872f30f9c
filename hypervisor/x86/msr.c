/* SPDX-License-Identifier: MIT */
/*
 * MSRs fall in three classes: a few with a meaning, handled one by one; a
 * table of those that read as a constant, because kernels use them without
 * expecting a fault; and all others, which fault.
 */
#include "x86/emulate.h"

#include "core/guest_copy.h"

#include "x86/cpu_features.h"
#include "x86/insn.h"
#include "x86/vcpu.h"

#define MSR_TSC 0x10u
#define MSR_MICROCODE_REVISION 0x8bu
#define MSR_MISC_ENABLE 0x1a0u

#define APIC_BASE_ENABLED 0xfee00800ull
#define APIC_BASE_BOOT_CPU (1ull << 8)
#define EFER_SHOWN (EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE)
/* Fast strings; neither branch trace nor event-based sampling. */
#define MISC_ENABLE_VALUE (1ull << 0 | 1ull << 11 | 1ull << 12)

static const struct constant_msr {
    uint32_t first, last;
    uint64_t value;
    bool swallows; /* what is written, whatever it is */
} constants[] = {
    {MSR_EFER, MSR_EFER, EFER_SHOWN, false},
    {MSR_PAT, MSR_PAT, PAT_VALUE, false},
    {0x179, 0x17b, 0, true}, /* MCG_CAP: no banks; STATUS; CTL */
    {0x400, 0x47f, 0, true}, /* banks of machine checks */
    {0xce, 0xce, 0, true},   /* PLATFORM_INFO */
    {0x140, 0x140, 0, true}, /* MISC_FEATURES_ENABLES */
    {MSR_MISC_ENABLE, MSR_MISC_ENABLE, MISC_ENABLE_VALUE, true},
    {0xc0010015, 0xc0010015, 0, true}, /* HWCR */
    {0xc0010055, 0xc0010055, 0, true}, /* INT_PENDING */
    {0xc0011029, 0xc0011029, 0, true}, /* DE_CFG */
};

static const struct constant_msr *find_constant(uint32_t msr)
{
    for (size_t i = 0; i < ARRAY_LEN(constants); i++)
        if (msr >= constants[i].first && msr <= constants[i].last)
            return &constants[i];
    return NULL;
}

/* RDMSR: 0 with *value, or -EPERM when it is to fault. */
int msr_read(const struct vcpu *v, uint32_t msr, uint64_t *value)
{
    const struct constant_msr *c;

    switch (msr) {
    case MSR_FS_BASE:
    case MSR_GS_BASE:
    case MSR_KERNEL_GS_BASE:
    case MSR_TSC:
        *value = rdmsr(msr);
        return 0;
    case MSR_TSC_AUX:
        *value = v->arch->tsc_aux;
        return cpu_features()->rdtscp ? 0 : -EPERM;
    case MSR_MICROCODE_REVISION:
        if (rdmsr_safe(MSR_MICROCODE_REVISION, value))
            *value = 0;
        return 0;
    case MSR_APIC_BASE:
        *value = APIC_BASE_ENABLED | (v->id ? 0 : APIC_BASE_BOOT_CPU);
        return 0;
    }
    c = find_constant(msr);
    *value = c ? c->value : 0;
    return c ? 0 : -EPERM;
}

/*
 * WRMSR: 0, or an error when it is to fault. What changes nothing, or nothing
 * a guest could notice, is swallowed.
 */
int msr_write(struct vcpu *v, uint32_t msr, uint64_t value)
{
    const struct constant_msr *c = find_constant(msr);
    uint64_t present;

    switch (msr) {
    case MSR_FS_BASE:
    case MSR_GS_BASE:
    case MSR_KERNEL_GS_BASE:
        if (!va_is_canonical(value))
            return -EPERM;
        wrmsr(msr, value);
        return 0;
    case MSR_TSC_AUX:
        if (!cpu_features()->rdtscp || value >> 32)
            return -EPERM;
        v->arch->tsc_aux = (uint32_t)value;
        wrmsr(MSR_TSC_AUX, value);
        return 0;
    case MSR_MICROCODE_REVISION:
        return value ? -EPERM : 0; /* asks for the revision to be shown */
    }
    if (c && c->swallows)
        return 0;
    return msr_read(v, msr, &present) || value != present ? -EPERM : 0;
}
