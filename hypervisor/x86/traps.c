/* SPDX-License-Identifier: MIT */
/*
 * Exceptions and interrupts, of guests and of Mica itself, and the way back
 * to a guest. A guest's exception is emulated, or it is delivered to the
 * guest's kernel; one of Mica's own is expected at known instructions only.
 */
#include "x86/traps.h"

#include "core/arch.h"
#include "core/domain.h"
#include "core/guest_copy.h"
#include "core/hypercall.h"
#include "core/log.h"
#include "core/pcpu.h"
#include "core/sched.h"
#include "core/timer.h"
#include "core/vcpu.h"
#include "x86/apic.h"
#include "x86/context.h"
#include "x86/cpu.h"
#include "x86/debug_regs.h"
#include "x86/desc.h"
#include "x86/emulate.h"
#include "x86/flush.h"
#include "x86/fpu.h"
#include "x86/insn.h"
#include "x86/irq.h"
#include "x86/memory_layout.h"
#include "x86/selectors.h"
#include "x86/sides.h"

#define LINUX_SYSCALL_VECTOR 0x80
#define SOFT_INTERRUPT_ERROR(vector) ((vector)*8 + 2)

extern const char exit_iret[], exit_sysret[];

/* --- system calls and hypercalls ----------------------------------------- */

static void bounce_syscall(struct vcpu *v, enum callback_kind kind)
{
    const struct callback *c = &v->arch->callbacks[kind];
    struct regs *r = guest_regs();

    bounce_to_kernel(v, &(struct bounce){.address = c->address,
                                         .masks_events = c->masks_events});
    r->rflags &= ~RFLAGS_DF;
}

static void application_syscall(struct vcpu *v, struct regs *r)
{
    bool is_32bit = r->cs == SEL_GUEST_CS32;
    enum callback_kind kind = is_32bit ? CALLBACK_SYSCALL32 : CALLBACK_SYSCALL;

    if (v->arch->callbacks[kind].address) {
        bounce_syscall(v, kind);
        return;
    }
    if (!is_32bit) {
        domain_crash(v->domain, "vCPU %u: no callback for SYSCALL", v->id);
        return;
    }
    r->rip -= 2;
    trap_inject(v, EXC_UD, 0);
}

/* SYSCALL: an application's system call, or its kernel's hypercall. */
hot_path void handle_syscall(struct regs *r)
{
    struct vcpu *v = current_vcpu();
    struct hc_args args;

    sides_entered(r);
    if (!v->arch->in_kernel) {
        application_syscall(v, r);
        return;
    }
    this_pcpu()->entered_at = 0;
    args = (struct hc_args){{r->rdi, r->rsi, r->rdx, r->r10, r->r8}};
    r->rax = (uint64_t)hypercall_dispatch(v, (uint32_t)r->rax, &args);
}

void handle_sysenter(struct regs *r)
{
    struct vcpu *v = current_vcpu();

    sides_entered(r);
    r->rflags = (r->rflags & ~(RFLAGS_TF | RFLAGS_NT)) | RFLAGS_IF;
    if (!v->arch->in_kernel && v->arch->callbacks[CALLBACK_SYSENTER].address)
        bounce_syscall(v, CALLBACK_SYSENTER);
    else
        trap_inject(v, EXC_GP, 0);
}

/* --- interrupts ---------------------------------------------------------- */

static void handle_interrupt(unsigned vector)
{
    switch (vector) {
    case VECTOR_TIMER:
        this_cpu()->timer_is_due = true;
        apic_eoi();
        break;
    case VECTOR_KICK:
        apic_eoi();
        break;
    case VECTOR_FLUSH:
        apic_eoi();
        flush_serve();
        break;
    case VECTOR_SPURIOUS:
        break;
    default:
        irq_dispatch(vector);
    }
}

/* --- exceptions of guests ------------------------------------------------ */

static bool is_own_range(uint64_t va)
{
    return va >= OWN_RANGE_START && va < OWN_RANGE_END;
}

/*
 * The processor missed a page of a guest's descriptor table at `address`. If
 * that cannot be one, the fault is where the guest has the page.
 */
static void missing_table(struct vcpu *v, uint64_t address, uint32_t error_code)
{
    uint64_t offset = address - this_cpu()->gate - GATE_LDT;

    if (desc_fault(v, address))
        return;
    if (offset < v->arch->ldt_entries * sizeof(uint64_t))
        address = v->arch->ldt_base + offset;
    trap_inject_page_fault(v, address, error_code);
}

