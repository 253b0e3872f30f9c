// SPDX-License-Identifier: MIT
/*
 * Two domains, one of them privileged, do what the bytes say to their page
 * tables: mmu_update, update_va_mapping, mmuext_op, memory_op, stores through
 * their mappings, calls cut short and taken up again or not. A model of the
 * processors' translation caches goes along.
 *
 * Claims: the auditor finds nothing; no cached translation allows what the
 * frame behind it must not suffer; the unprivileged domain's tables lead to
 * its own frames only; in the end all memory comes back.
 */
#include <stdio.h>
#include <stdlib.h>

#include "core/frame.h"
#include "core/frame_audit.h"
#include "core/guest_copy.h"
#include "core/heap.h"
#include "core/machine.h"
#include "core/pcpu.h"
#include "core/pt_validate.h"
#include "host/arch_fake.h"
#include "host/mmu_guest.h"
#include "hypercall_abi/memory.h"
#include "hypercall_abi/mmu.h"

#define CACHED 64u
#define STEPS 200u
#define STEPS_PER_AUDIT 16u
#define DEVICE_FRAME 0xfe000ull

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct e820_entry map[] = {{0, 0, 0x9f000, 0, E820_TYPE_RAM}};
const struct e820_entry *machine_e820 = map;
unsigned machine_e820_count = ARRAY_LEN(map);

static void claim(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "fuzz_mmu: not so: %s\n", what);
    abort();
}

/* --- the input ----------------------------------------------------------- */

static const uint8_t *input, *input_end;

static unsigned byte(void)
{
    return input < input_end ? *input++ : 0;
}

/* --- the machine --------------------------------------------------------- */

static struct mmu_guest guests[2];
static struct mmu_guest *g; /* who runs */
static uint64_t frames_at_start;

static struct {
    hypercall_handler *handler;
    uint64_t args[5];
} cut[2]; /* a call of each that was cut short */

static void start_machine(void)
{
    fake_boot(2);
    for (unsigned i = 0; i < 2; i++) {
        mmu_guest_create(&guests[i], (domid_t)(i + 1));
        guests[i].cpu = i;
        cut[i].handler = NULL;
    }
    guests[0].d->is_privileged = true;
    guests[0].d->may_use_devices = true;
    claim(!rangeset_add(guests[0].d->io_frames, DEVICE_FRAME, DEVICE_FRAME + 1),
          "rangeset_add");
}

/* Some pages that are good as tables, and hold each other. */
static void prepare_tables(const struct mmu_guest *of)
{
    mmu_guest_run(of);
    for (unsigned level = 1; level <= 4; level++) {
        unsigned pfn = MMU_FREE + level - 1;

        claim(!mmu_guest_remap(of, pfn, MMU_READ_ONLY), "remap");
        for (unsigned i = 0; i < 40; i += level)
            mmu_page(of, pfn)[i] = level == 1
                                       ? mmu_entry(of, 20 + i, MMU_WRITABLE)
                                       : mmu_entry(of, pfn - 1, MMU_TABLE);
    }
}

static void empty_guests(void)
{
    for (unsigned i = 0; i < 2; i++) {
        mmu_guest_run(&guests[i]);
        mmu_guest_drop_tables(&guests[i]);
    }
    claim(!frame_audit(), "the auditor finds nothing in the end");
    for (unsigned i = 0; i < 2; i++)
        mmu_guest_empty(&guests[i]);
}

/* --- what processors remember -------------------------------------------- */

enum cached_as { AS_TABLE, AS_READABLE, AS_WRITABLE };

static struct cached {
    unsigned cpu;
    uint32_t flushed_at; /* forgotten when the pCPU's differs */
    mfn_t frame;
    domid_t owner;
    enum cached_as as;
} cached[CACHED];
static unsigned cached_next;

static bool is_live(const struct cached *c)
{
    return c->frame.n && pcpus[c->cpu].flushed_at == c->flushed_at;
}

static void remember(mfn_t frame, enum cached_as as)
{
    const struct frame *f = frame_lookup(frame);

    if (f)
        cached[cached_next++ % CACHED] = (struct cached){
            g->cpu, pcpus[g->cpu].flushed_at, frame, frame_owner(f), as};
}

static bool is_table(const struct frame *f)
{
    enum frame_type type = frame_type(f);

    return type >= FRAME_L1 && type <= FRAME_SEGDESC &&
           (frame_type_count(f->state) || f->state & FRAME_PARTIAL);
}

static void check_cached(const struct cached *c)
{
    const struct frame *f = frame_lookup(c->frame);

    if (frame_owner(f) == OWNER_NOBODY)
        return; /* the heap flushes before it hands the frame out */
    claim(frame_owner(f) == c->owner, "a cached frame keeps its owner");
    if (c->as == AS_WRITABLE)
        claim(!is_table(f), "no table is cached as writable");
    if (c->as == AS_TABLE)
        claim(frame_used_type(f) != FRAME_WRITABLE,
              "no writable page is cached as a table");
}

