/* SPDX-License-Identifier: MIT */
/*
 * Exceptions and interrupts, of guests and of Mica itself, and the way back
 * to a guest. A guest's exception is emulated, or it is delivered to the
 * guest's kernel; one of Mica's own is expected at known instructions only.
 */
#include "x86/traps.h"

#include "core/arch.h"
#include "core/guest_copy.h"
#include "core/hypercall.h"
#include "core/log.h"
#include "core/sched.h"
#include "core/timer.h"
#include "x86/apic.h"
#include "x86/context.h"
#include "x86/emulate.h"
#include "x86/flush.h"
#include "x86/irq.h"
#include "x86/memory_layout.h"
#include "x86/sides.h"

#define LINUX_SYSCALL_VECTOR 0x80
#define INT_OPCODE 0xcd
#define SOFT_INTERRUPT_ERROR(vector) ((vector)*8 + 2)

extern const char exit_sysret[];

/* --- system calls and hypercalls ----------------------------------------- */

static void bounce_syscall(struct vcpu *v, unsigned kind)
{
    bounce_to_kernel(v, &v->arch->callbacks[kind], NULL, 0);
    guest_regs()->rflags &= ~RFLAGS_DF;
}

static void application_syscall(struct vcpu *v, struct regs *r)
{
    bool is_32bit = r->cs == SEL_GUEST_CS32;
    unsigned kind = is_32bit ? CALLBACKTYPE_syscall32 : CALLBACKTYPE_syscall;

    if (v->arch->callbacks[kind].address) {
        bounce_syscall(v, kind);
    } else if (is_32bit) {
        r->rip -= 2;
        trap_inject(v, EXC_UD, 0);
    } else {
        domain_crash(v->domain, "vCPU %u: no callback for SYSCALL", v->id);
    }
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

static void handle_sysenter(struct vcpu *v, struct regs *r)
{
    r->rflags = (r->rflags & ~(RFLAGS_TF | RFLAGS_NT)) | RFLAGS_IF;
    if (!v->arch->in_kernel &&
        v->arch->callbacks[CALLBACKTYPE_sysenter].address)
        bounce_syscall(v, CALLBACKTYPE_sysenter);
    else
        trap_inject(v, EXC_GP, 0);
}

/* --- interrupts ---------------------------------------------------------- */

static void handle_interrupt(unsigned vector)
{
    switch (vector) {
    case VECTOR_TIMER:
        this_cpu()->timer_is_due = true;
        break;
    case VECTOR_KICK:
        break;
    case VECTOR_FLUSH:
        flush_serve();
        break;
    case VECTOR_SPURIOUS:
        return;
    default:
        irq_dispatch(vector);
        return;
    }
    apic_eoi();
}

/* --- exceptions of guests ------------------------------------------------ */

static bool is_own_range(uint64_t va)
{
    return va >= OWN_RANGE_START && va < OWN_RANGE_END;
}

static void guest_page_fault(struct vcpu *v, struct regs *r)
{
    uint64_t address = read_cr2();
    uint32_t want = PFEC_PRESENT | PFEC_WRITE;

    if (!(r->error_code & (PFEC_USER | PFEC_PRESENT)))
        address = desc_guest_address(v, address);
    if (v->arch->in_kernel && !is_own_range(address) &&
        (r->error_code & (want | PFEC_RESERVED | PFEC_FETCH)) == want &&
        emulate_pte_write(v, r, address))
        return;
    trap_inject_page_fault(v, address, r->error_code);
}

/* `int n`, of two bytes: the guest's gate says who may use it. */
static void soft_interrupt(struct vcpu *v, struct regs *r, uint8_t vector)
{
    const struct callback *gate = &v->arch->traps[vector];

    if (!gate->address || gate->dpl < (v->arch->in_kernel ? 1 : 3)) {
        trap_inject(v, EXC_GP, SOFT_INTERRUPT_ERROR(vector));
        return;
    }
    r->rip += 2;
    bounce_to_kernel(v, gate, NULL, 0);
}

/*
 * That it was INT n, the error code says too, and with which vector; but
 * emulators get that wrong.
 */
static void guest_general_protection(struct vcpu *v, struct regs *r)
{
    uint8_t code[2];

    if (r->error_code & 2 &&
        !copy_in_root(vcpu_root(v), code, r->rip, sizeof(code)) &&
        code[0] == INT_OPCODE)
        soft_interrupt(v, r, code[1]);
    else if (!sides_finish_iret(v, r) &&
             (r->error_code || !emulate_privileged(v, r)))
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
        if (emulate_forced_cpuid(v, r))
            return;
        break;
    case EXC_NM: /* the guest had set TS, and gets it back clear */
        fpu_set_task_switched(v, false);
        break;
    case EXC_DB:
        debug_regs_note_trap(v);
        break;
    }
    trap_inject(v, r->vector, r->error_code);
}

