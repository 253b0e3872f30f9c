/* SPDX-License-Identifier: MIT */
/* The domain controls (control_domain.h). */
#include "dom0_tools/lib/control_domain.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "dom0_tools/lib/control_impl.h"
#include "hypercall_abi/domctl.h"
#include "hypercall_abi/sched.h"
#include "hypercall_abi/sysctl.h"

#define DEFAULT_PORTS 1023u
#define GRANT_VERSION 1u
#define LIST_CHUNK 128u
#define DESTROY_PAUSE_NS 1000000

/* A new request about a domain, in scratch memory. */
static struct xen_domctl *begin(struct control *c, uint32_t cmd, domid_t domain)
{
    struct xen_domctl *op;

    control_scratch_reset(c);
    op = control_scratch(c, sizeof(*op));
    op->cmd = cmd;
    op->interface_version = XEN_DOMCTL_INTERFACE_VERSION;
    op->domain = domain;
    return op;
}

/* 0, or -Exxx. */
static int run(struct control *c, struct xen_domctl *op)
{
    long result = CONTROL_CALL(c, domctl, (uintptr_t)op);

    return result < 0 ? (int)result : 0;
}

/* Runs the request, and says what failed if it does. */
static int finish(struct control *c, struct xen_domctl *op, const char *what,
                  struct error *e)
{
    int error = run(c, op);

    return error ? error_set_errno(e, -error, "can't %s domain %u", what,
                                   op->domain)
                 : 0;
}

/* --- life ---------------------------------------------------------------- */

static int32_t or_default(unsigned wanted)
{
    return wanted ? (int32_t)wanted : -1;
}

/* See control_domain.h. */
int control_domain_create(struct control *c,
                          const struct control_domain_options *options,
                          domid_t *domain, struct error *e)
{
    struct xen_domctl *op = begin(c, XEN_DOMCTL_createdomain, options->domain);
    struct xen_domctl_createdomain *create = &op->u.createdomain;
    int error;

    memcpy(create->handle, options->handle, sizeof(create->handle));
    create->max_vcpus = options->max_vcpus;
    create->max_evtchn_port =
        options->max_ports ? options->max_ports : DEFAULT_PORTS;
    create->max_grant_frames = or_default(options->max_grant_frames);
    create->max_maptrack_frames = or_default(options->max_maptrack_frames);
    create->grant_opts = GRANT_VERSION;
    error = run(c, op);
    if (error)
        return error_set_errno(e, -error, "can't create a domain");
    *domain = op->domain;
    return 0;
}

/* See control_domain.h. */
int control_domain_destroy(struct control *c, domid_t domain, struct error *e)
{
    const struct timespec pause = {.tv_nsec = DESTROY_PAUSE_NS};
    int error;

    for (;;) {
        error = run(c, begin(c, XEN_DOMCTL_destroydomain, domain));
        if (error != -EAGAIN && error != -ERESTART)
            break;
        if (error == -EAGAIN)
            nanosleep(&pause, NULL);
    }
    return error && error != -ESRCH
               ? error_set_errno(e, -error, "can't destroy domain %u", domain)
               : 0;
}

/* See control_domain.h. */
int control_domain_pause(struct control *c, domid_t domain, struct error *e)
{
    return finish(c, begin(c, XEN_DOMCTL_pausedomain, domain), "pause", e);
}

/* See control_domain.h. */
int control_domain_unpause(struct control *c, domid_t domain, struct error *e)
{
    return finish(c, begin(c, XEN_DOMCTL_unpausedomain, domain), "unpause", e);
}

/* See control_domain.h. */
int control_domain_shutdown(struct control *c, domid_t domain, unsigned code,
                            struct error *e)
{
    struct sched_remote_shutdown_args *op;
    long result;

    control_scratch_reset(c);
    op = control_scratch(c, sizeof(*op));
    op->domain_id = domain;
    op->reason = code;
    result = CONTROL_CALL(c, sched_op, SCHEDOP_remote_shutdown, (uintptr_t)op);
    return result < 0 ? error_set_errno(e, (int)-result,
                                        "can't shut down domain %u", domain)
                      : 0;
}

/* --- looking ------------------------------------------------------------- */