static void check_caches(void)
{
    for (unsigned i = 0; i < CACHED; i++)
        if (is_live(&cached[i]))
            check_cached(&cached[i]);
}

/* --- choices ------------------------------------------------------------- */

static unsigned last_page; /* that was chosen: what is about one goes on */

/* A table that was left half-way, or one that such a table holds. */
static mfn_t choose_partial(bool child)
{
    for (unsigned i = 0; i < MMU_PAGES; i++) {
        const struct frame *f = frame_lookup(g->frame[i]);
        const uint64_t *table;

        if (!f || !(f->state & FRAME_PARTIAL))
            continue;
        if (!child)
            return g->frame[i];
        table = arch_frame_ptr(g->frame[i]);
        for (unsigned n = 0; n < pt_entries_held(f); n++)
            if (table[n] & PTE_PRESENT && frame_lookup(pte_frame(table[n])))
                return pte_frame(table[n]);
    }
    return g->frame[MMU_FREE];
}

static mfn_t choose_frame(void)
{
    unsigned kind = byte();
    const struct mmu_guest *other = &guests[g == &guests[0]];

    if (kind >= 192 && kind < 208)
        return choose_partial(kind & 1);
    if (kind >= 160 && kind < 192)
        return g->frame[last_page];
    if (kind < 208) {
        last_page = kind % (kind < 96 ? 12 : MMU_PAGES);
        return g->frame[last_page];
    }
    if (kind < 240)
        return other->frame[kind % MMU_PAGES];
    switch (kind % 8) {
    case 0:
        return MFN(DEVICE_FRAME + byte() % 3);
    case 1:
        return MFN(FAKE_FIRST_FRAME + byte());
    case 2:
        return arch_frame_of(g->d->shared_info);
    case 3:
        return arch_frame_of(other->d->shared_info);
    case 4:
        return MFN((uint64_t)byte() << 32);
    case 5:
        return MFN_INVALID;
    default:
        return MFN(FAKE_LAST_FRAME - byte());
    }
}

static unsigned choose_index(void)
{
    unsigned b = byte();

    if (b < 128)
        return b % MMU_PAGES;
    return b < 192 ? b % 8 : b < 224 ? 256 + b % 20 : 511 - b % 16;
}

static uint64_t choose_flags(void)
{
    static const uint64_t flags[] = {
        0,
        MMU_READ_ONLY,
        MMU_WRITABLE,
        MMU_WRITABLE,
        MMU_WRITABLE | PTE_ACCESSED | PTE_DIRTY,
        PTE_PRESENT | PTE_NX,
        PTE_PRESENT | PTE_WRITE | PTE_GLOBAL | 0x200,
        MMU_READ_ONLY | PTE_ACCESSED,
    };
    unsigned b = byte();

    if (b < 240)
        return flags[b % 8];
    return MMU_READ_ONLY | (uint64_t)byte() << (b % 16 * 4);
}

static uint64_t choose_entry(void)
{
    mfn_t frame = choose_frame();
    uint64_t flags = choose_flags();

    return flags ? pte_make(MFN(frame.n & ((1ull << 40) - 1)), flags) : 0;
}

static uint64_t choose_va(void)
{
    unsigned b = byte();

    if (b < 128)
        last_page = b % MMU_PAGES;
    if (b < 200)
        return mmu_va(last_page);
    if (b < 220)
        return (uint64_t)(b % 8) << 39 | (uint64_t)(byte() % 8) << 30 |
               (uint64_t)(byte() % 8) << 21 | (uint64_t)choose_index() << 12;
    return mmu_va(0) + ((uint64_t)byte() << (12 + b % 24));
}

/* Whether `index` of `table` is on the way to the arguments' page. */
static bool is_lifeline(mfn_t table, unsigned index)
{
    for (unsigned level = 2; level <= 4; level++)
        if (mfn_equal(table, g->frame[MMU_L4 + 4 - level]) &&
            index == pt_index(MMU_VA, level))
            return true;
    return mfn_equal(table, g->frame[MMU_L1]) && index == MMU_ARGS;
}

/* --- steps --------------------------------------------------------------- */

static void call(hypercall_handler *handler, const uint64_t *args)
{
    unsigned who = g == &guests[1];

    cut[who].handler = NULL;
    mmu_call_once(handler, args) < 0 ? (void)0 : (void)0;
    fake.slow_at = 0;
    if (!mmu_is_cut())
        return;
    cut[who].handler = handler;
    memcpy(cut[who].args, fake.restart_args, sizeof(cut[who].args));
}

