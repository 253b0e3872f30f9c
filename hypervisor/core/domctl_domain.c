/* SPDX-License-Identifier: MIT */
/* domctl: the life of a domain, and what it has and is (domctl.h). */
#include "core/domctl.h"

#include "core/arch.h"
#include "core/domain.h"
#include "core/evtchn.h"
#include "core/frame.h"
#include "core/grant.h"
#include "core/guest_bitmap.h"
#include "core/guest_copy.h"
#include "core/hypercall.h"
#include "core/log.h"
#include "core/sched.h"
#include "core/vcpu.h"

#define GRANT_VERSION_MAX 1u
#define KERNEL_BITS 64u
#define MAX_PAGE_QUERY 1024u
#define PAGES_PER_COPY 64u
#define NODE_WORDS 1u

/* --- birth --------------------------------------------------------------- */

/* Flags of createdomain: those that mean something here, and all there are. */
#define FLAGS_SERVED XEN_DOMCTL_CDF_oos_off
#define FLAGS_KNOWN 0xffu

static int check_creation(const struct xen_domctl_createdomain *op)
{
    if (op->flags & ~FLAGS_KNOWN)
        return refuse(-EINVAL, "createdomain: flags %#x", op->flags);
    if (op->flags & ~FLAGS_SERVED)
        return refuse(-EOPNOTSUPP, "createdomain: only paravirtual domains "
                                   "without devices of their own");
    if (op->max_vcpus < 1 || op->max_vcpus > MAX_VCPUS)
        return refuse(-EINVAL, "createdomain: %u vCPUs", op->max_vcpus);
    if ((op->grant_opts & XEN_DOMCTL_GRANT_version_mask) > GRANT_VERSION_MAX)
        return refuse(-EINVAL, "createdomain: grant tables of version 1 only");
    if (op->iommu_opts || op->vmtrace_size || op->cpupool_id ||
        op->arch.emulation_flags || op->arch.misc_flags)
        return refuse(-EINVAL, "createdomain: an option is not served");
    return 0;
}

static bool is_taken(domid_t id)
{
    struct domain *d = domain_find_get(id);

    if (d)
        domain_put(d);
    return d;
}

/* A free id, not one that was used a moment ago; 0 when there is none. */
static domid_t choose_id(void)
{
    static domid_t last;

    for (unsigned i = 1; i < DOMID_FIRST_RESERVED; i++) {
        last = last + 1 < (int)DOMID_FIRST_RESERVED ? last + 1 : 1;
        if (!is_taken(last))
            return last;
    }
    return 0;
}

/* A limit as the tools say it: negative for Mica's own, and no more. */
static uint32_t grant_limit(int32_t wanted, uint32_t own, uint32_t most)
{
    return wanted < 0 ? own : (uint32_t)min_u64((uint32_t)wanted, most);
}

