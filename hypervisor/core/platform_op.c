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

static long xenpf_settime64(const struct xenpf_settime64_args *op)
{
    if (op->mbz || op->nsecs >= NSEC_PER_SEC)
        return -EINVAL;
    machine_set_time(op->secs, op->nsecs, op->system_time);
    return 0;
}

static long xenpf_enter_acpi_sleep(const struct xenpf_enter_acpi_sleep_args *op)
{
    if (op->flags & XENPF_ACPI_SLEEP_EXTENDED)
        return -EOPNOTSUPP;
    if (op->sleep_state != 3 && op->sleep_state != 5)
        return -EINVAL;
    return machine_acpi_sleep(op->sleep_state, op->val_a, op->val_b);
}

static long xenpf_get_cpuinfo(struct xenpf_get_cpuinfo_args *op)
{
    unsigned cpu = (unsigned)index_clamp(op->xen_cpuid, pcpu_count);

    op->max_present = pcpu_count - 1;
    op->flags = XEN_PCPU_FLAGS_INVALID;
    op->apic_id = op->acpi_id = UNKNOWN_ID;
    if (op->xen_cpuid < pcpu_count) {
        op->flags = pcpu_is_online(cpu) ? XEN_PCPU_FLAGS_ONLINE : 0;
        machine_cpu_ids(cpu, &op->apic_id, &op->acpi_id);
    }
    return 0;
}

static long dispatch(struct xen_platform_op *op)
{
    switch (op->cmd) {
    case XENPF_settime64:
        return xenpf_settime64(&op->u.settime64);
    case XENPF_firmware_info:
        return machine_firmware_info(&op->u.firmware_info);
    case XENPF_enter_acpi_sleep:
        return xenpf_enter_acpi_sleep(&op->u.enter_acpi_sleep);
    case XENPF_get_cpuinfo:
        return xenpf_get_cpuinfo(&op->u.pcpu_info);
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
