/* SPDX-License-Identifier: MIT */
/* The commands of domctl, who may use them and on what (domctl.h). */
#include "core/domctl.h"

#include "core/domain.h"
#include "core/guest_copy.h"
#include "core/hypercall.h"
#include "core/log.h"
#include "core/vcpu.h"

/* What a command wants of the domain it names, and leaves in the argument. */
enum {
    ANSWERS = 1,   /* *op is copied out */
    NO_DOMAIN = 2, /* looks for the domain itself */
    OTHERS = 4,    /* not for the caller's own domain */
    LIVING = 8,    /* not for one that is dying */
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
    COMMAND(setvcpuaffinity, ANSWERS | LIVING),
    COMMAND(max_mem, LIVING),
    COMMAND(setvcpucontext, OTHERS | LIVING),
    COMMAND(getvcpucontext, OTHERS),
    COMMAND(getvcpuinfo, ANSWERS),
    COMMAND(max_vcpus, OTHERS | LIVING),
    COMMAND(scheduler_op, ANSWERS),
    COMMAND(setdomainhandle, 0),
    COMMAND(setdebugging, OTHERS),
    COMMAND(irq_permission, LIVING),
    COMMAND(iomem_permission, LIVING),
    COMMAND(ioport_permission, OTHERS | LIVING),
    COMMAND(hypercall_init, LIVING),
    COMMAND(settimeoffset, LIVING),
    COMMAND(getvcpuaffinity, ANSWERS),
    COMMAND(set_address_size, LIVING),
    COMMAND(get_address_size, ANSWERS),
    COMMAND(settscinfo, LIVING),
    COMMAND(getpageframeinfo3, 0),
    COMMAND(setnodeaffinity, 0),
    COMMAND(getnodeaffinity, 0),
    COMMAND(get_cpu_policy, ANSWERS),
    COMMAND(set_cpu_policy, OTHERS | LIVING),
    COMMAND(gdbsx_guestmemio, OTHERS | ANSWERS | LIVING),
    COMMAND(gdbsx_pausevcpu, OTHERS | LIVING),
    COMMAND(gdbsx_unpausevcpu, OTHERS | LIVING),
    COMMAND(gdbsx_domstatus, ANSWERS),
    {MICA_DOMCTL_set_kernel, OTHERS | LIVING, domctl_mica_set_kernel},
    {MICA_DOMCTL_get_activity, ANSWERS, domctl_mica_get_activity},
};

static struct spinlock domctl_lock = SPINLOCK_INIT;

static const struct command *find_command(uint32_t number)
{
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        if (commands[i].number == number)
            return &commands[i];
    return NULL;
}

static int find_domain(struct domctl *c, unsigned flags)
{
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
    return 0;
}

static long run_locked(const struct command *command, struct domctl *c)
{
    long result;

    if (!(command->flags & NO_DOMAIN)) {
        result = find_domain(c, command->flags);
        if (result)
            return result;
    }
    result = command->handler(c);
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
    long result;

    spin_lock(&domctl_lock);
    result = run_locked(command, c);
    spin_unlock(&domctl_lock);
    if (c->d)
        domain_put(c->d);
    return result;
}

/* Goes on with the same domain, and with no other that gets its id. */
static long restart(const struct domctl *c)
{
    struct hc_args rest = {.a = {c->arg.va ^ HC_GOES_ON, c->serial}};

    return hypercall_restart(c->caller, HC_domctl, &rest);
}

/* domctl(struct xen_domctl *) */
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
    return result == -ERESTART ? restart(&c) : result;
}
