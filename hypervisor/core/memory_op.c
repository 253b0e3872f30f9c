/* SPDX-License-Identifier: MIT */
/*
 * memory_op: what memory a domain has, and getting, giving back and trading
 * frames. Ownership and the limit are frame.c's; this file parses requests,
 * keeps their place when they are cut short, and sees to it that no frame
 * reaches a domain with what another one left in it.
 *
 * Frames are announced to the guest before they become its own: a request
 * that fails half way has then nothing to take back that a guest could use.
 */
#include "core/domain.h"
#include "core/frame.h"
#include "core/guest_copy.h"
#include "core/heap.h"
#include "core/hypercall.h"
#include "core/log.h"
#include "core/machine.h"
#include "core/vcpu.h"
#include "hypercall_abi/memory.h"
#include "hypercall_abi/mmu.h"

/* The most frames in an extent: zeroing them is one step. */
#define MAX_ORDER_GUEST 9u
#define MAX_ORDER_PRIVILEGED 12u

/* The most that one exchange trades; it is one step as a whole. */
#define EXCHANGE_MAX_FRAMES 1024u

#define MAX_EXTENTS (1ull << 48)
#define MAX_FRAME_NUMBER (1ull << 40)
#define E820_MAX_ENTRIES 128u

#define NO_PFN PFN_INVALID.n

/* A request for some extents, checked. */
struct reservation {
    unsigned cmd;
    struct domain *domain;
    guest_va extents; /* va 0: none listed */
    uint64_t count;
    unsigned order;
    unsigned address_bits;
};

/*
 * The domain that `id` names for `v`: itself, or any if it may administer
 * Mica. With a reference, to be put. -ESRCH, -EPERM.
 */
static int get_target(struct vcpu *v, domid_t id, struct domain **out)
{
    struct domain *d = v->domain;

    if (id == DOMID_SELF || id == d->id) {
        domain_get(d);
        *out = d;
        return 0;
    }
    if (!d->is_privileged)
        return refuse(-EPERM, "memory of d%u is not the caller's", id);
    *out = domain_find_get(id);
    return *out ? 0 : -ESRCH;
}

static bool order_is_allowed(const struct vcpu *v, uint32_t order)
{
    return order <=
           (v->domain->is_privileged ? MAX_ORDER_PRIVILEGED : MAX_ORDER_GUEST);
}

/* mem_flags as a limit for heap_alloc. */
static unsigned address_bits_of(uint32_t mem_flags)
{
    unsigned bits = mem_flags & XENMEMF_ADDRESS_BITS_MASK;

    return bits && bits < HEAP_ANY_ADDRESS ? bits : HEAP_ANY_ADDRESS;
}

static guest_va extent_at(guest_va extents, uint64_t index)
{
    return guest_va_add(extents, index * sizeof(uint64_t));
}

static int read_extent(guest_va extents, uint64_t index, uint64_t *number)
{
    if (copy_in(number, extent_at(extents, index), sizeof(*number)))
        return -EFAULT;
    return *number < MAX_FRAME_NUMBER ? 0 : -EINVAL;
}

static int write_extent(guest_va extents, uint64_t index, mfn_t first)
{
    return copy_out(extent_at(extents, index), &first.n, sizeof(first.n))
               ? -EFAULT
               : 0;
}

/* Frames that show nothing of their past, at `pfn` if there is one. */
static mfn_t alloc_clean(unsigned order, unsigned address_bits, uint64_t pfn)
{
    mfn_t first = heap_alloc(order, address_bits);

    if (mfn_equal(first, MFN_INVALID))
        return first;
    for (uint64_t i = 0; i < 1ull << order; i++) {
        mfn_t mfn = mfn_add(first, i);

        memset(arch_frame_ptr(mfn), 0, PAGE_SIZE);
        arch_m2p_set(mfn, pfn == NO_PFN ? pfn : pfn + i);
    }
    return first;
}

/* Takes back frames from alloc_clean that no domain got. */
static void free_clean(mfn_t first, unsigned order)
{
    for (uint64_t i = 0; i < 1ull << order; i++)
        arch_m2p_set(mfn_add(first, i), PFN_INVALID.n);
    heap_free(first, order);
}

/* --- one extent ---------------------------------------------------------- */

