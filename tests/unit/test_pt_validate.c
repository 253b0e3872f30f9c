/* SPDX-License-Identifier: MIT */
/*
 * Promotion and demotion of page tables, whole and in parts, and what may be
 * written into them. The auditor has the last word in every test.
 */
#include <check.h>
#include <stdlib.h>

#include "core/frame.h"
#include "core/frame_audit.h"
#include "core/heap.h"
#include "core/pcpu.h"
#include "core/pt_validate.h"
#include "host/arch_fake.h"
#include "host/mmu_guest.h"
#include "hypercall_abi/mmu.h"

/* Pages of the guest that become tables, and some that stay pages. */
enum { T1 = MMU_FREE, T2, T3, T4, OTHER1, OTHER2, DATA = 32, DATA_END = 60 };

static struct mmu_guest g, foreign;

static void setup(void)
{
    fake_boot(2);
    mmu_guest_create(&foreign, 7);
    mmu_guest_create(&g, 3);
    mmu_guest_run(&g);
    for (unsigned pfn = T1; pfn < DATA; pfn++)
        ck_assert_int_eq(mmu_guest_remap(&g, pfn, MMU_READ_ONLY), 0);
}

static void audit(void)
{
    fake.console_echo = true;
    ck_assert_uint_eq(frame_audit(), 0);
    fake.console_echo = false;
}

static uint64_t counts_of(unsigned pfn)
{
    return mmu_frame(&g, pfn)->state & ~FRAME_TYPE_MASK;
}

static uint64_t references(unsigned pfn)
{
    return counts_of(pfn) & FRAME_COUNT_MASK;
}

static uint64_t typed(unsigned pfn)
{
    return frame_type_count(counts_of(pfn));
}

static bool is_partial(unsigned pfn)
{
    return counts_of(pfn) & FRAME_PARTIAL;
}

static void take_counts(uint64_t *counts)
{
    for (unsigned i = 0; i < MMU_PAGES; i++)
        counts[i] = counts_of(i);
}

static void check_counts(const uint64_t *before)
{
    for (unsigned i = 0; i < MMU_PAGES; i++)
        ck_assert_msg(counts_of(i) == before[i], "page %u: %#lx, was %#lx", i,
                      counts_of(i), before[i]);
}

static long pin(unsigned pfn, unsigned level)
{
    return mmu_ext(&g, MMUEXT_PIN_L1_TABLE + level - 1, g.frame[pfn].n, 0);
}

static long unpin(unsigned pfn)
{
    return mmu_ext(&g, MMUEXT_UNPIN_TABLE, g.frame[pfn].n, 0);
}

static long write_at(unsigned pfn, unsigned index, uint64_t entry)
{
    return mmu_update(&g, mmu_address(&g, pfn, index), entry);
}

/* A table before it is one: what its page holds. */
static void put(unsigned pfn, unsigned index, uint64_t entry)
{
    mmu_page(&g, pfn)[index] = entry;
}

/* A full L1 table in T1 and a way to it from T4, each time by `slot`. */
static void build_chain(unsigned slot)
{
    for (unsigned pfn = T1; pfn <= T4; pfn++)
        memset(mmu_page(&g, pfn), 0, PAGE_SIZE);
    for (unsigned i = 0; i < PT_ENTRIES; i++)
        put(T1, i,
            mmu_entry(&g, DATA + i % (DATA_END - DATA),
                      i % 3 ? MMU_WRITABLE : MMU_READ_ONLY));
    put(T2, slot, mmu_entry(&g, T1, MMU_TABLE));
    put(T3, slot, mmu_entry(&g, T2, MMU_TABLE));
    put(T4, slot, mmu_entry(&g, T3, MMU_TABLE));
}

/* --- whole --------------------------------------------------------------- */

START_TEST(test_pt_pin_then_unpin_puts_all_counts_back)
{
    uint64_t before[MMU_PAGES];

    build_chain(5);
    for (unsigned level = 1; level <= 4; level++) {
        take_counts(before);
        ck_assert_int_eq(pin(T1 + level - 1, level), 0);
        ck_assert_uint_eq(typed(T1 + level - 1), 1);
        ck_assert_uint_eq(frame_type(mmu_frame(&g, T1)), FRAME_L1);
        audit();
        ck_assert_int_eq(unpin(T1 + level - 1), 0);
        check_counts(before);
        audit();
    }
}
END_TEST

START_TEST(test_pt_pin_counts_what_the_entries_name)
{
    uint64_t before = references(DATA);

    put(T1, 0, mmu_entry(&g, DATA, MMU_WRITABLE));
    put(T1, 1, mmu_entry(&g, DATA, MMU_WRITABLE));
    put(T1, 511, mmu_entry(&g, DATA, MMU_READ_ONLY));
    put(T1, 2, mmu_entry(&g, DATA, PTE_WRITE)); /* not present */
    ck_assert_int_eq(pin(T1, 1), 0);
    ck_assert_uint_eq(references(DATA), before + 3);
    ck_assert_uint_eq(typed(DATA), 3); /* with the one at MMU_VA */
}
END_TEST

START_TEST(test_pt_table_used_twice_is_validated_once)
{
    build_chain(0);
    put(T2, 9, mmu_entry(&g, T1, MMU_TABLE));
    put(OTHER2, 4, mmu_entry(&g, T1, MMU_TABLE));
    ck_assert_int_eq(pin(T2, 2), 0);
    ck_assert_uint_eq(typed(T1), 2);
    ck_assert_int_eq(pin(OTHER2, 2), 0);
    ck_assert_uint_eq(typed(T1), 3);
    ck_assert_int_eq(unpin(T2), 0);
    ck_assert_uint_eq(typed(T1), 1);
    ck_assert_uint_gt(typed(DATA + 1), 1);
    ck_assert_int_eq(unpin(OTHER2), 0);
    ck_assert_uint_eq(typed(T1), 0);
}
END_TEST

