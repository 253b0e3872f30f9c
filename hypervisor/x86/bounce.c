/* SPDX-License-Identifier: MIT */
/*
 * Frames pushed on a guest kernel's stack, from the lowest address up:
 *
 *     rcx  r11  [error code]  rip  cs | mask << 32  rflags  rsp  ss
 *
 * and the order in which they are due: an exception first, then an NMI, then
 * events.
 */
#include "core/arch.h"
#include "core/domain.h"
#include "core/guest_copy.h"
#include "core/vcpu.h"
#include "hypercall_abi/vm_assist.h"
#include "x86/context.h"
#include "x86/cpu.h"
#include "x86/selectors.h"

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
                        const uint32_t *error_code, uint64_t cs, uint8_t mask)
{
    const struct regs *r = guest_regs();

    *frame++ = r->rcx;
    *frame++ = r->r11;
    if (error_code)
        *frame++ = *error_code;
    *frame++ = r->rip;
    *frame++ = cs | (uint64_t)mask << 32;
    *frame++ = visible_flags(v, r->rflags, mask);
    *frame++ = r->rsp;
    *frame = r->ss & 0xffff;
}

hot_path void bounce_to_kernel(struct vcpu *v, const struct callback *to,
                               const uint32_t *error_code)
{
    struct regs *r = guest_regs();
    struct vcpu_info *info = vcpu_info_of(v);
    bool from_kernel = v->arch->in_kernel;
    uint8_t mask = __atomic_load_n(&info->evtchn_upcall_mask, __ATOMIC_RELAXED);
    uint64_t copy[8], *frame = copy, sp;
    size_t size = (error_code ? 8 : 7) * sizeof(*frame);

    if (!from_kernel)
        context_toggle_mode(v);
    sp = ((from_kernel ? r->rsp : v->arch->kernel_sp) & ~15ull) - size;
    if ((sp & (PAGE_SIZE - 1)) + size <= PAGE_SIZE)
        frame = guest_translate(v->kernel_root, sp, WALK_WRITE);
    if (frame)
        write_frame(frame, v, error_code,
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
    bounce_to_kernel(
        v, gate, ERROR_CODE_VECTORS >> t->vector & 1 ? &t->error_code : NULL);
}

/* Enters the guest kernel, with events masked, if there is an address. */
static bool interrupt(struct vcpu *v, uint64_t address)
{
    struct callback to = {.address = address, .masks_events = true};

    if (address)
        bounce_to_kernel(v, &to, NULL);
    return address;
}

hot_path void deliver_pending(struct vcpu *v)
{
    struct arch_vcpu *a = v->arch;
    uint64_t nmi = a->callbacks[CALLBACK_NMI].address;

    if (a->trap.is_pending)
        deliver_trap(v);
    if (__atomic_load_n(&a->nmi_pending, __ATOMIC_RELAXED) && !a->nmi_masked) {
        __atomic_store_n(&a->nmi_pending, false, __ATOMIC_RELAXED);
        a->nmi_masked = interrupt(v, nmi ? nmi : a->traps[EXC_NMI].address);
    }
    if (vcpu_has_event(v))
        interrupt(v, a->callbacks[CALLBACK_EVENT].address);
}