static void take_info(struct control_domain *out,
                      const struct xen_domctl_getdomaininfo *in)
{
    static const struct {
        uint32_t theirs;
        unsigned ours;
    } flags[] = {
        {XEN_DOMINF_dying, CONTROL_DOMAIN_DYING},
        {XEN_DOMINF_shutdown, CONTROL_DOMAIN_SHUTDOWN},
        {XEN_DOMINF_paused, CONTROL_DOMAIN_PAUSED},
        {XEN_DOMINF_blocked, CONTROL_DOMAIN_BLOCKED},
        {XEN_DOMINF_running, CONTROL_DOMAIN_RUNNING},
        {XEN_DOMINF_debugged, CONTROL_DOMAIN_DEBUGGED},
    };

    *out = (struct control_domain){
        .domain = in->domain,
        .shutdown_code =
            in->flags >> XEN_DOMINF_shutdownshift & XEN_DOMINF_shutdownmask,
        .pages = in->tot_pages,
        .max_pages = in->max_pages,
        .shared_info_frame = in->shared_info_frame,
        .cpu_time = in->cpu_time,
        .online_vcpus = in->nr_online_vcpus,
        .max_vcpus = in->max_vcpu_id + 1, /* none is ~0 */
        .cpupool = in->cpupool,
    };
    memcpy(out->handle, in->handle, sizeof(out->handle));
    for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
        if (in->flags & flags[i].theirs)
            out->flags |= flags[i].ours;
}

/* See control_domain.h. */
int control_domain_info(struct control *c, domid_t domain,
                        struct control_domain *info, struct error *e)
{
    struct xen_domctl *op = begin(c, XEN_DOMCTL_getdomaininfo, domain);
    int error = run(c, op);

    /* Asked about an id that is free, it may answer for the next one. */
    if (!error && op->u.getdomaininfo.domain != domain)
        error = -ESRCH;
    if (error)
        return error_set_errno(e, -error, "can't look at domain %u", domain);
    take_info(info, &op->u.getdomaininfo);
    return 0;
}

/* Up to LIST_CHUNK domains from `first` on: the number, or -Exxx. */
static int list_some(struct control *c, domid_t first, unsigned room,
                     struct control_domain *list)
{
    struct xen_domctl_getdomaininfo *found;
    struct xen_sysctl *op;
    long error;

    control_scratch_reset(c);
    op = control_scratch(c, sizeof(*op));
    found = control_scratch(c, room * sizeof(*found));
    op->cmd = XEN_SYSCTL_getdomaininfolist;
    op->interface_version = XEN_SYSCTL_INTERFACE_VERSION;
    op->u.getdomaininfolist.first_domain = first;
    op->u.getdomaininfolist.max_domains = room;
    op->u.getdomaininfolist.buffer = control_va(found);
    error = CONTROL_CALL(c, sysctl, (uintptr_t)op);
    if (error < 0)
        return (int)error;
    for (unsigned i = 0; i < op->u.getdomaininfolist.num_domains; i++)
        take_info(&list[i], &found[i]);
    return (int)op->u.getdomaininfolist.num_domains;
}

/* See control_domain.h. */
int control_domain_list(struct control *c, domid_t first, unsigned room,
                        struct control_domain *list, struct error *e)
{
    unsigned count = 0;

    while (count < room) {
        unsigned want = room - count < LIST_CHUNK ? room - count : LIST_CHUNK;
        int found = list_some(c, first, want, list + count);

        if (found < 0)
            return error_set_errno(e, -found, "can't list the domains");
        count += (unsigned)found;
        if ((unsigned)found < want)
            break;
        first = (domid_t)(list[count - 1].domain + 1);
    }
    return (int)count;
}

/* --- limits and properties ----------------------------------------------- */

/* See control_domain.h. */
int control_domain_set_max_memory(struct control *c, domid_t domain,
                                  uint64_t kib, struct error *e)
{
    struct xen_domctl *op = begin(c, XEN_DOMCTL_max_mem, domain);

    op->u.max_mem.max_memkb = kib;
    return finish(c, op, "limit the memory of", e);
}

/* See control_domain.h. */
int control_domain_set_max_vcpus(struct control *c, domid_t domain,
                                 unsigned count, struct error *e)
{
    struct xen_domctl *op = begin(c, XEN_DOMCTL_max_vcpus, domain);

    op->u.max_vcpus.max = count;
    return finish(c, op, "make vCPUs for", e);
}

/* See control_domain.h. */
int control_domain_set_handle(struct control *c, domid_t domain,
                              const uint8_t handle[CONTROL_HANDLE_SIZE],
                              struct error *e)
{
    struct xen_domctl *op = begin(c, XEN_DOMCTL_setdomainhandle, domain);

    memcpy(op->u.setdomainhandle.handle, handle, CONTROL_HANDLE_SIZE);
    return finish(c, op, "set the UUID of", e);
}

/* See control_domain.h. */
int control_domain_set_kernel(struct control *c, domid_t domain, uint32_t flags,
                              struct error *e)
{
    struct xen_domctl *op = begin(c, MICA_DOMCTL_set_kernel, domain);

    op->u.mica_set_kernel.flags = flags;
    return finish(c, op, "describe the kernel of", e);
}