START_TEST(test_pt_promotion_forces_user_and_drops_global)
{
    put(T1, 3, mmu_entry(&g, DATA, PTE_PRESENT | PTE_GLOBAL | PTE_NX | 0x200));
    put(T2, 1, mmu_entry(&g, T1, PTE_PRESENT | PTE_ACCESSED));
    ck_assert_int_eq(pin(T2, 2), 0);
    ck_assert_uint_eq(
        mmu_page(&g, T1)[3],
        mmu_entry(&g, DATA, PTE_PRESENT | PTE_USER | PTE_NX | 0x200));
    ck_assert_uint_eq(mmu_page(&g, T2)[1],
                      mmu_entry(&g, T1, PTE_PRESENT | PTE_ACCESSED | PTE_USER));
}
END_TEST

START_TEST(test_pt_l4_gets_the_slots_that_are_micas)
{
    put(T4, 256, mmu_entry(&g, T3, MMU_TABLE));
    put(T4, 271, 0x123456789abcdef1);
    ck_assert_int_eq(pin(T4, 4), 0);
    for (unsigned i = 256; i <= 271; i++) {
        ck_assert_uint_eq(mmu_page(&g, T4)[i], FAKE_OWN_SLOT);
        ck_assert_int_eq(write_at(T4, i, 0), -EINVAL);
        ck_assert_int_eq(write_at(T4, i, mmu_entry(&g, T3, MMU_TABLE)),
                         -EINVAL);
    }
    ck_assert_uint_eq(typed(T3), 0);
    ck_assert_int_eq(write_at(T4, 255, mmu_entry(&g, T3, MMU_TABLE)), 0);
    ck_assert_int_eq(write_at(T4, 272, mmu_entry(&g, T3, MMU_TABLE)), 0);
    ck_assert_uint_eq(typed(T3), 2);
}
END_TEST

/* A former L4 still holds Mica's entries; as another table they are refused. */
START_TEST(test_pt_former_l4_is_no_l3_with_micas_entries)
{
    ck_assert_int_eq(pin(T4, 4), 0);
    ck_assert_int_eq(unpin(T4), 0);
    ck_assert_int_eq(pin(T4, 3), -EINVAL);
    ck_assert_int_lt(pin(T4, 1), 0);
    for (unsigned i = 256; i <= 271; i++)
        ck_assert_int_eq(write_at(T4, i, 0), 0);
    ck_assert_int_eq(pin(T4, 3), 0);
}
END_TEST

/* --- refusals ------------------------------------------------------------ */

/* Pins T1 as `level` with `entry` in the middle of good ones. */
static void refuse_entry(unsigned level, uint64_t entry)
{
    uint64_t before[MMU_PAGES];

    build_chain(2);
    put(T1 + level - 1, 300, entry);
    take_counts(before);
    ck_assert_int_lt(pin(T1 + level - 1, level), 0);
    check_counts(before);
    audit();
}

/* The same by a write into a table that is one. */
static void refuse_write(unsigned level, uint64_t entry)
{
    uint64_t before[MMU_PAGES];
    unsigned pfn = T1 + level - 1;

    build_chain(2);
    ck_assert_int_eq(pin(pfn, level), 0);
    take_counts(before);
    ck_assert_int_lt(write_at(pfn, 300, entry), 0);
    ck_assert_int_lt(write_at(pfn, 2, entry), 0);
    ck_assert_uint_eq(mmu_page(&g, pfn)[300],
                      level == 1 ? mmu_page(&g, pfn)[300] : 0);
    check_counts(before);
    ck_assert_int_eq(unpin(pfn), 0);
    audit();
}

static void refuse_both(unsigned level, uint64_t entry)
{
    refuse_entry(level, entry);
    refuse_write(level, entry);
}

START_TEST(test_pt_refuses_bad_bits)
{
    for (unsigned level = 2; level <= 4; level++) {
        refuse_both(level,
                    mmu_entry(&g, T1 + level - 2, MMU_TABLE) | PTE_LARGE);
        refuse_both(level,
                    mmu_entry(&g, T1 + level - 2, MMU_TABLE) | PTE_GLOBAL);
        refuse_both(level, mmu_entry(&g, T1 + level - 2, MMU_TABLE) |
                               PTE_CACHE_DISABLE);
        refuse_both(level, mmu_entry(&g, T1 + level - 2, MMU_TABLE) |
                               PTE_WRITE_THROUGH);
    }
    for (unsigned bit = 0; bit < 3; bit++) {
        static const uint64_t cache[] = {PTE_WRITE_THROUGH, PTE_CACHE_DISABLE,
                                         PTE_PAT};

        refuse_both(1, mmu_entry(&g, DATA, MMU_READ_ONLY) | cache[bit]);
    }
}
END_TEST

START_TEST(test_pt_refuses_foreign_frames)
{
    for (unsigned level = 1; level <= 4; level++) {
        refuse_both(level, pte_make(foreign.frame[MMU_FREE], MMU_READ_ONLY));
        refuse_both(level, pte_make(foreign.frame[MMU_L1], MMU_READ_ONLY));
        refuse_both(level, pte_make(foreign.frame[MMU_L3], MMU_READ_ONLY));
    }
}
END_TEST

START_TEST(test_pt_refuses_free_frames_and_micas_own)
{
    mfn_t own = arch_frame_of(frames_alloc(0));
    mfn_t shared = arch_frame_of(foreign.d->shared_info);

    for (unsigned level = 1; level <= 4; level++) {
        refuse_both(level, pte_make(own, MMU_READ_ONLY));
        refuse_both(level, pte_make(MFN(FAKE_FIRST_FRAME), MMU_READ_ONLY));
        refuse_both(level, pte_make(MFN(FAKE_FIRST_FRAME + 1), MMU_READ_ONLY));
        refuse_both(level, pte_make(shared, MMU_READ_ONLY));
    }
    for (unsigned level = 2; level <= 4; level++)
        refuse_both(level,
                    pte_make(arch_frame_of(g.d->shared_info), MMU_READ_ONLY));
    frames_free(arch_frame_ptr(own), 0);
}
END_TEST