/* New frames for the pfn listed, or for none: both lists get the MFN. */
static int add_extent(const struct reservation *r, uint64_t index)
{
    uint64_t pfn = NO_PFN;
    int error = 0;
    mfn_t first;

    if (domain_is_dying(r->domain))
        return -ESRCH;
    if (r->cmd == XENMEM_populate_physmap)
        error = read_extent(r->extents, index, &pfn);
    if (error)
        return error;
    first = alloc_clean(r->order, r->address_bits, pfn);
    if (mfn_equal(first, MFN_INVALID))
        return -ENOMEM;
    if (r->extents.va)
        error = write_extent(r->extents, index, first);
    if (!error)
        error = frame_assign(first, r->order, r->domain);
    if (error)
        free_clean(first, r->order);
    return error;
}

/* The domain gives up the frames listed; each must be unused. */
static int remove_extent(const struct reservation *r, uint64_t index)
{
    uint64_t n;
    int error = read_extent(r->extents, index, &n);

    for (uint64_t i = 0; !error && i < 1ull << r->order; i++) {
        struct frame *f = frame_lookup(MFN(n + i));

        error = f ? frame_unassign(f, r->domain) : -EINVAL;
        if (error)
            refuse(error, "frame %#llx can't be given up: error %d",
                   (unsigned long long)(n + i), error);
    }
    return error;
}

/* --- lists of extents ---------------------------------------------------- */

static int parse_reservation(struct vcpu *v, unsigned cmd,
                             const struct xenmem_reservation_args *op,
                             struct reservation *r)
{
    if (op->nr_extents > MAX_EXTENTS || !order_is_allowed(v, op->extent_order))
        return refuse(-EINVAL, "%llu extents of order %u are too many",
                      (unsigned long long)op->nr_extents, op->extent_order);
    if (op->mem_flags & XENMEMF_populate_on_demand)
        return refuse(-EOPNOTSUPP, "memory on demand is not served");
    if (!op->extent_start.va && cmd != XENMEM_increase_reservation)
        return -EFAULT;
    *r = (struct reservation){
        .cmd = cmd,
        .extents = op->extent_start,
        .count = op->nr_extents,
        .order = op->extent_order,
        .address_bits = address_bits_of(op->mem_flags),
    };
    return get_target(v, op->domid, &r->domain);
}

/*
 * Does the extents from number `start` on until one fails. Returns how many
 * are done, counted from 0, and *cut when time ran out first.
 */
static uint64_t do_extents(const struct reservation *r, uint64_t start,
                           bool *cut)
{
    uint64_t i;

    *cut = false;
    for (i = start; i < r->count && !*cut; i++) {
        int error = r->cmd == XENMEM_decrease_reservation ? remove_extent(r, i)
                                                          : add_extent(r, i);

        if (error)
            break;
        *cut = i + 1 < r->count && hypercall_should_restart();
    }
    return i;
}

/* increase_reservation, decrease_reservation, populate_physmap. */
static long change_reservation(struct vcpu *v, const struct hc_args *args)
{
    unsigned cmd = args->a[0] & MEMOP_CMD_MASK;
    uint64_t start = args->a[0] >> MEMOP_EXTENT_SHIFT;
    struct xenmem_reservation_args op;
    struct reservation r;
    uint64_t done;
    bool cut;
    int error;

    if (copy_in(&op, HC_ARG_VA(args, 1), sizeof(op)))
        return -EFAULT;
    if (start > op.nr_extents)
        return -EINVAL;
    error = parse_reservation(v, cmd, &op, &r);
    if (error)
        return error;
    done = do_extents(&r, start, &cut);
    domain_put(r.domain);
    if (cut) {
        struct hc_args rest = {
            .a = {cmd | done << MEMOP_EXTENT_SHIFT, args->a[1]},
        };

        return hypercall_restart(v, HC_memory_op, &rest);
    }
    return (long)done;
}

/* --- exchange ------------------------------------------------------------ */

struct exchange {
    struct domain *domain;
    struct xenmem_reservation_args in, out;
    uint64_t frames;      /* given, and taken */
    uint64_t *given;      /* first frames of the extents given */
    uint64_t *pfns;       /* of the extents taken */
    uint64_t *taken;      /* first frames of the extents taken */
    uint64_t taken_count; /* of these, how many aren't a domain's yet */
};

