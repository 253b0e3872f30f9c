/* SPDX-License-Identifier: MIT */
/*
 * The commands of domctl, who may use them and on what (domctl.h), and those
 * that are done in a few lines.
 */
#include "core/domctl.h"

#include "core/arch.h"
#include "core/cpu_policy.h"
#include "core/domain.h"
#include "core/guest_bitmap.h"
#include "core/guest_copy.h"
#include "core/hypercall.h"
#include "core/log.h"
#include "core/vcpu.h"

#define KERNEL_BITS 64u

/* --- small commands ------------------------------------------------------ */

/* There is one node to run on, and one policy for the processors. */
static long nothing_to_do(struct domctl *c)
{
    (void)c;
    return 0;
}

/* XEN_DOMCTL_destroydomain: 0 or -ERESTART; -EINVAL for dom0. */
static long domctl_destroydomain(struct domctl *c)
{
    if (c->d->is_privileged)
        return refuse(-EINVAL, "domain %u can't be destroyed", c->d->id);
    return domain_destroy(c->d);
}

/* XEN_DOMCTL_pausedomain: one pause more; no vCPU runs afterwards. */
static long domctl_pausedomain(struct domctl *c)
{
    domain_pause(c->d);
    return 0;
}

/* XEN_DOMCTL_unpausedomain: one less, or -EINVAL. */
static long domctl_unpausedomain(struct domctl *c)
{
    if (!c->d->pause_count)
        return refuse(-EINVAL, "domain %u is not paused", c->d->id);
    c->d->was_started = true;
    domain_unpause(c->d);
    return 0;
}

/* XEN_DOMCTL_max_mem: how many frames it may have, also below what it has. */
static long domctl_max_mem(struct domctl *c)
{
    spin_lock(&c->d->memory_lock);
    c->d->max_pages = c->op.u.max_mem.max_memkb >> (PAGE_SHIFT - 10);
    spin_unlock(&c->d->memory_lock);
    return 0;
}

/* XEN_DOMCTL_setdomainhandle: its UUID. */
static long domctl_setdomainhandle(struct domctl *c)
{
    memcpy(c->d->uuid, c->op.u.setdomainhandle.handle, sizeof(c->d->uuid));
    return 0;
}

/* XEN_DOMCTL_setdebugging: whether a debugger is at it. */
static long domctl_setdebugging(struct domctl *c)
{
    c->d->is_debugged = c->op.u.setdebugging.enable;
    return 0;
}

/* XEN_DOMCTL_settimeoffset: seconds that its clock is ahead of UTC. */
static long domctl_settimeoffset(struct domctl *c)
{
    __atomic_store_n(&c->d->clock_offset,
                     c->op.u.settimeoffset.time_offset_seconds,
                     __ATOMIC_RELAXED);
    arch_domain_publish_clock(c->d);
    return 0;
}

/* XEN_DOMCTL_set_address_size: 64, or -EINVAL. */
static long domctl_set_address_size(struct domctl *c)
{
    return c->op.u.address_size.size == KERNEL_BITS ? 0 : -EINVAL;
}

/* XEN_DOMCTL_get_address_size: 64. */
static long domctl_get_address_size(struct domctl *c)
{
    c->op.u.address_size.size = KERNEL_BITS;
    return 0;
}

/* XEN_DOMCTL_settscinfo: -EOPNOTSUPP for a counter to be emulated. */
static long domctl_settscinfo(struct domctl *c)
{
    uint32_t mode = c->op.u.tsc_info.tsc_mode;

    if (mode != XEN_TSC_MODE_DEFAULT && mode != XEN_TSC_MODE_NEVER_EMULATE)
        return refuse(-EOPNOTSUPP, "TSC mode %u: it is never emulated", mode);
    return 0;
}

/* XEN_DOMCTL_getnodeaffinity: the one node. */
static long domctl_getnodeaffinity(struct domctl *c)
{
    static const uint64_t nodes[PCPU_WORDS] = {1};

    return guest_bitmap_write(&c->op.u.nodeaffinity.nodemap, nodes);
}

/* What every guest sees; there are no MSRs to describe. */
static long domctl_get_cpu_policy(struct domctl *c)
{
    struct xen_domctl_cpu_policy *op = &c->op.u.cpu_policy;

    op->nr_msrs = 0;
    return cpu_policy_put(MACHINE_CPUID_GUEST, op->leaves, &op->nr_leaves);
}

/* Mica stops no vCPU at a breakpoint; the guest's own debugger would. */
static long domctl_gdbsx_domstatus(struct domctl *c)
{
    c->op.u.gdbsx_domstatus = (struct xen_domctl_gdbsx_domstatus){
        .paused = c->d->pause_count != 0,
        .vcpu_id = ~0u,
    };
    return 0;
}

/* Only before the domain first runs: nothing looks at it at the same time. */
static long domctl_mica_set_kernel(struct domctl *c)
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

/* What a command wants of the domain it names, and leaves in the argument. */
enum {
    ANSWERS = 1,   /* *op is copied out */
    NO_DOMAIN = 2, /* looks for the domain itself */
    OTHERS = 4,    /* not for the caller's own domain */
    LIVING = 8,    /* not for one that is dying */
    VCPU = 16,     /* on the vCPU whose number its argument begins with */
    PAUSED = 32,   /* while nothing of the domain, another's, runs */
};

struct command {
    uint32_t number;
    unsigned flags;
    domctl_handler *handler;
};

#define COMMAND(name, flags)                                                   \
    {                                                                          \
        XEN_DOMCTL_##name, flags, domctl_##name                                \
    }

