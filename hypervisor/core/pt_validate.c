/* SPDX-License-Identifier: MIT */
/* Promotion, demotion and checked writes of page tables (pt_validate.h). */
#include "core/pt_validate.h"

#include "core/arch.h"
#include "core/domain.h"
#include "core/hypercall.h"
#include "core/log.h"
#include "core/rangeset.h"

/* A step takes one present entry; passing over absent ones is quicker. */
#define STEPS_PER_CHECK 32u
#define ABSENT_PER_STEP 4u

/* Bits a guest may set in a present entry; U is forced, G dropped. */
#define SOFTWARE_BITS (0xe00ull | 0x7ff0000000000000ull)
#define TABLE_BITS                                                             \
    (PTE_PRESENT | PTE_WRITE | PTE_USER | PTE_ACCESSED | PTE_DIRTY | PTE_NX |  \
     SOFTWARE_BITS | PTE_FRAME_MASK)
#define LEAF_BITS (TABLE_BITS | PTE_CACHE_BITS | PTE_GLOBAL)

/* struct frame.progress of a partial table */
#define PROGRESS_MASK 0x3ffu
#define PROGRESS_QUEUED 0x8000u /* on the drain list; `stamp` is the next */

static uint64_t *table_of(const struct frame *f)
{
    return arch_frame_ptr(frame_mfn(f));
}

static bool is_partial(const struct frame *f)
{
    return __atomic_load_n(&f->state, __ATOMIC_RELAXED) & FRAME_PARTIAL;
}

static unsigned level_of(const struct frame *f)
{
    return (unsigned)frame_type(f) - FRAME_L1 + 1;
}

static enum frame_type type_for(unsigned level)
{
    return (enum frame_type)(FRAME_L1 + level - 1);
}

static uint64_t absent_limit; /* const after boot; pt_refuse_absent */

void pt_refuse_absent(uint64_t end)
{
    absent_limit = end;
}

/* What an absent entry may not be, if anything. 0 or -EINVAL. */
static int check_absent(uint64_t entry)
{
    uint64_t n = pte_frame(entry).n;

    if (n && n < absent_limit)
        return refuse(-EINVAL, "absent entry %#lx names RAM", entry);
    return 0;
}

/* Whether the time may be up after another present and `absent` entries. */
static bool should_stop(unsigned *steps, unsigned absent)
{
    *steps += 1 + absent / ABSENT_PER_STEP;
    if (*steps < STEPS_PER_CHECK)
        return false;
    *steps = 0;
    return hypercall_should_restart();
}

/* --- leaf entries -------------------------------------------------------- */

static int get_io_leaf(const struct pt_context *c, uint64_t *entry)
{
    mfn_t mfn = pte_frame(*entry);

    if (arch_io_frame_is_forbidden(mfn) ||
        !rangeset_contains(c->frames->io_frames, mfn.n, mfn.n))
        return refuse(-EPERM, "frame %#lx is not the domain's to map", mfn.n);
    if (arch_io_frame_is_read_only(mfn))
        *entry &= ~PTE_WRITE;
    return 0;
}

/* Takes what L1 entry *entry implies, and adjusts it as it will be stored. */
hot_path static int get_leaf(const struct pt_context *c, uint64_t *entry)
{
    mfn_t mfn = pte_frame(*entry);
    struct frame *f;
    int error;

    if (!(*entry & PTE_PRESENT))
        return check_absent(*entry);
    if (*entry & ~LEAF_BITS)
        return refuse(-EINVAL, "L1 entry %#lx: bad bits", *entry);
    *entry = (*entry | PTE_USER) & ~PTE_GLOBAL;
    f = frame_lookup(mfn);
    if (!f)
        return get_io_leaf(c, entry);
    if (*entry & PTE_CACHE_BITS && !c->tables->may_use_devices)
        return refuse(-EINVAL, "L1 entry %#lx: cache bits", *entry);
    if (*entry & PTE_WRITE && frame_get_writable_of(f, c->frames))
        return 0;
    if (!frame_get_known(f, c->frames))
        return refuse(-EINVAL, "L1 entry %#lx: not d%u's frame", *entry,
                      c->frames->id);
    if (!(*entry & PTE_WRITE))
        return 0;
    error = frame_get_writable(f);
    if (error == -EBUSY && c->frames == c->tables) {
        /* A promotion left half-way does not stand against it. */
        error = pt_settle(c->frames, f);
        if (!error)
            error = frame_get_writable(f);
    }
    frame_put(f); /* the typed reference has its own */
    if (error && error != -ERESTART)
        return refuse(-EINVAL, "L1 entry %#lx: frame is of type %u", *entry,
                      frame_type(f));
    return error;
}