START_TEST(test_pt_refuses_a_table_as_writable_page)
{
    refuse_both(1, mmu_entry(&g, T1, MMU_WRITABLE));
    refuse_both(1, mmu_entry(&g, MMU_L1, MMU_WRITABLE));
    refuse_both(1, mmu_entry(&g, MMU_L2, MMU_WRITABLE));
    refuse_both(1, mmu_entry(&g, MMU_L3, MMU_WRITABLE));
    refuse_both(1, mmu_entry(&g, MMU_L4, MMU_WRITABLE));
}
END_TEST

/* A table under validation is partial, but nothing to be settled away. */
START_TEST(test_pt_refuses_a_table_that_makes_those_above_writable)
{
    uint64_t before[MMU_PAGES];

    for (unsigned victim = T1; victim <= T4; victim++) {
        build_chain(3);
        put(T1, 400, mmu_entry(&g, victim, MMU_WRITABLE));
        take_counts(before);
        ck_assert_int_eq(pin(T4, 4), -EINVAL);
        check_counts(before);
        ck_assert_uint_eq(typed(victim), 0);
        audit();
    }
}
END_TEST

START_TEST(test_pt_table_may_map_itself_and_others_read_only)
{
    build_chain(3);
    for (unsigned i = 0; i < 4; i++)
        put(T1, 400 + i, mmu_entry(&g, T1 + i, MMU_READ_ONLY));
    ck_assert_int_eq(pin(T4, 4), 0);
    audit();
    ck_assert_int_eq(unpin(T4), 0);
}
END_TEST

START_TEST(test_pt_refuses_a_page_with_a_writable_alias_as_table)
{
    for (unsigned level = 1; level <= 4; level++) {
        ck_assert_int_eq(pin(DATA, level), -EINVAL);
        ck_assert_uint_eq(frame_type(mmu_frame(&g, DATA)), FRAME_WRITABLE);
    }
    refuse_both(2, mmu_entry(&g, DATA, MMU_TABLE));
    refuse_both(3, mmu_entry(&g, DATA, MMU_TABLE));
    refuse_both(4, mmu_entry(&g, DATA, MMU_TABLE));
}
END_TEST

START_TEST(test_pt_refuses_a_table_in_itself)
{
    for (unsigned level = 2; level <= 4; level++)
        refuse_both(level, mmu_entry(&g, T1 + level - 1, MMU_TABLE));
}
END_TEST

START_TEST(test_pt_refuses_cycles_and_two_levels_at_once)
{
    /* T2 as L2 names T3, which is its parent. */
    refuse_both(2, mmu_entry(&g, T3, MMU_TABLE));
    for (unsigned low = T1; low <= T3; low++) {
        for (unsigned high = low; high <= T4; high++) {
            build_chain(2);
            put(low, 7, mmu_entry(&g, high, MMU_TABLE));
            put(high, 8, mmu_entry(&g, low, MMU_TABLE));
            if (low == T1 || high == low + 1)
                continue; /* as L1 it maps a page; or it is its place */
            ck_assert_int_eq(pin(T4, 4), -EINVAL);
            audit();
        }
    }
}
END_TEST

START_TEST(test_pt_refuses_the_wrong_level_of_a_table)
{
    build_chain(0);
    ck_assert_int_eq(pin(T2, 2), 0);
    ck_assert_int_eq(pin(T2, 1), -EINVAL);
    ck_assert_int_eq(pin(T2, 3), -EINVAL);
    ck_assert_int_eq(pin(T1, 2), -EINVAL);
    ck_assert_int_eq(pin(T1, 4), -EINVAL);
    put(OTHER2, 0, mmu_entry(&g, T2, MMU_TABLE)); /* as L2 it wants an L1 */
    ck_assert_int_eq(pin(OTHER2, 2), -EINVAL);
    ck_assert_int_eq(pin(OTHER2, 3), 0);
}
END_TEST

START_TEST(test_pt_refuses_absent_entries_that_leak)
{
    uint64_t leaky = (g.frame[DATA].n << PAGE_SHIFT) | PTE_WRITE;

    build_chain(0);
    put(T1, 7, leaky);
    pt_refuse_absent(frame_table_end);
    ck_assert_int_eq(pin(T2, 2), -EINVAL);
    put(T1, 7, (frame_table_end << PAGE_SHIFT) | PTE_WRITE);
    put(T2, 7, leaky);
    ck_assert_int_eq(pin(T2, 2), -EINVAL);
    put(T2, 7, 0xe00); /* frame 0, which holds nothing */
    ck_assert_int_eq(pin(T2, 2), 0);
    ck_assert_int_eq(write_at(T1, 8, leaky), -EINVAL);
    ck_assert_int_eq(write_at(T2, 8, leaky), -EINVAL);
    ck_assert_int_eq(write_at(T1, 8, ~leaky & ~PTE_PRESENT), 0);
    pt_refuse_absent(0);
    ck_assert_int_eq(write_at(T1, 8, leaky), 0);
}
END_TEST

