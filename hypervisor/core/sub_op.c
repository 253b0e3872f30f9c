/* SPDX-License-Identifier: MIT */
/* What all sub-operations of hypercalls have in common (sub_op.h). */
#include "core/sub_op.h"

#include "core/arch.h"
#include "core/domain.h"
#include "core/guest_copy.h"
#include "core/hypercall.h"
#include "core/log.h"
#include "core/vcpu.h"

/*
 * Copies the argument out as it is now, for a handler that must know whether
 * the guest got its answer before it goes on. 0 or -EFAULT.
 */
int sub_op_answer(const struct sub_call *c)
{
    return copy_out(c->arg, c->copy, c->op->size) ? -EFAULT : 0;
}

static long run(struct sub_call *c)
{
    long result = c->op->handler(c, c->copy);

    if (!result && c->op->flags & OP_ANSWERS)
        result = sub_op_answer(c);
    return result;
}

/*
 * A call on another domain goes on with the lower half of that one's serial,
 * which does to tell it from all that may have its id after it, in the upper
 * half of the command. A caller leaves that at 0, for it means nothing.
 */
static long run_on_subject(struct sub_call *c, uint32_t serial)
{
    const void *id = (const char *)c->copy + (c->op->flags >> 8);
    long result = domain_get_subject(c->v->domain, *(const domid_t *)id, &c->d);

    if (result)
        return result;
    if (serial && serial != (uint32_t)c->d->serial && c->d != c->v->domain)
        result = refuse(-ESRCH, "domain %u was another", c->d->id);
    else
        result = run(c);
    c->cmd |= c->d->serial << 32;
    domain_put(c->d);
    return result;
}

out_of_line static long restart(const struct sub_call *c, unsigned nr)
{
    return hypercall_restart(c->v, nr,
                             &(struct hc_args){.a = {c->cmd, c->arg.va}});
}

/*
 * Runs command `cmd` of a hypercall for `v`, as the table says. Its result;
 * -ENOSYS for one without a handler, -EPERM, -ESRCH, -EFAULT.
 */
long sub_op_run(const struct sub_op_table *table, struct vcpu *v, uint64_t cmd,
                guest_va arg)
{
    uint32_t number = (uint32_t)cmd & ~table->progress;
    const struct sub_op *op = &table->ops[index_clamp(number, table->count)];
    struct sub_call c;
    long result;

    if (number >= table->count || !op->handler)
        return -ENOSYS;
    if (op->flags & OP_DOM0 && !v->domain->is_privileged)
        return refuse(-EPERM, "operation %u is dom0's", number);
    ASSERT(op->size <= sizeof(c.copy));
    c.v = v;
    c.d = v->domain;
    c.arg = arg;
    c.cmd = (uint32_t)cmd;
    c.op = op;
    if (copy_in(c.copy, arg, op->size))
        return -EFAULT;
    result = op->flags & OP_SUBJECT ? run_on_subject(&c, (uint32_t)(cmd >> 32))
                                    : run(&c);
    return result == -ERESTART ? restart(&c, table->nr) : result;
}
