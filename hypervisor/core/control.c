/* SPDX-License-Identifier: MIT */
/* What all commands of domctl and sysctl have in common (control.h). */
#include "core/control.h"

#include "core/domain.h"
#include "core/guest_copy.h"
#include "core/log.h"
#include "core/vcpu.h"

_Static_assert(XEN_DOMCTL_INTERFACE_VERSION == XEN_SYSCTL_INTERFACE_VERSION,
               "one version for both");

/*
 * With the lock held: while a command waited for its turn, the domain it means
 * may have ended and another taken its id.
 */
static int find_subject(struct control *c, unsigned flags)
{
    if (flags & NO_DOMAIN)
        return 0;
    c->d = domain_find_get(c->op.domain);
    if (!c->d || (c->kept[0] && c->kept[0] != c->d->serial))
        return refuse(-ESRCH, "no domain %u, or another", c->op.domain);
    c->kept[0] = c->d->serial;
    if (flags & OTHERS && c->d == c->caller->domain)
        return refuse(-EINVAL, "domctl %u on the caller itself", c->op.cmd);
    if (flags & LIVING && domain_is_dying(c->d))
        return refuse(-EINVAL, "domain %u is dying", c->d->id);
    c->v = domain_vcpu(c->d, c->op.u.vcpucontext.vcpu);
    if (flags & VCPU && !c->v)
        return refuse(-ESRCH, "d%u has no such vCPU", c->d->id);
    return 0;
}

static long run_on_domain(const struct command *command, struct control *c)
{
    static struct spinlock domctl_lock;
    long result;

    spin_lock(&domctl_lock);
    result = find_subject(c, command->flags);
    if (!result) {
        if (command->flags & PAUSED)
            domain_pause(c->d);
        result = command->handler(c);
        if (command->flags & PAUSED)
            domain_unpause(c->d);
    }
    spin_unlock(&domctl_lock);
    if (c->d)
        domain_put(c->d);
    return result;
}

/*
 * The command of hypercall `nr`, domctl or sysctl, that `args` point to, which
 * is one of a table. Its result; -EPERM for all but dom0, -EACCES for another
 * version of the interface, -ENOSYS, -EFAULT; and what the command's flags say.
 */
long control_run(struct vcpu *v, const struct hc_args *args, unsigned nr,
                 const struct command *commands, size_t count)
{
    size_t size =
        nr == HC_domctl ? sizeof(struct xen_domctl) : sizeof(struct xen_sysctl);
    const struct command *command = commands;
    struct control c = {.caller = v};
    struct hc_args own = *args;
    long result;

    if (!v->domain->is_privileged)
        return -EPERM;
    if (hypercall_goes_on(&own))
        memcpy(c.kept, &own.a[1], sizeof(c.kept));
    c.arg = HC_ARG_VA(&own, 0);
    if (copy_in(&c.op, c.arg, size))
        return -EFAULT;
    if (c.op.interface_version != XEN_DOMCTL_INTERFACE_VERSION)
        return refuse(-EACCES, "interface version %#x", c.op.interface_version);
    while (command < commands + count && command->number != c.op.cmd)
        command++;
    if (command == commands + count)
        return refuse(-ENOSYS, "command %u is not served", c.op.cmd);
    result = command->flags & MACHINE ? command->handler(&c)
                                      : run_on_domain(command, &c);
    if (result == -ERESTART) {
        own = (struct hc_args){
            .a = {c.arg.va ^ HC_GOES_ON, c.kept[0], c.kept[1]}};
        return hypercall_restart(v, nr, &own);
    }
    if (command->flags & ANSWERS && (!result || result == -ENOBUFS) &&
        copy_out(c.arg, &c.op, size))
        return -EFAULT;
    return result;
}
