/* SPDX-License-Identifier: MIT */
/* domctl: the vCPUs of a domain, and debugging it (control.h). */
#include "core/control.h"

#include "core/arch.h"
#include "core/domain.h"
#include "core/guest_bitmap.h"
#include "core/guest_copy.h"
#include "core/log.h"
#include "core/pcpu.h"
#include "core/sched.h"
#include "core/vcpu.h"

#define MAX_DEBUG_COPY 65536u
#define COPY_CHUNK 512u

/* --- the whole state ----------------------------------------------------- */

static struct vcpu_guest_context context; /* domctl lock */

/*
 * Takes over a context that the tools made: -EINVAL, -EFAULT, -ERESTART. The
 * first vCPU's also says how the domain wants Mica to behave, and its builder
 * has cleared the clock.
 */
long domctl_setvcpucontext(struct control *c)
{
    bool is_new = !__atomic_load_n(&c->v->initialised, __ATOMIC_ACQUIRE);
    int error;

    if (copy_in(&context, c->op.u.vcpucontext.ctxt, sizeof(context)))
        return -EFAULT;
    error = arch_vcpu_set_context(c->v, &context);
    if (error)
        return error;
    __atomic_store_n(&c->v->initialised, true, __ATOMIC_RELEASE);
    if (!c->v->id && is_new) {
        domain_set_assists(c->d, context.vm_assist);
        arch_domain_publish_clock(c->d);
    }
    if (context.flags & VGCF_online)
        return vcpu_up(c->v);
    sched_take_down(c->v);
    vcpu_stop_timers(c->v);
    return 0;
}

/* XEN_DOMCTL_getvcpucontext: -ENODATA, -EFAULT. */
long domctl_getvcpucontext(struct control *c)
{
    if (!__atomic_load_n(&c->v->initialised, __ATOMIC_ACQUIRE))
        return -ENODATA;
    memset(&context, 0, sizeof(context));
    arch_vcpu_get_context(c->v, &context);
    context.vm_assist = __atomic_load_n(&c->d->vm_assist, __ATOMIC_RELAXED);
    if (vcpu_is_up(c->v))
        context.flags |= VGCF_online;
    return copy_out(c->op.u.vcpucontext.ctxt, &context, sizeof(context))
               ? -EFAULT
               : 0;
}

/* --- where and how it runs ----------------------------------------------- */

/* XEN_DOMCTL_getvcpuinfo: what a vCPU does. */
long domctl_getvcpuinfo(struct control *c)
{
    struct xen_domctl_getvcpuinfo *op = &c->op.u.getvcpuinfo;
    struct vcpu_runstate_info times;

    vcpu_get_runstate(c->v, &times);
    op->online = vcpu_is_up(c->v);
    op->blocked =
        __atomic_load_n(&c->v->state, __ATOMIC_RELAXED) == VCPU_BLOCKED;
    op->running = times.state == RUNSTATE_running;
    op->cpu_time = times.time[RUNSTATE_running];
    op->cpu = __atomic_load_n(&c->v->cpu, __ATOMIC_RELAXED);
    return 0;
}

/*
 * One kind of affinity; *map is what was set, or on setting, afterwards, the
 * part of it that has effect.
 */
static int exchange_affinity(struct control *c, uint32_t kind,
                             const struct xenctl_bitmap *map)
{
    const uint64_t *set =
        kind == XEN_VCPUAFFINITY_HARD ? c->v->affinity : c->v->soft_affinity;
    uint64_t bits[PCPU_WORDS];
    int error;

    if (c->op.cmd == XEN_DOMCTL_getvcpuaffinity)
        return guest_bitmap_write(map, set);
    error = guest_bitmap_read(bits, map);
    if (!error && kind == XEN_VCPUAFFINITY_HARD)
        error = sched_set_affinity(c->v, bits);
    else if (!error)
        sched_set_soft_affinity(c->v, bits);
    if (error)
        return error;
    for (unsigned i = 0; i < PCPU_WORDS * 64; i++)
        if (i >= pcpu_count || !pcpu_is_online(i) ||
            !bit_test(c->v->affinity, i))
            bit_clear(bits, i);
    return guest_bitmap_write(map, bits);
}

