/* SPDX-License-Identifier: MIT */
/*
 * Hypercalls about the virtual processor itself: its trap table, callbacks,
 * stack and segment bases, and iret.
 */
#include "core/arch.h"
#include "core/domain.h"
#include "core/guest_copy.h"
#include "core/hypercall.h"
#include "core/log.h"
#include "core/pcpu.h"
#include "hypercall_abi/callback.h"
#include "hypercall_abi/trap.h"
#include "x86/context.h"
#include "x86/cpu.h"
#include "x86/insn.h"
#include "x86/selectors.h"

#define TRAP_VECTORS 256

/* Installs one entry; the address was checked. */
void trap_table_set(struct vcpu *v, const struct trap_info *t)
{
    v->arch->traps[t->vector] = (struct trap_gate){
        .address = t->address,
        .cs = t->cs | 3,
        .dpl = t->flags & TRAP_INFO_DPL_MASK,
        .masks_events = t->flags & TRAP_INFO_MASK_EVENTS,
    };
}

/* set_trap_table(array) */
long hc_set_trap_table(struct vcpu *v, const struct hc_args *args)
{
    guest_va next = HC_ARG_VA(args, 0);
    struct trap_info t;

    if (!next.va) {
        memset(v->arch->traps, 0, TRAP_VECTORS * sizeof(*v->arch->traps));
        return 0;
    }
    for (unsigned i = 0; i < 2 * TRAP_VECTORS; i++) {
        if (copy_in(&t, next, sizeof(t)))
            return -EFAULT;
        if (!t.address)
            return 0;
        if (!va_is_canonical(t.address))
            return refuse(-EINVAL, "trap %u: bad address %#lx", t.vector,
                          t.address);
        trap_table_set(v, &t);
        next = guest_va_add(next, sizeof(t));
    }
    return -EINVAL;
}

/* --- callbacks ----------------------------------------------------------- */

static int callback_kind(unsigned type)
{
    switch (type) {
    case CALLBACKTYPE_event:
        return CALLBACK_EVENT;
    case CALLBACKTYPE_failsafe:
        return CALLBACK_FAILSAFE;
    case CALLBACKTYPE_syscall:
        return CALLBACK_SYSCALL;
    case CALLBACKTYPE_syscall32:
        return CALLBACK_SYSCALL32;
    case CALLBACKTYPE_sysenter:
    case CALLBACKTYPE_sysenter_deprecated:
        return CALLBACK_SYSENTER;
    case CALLBACKTYPE_nmi:
        return CALLBACK_NMI;
    default:
        return -ENOSYS;
    }
}

static long set_callback(struct vcpu *v, int kind, uint64_t address,
                         unsigned flags)
{
    if (!va_is_canonical(address))
        return refuse(-EINVAL, "callback at %#lx", address);
    v->arch->callbacks[kind] = (struct callback){
        .address = address,
        .masks_events = flags & CALLBACKF_mask_events,
    };
    return 0;
}

static long callback_register(struct vcpu *v, guest_va arg)
{
    struct callback_register_args op;
    int kind;

    if (copy_in(&op, arg, sizeof(op)))
        return -EFAULT;
    kind = callback_kind(op.type);
    return kind < 0 ? kind : set_callback(v, kind, op.address, op.flags);
}

static long callback_unregister(struct vcpu *v, guest_va arg)
{
    struct callback_unregister_args op;
    int kind;

    if (copy_in(&op, arg, sizeof(op)))
        return -EFAULT;
    kind = callback_kind(op.type);
    if (kind < 0)
        return kind;
    if (kind != CALLBACK_NMI && kind != CALLBACK_SYSENTER)
        return -EINVAL;
    v->arch->callbacks[kind] = (struct callback){0};
    return 0;
}

/* callback_op(command, argument) */
long hc_callback_op(struct vcpu *v, const struct hc_args *args)
{
    switch (args->a[0]) {
    case CALLBACKOP_register:
        return callback_register(v, HC_ARG_VA(args, 1));
    case CALLBACKOP_unregister:
        return callback_unregister(v, HC_ARG_VA(args, 1));
    default:
        return -ENOSYS;
    }
}