static void go_on(void)
{
    unsigned who = g == &guests[1];
    uint64_t args[5];

    if (!cut[who].handler)
        return;
    memcpy(args, cut[who].args, sizeof(args));
    call(cut[who].handler, args);
}

static void step_update(void)
{
    unsigned count = byte() % 3 + 1;
    struct mmu_update *u = (void *)mmu_page(g, MMU_ARGS);
    uint64_t args[5] = {mmu_va(MMU_ARGS), count, mmu_va(MMU_ARGS) + 2048,
                        DOMID_SELF};
    unsigned domains = byte();
    domid_t other = guests[g == &guests[0]].d->id;

    for (unsigned i = 0; i < count; i++) {
        mfn_t table = choose_frame();
        unsigned index = choose_index();

        if (is_lifeline(table, index))
            index++;
        u[i].ptr =
            table.n << PAGE_SHIFT | index * 8 | (byte() % 16 ? 0 : byte() % 8);
        u[i].val = choose_entry();
    }
    if (domains >= 224)
        args[3] = other; /* frames of the other */
    if (domains >= 248)
        args[3] = (other + 1ull) << 16 | other; /* and tables */
    if (domains == 223)
        args[3] = DOMID_IO;
    call(hc_mmu_update, args);
}

static void step_ext(void)
{
    struct mmuext_op *op = (void *)mmu_page(g, MMU_ARGS);
    uint64_t args[5] = {mmu_va(MMU_ARGS), 1, 0, DOMID_SELF};
    unsigned b = byte();

    memset(op, 0, sizeof(*op));
    op->cmd = b < 128   ? b % 5
              : b < 192 ? MMUEXT_NEW_BASEPTR + b % 2 * 10
                        : b % 22;
    op->arg1.mfn = choose_frame().n;
    op->arg2.src_mfn = b % 8 ? choose_frame().n : mmu_va(MMU_ARGS) + 512;
    if (byte() == 255)
        args[3] = guests[g == &guests[0]].d->id;
    call(hc_mmuext_op, args);
}

static void step_va(void)
{
    uint64_t va = choose_va();
    uint64_t args[5] = {va, 0, 0, guests[g == &guests[0]].d->id};

    if (va == mmu_va(MMU_ARGS))
        args[0] = va + PAGE_SIZE;
    args[1] = choose_entry();
    args[2] = byte();
    if (args[2] >= 160) /* so that it can become a table */
        args[1] = mmu_entry(g, last_page, MMU_READ_ONLY);
    args[2] %= 8;
    if (byte() >= 240)
        call(hc_update_va_mapping_otherdomain, args);
    else
        call(hc_update_va_mapping, args);
}

static mfn_t *find_slot(bool filled)
{
    unsigned from = byte();

    for (unsigned i = 0; i < MMU_PAGES; i++) {
        unsigned pfn = (from + i) % MMU_PAGES;

        if (pfn > MMU_ARGS && mfn_equal(g->frame[pfn], MFN_INVALID) != filled)
            return &g->frame[pfn];
    }
    return NULL;
}

/* Gives up a frame, gets one, or trades one. */
static void step_memory(void)
{
    struct xenmem_exchange_args *op = (void *)mmu_page(g, MMU_ARGS);
    uint64_t *list = mmu_page(g, MMU_ARGS) + 128;
    unsigned kind = byte() % 3;
    mfn_t *slot = find_slot(kind != 1);
    uint64_t args[5] = {0, mmu_va(MMU_ARGS)};

    if (!slot)
        return;
    memset(op, 0, sizeof(*op));
    op->in.nr_extents = op->out.nr_extents = 1;
    op->in.domid = op->out.domid = DOMID_SELF;
    op->in.extent_start.va = mmu_va(MMU_ARGS) + 1024;
    op->out.extent_start.va = mmu_va(MMU_ARGS) + 1032;
    list[0] = kind == 1 ? (uint64_t)(slot - g->frame) : slot->n;
    list[1] = (uint64_t)(slot - g->frame);
    args[0] = kind == 0   ? XENMEM_decrease_reservation
              : kind == 1 ? XENMEM_populate_physmap
                          : XENMEM_exchange;
    this_pcpu()->entered_at = fake.now;
    if (kind == 2 && !mmu_call(hc_memory_op, args))
        *slot = MFN(list[1]);
    else if (kind == 1 && mmu_call(hc_memory_op, args) == 1)
        *slot = MFN(list[0]);
    else if (kind == 0 && mmu_call(hc_memory_op, args) == 1)
        *slot = MFN_INVALID;
}

