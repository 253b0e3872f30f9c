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

/* The arguments but that of VCPUOP_initialise. */
union vcpu_op_args {
    struct vcpu_runstate_info runstate;
    struct vcpu_register_runstate_memory_area_args area;
    struct vcpu_set_periodic_timer_args periodic;
    struct vcpu_set_singleshot_timer_args singleshot;
    struct vcpu_register_vcpu_info_args info;
};

/* VCPUOP_initialise: registers for a vCPU that has none yet. */
static long vcpuop_initialise(struct vcpu *v, struct vcpu *target,
                              const struct hc_args *args)
{
    struct vcpu_guest_context *context;
    int error = -EFAULT;

    if (vcpu_info_of(target) == &target->own_info)
        return refuse(-EINVAL, "vCPU %u has no vcpu_info yet", target->id);
    if (__atomic_load_n(&target->initialised, __ATOMIC_ACQUIRE) ||
        __atomic_exchange_n(&target->initialising, true, __ATOMIC_ACQUIRE))
        return -EEXIST;
    context = heap_zalloc(sizeof(*context));
    if (!context)
        error = -ENOMEM;
    else if (!copy_in(context, HC_ARG_VA(args, 2), sizeof(*context)))
        error = arch_vcpu_set_context(target, context);
    heap_zfree(context, sizeof(*context));
    if (!error)
        __atomic_store_n(&target->initialised, true, __ATOMIC_RELEASE);
    else
        __atomic_store_n(&target->initialising, false, __ATOMIC_RELEASE);
    if (error == -ERESTART)
        return hypercall_restart(v, HC_vcpu_op, args);
    return error;
}

static long set_singleshot(struct vcpu *v, nsec_t at, uint32_t flags)
{
    if (v != current_vcpu())
        return refuse(-EINVAL, "vCPU %u is not the caller", v->id);
    if (flags & VCPU_SSHOTTMR_future && at < arch_now())
        return -ETIME;
    timer_arm(&v->singleshot, at);
    return 0;
}

static long set_period(struct vcpu *v, nsec_t period)
{
    if (period < LEAST_PERIOD || period > LONGEST_PERIOD)
        return refuse(-EINVAL, "a tick every %lu ns", period);
    vcpu_set_period(v, period);
    return 0;
}

/* How much of an argument is copied in. */
static const uint8_t sizes[] = {
    [VCPUOP_register_runstate_memory_area] = sizeof(guest_va),
    [VCPUOP_set_periodic_timer] = sizeof(struct vcpu_set_periodic_timer_args),
    [VCPUOP_set_singleshot_timer] =
        sizeof(struct vcpu_set_singleshot_timer_args),
    [VCPUOP_register_vcpu_info] = sizeof(struct vcpu_register_vcpu_info_args),
    [VCPUOP_register_vcpu_time_memory_area] = sizeof(guest_va),
};

/*
 * vcpu_op(cmd, vCPU, arg). A guest may ask for thousands of vCPUs that do not
 * exist, so that answer comes first and is not explained.
 */
long hc_vcpu_op(struct vcpu *v, const struct hc_args *args)
{
    struct vcpu *target = domain_vcpu(v->domain, args->a[1]);
    uint32_t cmd = (uint32_t)args->a[0];
    union vcpu_op_args op;

    if (!target)
        return -ENOENT;
    if (cmd >= ARRAY_LEN(sizes))
        return -ENOSYS;
    if (copy_in(&op, HC_ARG_VA(args, 2),
                sizes[index_clamp(cmd, ARRAY_LEN(sizes))]))
        return -EFAULT;
    switch (cmd) {
    case VCPUOP_initialise:
        return vcpuop_initialise(v, target, args);
    case VCPUOP_up:
        return vcpu_up(target);
    case VCPUOP_down:
        vcpu_down(target);
        return 0;
    case VCPUOP_is_up:
        return vcpu_is_up(target);
    case VCPUOP_get_runstate_info:
        vcpu_get_runstate(target, &op.runstate);
        return copy_out(HC_ARG_VA(args, 2), &op, sizeof(op.runstate)) ? -EFAULT
                                                                      : 0;
    case VCPUOP_register_runstate_memory_area:
        return vcpu_set_area(target, AREA_RUNSTATE, op.area.addr.va);
    case VCPUOP_register_vcpu_time_memory_area:
        return vcpu_set_area(target, AREA_TIME, op.area.addr.va);
    case VCPUOP_set_periodic_timer:
        return set_period(target, op.periodic.period_ns);
    case VCPUOP_stop_periodic_timer:
        vcpu_set_period(target, 0);
        return 0;
    case VCPUOP_set_singleshot_timer:
        return set_singleshot(target, op.singleshot.timeout_abs_ns,
                              op.singleshot.flags);
    case VCPUOP_stop_singleshot_timer:
        return set_singleshot(target, NSEC_NEVER, 0);
    case VCPUOP_register_vcpu_info:
        return vcpu_register_info(target, MFN(op.info.mfn), op.info.offset);
    case VCPUOP_send_nmi:
        arch_vcpu_nmi(target);
        return 0;
    default:
        return -ENOSYS;
    }
}

/* set_timer_op(time): VIRQ_TIMER once for the caller, 0 cancels. */
long hc_set_timer_op(struct vcpu *v, const struct hc_args *args)
{
    timer_arm(&v->singleshot, args->a[0] ? args->a[0] : NSEC_NEVER);
    return 0;
}