static void guest_page_fault(struct vcpu *v, struct regs *r)
{
    uint64_t address = read_cr2();
    uint32_t want = PFEC_PRESENT | PFEC_WRITE;

    if (desc_is_guest_table(address) &&
        !(r->error_code & (PFEC_USER | PFEC_PRESENT))) {
        missing_table(v, address, r->error_code);
        return;
    }
    if (v->arch->in_kernel && !is_own_range(address) &&
        (r->error_code & (want | PFEC_RESERVED | PFEC_FETCH)) == want &&
        emulate_pte_write(v, r, address) == EMULATE_DONE)
        return;
    trap_inject_page_fault(v, address, r->error_code);
}

/* `int n`: the guest's gate says who may use it. */
static void soft_interrupt(struct vcpu *v, struct regs *r, unsigned vector,
                           unsigned length)
{
    const struct trap_gate *gate = &v->arch->traps[vector];
    unsigned ring = v->arch->in_kernel ? 1 : 3;

    if (!gate->address || gate->dpl < ring) {
        trap_inject(v, EXC_GP, SOFT_INTERRUPT_ERROR(vector));
        return;
    }
    r->rip += length;
    bounce_to_kernel(v, &(struct bounce){.address = gate->address,
                                         .masks_events = gate->masks_events});
}

static void guest_general_protection(struct vcpu *v, struct regs *r)
{
    uint8_t vector;
    unsigned length;

    if (r->error_code & 2 &&
        emulate_is_soft_interrupt(v, r, &vector, &length)) {
        soft_interrupt(v, r, vector, length);
        return;
    }
    if (sides_finish_iret(v, r))
        return;
    if (!r->error_code && emulate_privileged(v, r) == EMULATE_DONE)
        return;
    trap_inject(v, EXC_GP, r->error_code);
}

static void guest_exception(struct vcpu *v, struct regs *r)
{
    switch (r->vector) {
    case EXC_PF:
        guest_page_fault(v, r);
        return;
    case EXC_GP:
        guest_general_protection(v, r);
        return;
    case EXC_UD:
        if (emulate_forced_cpuid(v, r) == EMULATE_DONE)
            return;
        break;
    case EXC_NM:
        if (fpu_device_not_available(v))
            return;
        break;
    case EXC_DB:
        debug_regs_note_trap(v);
        break;
    case EXC_NP:
    case EXC_SS:
    case EXC_TS:
    default:
        break;
    }
    trap_inject(v, r->vector, r->error_code);
}

hot_path void handle_guest_trap(struct regs *r)
{
    struct vcpu *v = current_vcpu();

    sides_entered(r);
    if (r->vector == LINUX_SYSCALL_VECTOR) {
        r->rip -= 2;
        soft_interrupt(v, r, LINUX_SYSCALL_VECTOR, 2);
        return;
    }
    if (r->vector >= 32) {
        handle_interrupt(r->vector);
        return;
    }
    this_pcpu()->entered_at = 0;
    guest_exception(v, r);
}

/* --- exceptions of Mica itself ------------------------------------------- */

struct fault_entry {
    uint64_t from, to;
};

extern const struct fault_entry fault_table_start[], fault_table_end[];

static bool fix_up(struct regs *r)
{
    for (const struct fault_entry *e = fault_table_start; e < fault_table_end;
         e++) {
        if (e->from == r->rip) {
            r->rip = e->to;
            return true;
        }
    }
    return false;
}

/*
 * The processor refused to return to the guest: the context it was given is
 * bad, and the guest gets the exception as if that context had raised it.
 * Its general registers are in `r`, the rest still in its place; the two
 * overlap.
 */
static _Noreturn void refused_return(struct regs *r)
{
    struct regs *guest = guest_regs();
    unsigned vector = r->vector;
    uint32_t error_code = r->error_code;
    uint64_t address = read_cr2();

    memmove(guest, r, offsetof(struct regs, error_code));
    if (vector != EXC_PF)
        trap_inject(current_vcpu(), vector, error_code);
    else
        missing_table(current_vcpu(), address, error_code);
    exit_restart(guest);
}

static bool is_gate_code(uint64_t rip)
{
    return rip - this_cpu()->gate - GATE_CODE < GATE_CONST - GATE_CODE;
}

