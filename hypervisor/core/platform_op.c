/* SPDX-License-Identifier: MIT */
/* platform_op: what the first domain does to the machine. */
#include "core/domain.h"
#include "core/guest_copy.h"
#include "core/hypercall.h"
#include "core/log.h"
#include "core/machine.h"
#include "core/pcpu.h"
#include "core/vcpu.h"

#define UNKNOWN_ID (~0u)

static void xenpf_get_cpuinfo(struct xenpf_get_cpuinfo_args *op)
{
    unsigned cpu = (unsigned)index_clamp(op->xen_cpuid, pcpu_count);

    op->max_present = pcpu_count - 1;
    op->flags = XEN_PCPU_FLAGS_INVALID;
    op->apic_id = op->acpi_id = UNKNOWN_ID;
    if (op->xen_cpuid < pcpu_count) {
        op->flags = pcpu_is_online(cpu) ? XEN_PCPU_FLAGS_ONLINE : 0;
        machine_cpu_ids(cpu, &op->apic_id, &op->acpi_id);
    }
}

static long dispatch(struct xen_platform_op *op)
{
    const struct xenpf_settime64_args *time = &op->u.settime64;
    const struct xenpf_enter_acpi_sleep_args *sleep = &op->u.enter_acpi_sleep;

    switch (op->cmd) {
    case XENPF_settime64:
        if (time->mbz || time->nsecs >= NSEC_PER_SEC)
            return -EINVAL;
        machine_set_time(time->secs, time->nsecs, time->system_time);
        return 0;
    case XENPF_firmware_info:
        return machine_firmware_info(&op->u.firmware_info);
    case XENPF_enter_acpi_sleep:
        if (sleep->flags & XENPF_ACPI_SLEEP_EXTENDED)
            return -EOPNOTSUPP;
        return machine_acpi_sleep(sleep->sleep_state, sleep->val_a,
                                  sleep->val_b);
    case XENPF_get_cpuinfo:
        xenpf_get_cpuinfo(&op->u.pcpu_info);
        return 0;
    default:
        return refuse(-ENOSYS, "platform_op %u is not served", op->cmd);
    }
}

/* platform_op(struct xen_platform_op *); dom0 */
long hc_platform_op(struct vcpu *v, const struct hc_args *args)
{
    guest_va arg = HC_ARG_VA(args, 0);
    struct xen_platform_op op;
    long result;

    if (!v->domain->is_privileged)
        return -EPERM;
    if (copy_in(&op, arg, sizeof(op)))
        return -EFAULT;
    if (op.interface_version != XENPF_INTERFACE_VERSION)
        return -EACCES;
    result = dispatch(&op);
    if (!result && copy_out(arg, &op, sizeof(op)))
        return -EFAULT;
    return result;
}