/* XEN_DOMCTL_setvcpuaffinity, XEN_DOMCTL_getvcpuaffinity: -EINVAL, -EFAULT. */
long domctl_vcpuaffinity(struct control *c)
{
    const struct xen_domctl_vcpuaffinity *op = &c->op.u.vcpuaffinity;
    uint32_t kinds = op->flags & ~XEN_VCPUAFFINITY_FORCE;
    int error = 0;

    if (!kinds || kinds & ~(XEN_VCPUAFFINITY_HARD | XEN_VCPUAFFINITY_SOFT))
        return refuse(-EINVAL, "affinity of kind %#x", op->flags);
    if (kinds & XEN_VCPUAFFINITY_HARD)
        error = exchange_affinity(c, XEN_VCPUAFFINITY_HARD, &op->cpumap_hard);
    if (!error && kinds & XEN_VCPUAFFINITY_SOFT)
        error = exchange_affinity(c, XEN_VCPUAFFINITY_SOFT, &op->cpumap_soft);
    return error;
}

/* XEN_DOMCTL_scheduler_op: its weight and cap, in the words of credit2. */
long domctl_scheduler_op(struct control *c)
{
    struct xen_domctl_scheduler_op *op = &c->op.u.scheduler_op;
    struct xen_domctl_sched_credit2 *share = &op->u.credit2;
    struct domain *d = c->d;

    if (op->sched_id != XEN_SCHEDULER_CREDIT2 ||
        op->cmd > XEN_DOMCTL_SCHEDOP_getinfo)
        return refuse(-EINVAL, "scheduler %u, command %u", op->sched_id,
                      op->cmd);
    if (op->cmd == XEN_DOMCTL_SCHEDOP_getinfo) {
        share->weight = (uint16_t)d->sched_weight;
        share->cap = (uint16_t)d->cap.percent;
        return 0;
    }
    if (share->cap > 100 * d->max_vcpus)
        return refuse(-EINVAL, "a cap of %u%% for %u vCPUs", share->cap,
                      d->max_vcpus);
    if (share->weight) {
        __atomic_store_n(&d->sched_weight, share->weight, __ATOMIC_RELAXED);
        domain_vcpus(v, d)
        {
            sched_set_weight(v, share->weight);
        }
    }
    if (share->cap != d->cap.percent)
        sched_set_cap(d, share->cap);
    return 0;
}

/* --- debugging ----------------------------------------------------------- */

/* Through the tables of the first vCPU's kernel, a chunk at a time. */
long domctl_gdbsx_guestmemio(struct control *c)
{
    struct xen_domctl_gdbsx_memio *op = &c->op.u.gdbsx_guest_memio;
    struct vcpu *v = domain_vcpu(c->d, 0);
    uint8_t chunk[COPY_CHUNK];

    if (op->len > MAX_DEBUG_COPY)
        return refuse(-E2BIG, "%u bytes at a time", op->len);
    if (!v || mfn_equal(v->kernel_root, MFN_INVALID))
        return refuse(-EINVAL, "d%u has no page tables yet", c->d->id);
    for (uint32_t done = 0, n; done < op->len; done += n) {
        guest_va own = {op->uva + done};
        uint64_t theirs = op->gva + done;

        n = (uint32_t)min_u64(op->len - done, sizeof(chunk));
        if (op->gwr ? copy_in(chunk, own, n) ||
                          copy_out_root(v->kernel_root, theirs, chunk, n)
                    : copy_in_root(v->kernel_root, chunk, theirs, n) ||
                          copy_out(own, chunk, n))
            return -EFAULT;
    }
    op->remain = 0;
    return 0;
}

/* XEN_DOMCTL_gdbsx_pausevcpu: stops one vCPU. */
long domctl_gdbsx_pausevcpu(struct control *c)
{
    c->v->debug_pauses++;
    sched_pause(c->v);
    sched_wait_until_saved(c->v);
    return 0;
}

/* XEN_DOMCTL_gdbsx_unpausevcpu: -EINVAL if gdbsx did not pause it. */
long domctl_gdbsx_unpausevcpu(struct control *c)
{
    if (!c->v->debug_pauses)
        return -EINVAL;
    c->v->debug_pauses--;
    sched_unpause(c->v);
    return 0;
}
