/* SPDX-License-Identifier: MIT */
/*
 * memory_op: what memory a domain has, getting it and giving it back. A call
 * names its domain in its arguments: the caller's own, or for the privileged
 * any. Ownership and the limit are frame.c's; this file parses requests and
 * keeps their place when they are cut short.
 */
#include "core/arch.h"
#include "core/domain.h"
#include "core/extent.h"
#include "core/frame.h"
#include "core/grant.h"
#include "core/guest_copy.h"
#include "core/heap.h"
#include "core/hypercall.h"
#include "core/log.h"
#include "core/machine.h"
#include "core/sub_op.h"
#include "core/vcpu.h"
#include "hypercall_abi/memory.h"
#include "hypercall_abi/mmu.h"

#define MAX_EXTENTS (1ull << 48)
#define MAX_RESULT (1ull << 40)
#define E820_MAX_ENTRIES 128u

/* --- lists of extents ---------------------------------------------------- */

/* A request for some extents, checked. */
struct reservation {
    unsigned cmd;
    struct domain *domain;
    struct extent *next; /* of the caller's vCPU */
    struct xenmem_reservation_args op;
};

/* New frames for the pfn listed, or for none: both lists get the MFN. */
static int add_extent(const struct reservation *r, uint64_t index)
{
    const struct xenmem_reservation_args *op = &r->op;
    uint64_t pfn = PFN_INVALID.n;
    int error = 0;
    mfn_t first;

    if (r->cmd == XENMEM_populate_physmap)
        error = extent_read(op->extent_start, index, &pfn);
    if (error)
        return error;
    error = extent_clear_next(r->next, op->extent_order, op->mem_flags);
    if (error)
        return error;
    first = extent_take(r->next, pfn);
    if (op->extent_start.va)
        error = extent_write(op->extent_start, index, first);
    if (!error)
        error = frame_assign(first, op->extent_order, r->domain);
    if (error)
        extent_free(first, op->extent_order);
    return error;
}

/* The domain gives up the frames listed; each must be unused. */
static int remove_extent(const struct reservation *r, uint64_t index)
{
    uint64_t n;
    int error = extent_read(r->op.extent_start, index, &n);

    for (uint64_t i = 0; !error && i < 1ull << r->op.extent_order; i++) {
        struct frame *f = frame_lookup(MFN(n + i));

        error = f ? frame_unassign(f, r->domain) : -EINVAL;
        if (error)
            refuse(error, "frame %#lx can't be given up: error %d", n + i,
                   error);
    }
    return error;
}

static int check_reservation(const struct domain *caller,
                             const struct reservation *r)
{
    const struct xenmem_reservation_args *op = &r->op;

    if (op->nr_extents > MAX_EXTENTS ||
        !extent_order_is_allowed(caller, op->extent_order))
        return refuse(-EINVAL, "%lu extents of order %u are too many",
                      op->nr_extents, op->extent_order);
    if (op->mem_flags & XENMEMF_populate_on_demand)
        return refuse(-EOPNOTSUPP, "memory on demand is not served");
    if (!op->extent_start.va && r->cmd != XENMEM_increase_reservation)
        return -EFAULT;
    return 0;
}

static int do_extent(const struct reservation *r, uint64_t index)
{
    return r->cmd == XENMEM_decrease_reservation ? remove_extent(r, index)
                                                 : add_extent(r, index);
}

/*
 * Does the extents from number `start` on until one fails. Returns how many
 * are done, counted from 0, and *cut when time ran out first, which counts
 * from the first question: one extent may take a good part of it.
 */
static uint64_t do_extents(const struct reservation *r, uint64_t start,
                           bool *cut)
{
    uint64_t i = start, count = r->op.nr_extents;

    hypercall_should_restart();
    for (*cut = false; i < count && !*cut; i++) {
        int error = do_extent(r, i);

        if (error) {
            *cut = error == -ERESTART;
            break;
        }
        *cut = i + 1 < count && hypercall_should_restart();
    }
    return i;
}

/*
 * The domain that a request names, with a reference. A call that goes on has
 * the serial of its domain, which may have ended meanwhile, and its id may be
 * another's.
 */
static int find_domain(struct domain *caller, struct reservation *r,
                       uint64_t serial)
{
    int error = domain_get_subject(caller, r->op.domid, &r->domain);

    if (error || !serial || r->domain == caller || r->domain->serial == serial)
        return error;
    domain_put(r->domain);
    return refuse(-ESRCH, "domain %u was another", r->op.domid);
}