hot_path void handle_guest_trap(struct regs *r)
{
    struct vcpu *v = current_vcpu();

    sides_entered(r);
    if (r->vector < 32) {
        this_pcpu()->entered_at = 0;
        guest_exception(v, r);
    } else if (r->vector == LINUX_SYSCALL_VECTOR) {
        r->rip -= 2;
        soft_interrupt(v, r, LINUX_SYSCALL_VECTOR);
    } else if (r->vector == ENTRY_SYSENTER) {
        handle_sysenter(v, r);
    } else if (r->vector == ENTRY_SYSCALL) {
        handle_syscall(r);
    } else {
        handle_interrupt(r->vector);
    }
}

/* --- exceptions of Mica itself ------------------------------------------- */

/* What asm.h's FAULT says of some instructions, by their linked addresses. */
extern const struct fault_entry {
    uint64_t from, end, to;
} fault_table_start[], fault_table_end[];

/*
 * The processor refused to return to the guest: the context it was given is
 * bad, and the guest gets the exception as if that context had raised it. Its
 * general registers are in `r`, the rest is on the stack that was in use; both
 * may overlap with their place.
 */
static _Noreturn void refused_return(struct regs *r)
{
    const size_t frame = offsetof(struct regs, rip);
    struct vcpu *v = this_pcpu()->loaded;
    struct regs lost = *r;

    memcpy((char *)&lost + frame, (const void *)r->rsp, sizeof(lost) - frame);
    lost.cs &= 0xffff;
    lost.ss &= 0xffff;
    sides_hide_ring1(&lost);
    *guest_regs() = lost;
    if (lost.vector != EXC_PF)
        trap_inject(v, lost.vector, lost.error_code);
    else
        trap_inject_page_fault(v, desc_guest_address(v, read_cr2()),
                               lost.error_code);
    exit_restart(guest_regs());
}

void handle_own_trap(struct regs *r)
{
    const struct fault_entry *e = fault_table_start;
    uint64_t at;

    if (r->vector >= 32) {
        handle_interrupt(r->vector);
        return;
    }
    sides_entered(r);
    at = gate_linked_address(r->rip);
    while (e < fault_table_end && (at < e->from || at >= e->end))
        e++;
    if (e == fault_table_end)
        crash_own(r);
    if (!e->to)
        refused_return(r);
    r->rip += e->to - at;
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
    if (c->stacks_hold_own) { /* an NMI has left Mica's words; more may come */
        c->stacks_hold_own = false;
        memset(c->scratch->ist, 0, sizeof(c->scratch->ist));
    }
    next = sched_pick(arch_now());
    context_switch(next);
}

/* Does what is due before a guest may go on, or part of it; whether all. */
static inline bool is_ready(struct cpu *c)
{
    struct vcpu *v = c->core->current;

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
    if (!v->arch->trap.is_pending && !vcpu_has_event(v) &&
        !__atomic_load_n(&v->arch->nmi_pending, __ATOMIC_RELAXED))
        return true;
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

    while (!is_ready(c))
        ;
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
