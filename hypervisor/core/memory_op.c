/* SPDX-License-Identifier: MIT */
/*
 * memory_op: what memory a domain has, getting it and giving it back. A call
 * names its domain in its arguments: the caller's own, or for the privileged
 * any. Ownership and the limit are frame.c's; this file parses requests and
 * keeps their place when they are cut short. It deals in extents, 2^order
 * frames in a row, as lists of their first numbers in guest memory.
 */
#include "core/arch.h"
#include "core/domain.h"
#include "core/frame.h"
#include "core/guest_copy.h"
#include "core/heap.h"
#include "core/hypercall.h"
#include "core/log.h"
#include "core/machine.h"
#include "core/sub_op.h"
#include "core/vcpu.h"
#include "hypercall_abi/memory.h"
#include "hypercall_abi/mmu.h"

#define MAX_EXTENTS (UINT32_MAX >> MEMOP_EXTENT_SHIFT)
#define MAX_ORDER 9u /* of an extent, which is zeroed in one go */
#define MAX_ORDER_DOM0_EXCHANGE 10u /* as MAX_EXCHANGED */
#define MAX_FRAME_NUMBER (1ull << 40)
#define MAX_RESULT (1ull << 40)
#define MAX_EXCHANGED 1024u /* frames; it is one step as a whole: 4 MiB */

/* The command without its progress. */
static unsigned command_of(const struct sub_call *c)
{
    return c->cmd & MEMOP_CMD_MASK;
}

/* --- extents ------------------------------------------------------------- */

static guest_va list_at(guest_va list, uint64_t index)
{
    return guest_va_add(list, index * sizeof(uint64_t));
}

/* Reads a first frame, to which an order can be added. 0, -EFAULT, -EINVAL. */
static int list_read(guest_va list, uint64_t index, uint64_t *number)
{
    if (copy_in(number, list_at(list, index), sizeof(*number)))
        return -EFAULT;
    return *number < MAX_FRAME_NUMBER ? 0 : -EINVAL;
}

/*
 * 2^order zeroed frames in a row where mem_flags allow, nobody's yet, at `pfn`
 * in the M2P unless that is PFN_INVALID's number. The first, or MFN_INVALID.
 */
static mfn_t extent_alloc(unsigned order, uint32_t mem_flags, uint64_t pfn)
{
    unsigned bits = mem_flags & XENMEMF_ADDRESS_BITS_MASK;
    mfn_t first = heap_alloc(order, bits ? bits : HEAP_ANY_ADDRESS);

    if (mfn_equal(first, MFN_INVALID))
        return first;
    memset(arch_frame_ptr(first), 0, PAGE_SIZE << order);
    for (uint64_t i = 0; i < 1ull << order; i++)
        arch_m2p_set(mfn_add(first, i), pfn == PFN_INVALID ? pfn : pfn + i);
    return first;
}

/* Takes back frames from extent_alloc that no domain got. */
static void extent_free(mfn_t first, unsigned order)
{
    for (uint64_t i = 0; i < 1ull << order; i++)
        arch_m2p_set(mfn_add(first, i), PFN_INVALID);
    heap_free(first, 1ull << order);
}

/*
 * New frames for the pfn listed, whose place takes the MFN; to increase a
 * reservation, for no pfn, and the list may be missing. They are announced
 * before they become the domain's: a request that fails half way has then
 * nothing to take back that a guest could use.
 */
static int add_extent(const struct sub_call *c,
                      const struct xenmem_reservation_args *op, uint64_t index)
{
    uint64_t pfn = PFN_INVALID;
    int error = 0;
    mfn_t first;

    if (command_of(c) == XENMEM_populate_physmap)
        error = list_read(op->extent_start, index, &pfn);
    if (error)
        return error;
    first = extent_alloc(op->extent_order, op->mem_flags, pfn);
    if (mfn_equal(first, MFN_INVALID))
        return -ENOMEM;
    if (op->extent_start.va &&
        copy_out(list_at(op->extent_start, index), &first.n, sizeof(first.n)))
        error = -EFAULT;
    if (!error)
        error = frame_assign(first, op->extent_order, c->d);
    if (error)
        extent_free(first, op->extent_order);
    return error;
}

/* The domain gives up the frames listed; each must be unused. */
static int remove_extent(struct domain *d,
                         const struct xenmem_reservation_args *op,
                         uint64_t index)
{
    uint64_t n;
    int error = list_read(op->extent_start, index, &n);

    for (uint64_t i = 0; !error && i < 1ull << op->extent_order; i++) {
        struct frame *f = frame_lookup(MFN(n + i));

        error = f ? frame_unassign(f, d) : -EINVAL;
        if (error)
            refuse(error, "frame %#lx can't be given up: error %d", n + i,
                   error);
    }
    return error;
}

