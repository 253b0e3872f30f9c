/* SPDX-License-Identifier: MIT */
/* Switches between guest contexts (context.h). */
#include "x86/context.h"

#include "core/arch.h"
#include "core/frame.h"
#include "core/guest_copy.h"
#include "core/log.h"
#include "core/sched.h"
#include "hypercall_abi/vm_assist.h"
#include "x86/cpu_features.h"
#include "x86/ioport.h"
#include "x86/paging.h"
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

    write_cr3(virt_to_phys(idle_l4));
    c->constants->full_cr3 = virt_to_phys(idle_l4);
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

/* --- entering a guest kernel --------------------------------------------- */

/*
 * Frames pushed on a guest kernel's stack, from the lowest address up:
 *
 *     rcx  r11  [error code]  rip  cs | mask << 32  rflags  rsp  ss
 *
 * in a failsafe callback's with ds, es, fs, gs where an error code would be;
 * and the order in which they are due: an exception first, then an NMI, then
 * events.
 */
#define MAX_EXTRA 4u
#define BOUNCE_FLAGS_OFF                                                       \
    (RFLAGS_TF | RFLAGS_NT | RFLAGS_RF | RFLAGS_VM | RFLAGS_AC | RFLAGS_IOPL)

#define ERROR_CODE_VECTORS                                                     \
    (1u << EXC_DF | 1u << EXC_TS | 1u << EXC_NP | 1u << EXC_SS |               \
     1u << EXC_GP | 1u << EXC_PF | 1u << EXC_AC | 1u << EXC_CP)

/* The flags a guest gets to see in place of the processor's. */
static uint64_t visible_flags(const struct vcpu *v, uint64_t flags, bool masked)
{
    flags &= ~(RFLAGS_IF | RFLAGS_IOPL);
    if (!masked)
        flags |= RFLAGS_IF;
    if (domain_has_assist(v->domain, VMASST_TYPE_architectural_iopl))
        flags |= (uint64_t)v->arch->iopl << 12;
    return flags;
}

static void write_frame(uint64_t *frame, const struct vcpu *v,
                        const uint64_t *extra, unsigned count, uint64_t cs,
                        uint8_t mask)
{
    const struct regs *r = guest_regs();

    *frame++ = r->rcx;
    *frame++ = r->r11;
    while (count-- > 0)
        *frame++ = *extra++;
    *frame++ = r->rip;
    *frame++ = cs | (uint64_t)mask << 32;
    *frame++ = visible_flags(v, r->rflags, mask);
    *frame++ = r->rsp;
    *frame = r->ss & 0xffff;
}

hot_path void bounce_to_kernel(struct vcpu *v, const struct callback *to,
                               const uint64_t *extra, unsigned count)
{
    struct regs *r = guest_regs();
    struct vcpu_info *info = vcpu_info_of(v);
    bool from_kernel = v->arch->in_kernel;
    uint8_t mask = __atomic_load_n(&info->evtchn_upcall_mask, __ATOMIC_RELAXED);
    uint64_t copy[7 + MAX_EXTRA], *frame = copy, sp;
    size_t size = (7 + count) * sizeof(*frame);

    if (!from_kernel)
        context_toggle_mode(v);
    sp = ((from_kernel ? r->rsp : v->arch->kernel_sp) & ~15ull) - size;
    if ((sp & (PAGE_SIZE - 1)) + size <= PAGE_SIZE)
        frame = guest_translate(v->kernel_root, sp, WALK_WRITE);
    if (frame)
        write_frame(frame, v, extra, count,
                    r->cs & (from_kernel ? 0xfffc : 0xffff), mask);
    if (!frame ||
        (frame == copy && copy_out_root(v->kernel_root, sp, copy, size))) {
        domain_crash(v->domain, "vCPU %u: bad kernel stack %#lx for a frame",
                     v->id, sp);
        return;
    }
    if (to->masks_events)
        __atomic_store_n(&info->evtchn_upcall_mask, 1, __ATOMIC_RELAXED);
    r->rip = to->address;
    r->cs = SEL_GUEST_CS;
    r->ss = SEL_GUEST_SS;
    r->rsp = sp;
    r->rflags = (r->rflags & ~BOUNCE_FLAGS_OFF) | RFLAGS_IF;
}

