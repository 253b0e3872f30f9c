/* SPDX-License-Identifier: MIT */
/*
 * XENMEM_exchange: frames for frames of another shape, all or nothing. The
 * frames given are checked while references to all of them are held, those
 * taken are allocated and announced, and only then they change hands.
 */
#include "core/arch.h"
#include "core/domain.h"
#include "core/extent.h"
#include "core/frame.h"
#include "core/guest_copy.h"
#include "core/heap.h"
#include "core/log.h"
#include "hypercall_abi/memory.h"

/* The most that one exchange trades; it is one step as a whole: 4 MiB. */
#define MAX_FRAMES 1024u

struct exchange {
    struct domain *domain;
    struct xenmem_exchange_args op;
    uint64_t frames;            /* given, and taken */
    uint64_t given[MAX_FRAMES]; /* first frames of the extents given */
    uint64_t taken[MAX_FRAMES]; /* pfns, then first frames, of those taken */
    uint64_t taken_count;       /* of these, how many aren't a domain's yet */
};

static int check_side(const struct domain *d,
                      const struct xenmem_reservation_args *side)
{
    if (side->domid != DOMID_SELF && side->domid != d->id)
        return -EPERM;
    if (!extent_order_is_allowed(d, side->extent_order))
        return -EINVAL;
    if (side->nr_extents > MAX_FRAMES >> side->extent_order)
        return refuse(-E2BIG, "an exchange of more than %u frames", MAX_FRAMES);
    return 0;
}

/* Copies in the request with its lists. */
static int read_request(struct exchange *e, guest_va arg)
{
    const struct xenmem_reservation_args *in = &e->op.in, *out = &e->op.out;
    int error;

    if (copy_in(&e->op, arg, sizeof(e->op)))
        return -EFAULT;
    error = check_side(e->domain, in);
    if (!error)
        error = check_side(e->domain, out);
    if (error)
        return error;
    if (e->op.nr_exchanged)
        return refuse(-EINVAL, "an exchange is not done in parts");
    e->frames = in->nr_extents << in->extent_order;
    if (e->frames != out->nr_extents << out->extent_order)
        return refuse(-EINVAL, "an exchange of unequal sizes");
    if (copy_in(e->given, in->extent_start, in->nr_extents * sizeof(uint64_t)))
        return -EFAULT;
    if (copy_in(e->taken, out->extent_start,
                out->nr_extents * sizeof(uint64_t)))
        return -EFAULT;
    return 0;
}

/* The number of the i-th frame given. */
static mfn_t given_frame(const struct exchange *e, uint64_t i)
{
    unsigned order = e->op.in.extent_order;

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

    while (held < e->frames && frame_get(given_frame(e, held), e->domain))
        held++;
    if (held < e->frames)
        error = refuse(-EINVAL, "frame %#lx is not the caller's",
                       given_frame(e, held).n);
    for (uint64_t i = 0; i < e->frames && !error; i++)
        if (!has_one_user(frame_lookup(given_frame(e, i))))
            error = refuse(-EBUSY, "frame %#lx is in use", given_frame(e, i).n);
    while (held-- > 0)
        frame_put(frame_lookup(given_frame(e, held)));
    return error;
}

/* Allocates the frames to be taken and tells the guest their numbers. */
static int take_frames(struct exchange *e)
{
    const struct xenmem_reservation_args *out = &e->op.out;

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
                             e->op.out.extent_order, e->domain);
        if (!error)
            e->taken_count--;
    }
    return error;
}

/* Tells the guest how many extents it has exchanged: all or none. */
static int answer(struct exchange *e, guest_va arg, uint64_t extents)
{
    e->op.nr_exchanged = extents;
    return copy_out(arg, &e->op, sizeof(e->op)) ? -EFAULT : 0;
}

static int run(struct exchange *e, guest_va arg)
{
    int error = read_request(e, arg);

    if (!error)
        error = check_given(e);
    if (!error)
        error = take_frames(e);
    if (!error)
        error = answer(e, arg, e->op.in.nr_extents);
    if (error)
        return error;
    error = swap_frames(e);
    if (error && answer(e, arg, 0))
        error = -EFAULT;
    return error;
}

/* The whole of an exchange by `d`, the caller's domain. 0, -Exxx. */
long xenmem_exchange(struct domain *d, guest_va arg)
{
    struct exchange *e = heap_zalloc(sizeof(*e));
    int error;

    if (!e)
        return -ENOMEM;
    e->domain = d;
    error = run(e, arg);
    while (e->taken_count > 0)
        extent_free(MFN(e->taken[--e->taken_count]), e->op.out.extent_order);
    heap_zfree(e, sizeof(*e));
    return error;
}