static int check_exchange(struct vcpu *v, const struct xenmem_exchange_args *op,
                          struct exchange *e)
{
    domid_t self = v->domain->id;

    e->domain = v->domain;
    e->in = op->in;
    e->out = op->out;
    if ((e->in.domid != DOMID_SELF && e->in.domid != self) ||
        (e->out.domid != DOMID_SELF && e->out.domid != self))
        return -EPERM;
    if (op->nr_exchanged)
        return refuse(-EINVAL, "an exchange is not done in parts");
    if (!order_is_allowed(v, e->in.extent_order) ||
        !order_is_allowed(v, e->out.extent_order))
        return -EINVAL;
    if (e->in.nr_extents > EXCHANGE_MAX_FRAMES >> e->in.extent_order ||
        e->out.nr_extents > EXCHANGE_MAX_FRAMES >> e->out.extent_order)
        return refuse(-E2BIG, "an exchange of more than %u frames",
                      EXCHANGE_MAX_FRAMES);
    e->frames = e->in.nr_extents << e->in.extent_order;
    if (e->frames != e->out.nr_extents << e->out.extent_order)
        return refuse(-EINVAL, "an exchange of unequal sizes");
    return 0;
}

static int read_extents(const struct xenmem_reservation_args *list,
                        uint64_t *numbers)
{
    for (uint64_t i = 0; i < list->nr_extents; i++) {
        int error = read_extent(list->extent_start, i, &numbers[i]);

        if (error)
            return error;
    }
    return 0;
}

/* The number of the i-th frame given. */
static mfn_t given_frame(const struct exchange *e, uint64_t i)
{
    unsigned order = e->in.extent_order;

    return MFN(e->given[i >> order] + (i & ((1ull << order) - 1)));
}

static bool has_one_user(const struct frame *f)
{
    uint64_t state = __atomic_load_n(&f->state, __ATOMIC_ACQUIRE);

    /* Two references: being allocated, and check_given's own. */
    return (state & FRAME_COUNT_MASK) == 2 && (state & FRAME_ALLOCATED) &&
           !frame_type_count(state) &&
           !(state & (FRAME_PINNED | FRAME_PARTIAL));
}

/*
 * Whether all frames given are the domain's, unused, and different. While it
 * looks it holds a reference to each, so that a frame listed twice shows.
 */
static int check_given(const struct exchange *e)
{
    uint64_t held = 0;
    int error = 0;

    for (; held < e->frames; held++)
        if (!frame_get(given_frame(e, held), e->domain))
            break;
    if (held < e->frames)
        error = refuse(-EINVAL, "frame %#llx is not the caller's",
                       (unsigned long long)given_frame(e, held).n);
    for (uint64_t i = 0; i < e->frames && !error; i++)
        if (!has_one_user(frame_lookup(given_frame(e, i))))
            error = refuse(-EBUSY, "frame %#llx is in use",
                           (unsigned long long)given_frame(e, i).n);
    while (held-- > 0)
        frame_put(frame_lookup(given_frame(e, held)));
    return error;
}

static void drop_taken(struct exchange *e)
{
    while (e->taken_count > 0)
        free_clean(MFN(e->taken[--e->taken_count]), e->out.extent_order);
}

/* Allocates the frames to be taken and tells the guest their numbers. */
static int take_frames(struct exchange *e)
{
    unsigned bits = address_bits_of(e->out.mem_flags);

    for (uint64_t i = 0; i < e->out.nr_extents; i++) {
        mfn_t first = alloc_clean(e->out.extent_order, bits, e->pfns[i]);

        if (mfn_equal(first, MFN_INVALID))
            return -ENOMEM;
        e->taken[e->taken_count++] = first.n;
    }
    for (uint64_t i = 0; i < e->taken_count; i++)
        if (write_extent(e->out.extent_start, i, MFN(e->taken[i])))
            return -EFAULT;
    return 0;
}

/*
 * Swaps the frames for good. Fails only for a guest whose other vCPUs use
 * the frames given, or fill its memory to the limit, at this very moment; it
 * may then end up with fewer frames.
 */
