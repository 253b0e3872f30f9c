/* SPDX-License-Identifier: MIT */
/* domctl: the vCPUs of a domain, and debugging it (domctl.h). */
#include "core/domctl.h"

#include "core/arch.h"
#include "core/domain.h"
#include "core/guest_bitmap.h"
#include "core/guest_copy.h"
#include "core/heap.h"
#include "core/log.h"
#include "core/pcpu.h"
#include "core/sched.h"
#include "core/vcpu.h"

#define PCPU_BITS ((unsigned)BITMAP_WORDS(MAX_PCPUS) * 64)
#define MAX_DEBUG_COPY 65536u
#define COPY_CHUNK 512u

/* --- the whole state ----------------------------------------------------- */

/*
 * Takes over a context that the tools made. The first vCPU's also says how
 * the domain wants Mica to behave, and its builder has cleared the clock.
 */
static int take_context(struct vcpu *v,
                        const struct vcpu_guest_context *context)
{
    bool is_new = !__atomic_load_n(&v->initialised, __ATOMIC_ACQUIRE);
    int error = arch_vcpu_set_context(v, context);

    if (error)
        return error;
    __atomic_store_n(&v->initialised, true, __ATOMIC_RELEASE);
    if (!v->id && is_new) {
        domain_set_assists(v->domain, context->vm_assist);
        arch_domain_publish_clock(v->domain);
    }
    if (context->flags & VGCF_online)
        return vcpu_up(v);
    sched_take_down(v);
    vcpu_stop_timers(v);
    return 0;
}

/* XEN_DOMCTL_setvcpucontext: -EINVAL, -EFAULT, -ERESTART. */
long domctl_setvcpucontext(struct domctl *c)
{
    const struct xen_domctl_vcpucontext *op = &c->op.u.vcpucontext;
    struct vcpu *v = domain_vcpu(c->d, op->vcpu);
    struct vcpu_guest_context *context;
    int error;

    if (!v)
        return refuse(-EINVAL, "d%u has no vCPU %u", c->d->id, op->vcpu);
    context = heap_zalloc(sizeof(*context));
    if (!context)
        return -ENOMEM;
    if (copy_in(context, op->ctxt, sizeof(*context))) {
        error = -EFAULT;
    } else {
        domain_pause(c->d);
        error = take_context(v, context);
        domain_unpause(c->d);
    }
    heap_zfree(context, sizeof(*context));
    return error;
}

static void read_context(struct vcpu *v, struct vcpu_guest_context *context)
{
    domain_pause(v->domain);
    arch_vcpu_get_context(v, context);
    context->vm_assist =
        __atomic_load_n(&v->domain->vm_assist, __ATOMIC_RELAXED);
    if (vcpu_is_up(v))
        context->flags |= VGCF_online;
    domain_unpause(v->domain);
}

/* XEN_DOMCTL_getvcpucontext: -EINVAL, -ENODATA, -EFAULT. */
long domctl_getvcpucontext(struct domctl *c)
{
    const struct xen_domctl_vcpucontext *op = &c->op.u.vcpucontext;
    struct vcpu *v = domain_vcpu(c->d, op->vcpu);
    struct vcpu_guest_context *context;
    int error;

    if (!v)
        return refuse(-EINVAL, "d%u has no vCPU %u", c->d->id, op->vcpu);
    if (!__atomic_load_n(&v->initialised, __ATOMIC_ACQUIRE))
        return -ENODATA;
    context = heap_zalloc(sizeof(*context));
    if (!context)
        return -ENOMEM;
    read_context(v, context);
    error = copy_out(op->ctxt, context, sizeof(*context)) ? -EFAULT : 0;
    heap_zfree(context, sizeof(*context));
    return error;
}

/* There are no such registers that a vCPU could not set up for itself. */
long domctl_get_vcpu_msrs(struct domctl *c)
{
    if (!domain_vcpu(c->d, c->op.u.vcpu_msrs.vcpu))
        return -EINVAL;
    c->op.u.vcpu_msrs.msr_count = 0;
    return 0;
}

