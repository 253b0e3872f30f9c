/* SPDX-License-Identifier: MIT */
/*
 * domctl: what a domain has and is, and may use of the machine. Commands on
 * its vCPUs are domctl_vcpu.c's.
 */
#include "core/arch.h"
#include "core/control.h"
#include "core/cpu_policy.h"
#include "core/domain.h"
#include "core/evtchn.h"
#include "core/frame.h"
#include "core/grant.h"
#include "core/guest_bitmap.h"
#include "core/guest_copy.h"
#include "core/log.h"
#include "core/vcpu.h"

#define GRANT_VERSION_MAX 1u
#define MAX_PAGE_QUERY 1024u
#define IO_PORTS 65536u
#define MAX_FRAME (1ull << 40)
#define KERNEL_BITS 64u

/* --- birth --------------------------------------------------------------- */

/* An id that was not used a moment ago, free unless all are in use. */
static domid_t choose_id(void)
{
    static domid_t last;
    unsigned tries = DOMID_FIRST_RESERVED;

    do
        last = (domid_t)(last % (DOMID_FIRST_RESERVED - 1) + 1);
    while (domain_exists(last) && --tries);
    return last;
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
static long domctl_createdomain(struct control *c)
{
    const struct xen_domctl_createdomain *op = &c->op.u.createdomain;
    struct domain *d;

    if (op->flags & ~XEN_DOMCTL_CDF_oos_off || op->iommu_opts ||
        op->vmtrace_size || op->cpupool_id || op->arch.emulation_flags ||
        op->arch.misc_flags ||
        (op->grant_opts & XEN_DOMCTL_GRANT_version_mask) > GRANT_VERSION_MAX)
        return refuse(-EINVAL, "createdomain: only paravirtual domains without "
                               "devices, with grant tables of version 1");
    if (op->max_vcpus < 1 || op->max_vcpus > MAX_VCPUS)
        return refuse(-EINVAL, "createdomain: %u vCPUs", op->max_vcpus);
    if (!c->op.domain || c->op.domain >= DOMID_FIRST_RESERVED)
        c->op.domain = choose_id();
    if (domain_exists(c->op.domain))
        return refuse(-EEXIST, "domain %u exists", c->op.domain);
    if (copy_out(c->arg, &c->op, sizeof(c->op)))
        return -EFAULT;
    d = domain_create(c->op.domain, op->max_vcpus);
    if (!d)
        return -ENOMEM;
    configure(d, op);
    return 0;
}

/* A vCPU more at a time: a call that is cut short finds those it made. */
static long domctl_max_vcpus(struct control *c)
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

static void add_state(struct domain *d, struct xen_domctl_getdomaininfo *out)
{
    spin_lock(&d->state_lock);
    if (d->state == DOMAIN_DYING)
        out->flags |= XEN_DOMINF_dying;
    if (d->shutdown_reason != NO_SHUTDOWN_CODE)
        out->flags |=
            XEN_DOMINF_shutdown | (d->shutdown_reason & XEN_DOMINF_shutdownmask)
                                      << XEN_DOMINF_shutdownshift;
    if (d->pause_count)
        out->flags |= XEN_DOMINF_paused;
    if (d->is_debugged)
        out->flags |= XEN_DOMINF_debugged;
    spin_unlock(&d->state_lock);
}

/* Fills *out with what there is to say of `d` at this moment. */
void domain_fill_info(struct domain *d, struct xen_domctl_getdomaininfo *out)
{
    *out = (struct xen_domctl_getdomaininfo){
        .domain = d->id,
        .flags = XEN_DOMINF_blocked, /* unless a vCPU is not */
        .tot_pages = __atomic_load_n(&d->page_count, __ATOMIC_RELAXED),
        .max_pages = __atomic_load_n(&d->max_pages, __ATOMIC_RELAXED),
        .shared_info_frame = arch_frame_of(d->shared_info).n,
        .max_vcpu_id = XEN_INVALID_MAX_VCPU_ID,
        .gpaddr_bits =
            (uint8_t)(PAGE_SHIFT + 64 - __builtin_clzll(frame_table_end - 1)),
    };
    memcpy(out->handle, d->uuid, sizeof(out->handle));
    add_state(d, out);
    domain_vcpus(v, d)
    {
        struct vcpu_runstate_info times;

        vcpu_get_runstate(v, &times);
        out->max_vcpu_id = v->id;
        out->cpu_time += times.time[RUNSTATE_running];
        if (!vcpu_is_up(v))
            continue;
        out->nr_online_vcpus++;
        if (times.state == RUNSTATE_running)
            out->flags |= XEN_DOMINF_running;
        if (__atomic_load_n(&v->state, __ATOMIC_RELAXED) != VCPU_BLOCKED)
            out->flags &= ~XEN_DOMINF_blocked;
    }
}

/* The domain named, or the next there is. */
static long domctl_getdomaininfo(struct control *c)
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

static long domctl_mica_get_activity(struct control *c)
{
    struct mica_domctl_activity *op = &c->op.u.mica_activity;

    *op = (struct mica_domctl_activity){0};
    domain_vcpus(v, c->d)
    {
        op->hypercalls += __atomic_load_n(&v->hypercalls, __ATOMIC_RELAXED);
        op->events += __atomic_load_n(&v->events, __ATOMIC_RELAXED);
    }
    return 0;
}

static uint64_t describe_frame(const struct domain *d, uint64_t mfn)
{
    const struct frame *f = frame_lookup(MFN(mfn));
    enum frame_type type;
    uint64_t pinned;

    if (!f || frame_owner(f) != d->id)
        return XEN_DOMCTL_PFINFO_XTAB;
    type = frame_used_type(f);
    if (!frame_type_is_table(type))
        return XEN_DOMCTL_PFINFO_NOTAB;
    pinned = __atomic_load_n(&f->state, __ATOMIC_RELAXED) & FRAME_PINNED;
    return (uint64_t)(type - FRAME_L1 + 1) << XEN_DOMCTL_PFINFO_LTAB_SHIFT |
           (pinned ? XEN_DOMCTL_PFINFO_LPINTAB : 0);
}

/* What each frame of a list is to the domain. */
static long domctl_getpageframeinfo3(struct control *c)
{
    static uint64_t frames[MAX_PAGE_QUERY]; /* domctl lock */
    const struct xen_domctl_getpageframeinfo3 *op = &c->op.u.getpageframeinfo3;

    if (op->num > MAX_PAGE_QUERY)
        return refuse(-E2BIG, "getpageframeinfo3 of %lu frames", op->num);
    if (copy_in(frames, op->array, op->num * sizeof(*frames)))
        return -EFAULT;
    for (uint64_t i = 0; i < op->num; i++)
        frames[i] = describe_frame(c->d, frames[i]);
    return copy_out(op->array, frames, op->num * sizeof(*frames)) ? -EFAULT : 0;
}

/* --- what it may use ----------------------------------------------------- */

/* Of frames that the caller has. Mappings that were made already stay. */
static long domctl_iomem_permission(struct control *c)
{
    const struct xen_domctl_iomem_permission *op = &c->op.u.iomem_permission;
    uint64_t first = op->first_mfn, last = first + op->nr_mfns - 1;
    int error;

    if (!op->nr_mfns || first >= MAX_FRAME || op->nr_mfns > MAX_FRAME - first)
        return refuse(-EINVAL, "device frames %#lx, %lu of them", first,
                      op->nr_mfns);
    if (!rangeset_contains(c->caller->domain->io_frames, first, last))
        return refuse(-EPERM, "device frames %#lx to %#lx", first, last);
    spin_lock(&c->d->pt_lock);
    error = op->allow_access ? rangeset_add(c->d->io_frames, first, last)
                             : rangeset_remove(c->d->io_frames, first, last);
    spin_unlock(&c->d->pt_lock);
    return error;
}

/* Of ports that the caller has. */
static long domctl_ioport_permission(struct control *c)
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

/* --- small settings ------------------------------------------------------ */

/* What every guest sees; there are no MSRs to describe. */
static long domctl_get_cpu_policy(struct control *c)
{
    struct xen_domctl_cpu_policy *op = &c->op.u.cpu_policy;

    op->nr_msrs = 0;
    return cpu_policy_put(MACHINE_CPUID_GUEST, op->leaves, &op->nr_leaves);
}

/* Puts the stubs of all hypercalls into a frame of the domain's. */
static long domctl_hypercall_init(struct control *c)
{
    mfn_t mfn = MFN(c->op.u.hypercall_init.gmfn);
    struct frame *f;
    int error = frame_find_writable(mfn, c->d, &f);

    if (error)
        return error;
    arch_hypercall_page_fill(arch_frame_ptr(mfn));
    frame_put_writable(f);
    return 0;
}

/* Commands that are done in a few lines. */
static long do_simple(struct control *c)
{
    static const uint64_t nodes[PCPU_WORDS] = {1};
    struct domain *d = c->d;

    switch (c->op.cmd) {
    case XEN_DOMCTL_destroydomain:
        return domain_destroy(d);
    case XEN_DOMCTL_pausedomain: /* once more; no vCPU runs afterwards */
        domain_pause(d);
        return 0;
    case XEN_DOMCTL_unpausedomain:
        if (!d->pause_count)
            return refuse(-EINVAL, "domain %u is not paused", d->id);
        d->was_started = true;
        domain_unpause(d);
        return 0;
    case XEN_DOMCTL_max_mem: /* also below what it has */
        spin_lock(&d->memory_lock);
        d->max_pages = c->op.u.max_mem.max_memkb >> (PAGE_SHIFT - 10);
        spin_unlock(&d->memory_lock);
        return 0;
    case XEN_DOMCTL_irq_permission: /* whether it may bind a pirq */
        if (c->op.u.irq_permission.pirq >= MAX_PIRQS)
            return refuse(-EINVAL, "pirq %u", c->op.u.irq_permission.pirq);
        if (c->op.u.irq_permission.allow_access)
            atomic_bit_set(d->irqs, c->op.u.irq_permission.pirq);
        else
            atomic_bit_clear(d->irqs, c->op.u.irq_permission.pirq);
        return 0;
    case XEN_DOMCTL_setdomainhandle:
        memcpy(d->uuid, c->op.u.setdomainhandle.handle, sizeof(d->uuid));
        return 0;
    case XEN_DOMCTL_setdebugging:
        d->is_debugged = c->op.u.setdebugging.enable;
        return 0;
    case XEN_DOMCTL_settimeoffset: /* seconds that it is ahead of UTC */
        __atomic_store_n(&d->clock_offset,
                         c->op.u.settimeoffset.time_offset_seconds,
                         __ATOMIC_RELAXED);
        arch_domain_publish_clock(d);
        return 0;
    case XEN_DOMCTL_set_address_size:
        return c->op.u.address_size.size == KERNEL_BITS ? 0 : -EINVAL;
    case XEN_DOMCTL_get_address_size:
        c->op.u.address_size.size = KERNEL_BITS;
        return 0;
    case XEN_DOMCTL_settscinfo: /* the counter is never emulated */
        return c->op.u.tsc_info.tsc_mode == XEN_TSC_MODE_DEFAULT ||
                       c->op.u.tsc_info.tsc_mode == XEN_TSC_MODE_NEVER_EMULATE
                   ? 0
                   : -EOPNOTSUPP;
    case XEN_DOMCTL_getnodeaffinity:
        return guest_bitmap_write(&c->op.u.nodeaffinity.nodemap, nodes);
    case XEN_DOMCTL_gdbsx_domstatus: /* Mica stops none at a breakpoint */
        c->op.u.gdbsx_domstatus = (struct xen_domctl_gdbsx_domstatus){
            .paused = d->pause_count != 0,
            .vcpu_id = ~0u,
        };
        return 0;
    case XEN_DOMCTL_setnodeaffinity: /* there is one node to run on */
    case XEN_DOMCTL_set_cpu_policy:  /* and one policy for the processors */
        return 0;
    default: /* the table names no other */
        return -ENOSYS;
    }
}

/* Only before the domain first runs: nothing looks at it at the same time. */
static long domctl_mica_set_kernel(struct control *c)
{
    const struct mica_domctl_set_kernel *op = &c->op.u.mica_set_kernel;

    if (op->flags & ~MICA_KERNEL_SHARES_LOWER_HALF || op->pad)
        return refuse(-EINVAL, "set_kernel: flags %#x", op->flags);
    if (c->d->was_started)
        return refuse(-EBUSY, "domain %u has been started", c->d->id);
    c->d->shares_lower_half = op->flags & MICA_KERNEL_SHARES_LOWER_HALF;
    return 0;
}

/* --- the table ----------------------------------------------------------- */

#define COMMAND(name) XEN_DOMCTL_##name, domctl_##name
#define SIMPLE(name) XEN_DOMCTL_##name, do_simple

static const struct command commands[] = {
    {COMMAND(createdomain), NO_DOMAIN},
    {SIMPLE(destroydomain), OTHERS},
    {SIMPLE(pausedomain), OTHERS | LIVING},
    {SIMPLE(unpausedomain), OTHERS | LIVING},
    {COMMAND(getdomaininfo), NO_DOMAIN | ANSWERS},
    {XEN_DOMCTL_setvcpuaffinity, domctl_vcpuaffinity, ANSWERS | LIVING | VCPU},
    {SIMPLE(max_mem), LIVING},
    {COMMAND(setvcpucontext), OTHERS | LIVING | VCPU | PAUSED},
    {COMMAND(getvcpucontext), OTHERS | VCPU | PAUSED},
    {COMMAND(getvcpuinfo), ANSWERS | VCPU},
    {COMMAND(max_vcpus), OTHERS | LIVING},
    {COMMAND(scheduler_op), ANSWERS},
    {SIMPLE(setdomainhandle), 0},
    {SIMPLE(setdebugging), OTHERS},
    {SIMPLE(irq_permission), LIVING},
    {COMMAND(iomem_permission), LIVING},
    {COMMAND(ioport_permission), OTHERS | LIVING | PAUSED},
    {COMMAND(hypercall_init), LIVING},
    {SIMPLE(settimeoffset), LIVING},
    {XEN_DOMCTL_getvcpuaffinity, domctl_vcpuaffinity, ANSWERS | VCPU},
    {SIMPLE(set_address_size), LIVING},
    {SIMPLE(get_address_size), ANSWERS},
    {SIMPLE(settscinfo), LIVING},
    {COMMAND(getpageframeinfo3), 0},
    {SIMPLE(setnodeaffinity), 0},
    {SIMPLE(getnodeaffinity), 0},
    {COMMAND(get_cpu_policy), ANSWERS},
    {SIMPLE(set_cpu_policy), OTHERS | LIVING},
    {COMMAND(gdbsx_guestmemio), OTHERS | ANSWERS | LIVING | PAUSED},
    {COMMAND(gdbsx_pausevcpu), OTHERS | LIVING | VCPU},
    {COMMAND(gdbsx_unpausevcpu), OTHERS | LIVING | VCPU},
    {SIMPLE(gdbsx_domstatus), ANSWERS},
    {MICA_DOMCTL_set_kernel, domctl_mica_set_kernel, OTHERS | LIVING},
    {MICA_DOMCTL_get_activity, domctl_mica_get_activity, ANSWERS},
};

/* domctl(struct xen_domctl *): goes on with the same domain, and no other. */
long hc_domctl(struct vcpu *v, const struct hc_args *args)
{
    return control_run(v, args, HC_domctl, commands, ARRAY_LEN(commands));
}