static int swap_frames(struct exchange *e)
{
    int error = 0;

    for (uint64_t i = 0; i < e->frames && !error; i++)
        error = frame_unassign(frame_lookup(given_frame(e, i)), e->domain);
    while (!error && e->taken_count > 0) {
        error = frame_assign(MFN(e->taken[e->taken_count - 1]),
                             e->out.extent_order, e->domain);
        if (!error)
            e->taken_count--;
    }
    return error;
}

static int write_exchanged(guest_va arg, uint64_t extents)
{
    guest_va where =
        guest_va_add(arg, offsetof(struct xenmem_exchange_args, nr_exchanged));

    return copy_out(where, &extents, sizeof(extents)) ? -EFAULT : 0;
}

static int run_exchange(struct exchange *e, guest_va arg)
{
    int error = read_extents(&e->in, e->given);

    if (!error)
        error = read_extents(&e->out, e->pfns);
    if (!error)
        error = check_given(e);
    if (!error)
        error = take_frames(e);
    if (!error)
        error = write_exchanged(arg, e->in.nr_extents);
    if (error)
        return error;
    error = swap_frames(e);
    if (error && write_exchanged(arg, 0))
        error = -EFAULT;
    return error;
}

static long xenmem_exchange(struct vcpu *v, guest_va arg)
{
    size_t list = EXCHANGE_MAX_FRAMES * sizeof(uint64_t);
    struct xenmem_exchange_args op;
    struct exchange e = {.frames = 0};
    uint64_t *lists;
    int error;

    if (copy_in(&op, arg, sizeof(op)))
        return -EFAULT;
    error = check_exchange(v, &op, &e);
    if (error)
        return error;
    lists = heap_zalloc(3 * list);
    if (!lists)
        return -ENOMEM;
    e.given = lists;
    e.pfns = lists + EXCHANGE_MAX_FRAMES;
    e.taken = lists + 2 * EXCHANGE_MAX_FRAMES;
    error = run_exchange(&e, arg);
    drop_taken(&e);
    heap_zfree(lists, 3 * list);
    return error;
}

/* --- questions ----------------------------------------------------------- */

/* current_reservation, maximum_reservation, maximum_gpfn. */
static long ask_domain(struct vcpu *v, unsigned cmd, guest_va arg)
{
    struct xenmem_domain_args op;
    struct domain *d;
    uint64_t result;
    int error;

    if (copy_in(&op, arg, sizeof(op)))
        return -EFAULT;
    error = get_target(v, op.domid, &d);
    if (error)
        return error;
    if (cmd == XENMEM_maximum_gpfn) {
        /* What the guest says; it need not be true. */
        result =
            __atomic_load_n(&d->shared_info->arch.max_pfn, __ATOMIC_RELAXED);
        result -= result != 0;
    } else {
        spin_lock(&d->memory_lock);
        result =
            cmd == XENMEM_current_reservation ? d->page_count : d->max_pages;
        spin_unlock(&d->memory_lock);
    }
    domain_put(d);
    return (long)min_u64(result, MAX_FRAME_NUMBER);
}

/* Copies out a map, and how long it is; both maps go this way. */
static long put_map(guest_va arg, const struct e820_entry *map, size_t count)
{
    struct xenmem_memory_map_args op;

    if (copy_in(&op, arg, sizeof(op)))
        return -EFAULT;
    if (op.nr_entries < count)
        return -EINVAL;
    op.nr_entries = (uint32_t)count;
    if (copy_out(op.buffer, map, count * sizeof(*map)) ||
        copy_out(arg, &op, sizeof(op)))
        return -EFAULT;
    return 0;
}

static long xenmem_memory_map(struct vcpu *v, guest_va arg)
{
    struct domain *d = v->domain;
    struct e820_entry *map;
    size_t count;
    long result;

    map = heap_zalloc(E820_MAX_ENTRIES * sizeof(*map));
    if (!map)
        return -ENOMEM;
    spin_lock(&d->memory_lock);
    count = min_u64(d->e820_count, E820_MAX_ENTRIES);
    if (count)
        memcpy(map, d->e820, count * sizeof(*map));
    spin_unlock(&d->memory_lock);
    result = count ? put_map(arg, map, count) : -ENOSYS;
    heap_zfree(map, E820_MAX_ENTRIES * sizeof(*map));
    return result;
}