static const struct command commands[] = {
    COMMAND(createdomain, NO_DOMAIN),
    COMMAND(destroydomain, OTHERS),
    COMMAND(pausedomain, OTHERS | LIVING),
    COMMAND(unpausedomain, OTHERS | LIVING),
    COMMAND(getdomaininfo, NO_DOMAIN | ANSWERS),
    COMMAND(setvcpuaffinity, ANSWERS | LIVING | VCPU),
    COMMAND(max_mem, LIVING),
    COMMAND(setvcpucontext, OTHERS | LIVING | VCPU | PAUSED),
    COMMAND(getvcpucontext, OTHERS | VCPU | PAUSED),
    COMMAND(getvcpuinfo, ANSWERS | VCPU),
    COMMAND(max_vcpus, OTHERS | LIVING),
    COMMAND(scheduler_op, ANSWERS),
    COMMAND(setdomainhandle, 0),
    COMMAND(setdebugging, OTHERS),
    COMMAND(irq_permission, LIVING),
    COMMAND(iomem_permission, LIVING),
    COMMAND(ioport_permission, OTHERS | LIVING | PAUSED),
    COMMAND(hypercall_init, LIVING),
    COMMAND(settimeoffset, LIVING),
    COMMAND(getvcpuaffinity, ANSWERS | VCPU),
    COMMAND(set_address_size, LIVING),
    COMMAND(get_address_size, ANSWERS),
    COMMAND(settscinfo, LIVING),
    COMMAND(getpageframeinfo3, 0),
    {XEN_DOMCTL_setnodeaffinity, 0, nothing_to_do},
    COMMAND(getnodeaffinity, 0),
    COMMAND(get_cpu_policy, ANSWERS),
    {XEN_DOMCTL_set_cpu_policy, OTHERS | LIVING, nothing_to_do},
    COMMAND(gdbsx_guestmemio, OTHERS | ANSWERS | LIVING | PAUSED),
    COMMAND(gdbsx_pausevcpu, OTHERS | LIVING | VCPU),
    COMMAND(gdbsx_unpausevcpu, OTHERS | LIVING | VCPU),
    COMMAND(gdbsx_domstatus, ANSWERS),
    {MICA_DOMCTL_set_kernel, OTHERS | LIVING, domctl_mica_set_kernel},
    {MICA_DOMCTL_get_activity, ANSWERS, domctl_mica_get_activity},
};

static const struct command *find_command(uint32_t number)
{
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        if (commands[i].number == number)
            return &commands[i];
    return NULL;
}

static int find_subject(struct domctl *c, unsigned flags)
{
    if (flags & NO_DOMAIN)
        return 0;
    c->d = domain_find_get(c->op.domain);
    if (!c->d)
        return refuse(-ESRCH, "no domain %u", c->op.domain);
    if (c->serial && c->serial != c->d->serial)
        return refuse(-ESRCH, "domain %u was another", c->op.domain);
    c->serial = c->d->serial;
    if (flags & OTHERS && c->d == c->caller->domain)
        return refuse(-EINVAL, "domctl %u on the caller itself", c->op.cmd);
    if (flags & LIVING && domain_is_dying(c->d))
        return refuse(-EINVAL, "domain %u is dying", c->d->id);
    if (flags & VCPU) {
        c->v = domain_vcpu(c->d, c->op.u.vcpucontext.vcpu);
        if (!c->v)
            return refuse(-ESRCH, "d%u has no such vCPU", c->d->id);
    }
    return 0;
}

static long run_locked(const struct command *command, struct domctl *c)
{
    long result = find_subject(c, command->flags);

    if (result)
        return result;
    if (command->flags & PAUSED)
        domain_pause(c->d);
    result = command->handler(c);
    if (command->flags & PAUSED)
        domain_unpause(c->d);
    if (!result && command->flags & ANSWERS &&
        copy_out(c->arg, &c->op, sizeof(c->op)))
        return -EFAULT;
    return result;
}

/*
 * The domain is looked for with the lock held: while a command waited for its
 * turn, the one it means may have ended and another taken its id.
 */
static long run(const struct command *command, struct domctl *c)
{
    static struct spinlock domctl_lock;
    long result;

    spin_lock(&domctl_lock);
    result = run_locked(command, c);
    spin_unlock(&domctl_lock);
    if (c->d)
        domain_put(c->d);
    return result;
}

/* domctl(struct xen_domctl *): goes on with the same domain, and no other. */
long hc_domctl(struct vcpu *v, const struct hc_args *args)
{
    struct hc_args own = *args;
    struct domctl c = {.caller = v};
    const struct command *command;
    long result;

    if (!v->domain->is_privileged)
        return -EPERM;
    if (hypercall_goes_on(&own))
        c.serial = own.a[1];
    c.arg = HC_ARG_VA(&own, 0);
    if (copy_in(&c.op, c.arg, sizeof(c.op)))
        return -EFAULT;
    if (c.op.interface_version != XEN_DOMCTL_INTERFACE_VERSION)
        return refuse(-EACCES, "domctl of version %#x", c.op.interface_version);
    command = find_command(c.op.cmd);
    if (!command)
        return refuse(-ENOSYS, "domctl %u is not served", c.op.cmd);
    result = run(command, &c);
    if (result != -ERESTART)
        return result;
    own = (struct hc_args){.a = {c.arg.va ^ HC_GOES_ON, c.serial}};
    return hypercall_restart(v, HC_domctl, &own);
}