/* increase_reservation, decrease_reservation, populate_physmap. */
static long change_reservation(struct vcpu *v, const struct hc_args *args)
{
    uint64_t start = args->a[0] >> MEMOP_EXTENT_SHIFT;
    struct reservation r = {.cmd = args->a[0] & MEMOP_CMD_MASK,
                            .next = &v->extent};
    struct hc_args rest = *args;
    bool cut;
    int error;

    if (copy_in(&r.op, HC_ARG_VA(args, 1), sizeof(r.op)))
        return -EFAULT;
    if (start > r.op.nr_extents)
        return -EINVAL;
    error = check_reservation(v->domain, &r);
    if (!error)
        error = find_domain(v->domain, &r, start ? args->a[2] : 0);
    if (error)
        return error;
    rest.a[2] = r.domain->serial;
    start = do_extents(&r, start, &cut);
    domain_put(r.domain);
    rest.a[0] = r.cmd | start << MEMOP_EXTENT_SHIFT;
    return cut ? hypercall_restart(v, HC_memory_op, &rest) : (long)start;
}

/* --- questions ----------------------------------------------------------- */

static uint64_t pages_of(struct domain *d, bool maximum)
{
    uint64_t pages;

    spin_lock(&d->memory_lock);
    pages = maximum ? d->max_pages : d->page_count;
    spin_unlock(&d->memory_lock);
    return pages;
}

static long xenmem_maximum_ram_page(struct sub_call *c, void *arg)
{
    (void)c;
    (void)arg;
    return (long)(frame_table_end - 1);
}

/* The highest pfn in use, as the guest says; it need not be true. */
static uint64_t highest_pfn(const struct domain *d)
{
    uint64_t end =
        __atomic_load_n(&d->shared_info->arch.max_pfn, __ATOMIC_RELAXED);

    return end ? end - 1 : 0;
}

/* current_reservation, maximum_reservation, maximum_gpfn. */
static long ask_domain(struct sub_call *c, void *arg)
{
    uint64_t result =
        c->cmd == XENMEM_maximum_gpfn
            ? highest_pfn(c->d)
            : pages_of(c->d, c->cmd == XENMEM_maximum_reservation);

    (void)arg;
    return (long)min_u64(result, MAX_RESULT);
}

/*
 * set_pod_target, get_pod_target: the tools set a target wherever they set a
 * balloon's, and want to hear that there is no memory on demand.
 */
static long pod_target(struct sub_call *c, void *arg)
{
    struct xenmem_pod_target_args *op = arg;
    struct domain *d;
    int error = domain_get_subject(c->d, op->domid, &d);

    if (error)
        return error;
    op->tot_pages = pages_of(d, false);
    op->pod_cache_pages = op->pod_entries = 0;
    domain_put(d);
    return 0;
}

/* --- memory maps --------------------------------------------------------- */

/* Copies out a map, and into *op how long it is. */
static long put_map(struct xenmem_memory_map_args *op,
                    const struct e820_entry *map, size_t count)
{
    if (!count)
        return -ENOSYS;
    if (op->nr_entries < count)
        return -EINVAL;
    op->nr_entries = (uint32_t)count;
    return copy_out(op->buffer, map, count * sizeof(*map)) ? -EFAULT : 0;
}

static long xenmem_memory_map(struct sub_call *c, void *arg)
{
    struct domain *d = c->d;
    long result;

    spin_lock(&d->memory_lock);
    result = put_map(arg, d->e820, d->e820_count);
    spin_unlock(&d->memory_lock);
    return result;
}

static long xenmem_machine_memory_map(struct sub_call *c, void *arg)
{
    (void)c;
    return put_map(arg, machine_e820, machine_e820_count);
}

/* Gives `d` a map from the heap in place of what it had. */
static void replace_map(struct domain *d, void *map, size_t count)
{
    size_t old_count;
    void *old;

    spin_lock(&d->memory_lock);
    old = d->e820;
    old_count = d->e820_count;
    d->e820 = map;
    d->e820_count = count;
    spin_unlock(&d->memory_lock);
    if (old)
        heap_zfree(old, old_count * sizeof(struct e820_entry));
}

static long xenmem_set_memory_map(struct sub_call *c, void *arg)
{
    struct xenmem_set_memory_map_args *op = arg;
    size_t size = op->map.nr_entries * sizeof(struct e820_entry);
    void *map;

    if (!op->map.nr_entries || op->map.nr_entries > E820_MAX_ENTRIES)
        return -EINVAL;
    map = heap_zalloc(size);
    if (!map)
        return -ENOMEM;
    if (copy_in(map, op->map.buffer, size)) {
        heap_zfree(map, size);
        return -EFAULT;
    }
    replace_map(c->d, map, op->map.nr_entries);
    return 0;
}

