/* SPDX-License-Identifier: MIT */
/*
 * An area is a frame in the standard (not compacted) format of XSAVE, whose
 * first 512 bytes are those of FXSAVE (Intel SDM 1, 13.4). Saving and
 * restoring always covers all features that guests may enable, whatever XCR0 a
 * guest chose, so that no register survives from one vCPU to the next.
 */
#include "x86/context.h"

#include "core/hypercall.h"
#include "core/log.h"

#include "x86/cpu_features.h"

#define CR0_EM (1ul << 2)
#define FCW_INITIAL 0x37f
#define MXCSR_INITIAL 0x1f80u
#define MXCSR_MASK 0xffbfu /* what every processor knows */
#define LEAF_X8_EBX_RESTORES_POINTERS 2

/* What Mica knows of an area (Intel SDM 1, 10.5.1). */
struct fpu_area {
    uint16_t fcw;
    uint8_t others[22];
    uint32_t mxcsr;
    uint8_t registers[484];
    uint64_t xstate_bv;
};
_Static_assert(offsetof(struct fpu_area, mxcsr) == 24 &&
                   offsetof(struct fpu_area, xstate_bv) == FXSAVE_BYTES,
               "Intel SDM 1, 13.4.1");

static bool must_scrub_pointers; /* const after boot */

/*
 * Enables the floating-point unit of this pCPU, whose CR4 is set. To be called
 * once on each, the boot processor first.
 */
void fpu_init_this_cpu(void)
{
    const struct cpu_features *f = cpu_features();

    write_cr0((read_cr0() & ~(CR0_EM | CR0_TS)) | CR0_MP | CR0_NE);
    if (f->xsave) {
        uint32_t size;

        xsetbv(0, f->xcr0);
        size = cpu_leaf(0xd, 0).ebx; /* for what XCR0 has, not for AMX */
        if (size > PAGE_SIZE)
            panic("XSAVE needs %u bytes", size);
    }
    /*
     * AMD's processors before Zen 2 neither save nor restore the last
     * instruction's addresses unless an exception is pending.
     */
    must_scrub_pointers =
        f->is_amd &&
        !(cpu_leaf(0x80000008, 0).ebx >> LEAF_X8_EBX_RESTORES_POINTERS & 1);
}

/* Initial state for a vCPU that is loaded nowhere. */
void fpu_reset(struct vcpu *v)
{
    struct fpu_area *area = (struct fpu_area *)v->arch->fpu;

    memset(area, 0, PAGE_SIZE);
    area->fcw = FCW_INITIAL;
    area->mxcsr = MXCSR_INITIAL;
    v->arch->xcr0 = XCR0_X87;
    v->arch->cr0_ts = false;
}

/*
 * Takes over a guest-supplied FXSAVE image of FXSAVE_BYTES for a vCPU that is
 * loaded nowhere and reset. MXCSR bits that may be reserved, which would make
 * the restore fault, are dropped.
 */
void fpu_set_image(struct vcpu *v, const void *fxsave_image)
{
    struct fpu_area *area = (struct fpu_area *)v->arch->fpu;

    memcpy(area, fxsave_image, FXSAVE_BYTES);
    area->mxcsr &= MXCSR_MASK;
    area->xstate_bv = XCR0_X87 | XCR0_SSE;
}

/* Writing XCR0 leaves a virtual machine, reading it does not. */
static void use_xcr0(uint64_t value)
{
    if (xgetbv(0) != value)
        xsetbv(0, value);
}

/*
 * Saves the registers of `v`, loaded here, into its area. They stay live;
 * call fpu_restore of some vCPU before a guest runs.
 */
void fpu_save(struct vcpu *v)
{
    clts();
    if (!cpu_features()->xsave) {
        fxsave(v->arch->fpu, 0);
        return;
    }
    use_xcr0(cpu_features()->xcr0);
    xsave(v->arch->fpu, cpu_features()->xcr0);
}

/* Points the processor's last-instruction addresses at Mica's own data. */
static void scrub_pointers(void)
{
    static const uint32_t zero;

    __asm__ volatile("fnclex\n\tffree %%st(7)\n\tfilds %0" : : "m"(zero));
}

/* Loads the registers, XCR0 and CR0.TS of `v`, after another's fpu_save. */
void fpu_restore(struct vcpu *v)
{
    clts();
    if (must_scrub_pointers)
        scrub_pointers();
    if (!cpu_features()->xsave) {
        fxrstor(v->arch->fpu, 0);
    } else {
        use_xcr0(cpu_features()->xcr0);
        xrstor(v->arch->fpu, cpu_features()->xcr0);
        use_xcr0(v->arch->xcr0);
    }
    if (v->arch->cr0_ts)
        write_cr0(read_cr0() | CR0_TS);
}

/*
 * XSETBV by the loaded vCPU `v` (Intel SDM 1, 13.3): -EINVAL for a value
 * that the processor would refuse or that guests may not have.
 */
int fpu_set_xcr0(struct vcpu *v, uint32_t index, uint64_t value)
{
    if (!cpu_features()->xsave || !(v->arch->cr4 & CR4_OSXSAVE) || index ||
        value & ~cpu_features()->xcr0)
        return -EINVAL;
    switch (value) {
    case XCR0_X87:
    case XCR0_X87 | XCR0_SSE:
    case XCR0_X87 | XCR0_SSE | XCR0_AVX:
    case XCR0_X87 | XCR0_SSE | XCR0_AVX | XCR0_AVX512:
        v->arch->xcr0 = value;
        xsetbv(0, value);
        return 0;
    default:
        return -EINVAL;
    }
}

/* Sets or clears the virtual CR0.TS of the loaded vCPU `v`. */
void fpu_set_task_switched(struct vcpu *v, bool is_set)
{
    v->arch->cr0_ts = is_set;
    if (is_set)
        write_cr0(read_cr0() | CR0_TS);
    else
        clts();
}

/* fpu_taskswitch(set): sets or clears the caller's CR0.TS. */
long hc_fpu_taskswitch(struct vcpu *v, const struct hc_args *a)
{
    fpu_set_task_switched(v, a->a[0] != 0);
    return 0;
}
