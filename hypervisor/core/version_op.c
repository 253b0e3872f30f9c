/* SPDX-License-Identifier: MIT */
/*
 * What the hypervisor is (xen_version), and behaviours that a guest switches
 * for itself (vm_assist). XENVER_version is also what guests call to have a
 * pending event delivered, so its way is the shortest there is.
 */
#include "core/domain.h"
#include "core/guest_copy.h"
#include "core/hypercall.h"
#include "core/log.h"
#include "core/machine.h"
#include "core/vcpu.h"
#include "hypercall_abi/mmu.h"
#include "hypercall_abi/version.h"
#include "hypercall_abi/vm_assist.h"

#define VERSION (4 << 16 | 17)
#define FEATURE(name) (1u << XENFEAT_##name)

/* What every 64-bit guest of Mica may count on. */
#define FEATURES                                                               \
    (FEATURE(pae_pgdir_above_4gb) | FEATURE(mmu_pt_update_preserve_ad) |       \
     FEATURE(highmem_assist) | FEATURE(gnttab_map_avail_bits) |                \
     FEATURE(not_direct_mapped))

#define ASSIST(name) (1ull << VMASST_TYPE_##name)
#define ASSISTS                                                                \
    (ASSIST(4gb_segments) | ASSIST(4gb_segments_notify) |                      \
     ASSIST(writable_pagetables) | ASSIST(pae_extended_cr3) |                  \
     ASSIST(architectural_iopl) | ASSIST(runstate_update_flag))

/* Who and when is left out: the same source gives the same bits. */
static const struct xenver_compile_info_args compile_info = {
    .compiler = __VERSION__,
    .compile_by = "mica",
};

static const struct xenver_platform_parameters_args platform_parameters = {
    .virt_start = HYPERVISOR_VIRT_START,
};

static long put(guest_va arg, const void *data, size_t size)
{
    return copy_out(arg, data, size) ? -EFAULT : 0;
}

/* A text in a field of `size` bytes, the rest of which becomes zero. */
static long put_text(guest_va arg, const char *text, size_t size)
{
    size_t length = strnlen(text, size - 1);

    if (copy_out(arg, text, length) ||
        clear_out(guest_va_add(arg, length), size - length))
        return -EFAULT;
    return 0;
}

static long xenver_get_features(const struct domain *d, guest_va arg)
{
    struct xenver_get_features_args op;

    if (copy_in(&op, arg, sizeof(op)))
        return -EFAULT;
    if (op.submap_idx >= XENFEAT_NR_SUBMAPS)
        return -EINVAL;
    op.submap = FEATURES | (d->is_privileged ? FEATURE(dom0) : 0);
    return put(arg, &op, sizeof(op));
}

/* The head says how much room there is behind it; no argument: how much. */
static long xenver_build_id(const struct domain *d, guest_va arg)
{
    struct xenver_build_id_args op;
    size_t size;
    const void *id = machine_build_id(&size);

    if (!d->is_privileged)
        return -EPERM;
    if (!size)
        return -ENODATA;
    if (!arg.va)
        return (long)size;
    if (copy_in(&op, arg, sizeof(op)))
        return -EFAULT;
    if (op.len < size)
        return op.len ? -ENOBUFS : -EINVAL;
    return copy_out(guest_va_add(arg, sizeof(op)), id, size) ? -EFAULT
                                                             : (long)size;
}

/* xen_version(cmd, arg) */
long hc_xen_version(struct vcpu *v, const struct hc_args *args)
{
    const struct domain *d = v->domain;
    guest_va arg = HC_ARG_VA(args, 1);

    switch ((uint32_t)args->a[0]) {
    case XENVER_version:
        return VERSION;
    case XENVER_extraversion:
        return put_text(arg, "-mica", XENVER_EXTRAVERSION_LEN);
    case XENVER_compile_info:
        return put(arg, &compile_info, sizeof(compile_info));
    case XENVER_capabilities:
        return put_text(arg, "xen-3.0-x86_64 ", XENVER_CAPABILITIES_LEN);
    case XENVER_changeset:
        return put_text(arg, "unavailable", XENVER_CHANGESET_LEN);
    case XENVER_platform_parameters:
        return put(arg, &platform_parameters, sizeof(platform_parameters));
    case XENVER_get_features:
        return xenver_get_features(d, arg);
    case XENVER_pagesize:
        return PAGE_SIZE;
    case XENVER_guest_handle:
        return put(arg, d->uuid, sizeof(d->uuid));
    case XENVER_commandline:
        if (!d->is_privileged)
            return -EPERM;
        return put_text(arg, machine_command_line, XENVER_COMMANDLINE_LEN);
    case XENVER_build_id:
        return xenver_build_id(d, arg);
    default:
        return -ENOSYS;
    }
}

/* Of the behaviours of vm_assist those in `wanted` are on from now on. */
void domain_set_assists(struct domain *d, uint64_t wanted)
{
    __atomic_store_n(&d->vm_assist, wanted & ASSISTS, __ATOMIC_RELAXED);
}

/* vm_assist(cmd, type) */
long hc_vm_assist(struct vcpu *v, const struct hc_args *args)
{
    uint64_t type = args->a[1];
    uint64_t *assists = &v->domain->vm_assist;

    if (type >= 64 || !(ASSISTS >> type & 1))
        return refuse(-EINVAL, "vm_assist type %lu is not served", type);
    if ((uint32_t)args->a[0] == VMASST_CMD_enable)
        atomic_bit_set(assists, type);
    else if ((uint32_t)args->a[0] == VMASST_CMD_disable)
        atomic_bit_clear(assists, type);
    else
        return -ENOSYS;
    return 0;
}