/* What a processor does on its way to `va`. */
static uint64_t *access(uint64_t va, bool writes)
{
    struct walk w;
    uint64_t bits = PTE_WRITE;

    if (!guest_va_is_usable(va))
        return NULL;
    guest_walk(g->v->kernel_root, va, &w);
    for (unsigned level = 4; level >= w.level; level--) {
        uint64_t *table = arch_frame_ptr(w.table[level]);

        remember(w.table[level], AS_TABLE);
        if (!(w.entry[level] & PTE_PRESENT))
            return NULL;
        bits &= w.entry[level];
        table[pt_index(va, level)] |= PTE_ACCESSED;
    }
    if (!frame_lookup(pte_frame(w.entry[1])) || (writes && !bits))
        return NULL;
    if (writes)
        ((uint64_t *)arch_frame_ptr(w.table[1]))[pt_index(va, 1)] |= PTE_DIRTY;
    remember(pte_frame(w.entry[1]), bits ? AS_WRITABLE : AS_READABLE);
    if (!g->d->is_privileged)
        claim(frame_owner(frame_lookup(pte_frame(w.entry[1]))) == g->d->id,
              "a domain reaches its own frames only");
    return arch_frame_ptr(pte_frame(w.entry[1]));
}

static void step_store(void)
{
    uint64_t *page = access(choose_va(), true);
    unsigned index = choose_index();

    if (page)
        page[index] = choose_entry();
}

/* A store by a translation that a processor still has. */
static void step_stale_store(void)
{
    const struct cached *c = &cached[byte() % CACHED];

    if (is_live(c) && c->as == AS_WRITABLE && c->cpu == g->cpu)
        ((uint64_t *)arch_frame_ptr(c->frame))[choose_index()] = choose_entry();
}

/* A store to a table, as the machine emulates it. */
static void step_emulate(void)
{
    struct pt_context c = {g->d, g->d};
    uint64_t va = choose_va(), seen;
    unsigned index = choose_index(), how = byte();
    struct frame *f;
    struct walk w;
    int error;

    if (!guest_va_is_usable(va))
        return;
    guest_walk(g->v->kernel_root, va, &w);
    f = w.entry[w.level] & PTE_PRESENT ? frame_lookup(pte_frame(w.entry[1]))
                                       : NULL;
    if (!f || frame_owner(f) != g->d->id || frame_used_type(f) != FRAME_L1 ||
        is_lifeline(frame_mfn(f), index))
        return;
    this_pcpu()->entered_at = fake.now;
    spin_lock(&g->d->pt_lock);
    seen = mmu_page(g, 0)[0]; /* whatever */
    if (how < 224)
        seen = ((uint64_t *)arch_frame_ptr(frame_mfn(f)))[index];
    error = pt_write_entry(&c, f, index, PT_EXCHANGE, seen, choose_entry());
    spin_unlock(&g->d->pt_lock);
    fake.slow_at = 0;
    (void)error;
}

static void step_switch(void)
{
    g = &guests[g == &guests[0]];
    mmu_guest_run(g);
}

/* Whether the guest can still make calls, if need be with its first root. */
static bool can_call(void)
{
    void *page = mmu_page(g, MMU_ARGS);

    if (guest_translate(g->v->kernel_root, mmu_va(MMU_ARGS), WALK_WRITE) ==
        page)
        return true;
    return mmu_guest_reset_root(g) &&
           guest_translate(g->v->kernel_root, mmu_va(MMU_ARGS), WALK_WRITE) ==
               page;
}

static void step(void)
{
    static void (*const steps[])(void) = {
        step_update, step_update,      step_update,
        step_ext,    step_ext,         step_ext,
        step_va,     step_va,          step_store,
        step_store,  step_stale_store, step_emulate,
        step_memory, step_switch,      go_on,
        go_on,
    };
    unsigned b = byte();

    if (b >= 128)
        fake.slow_at = b % 8 + 1 + (b % 16 == 15 ? byte() : 0);
    steps[b % 16]();
    fake.slow_at = 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!guests[0].d) {
        start_machine();
        frames_at_start = heap_free_frames();
    } else {
        mmu_guest_run(&guests[0]);
        mmu_guest_fill(&guests[0]);
        mmu_guest_fill(&guests[1]);
    }
    prepare_tables(&guests[0]);
    prepare_tables(&guests[1]);
    input = data;
    input_end = data + size;
    last_page = MMU_FREE;
    memset(cached, 0, sizeof(cached));
    memset(cut, 0, sizeof(cut));
    g = &guests[0];
    mmu_guest_run(g);
    for (unsigned i = 1; input < input_end && i < STEPS; i++) {
        if (!can_call())
            break;
        step();
        check_caches();
        if (i % STEPS_PER_AUDIT == 0)
            claim(!frame_audit(), "the auditor finds nothing");
    }
    empty_guests();
    claim(heap_free_frames() == frames_at_start + 2 * MMU_PAGES,
          "all memory came back");
    return 0;
}
