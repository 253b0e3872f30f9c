/* SPDX-License-Identifier: MIT */
/* Switches between guest contexts (context.h). */
#include "x86/context.h"

#include "core/arch.h"
#include "core/frame.h"
#include "core/guest_copy.h"
#include "core/log.h"
#include "core/pcpu.h"
#include "core/sched.h"
#include "x86/cpu.h"
#include "x86/cpu_features.h"
#include "x86/debug_regs.h"
#include "x86/desc.h"
#include "x86/fpu.h"
#include "x86/insn.h"
#include "x86/ioport.h"
#include "x86/paging.h"
#include "x86/selectors.h"
#include "x86/sides.h"

out_of_line static void load_cr3(mfn_t root)
{
    struct cpu *c = this_cpu();
    uint32_t reading = flush_clock_advance();

    __atomic_store_n(&c->core->clean, false, __ATOMIC_SEQ_CST);
    write_cr3(root.n << PAGE_SHIFT);
    flush_clock_note(reading);
    c->constants->full_cr3 = root.n << PAGE_SHIFT;
    c->loaded_root = root;
}

/* Leaves the guest's tables, so that none of their entries stays cached. */
static void load_idle_root(void)
{
    struct cpu *c = this_cpu();

    write_cr3(idle_cr3());
    c->constants->full_cr3 = idle_cr3();
    c->loaded_root = MFN_INVALID;
    __atomic_store_n(&c->core->clean, true, __ATOMIC_SEQ_CST);
}

hot_path void context_load_root(struct vcpu *v)
{
    mfn_t root = vcpu_root(v);

    if (!mfn_equal(root, this_cpu()->loaded_root))
        load_cr3(root);
}

void arch_vcpu_roots_changed(struct vcpu *v)
{
    if (this_pcpu()->loaded == v)
        context_load_root(v);
}

hot_path void context_toggle_mode(struct vcpu *v)
{
    v->arch->in_kernel = !v->arch->in_kernel;
    swapgs();
    /* On the light side both run on the kernel's tables. */
    if (!sides_is_light(v))
        context_load_root(v);
    ioport_mode_changed(v);
}

/* --- between vCPUs ------------------------------------------------------- */

static void save_segments(struct arch_vcpu *a)
{
    uint64_t live = rdmsr(MSR_GS_BASE), other = rdmsr(MSR_KERNEL_GS_BASE);

    a->ds = read_ds();
    a->es = read_es();
    a->fs = read_fs();
    a->gs = read_gs();
    a->fs_base = rdmsr(MSR_FS_BASE);
    a->gs_base_kernel = a->in_kernel ? live : other;
    a->gs_base_user = a->in_kernel ? other : live;
}

/*
 * Tells the guest kernel that a segment register could not be loaded: the
 * failsafe callback's frame holds the four selectors.
 */
static void bounce_failsafe(struct vcpu *v)
{
    struct arch_vcpu *a = v->arch;
    const struct callback *c = &a->callbacks[CALLBACK_FAILSAFE];
    uint64_t selectors[4] = {a->ds, a->es, a->fs, a->gs};
    struct regs *r = guest_regs();
    uint64_t frame[11];

    if (!c->address) {
        domain_crash(v->domain, "no failsafe callback for bad selectors");
        return;
    }
    bounce_to_kernel(v, c, NULL);
    if (copy_in_root(v->kernel_root, frame, r->rsp, 7 * sizeof(*frame)))
        return;
    memmove(&frame[6], &frame[2], 5 * sizeof(*frame));
    memcpy(&frame[2], selectors, sizeof(selectors));
    r->rsp -= sizeof(selectors);
    if (copy_out_root(v->kernel_root, r->rsp, frame, sizeof(frame)))
        domain_crash(v->domain, "no room for the failsafe frame");
}

static void load_segments(struct vcpu *v)
{
    struct arch_vcpu *a = v->arch;
    bool fine = load_ds(a->ds), fs_is_fine;

    fine &= load_es(a->es);
    fine &= load_gs(a->gs);
    fs_is_fine = load_fs(a->fs);
    if (a->fs <= 3 || !fs_is_fine) /* or the last guest's base would stay */
        wrmsr(MSR_FS_BASE, a->fs_base);
    wrmsr(MSR_GS_BASE, a->in_kernel ? a->gs_base_kernel : a->gs_base_user);
    wrmsr(MSR_KERNEL_GS_BASE,
          a->in_kernel ? a->gs_base_user : a->gs_base_kernel);
    if (!fine || !fs_is_fine)
        bounce_failsafe(v);
}

static void unload(struct vcpu *v)
{
    struct cpu *c = this_cpu();

    v->arch->regs = *guest_regs();
    save_segments(v->arch);
    fpu_save(v);
    load_ds(0);
    load_es(0);
    load_fs(0);
    load_gs(0);
    load_idle_root();
    desc_unload(c);
    c->core->loaded = NULL;
    sched_unloaded(v);
}

/*
 * What one domain taught the branch predictors must not steer another, and
 * its registers, left on the gate's stacks, are not another's to read.
 */
static void forget_last_domain(struct cpu *c, const struct vcpu *v)
{
    if (c->last_domain == v->domain->serial)
        return;
    c->last_domain = v->domain->serial;
    memset(c->scratch, 0, sizeof(*c->scratch));
    if (cpu_features()->ibpb)
        wrmsr(MSR_PRED_CMD, PRED_CMD_IBPB);
}

static void load(struct vcpu *v)
{
    struct cpu *c = this_cpu();

    forget_last_domain(c, v);
    c->core->loaded = v;
    *guest_regs() = v->arch->regs;
    context_load_root(v);
    desc_load(c, v);
    if (cpu_features()->rdtscp)
        wrmsr(MSR_TSC_AUX, v->arch->tsc_aux);
    ioport_load(v);
    fpu_restore(v);
    debug_regs_load(v);
    load_segments(v);
    arch_vcpu_time_publish(v);
}

void context_switch(struct vcpu *next)
{
    struct vcpu *previous = this_pcpu()->loaded;

    if (previous == next)
        return;
    if (previous)
        unload(previous);
    if (next)
        load(next);
}