/* XENMEM_increase_reservation, decrease_reservation, populate_physmap. */
static long change_reservation(struct sub_call *c, void *arg)
{
    const struct xenmem_reservation_args *op = arg;
    bool is_decrease = command_of(c) == XENMEM_decrease_reservation;
    uint64_t i = c->cmd >> MEMOP_EXTENT_SHIFT;
    bool is_cut = false;

    if (i > op->nr_extents || op->nr_extents > MAX_EXTENTS ||
        op->extent_order > MAX_ORDER)
        return refuse(-EINVAL, "extent %lu of %lu of order %u", i,
                      op->nr_extents, op->extent_order);
    hypercall_should_restart(); /* the clock runs: an extent takes its time */
    while (i < op->nr_extents && !is_cut &&
           !(is_decrease ? remove_extent(c->d, op, i) : add_extent(c, op, i)))
        is_cut = ++i < op->nr_extents && hypercall_should_restart();
    c->cmd = command_of(c) | i << MEMOP_EXTENT_SHIFT;
    return is_cut ? -ERESTART : (long)i;
}

/* --- exchange ------------------------------------------------------------ */

/* Frames for frames of another shape, all or nothing. */
struct exchange {
    struct domain *domain;
    struct xenmem_exchange_args *op;
    uint64_t frames;               /* given, and taken */
    uint64_t given[MAX_EXCHANGED]; /* first frames of the extents given */
    uint64_t taken[MAX_EXCHANGED]; /* pfns, then first frames, of those taken */
    uint64_t taken_count; /* of these, how many aren't a domain's yet */
};

/* Checks the request and copies in its lists. */
static int read_request(struct exchange *e)
{
    const struct xenmem_reservation_args *in = &e->op->in, *out = &e->op->out;
    unsigned max_order =
        e->domain->is_privileged ? MAX_ORDER_DOM0_EXCHANGE : MAX_ORDER;

    for (unsigned i = 0; i < 2; i++) {
        const struct xenmem_reservation_args *side = i ? out : in;

        if (side->domid != DOMID_SELF && side->domid != e->domain->id)
            return -EPERM;
        if (side->extent_order > max_order ||
            side->nr_extents > MAX_EXCHANGED >> side->extent_order)
            return refuse(-EINVAL, "an exchange of more than %u frames",
                          MAX_EXCHANGED);
        if (copy_in(i ? e->taken : e->given, side->extent_start,
                    side->nr_extents * sizeof(uint64_t)))
            return -EFAULT;
    }
    e->frames = in->nr_extents << in->extent_order;
    if (e->op->nr_exchanged || e->frames != out->nr_extents
                                                << out->extent_order)
        return refuse(-EINVAL, "an exchange in parts or of unequal sizes");
    return 0;
}

/* The number of the i-th frame given. */
static mfn_t given_frame(const struct exchange *e, uint64_t i)
{
    unsigned order = e->op->in.extent_order;

    return MFN(e->given[i >> order] + (i & ((1ull << order) - 1)));
}

/* Whether `f` has two references: the domain's own, and check_given's. */
static bool is_unused(const struct frame *f)
{
    uint64_t state = __atomic_load_n(&f->state, __ATOMIC_ACQUIRE);

    return (state & (FRAME_ALLOCATED | FRAME_COUNT_MASK)) ==
           (FRAME_ALLOCATED | 2);
}

/*
 * Whether all frames given are the domain's, unused, and different. While it
 * looks it holds a reference to each, so that a frame listed twice shows.
 */
static int check_given(const struct exchange *e)
{
    uint64_t held = 0;
    int error = 0;

    while (held < e->frames && !error) {
        struct frame *f = frame_get(given_frame(e, held), e->domain);

        error = !f ? -EINVAL : is_unused(f) ? 0 : -EBUSY;
        held += f != NULL;
    }
    if (error)
        refuse(error, "an exchange: error %d at frame %lu", error, held);
    while (held-- > 0)
        frame_put(frame_lookup(given_frame(e, held)));
    return error;
}

/* Allocates the frames to be taken and tells the guest their numbers. */
static int take_frames(struct exchange *e)
{
    const struct xenmem_reservation_args *out = &e->op->out;

    for (; e->taken_count < out->nr_extents; e->taken_count++) {
        uint64_t *slot = &e->taken[e->taken_count];
        mfn_t first = extent_alloc(out->extent_order, out->mem_flags, *slot);

        if (mfn_equal(first, MFN_INVALID))
            return -ENOMEM;
        *slot = first.n;
    }
    return copy_out(out->extent_start, e->taken,
                    out->nr_extents * sizeof(uint64_t))
               ? -EFAULT
               : 0;
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
                             e->op->out.extent_order, e->domain);
        e->taken_count -= !error;
    }
    return error;
}

/* XENMEM_exchange: swaps nothing before the caller has all there is to know. */
static long xenmem_exchange(struct sub_call *c, void *arg)
{
    struct xenmem_exchange_args *op = arg;
    struct exchange *e = heap_zalloc(sizeof(*e));
    int error;

    if (!e)
        return -ENOMEM;
    e->domain = c->d;
    e->op = op;
    error = read_request(e);
    if (!error)
        error = check_given(e);
    if (!error)
        error = take_frames(e);
    if (!error)
        error = sub_op_answer(c); /* or the end could not be told */
    if (!error)
        error = swap_frames(e);
    if (!error)
        op->nr_exchanged = op->in.nr_extents;
    while (e->taken_count > 0)
        extent_free(MFN(e->taken[--e->taken_count]), op->out.extent_order);
    heap_zfree(e, sizeof(*e));
    return error;
}

