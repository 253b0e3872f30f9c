/* SPDX-License-Identifier: MIT */
/* Domains with validated page tables; mmu_guest.h says how to use them. */
#include <stdio.h>
#include <stdlib.h>

#include "host/mmu_guest.h"

#include "core/frame.h"
#include "core/heap.h"
#include "core/pcpu.h"
#include "core/pt_validate.h"
#include "host/arch_fake.h"
#include "hypercall_abi/mmu.h"

static unsigned restarts_seen;

static void need(bool claim, const char *what)
{
    if (claim)
        return;
    fprintf(stderr, "mmu guest: %s failed\n", what);
    abort();
}

/* The page `pfn`, as Mica sees it. */
uint64_t *mmu_page(const struct mmu_guest *g, unsigned pfn)
{
    return arch_frame_ptr(g->frame[pfn]);
}

struct frame *mmu_frame(const struct mmu_guest *g, unsigned pfn)
{
    return &frame_table[g->frame[pfn].n];
}

/* The machine address of entry `index` in page `pfn`. */
uint64_t mmu_address(const struct mmu_guest *g, unsigned pfn, unsigned index)
{
    return g->frame[pfn].n << PAGE_SHIFT | index * sizeof(uint64_t);
}

/* An entry that names page `pfn`. */
uint64_t mmu_entry(const struct mmu_guest *g, unsigned pfn, uint64_t flags)
{
    return pte_make(g->frame[pfn], flags);
}

static void allocate(struct mmu_guest *g)
{
    for (unsigned i = 0; i < MMU_PAGES; i++) {
        g->frame[i] = heap_alloc(0, HEAP_ANY_ADDRESS);
        need(!mfn_equal(g->frame[i], MFN_INVALID), "heap_alloc");
        memset(mmu_page(g, i), 0, PAGE_SIZE);
        need(!frame_assign(g->frame[i], 0, g->d), "frame_assign");
    }
}

static void build_tables(const struct mmu_guest *g)
{
    mmu_page(g, MMU_L4)[pt_index(MMU_VA, 4)] = mmu_entry(g, MMU_L3, MMU_TABLE);
    mmu_page(g, MMU_L3)[pt_index(MMU_VA, 3)] = mmu_entry(g, MMU_L2, MMU_TABLE);
    mmu_page(g, MMU_L2)[pt_index(MMU_VA, 2)] = mmu_entry(g, MMU_L1, MMU_TABLE);
    for (unsigned i = 0; i < MMU_PAGES; i++)
        mmu_page(g, MMU_L1)[i] =
            mmu_entry(g, i, i < MMU_ARGS ? MMU_READ_ONLY : MMU_WRITABLE);
}

static int get_root(const struct mmu_guest *g)
{
    int error;

    do {
        this_pcpu()->entered_at = fake.now;
        this_pcpu()->need_resched = false;
        spin_lock(&g->d->pt_lock);
        error = pt_get_table(g->d, g->frame[MMU_L4], 4);
        spin_unlock(&g->d->pt_lock);
    } while (error == -ERESTART);
    return error;
}

/* Gives a domain without memory its pages and tables. */
void mmu_guest_fill(struct mmu_guest *g)
{
    allocate(g);
    build_tables(g);
    need(!get_root(g), "pt_get_table");
    g->v->kernel_root = g->frame[MMU_L4];
}

/* A domain with one vCPU and its page tables in place. */
void mmu_guest_create(struct mmu_guest *g, domid_t id)
{
    *g = (struct mmu_guest){.d = domain_create(id, 1)};
    need(g->d != NULL, "domain_create");
    g->d->max_pages = 2 * MMU_PAGES;
    g->v = vcpu_create(g->d, 0);
    need(g->v != NULL, "vcpu_create");
    mmu_guest_fill(g);
}

static void put_root(struct domain *d, mfn_t *root)
{
    if (!mfn_equal(*root, MFN_INVALID))
        pt_put_table(d, frame_lookup(*root));
    *root = MFN_INVALID;
}

/* Makes the first page the root again, by force. Whether it can be one. */
bool mmu_guest_reset_root(struct mmu_guest *g)
{
    if (get_root(g))
        return false;
    put_root(g->d, &g->v->kernel_root);
    g->v->kernel_root = g->frame[MMU_L4];
    flush_clock_note(flush_clock_advance());
    return true;
}

static void drain(struct domain *d)
{
    do {
        this_pcpu()->entered_at = fake.now;
        this_pcpu()->need_resched = false;
    } while (pt_drain(d));
}