/* XEN_DOMCTL_set_vcpu_msrs: -EINVAL for any. */
long domctl_set_vcpu_msrs(struct domctl *c)
{
    if (!domain_vcpu(c->d, c->op.u.vcpu_msrs.vcpu))
        return -EINVAL;
    return c->op.u.vcpu_msrs.msr_count
               ? refuse(-EINVAL, "no MSR of a vCPU can be set")
               : 0;
}

/* --- where and how it runs ----------------------------------------------- */

/* XEN_DOMCTL_getvcpuinfo: what a vCPU does, or -ESRCH. */
long domctl_getvcpuinfo(struct domctl *c)
{
    struct xen_domctl_getvcpuinfo *op = &c->op.u.getvcpuinfo;
    struct vcpu *v = domain_vcpu(c->d, op->vcpu);
    struct vcpu_runstate_info times;

    if (!v)
        return refuse(-ESRCH, "d%u has no vCPU %u", c->d->id, op->vcpu);
    vcpu_get_runstate(v, &times);
    op->online = vcpu_is_up(v);
    op->blocked = __atomic_load_n(&v->state, __ATOMIC_RELAXED) == VCPU_BLOCKED;
    op->running = times.state == RUNSTATE_running;
    op->cpu_time = times.time[RUNSTATE_running];
    op->cpu = __atomic_load_n(&v->cpu, __ATOMIC_RELAXED);
    return 0;
}

static void keep_online(uint64_t *pcpus_allowed)
{
    for (unsigned i = 0; i < PCPU_BITS; i++)
        if (i >= pcpu_count || !pcpu_is_online(i))
            bit_clear(pcpus_allowed, i);
}

/* Sets where `v` may run; *map then is the part of it that has effect. */
static int set_hard(struct vcpu *v, const struct xenctl_bitmap *map)
{
    uint64_t bits[BITMAP_WORDS(MAX_PCPUS)];
    int error = guest_bitmap_read(bits, PCPU_BITS, map);

    if (!error)
        error = sched_set_affinity(v, bits);
    if (error)
        return error;
    keep_online(bits);
    return guest_bitmap_write(map, bits, PCPU_BITS);
}

/* The same for where it should rather run. */
static int set_soft(struct vcpu *v, const struct xenctl_bitmap *map)
{
    uint64_t bits[BITMAP_WORDS(MAX_PCPUS)];
    int error = guest_bitmap_read(bits, PCPU_BITS, map);

    if (error)
        return error;
    sched_set_soft_affinity(v, bits);
    for (unsigned i = 0; i < ARRAY_LEN(bits); i++)
        bits[i] &= v->affinity[i];
    keep_online(bits);
    return guest_bitmap_write(map, bits, PCPU_BITS);
}

#define AFFINITY_FLAGS                                                         \
    (XEN_VCPUAFFINITY_HARD | XEN_VCPUAFFINITY_SOFT | XEN_VCPUAFFINITY_FORCE)

static struct vcpu *affinity_target(const struct domctl *c, long *error)
{
    const struct xen_domctl_vcpuaffinity *op = &c->op.u.vcpuaffinity;
    struct vcpu *v = domain_vcpu(c->d, op->vcpu);

    *error = v ? 0 : -ESRCH;
    if (op->flags & ~AFFINITY_FLAGS ||
        !(op->flags & (XEN_VCPUAFFINITY_HARD | XEN_VCPUAFFINITY_SOFT)))
        *error = refuse(-EINVAL, "affinity of kind %#x", op->flags);
    return v;
}

/* XEN_DOMCTL_setvcpuaffinity: -EINVAL, -ESRCH, -EFAULT. */
long domctl_setvcpuaffinity(struct domctl *c)
{
    struct xen_domctl_vcpuaffinity *op = &c->op.u.vcpuaffinity;
    long error;
    struct vcpu *v = affinity_target(c, &error);

    if (!error && op->flags & XEN_VCPUAFFINITY_HARD)
        error = set_hard(v, &op->cpumap_hard);
    if (!error && op->flags & XEN_VCPUAFFINITY_SOFT)
        error = set_soft(v, &op->cpumap_soft);
    return error;
}

