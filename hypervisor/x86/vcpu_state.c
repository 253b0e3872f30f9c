/* SPDX-License-Identifier: MIT */
/* What of a vCPU the tools save and restore apart from its context. */
#include "core/arch.h"
#include "hypercall_abi/domctl.h"
#include "x86/cpu_features.h"
#include "x86/fpu.h"
#include "x86/selectors.h"
#include "x86/vcpu.h"

static uint16_t selector_of(struct callback c)
{
    return c.address ? SEL_GUEST_CS : 0;
}

void arch_vcpu_get_entries(const struct vcpu *v,
                           struct xen_domctl_ext_vcpucontext *out)
{
    struct callback syscall32 = v->arch->callbacks[CALLBACK_SYSCALL32];
    struct callback sysenter = v->arch->callbacks[CALLBACK_SYSENTER];

    out->syscall32_callback_eip = syscall32.address;
    out->syscall32_callback_cs = selector_of(syscall32);
    out->syscall32_disables_events = syscall32.masks_events;
    out->sysenter_callback_eip = sysenter.address;
    out->sysenter_callback_cs = selector_of(sysenter);
    out->sysenter_disables_events = sysenter.masks_events;
}

void arch_vcpu_set_entries(struct vcpu *v,
                           const struct xen_domctl_ext_vcpucontext *in)
{
    v->arch->callbacks[CALLBACK_SYSCALL32] = (struct callback){
        in->syscall32_callback_eip, in->syscall32_disables_events};
    v->arch->callbacks[CALLBACK_SYSENTER] = (struct callback){
        in->sysenter_callback_eip, in->sysenter_disables_events};
}

uint64_t arch_xstate_features(void)
{
    return cpu_features()->xsave ? fpu_xcr0_allowed() : 0;
}

uint32_t arch_xstate_size(void)
{
    return cpu_features()->xsave_size;
}

void arch_vcpu_get_xstate(const struct vcpu *v, uint64_t *xcr0, void *area)
{
    *xcr0 = v->arch->xcr0;
    memcpy(area, v->arch->fpu, arch_xstate_size());
}

int arch_vcpu_set_xstate(struct vcpu *v, uint64_t xcr0, const void *area,
                         size_t size)
{
    return fpu_set_xsave_area(v, xcr0, area, size);
}
