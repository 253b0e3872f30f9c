/* SPDX-License-Identifier: MIT */
/*
 * platform_op: what the first domain does to the machine. Also the calls for
 * machine-check records and performance counters, of which Mica has none.
 */
#include "core/domain.h"
#include "core/guest_copy.h"
#include "core/hypercall.h"
#include "core/log.h"
#include "core/machine.h"
#include "core/pcpu.h"
#include "core/vcpu.h"
#include "hypercall_abi/mca.h"
#include "hypercall_abi/platform.h"

#define UNKNOWN_ID (~0u)

static long xenpf_settime64(const struct xenpf_settime64_args *op)
{
    if (op->mbz || op->nsecs >= NSEC_PER_SEC)
        return -EINVAL;
    machine_set_time(op->secs, op->nsecs, op->system_time);
    return 0;
}

static long xenpf_settime32(const struct xenpf_settime32_args *op)
{
    struct xenpf_settime64_args wide = {
        .secs = op->secs,
        .nsecs = op->nsecs,
        .system_time = op->system_time,
    };

    return xenpf_settime64(&wide);
}

static long xenpf_enter_acpi_sleep(const struct xenpf_enter_acpi_sleep_args *op)
{
    if (op->flags & XENPF_ACPI_SLEEP_EXTENDED)
        return -EOPNOTSUPP;
    if (op->sleep_state != 3 && op->sleep_state != 5)
        return -EINVAL;
    return machine_acpi_sleep(op->sleep_state, op->val_a, op->val_b);
}

/* What there is to say of pCPU `number`; false for one that is none. */
static bool find_cpu(uint32_t number, struct machine_cpu *cpu, bool *is_online)
{
    unsigned index = (unsigned)index_clamp(number, pcpu_count);

    if (number >= pcpu_count)
        return false;
    machine_cpu_info(index, cpu);
    *is_online = pcpu_is_online(index);
    return true;
}

static long xenpf_get_cpuinfo(struct xenpf_get_cpuinfo_args *op)
{
    struct machine_cpu cpu;
    bool is_online;

    op->max_present = pcpu_count - 1;
    op->flags = XEN_PCPU_FLAGS_INVALID;
    op->apic_id = op->acpi_id = UNKNOWN_ID;
    if (find_cpu(op->xen_cpuid, &cpu, &is_online)) {
        op->flags = is_online ? XEN_PCPU_FLAGS_ONLINE : 0;
        op->apic_id = cpu.apic_id;
        op->acpi_id = cpu.acpi_id;
    }
    return 0;
}

static long xenpf_get_cpu_version(struct xenpf_get_cpu_version_args *op)
{
    struct machine_cpu cpu;
    bool is_online;

    if (!find_cpu(op->xen_cpuid, &cpu, &is_online) || !is_online)
        cpu = (struct machine_cpu){.vendor = {0}};
    op->max_present = pcpu_count - 1;
    memcpy(op->vendor_id, cpu.vendor, sizeof(op->vendor_id));
    op->family = cpu.family;
    op->model = cpu.model;
    op->stepping = cpu.stepping;
    return 0;
}

static long dispatch(struct xen_platform_op *op)
{
    switch (op->cmd) {
    case XENPF_settime32:
        return xenpf_settime32(&op->u.settime32);
    case XENPF_settime64:
        return xenpf_settime64(&op->u.settime64);
    case XENPF_firmware_info:
        return machine_firmware_info(&op->u.firmware_info);
    case XENPF_enter_acpi_sleep:
        return xenpf_enter_acpi_sleep(&op->u.enter_acpi_sleep);
    case XENPF_get_cpuinfo:
        return xenpf_get_cpuinfo(&op->u.pcpu_info);
    case XENPF_get_cpu_version:
        return xenpf_get_cpu_version(&op->u.pcpu_version);
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

/* mca(struct xen_mc *): no machine-check records are kept. */
long hc_mca(struct vcpu *v, const struct hc_args *args)
{
    (void)args;
    return v->domain->is_privileged ? -ENOSYS : -EPERM;
}

/* xenpmu_op(cmd, struct xenpmu_params *): guests get no counters. */
long hc_xenpmu_op(struct vcpu *v, const struct hc_args *args)
{
    (void)v;
    (void)args;
    return -EOPNOTSUPP;
}