/* set_callbacks(event, failsafe, syscall): the older form. */
long hc_set_callbacks(struct vcpu *v, const struct hc_args *args)
{
    static const int kinds[] = {CALLBACK_EVENT, CALLBACK_FAILSAFE,
                                CALLBACK_SYSCALL};

    for (unsigned i = 0; i < ARRAY_LEN(kinds); i++)
        if (!va_is_canonical(args->a[i]))
            return -EINVAL;
    for (unsigned i = 0; i < ARRAY_LEN(kinds); i++)
        v->arch->callbacks[kinds[i]] = (struct callback){
            .address = args->a[i],
            .masks_events = kinds[i] == CALLBACK_EVENT,
        };
    return 0;
}

/* nmi_op(command, argument) */
long hc_nmi_op(struct vcpu *v, const struct hc_args *args)
{
    struct xennmi_register_callback_args op;

    switch (args->a[0]) {
    case XENNMI_register_callback:
        if (v->id)
            return -EINVAL;
        if (copy_in(&op, HC_ARG_VA(args, 1), sizeof(op)))
            return -EFAULT;
        return set_callback(v, CALLBACK_NMI, op.handler_address, 0);
    case XENNMI_unregister_callback:
        v->arch->callbacks[CALLBACK_NMI] = (struct callback){0};
        return 0;
    default:
        return -ENOSYS;
    }
}

/* An NMI for `v`, which takes it when it next may. */
void arch_vcpu_nmi(struct vcpu *v)
{
    __atomic_store_n(&v->arch->nmi_pending, true, __ATOMIC_RELEASE);
    arch_vcpu_kick(v);
}

/* --- stack and segments -------------------------------------------------- */

/* stack_switch(ss, sp) */
long hc_stack_switch(struct vcpu *v, const struct hc_args *args)
{
    v->arch->kernel_ss = (uint16_t)(args->a[0] | 3);
    v->arch->kernel_sp = args->a[1];
    return 0;
}

/* set_segment_base(which, base or selector) */
long hc_set_segment_base(struct vcpu *v, const struct hc_args *args)
{
    uint64_t base = args->a[1];

    (void)v;
    if (args->a[0] == SEGBASE_GS_USER_SEL) {
        load_gs_user((uint16_t)base);
        return 0;
    }
    if (!va_is_canonical(base))
        return refuse(-EINVAL, "segment base %#lx", base);
    switch (args->a[0]) {
    case SEGBASE_FS:
        wrmsr(MSR_FS_BASE, base);
        return 0;
    case SEGBASE_GS_USER:
        wrmsr(MSR_KERNEL_GS_BASE, base);
        return 0;
    case SEGBASE_GS_KERNEL:
        wrmsr(MSR_GS_BASE, base);
        return 0;
    default:
        return -EINVAL;
    }
}

/* --- iret ---------------------------------------------------------------- */

/* iret(): goes on in the context that lies on the caller's stack. */
long hc_iret(struct vcpu *v, const struct hc_args *args)
{
    struct regs *r = guest_regs();
    struct iret_context c;

    (void)args;
    if (copy_in(&c, (guest_va){r->rsp}, sizeof(c))) {
        domain_crash(v->domain, "vCPU %u: iret from bad stack %#lx", v->id,
                     r->rsp);
        return 0;
    }
    if ((c.cs & 3) == 3) {
        if (mfn_equal(v->user_root, MFN_INVALID)) {
            domain_crash(v->domain,
                         "vCPU %u: iret to an application without tables",
                         v->id);
            return 0;
        }
        context_toggle_mode(v);
    }
    r->rip = c.rip;
    r->cs = (c.cs & 0xffff) | 3;
    r->rflags = (c.rflags & IRET_FLAGS_KEPT) | RFLAGS_IF | RFLAGS_FIXED;
    r->rsp = c.rsp;
    r->ss = (c.ss & 0xffff) | 3;
    if (!(c.flags & VGCF_in_syscall)) {
        r->r11 = c.r11;
        r->rcx = c.rcx;
    }
    v->arch->nmi_masked = false;
    __atomic_store_n(&vcpu_info_of(v)->evtchn_upcall_mask,
                     !(c.rflags & RFLAGS_IF), __ATOMIC_RELAXED);
    return (long)c.rax;
}