/* See control_domain.h. */
int control_domain_activity(struct control *c, domid_t domain,
                            struct control_activity *activity, struct error *e)
{
    struct xen_domctl *op = begin(c, MICA_DOMCTL_get_activity, domain);

    if (finish(c, op, "ask what is done for", e))
        return -1;
    activity->hypercalls = op->u.mica_activity.hypercalls;
    activity->events = op->u.mica_activity.events;
    return 0;
}

/* See control_domain.h. */
int control_domain_fill_hypercall_page(struct control *c, domid_t domain,
                                       uint64_t frame, struct error *e)
{
    struct xen_domctl *op = begin(c, XEN_DOMCTL_hypercall_init, domain);

    op->u.hypercall_init.gmfn = frame;
    return finish(c, op, "fill the hypercall page of", e);
}

/* See control_domain.h. */
int control_domain_set_time_offset(struct control *c, domid_t domain,
                                   int64_t seconds, struct error *e)
{
    struct xen_domctl *op = begin(c, XEN_DOMCTL_settimeoffset, domain);

    op->u.settimeoffset.time_offset_seconds = seconds;
    return finish(c, op, "set the clock of", e);
}

/* See control_domain.h. */
int control_domain_set_debugging(struct control *c, domid_t domain,
                                 bool is_debugged, struct error *e)
{
    struct xen_domctl *op = begin(c, XEN_DOMCTL_setdebugging, domain);

    op->u.setdebugging.enable = is_debugged;
    return finish(c, op, "set debugging of", e);
}

/* See control_domain.h. */
int control_domain_permit_irq(struct control *c, domid_t domain, unsigned irq,
                              bool is_allowed, struct error *e)
{
    struct xen_domctl *op = begin(c, XEN_DOMCTL_irq_permission, domain);

    op->u.irq_permission.pirq = irq;
    op->u.irq_permission.allow_access = is_allowed;
    return finish(c, op, "permit an interrupt to", e);
}

/* See control_domain.h. */
int control_domain_permit_frames(struct control *c, domid_t domain,
                                 uint64_t first, uint64_t count,
                                 bool is_allowed, struct error *e)
{
    struct xen_domctl *op = begin(c, XEN_DOMCTL_iomem_permission, domain);

    op->u.iomem_permission.first_mfn = first;
    op->u.iomem_permission.nr_mfns = count;
    op->u.iomem_permission.allow_access = is_allowed;
    return finish(c, op, "permit device memory to", e);
}

/* See control_domain.h. */
int control_domain_permit_ports(struct control *c, domid_t domain,
                                unsigned first, unsigned count, bool is_allowed,
                                struct error *e)
{
    struct xen_domctl *op = begin(c, XEN_DOMCTL_ioport_permission, domain);

    op->u.ioport_permission.first_port = first;
    op->u.ioport_permission.nr_ports = count;
    op->u.ioport_permission.allow_access = is_allowed;
    return finish(c, op, "permit I/O ports to", e);
}

/* --- scheduling ---------------------------------------------------------- */

static struct xen_domctl *begin_sched(struct control *c, domid_t domain,
                                      uint32_t cmd)
{
    struct xen_domctl *op = begin(c, XEN_DOMCTL_scheduler_op, domain);

    op->u.scheduler_op.sched_id = XEN_SCHEDULER_CREDIT2;
    op->u.scheduler_op.cmd = cmd;
    return op;
}

/* See control_domain.h. */
int control_domain_get_sched(struct control *c, domid_t domain,
                             struct control_sched_params *params,
                             struct error *e)
{
    struct xen_domctl *op = begin_sched(c, domain, XEN_DOMCTL_SCHEDOP_getinfo);

    if (finish(c, op, "get the share of", e))
        return -1;
    params->weight = op->u.scheduler_op.u.credit2.weight;
    params->cap = op->u.scheduler_op.u.credit2.cap;
    return 0;
}

/* See control_domain.h. */
int control_domain_set_sched(struct control *c, domid_t domain,
                             const struct control_sched_params *params,
                             struct error *e)
{
    struct xen_domctl *op = begin_sched(c, domain, XEN_DOMCTL_SCHEDOP_putinfo);

    if (params->weight > UINT16_MAX || params->cap > UINT16_MAX) {
        error_set(e, EXIT_STATUS_USAGE, "can't set the share of domain %u",
                  domain);
        return error_why(e, "weight and cap are at most %d", UINT16_MAX);
    }
    op->u.scheduler_op.u.credit2.weight = (uint16_t)params->weight;
    op->u.scheduler_op.u.credit2.cap = (uint16_t)params->cap;
    return finish(c, op, "set the share of", e);
}

/* --- vCPUs --------------------------------------------------------------- */

