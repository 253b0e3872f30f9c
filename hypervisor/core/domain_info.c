/* SPDX-License-Identifier: MIT */
/* What the tools may know of a domain, in the control ABI's form. */
#include "core/domain.h"

#include "hypercall_abi/domctl.h"

#include "core/arch.h"
#include "core/frame.h"

/* What the vCPUs add to a domain's record. */
static void add_vcpus(struct domain *d, struct xen_domctl_getdomaininfo *out)
{
    bool all_blocked = true;

    for (unsigned i = 0; i < d->max_vcpus; i++) {
        struct vcpu *v = domain_vcpu(d, i);
        struct vcpu_runstate_info times;

        if (!v)
            continue;
        out->max_vcpu_id = i;
        vcpu_get_runstate(v, &times);
        out->cpu_time += times.time[RUNSTATE_running];
        if (!vcpu_is_up(v))
            continue;
        out->nr_online_vcpus++;
        if (times.state == RUNSTATE_running)
            out->flags |= XEN_DOMINF_running;
        if (__atomic_load_n(&v->state, __ATOMIC_RELAXED) != VCPU_BLOCKED)
            all_blocked = false;
    }
    if (all_blocked)
        out->flags |= XEN_DOMINF_blocked;
}

static uint32_t state_flags(struct domain *d)
{
    uint32_t flags = 0;

    spin_lock(&d->state_lock);
    if (d->state == DOMAIN_DYING)
        flags |= XEN_DOMINF_dying;
    if (d->shutdown_reason != NO_SHUTDOWN_CODE)
        flags |=
            XEN_DOMINF_shutdown | (d->shutdown_reason & XEN_DOMINF_shutdownmask)
                                      << XEN_DOMINF_shutdownshift;
    if (d->pause_count)
        flags |= XEN_DOMINF_paused;
    if (d->is_debugged)
        flags |= XEN_DOMINF_debugged;
    spin_unlock(&d->state_lock);
    return flags;
}

/* Fills *out with what there is to say of `d` at this moment. */
void domain_fill_info(struct domain *d, struct xen_domctl_getdomaininfo *out)
{
    *out = (struct xen_domctl_getdomaininfo){
        .domain = d->id,
        .flags = state_flags(d),
        .shared_info_frame = arch_frame_of(d->shared_info).n,
        .max_vcpu_id = XEN_INVALID_MAX_VCPU_ID,
        .gpaddr_bits =
            (uint8_t)(PAGE_SHIFT + 64 - __builtin_clzll(frame_table_end - 1)),
    };
    spin_lock(&d->memory_lock);
    out->tot_pages = d->page_count;
    out->max_pages = d->max_pages;
    spin_unlock(&d->memory_lock);
    memcpy(out->handle, d->uuid, sizeof(out->handle));
    add_vcpus(d, out);
}