static int configure(struct domain *d, const struct xen_domctl_createdomain *op)
{
    uint32_t frames = grant_limit(op->max_grant_frames, GRANT_FRAMES_DEFAULT,
                                  GRANT_FRAMES_LIMIT);

    memcpy(d->uuid, op->handle, sizeof(d->uuid));
    evtchn_set_limit(d, op->max_evtchn_port);
    arch_domain_publish_clock(d);
    domain_pause(d); /* until the tools let it go */
    return grant_set_limits(d, (uint32_t)max_u64(frames, 1),
                            grant_limit(op->max_maptrack_frames,
                                        GRANT_MAP_PAGES_LIMIT,
                                        GRANT_MAP_PAGES_LIMIT));
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
    else if (is_taken(id))
        return refuse(-EEXIST, "domain %u exists", id);
    if (!id)
        return refuse(-ENOSPC, "no domain id is free");
    c->op.domain = id;
    if (copy_out(c->arg, &c->op, sizeof(c->op)))
        return -EFAULT;
    d = domain_create(id, op->max_vcpus);
    if (!d)
        return -ENOMEM;
    error = configure(d, op);
    ASSERT(!error);
    return error;
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

/* XEN_DOMCTL_destroydomain: 0 or -ERESTART; -EINVAL for dom0. */
long domctl_destroydomain(struct domctl *c)
{
    if (c->d->is_privileged)
        return refuse(-EINVAL, "domain %u can't be destroyed", c->d->id);
    return domain_destroy(c->d);
}

/* --- pauses -------------------------------------------------------------- */

/* XEN_DOMCTL_pausedomain: one pause more; no vCPU runs afterwards. */
long domctl_pausedomain(struct domctl *c)
{
    domain_pause(c->d);
    return 0;
}

/* XEN_DOMCTL_unpausedomain: one less, or -EINVAL. */
long domctl_unpausedomain(struct domctl *c)
{
    if (!c->d->pause_count)
        return refuse(-EINVAL, "domain %u is not paused", c->d->id);
    c->d->was_started = true;
    domain_unpause(c->d);
    return 0;
}

/* --- what it is ---------------------------------------------------------- */

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

/* XEN_DOMCTL_setdomainhandle: its UUID. */
long domctl_setdomainhandle(struct domctl *c)
{
    memcpy(c->d->uuid, c->op.u.setdomainhandle.handle, sizeof(c->d->uuid));
    return 0;
}

/* XEN_DOMCTL_setdebugging: whether a debugger is at it. */
long domctl_setdebugging(struct domctl *c)
{
    c->d->is_debugged = c->op.u.setdebugging.enable;
    return 0;
}

/* XEN_DOMCTL_settimeoffset: seconds that its clock is ahead of UTC. */
long domctl_settimeoffset(struct domctl *c)
{
    __atomic_store_n(&c->d->clock_offset,
                     c->op.u.settimeoffset.time_offset_seconds,
                     __ATOMIC_RELAXED);
    arch_domain_publish_clock(c->d);
    return 0;
}

/* XEN_DOMCTL_set_address_size: 64, or -EINVAL. */
long domctl_set_address_size(struct domctl *c)
{
    if (c->op.u.address_size.size != KERNEL_BITS)
        return refuse(-EINVAL, "a kernel of %u bits",
                      c->op.u.address_size.size);
    return 0;
}

/* XEN_DOMCTL_get_address_size: 64. */
long domctl_get_address_size(struct domctl *c)
{
    c->op.u.address_size.size = KERNEL_BITS;
    return 0;
}

/* XEN_DOMCTL_settscinfo: -EOPNOTSUPP for a counter to be emulated. */
long domctl_settscinfo(struct domctl *c)
{
    const struct xen_domctl_tsc_info *op = &c->op.u.tsc_info;

    if (op->tsc_mode != XEN_TSC_MODE_DEFAULT &&
        op->tsc_mode != XEN_TSC_MODE_NEVER_EMULATE)
        return refuse(-EOPNOTSUPP, "TSC mode %u: it is never emulated",
                      op->tsc_mode);
    return 0;
}

/* Only before the domain first runs: nothing looks at it at the same time. */
long domctl_mica_set_kernel(struct domctl *c)
{
    const struct mica_domctl_set_kernel *op = &c->op.u.mica_set_kernel;

    if (op->flags & ~MICA_KERNEL_SHARES_LOWER_HALF || op->pad)
        return refuse(-EINVAL, "set_kernel: flags %#x", op->flags);
    if (c->d->was_started)
        return refuse(-EBUSY, "domain %u has been started", c->d->id);
    c->d->shares_lower_half = op->flags & MICA_KERNEL_SHARES_LOWER_HALF;
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

/* --- its memory ---------------------------------------------------------- */

/* XEN_DOMCTL_max_mem: how many frames it may have, also below what it has. */
long domctl_max_mem(struct domctl *c)
{
    spin_lock(&c->d->memory_lock);
    c->d->max_pages = c->op.u.max_mem.max_memkb >> (PAGE_SHIFT - 10);
    spin_unlock(&c->d->memory_lock);
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
        return refuse(-E2BIG, "getpageframeinfo3 of %llu frames",
                      (unsigned long long)op->num);
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

/* XEN_DOMCTL_setnodeaffinity: -EINVAL for a set without the one node. */
long domctl_setnodeaffinity(struct domctl *c)
{
    uint64_t nodes[NODE_WORDS];
    int error = guest_bitmap_read(nodes, NODE_WORDS * 64,
                                  &c->op.u.nodeaffinity.nodemap);

    if (error)
        return error;
    return nodes[0] & 1 ? 0 : refuse(-EINVAL, "there is node 0 alone");
}

/* XEN_DOMCTL_getnodeaffinity: the one node. */
long domctl_getnodeaffinity(struct domctl *c)
{
    static const uint64_t nodes[NODE_WORDS] = {1};

    return guest_bitmap_write(&c->op.u.nodeaffinity.nodemap, nodes,
                              NODE_WORDS * 64);
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
    switch (op->cmd) {
    case XEN_DOMCTL_SCHEDOP_putinfo:
        return set_share(c->d, &op->u.credit2);
    case XEN_DOMCTL_SCHEDOP_getinfo:
        op->u.credit2 = (struct xen_domctl_sched_credit2){
            .weight = (uint16_t)c->d->sched_weight,
            .cap = (uint16_t)c->d->cap.percent,
        };
        return 0;
    case XEN_DOMCTL_SCHEDOP_putvcpuinfo:
    case XEN_DOMCTL_SCHEDOP_getvcpuinfo:
        return refuse(-EINVAL, "shares are whole domains'");
    default:
        return -EINVAL;
    }
}
