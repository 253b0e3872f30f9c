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

/* Writes back the arguments of a command, which lie behind the common head. */
static long put_args(guest_va arg, const void *data, size_t size)
{
    guest_va where = guest_va_add(arg, offsetof(struct xen_platform_op, u));

    return copy_out(where, data, size) ? -EFAULT : 0;
}

static long set_time(uint64_t secs, uint32_t nsecs, nsec_t system_time)
{
    if (nsecs >= NSEC_PER_SEC)
        return -EINVAL;
    machine_set_time(secs, nsecs, system_time);
    return 0;
}

static long xenpf_settime64(const struct xenpf_settime64_args *op)
{
    return op->mbz ? -EINVAL : set_time(op->secs, op->nsecs, op->system_time);
}

static long xenpf_firmware_info(guest_va arg,
                                struct xenpf_firmware_info_args *op)
{
    int error = machine_firmware_info(op);

    return error ? error : put_args(arg, op, sizeof(*op));
}

static long xenpf_enter_acpi_sleep(const struct xenpf_enter_acpi_sleep_args *op)
{
    if (op->flags & XENPF_ACPI_SLEEP_EXTENDED)
        return -EOPNOTSUPP;
    if (op->sleep_state != 3 && op->sleep_state != 5)
        return -EINVAL;
    return machine_acpi_sleep(op->sleep_state, op->val_a, op->val_b);
}

static bool find_cpu(uint32_t number, struct machine_cpu *cpu)
{
    if (number >= pcpu_count)
        return false;
    machine_cpu_info((unsigned)index_clamp(number, pcpu_count), cpu);
    return true;
}

static bool cpu_is_online(uint32_t number)
{
    const struct pcpu *cpu = &pcpus[index_clamp(number, pcpu_count)];

    return number < pcpu_count &&
           __atomic_load_n(&cpu->online, __ATOMIC_RELAXED);
}

static long xenpf_get_cpuinfo(guest_va arg, struct xenpf_get_cpuinfo_args *op)
{
    struct machine_cpu cpu;

    op->max_present = pcpu_count - 1;
    op->flags = XEN_PCPU_FLAGS_INVALID;
    op->apic_id = op->acpi_id = UNKNOWN_ID;
    if (find_cpu(op->xen_cpuid, &cpu)) {
        op->flags = cpu_is_online(op->xen_cpuid) ? XEN_PCPU_FLAGS_ONLINE : 0;
        op->apic_id = cpu.apic_id;
        op->acpi_id = cpu.acpi_id;
    }
    return put_args(arg, op, sizeof(*op));
}

static long xenpf_get_cpu_version(guest_va arg,
                                  struct xenpf_get_cpu_version_args *op)
{
    struct machine_cpu cpu = {.vendor = {0}};

    op->max_present = pcpu_count - 1;
    if (cpu_is_online(op->xen_cpuid))
        find_cpu(op->xen_cpuid, &cpu);
    memcpy(op->vendor_id, cpu.vendor, sizeof(op->vendor_id));
    op->family = cpu.family;
    op->model = cpu.model;
    op->stepping = cpu.stepping;
    return put_args(arg, op, sizeof(*op));
}

static long dispatch(struct xen_platform_op *op, guest_va arg)
{
    switch (op->cmd) {
    case XENPF_settime32:
        return set_time(op->u.settime32.secs, op->u.settime32.nsecs,
                        op->u.settime32.system_time);
    case XENPF_settime64:
        return xenpf_settime64(&op->u.settime64);
    case XENPF_firmware_info:
        return xenpf_firmware_info(arg, &op->u.firmware_info);
    case XENPF_enter_acpi_sleep:
        return xenpf_enter_acpi_sleep(&op->u.enter_acpi_sleep);
    case XENPF_get_cpuinfo:
        return xenpf_get_cpuinfo(arg, &op->u.pcpu_info);
    case XENPF_get_cpu_version:
        return xenpf_get_cpu_version(arg, &op->u.pcpu_version);
    default:
        return refuse(-ENOSYS, "platform_op %u is not served", op->cmd);
    }
}

/* platform_op(struct xen_platform_op *); dom0 */
long hc_platform_op(struct vcpu *v, const struct hc_args *args)
{
    guest_va arg = HC_ARG_VA(args, 0);
    struct xen_platform_op op;

    if (!v->domain->is_privileged)
        return -EPERM;
    if (copy_in(&op, arg, sizeof(op)))
        return -EFAULT;
    if (op.interface_version != XENPF_INTERFACE_VERSION)
        return -EACCES;
    return dispatch(&op, arg);
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