/* Gives `d` the map that lies at `buffer`, in place of what it had. */
static int replace_map(struct domain *d, guest_va buffer, size_t count)
{
    size_t size = count * sizeof(struct e820_entry);
    size_t old_size;
    void *map = heap_zalloc(size), *old;

    if (!map)
        return -ENOMEM;
    if (copy_in(map, buffer, size)) {
        heap_zfree(map, size);
        return -EFAULT;
    }
    spin_lock(&d->memory_lock);
    old = d->e820;
    old_size = d->e820_count * sizeof(struct e820_entry);
    d->e820 = map;
    d->e820_count = count;
    spin_unlock(&d->memory_lock);
    heap_zfree(old, old_size);
    return 0;
}

static long xenmem_set_memory_map(struct vcpu *v, guest_va arg)
{
    struct xenmem_set_memory_map_args op;
    struct domain *d;
    int error;

    if (!v->domain->is_privileged)
        return -EPERM;
    if (copy_in(&op, arg, sizeof(op)))
        return -EFAULT;
    if (!op.map.nr_entries || op.map.nr_entries > E820_MAX_ENTRIES)
        return -EINVAL;
    error = get_target(v, op.domid, &d);
    if (error)
        return error;
    error = replace_map(d, op.map.buffer, op.map.nr_entries);
    domain_put(d);
    return error;
}

static long xenmem_machine_memory_map(struct vcpu *v, guest_va arg)
{
    if (!v->domain->is_privileged)
        return -EPERM;
    return put_map(arg, machine_e820, machine_e820_count);
}

static long xenmem_machphys_mapping(guest_va arg)
{
    struct xenmem_machphys_mapping_args op = {
        .v_start = MACH2PHYS_VIRT_START,
        .v_end = MACH2PHYS_VIRT_END,
        .max_mfn = frame_table_end - 1,
    };

    return copy_out(arg, &op, sizeof(op)) ? -EFAULT : 0;
}

static long xenmem_machphys_mfn_list(struct vcpu *v, guest_va arg)
{
    struct xenmem_machphys_mfn_list_args op;
    uint64_t i;

    if (!v->domain->is_privileged)
        return -EPERM;
    if (copy_in(&op, arg, sizeof(op)))
        return -EFAULT;
    for (i = 0; i < op.max_extents; i++) {
        mfn_t first = machine_m2p_frame(i);

        if (mfn_equal(first, MFN_INVALID))
            break;
        if (write_extent(op.extent_start, i, first))
            return -EFAULT;
    }
    op.nr_extents = (uint32_t)i;
    return copy_out(arg, &op, sizeof(op)) ? -EFAULT : 0;
}

/* memory_op(cmd | start_extent << MEMOP_EXTENT_SHIFT, arg) */
long hc_memory_op(struct vcpu *v, const struct hc_args *args)
{
    unsigned cmd = args->a[0] & MEMOP_CMD_MASK;
    guest_va arg = HC_ARG_VA(args, 1);

    switch (cmd) {
    case XENMEM_increase_reservation:
    case XENMEM_decrease_reservation:
    case XENMEM_populate_physmap:
        return change_reservation(v, args);
    case XENMEM_exchange:
        return xenmem_exchange(v, arg);
    case XENMEM_maximum_ram_page:
        return (long)(frame_table_end - 1);
    case XENMEM_current_reservation:
    case XENMEM_maximum_reservation:
    case XENMEM_maximum_gpfn:
        return ask_domain(v, cmd, arg);
    case XENMEM_memory_map:
        return xenmem_memory_map(v, arg);
    case XENMEM_set_memory_map:
        return xenmem_set_memory_map(v, arg);
    case XENMEM_machine_memory_map:
        return xenmem_machine_memory_map(v, arg);
    case XENMEM_machphys_mapping:
        return xenmem_machphys_mapping(arg);
    case XENMEM_machphys_mfn_list:
        return xenmem_machphys_mfn_list(v, arg);
    case XENMEM_add_to_physmap:
    case XENMEM_add_to_physmap_batch:
    case XENMEM_remove_from_physmap:
    case XENMEM_acquire_resource:
        return -EOPNOTSUPP;
    default:
        return refuse(-ENOSYS, "memory_op %u is not served", cmd);
    }
}
