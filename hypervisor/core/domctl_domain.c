/* SPDX-License-Identifier: MIT */
/* domctl: what a domain has and is, and may use of the machine (domctl.h). */
#include "core/domctl.h"

#include "core/arch.h"
#include "core/domain.h"
#include "core/evtchn.h"
#include "core/frame.h"
#include "core/grant.h"
#include "core/guest_copy.h"
#include "core/hypercall.h"
#include "core/log.h"
#include "core/sched.h"
#include "core/vcpu.h"

#define GRANT_VERSION_MAX 1u
#define MAX_PAGE_QUERY 1024u
#define PAGES_PER_COPY 64u
#define IO_PORTS 65536u
#define MAX_FRAME (1ull << 40)

/* --- birth --------------------------------------------------------------- */

static int check_creation(const struct xen_domctl_createdomain *op)
{
    if (op->flags & ~XEN_DOMCTL_CDF_oos_off || op->iommu_opts ||
        op->vmtrace_size || op->cpupool_id || op->arch.emulation_flags ||
        op->arch.misc_flags)
        return refuse(-EINVAL, "createdomain: only paravirtual domains "
                               "without devices of their own");
    if (op->max_vcpus < 1 || op->max_vcpus > MAX_VCPUS)
        return refuse(-EINVAL, "createdomain: %u vCPUs", op->max_vcpus);
    if ((op->grant_opts & XEN_DOMCTL_GRANT_version_mask) > GRANT_VERSION_MAX)
        return refuse(-EINVAL, "createdomain: grant tables of version 1 only");
    return 0;
}

/* A free id, not one that was used a moment ago; 0 when there is none. */
static domid_t choose_id(void)
{
    static domid_t last;

    for (unsigned i = 1; i < DOMID_FIRST_RESERVED; i++) {
        last = last + 1 < (int)DOMID_FIRST_RESERVED ? last + 1 : 1;
        if (!domain_exists(last))
            return last;
    }
    return 0;
}

/* Limits may be negative for Mica's own, and are no more than that. */
static void configure(struct domain *d,
                      const struct xen_domctl_createdomain *op)
{
    grant_set_limits(d, (uint32_t)op->max_grant_frames,
                     (uint32_t)op->max_maptrack_frames);
    memcpy(d->uuid, op->handle, sizeof(d->uuid));
    evtchn_set_limit(d, op->max_evtchn_port);
    arch_domain_publish_clock(d);
    domain_pause(d); /* until the tools let it go */
}

/* The id goes out first: after that nothing can fail that is to be undone. */
long domctl_createdomain(struct domctl *c)
{
    const struct xen_domctl_createdomain *op = &c->op.u.createdomain;
    domid_t id = c->op.domain;
    int error = check_creation(op);
    struct domain *d;

    if (error)
        return error;
    if (!id || id >= DOMID_FIRST_RESERVED)
        id = choose_id();
    else if (domain_exists(id))
        return refuse(-EEXIST, "domain %u exists", id);
    if (!id)
        return refuse(-ENOSPC, "no domain id is free");
    c->op.domain = id;
    if (copy_out(c->arg, &c->op, sizeof(c->op)))
        return -EFAULT;
    d = domain_create(id, op->max_vcpus);
    if (!d)
        return -ENOMEM;
    configure(d, op);
    return 0;
}

/* A vCPU more at a time: a call that is cut short finds those it made. */
long domctl_max_vcpus(struct domctl *c)
{
    struct domain *d = c->d;

    if (c->op.u.max_vcpus.max != d->max_vcpus)
        return refuse(-EINVAL, "domain %u was created for %u vCPUs", d->id,
                      d->max_vcpus);
    for (unsigned i = 0; i < d->max_vcpus; i++) {
        if (domain_vcpu(d, i))
            continue;
        if (!vcpu_create(d, i))
            return -ENOMEM;
        if (i + 1 < d->max_vcpus && hypercall_should_restart())
            return -ERESTART;
    }
    return 0;
}

