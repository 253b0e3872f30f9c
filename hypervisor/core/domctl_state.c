/* SPDX-License-Identifier: MIT */
/*
 * domctl: what of a vCPU its context has no room for (domctl.h): where 32-bit
 * applications enter the kernel, and the registers that XSAVE keeps.
 */
#include "core/domctl.h"

#include "core/arch.h"
#include "core/domain.h"
#include "core/guest_copy.h"
#include "core/heap.h"
#include "core/log.h"
#include "core/vcpu.h"

/* A buffer begins with XCR0 and with what it has been; then comes the area. */
struct xstate_head {
    uint64_t xcr0, accumulated;
};

static struct vcpu *find_vcpu(const struct domctl *c, uint32_t id)
{
    struct vcpu *v = domain_vcpu(c->d, id);

    if (!v)
        log_debug("d%u has no vCPU %u", c->d->id, id);
    return v;
}

/* --- entry points -------------------------------------------------------- */

/* XEN_DOMCTL_get_ext_vcpucontext: -EINVAL, -ENODATA. */
long domctl_get_ext_vcpucontext(struct domctl *c)
{
    struct xen_domctl_ext_vcpucontext *op = &c->op.u.ext_vcpucontext;
    uint32_t id = op->vcpu;
    const struct vcpu *v = find_vcpu(c, id);

    if (!v)
        return -EINVAL;
    if (!__atomic_load_n(&v->initialised, __ATOMIC_ACQUIRE))
        return -ENODATA;
    *op = (struct xen_domctl_ext_vcpucontext){.vcpu = id, .size = sizeof(*op)};
    domain_pause(c->d);
    arch_vcpu_get_entries(v, op);
    domain_unpause(c->d);
    return 0;
}

/* XEN_DOMCTL_set_ext_vcpucontext: -EINVAL. */
long domctl_set_ext_vcpucontext(struct domctl *c)
{
    const struct xen_domctl_ext_vcpucontext *op = &c->op.u.ext_vcpucontext;
    struct vcpu *v = find_vcpu(c, op->vcpu);

    if (!v || op->size < offsetof(struct xen_domctl_ext_vcpucontext, mce))
        return -EINVAL;
    if (!va_is_canonical(op->syscall32_callback_eip) ||
        !va_is_canonical(op->sysenter_callback_eip))
        return refuse(-EINVAL, "context: an address is not canonical");
    domain_pause(c->d);
    arch_vcpu_set_entries(v, op);
    domain_unpause(c->d);
    return 0;
}

/* --- XSAVE --------------------------------------------------------------- */

static uint64_t xstate_size(void)
{
    return sizeof(struct xstate_head) + arch_xstate_size();
}

static int put_xstate(const struct vcpu *v, guest_va to)
{
    size_t size = arch_xstate_size();
    struct xstate_head head = {.accumulated = arch_xstate_features()};
    void *area = heap_zalloc(size);
    int error = 0;

    if (!area)
        return -ENOMEM;
    domain_pause(v->domain);
    arch_vcpu_get_xstate(v, &head.xcr0, area);
    domain_unpause(v->domain);
    if (copy_out(to, &head, sizeof(head)) ||
        copy_out(guest_va_add(to, sizeof(head)), area, size))
        error = -EFAULT;
    heap_zfree(area, size);
    return error;
}

/* XEN_DOMCTL_getvcpuextstate: -EINVAL, -ENOMEM, -EFAULT. */
long domctl_getvcpuextstate(struct domctl *c)
{
    struct xen_domctl_vcpuextstate *op = &c->op.u.vcpuextstate;
    const struct vcpu *v = find_vcpu(c, op->vcpu);
    uint64_t features = arch_xstate_features();

    if (!v)
        return -EINVAL;
    if (!op->size && !op->xfeature_mask) {
        op->xfeature_mask = features;
        op->size = features ? xstate_size() : 0;
        return 0;
    }
    if (!features || op->xfeature_mask != features || op->size != xstate_size())
        return refuse(-EINVAL, "%llu bytes for extended registers",
                      (unsigned long long)op->size);
    return put_xstate(v, op->buffer);
}

static int take_xstate(struct vcpu *v, uint64_t xcr0, guest_va from,
                       size_t size)
{
    void *area = heap_zalloc(size);
    int error;

    if (!area)
        return -ENOMEM;
    if (copy_in(area, from, size)) {
        error = -EFAULT;
    } else {
        domain_pause(v->domain);
        error = arch_vcpu_set_xstate(v, xcr0, area, size);
        domain_unpause(v->domain);
    }
    heap_zfree(area, size);
    return error;
}

/* XEN_DOMCTL_setvcpuextstate: -EINVAL, -ENOMEM, -EFAULT. */
long domctl_setvcpuextstate(struct domctl *c)
{
    const struct xen_domctl_vcpuextstate *op = &c->op.u.vcpuextstate;
    struct vcpu *v = find_vcpu(c, op->vcpu);
    struct xstate_head head;

    if (!v || !arch_xstate_features() || op->size <= sizeof(head) ||
        op->size > xstate_size())
        return refuse(-EINVAL, "%llu bytes of extended registers",
                      (unsigned long long)op->size);
    if (copy_in(&head, op->buffer, sizeof(head)))
        return -EFAULT;
    return take_xstate(v, head.xcr0, guest_va_add(op->buffer, sizeof(head)),
                       op->size - sizeof(head));
}