static inline void put_leaf(uint64_t entry)
{
    struct frame *f;

    if (!(entry & PTE_PRESENT))
        return;
    f = frame_lookup(pte_frame(entry));
    if (!f)
        return;
    if (entry & PTE_WRITE)
        frame_put_writable(f);
    else
        frame_put(f);
}

/* --- draining ------------------------------------------------------------ */

/* Queues partial table `f`; its next user has to wait for pt_drain. */
static void drain_later(struct domain *d, struct frame *f)
{
    ASSERT(is_partial(f));
    if (f->progress & PROGRESS_QUEUED)
        return;
    f->progress |= PROGRESS_QUEUED;
    f->stamp = d->drain_head;
    d->drain_head = (uint32_t)frame_mfn(f).n;
}

/*
 * Drops one table reference. The last one leaves the table partial with all
 * its entries, to be drained.
 */
void pt_put_table(struct domain *d, struct frame *f)
{
    uint64_t state = __atomic_load_n(&f->state, __ATOMIC_RELAXED);

    ASSERT(frame_type_count(state) && !(state & FRAME_PARTIAL));
    if (frame_type_count(state) > 1) {
        frame_put_typed(f);
        return;
    }
    if (frame_type(f) == FRAME_L4)
        arch_l4_gone(frame_mfn(f));
    /* The type's general reference becomes the partial table's own. */
    f->progress = PT_ENTRIES;
    __atomic_fetch_add(&f->state,
                       FRAME_PARTIAL - (1ull << FRAME_TYPE_COUNT_SHIFT),
                       __ATOMIC_SEQ_CST);
    drain_later(d, f);
}

/* Most entries are empty: they are passed over in groups of so many. */
#define GROUP 8u

/* Whether no entry of the group that starts at `entry` has one of `bits`. */
static inline bool group_lacks(const uint64_t *entry, uint64_t bits)
{
    uint64_t all = 0;

#pragma GCC unroll 8
    for (unsigned i = 0; i < GROUP; i++)
        all |= pte_read(&entry[i]);
    return !(all & bits);
}

/* How many of the first `held` entries of `f` there are up to a present one. */
static unsigned last_present(const struct frame *f, unsigned held)
{
    const uint64_t *table = table_of(f);

    while (held && !(pte_read(&table[held - 1]) & PTE_PRESENT)) {
        held--;
        while (held && held % GROUP == 0 &&
               group_lacks(&table[held - GROUP], PTE_PRESENT))
            held -= GROUP;
    }
    return held;
}

/* Drops what `entry`, number `index` of a table of `level`, holds. */
static inline void put_entry(struct domain *d, unsigned level, unsigned index,
                             uint64_t entry)
{
    if (level == 1)
        put_leaf(entry);
    else if (entry & PTE_PRESENT && !pt_is_own_slot(level, index))
        pt_put_table(d, frame_lookup(pte_frame(entry)));
}

/* `f`, at the head of the drain list, holds nothing any more. */
static void finish_drain(struct domain *d, struct frame *f)
{
    d->drain_head = f->stamp;
    f->progress = 0;
    f->stamp = flush_clock_read();
    __atomic_and_fetch(&f->state, ~FRAME_PARTIAL, __ATOMIC_SEQ_CST);
    frame_put(f);
}

int pt_drain(struct domain *d)
{
    unsigned steps = 0;

    while (d->drain_head) {
        struct frame *f = &frame_table[d->drain_head];
        unsigned held = f->progress & PROGRESS_MASK;
        unsigned left = last_present(f, held);

        if (left) {
            f->progress = (uint16_t)((left - 1) | PROGRESS_QUEUED);
            /* May put a child before f. */
            put_entry(d, level_of(f), left - 1,
                      pte_read(&table_of(f)[left - 1]));
        } else {
            finish_drain(d, f);
        }
        if (should_stop(&steps, held - left))
            return -ERESTART;
    }
    return 0;
}

hot_path int pt_settle(struct domain *d, struct frame *f)
{
    if (!is_partial(f))
        return 0;
    drain_later(d, f);
    return pt_drain(d);
}

unsigned pt_entries_held(const struct frame *f)
{
    if (is_partial(f))
        return f->progress & PROGRESS_MASK;
    return frame_type_is_table(frame_used_type(f)) ? PT_ENTRIES : 0;
}

/* --- promotion ----------------------------------------------------------- */

/* Tables under validation, each an entry of the one before. */
struct promotion {
    struct domain *d;
    struct frame *stack[4];
    unsigned depth;
    unsigned steps;
};

static bool is_on_stack(const struct promotion *p, mfn_t mfn)
{
    for (unsigned i = 0; i < p->depth; i++)
        if (mfn_equal(frame_mfn(p->stack[i]), mfn))
            return true;
    return false;
}