/* --- what it is ---------------------------------------------------------- */

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

/* The domain named, or the next there is. */
long domctl_getdomaininfo(struct domctl *c)
{
    if (c->op.domain >= DOMID_FIRST_RESERVED)
        return -EINVAL;
    c->d = domain_next_get(c->op.domain);
    if (!c->d)
        return -ESRCH;
    c->op.domain = c->d->id;
    domain_fill_info(c->d, &c->op.u.getdomaininfo);
    return 0;
}

/* MICA_DOMCTL_get_activity: of the vCPUs that there are. */
long domctl_mica_get_activity(struct domctl *c)
{
    struct mica_domctl_activity *op = &c->op.u.mica_activity;

    *op = (struct mica_domctl_activity){0};
    for (unsigned i = 0; i < c->d->max_vcpus; i++) {
        const struct vcpu *v = domain_vcpu(c->d, i);

        if (!v)
            continue;
        op->hypercalls += __atomic_load_n(&v->hypercalls, __ATOMIC_RELAXED);
        op->events += __atomic_load_n(&v->events, __ATOMIC_RELAXED);
    }
    return 0;
}

static uint64_t describe_frame(const struct domain *d, uint64_t mfn)
{
    const struct frame *f = frame_lookup(MFN(mfn));
    enum frame_type type;
    uint64_t result;

    if (!f || frame_owner(f) != d->id)
        return XEN_DOMCTL_PFINFO_XTAB;
    type = frame_used_type(f);
    if (type < FRAME_L1 || type > FRAME_L4)
        return XEN_DOMCTL_PFINFO_NOTAB;
    result = (uint64_t)(type - FRAME_L1 + 1) << XEN_DOMCTL_PFINFO_LTAB_SHIFT;
    if (__atomic_load_n(&f->state, __ATOMIC_RELAXED) & FRAME_PINNED)
        result |= XEN_DOMCTL_PFINFO_LPINTAB;
    return result;
}

/* XEN_DOMCTL_getpageframeinfo3: what each frame of a list is to it. */
long domctl_getpageframeinfo3(struct domctl *c)
{
    const struct xen_domctl_getpageframeinfo3 *op = &c->op.u.getpageframeinfo3;
    uint64_t frames[PAGES_PER_COPY];

    if (op->num > MAX_PAGE_QUERY)
        return refuse(-E2BIG, "getpageframeinfo3 of %lu frames", op->num);
    for (uint64_t done = 0; done < op->num; done += PAGES_PER_COPY) {
        guest_va at = guest_va_add(op->array, done * sizeof(*frames));
        uint64_t n = min_u64(op->num - done, PAGES_PER_COPY);

        if (copy_in(frames, at, n * sizeof(*frames)))
            return -EFAULT;
        for (uint64_t i = 0; i < n; i++)
            frames[i] = describe_frame(c->d, frames[i]);
        if (copy_out(at, frames, n * sizeof(*frames)))
            return -EFAULT;
    }
    return 0;
}

/* XEN_DOMCTL_hypercall_init: -EINVAL for another's frame, -EBUSY. */
long domctl_hypercall_init(struct domctl *c)
{
    mfn_t mfn = MFN(c->op.u.hypercall_init.gmfn);
    struct frame *f = frame_get(mfn, c->d);
    int error;

    if (!f)
        return refuse(-EINVAL, "frame %#lx is not d%u's", mfn.n, c->d->id);
    error = frame_get_writable(f);
    frame_put(f);
    if (error)
        return error;
    arch_hypercall_page_fill(arch_frame_ptr(mfn));
    frame_put_writable(f);
    return 0;
}

/* --- its share of the processors ----------------------------------------- */

static void set_weight(struct domain *d, uint32_t weight)
{
    spin_lock(&d->state_lock);
    __atomic_store_n(&d->sched_weight, weight, __ATOMIC_RELAXED);
    for (unsigned i = 0; i < d->max_vcpus; i++)
        if (domain_vcpu(d, i))
            sched_set_weight(domain_vcpu(d, i), weight);
    spin_unlock(&d->state_lock);
}