void handle_own_trap(struct regs *r)
{
    if (r->vector >= 32) {
        handle_interrupt(r->vector);
        return;
    }
    sides_entered(r);
    if (r->rip == (uint64_t)exit_iret)
        refused_return(r);
    if (is_gate_code(r->rip) && sides_gate_fault(r))
        return;
    if (r->vector == EXC_PF && !(r->error_code & PFEC_PRESENT) &&
        desc_is_guest_table(read_cr2()) && this_pcpu()->loaded &&
        desc_fault(this_pcpu()->loaded, read_cr2()))
        return;
    if (fix_up(r))
        return;
    crash_own(r);
}

/*
 * An NMI is dom0's to explain. It may have struck anywhere, so this only
 * leaves word; dom0 hears of it when its vCPU next passes through Mica.
 */
static void nmi_to_dom0(const struct regs *r)
{
    if (!(r->cs & 3))
        this_cpu()->stacks_hold_own = true;
    if (!dom0)
        return;
    __atomic_store_n(&dom0->vcpus[0]->arch->nmi_pending, true,
                     __ATOMIC_RELEASE);
    __atomic_store_n(&this_pcpu()->need_resched, true, __ATOMIC_SEQ_CST);
}

void handle_ist_trap(struct regs *r)
{
    if (r->vector == EXC_NMI)
        nmi_to_dom0(r);
    else if (r->vector != EXC_DB)
        crash_own(r);
    else {
        write_dr6(DR6_FIXED); /* a guest's breakpoint, met in the gate */
        sides_debug_fault(r);
    }
}

/* --- the way out --------------------------------------------------------- */

static void pass_scheduler(struct cpu *c)
{
    struct vcpu *next;

    __atomic_store_n(&c->core->need_resched, false, __ATOMIC_SEQ_CST);
    if (c->stacks_hold_own)
        sides_wipe_stacks(c);
    next = sched_pick(arch_now());
    context_switch(next);
}

/* Whether anything is to be done before the guest of `v`, or NULL, goes on. */
static bool is_work_due(const struct cpu *c, const struct vcpu *v)
{
    if (c->timer_is_due || !v ||
        __atomic_load_n(&c->core->need_resched, __ATOMIC_SEQ_CST))
        return true;
    return v->arch->trap.is_pending || v->runstate_stale ||
           __atomic_load_n(&v->arch->nmi_pending, __ATOMIC_RELAXED) ||
           vcpu_has_event(v);
}

/* Does it, or a part of it. Whether the guest may go on now. */
static bool do_work(struct cpu *c, struct vcpu *v)
{
    if (c->timer_is_due) {
        c->timer_is_due = false;
        timers_run(arch_now());
        return false;
    }
    if (__atomic_load_n(&c->core->need_resched, __ATOMIC_SEQ_CST)) {
        pass_scheduler(c);
        return false;
    }
    if (!v) {
        halt_until_interrupt();
        return false;
    }
    if (v->runstate_stale && v->arch->in_kernel)
        vcpu_runstate_publish(v);
    deliver_pending(v);
    return !__atomic_load_n(&c->core->need_resched, __ATOMIC_SEQ_CST);
}

/*
 * Whether SYSRET restores `r`. The address must be canonical, or SYSRET would
 * fault in ring 0 with the guest's stack pointer (Intel SDM 2B, SYSRET).
 */
hot_path static bool is_after_syscall(const struct regs *r)
{
    return r->vector == ENTRY_SYSCALL && r->rip == r->rcx &&
           r->rflags == r->r11 && r->cs == SEL_GUEST_CS &&
           r->ss == SEL_GUEST_SS && !(r->rflags & (RFLAGS_TF | RFLAGS_RF)) &&
           va_is_canonical(r->rip);
}

hot_path uint64_t prepare_exit(struct regs *r)
{
    struct cpu *c = this_cpu();
    uint64_t way;

    while (is_work_due(c, c->core->current))
        if (do_work(c, c->core->current))
            break;
    way = sides_leave(c->core->current, r);
    if (way)
        return way;
    context_load_root(c->core->current);
    c->constants->serves_kernel = c->core->current->arch->in_kernel;
    return is_after_syscall(r) ? (uint64_t)exit_sysret : 0;
}

void idle_loop(void)
{
    this_pcpu()->need_resched = true;
    exit_restart(guest_regs());
}