/* Turns an unused frame into an empty-handed partial table. */
static int make_partial(struct frame *f, unsigned level)
{
    int error = frame_begin_change(f);

    if (error)
        return error;
    f->progress = 0;
    if (level == 4)
        arch_l4_install_own_slots(table_of(f));
    frame_end_change(f, type_for(level), FRAME_PARTIAL + 1);
    return 0;
}

/*
 * Gets `f`, to which the caller has a general reference, as a table of
 * `level`: either it is one and gets a reference, or it goes on the stack.
 */
static int enter_frame(struct promotion *p, struct frame *f, unsigned level)
{
    int error = frame_get_typed(f, type_for(level));

    if (error != -EAGAIN)
        return error;
    if (is_on_stack(p, frame_mfn(f)))
        return -EINVAL;
    error = 0;
    if (is_partial(f) &&
        (f->progress & PROGRESS_QUEUED || frame_type(f) != type_for(level)))
        error = pt_settle(p->d, f);
    if (!error && !is_partial(f))
        error = make_partial(f, level);
    if (!error)
        p->stack[p->depth++] = f;
    return error;
}

static int enter_table(struct promotion *p, mfn_t mfn, unsigned level)
{
    struct frame *f = frame_get(mfn, p->d);
    int error;

    if (!f)
        return refuse(-EINVAL, "frame %#lx is not d%u's", mfn.n, p->d->id);
    error = enter_frame(p, f, level);
    frame_put(f);
    if (error && error != -ERESTART)
        return refuse(-EINVAL, "frame %#lx, of type %u, as L%u table", mfn.n,
                      frame_type(f), level);
    return error;
}

/* The top of the stack is complete: its partial reference becomes typed. */
static void leave_table(struct promotion *p)
{
    struct frame *f = p->stack[--p->depth];

    f->progress = 0;
    __atomic_fetch_add(&f->state,
                       (1ull << FRAME_TYPE_COUNT_SHIFT) - FRAME_PARTIAL,
                       __ATOMIC_SEQ_CST);
    if (p->depth)
        p->stack[p->depth - 1]->progress++;
}

/* Takes entry *entry of a table of `level` above 1, none of Mica's own. */
static int take_higher(struct promotion *p, unsigned level, uint64_t *entry)
{
    if (!(*entry & PTE_PRESENT))
        return check_absent(*entry);
    if (*entry & ~TABLE_BITS)
        return refuse(-EINVAL, "table entry %#lx: bad bits", *entry);
    *entry |= PTE_USER;
    return enter_table(p, pte_frame(*entry), level - 1);
}

/*
 * Whether L1 entry `entry` would make a table writable that is about to be
 * validated. Such a table is not to be settled: it is no leftover.
 */
static bool aims_at_stack(const struct promotion *p, uint64_t entry)
{
    return entry & PTE_PRESENT && entry & PTE_WRITE &&
           is_on_stack(p, pte_frame(entry));
}

/* The first entry of `f` from `index` on that is not empty, or PT_ENTRIES. */
static unsigned next_used(const struct frame *f, unsigned index)
{
    const uint64_t *table = table_of(f);

    while (index < PT_ENTRIES && !pte_read(&table[index])) {
        index++;
        while (index < PT_ENTRIES && index % GROUP == 0 &&
               group_lacks(&table[index], ~0ull))
            index += GROUP;
    }
    return index;
}

/* Takes the next entry, one that is not empty, of the table on top. */
static int take_entry(struct promotion *p)
{
    struct pt_context own = {p->d, p->d};
    struct frame *f = p->stack[p->depth - 1];
    unsigned level = level_of(f), index = f->progress;
    uint64_t *slot = &table_of(f)[index];
    uint64_t old = pte_read(slot), entry = old;
    int error = 0;

    if (level == 1 && aims_at_stack(p, entry))
        error = refuse(-EINVAL, "L1 entry %#lx: a writable table", entry);
    else if (level == 1)
        error = get_leaf(&own, &entry);
    else if (!pt_is_own_slot(level, index))
        error = take_higher(p, level, &entry);
    if (error)
        return error;
    if (entry != old)
        pte_write(slot, entry);
    if (p->stack[p->depth - 1] == f) /* or a table of its own comes first */
        f->progress++;
    return 0;
}

/* Gives up: all that was begun is to be undone, now or when next in the way. */
static void abandon(struct promotion *p)
{
    while (p->depth)
        drain_later(p->d, p->stack[--p->depth]);
    if (pt_drain(p->d))
        return;
}