static long set_share(struct domain *d,
                      const struct xen_domctl_sched_credit2 *share)
{
    if (share->cap > 100 * d->max_vcpus)
        return refuse(-EINVAL, "a cap of %u%% for %u vCPUs", share->cap,
                      d->max_vcpus);
    if (share->weight)
        set_weight(d, share->weight);
    if (share->cap != d->cap.percent)
        sched_set_cap(d, share->cap);
    return 0;
}

/* XEN_DOMCTL_scheduler_op: its weight and cap, in the words of credit2. */
long domctl_scheduler_op(struct domctl *c)
{
    struct xen_domctl_scheduler_op *op = &c->op.u.scheduler_op;

    if (op->sched_id != XEN_SCHEDULER_CREDIT2)
        return refuse(-EINVAL, "scheduler %u", op->sched_id);
    if (op->cmd == XEN_DOMCTL_SCHEDOP_putinfo)
        return set_share(c->d, &op->u.credit2);
    if (op->cmd != XEN_DOMCTL_SCHEDOP_getinfo)
        return refuse(-EINVAL, "shares are whole domains'");
    op->u.credit2 = (struct xen_domctl_sched_credit2){
        .weight = (uint16_t)c->d->sched_weight,
        .cap = (uint16_t)c->d->cap.percent,
    };
    return 0;
}

/* --- its rights ---------------------------------------------------------- */

static int change_range(struct rangeset *set, bool is_allowed, uint64_t first,
                        uint64_t last)
{
    return is_allowed ? rangeset_add(set, first, last)
                      : rangeset_remove(set, first, last);
}

/* XEN_DOMCTL_irq_permission: whether it may bind a pirq. */
long domctl_irq_permission(struct domctl *c)
{
    const struct xen_domctl_irq_permission *op = &c->op.u.irq_permission;
    int error;

    if (op->pirq >= MAX_PIRQS)
        return refuse(-EINVAL, "pirq %u", op->pirq);
    spin_lock(&c->d->event_lock);
    error = change_range(c->d->irqs, op->allow_access, op->pirq, op->pirq);
    spin_unlock(&c->d->event_lock);
    return error;
}

/* Mappings that the domain has made already stay. */
long domctl_iomem_permission(struct domctl *c)
{
    const struct xen_domctl_iomem_permission *op = &c->op.u.iomem_permission;
    uint64_t last;
    int error;

    if (!op->nr_mfns || add_overflows(op->first_mfn, op->nr_mfns - 1, &last) ||
        last >= MAX_FRAME)
        return refuse(-EINVAL, "device frames %#lx, %lu of them", op->first_mfn,
                      op->nr_mfns);
    if (!rangeset_contains(c->caller->domain->io_frames, op->first_mfn, last))
        return refuse(-EPERM, "device frames %#lx to %#lx", op->first_mfn,
                      last);
    spin_lock(&c->d->pt_lock);
    error =
        change_range(c->d->io_frames, op->allow_access, op->first_mfn, last);
    spin_unlock(&c->d->pt_lock);
    return error;
}

/* XEN_DOMCTL_ioport_permission: of ports that the caller has, or -EPERM. */
long domctl_ioport_permission(struct domctl *c)
{
    const struct xen_domctl_ioport_permission *op = &c->op.u.ioport_permission;
    unsigned last = op->first_port + op->nr_ports - 1;

    if (op->first_port >= IO_PORTS || op->nr_ports > IO_PORTS - op->first_port)
        return refuse(-EINVAL, "ports %#x, %u of them", op->first_port,
                      op->nr_ports);
    if (!op->nr_ports)
        return 0;
    if (!arch_domain_has_ports(c->caller->domain, op->first_port, last))
        return refuse(-EPERM, "ports %#x to %#x", op->first_port, last);
    if (op->allow_access)
        return arch_domain_give_ports(c->d, op->first_port, last);
    arch_domain_take_ports(c->d, op->first_port, last);
    return 0;
}