/* --- questions ----------------------------------------------------------- */

/*
 * current_reservation, maximum_reservation, maximum_gpfn: that is the highest
 * pfn in use, as the guest says; it need not be true.
 */
static long ask_domain(struct sub_call *c, void *arg)
{
    const uint64_t *where = command_of(c) == XENMEM_current_reservation
                                ? &c->d->page_count
                            : command_of(c) == XENMEM_maximum_reservation
                                ? &c->d->max_pages
                                : &c->d->shared_info->arch.max_pfn;
    uint64_t result = __atomic_load_n(where, __ATOMIC_RELAXED);

    (void)arg;
    if (command_of(c) == XENMEM_maximum_gpfn && result)
        result--;
    return (long)min_u64(result, MAX_RESULT);
}

/* --- memory maps --------------------------------------------------------- */

/* memory_map, machine_memory_map: copies one out, and how long it is. */
static long put_map(struct sub_call *c, void *arg)
{
    bool is_own = command_of(c) == XENMEM_memory_map;
    struct xenmem_memory_map_args *op = arg;
    struct domain *d = c->d;
    uint64_t count;
    long error = 0;

    spin_lock(&d->memory_lock);
    count = is_own ? d->e820_count : machine_e820_count;
    if (!count)
        error = -ENOSYS;
    else if (op->nr_entries < count)
        error = -EINVAL;
    else if (copy_out(op->buffer, is_own ? d->e820 : machine_e820,
                      count * sizeof(*d->e820)))
        error = -EFAULT;
    op->nr_entries = (uint32_t)count;
    spin_unlock(&d->memory_lock);
    return error;
}

/* By the builder; the last map counts, and one that faults is none. */
static long xenmem_set_memory_map(struct sub_call *c, void *arg)
{
    const struct xenmem_set_memory_map_args *op = arg;
    uint32_t count = op->map.nr_entries;
    struct domain *d = c->d;

    if (!count || count > E820_MAX_ENTRIES)
        return -EINVAL;
    spin_lock(&d->memory_lock);
    d->e820_count = 0;
    if (!copy_in(d->e820, op->map.buffer, count * sizeof(*d->e820)))
        d->e820_count = count;
    count = d->e820_count;
    spin_unlock(&d->memory_lock);
    return count ? 0 : -EFAULT;
}

/* --- Mica's own frames --------------------------------------------------- */

static long xenmem_machphys_mapping(struct sub_call *c, void *arg)
{
    struct xenmem_machphys_mapping_args *op = arg;

    (void)c;
    op->v_start = MACH2PHYS_VIRT_START;
    op->v_end = MACH2PHYS_VIRT_END;
    op->max_mfn = frame_table_end - 1;
    return 0;
}

/* --- dispatch ------------------------------------------------------------ */

#define OP(name, handler, args, flags)                                         \
    [XENMEM_##name] = {handler, sizeof(struct xenmem_##args##_args), flags}
#define OWN(name, flags) OP(name, xenmem_##name, name, flags)
#define RESERVATION(name)                                                      \
    OP(name, change_reservation, reservation,                                  \
       OP_SUBJECT_AT(offsetof(struct xenmem_reservation_args, domid)))

static const struct sub_op ops[] = {
    RESERVATION(increase_reservation),
    RESERVATION(decrease_reservation),
    RESERVATION(populate_physmap),
    OP(current_reservation, ask_domain, domain, OP_SUBJECT),
    OP(maximum_reservation, ask_domain, domain, OP_SUBJECT),
    OP(maximum_gpfn, ask_domain, domain, OP_SUBJECT),
    OP(memory_map, put_map, memory_map, OP_ANSWERS),
    OP(machine_memory_map, put_map, memory_map, OP_DOM0 | OP_ANSWERS),
    OWN(exchange, OP_ANSWERS),
    OWN(machphys_mapping, OP_ANSWERS),
    OWN(set_memory_map, OP_DOM0 | OP_SUBJECT),
};
static const struct sub_op_table table = {ops, ARRAY_LEN(ops), HC_memory_op,
                                          ~MEMOP_CMD_MASK};

/* memory_op(cmd | start_extent << MEMOP_EXTENT_SHIFT, arg) */
long hc_memory_op(struct vcpu *v, const struct hc_args *args)
{
    switch (args->a[0] & MEMOP_CMD_MASK) {
    case XENMEM_maximum_ram_page:
        return (long)(frame_table_end - 1);
    case XENMEM_set_pod_target: /* comes with every balloon's; there is none */
        return v->domain->is_privileged ? 0 : -EPERM;
    case XENMEM_acquire_resource: /* there is another way, taken then */
        return -EOPNOTSUPP;
    default:
        return sub_op_run(&table, v, args->a[0], HC_ARG_VA(args, 1));
    }
}