START_TEST(test_pt_refuses_descriptor_tables)
{
    struct frame *f = mmu_frame(&g, OTHER1);

    ck_assert_int_eq(frame_begin_change(f), 0);
    frame_end_change(f, FRAME_SEGDESC, (1ull << FRAME_TYPE_COUNT_SHIFT) + 1);
    fake_vcpu_hold_descriptors(g.v, g.frame[OTHER1]);
    refuse_both(1, mmu_entry(&g, OTHER1, MMU_WRITABLE));
    refuse_both(2, mmu_entry(&g, OTHER1, MMU_TABLE));
    ck_assert_int_eq(pin(OTHER1, 1), -EINVAL);
    ck_assert_int_eq(write_at(OTHER1, 0, 1), -EINVAL);
    ck_assert_int_eq(mmu_guest_remap(&g, OTHER1, MMU_WRITABLE), -EINVAL);
}
END_TEST

/* --- cache bits and devices ---------------------------------------------- */

#define DEVICE MFN(0xfe000)

static uint64_t device_entry(uint64_t flags)
{
    return pte_make(DEVICE, flags);
}

START_TEST(test_pt_device_frame_needs_a_permission)
{
    refuse_both(1, device_entry(MMU_WRITABLE));
    refuse_both(1, pte_make(MFN(FAKE_LAST_FRAME + 1), MMU_READ_ONLY));
    refuse_both(1, pte_make(MFN((1ull << 40) - 1), MMU_READ_ONLY));
    ck_assert_int_eq(rangeset_add(g.d->io_frames, DEVICE.n, DEVICE.n), 0);
    ck_assert_int_eq(pin(T1, 1), 0);
    ck_assert_int_eq(
        write_at(T1, 0, device_entry(MMU_WRITABLE | PTE_CACHE_DISABLE)), 0);
    ck_assert_int_eq(write_at(T1, 1, pte_make(MFN(DEVICE.n + 1), MMU_TABLE)),
                     -EPERM);
    fake.io_forbidden = true;
    ck_assert_int_eq(write_at(T1, 2, device_entry(MMU_READ_ONLY)), -EPERM);
    ck_assert_int_eq(write_at(T1, 0, 0), 0);
}
END_TEST

START_TEST(test_pt_read_only_device_frame_loses_write)
{
    ck_assert_int_eq(rangeset_add(g.d->io_frames, DEVICE.n, DEVICE.n), 0);
    ck_assert_int_eq(pin(T1, 1), 0);
    ck_assert_int_eq(write_at(T1, 0, device_entry(MMU_WRITABLE)), 0);
    ck_assert_uint_eq(mmu_page(&g, T1)[0], device_entry(MMU_WRITABLE));
    fake.io_read_only = true;
    ck_assert_int_eq(write_at(T1, 0, device_entry(MMU_WRITABLE | PTE_ACCESSED)),
                     0);
    ck_assert_uint_eq(mmu_page(&g, T1)[0],
                      device_entry(MMU_READ_ONLY | PTE_ACCESSED));
}
END_TEST

START_TEST(test_pt_device_frame_is_no_table)
{
    ck_assert_int_eq(rangeset_add(g.d->io_frames, DEVICE.n, DEVICE.n), 0);
    refuse_both(2, device_entry(MMU_TABLE));
    refuse_both(4, device_entry(MMU_TABLE));
    ck_assert_int_eq(mmu_ext(&g, MMUEXT_PIN_L1_TABLE, DEVICE.n, 0), -EINVAL);
}
END_TEST

START_TEST(test_pt_cache_bits_are_for_domains_with_devices)
{
    uint64_t entry = mmu_entry(&g, DATA, MMU_READ_ONLY | PTE_CACHE_DISABLE);

    ck_assert_int_eq(pin(T1, 1), 0);
    ck_assert_int_eq(write_at(T1, 0, entry), -EINVAL);
    g.d->may_use_devices = true;
    ck_assert_int_eq(write_at(T1, 0, entry), 0);
    g.d->may_use_devices = false;
    ck_assert_int_eq(write_at(T1, 0, entry | PTE_PAT), -EINVAL);
}
END_TEST

/* --- writes -------------------------------------------------------------- */

START_TEST(test_pt_write_moves_references)
{
    uint64_t a = references(DATA), b = references(DATA + 1);

    ck_assert_int_eq(pin(T1, 1), 0);
    ck_assert_int_eq(write_at(T1, 0, mmu_entry(&g, DATA, MMU_WRITABLE)), 0);
    ck_assert_uint_eq(references(DATA), a + 1);
    ck_assert_uint_eq(typed(DATA), 2);
    ck_assert_int_eq(write_at(T1, 0, mmu_entry(&g, DATA + 1, MMU_READ_ONLY)),
                     0);
    ck_assert_uint_eq(references(DATA), a);
    ck_assert_uint_eq(typed(DATA), 1);
    ck_assert_uint_eq(references(DATA + 1), b + 1);
    ck_assert_uint_eq(typed(DATA + 1), 1);
    ck_assert_int_eq(write_at(T1, 0, 0xdead000), 0);
    ck_assert_uint_eq(mmu_page(&g, T1)[0], 0xdead000);
    ck_assert_uint_eq(references(DATA + 1), b);
}
END_TEST

START_TEST(test_pt_write_to_a_higher_table_promotes_and_demotes)
{
    uint64_t before[MMU_PAGES];

    build_chain(4);
    put(T4, 4, 0);
    ck_assert_int_eq(pin(T4, 4), 0);
    take_counts(before);
    ck_assert_int_eq(write_at(T4, 4, mmu_entry(&g, T3, MMU_TABLE)), 0);
    ck_assert_uint_eq(fake.l4_changes, 1);
    ck_assert_uint_eq(frame_used_type(mmu_frame(&g, T1)), FRAME_L1);
    audit();
    ck_assert_int_eq(write_at(T4, 4, 0), 0);
    check_counts(before);
    ck_assert_uint_eq(fake.l4_changes, 2);
}
END_TEST

