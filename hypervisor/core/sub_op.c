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
 * Of the subject's serial the lower half does to tell it from all that may
 * have its id after it. *serial: what it was, unless 0, and then what it is.
 */
static long run_on_subject(struct sub_call *c, uint32_t *serial)
{
    long result =
        domain_get_subject(c->v->domain, *(const domid_t *)c->copy, &c->d);

    if (result)
        return result;
    if (*serial && *serial != (uint32_t)c->d->serial && c->d != c->v->domain)
        result = refuse(-ESRCH, "domain %u was another", c->d->id);
    else
        result = run(c);
    *serial = (uint32_t)c->d->serial;
    domain_put(c->d);
    return result;
}

/*
 * A call on a subject goes on with that domain's serial in the upper half of
 * the command, which means nothing otherwise, and says so in the address.
 */
out_of_line static long restart(const struct sub_op_table *table,
                                const struct sub_call *c, uint32_t serial)
{
    struct hc_args rest = {.a = {c->cmd, c->arg.va}};

    if (serial) {
        rest.a[0] |= (uint64_t)serial << 32;
        rest.a[1] ^= HC_GOES_ON;
    }
    return hypercall_restart(c->v, table->nr, &rest);
}

/* Copies in the argument of a call that goes on. 0; -EFAULT: it is none. */
out_of_line static int fetch_again(struct sub_call *c)
{
    struct hc_args args = {.a = {c->arg.va}};

    if (!hypercall_goes_on(&args))
        return -EFAULT;
    c->arg = HC_ARG_VA(&args, 0);
    return copy_in(c->copy, c->arg, c->op->size) ? -EFAULT : 0;
}

/*
 * Runs command `cmd` of a hypercall for `v`, as the table says. Its result;
 * -ENOSYS for one without a handler, -EPERM, -ESRCH, -EFAULT.
 */
long sub_op_run(const struct sub_op_table *table, struct vcpu *v, uint64_t cmd,
                guest_va arg)
{
    uint32_t number = (uint32_t)cmd;
    const struct sub_op *op = &table->ops[index_clamp(number, table->count)];
    uint32_t serial = 0;
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
    c.cmd = number;
    c.op = op;
    if (copy_in(c.copy, arg, op->size)) {
        if (fetch_again(&c))
            return -EFAULT;
        serial = (uint32_t)(cmd >> 32);
    }
    result = op->flags & OP_SUBJECT ? run_on_subject(&c, &serial) : run(&c);
    return result == -ERESTART ? restart(table, &c, serial) : result;
}
