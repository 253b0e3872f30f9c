/* SPDX-License-Identifier: MIT */
/*
 * sysctl: what the tools of the first domain ask of the machine as a whole
 * (control.h). Only lists are copied out by the handlers themselves.
 *
 * All pCPUs are one pool and all memory is one node; the scheduler answers to
 * the name of the one whose parameters it takes.
 */
#include "core/arch.h"
#include "core/control.h"
#include "core/cpu_policy.h"
#include "core/domain.h"
#include "core/frame.h"
#include "core/guest_bitmap.h"
#include "core/guest_copy.h"
#include "core/heap.h"
#include "core/log.h"
#include "core/machine.h"
#include "core/pcpu.h"
#include "core/sched.h"

#define LOG_CHUNK 512u
#define MAX_DEBUG_KEYS 64u
#define MAX_PCI_DEVICES 256u
#define LOCAL_DISTANCE 10u /* of a node to itself */
#define PHYSINFO_WORDS 8u

/* Element `index` of a list of the caller's. */
static int put_element(guest_va list, uint64_t index, const void *data,
                       size_t size)
{
    return copy_out(guest_va_add(list, index * size), data, size) ? -EFAULT : 0;
}

/* --- the log ------------------------------------------------------------- */

/* The byte that the lower half `index` of its number means: the newest such. */
static uint64_t log_position(uint32_t index)
{
    uint64_t end = log_ring_end();

    return end - (uint32_t)((uint32_t)end - index);
}

static long readconsole(struct control *c)
{
    struct xen_sysctl_readconsole *op = &c->system.u.readconsole;
    uint64_t position = op->incremental ? log_position(op->index) : 0;
    uint32_t done = 0;
    char chunk[LOG_CHUNK];

    while (done < op->count) {
        size_t n = log_ring_read(chunk, min_u64(op->count - done, LOG_CHUNK),
                                 &position);

        if (!n)
            break;
        if (copy_out(guest_va_add(op->buffer, done), chunk, n))
            return -EFAULT;
        done += (uint32_t)n;
    }
    op->index = (uint32_t)position;
    op->count = done;
    if (op->clear)
        log_ring_clear();
    return 0;
}

static long debug_keys(struct control *c)
{
    const struct xen_sysctl_debug_keys *op = &c->system.u.debug_keys;
    char keys[MAX_DEBUG_KEYS];

    if (op->nr_keys > MAX_DEBUG_KEYS)
        return refuse(-E2BIG, "%u debug keys", op->nr_keys);
    if (copy_in(keys, op->keys, op->nr_keys))
        return -EFAULT;
    for (uint32_t i = 0; i < op->nr_keys; i++)
        machine_press_key(keys[i]);
    return 0;
}

/* --- the machine --------------------------------------------------------- */

static uint64_t ram_pages(void)
{
    uint64_t bytes = 0;

    for (unsigned i = 0; i < machine_e820_count; i++)
        if (machine_e820[i].type == E820_TYPE_RAM)
            bytes += (uint64_t)machine_e820[i].size_hi << 32 |
                     machine_e820[i].size_lo;
    return bytes >> PAGE_SHIFT;
}

/* Machines are taken to be made of sockets like the first pCPU's. */
static void count_pcpus(struct xen_sysctl_physinfo *info)
{
    struct machine_place first = machine_cpu_place(0);
    uint32_t in_core = 0, in_socket = 0;

    for (unsigned cpu = 0; cpu < pcpu_count; cpu++) {
        struct machine_place place = machine_cpu_place(cpu);

        info->nr_cpus += pcpu_is_online(cpu);
        in_socket += place.socket == first.socket;
        in_core += place.socket == first.socket && place.core == first.core;
    }
    info->threads_per_core = in_core;
    info->cores_per_socket = in_socket / in_core;
}

static long physinfo(struct control *c)
{
    struct xen_sysctl_physinfo *info = &c->system.u.physinfo;

    *info = (struct xen_sysctl_physinfo){
        .max_cpu_id = pcpu_count - 1,
        .nr_nodes = 1,
        .cpu_khz = arch_tsc_khz(),
        .capabilities = XEN_SYSCTL_PHYSCAP_pv | XEN_SYSCTL_PHYSCAP_gnttab_v1,
        .total_pages = ram_pages(),
        .free_pages = heap_free_frames(),
        .max_mfn = frame_table_end - 1,
    };
    count_pcpus(info);
    for (unsigned i = 0; i < PHYSINFO_WORDS; i++)
        info->hw_cap[i] = cpu_policy_feature(MACHINE_CPUID_HOST, i);
    return 0;
}

