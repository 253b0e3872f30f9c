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

/* Installs one entry; the address was checked. */
void trap_table_set(struct vcpu *v, const struct trap_info *t)
{
    v->arch->traps[t->vector] = (struct callback){
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
        memset(v->arch->traps, 0, sizeof(v->arch->traps));
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

/* Kinds by number: the ABI has some no more, others can't be given up. */
#define CALLBACKS_GONE (1u << CALLBACKTYPE_sysenter_deprecated | 1u << 6)
#define CALLBACKS_TO_GIVE_UP                                                   \
    (1u << CALLBACKTYPE_nmi | 1u << CALLBACKTYPE_sysenter)

static long set_callback(struct vcpu *v, unsigned kind, uint64_t address,
                         unsigned flags)
{
    if (!va_is_canonical(address))
        return refuse(-EINVAL, "callback at %#lx", address);
    v->arch->callbacks[index_clamp(kind, CALLBACK_KINDS)] = (struct callback){
        .address = address,
        .masks_events = flags & CALLBACKF_mask_events,
    };
    return 0;
}

/* callback_op(command, argument): of one to give up there is no address. */
long hc_callback_op(struct vcpu *v, const struct hc_args *args)
{
    bool is_new = args->a[0] == CALLBACKOP_register;
    struct callback_register_args op = {.address = 0};
    size_t size = is_new ? sizeof(op) : sizeof(struct callback_unregister_args);

    if (args->a[0] > CALLBACKOP_unregister)
        return -ENOSYS;
    if (copy_in(&op, HC_ARG_VA(args, 1), size))
        return -EFAULT;
    if (op.type >= CALLBACK_KINDS || CALLBACKS_GONE >> op.type & 1)
        return -ENOSYS;
    if (!is_new && !(CALLBACKS_TO_GIVE_UP >> op.type & 1))
        return -EINVAL;
    return set_callback(v, op.type, op.address, op.flags);
}

/* set_callbacks(event, failsafe, syscall): the older form. */
long hc_set_callbacks(struct vcpu *v, const struct hc_args *args)
{
    struct callback *to = v->arch->callbacks;

    for (unsigned i = 0; i < 3; i++)
        if (!va_is_canonical(args->a[i]))
            return -EINVAL;
    for (unsigned i = 0; i < 3; i++) /* kinds and arguments in one order */
        to[i] = (struct callback){.address = args->a[i],
                                  .masks_events = i == CALLBACKTYPE_event};
    return 0;
}

/* nmi_op(command, argument) */
long hc_nmi_op(struct vcpu *v, const struct hc_args *args)
{
    bool is_new = args->a[0] == XENNMI_register_callback;
    struct xennmi_register_callback_args op = {.handler_address = 0};

    if (args->a[0] > XENNMI_unregister_callback)
        return -ENOSYS;
    if (is_new && v->id)
        return -EINVAL;
    if (is_new && copy_in(&op, HC_ARG_VA(args, 1), sizeof(op)))
        return -EFAULT;
    return set_callback(v, CALLBACKTYPE_nmi, op.handler_address, 0);
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
    static const uint32_t msrs[] = {
        [SEGBASE_FS] = MSR_FS_BASE,
        [SEGBASE_GS_USER] = MSR_KERNEL_GS_BASE,
        [SEGBASE_GS_KERNEL] = MSR_GS_BASE,
    };
    uint64_t which = args->a[0], base = args->a[1];

    (void)v;
    if (which == SEGBASE_GS_USER_SEL) {
        load_gs_user((uint16_t)base);
        return 0;
    }
    if (which >= ARRAY_LEN(msrs))
        return -EINVAL;
    if (!va_is_canonical(base))
        return refuse(-EINVAL, "segment base %#lx", base);
    wrmsr(msrs[index_clamp(which, ARRAY_LEN(msrs))], base);
    return 0;
}

/* --- iret ---------------------------------------------------------------- */

/* iret(): goes on in the context that lies on the caller's stack. */
hot_path long hc_iret(struct vcpu *v, const struct hc_args *args)
{
    struct regs *r = guest_regs();
    struct iret_context c;

    (void)args;
    if (copy_in(&c, (guest_va){r->rsp}, sizeof(c))) {
        domain_crash(v->domain, "vCPU %u: iret from bad stack %#lx", v->id,
                     r->rsp);
        return 0;
    }
    if ((c.cs & 3) == 3 && mfn_equal(v->user_root, MFN_INVALID)) {
        domain_crash(v->domain,
                     "vCPU %u: iret to an application without tables", v->id);
        return 0;
    }
    if ((c.cs & 3) == 3)
        context_toggle_mode(v);
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