START_TEST(test_pt_write_of_a_similar_entry_keeps_counts)
{
    uint64_t before[MMU_PAGES];
    uint64_t entry = mmu_entry(&g, DATA, MMU_WRITABLE);

    ck_assert_int_eq(pin(T1, 1), 0);
    ck_assert_int_eq(write_at(T1, 0, entry), 0);
    take_counts(before);
    ck_assert_int_eq(write_at(T1, 0,
                              (entry & ~PTE_USER) | PTE_GLOBAL | PTE_ACCESSED |
                                  PTE_DIRTY | PTE_NX | 0x600),
                     0);
    ck_assert_uint_eq(mmu_page(&g, T1)[0],
                      entry | PTE_ACCESSED | PTE_DIRTY | PTE_NX | 0x600);
    check_counts(before);
    ck_assert_int_eq(write_at(T1, 0, entry | 1ull << 51), -EPERM);
    ck_assert_int_eq(write_at(T1, 0, entry | PTE_PAT), -EINVAL);
    check_counts(before);
}
END_TEST

/* The table of T1, written as the emulation of stores does. */
static int exchange(unsigned index, uint64_t expected, uint64_t value)
{
    struct pt_context c = {g.d, g.d};
    int error;

    spin_lock(&g.d->pt_lock);
    error = pt_write_entry(&c, mmu_frame(&g, T1), index, PT_EXCHANGE, expected,
                           value);
    spin_unlock(&g.d->pt_lock);
    return error;
}

START_TEST(test_pt_exchange_writes_only_over_what_is_expected)
{
    uint64_t entry = mmu_entry(&g, DATA, MMU_WRITABLE);
    uint64_t before[MMU_PAGES];

    ck_assert_int_eq(pin(T1, 1), 0);
    ck_assert_int_eq(exchange(0, 0, entry), 0);
    take_counts(before);
    ck_assert_int_eq(exchange(0, 0, entry | PTE_DIRTY), -EAGAIN);
    mmu_page(&g, T1)[0] |= PTE_ACCESSED; /* a processor's */
    ck_assert_int_eq(exchange(0, entry, 0), -EAGAIN);
    ck_assert_uint_eq(mmu_page(&g, T1)[0], entry | PTE_ACCESSED);
    check_counts(before);
    ck_assert_int_eq(exchange(0, entry | PTE_ACCESSED, 0), 0);
    ck_assert_uint_eq(typed(DATA), 1);
}
END_TEST

/* A processor sets Accessed and Dirty while Mica is in the middle. */
static void touch(void)
{
    mmu_page(&g, T1)[0] |= PTE_ACCESSED | PTE_DIRTY;
}

/* Leaves OTHER1 such that making it writable takes a flush. */
static void need_flush(void)
{
    ck_assert_int_eq(pin(OTHER1, 1), 0);
    ck_assert_int_eq(unpin(OTHER1), 0);
    fake.on_flush = touch;
}

START_TEST(test_pt_exchange_notices_a_racing_processor)
{
    uint64_t entry = mmu_entry(&g, DATA, MMU_WRITABLE);

    ck_assert_int_eq(pin(T1, 1), 0);
    ck_assert_int_eq(exchange(0, 0, entry), 0);
    need_flush();
    ck_assert_int_eq(exchange(0, entry, mmu_entry(&g, OTHER1, MMU_WRITABLE)),
                     -EAGAIN);
    ck_assert_uint_eq(mmu_page(&g, T1)[0], entry | PTE_ACCESSED | PTE_DIRTY);
    ck_assert_uint_eq(typed(OTHER1), 0);
    ck_assert_uint_eq(typed(DATA), 2);
}
END_TEST

START_TEST(test_pt_preserve_keeps_a_racing_processors_bits)
{
    uint64_t entry = mmu_entry(&g, DATA, MMU_WRITABLE);

    ck_assert_int_eq(pin(T1, 1), 0);
    ck_assert_int_eq(exchange(0, 0, entry), 0);
    need_flush();
    ck_assert_int_eq(
        mmu_update(&g, mmu_address(&g, T1, 0) | MMU_PT_UPDATE_PRESERVE_AD,
                   mmu_entry(&g, OTHER1, MMU_WRITABLE)),
        0);
    ck_assert_uint_eq(
        mmu_page(&g, T1)[0],
        mmu_entry(&g, OTHER1, MMU_WRITABLE | PTE_ACCESSED | PTE_DIRTY));
}
END_TEST

START_TEST(test_pt_store_drops_a_racing_processors_bits)
{
    ck_assert_int_eq(pin(T1, 1), 0);
    need_flush();
    ck_assert_int_eq(write_at(T1, 0, mmu_entry(&g, OTHER1, MMU_WRITABLE)), 0);
    ck_assert_uint_eq(mmu_page(&g, T1)[0], mmu_entry(&g, OTHER1, MMU_WRITABLE));
}
END_TEST

START_TEST(test_pt_preserve_of_an_absent_entry_stores_it_as_it_is)
{
    ck_assert_int_eq(pin(T1, 1), 0);
    ck_assert_int_eq(exchange(0, 0, mmu_entry(&g, DATA, MMU_WRITABLE)), 0);
    touch();
    ck_assert_int_eq(
        mmu_update(&g, mmu_address(&g, T1, 0) | MMU_PT_UPDATE_PRESERVE_AD, 0),
        0);
    ck_assert_uint_eq(mmu_page(&g, T1)[0], 0);
}
END_TEST

/* --- counters at their end ----------------------------------------------- */

START_TEST(test_pt_full_type_count_refuses_more)
{
    struct frame *f = mmu_frame(&g, DATA);
    uint64_t state = f->state;

    ck_assert_int_eq(pin(T1, 1), 0);
    f->state |= FRAME_TYPE_COUNT_MASK;
    ck_assert_int_eq(write_at(T1, 0, mmu_entry(&g, DATA, MMU_WRITABLE)),
                     -EINVAL);
    ck_assert_int_eq(write_at(T1, 0, mmu_entry(&g, DATA, MMU_READ_ONLY)), 0);
    ck_assert_int_eq(write_at(T1, 0, 0), 0);
    f->state = state;
    f = mmu_frame(&g, T1);
    state = f->state;
    f->state |= FRAME_TYPE_COUNT_MASK;
    put(T2, 0, mmu_entry(&g, T1, MMU_TABLE));
    ck_assert_int_eq(pin(T2, 2), -EINVAL);
    f->state = state;
}
END_TEST

