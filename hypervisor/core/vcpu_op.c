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
static long vcpuop_get_runstate_info(struct vcpu *target, guest_va arg)
{
    struct vcpu_runstate_info info;

    vcpu_get_runstate(target, &info);
    return copy_out(arg, &info, sizeof(info)) ? -EFAULT : 0;
}

/* VCPUOP_register_runstate_memory_area: the same, kept in guest memory. */
static long vcpuop_register_runstate_memory_area(struct vcpu *target,
                                                 guest_va arg)
{
    struct vcpu_register_runstate_memory_area_args op;

    if (copy_in(&op, arg, sizeof(op)))
        return -EFAULT;
    return vcpu_set_runstate_area(target, op.addr.va);
}

/* VCPUOP_set_periodic_timer: VIRQ_TIMER again and again. */
static long vcpuop_set_periodic_timer(struct vcpu *target, guest_va arg)
{
    struct vcpu_set_periodic_timer_args op;

    if (copy_in(&op, arg, sizeof(op)))
        return -EFAULT;
    if (op.period_ns < LEAST_PERIOD || op.period_ns > LONGEST_PERIOD)
        return refuse(-EINVAL, "a tick every %llu ns",
                      (unsigned long long)op.period_ns);
    vcpu_set_period(target, op.period_ns);
    return 0;
}

static long vcpuop_stop_periodic_timer(struct vcpu *target)
{
    vcpu_set_period(target, 0);
    return 0;
}

/* VCPUOP_set_singleshot_timer: VIRQ_TIMER once, soon if the time is past. */
static long vcpuop_set_singleshot_timer(struct vcpu *v, struct vcpu *target,
                                        guest_va arg)
{
    struct vcpu_set_singleshot_timer_args op;

    if (target != v)
        return refuse(-EINVAL, "vCPU %u is not the caller", target->id);
    if (copy_in(&op, arg, sizeof(op)))
        return -EFAULT;
    if (op.flags & VCPU_SSHOTTMR_future && op.timeout_abs_ns < arch_now())
        return -ETIME;
    timer_arm(&v->singleshot, min_u64(op.timeout_abs_ns, NSEC_NEVER - 1));
    return 0;
}

static long vcpuop_stop_singleshot_timer(struct vcpu *v, struct vcpu *target)
{
    if (target != v)
        return refuse(-EINVAL, "vCPU %u is not the caller", target->id);
    timer_cancel(&v->singleshot);
    return 0;
}

/* VCPUOP_register_vcpu_info: where the guest wants its vcpu_info. */
static long vcpuop_register_vcpu_info(struct vcpu *target, guest_va arg)
{
    struct vcpu_register_vcpu_info_args op;

    if (copy_in(&op, arg, sizeof(op)))
        return -EFAULT;
    return vcpu_register_info(target, MFN(op.mfn), op.offset);
}

static long vcpuop_down(struct vcpu *target)
{
    vcpu_down(target);
    return 0;
}

static long vcpuop_send_nmi(struct vcpu *target)
{
    arch_vcpu_nmi(target);
    return 0;
}

/*
 * vcpu_op(cmd, vCPU, arg). A guest may ask for thousands of vCPUs that do not
 * exist, so that answer comes first and is not explained.
 */
long hc_vcpu_op(struct vcpu *v, const struct hc_args *args)
{
    struct vcpu *target = domain_vcpu(v->domain, args->a[1]);
    guest_va arg = HC_ARG_VA(args, 2);

    if (!target)
        return -ENOENT;
    switch (args->a[0]) {
    case VCPUOP_initialise:
        return vcpuop_initialise(v, target, args);
    case VCPUOP_up:
        return vcpu_up(target);
    case VCPUOP_down:
        return vcpuop_down(target);
    case VCPUOP_is_up:
        return vcpu_is_up(target);
    case VCPUOP_get_runstate_info:
        return vcpuop_get_runstate_info(target, arg);
    case VCPUOP_register_runstate_memory_area:
        return vcpuop_register_runstate_memory_area(target, arg);
    case VCPUOP_set_periodic_timer:
        return vcpuop_set_periodic_timer(target, arg);
    case VCPUOP_stop_periodic_timer:
        return vcpuop_stop_periodic_timer(target);
    case VCPUOP_set_singleshot_timer:
        return vcpuop_set_singleshot_timer(v, target, arg);
    case VCPUOP_stop_singleshot_timer:
        return vcpuop_stop_singleshot_timer(v, target);
    case VCPUOP_register_vcpu_info:
        return vcpuop_register_vcpu_info(target, arg);
    case VCPUOP_send_nmi:
        return vcpuop_send_nmi(target);
    case VCPUOP_get_physid:
        return refuse(-EINVAL, "vCPU %u is tied to no processor", target->id);
    default:
        return -ENOSYS;
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