static int finish_vcpu(struct control *c, struct xen_domctl *op, unsigned vcpu,
                       const char *what, struct error *e)
{
    int error = run(c, op);

    return error ? error_set_errno(e, -error, "can't %s vCPU %u of domain %u",
                                   what, vcpu, op->domain)
                 : 0;
}

/* See control_domain.h. */
int control_vcpu_info(struct control *c, domid_t domain, unsigned vcpu,
                      struct control_vcpu *info, struct error *e)
{
    struct xen_domctl *op = begin(c, XEN_DOMCTL_getvcpuinfo, domain);

    op->u.getvcpuinfo.vcpu = vcpu;
    if (finish_vcpu(c, op, vcpu, "look at", e))
        return -1;
    *info = (struct control_vcpu){
        .is_online = op->u.getvcpuinfo.online,
        .is_blocked = op->u.getvcpuinfo.blocked,
        .is_running = op->u.getvcpuinfo.running,
        .cpu_time = op->u.getvcpuinfo.cpu_time,
        .cpu = op->u.getvcpuinfo.cpu,
    };
    return 0;
}

static size_t set_size(const struct control_cpu_set *set)
{
    return (set->count + 7) / 8;
}

/* A bitmap argument in scratch memory; none for NULL. */
static void put_set(struct control *c, const struct control_cpu_set *set,
                    struct xenctl_bitmap *map, uint8_t **copy)
{
    *copy = NULL;
    if (!set)
        return;
    *copy = control_scratch(c, set_size(set));
    memcpy(*copy, set->bits, set_size(set));
    map->bitmap = control_va(*copy);
    map->nr_bits = set->count;
}

/* Both directions of the affinity, which answer in the bitmaps. */
static int exchange_affinity(struct control *c, struct xen_domctl *op,
                             unsigned vcpu, struct control_cpu_set *hard,
                             struct control_cpu_set *soft, const char *what,
                             struct error *e)
{
    struct xen_domctl_vcpuaffinity *a = &op->u.vcpuaffinity;
    uint8_t *hard_bits, *soft_bits;

    a->vcpu = vcpu;
    a->flags =
        (hard ? XEN_VCPUAFFINITY_HARD : 0) | (soft ? XEN_VCPUAFFINITY_SOFT : 0);
    put_set(c, hard, &a->cpumap_hard, &hard_bits);
    put_set(c, soft, &a->cpumap_soft, &soft_bits);
    if (finish_vcpu(c, op, vcpu, what, e))
        return -1;
    if (hard)
        memcpy(hard->bits, hard_bits, set_size(hard));
    if (soft)
        memcpy(soft->bits, soft_bits, set_size(soft));
    return 0;
}

/* See control_domain.h. */
int control_vcpu_get_affinity(struct control *c, domid_t domain, unsigned vcpu,
                              struct control_cpu_set *hard,
                              struct control_cpu_set *soft, struct error *e)
{
    return exchange_affinity(c, begin(c, XEN_DOMCTL_getvcpuaffinity, domain),
                             vcpu, hard, soft, "get the affinity of", e);
}

/* See control_domain.h. */
int control_vcpu_set_affinity(struct control *c, domid_t domain, unsigned vcpu,
                              struct control_cpu_set *hard,
                              struct control_cpu_set *soft, struct error *e)
{
    return exchange_affinity(c, begin(c, XEN_DOMCTL_setvcpuaffinity, domain),
                             vcpu, hard, soft, "set the affinity of", e);
}

/* See control_domain.h. */
int control_vcpu_get_context(struct control *c, domid_t domain, unsigned vcpu,
                             struct vcpu_guest_context *context,
                             struct error *e)
{
    struct xen_domctl *op = begin(c, XEN_DOMCTL_getvcpucontext, domain);
    struct vcpu_guest_context *copy = control_scratch(c, sizeof(*copy));

    op->u.vcpucontext.vcpu = vcpu;
    op->u.vcpucontext.ctxt = control_va(copy);
    if (finish_vcpu(c, op, vcpu, "get the registers of", e))
        return -1;
    *context = *copy;
    return 0;
}

/* See control_domain.h. */
int control_vcpu_set_context(struct control *c, domid_t domain, unsigned vcpu,
                             const struct vcpu_guest_context *context,
                             struct error *e)
{
    struct xen_domctl *op = begin(c, XEN_DOMCTL_setvcpucontext, domain);
    struct vcpu_guest_context *copy = control_scratch(c, sizeof(*copy));

    *copy = *context;
    op->u.vcpucontext.vcpu = vcpu;
    op->u.vcpucontext.ctxt = control_va(copy);
    return finish_vcpu(c, op, vcpu, "set the registers of", e);
}