START_TEST(test_pt_full_reference_count_refuses_more)
{
    struct frame *f = mmu_frame(&g, DATA);
    uint64_t state = f->state;

    ck_assert_int_eq(pin(T1, 1), 0);
    f->state = (state & ~FRAME_COUNT_MASK) | (FRAME_COUNT_MASK - 1);
    ck_assert_int_eq(write_at(T1, 0, mmu_entry(&g, DATA, MMU_WRITABLE)),
                     -EINVAL);
    ck_assert_int_eq(write_at(T1, 0, mmu_entry(&g, DATA, MMU_READ_ONLY)),
                     -EINVAL);
    f->state--;
    ck_assert_int_eq(write_at(T1, 0, mmu_entry(&g, DATA, MMU_READ_ONLY)), 0);
    ck_assert_int_eq(write_at(T1, 1, mmu_entry(&g, DATA, MMU_READ_ONLY)),
                     -EINVAL);
    ck_assert_int_eq(write_at(T1, 0, 0), 0);
    f->state = state;
}
END_TEST

/* --- interruptions ------------------------------------------------------- */

/* How a pin that was cut short at question `n` goes on. */
typedef void aftermath(unsigned slot);

static void make_plain(unsigned pfn)
{
    ck_assert_int_eq(mmu_guest_remap(&g, pfn, MMU_WRITABLE), 0);
    ck_assert_int_eq(mmu_guest_remap(&g, pfn, MMU_READ_ONLY), 0);
}

static void make_all_plain(void)
{
    for (unsigned pfn = T4; pfn >= T1; pfn--)
        make_plain(pfn);
}

static void resume(unsigned slot)
{
    (void)slot;
    ck_assert_int_eq(pin(T4, 4), 0);
    audit();
    ck_assert_int_eq(unpin(T4), 0);
}

static void abandon_top_first(unsigned slot)
{
    (void)slot;
    make_all_plain();
}

static void abandon_bottom_first(unsigned slot)
{
    (void)slot;
    for (unsigned pfn = T1; pfn <= T4; pfn++) {
        if (mmu_guest_remap(&g, pfn, MMU_WRITABLE))
            ck_assert_uint_gt(typed(pfn), 0); /* one above still holds it */
        else
            ck_assert_int_eq(mmu_guest_remap(&g, pfn, MMU_READ_ONLY), 0);
        audit();
    }
}

static void retype_middle(unsigned slot)
{
    (void)slot;
    if (!pin(T3, 2)) /* with T2 as an L1 table that maps T1 */
        ck_assert_int_eq(unpin(T3), 0);
    audit();
    ck_assert_int_eq(pin(T2, 2), 0);
    audit();
    ck_assert_int_eq(unpin(T2), 0);
}

/* Tables by turns as L1 tables: they map pages, so T1's are good as well. */
static void retype_as_l1(unsigned slot)
{
    ck_assert_int_eq(pin(T1, 1), 0);
    put(OTHER2, slot, mmu_entry(&g, T1, MMU_TABLE));
    ck_assert_int_eq(pin(OTHER2, 2), 0);
    audit();
    ck_assert_int_eq(unpin(T1), 0);
    ck_assert_int_eq(unpin(OTHER2), 0);
}

/* A store settles what is in its way, and a whole table refuses it. */
static void break_then_resume(unsigned slot)
{
    long stored = write_at(T1, slot, pte_make(MFN(1), MMU_WRITABLE));

    audit();
    ck_assert_int_eq(pin(T4, 4), stored ? 0 : -EPERM);
    audit();
    if (stored)
        ck_assert_int_eq(unpin(T4), 0);
}

static void interrupt_pin(unsigned slot, aftermath *after)
{
    uint64_t before[MMU_PAGES];

    for (unsigned n = 1;; n++) {
        build_chain(slot);
        make_all_plain();
        take_counts(before);
        fake.slow_at = n;
        ck_assert_int_ge(
            mmu_ext_once(&g, MMUEXT_PIN_L4_TABLE, g.frame[T4].n, 0), 0);
        fake.slow_at = 0;
        if (!mmu_is_cut()) {
            ck_assert_int_gt(n, 12);
            ck_assert_int_eq(unpin(T4), 0);
            return;
        }
        ck_assert(is_partial(T4));
        audit();
        after(slot);
        make_all_plain();
        check_counts(before);
    }
}

/* The questions come every so many entries; the slot shifts them. */
#define EVERY_STEP(name, after)                                                \
    START_TEST(name)                                                           \
    {                                                                          \
        interrupt_pin((unsigned)_i, after);                                    \
    }                                                                          \
    END_TEST

EVERY_STEP(test_pt_cut_pin_resumes, resume)
EVERY_STEP(test_pt_cut_pin_is_undone_from_the_top, abandon_top_first)
EVERY_STEP(test_pt_cut_pin_is_undone_from_the_bottom, abandon_bottom_first)
EVERY_STEP(test_pt_cut_pin_lets_tables_take_other_places, retype_middle)
EVERY_STEP(test_pt_cut_pin_leaves_its_l1_to_others, retype_as_l1)
EVERY_STEP(test_pt_cut_pin_fails_if_a_table_went_bad, break_then_resume)

/* Ends of an unpin that was cut short. */
static void drain(unsigned slot)
{
    (void)slot;
    ck_assert_int_eq(write_at(OTHER1, 0, 0), 0); /* any call drains first */
}