/* Drops all page tables of a domain, and with them what they map. */
void mmu_guest_drop_tables(struct mmu_guest *g)
{
    struct domain *d = g->d;
    uint64_t cursor = 0;
    struct frame *f;

    put_root(d, &g->v->kernel_root);
    put_root(d, &g->v->user_root);
    drain(d);
    while (frame_next_owned(d, &cursor, &f)) {
        if (f->state & FRAME_PINNED) {
            f->state &= ~FRAME_PINNED;
            pt_put_table(d, f);
        }
        drain(d);
        while (pt_settle(d, f))
            drain(d);
    }
}

/* Takes its memory from a domain whose frames nobody maps any more. */
void mmu_guest_empty(struct mmu_guest *g)
{
    uint64_t cursor = 0;
    struct frame *f;

    while (frame_next_owned(g->d, &cursor, &f))
        if (frame_type(f) != FRAME_SHARED)
            need(!frame_unassign(f, g->d), "frame_unassign");
    need(!g->d->page_count, "page_count");
}

/* The calls that follow come from this domain, on its pCPU. */
void mmu_guest_run(const struct mmu_guest *g)
{
    fake.cpu = g->cpu;
    pcpus[g->cpu].current = g->v;
}

bool mmu_is_cut(void)
{
    return fake.restarts != restarts_seen;
}

/* A hypercall with five arguments, as it is. */
long mmu_call_once(hypercall_handler *handler, const uint64_t *args)
{
    struct hc_args a;

    memcpy(a.a, args, sizeof(a.a));
    restarts_seen = fake.restarts;
    this_pcpu()->entered_at = fake.now;
    this_pcpu()->need_resched = false;
    return handler(current_vcpu(), &a);
}

/* A hypercall with five arguments, issued until it has come to its end. */
long mmu_call(hypercall_handler *handler, const uint64_t *args)
{
    uint64_t left[5];
    long result;

    memcpy(left, args, sizeof(left));
    for (;;) {
        result = mmu_call_once(handler, left);
        if (!mmu_is_cut())
            return result;
        memcpy(left, fake.restart_args, sizeof(left));
    }
}

static void put_update(const struct mmu_guest *g, uint64_t ptr, uint64_t value,
                       uint64_t *args)
{
    struct mmu_update u = {.ptr = ptr, .val = value};

    memcpy(mmu_page(g, MMU_ARGS), &u, sizeof(u));
    args[0] = mmu_va(MMU_ARGS);
    args[1] = 1;
    args[2] = 0;
    args[3] = DOMID_SELF;
    args[4] = 0;
}

/* mmu_update with one request. */
long mmu_update_once(const struct mmu_guest *g, uint64_t ptr, uint64_t value)
{
    uint64_t args[5];

    put_update(g, ptr, value, args);
    return mmu_call_once(hc_mmu_update, args);
}

long mmu_update(const struct mmu_guest *g, uint64_t ptr, uint64_t value)
{
    uint64_t args[5];

    put_update(g, ptr, value, args);
    return mmu_call(hc_mmu_update, args);
}

static void put_ext(const struct mmu_guest *g, unsigned cmd, uint64_t arg1,
                    uint64_t arg2, uint64_t *args)
{
    struct mmuext_op op = {.cmd = cmd, .arg1.mfn = arg1, .arg2.src_mfn = arg2};

    memcpy(mmu_page(g, MMU_ARGS), &op, sizeof(op));
    args[0] = mmu_va(MMU_ARGS);
    args[1] = 1;
    args[2] = 0;
    args[3] = DOMID_SELF;
    args[4] = 0;
}

/* mmuext_op with one request. */
long mmu_ext_once(const struct mmu_guest *g, unsigned cmd, uint64_t arg1,
                  uint64_t arg2)
{
    uint64_t args[5];

    put_ext(g, cmd, arg1, arg2, args);
    return mmu_call_once(hc_mmuext_op, args);
}

long mmu_ext(const struct mmu_guest *g, unsigned cmd, uint64_t arg1,
             uint64_t arg2)
{
    uint64_t args[5];

    put_ext(g, cmd, arg1, arg2, args);
    return mmu_call(hc_mmuext_op, args);
}

/* update_va_mapping. */
long mmu_map_va(const struct mmu_guest *g, uint64_t va, uint64_t entry,
                uint64_t flags)
{
    uint64_t args[5] = {va, entry, flags};

    (void)g;
    return mmu_call(hc_update_va_mapping, args);
}

/* Maps page `pfn` anew in its place of the row. */
long mmu_guest_remap(const struct mmu_guest *g, unsigned pfn, uint64_t flags)
{
    return mmu_map_va(g, mmu_va(pfn), flags ? mmu_entry(g, pfn, flags) : 0, 0);
}
