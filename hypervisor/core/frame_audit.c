/* SPDX-License-Identifier: MIT */
/*
 * The auditor (frame_audit.h). It counts for as many frames at a time as it
 * gets memory for, and goes through everything that holds references once
 * for each such window.
 */
#include "core/frame_audit.h"

#include "core/arch.h"
#include "core/domain.h"
#include "core/grant.h"
#include "core/heap.h"
#include "core/log.h"
#include "core/pt_validate.h"
#include "hypercall_abi/mmu.h"

#define MAX_REPORTS 40u

struct expected {
    uint32_t general, typed;
};

/* An audit under way: `counts` is for frames first to end - 1. */
struct audit {
    uint64_t first, end;
    struct expected *counts;
    uint64_t free; /* frames that are free by their records */
    unsigned differences;
};

static const char *const type_names[] = {
    "none", "writable", "L1", "L2", "L3", "L4", "segdesc", "shared"};

/* Counts a difference; whether it is one of the first, to be reported. */
static bool is_reported(struct audit *a)
{
    a->differences++;
    if (a->differences == MAX_REPORTS + 1)
        log_error("audit: there are more differences");
    return a->differences <= MAX_REPORTS;
}

#define report(a, ...)                                                         \
    do {                                                                       \
        if (is_reported(a))                                                    \
            log_error("audit: " __VA_ARGS__);                                  \
    } while (0)

/* --- counting ------------------------------------------------------------ */

/* Counts a reference; numbers that stand for none are in no window. */
static void note(void *context, mfn_t mfn, enum frame_type type)
{
    struct audit *a = context;
    const struct frame *f = frame_lookup(mfn);
    enum frame_type is;

    if (mfn.n < a->first || mfn.n >= a->end)
        return;
    if (!f) {
        report(a, "frame %#lx is referenced as %s and is no RAM", mfn.n,
               type_names[type]);
        return;
    }
    is = frame_type(f);
    if (type != FRAME_NONE && is != type &&
        !(type == FRAME_WRITABLE && is == FRAME_SHARED))
        report(a, "frame %#lx of d%u is %s and referenced as %s", mfn.n,
               frame_owner(f), type_names[is], type_names[type]);
    a->counts[mfn.n - a->first].general++;
    a->counts[mfn.n - a->first].typed += type != FRAME_NONE;
}

/* Every reference that the table in `f` holds. */
static void count_table(struct audit *a, const struct frame *f)
{
    const uint64_t *table = arch_frame_ptr(frame_mfn(f));
    unsigned level = frame_type(f) - FRAME_L1 + 1, held = pt_entries_held(f);

    for (unsigned i = 0; i < held; i++) {
        uint64_t entry = pte_read(&table[i]);
        mfn_t mfn = pte_frame(entry);

        if (!(entry & PTE_PRESENT) || pt_is_own_slot(level, i))
            continue;
        if (level > 1)
            note(a, mfn, frame_type(f) - 1);
        else if (frame_lookup(mfn)) /* not a device's */
            note(a, mfn, entry & PTE_WRITE ? FRAME_WRITABLE : FRAME_NONE);
    }
}

/* What frame `f` itself says of references to it, and those it holds. */
static void count_frame(struct audit *a, const struct frame *f)
{
    uint64_t state = f->state;
    mfn_t mfn = frame_mfn(f);

    if (frame_owner(f) == OWNER_NOBODY || frame_type(f) == FRAME_SHARED)
        note(a, mfn, FRAME_NONE); /* Mica's own */
    if (state & FRAME_ALLOCATED)
        note(a, mfn, FRAME_NONE);
    if (state & FRAME_PARTIAL)
        note(a, mfn, FRAME_NONE);
    if (state & FRAME_PINNED)
        note(a, mfn, frame_type(f));
    if (frame_type_is_table(frame_type(f)))
        count_table(a, f);
}

/* Whether the frames of `d` are as many as it is said to have. */
static void check_page_count(struct audit *a, struct domain *d)
{
    uint64_t cursor = 0, count = 0;
    struct frame *f;

    while (frame_next_owned(d, &cursor, &f))
        count += frame_type(f) != FRAME_SHARED;
    if (count != d->page_count)
        report(a, "d%u has %lu frames, is said to have %lu", d->id, count,
               d->page_count);
}

static void note_descriptors(void *context, mfn_t mfn)
{
    note(context, mfn, FRAME_SEGDESC);
}

static void count_domain(struct audit *a, struct domain *d)
{
    for (unsigned i = 0; i < d->max_vcpus; i++) {
        struct vcpu *v = domain_vcpu(d, i);

        if (!v)
            continue;
        note(a, v->kernel_root, FRAME_L4);
        note(a, v->user_root, FRAME_L4);
        note(a, v->info_frame, FRAME_WRITABLE);
        arch_vcpu_frame_refs(v, note_descriptors, a);
    }
    grant_frame_refs(d, note, a);
    if (!a->first)
        check_page_count(a, d);
}

/* Of a free block only the first frame has a state, with the links. */
static void count_all(struct audit *a)
{
    struct domain *d;

    a->free = 0;
    for (uint64_t n = 0; n < frame_table_end; n++) {
        const struct frame *f = frame_lookup(MFN(n));

        if (f && (!f->state || f->state & FRAME_FREE))
            a->free++;
        else if (f)
            count_frame(a, f);
    }
    for (unsigned id = 0; (d = domain_next_get((domid_t)id)); id = d->id + 1u) {
        count_domain(a, d);
        domain_put(d); /* its own reference keeps it: nobody else runs */
    }
}

/* --- comparing ----------------------------------------------------------- */

static void compare(struct audit *a, const struct frame *f)
{
    const struct expected *e = &a->counts[frame_mfn(f).n - a->first];
    uint64_t state = f->state & FRAME_FREE ? 0 : f->state;
    uint64_t general = state & FRAME_COUNT_MASK;
    uint64_t typed = frame_type_count(state);

    if (general != e->general || typed != e->typed || state & FRAME_CHANGING ||
        (state & FRAME_PARTIAL && typed))
        report(a,
               "frame %#lx of d%u, %s, state %#lx: found %lu references, %lu "
               "of its type; expected %u, %u",
               frame_mfn(f).n, frame_owner(f), type_names[frame_type(f)], state,
               general, typed, e->general, e->typed);
}

/* --- windows ------------------------------------------------------------- */

static void audit_window(struct audit *a)
{
    count_all(a);
    for (uint64_t n = a->first; n < a->end; n++)
        if (frame_lookup(MFN(n)))
            compare(a, frame_lookup(MFN(n)));
}

unsigned frame_audit(void)
{
    struct audit a = {.differences = 0};
    unsigned order = 0;
    uint64_t room;

    while (order < HEAP_MAX_ORDER &&
           PAGE_SIZE << order < frame_table_end * sizeof(*a.counts))
        order++;
    while (!(a.counts = frames_alloc(order)) && order)
        order--;
    if (!a.counts) {
        log_error("audit: no memory");
        return 1;
    }
    room = (PAGE_SIZE << order) / sizeof(*a.counts);
    for (; a.first < frame_table_end; a.first = a.end) {
        a.end = min_u64(a.first + room, frame_table_end);
        memset(a.counts, 0, PAGE_SIZE << order);
        audit_window(&a);
    }
    if (a.free != heap_free_frames())
        report(&a, "%lu frames are free, the heap has %lu", a.free,
               heap_free_frames());
    frames_free(a.counts, order);
    if (a.differences)
        log_error("audit: %u differences", a.differences);
    return a.differences;
}