void trap_inject(struct vcpu *v, unsigned vector, uint32_t error_code)
{
    v->arch->trap = (struct pending_trap){
        .is_pending = true,
        .vector = (uint8_t)vector,
        .error_code = error_code,
    };
}

hot_path void trap_inject_page_fault(struct vcpu *v, uint64_t address,
                                     uint32_t error_code)
{
    error_code &= ~PFEC_USER;
    if (!v->arch->in_kernel)
        error_code |= PFEC_USER;
    trap_inject(v, EXC_PF, error_code);
    v->arch->trap.cr2 = address;
}

/* Enters the guest's handler for the pending exception. */
static void deliver_trap(struct vcpu *v)
{
    struct pending_trap *t = &v->arch->trap;
    uint64_t error_code = t->error_code;
    const struct callback *gate = &v->arch->traps[t->vector];

    t->is_pending = false;
    if (!gate->address) {
        domain_crash(v->domain,
                     "vCPU %u: no handler for exception %u (error %#x) at "
                     "%#lx, address %#lx",
                     v->id, t->vector, t->error_code, guest_regs()->rip,
                     t->cr2);
        return;
    }
    if (t->vector == EXC_PF)
        vcpu_info_of(v)->arch.cr2 = t->cr2;
    bounce_to_kernel(v, gate, &error_code, ERROR_CODE_VECTORS >> t->vector & 1);
}

/* Enters the guest kernel, with events masked, if there is an address. */
static bool interrupt(struct vcpu *v, uint64_t address)
{
    struct callback to = {.address = address, .masks_events = true};

    if (address)
        bounce_to_kernel(v, &to, NULL, 0);
    return address;
}

hot_path void deliver_pending(struct vcpu *v)
{
    struct arch_vcpu *a = v->arch;
    uint64_t nmi = a->callbacks[CALLBACKTYPE_nmi].address;

    if (a->trap.is_pending)
        deliver_trap(v);
    if (__atomic_load_n(&a->nmi_pending, __ATOMIC_RELAXED) && !a->nmi_masked) {
        __atomic_store_n(&a->nmi_pending, false, __ATOMIC_RELAXED);
        a->nmi_masked = interrupt(v, nmi ? nmi : a->traps[EXC_NMI].address);
    }
    if (vcpu_has_event(v))
        interrupt(v, a->callbacks[CALLBACKTYPE_event].address);
}

/* --- between vCPUs ------------------------------------------------------- */

static void save_segments(struct arch_vcpu *a)
{
    uint64_t live = rdmsr(MSR_GS_BASE), other = rdmsr(MSR_KERNEL_GS_BASE);

    a->ds = (uint16_t)read_ds();
    a->es = (uint16_t)read_es();
    a->fs = (uint16_t)read_fs();
    a->gs = (uint16_t)read_gs();
    a->fs_base = rdmsr(MSR_FS_BASE);
    a->gs_base_kernel = a->in_kernel ? live : other;
    a->gs_base_user = a->in_kernel ? other : live;
}

/* Tells the guest kernel that a segment register could not be loaded. */
static void bounce_failsafe(struct vcpu *v)
{
    const struct arch_vcpu *a = v->arch;
    const struct callback *c = &a->callbacks[CALLBACKTYPE_failsafe];
    const uint64_t selectors[MAX_EXTRA] = {a->ds, a->es, a->fs, a->gs};

    if (c->address)
        bounce_to_kernel(v, c, selectors, MAX_EXTRA);
    else
        domain_crash(v->domain, "no failsafe callback for bad selectors");
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