/* Validates the tables on the stack; as pt_get_table. */
static int promote(struct promotion *p)
{
    int error = 0;

    while (!error && p->depth) {
        struct frame *f = p->stack[p->depth - 1];
        unsigned index = f->progress;

        f->progress = (uint16_t)next_used(f, index);
        if (should_stop(&p->steps, f->progress - index))
            return -ERESTART;
        if (f->progress == PT_ENTRIES)
            leave_table(p);
        else
            error = take_entry(p);
    }
    if (error && error != -ERESTART)
        abandon(p);
    return error;
}

int pt_get_table(struct domain *d, mfn_t mfn, unsigned level)
{
    struct promotion p = {.d = d};
    int error = enter_table(&p, mfn, level);

    return error ? error : promote(&p);
}

/* --- writes -------------------------------------------------------------- */

/*
 * Stores `value` for *old as pt_write_entry says. The lock keeps everything but
 * the processors' Accessed and Dirty bits away; *old is what was replaced.
 */
static int swap_entry(uint64_t *slot, enum pt_write how, uint64_t value,
                      uint64_t *old)
{
    bool keeps_ad = how == PT_PRESERVE_AD && value & PTE_PRESENT;
    uint64_t kept = keeps_ad ? PTE_ACCESSED | PTE_DIRTY : 0;

    while (!__atomic_compare_exchange_n(slot, old, value | (*old & kept), false,
                                        __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
        if (how == PT_EXCHANGE)
            return -EAGAIN;
    return 0;
}

/* Bits of an L1 entry for which no reference stands. */
#define HARMLESS_BITS                                                          \
    (PTE_USER | PTE_ACCESSED | PTE_DIRTY | PTE_GLOBAL | PTE_NX | SOFTWARE_BITS)

/*
 * The frame of RAM that L1 entries `old` and `value` both map, if they differ
 * in no more than access rights, or NULL. Device frames are looked at every
 * time: they may have become read-only.
 */
static inline struct frame *same_frame(uint64_t old, uint64_t value)
{
    if (!(old & PTE_PRESENT) || (old ^ value) & ~(HARMLESS_BITS | PTE_WRITE))
        return NULL;
    return frame_lookup(pte_frame(value));
}

/*
 * Stores L1 entry `value` for *old where both map `target`: a right to write
 * that one of them has more is only for frames of the context's, and comes and
 * goes without the reference. -EBUSY when that must be looked at more closely.
 */
static int change_rights(const struct pt_context *c, uint64_t *slot,
                         enum pt_write how, uint64_t value, uint64_t *old,
                         struct frame *target)
{
    uint64_t differs = (*old ^ value) & PTE_WRITE;
    int error;

    if (differs && (frame_owner(target) != c->frames->id ||
                    (value & PTE_WRITE && !frame_upgrade(target))))
        return -EBUSY;
    error = swap_entry(slot, how, (value | PTE_USER) & ~PTE_GLOBAL, old);
    /* The one of the two entries that is not there any more lets go. */
    if (differs & (error ? value : *old))
        frame_downgrade(target);
    return error;
}

/* Takes what a new entry implies, and adjusts it as it will be stored. */
static inline int get_entry(const struct pt_context *c, unsigned level,
                            unsigned index, uint64_t *entry)
{
    struct promotion p;
    int error;

    if (level == 1)
        return get_leaf(c, entry);
    if (pt_is_own_slot(level, index))
        return refuse(-EINVAL, "L4 slot %u is Mica's", index);
    p = (struct promotion){.d = c->tables};
    error = take_higher(&p, level, entry);
    return error ? error : promote(&p);
}

hot_path int pt_write_entry(const struct pt_context *c, struct frame *f,
                            unsigned index, enum pt_write how,
                            uint64_t expected, uint64_t value)
{
    uint64_t *slot = &table_of(f)[index];
    uint64_t old = pte_read(slot);
    unsigned level = level_of(f);
    struct frame *same = level == 1 ? same_frame(old, value) : NULL;
    int error = -EBUSY;

    ASSERT(frame_type_is_table(frame_type(f)));
    if (how == PT_EXCHANGE && old != expected)
        return -EAGAIN;
    if (same)
        error = change_rights(c, slot, how, value, &old, same);
    if (error != -EBUSY)
        return error;
    error = get_entry(c, level, index, &value);
    if (error)
        return error;
    /*
     * What getting the new entry's references settled may have been all that
     * held `f` in its type. Then its entries are not what they were.
     */
    if (frame_used_type(f) == type_for(level))
        error = swap_entry(slot, how, value, &old);
    else
        error = -EINVAL;
    if (!error && level == 4)
        arch_l4_entry_changed(frame_mfn(f), index, value);
    put_entry(c->tables, level, index, error ? value : old);
    return error;
}