/* --- Mica's own frames --------------------------------------------------- */

static long xenmem_machphys_mapping(struct sub_call *c, void *arg)
{
    (void)c;
    *(struct xenmem_machphys_mapping_args *)arg =
        (struct xenmem_machphys_mapping_args){
            .v_start = MACH2PHYS_VIRT_START,
            .v_end = MACH2PHYS_VIRT_END,
            .max_mfn = frame_table_end - 1,
        };
    return 0;
}

static int list_grant_frames(struct domain *d,
                             const struct xenmem_acquire_resource_args *op)
{
    int error = 0;

    for (uint32_t i = 0; i < op->nr_frames && !error; i++) {
        mfn_t mfn;

        error = grant_frame_at(d, (uint32_t)op->frame + i, &mfn);
        if (!error)
            error = extent_write(op->frame_list, i, mfn);
    }
    return error;
}

/* The frames of a grant table, or how many there may be. */
static long xenmem_acquire_resource(struct sub_call *c, void *arg)
{
    struct xenmem_acquire_resource_args *op = arg;
    uint32_t have, most;

    if (op->pad || !op->nr_frames != !op->frame_list.va)
        return -EINVAL;
    if (op->type != XENMEM_resource_grant_table ||
        op->id != XENMEM_resource_grant_table_id_shared)
        return refuse(-EOPNOTSUPP, "resource %u, %u", op->type, op->id);
    grant_size(c->d, &have, &most);
    if (!op->nr_frames) {
        op->nr_frames = most;
        return 0;
    }
    if (op->frame >= most || op->nr_frames > most - op->frame)
        return refuse(-EINVAL, "%u frames from %lu on of a grant table",
                      op->nr_frames, op->frame);
    return list_grant_frames(c->d, op);
}

/* --- dispatch ------------------------------------------------------------ */

static long exchange(struct sub_call *c, void *arg)
{
    (void)arg;
    return xenmem_exchange(c->d, c->arg);
}

/* What makes no sense for domains that see machine frames, on one node. */
static long refused(struct sub_call *c, void *arg)
{
    (void)c;
    (void)arg;
    return -EOPNOTSUPP;
}

#define OP(name, handler, args, flags)                                         \
    [XENMEM_##name] = {handler, sizeof(struct xenmem_##args##_args), flags}
#define OWN(name, flags) OP(name, xenmem_##name, name, flags)
#define BARE(name, handler) [XENMEM_##name] = {handler, 0, 0}

static const struct sub_op ops[] = {
    BARE(maximum_ram_page, xenmem_maximum_ram_page),
    OP(current_reservation, ask_domain, domain, OP_SUBJECT),
    OP(maximum_reservation, ask_domain, domain, OP_SUBJECT),
    BARE(add_to_physmap, refused),
    OWN(memory_map, OP_ANSWERS),
    OP(machine_memory_map, xenmem_machine_memory_map, memory_map,
       OP_DOM0 | OP_ANSWERS),
    BARE(exchange, exchange),
    OWN(machphys_mapping, OP_ANSWERS),
    OWN(set_memory_map, OP_DOM0 | OP_SUBJECT),
    OP(maximum_gpfn, ask_domain, domain, OP_SUBJECT),
    BARE(remove_from_physmap, refused),
    OP(set_pod_target, pod_target, pod_target, OP_DOM0 | OP_ANSWERS),
    OP(get_pod_target, pod_target, pod_target, OP_DOM0 | OP_ANSWERS),
    BARE(add_to_physmap_batch, refused),
    BARE(get_vnumainfo, refused),
    OWN(acquire_resource, OP_DOM0 | OP_SUBJECT | OP_ANSWERS),
};
static const struct sub_op_table table = {ops, ARRAY_LEN(ops), HC_memory_op};

/* memory_op(cmd | start_extent << MEMOP_EXTENT_SHIFT, arg) */
long hc_memory_op(struct vcpu *v, const struct hc_args *args)
{
    unsigned cmd = args->a[0] & MEMOP_CMD_MASK;

    switch (cmd) {
    case XENMEM_increase_reservation:
    case XENMEM_decrease_reservation:
    case XENMEM_populate_physmap:
        return change_reservation(v, args);
    default:
        return sub_op_run(&table, v, cmd, HC_ARG_VA(args, 1));
    }
}