static void pin_again(unsigned slot)
{
    (void)slot;
    ck_assert_int_eq(pin(T4, 4), 0);
    ck_assert_int_eq(unpin(T4), 0);
}

/* By a caller that has not drained first. */
static void get_as_it_is(unsigned slot)
{
    int error;

    (void)slot;
    spin_lock(&g.d->pt_lock);
    do {
        this_pcpu()->entered_at = fake.now;
        error = pt_get_table(g.d, g.frame[T4], 4);
    } while (error == -ERESTART);
    ck_assert_int_eq(error, 0);
    ck_assert_uint_eq(pt_entries_held(mmu_frame(&g, T4)), PT_ENTRIES);
    pt_put_table(g.d, mmu_frame(&g, T4));
    spin_unlock(&g.d->pt_lock);
    audit();
    drain(slot);
}

static void interrupt_unpin(unsigned slot, aftermath *after)
{
    uint64_t before[MMU_PAGES];

    build_chain(slot);
    make_all_plain();
    take_counts(before);
    for (unsigned n = 1;; n++) {
        ck_assert_int_eq(pin(T4, 4), 0);
        fake.slow_at = n;
        ck_assert_int_ge(mmu_ext_once(&g, MMUEXT_UNPIN_TABLE, g.frame[T4].n, 0),
                         0);
        fake.slow_at = 0;
        audit();
        if (!mmu_is_cut()) {
            ck_assert_int_gt(n, 12);
            return;
        }
        after(slot);
        check_counts(before);
        audit();
    }
}

START_TEST(test_pt_cut_unpin_goes_on_with_any_call)
{
    interrupt_unpin((unsigned)_i, drain);
}
END_TEST

START_TEST(test_pt_cut_unpin_lets_the_table_be_pinned_again)
{
    interrupt_unpin((unsigned)_i, pin_again);
}
END_TEST

START_TEST(test_pt_cut_unpin_does_not_mislead_the_next_promotion)
{
    interrupt_unpin((unsigned)_i, get_as_it_is);
}
END_TEST

/* Calls that are cut at every question they ask still come to their end. */
START_TEST(test_pt_calls_always_cut_come_to_their_end)
{
    build_chain(1);
    fake.slow_at = 0;
    for (unsigned round = 0; round < 2; round++) {
        unsigned calls = 0;
        long result;

        do {
            fake.slow_at = 1;
            result = mmu_ext_once(
                &g, round ? MMUEXT_UNPIN_TABLE : MMUEXT_PIN_L4_TABLE,
                g.frame[T4].n, 0);
            if (round && calls) /* it was done by the first */
                ck_assert_int_eq(mmu_is_cut() ? 0 : result, 0);
            if (round && mmu_is_cut()) {
                while (mmu_is_cut()) {
                    fake.slow_at = 1;
                    result = mmu_call_once(hc_mmuext_op, fake.restart_args);
                    ck_assert_uint_lt(++calls, 200);
                }
                break;
            }
            ck_assert_uint_lt(++calls, 200);
        } while (mmu_is_cut());
        ck_assert_int_eq(result, 0);
        ck_assert_uint_gt(calls, 10);
    }
    ck_assert_uint_eq(typed(T4), 0);
}
END_TEST

/* --- settling in the middle of a write ----------------------------------- */

/* Leaves T2 cut short, with its first table T1 held by it alone. */
static void cut_after_t1(void)
{
    build_chain(0);
    put(T2, 1, mmu_entry(&g, OTHER1, MMU_TABLE));
    for (;;) { /* each time T1 gets further */
        fake.slow_at = 1;
        ck_assert_int_ge(
            mmu_ext_once(&g, MMUEXT_PIN_L2_TABLE, g.frame[T2].n, 0), 0);
        fake.slow_at = 0;
        ck_assert(mmu_is_cut());
        if (typed(T1) == 1)
            return;
        make_plain(T2);
    }
}

/* The write settles T2, and with it goes T1, the table it writes to. */
START_TEST(test_pt_leaf_write_that_undoes_its_own_table_is_refused)
{
    cut_after_t1();
    ck_assert_int_eq(write_at(T1, 5, mmu_entry(&g, T2, MMU_WRITABLE)), -EINVAL);
    ck_assert_uint_eq(typed(T1), 0);
    ck_assert_uint_eq(typed(T2), 0);
}
END_TEST

START_TEST(test_pt_table_write_that_undoes_its_own_table_is_refused)
{
    /* T3 cut short holds T2; T2 is to name T3 as an L1 table. */
    build_chain(0);
    put(T3, 1, mmu_entry(&g, OTHER2, MMU_TABLE));
    while (typed(T2) != 1) {
        make_plain(T3);
        fake.slow_at = 1;
        ck_assert_int_ge(
            mmu_ext_once(&g, MMUEXT_PIN_L3_TABLE, g.frame[T3].n, 0), 0);
        fake.slow_at = 0;
        ck_assert(mmu_is_cut());
    }
    ck_assert_int_eq(write_at(T2, 5, mmu_entry(&g, T3, MMU_TABLE)), -EINVAL);
    ck_assert_int_eq(write_at(OTHER2, 0, 0), 0); /* drains */
    ck_assert_uint_eq(typed(T2), 0);
}
END_TEST

/* --- flushes ------------------------------------------------------------- */

START_TEST(test_pt_page_is_flushed_before_it_becomes_a_table)
{
    unsigned before;

    ck_assert_int_eq(mmu_guest_remap(&g, DATA, MMU_READ_ONLY), 0);
    memset(mmu_page(&g, DATA), 0, PAGE_SIZE);
    before = fake.flushes;
    ck_assert_int_eq(pin(DATA, 1), 0);
    ck_assert_uint_eq(fake.flushes, before + 1);
}
END_TEST