static long getcpuinfo(struct control *c)
{
    struct xen_sysctl_getcpuinfo *op = &c->system.u.getcpuinfo;
    uint32_t count = (uint32_t)min_u64(op->max_cpus, pcpu_count);

    for (uint32_t cpu = 0; cpu < count; cpu++) {
        struct xen_sysctl_cpuinfo info = {.idletime = sched_idle_time(cpu)};

        if (put_element(op->info, cpu, &info, sizeof(info)))
            return -EFAULT;
    }
    op->nr_cpus = count;
    return 0;
}

static long cputopoinfo(struct control *c)
{
    struct xen_sysctl_cputopoinfo *op = &c->system.u.cputopoinfo;
    uint32_t room = op->cputopo.va ? op->num_cpus : 0;

    for (uint32_t cpu = 0; cpu < pcpu_count && cpu < room; cpu++) {
        struct machine_place place = machine_cpu_place(cpu);
        struct xen_sysctl_cputopo topo = {place.core, place.socket, 0};

        if (!pcpu_is_online(cpu))
            memset(&topo, 0xff, sizeof(topo)); /* XEN_INVALID_*_ID */
        if (put_element(op->cputopo, cpu, &topo, sizeof(topo)))
            return -EFAULT;
    }
    op->num_cpus = pcpu_count;
    return 0;
}

static long numainfo(struct control *c)
{
    struct xen_sysctl_numainfo *op = &c->system.u.numainfo;
    struct xen_sysctl_meminfo memory = {
        .memsize = ram_pages() << PAGE_SHIFT,
        .memfree = heap_free_frames() << PAGE_SHIFT,
    };
    uint32_t distance = LOCAL_DISTANCE;

    if (op->num_nodes &&
        ((op->meminfo.va && copy_out(op->meminfo, &memory, sizeof(memory))) ||
         (op->distance.va &&
          copy_out(op->distance, &distance, sizeof(distance)))))
        return -EFAULT;
    op->num_nodes = 1;
    return 0;
}

/* One call answers for some devices; the tools ask again for the rest. */
static long pcitopoinfo(struct control *c)
{
    struct xen_sysctl_pcitopoinfo *op = &c->system.u.pcitopoinfo;

    op->num_devs = (uint32_t)min_u64(op->num_devs, MAX_PCI_DEVICES);
    return clear_out(op->nodes, op->num_devs * sizeof(uint32_t)) ? -EFAULT : 0;
}

/* --- the processor ------------------------------------------------------- */

/*
 * Featuresets and policies come in the same order: raw, host, then for
 * paravirtual and other guests by turns.
 */
static int find_view(uint32_t index, enum machine_cpuid_view *view)
{
    if (index > XEN_SYSCTL_cpu_policy_hvm_default)
        return refuse(-EINVAL, "policy %u", index);
    if (index > XEN_SYSCTL_cpu_policy_host && index % 2)
        return -EOPNOTSUPP;
    *view = index > XEN_SYSCTL_cpu_policy_host ? MACHINE_CPUID_GUEST
                                               : MACHINE_CPUID_HOST;
    return 0;
}

static long get_cpu_featureset(struct control *c)
{
    struct xen_sysctl_cpu_featureset *op = &c->system.u.cpu_featureset;
    uint32_t room = op->features.va ? op->nr_features : XEN_FEATURESET_WORDS;
    uint32_t words[XEN_FEATURESET_WORDS];
    enum machine_cpuid_view view;
    int error = find_view(op->index, &view);

    if (error)
        return error;
    for (uint32_t i = 0; i < XEN_FEATURESET_WORDS; i++)
        words[i] = cpu_policy_feature(view, i);
    op->nr_features = (uint32_t)min_u64(room, XEN_FEATURESET_WORDS);
    if (op->features.va &&
        copy_out(op->features, words, op->nr_features * sizeof(*words)))
        return -EFAULT;
    return room < XEN_FEATURESET_WORDS ? -ENOBUFS : 0;
}

static long get_cpu_policy(struct control *c)
{
    struct xen_sysctl_cpu_policy *op = &c->system.u.cpu_policy;
    enum machine_cpuid_view view;
    int error = op->rsvd ? -EINVAL : find_view(op->index, &view);

    if (error)
        return error;
    op->nr_msrs = op->msrs.va ? 0 : CPU_POLICY_MAX_MSRS;
    return cpu_policy_put(view, op->leaves, &op->nr_leaves);
}