/* XEN_DOMCTL_getvcpuaffinity: -EINVAL, -ESRCH, -EFAULT. */
long domctl_getvcpuaffinity(struct domctl *c)
{
    const struct xen_domctl_vcpuaffinity *op = &c->op.u.vcpuaffinity;
    long error;
    struct vcpu *v = affinity_target(c, &error);

    if (!error && op->flags & XEN_VCPUAFFINITY_HARD)
        error = guest_bitmap_write(&op->cpumap_hard, v->affinity, PCPU_BITS);
    if (!error && op->flags & XEN_VCPUAFFINITY_SOFT)
        error =
            guest_bitmap_write(&op->cpumap_soft, v->soft_affinity, PCPU_BITS);
    return error;
}

/* --- debugging ----------------------------------------------------------- */

/* Copies between the two spaces; the number of bytes left. */
static uint32_t copy_between(mfn_t root,
                             const struct xen_domctl_gdbsx_memio *op)
{
    guest_va own = {op->uva};
    uint64_t theirs = op->gva;
    uint32_t left = op->len;
    uint8_t chunk[COPY_CHUNK];

    while (left) {
        uint32_t n = (uint32_t)min_u64(left, sizeof(chunk));
        size_t missed = op->gwr ? copy_in(chunk, own, n)
                                : copy_in_root(root, chunk, theirs, n);

        if (!missed)
            missed = op->gwr ? copy_out_root(root, theirs, chunk, n)
                             : copy_out(own, chunk, n);
        if (missed)
            return left;
        own = guest_va_add(own, n);
        theirs += n;
        left -= n;
    }
    return 0;
}

/* Through the tables of the first vCPU's kernel. */
long domctl_gdbsx_guestmemio(struct domctl *c)
{
    struct xen_domctl_gdbsx_memio *op = &c->op.u.gdbsx_guest_memio;
    struct vcpu *v = domain_vcpu(c->d, 0);

    if (op->len > MAX_DEBUG_COPY)
        return refuse(-E2BIG, "%u bytes at a time", op->len);
    if (!v || mfn_equal(v->kernel_root, MFN_INVALID))
        return refuse(-EINVAL, "d%u has no page tables yet", c->d->id);
    domain_pause(c->d);
    op->remain = copy_between(v->kernel_root, op);
    domain_unpause(c->d);
    return op->remain ? -EFAULT : 0;
}

/* XEN_DOMCTL_gdbsx_pausevcpu: stops one vCPU, or -EINVAL. */
long domctl_gdbsx_pausevcpu(struct domctl *c)
{
    struct vcpu *v = domain_vcpu(c->d, c->op.u.gdbsx_pauseunp_vcpu.vcpu);

    if (!v)
        return -EINVAL;
    v->debug_pauses++;
    sched_pause(v);
    sched_wait_until_saved(v);
    return 0;
}

/* XEN_DOMCTL_gdbsx_unpausevcpu: -EINVAL if gdbsx did not pause it. */
long domctl_gdbsx_unpausevcpu(struct domctl *c)
{
    struct vcpu *v = domain_vcpu(c->d, c->op.u.gdbsx_pauseunp_vcpu.vcpu);

    if (!v || !v->debug_pauses)
        return -EINVAL;
    v->debug_pauses--;
    sched_unpause(v);
    return 0;
}

/* Mica stops no vCPU at a breakpoint; the guest's own debugger would. */
long domctl_gdbsx_domstatus(struct domctl *c)
{
    c->op.u.gdbsx_domstatus = (struct xen_domctl_gdbsx_domstatus){
        .paused = c->d->pause_count != 0,
        .vcpu_id = ~0u,
    };
    return 0;
}