START_TEST(test_pt_table_is_flushed_before_it_becomes_writable)
{
    unsigned before;

    ck_assert_int_eq(pin(T1, 1), 0);
    ck_assert_int_eq(unpin(T1), 0);
    before = fake.flushes;
    ck_assert_int_eq(mmu_guest_remap(&g, T1, MMU_WRITABLE), 0);
    ck_assert_uint_eq(fake.flushes, before + 1);
}
END_TEST

START_TEST(test_pt_page_that_was_flushed_meanwhile_needs_no_flush)
{
    unsigned before;

    ck_assert_int_eq(mmu_guest_remap(&g, DATA, MMU_READ_ONLY), 0);
    memset(mmu_page(&g, DATA), 0, PAGE_SIZE);
    for (fake.cpu = 0; fake.cpu < 2; fake.cpu++)
        arch_flush_local();
    fake.cpu = 0;
    before = fake.flushes;
    ck_assert_int_eq(pin(DATA, 1), 0);
    ck_assert_uint_eq(fake.flushes, before);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("pt_validate");
    TCase *t = tcase_create("whole");
    TCase *cut = tcase_create("cut");

    tcase_add_checked_fixture(t, setup, audit);
    tcase_add_test(t, test_pt_pin_then_unpin_puts_all_counts_back);
    tcase_add_test(t, test_pt_pin_counts_what_the_entries_name);
    tcase_add_test(t, test_pt_table_used_twice_is_validated_once);
    tcase_add_test(t, test_pt_promotion_forces_user_and_drops_global);
    tcase_add_test(t, test_pt_l4_gets_the_slots_that_are_micas);
    tcase_add_test(t, test_pt_former_l4_is_no_l3_with_micas_entries);
    tcase_add_test(t, test_pt_refuses_bad_bits);
    tcase_add_test(t, test_pt_refuses_absent_entries_that_leak);
    tcase_add_test(t, test_pt_refuses_foreign_frames);
    tcase_add_test(t, test_pt_refuses_free_frames_and_micas_own);
    tcase_add_test(t, test_pt_refuses_a_table_as_writable_page);
    tcase_add_test(t, test_pt_refuses_a_table_that_makes_those_above_writable);
    tcase_add_test(t, test_pt_table_may_map_itself_and_others_read_only);
    tcase_add_test(t, test_pt_refuses_a_page_with_a_writable_alias_as_table);
    tcase_add_test(t, test_pt_refuses_a_table_in_itself);
    tcase_add_test(t, test_pt_refuses_cycles_and_two_levels_at_once);
    tcase_add_test(t, test_pt_refuses_the_wrong_level_of_a_table);
    tcase_add_test(t, test_pt_refuses_descriptor_tables);
    tcase_add_test(t, test_pt_device_frame_needs_a_permission);
    tcase_add_test(t, test_pt_read_only_device_frame_loses_write);
    tcase_add_test(t, test_pt_device_frame_is_no_table);
    tcase_add_test(t, test_pt_cache_bits_are_for_domains_with_devices);
    tcase_add_test(t, test_pt_write_moves_references);
    tcase_add_test(t, test_pt_write_to_a_higher_table_promotes_and_demotes);
    tcase_add_test(t, test_pt_write_of_a_similar_entry_keeps_counts);
    tcase_add_test(t, test_pt_exchange_writes_only_over_what_is_expected);
    tcase_add_test(t, test_pt_exchange_notices_a_racing_processor);
    tcase_add_test(t, test_pt_preserve_keeps_a_racing_processors_bits);
    tcase_add_test(t, test_pt_store_drops_a_racing_processors_bits);
    tcase_add_test(t, test_pt_preserve_of_an_absent_entry_stores_it_as_it_is);
    tcase_add_test(t, test_pt_full_type_count_refuses_more);
    tcase_add_test(t, test_pt_full_reference_count_refuses_more);
    tcase_add_test(t, test_pt_page_is_flushed_before_it_becomes_a_table);
    tcase_add_test(t, test_pt_table_is_flushed_before_it_becomes_writable);
    tcase_add_test(t, test_pt_page_that_was_flushed_meanwhile_needs_no_flush);
    suite_add_tcase(s, t);

    tcase_add_checked_fixture(cut, setup, audit);
    tcase_set_timeout(cut, 30);
    tcase_add_loop_test(cut, test_pt_cut_pin_resumes, 0, 32);
    tcase_add_loop_test(cut, test_pt_cut_pin_is_undone_from_the_top, 0, 32);
    tcase_add_loop_test(cut, test_pt_cut_pin_is_undone_from_the_bottom, 0, 32);
    tcase_add_loop_test(cut, test_pt_cut_pin_lets_tables_take_other_places, 0,
                        8);
    tcase_add_loop_test(cut, test_pt_cut_pin_leaves_its_l1_to_others, 0, 8);
    tcase_add_loop_test(cut, test_pt_cut_pin_fails_if_a_table_went_bad, 0, 8);
    tcase_add_loop_test(cut, test_pt_cut_unpin_goes_on_with_any_call, 0, 32);
    tcase_add_loop_test(cut, test_pt_cut_unpin_lets_the_table_be_pinned_again,
                        0, 32);
    tcase_add_loop_test(
        cut, test_pt_cut_unpin_does_not_mislead_the_next_promotion, 0, 8);
    tcase_add_test(cut, test_pt_calls_always_cut_come_to_their_end);
    tcase_add_test(cut,
                   test_pt_leaf_write_that_undoes_its_own_table_is_refused);
    tcase_add_test(cut,
                   test_pt_table_write_that_undoes_its_own_table_is_refused);
    suite_add_tcase(s, cut);
    return s;
}

int main(void)
{
    SRunner *r = srunner_create(suite());
    int failed;

    srunner_run_all(r, CK_ENV);
    failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