/* --- domains ------------------------------------------------------------- */

/*
 * Over a restart it keeps the lowest id that is not in the list yet, and the
 * number of its elements.
 */
static long getdomaininfolist(struct control *c)
{
    struct xen_sysctl_getdomaininfolist *op = &c->system.u.getdomaininfolist;
    uint64_t *next = &c->kept[0], *done = &c->kept[1];
    struct domain *d;

    *next = max_u64(*next, op->first_domain);
    *done = min_u64(*done, op->max_domains);
    while (*done < op->max_domains && *next < DOMID_FIRST_RESERVED &&
           (d = domain_next_get((domid_t)*next))) {
        struct xen_domctl_getdomaininfo info;

        domain_fill_info(d, &info);
        *next = d->id + 1u;
        domain_put(d);
        if (put_element(op->buffer, (*done)++, &info, sizeof(info)))
            return -EFAULT;
        if (hypercall_should_restart())
            return -ERESTART;
    }
    op->num_domains = (uint32_t)*done;
    return 0;
}

/* One pool, which all domains are in and all pCPUs. */
static long cpupool_op(struct control *c)
{
    struct xen_sysctl_cpupool_op *op = &c->system.u.cpupool_op;
    uint64_t pcpus_map[PCPU_WORDS] = {0};

    switch (op->op) {
    case XEN_SYSCTL_CPUPOOL_OP_MOVEDOMAIN:
        return op->cpupool_id ? -ENOENT : 0;
    case XEN_SYSCTL_CPUPOOL_OP_INFO:
        if (op->cpupool_id)
            return -ENOENT;
        op->sched_id = XEN_SCHEDULER_CREDIT2;
        op->n_dom = domain_count();
        for (unsigned cpu = 0; cpu < pcpu_count; cpu++)
            if (pcpu_is_online(cpu))
                bit_set(pcpus_map, cpu);
        break;
    case XEN_SYSCTL_CPUPOOL_OP_FREEINFO:
        break;
    default:
        return refuse(-EOPNOTSUPP, "there is one pool of pCPUs");
    }
    return guest_bitmap_write(&op->cpumap, pcpus_map);
}

/* The rate limit, in the words of credit2. */
static long scheduler_op(struct control *c)
{
    struct xen_sysctl_scheduler_op *op = &c->system.u.scheduler_op;
    uint32_t *us = &op->u.sched_credit2.ratelimit_us;

    if (op->cpupool_id)
        return -ESRCH;
    if (op->sched_id != XEN_SCHEDULER_CREDIT2 ||
        op->cmd > XEN_SYSCTL_SCHEDOP_getinfo)
        return refuse(-EINVAL, "scheduler %u", op->sched_id);
    if (op->cmd == XEN_SYSCTL_SCHEDOP_getinfo)
        *us = (uint32_t)(sched_rate_limit() / NSEC_PER_US);
    else if (*us && (*us < XEN_SYSCTL_SCHED_RATELIMIT_MIN ||
                     *us > XEN_SYSCTL_SCHED_RATELIMIT_MAX))
        return refuse(-EINVAL, "a rate limit of %u us", *us);
    else
        sched_set_rate_limit(*us * NSEC_PER_US);
    return 0;
}

static long sched_id(struct control *c)
{
    c->system.u.sched_id.sched_id = XEN_SCHEDULER_CREDIT2;
    return 0;
}

/* --- the table ----------------------------------------------------------- */

#define COMMAND(name) XEN_SYSCTL_##name, name, MACHINE | ANSWERS

static const struct command commands[] = {
    {COMMAND(readconsole)},    {COMMAND(physinfo)},
    {COMMAND(sched_id)},       {COMMAND(getdomaininfolist)},
    {COMMAND(debug_keys)},     {COMMAND(getcpuinfo)},
    {COMMAND(cputopoinfo)},    {COMMAND(numainfo)},
    {COMMAND(pcitopoinfo)},    {COMMAND(cpupool_op)},
    {COMMAND(scheduler_op)},   {COMMAND(get_cpu_featureset)},
    {COMMAND(get_cpu_policy)},
};

/* sysctl(struct xen_sysctl *) */
long hc_sysctl(struct vcpu *v, const struct hc_args *args)
{
    return control_run(v, args, HC_sysctl, commands, ARRAY_LEN(commands));
}
