/* SPDX-License-Identifier: MIT */
/* vcpu_op and set_timer_op: what a domain may do with its own vCPUs. */
#include "hypercall_abi/hypercall.h"
#include "hypercall_abi/vcpu.h"

#include "core/arch.h"
#include "core/domain.h"
#include "core/guest_copy.h"
#include "core/heap.h"
#include "core/hypercall.h"
#include "core/log.h"
#include "core/pcpu.h"
#include "core/sub_op.h"
#include "core/vcpu.h"

#define LEAST_PERIOD NSEC_PER_MS
#define LONGEST_PERIOD (3600 * NSEC_PER_SEC)

#define ETIME 62 /* of this ABI alone */

/* Reads the context and has the machine take it over. */
static int take_context(struct vcpu *target, guest_va arg)
{
    struct vcpu_guest_context *context = heap_zalloc(sizeof(*context));
    int error;

    if (!context)
        return -ENOMEM;
    if (copy_in(context, arg, sizeof(*context)))
        error = -EFAULT;
    else
        error = arch_vcpu_set_context(target, context);
    heap_zfree(context, sizeof(*context));
    return error;
}

/* VCPUOP_initialise: registers for a vCPU that has none yet. */
static long vcpuop_initialise(struct vcpu *v, struct vcpu *target,
                              const struct hc_args *args)
{
    int error;

    if (vcpu_info_of(target) == &target->own_info)
        return refuse(-EINVAL, "vCPU %u has no vcpu_info yet", target->id);
    if (__atomic_load_n(&target->initialised, __ATOMIC_ACQUIRE) ||
        __atomic_exchange_n(&target->initialising, true, __ATOMIC_ACQUIRE))
        return -EEXIST;
    error = take_context(target, HC_ARG_VA(args, 2));
    if (!error)
        __atomic_store_n(&target->initialised, true, __ATOMIC_RELEASE);
    else
        __atomic_store_n(&target->initialising, false, __ATOMIC_RELEASE);
    if (error == -ERESTART)
        return hypercall_restart(v, HC_vcpu_op, args);
    return error;
}

/* VCPUOP_get_runstate_info: how a vCPU has spent its time. */
static long vcpuop_get_runstate_info(struct sub_call *c, void *arg)
{
    vcpu_get_runstate(c->v, arg);
    return 0;
}

/* VCPUOP_register_runstate_memory_area: the same, kept in guest memory. */
static long vcpuop_register_runstate_memory_area(struct sub_call *c, void *arg)
{
    const struct vcpu_register_runstate_memory_area_args *op = arg;

    return vcpu_set_runstate_area(c->v, op->addr.va);
}

/* VCPUOP_register_vcpu_time_memory_area: its clock, where all may read it. */
static long vcpuop_register_vcpu_time_memory_area(struct sub_call *c, void *arg)
{
    const struct vcpu_register_time_memory_area_args *op = arg;

    return vcpu_set_time_area(c->v, op->addr.va);
}

/* VCPUOP_set_periodic_timer: VIRQ_TIMER again and again. */
static long vcpuop_set_periodic_timer(struct sub_call *c, void *arg)
{
    const struct vcpu_set_periodic_timer_args *op = arg;

    if (op->period_ns < LEAST_PERIOD || op->period_ns > LONGEST_PERIOD)
        return refuse(-EINVAL, "a tick every %lu ns", op->period_ns);
    vcpu_set_period(c->v, op->period_ns);
    return 0;
}

/* VCPUOP_set_singleshot_timer: VIRQ_TIMER once, soon if the time is past. */
static long vcpuop_set_singleshot_timer(struct sub_call *c, void *arg)
{
    const struct vcpu_set_singleshot_timer_args *op = arg;

    if (c->v != current_vcpu())
        return refuse(-EINVAL, "vCPU %u is not the caller", c->v->id);
    if (op->flags & VCPU_SSHOTTMR_future && op->timeout_abs_ns < arch_now())
        return -ETIME;
    timer_arm(&c->v->singleshot, min_u64(op->timeout_abs_ns, NSEC_NEVER - 1));
    return 0;
}

/* VCPUOP_register_vcpu_info: where the guest wants its vcpu_info. */
static long vcpuop_register_vcpu_info(struct sub_call *c, void *arg)
{
    const struct vcpu_register_vcpu_info_args *op = arg;

    return vcpu_register_info(c->v, MFN(op->mfn), op->offset);
}

#define OP(name, type, flags)                                                  \
    [VCPUOP_##name] = {vcpuop_##name, sizeof(struct type), flags}

static const struct sub_op ops[] = {
    OP(get_runstate_info, vcpu_runstate_info, OP_ANSWERS),
    OP(register_runstate_memory_area, vcpu_register_runstate_memory_area_args,
       0),
    OP(set_periodic_timer, vcpu_set_periodic_timer_args, 0),
    OP(set_singleshot_timer, vcpu_set_singleshot_timer_args, 0),
    OP(register_vcpu_info, vcpu_register_vcpu_info_args, 0),
    OP(register_vcpu_time_memory_area, vcpu_register_time_memory_area_args, 0),
};
static const struct sub_op_table table = {ops, ARRAY_LEN(ops), HC_vcpu_op, 0};

/*
 * vcpu_op(cmd, vCPU, arg). A guest may ask for thousands of vCPUs that do not
 * exist, so that answer comes first and is not explained.
 */
long hc_vcpu_op(struct vcpu *v, const struct hc_args *args)
{
    struct vcpu *target = domain_vcpu(v->domain, args->a[1]);

    if (!target)
        return -ENOENT;
    switch ((uint32_t)args->a[0]) {
    case VCPUOP_initialise:
        return vcpuop_initialise(v, target, args);
    case VCPUOP_up:
        return vcpu_up(target);
    case VCPUOP_down:
        vcpu_down(target);
        return 0;
    case VCPUOP_is_up:
        return vcpu_is_up(target);
    case VCPUOP_stop_periodic_timer:
        vcpu_set_period(target, 0);
        return 0;
    case VCPUOP_stop_singleshot_timer:
        if (target != v)
            return refuse(-EINVAL, "vCPU %u is not the caller", target->id);
        timer_cancel(&v->singleshot);
        return 0;
    case VCPUOP_send_nmi:
        arch_vcpu_nmi(target);
        return 0;
    default:
        return sub_op_run(&table, target, args->a[0], HC_ARG_VA(args, 2));
    }
}

/* set_timer_op(time): VIRQ_TIMER once for the caller, 0 cancels. */
long hc_set_timer_op(struct vcpu *v, const struct hc_args *args)
{
    if (args->a[0])
        timer_arm(&v->singleshot, min_u64(args->a[0], NSEC_NEVER - 1));
    else
        timer_cancel(&v->singleshot);
    return 0;
}
