/* SPDX-License-Identifier: MIT */
/* mmu_update, update_va_mapping and mmuext_op as guests call them. */
#include <check.h>
#include <stdlib.h>

#include "core/frame.h"
#include "core/frame_audit.h"
#include "core/heap.h"
#include "core/pcpu.h"
#include "host/arch_fake.h"
#include "host/mmu_guest.h"
#include "hypercall_abi/mmu.h"

enum { T1 = MMU_FREE, T2, DATA = 32 };

#define DONE_OFFSET 2048u
#define LONG_LIST 40u /* requests: Mica asks for the time in between */
#define BAD_VA 0x20000000ull

/* `g` is an ordinary domain, `admin` may do all. */
static struct mmu_guest g, admin;

static void setup(void)
{
    fake_boot(2);
    mmu_guest_create(&admin, 1);
    admin.d->is_privileged = true;
    mmu_guest_create(&g, 3);
    mmu_guest_run(&g);
    for (unsigned pfn = T1; pfn < DATA; pfn++)
        ck_assert_int_eq(mmu_guest_remap(&g, pfn, MMU_READ_ONLY), 0);
}

static void audit(void)
{
    fake.console_echo = true;
    ck_assert_uint_eq(frame_audit(), 0);
}

static uint64_t references(const struct mmu_guest *who, unsigned pfn)
{
    return mmu_frame(who, pfn)->state & FRAME_COUNT_MASK;
}

static uint64_t typed(const struct mmu_guest *who, unsigned pfn)
{
    return frame_type_count(mmu_frame(who, pfn)->state);
}

static long pin(unsigned pfn, unsigned level)
{
    return mmu_ext(&g, MMUEXT_PIN_L1_TABLE + level - 1, g.frame[pfn].n, 0);
}

/* mmu_update with `count` requests that are in the guest's page already. */
static long updates(const struct mmu_guest *who, uint64_t count, uint64_t done,
                    uint64_t domains)
{
    uint64_t args[5] = {mmu_va(MMU_ARGS), count, done, domains};

    mmu_guest_run(who);
    return mmu_call(hc_mmu_update, args);
}

static long exts(const struct mmu_guest *who, uint64_t count, uint64_t done,
                 uint64_t domain)
{
    uint64_t args[5] = {mmu_va(MMU_ARGS), count, done, domain};

    mmu_guest_run(who);
    return mmu_call(hc_mmuext_op, args);
}

static void put_update(const struct mmu_guest *who, unsigned i, uint64_t ptr,
                       uint64_t value)
{
    struct mmu_update *u = (void *)mmu_page(who, MMU_ARGS);

    u[i] = (struct mmu_update){ptr, value};
}

static void put_ext(const struct mmu_guest *who, unsigned i, unsigned cmd,
                    uint64_t mfn)
{
    struct mmuext_op *op = (void *)mmu_page(who, MMU_ARGS);

    op[i] = (struct mmuext_op){.cmd = cmd, .arg1.mfn = mfn};
}

static uint32_t done_count(const struct mmu_guest *who)
{
    uint32_t done;

    memcpy(&done, (char *)mmu_page(who, MMU_ARGS) + DONE_OFFSET, sizeof(done));
    return done;
}

static uint64_t done_va(void)
{
    return mmu_va(MMU_ARGS) + DONE_OFFSET;
}

/* --- mmu_update ---------------------------------------------------------- */

START_TEST(test_mmu_update_stores_into_plain_pages)
{
    ck_assert_int_eq(mmu_update(&g, mmu_address(&g, DATA, 3), ~0ull), 0);
    ck_assert_uint_eq(mmu_page(&g, DATA)[3], ~0ull);
    ck_assert_uint_eq(typed(&g, DATA), 1);
    /* mapped read-only, but nothing speaks against it */
    ck_assert_int_eq(mmu_update(&g, mmu_address(&g, T1, 511), 77), 0);
    ck_assert_uint_eq(mmu_page(&g, T1)[511], 77);
    ck_assert_uint_eq(typed(&g, T1), 0);
}
END_TEST

START_TEST(test_mmu_update_of_plain_page_preserves_bits_if_asked)
{
    mmu_page(&g, DATA)[0] = PTE_ACCESSED | PTE_DIRTY | 0x1000;
    ck_assert_int_eq(
        mmu_update(&g, mmu_address(&g, DATA, 0) | MMU_PT_UPDATE_PRESERVE_AD,
                   0x2000),
        0);
    ck_assert_uint_eq(mmu_page(&g, DATA)[0], PTE_ACCESSED | PTE_DIRTY | 0x2000);
    ck_assert_int_eq(
        mmu_update(&g, mmu_address(&g, DATA, 0) | MMU_PT_UPDATE_NO_TRANSLATE,
                   0x3000),
        0);
    ck_assert_uint_eq(mmu_page(&g, DATA)[0], 0x3000);
}
END_TEST

START_TEST(test_mmu_update_of_a_former_table_makes_it_plain)
{
    ck_assert_int_eq(pin(T1, 1), 0);
    ck_assert_int_eq(mmu_ext(&g, MMUEXT_UNPIN_TABLE, g.frame[T1].n, 0), 0);
    ck_assert_int_eq(mmu_update(&g, mmu_address(&g, T1, 0), ~0ull), 0);
    ck_assert_uint_eq(mmu_page(&g, T1)[0], ~0ull);
    ck_assert_uint_eq(frame_type(mmu_frame(&g, T1)), FRAME_WRITABLE);
}
END_TEST

START_TEST(test_mmu_update_refuses_what_is_not_the_callers)
{
    uint64_t foreign = mmu_address(&admin, DATA, 0);

    ck_assert_int_eq(mmu_update(&g, foreign, 0), -EINVAL);
    ck_assert_int_eq(mmu_update(&g, foreign | MMU_MACHPHYS_UPDATE, 5), -EINVAL);
    ck_assert_int_eq(mmu_update(&g, 0, 0), -EINVAL);
    ck_assert_int_eq(mmu_update(&g, ~7ull, 0), -EINVAL);
    ck_assert_int_eq(mmu_update(&g, FAKE_FIRST_FRAME << 12, 0), -EINVAL);
    ck_assert_int_eq(mmu_update(&g, 0xfee00000, 0), -EINVAL);
}
END_TEST

START_TEST(test_mmu_update_refuses_unknown_types)
{
    for (unsigned type = 4; type < 8; type++)
        ck_assert_int_eq(mmu_update(&g, mmu_address(&g, DATA, 0) | type, 0),
                         -ENOSYS);
}
END_TEST

START_TEST(test_mmu_update_sets_m2p)
{
    ck_assert_int_eq(
        mmu_update(&g, mmu_address(&g, DATA, 0) | MMU_MACHPHYS_UPDATE, 0x1234),
        0);
    ck_assert_uint_eq(fake_m2p(g.frame[DATA]), 0x1234);
    ck_assert_uint_eq(references(&g, DATA), 2);
}
END_TEST

START_TEST(test_mmu_update_counts_until_one_fails)
{
    ck_assert_int_eq(pin(T1, 1), 0);
    put_update(&g, 0, mmu_address(&g, T1, 0), mmu_entry(&g, DATA, MMU_TABLE));
    put_update(&g, 1, mmu_address(&g, T1, 1), mmu_entry(&g, DATA, MMU_TABLE));
    put_update(&g, 2, mmu_address(&g, T1, 2), mmu_entry(&g, T1, MMU_TABLE));
    put_update(&g, 3, mmu_address(&g, T1, 3), mmu_entry(&g, DATA, MMU_TABLE));
    ck_assert_int_eq(updates(&g, 4, done_va(), DOMID_SELF), -EINVAL);
    ck_assert_uint_eq(done_count(&g), 2);
    ck_assert_uint_eq(typed(&g, DATA), 3);
    ck_assert_uint_eq(mmu_page(&g, T1)[3], 0);
}
END_TEST

START_TEST(test_mmu_update_with_bad_addresses_faults)
{
    uint64_t args[5] = {BAD_VA, 1, 0, DOMID_SELF};

    ck_assert_int_eq(mmu_call(hc_mmu_update, args), -EFAULT);
    args[0] = ~0ull - 7;
    ck_assert_int_eq(mmu_call(hc_mmu_update, args), -EFAULT);
    args[0] = HYPERVISOR_VIRT_START;
    ck_assert_int_eq(mmu_call(hc_mmu_update, args), -EFAULT);
    put_update(&g, 0, mmu_address(&g, DATA, 0), 5);
    ck_assert_int_eq(updates(&g, 1, BAD_VA, DOMID_SELF), -EFAULT);
    ck_assert_int_eq(updates(&g, 1, mmu_va(MMU_L1), DOMID_SELF), -EFAULT);
    ck_assert_int_eq(updates(&g, 1 | MMU_UPDATE_PREEMPTED, BAD_VA, DOMID_SELF),
                     -EFAULT);
    ck_assert_int_eq(updates(&g, 0, 0, DOMID_SELF), 0);
}
END_TEST

/* However often it is cut, each request is done once. */
START_TEST(test_mmu_update_cut_anywhere_counts_right)
{
    uint64_t args[5] = {mmu_va(MMU_ARGS), 50, done_va(), DOMID_SELF};
    unsigned calls = 1;

    ck_assert_int_eq(pin(T1, 1), 0);
    for (unsigned i = 0; i < 50; i++)
        put_update(&g, i, mmu_address(&g, T1, i),
                   mmu_entry(&g, DATA, MMU_WRITABLE));
    fake.slow_at = (unsigned)_i;
    ck_assert_int_ge(mmu_call_once(hc_mmu_update, args), 0);
    for (; mmu_is_cut(); calls++) {
        memcpy(args, fake.restart_args, sizeof(args));
        ck_assert_uint_eq((uint32_t)args[1] & ~MMU_UPDATE_PREEMPTED,
                          50 - done_count(&g));
        fake.slow_at = (unsigned)_i;
        ck_assert_int_ge(mmu_call_once(hc_mmu_update, args), 0);
    }
    ck_assert_uint_eq(done_count(&g), 50);
    ck_assert_uint_eq(typed(&g, DATA), 51);
    if (_i == 1)
        ck_assert_uint_gt(calls, 1);
}
END_TEST

/* --- domains ------------------------------------------------------------- */

START_TEST(test_mmu_update_of_other_domains_is_for_the_privileged)
{
    uint64_t frames = admin.d->id, tables = (admin.d->id + 1ull) << 16;

    put_update(&g, 0, mmu_address(&g, DATA, 0), 1);
    ck_assert_int_eq(updates(&g, 1, 0, frames), -EPERM);
    ck_assert_int_eq(updates(&g, 1, 0, tables | DOMID_SELF), -EPERM);
    ck_assert_int_eq(updates(&g, 1, 0, tables | frames), -EPERM);
    /* whether there is such a domain is not theirs to know */
    ck_assert_int_eq(updates(&g, 1, 0, 99), -EPERM);
    ck_assert_int_eq(updates(&g, 1, 0, 100ull << 16 | DOMID_SELF), -EPERM);
    ck_assert_int_eq(updates(&admin, 1, 0, 99), -ESRCH);
    ck_assert_int_eq(updates(&admin, 1, 0, 100ull << 16 | g.d->id), -ESRCH);
    ck_assert_int_eq(updates(&admin, 1, 0, (g.d->id + 1ull) << 16 | 99),
                     -ESRCH);
    ck_assert_int_eq(updates(&g, 1, 0, g.d->id), 0);
    ck_assert_int_eq(updates(&g, 1, 0, (g.d->id + 1ull) << 16 | g.d->id), 0);
    ck_assert_uint_eq(admin.d->refs, 1);
    ck_assert_uint_eq(g.d->refs, 1);
}
END_TEST

/* A right to write comes and goes while the entry keeps its frame. */
START_TEST(test_mmu_update_changes_rights)
{
    uint64_t at = mmu_address(&g, MMU_L1, 300);
    uint64_t held = references(&g, DATA), types = typed(&g, DATA);

    for (unsigned how = MMU_NORMAL_PT_UPDATE; how <= MMU_PT_UPDATE_NO_TRANSLATE;
         how++) {
        if (how == MMU_MACHPHYS_UPDATE)
            continue;
        put_update(&g, 0, at | how, mmu_entry(&g, DATA, MMU_READ_ONLY));
        put_update(&g, 1, at | how, mmu_entry(&g, DATA, MMU_WRITABLE));
        put_update(&g, 2, at | how,
                   mmu_entry(&g, DATA, MMU_WRITABLE) | PTE_DIRTY | PTE_NX);
        ck_assert_int_eq(updates(&g, 3, 0, DOMID_SELF), 0);
        ck_assert_uint_eq(references(&g, DATA), held + 1);
        ck_assert_uint_eq(typed(&g, DATA), types + 1);
        audit();
        put_update(&g, 0, at | how, mmu_entry(&g, DATA, MMU_READ_ONLY));
        ck_assert_int_eq(updates(&g, 1, 0, DOMID_SELF), 0);
        ck_assert_uint_eq(references(&g, DATA), held + 1);
        ck_assert_uint_eq(typed(&g, DATA), types);
        audit();
        put_update(&g, 0, at | how, 0);
        ck_assert_int_eq(updates(&g, 1, 0, DOMID_SELF), 0);
        ck_assert_uint_eq(references(&g, DATA), held);
    }
}
END_TEST

/* The last writable mapping goes, the frame becomes a table and stays one. */
START_TEST(test_mmu_update_right_to_write_a_table_is_not_to_be_had)
{
    uint64_t at = mmu_address(&g, MMU_L1, 300);

    put_update(&g, 0, at, mmu_entry(&g, T1, MMU_WRITABLE));
    put_update(&g, 1, at, mmu_entry(&g, T1, MMU_READ_ONLY));
    ck_assert_int_eq(updates(&g, 2, 0, DOMID_SELF), 0);
    ck_assert_uint_eq(typed(&g, T1), 0);
    ck_assert_int_eq(pin(T1, 1), 0);
    put_update(&g, 0, at, mmu_entry(&g, T1, MMU_WRITABLE));
    ck_assert_int_eq(updates(&g, 1, 0, DOMID_SELF), -EINVAL);
    ck_assert_uint_eq(mmu_page(&g, MMU_L1)[300],
                      mmu_entry(&g, T1, MMU_READ_ONLY));
    audit();
    ck_assert_int_eq(mmu_ext(&g, MMUEXT_UNPIN_TABLE, g.frame[T1].n, 0), 0);
    ck_assert_int_eq(mmu_update(&g, at, mmu_entry(&g, T1, MMU_WRITABLE)), 0);
    ck_assert_uint_eq(typed(&g, T1), 1);
    audit();
}
END_TEST

/* A list goes from table to table and back, and holds on to none of them. */
START_TEST(test_mmu_update_of_several_frames_in_turn)
{
    uint64_t held = references(&g, MMU_L1), plain = references(&g, DATA);

    for (unsigned i = 0; i < 6; i++)
        put_update(&g, i, mmu_address(&g, i % 2 ? DATA : MMU_L1, 300 + i), 0);
    ck_assert_int_eq(updates(&g, 6, 0, DOMID_SELF), 0);
    put_update(&g, 3, mmu_address(&g, MMU_L1, 300), 0);
    put_update(&g, 4, BAD_VA << 20, 0);
    ck_assert_int_eq(updates(&g, 6, 0, DOMID_SELF), -EINVAL);
    ck_assert_uint_eq(references(&g, MMU_L1), held);
    ck_assert_uint_eq(references(&g, DATA), plain);
    audit();
}
END_TEST

START_TEST(test_mmu_update_maps_foreign_frames_for_the_privileged)
{
    uint64_t at = mmu_address(&admin, MMU_L1, 300);
    uint64_t entry = mmu_entry(&g, DATA, MMU_WRITABLE);

    put_update(&admin, 0, at, entry);
    ck_assert_int_eq(updates(&admin, 1, 0, DOMID_SELF), -EINVAL);
    ck_assert_int_eq(updates(&admin, 1, 0, g.d->id), 0);
    ck_assert_uint_eq(typed(&g, DATA), 2);
    audit();
    /* the same frame again: nothing that was not allowed */
    put_update(&admin, 0, at, entry | PTE_DIRTY | PTE_NX);
    ck_assert_int_eq(updates(&admin, 1, 0, DOMID_SELF), 0);
    put_update(&admin, 0, at, mmu_entry(&g, DATA, MMU_READ_ONLY));
    ck_assert_int_eq(updates(&admin, 1, 0, DOMID_SELF), -EINVAL);
    put_update(&admin, 0, at, mmu_entry(&g, MMU_L4, MMU_WRITABLE));
    ck_assert_int_eq(updates(&admin, 1, 0, g.d->id), -EINVAL);
    put_update(&admin, 0, at, 0);
    ck_assert_int_eq(updates(&admin, 1, 0, DOMID_SELF), 0);
    ck_assert_uint_eq(typed(&g, DATA), 1);
}
END_TEST

START_TEST(test_mmu_update_maps_foreign_tables_read_only)
{
    uint64_t at = mmu_address(&admin, MMU_L1, 300);

    put_update(&admin, 0, at, mmu_entry(&g, MMU_L1, MMU_WRITABLE));
    ck_assert_int_eq(updates(&admin, 1, 0, g.d->id), -EINVAL);
    put_update(&admin, 0, at, mmu_entry(&g, MMU_L1, MMU_READ_ONLY));
    ck_assert_int_eq(updates(&admin, 1, 0, g.d->id), 0);
    ck_assert_uint_eq(typed(&g, MMU_L1), 1);
    audit();
}
END_TEST

START_TEST(test_mmu_update_foreign_writable_mapping_bars_tables)
{
    uint64_t at = mmu_address(&admin, MMU_L1, 300);

    put_update(&admin, 0, at, mmu_entry(&g, T1, MMU_WRITABLE));
    ck_assert_int_eq(updates(&admin, 1, 0, g.d->id), 0);
    mmu_guest_run(&g);
    ck_assert_int_eq(pin(T1, 1), -EINVAL);
    put_update(&admin, 0, at, mmu_entry(&g, T1, MMU_READ_ONLY));
    ck_assert_int_eq(updates(&admin, 1, 0, g.d->id), 0);
    mmu_guest_run(&g);
    ck_assert_int_eq(pin(T1, 1), 0);
    audit();
}
END_TEST

/* The owner gives all it has back, and a mapping keeps its frame alive. */
START_TEST(test_mmu_update_foreign_mapping_outlives_its_owners_memory)
{
    uint64_t at = mmu_address(&admin, MMU_L1, 300);
    struct frame *f = mmu_frame(&g, DATA);

    put_update(&admin, 0, at, mmu_entry(&g, DATA, MMU_WRITABLE));
    ck_assert_int_eq(updates(&admin, 1, 0, g.d->id), 0);
    mmu_guest_drop_tables(&g);
    ck_assert_int_eq(frame_unassign(f, g.d), -EBUSY);
    frame_give_up(frame_mfn(f), 1, g.d);
    for (unsigned pfn = 0; pfn < MMU_PAGES; pfn++)
        if (pfn != DATA)
            ck_assert_int_eq(frame_unassign(mmu_frame(&g, pfn), g.d), 0);
    ck_assert_uint_eq(g.d->page_count, 1);
    ck_assert_uint_eq(frame_owner(f), g.d->id);
    audit();
    put_update(&admin, 0, at, 0);
    ck_assert_int_eq(updates(&admin, 1, 0, DOMID_SELF), 0);
    ck_assert_uint_eq(g.d->page_count, 0);
    audit();
}
END_TEST

START_TEST(test_mmu_update_sets_m2p_of_foreign_frames)
{
    put_update(&admin, 0, mmu_address(&g, DATA, 0) | MMU_MACHPHYS_UPDATE, 77);
    ck_assert_int_eq(updates(&admin, 1, 0, DOMID_SELF), -EINVAL);
    ck_assert_int_eq(updates(&admin, 1, 0, g.d->id), 0);
    ck_assert_uint_eq(fake_m2p(g.frame[DATA]), 77);
}
END_TEST

START_TEST(test_mmu_update_does_not_link_foreign_tables)
{
    mmu_guest_run(&g);
    ck_assert_int_eq(pin(T1, 1), 0);
    put_update(&admin, 0, mmu_address(&admin, MMU_L2, 1),
               mmu_entry(&g, T1, MMU_TABLE));
    ck_assert_int_eq(updates(&admin, 1, 0, g.d->id), -EINVAL);
}
END_TEST

START_TEST(test_mmu_update_writes_foreign_tables_for_the_privileged)
{
    uint64_t both = (g.d->id + 1ull) << 16 | g.d->id;

    ck_assert_int_eq(pin(T1, 1), 0);
    put_update(&admin, 0, mmu_address(&g, T1, 0),
               mmu_entry(&g, DATA, MMU_WRITABLE));
    ck_assert_int_eq(updates(&admin, 1, 0, DOMID_SELF), -EINVAL);
    ck_assert_int_eq(updates(&admin, 1, 0, both), 0);
    ck_assert_uint_eq(typed(&g, DATA), 2);
}
END_TEST

START_TEST(test_mmu_update_for_io_means_the_callers_devices)
{
    mmu_guest_run(&admin);
    ck_assert_int_eq(rangeset_add(admin.d->io_frames, 0xfe000, 0xfe000), 0);
    put_update(&admin, 0, mmu_address(&admin, MMU_L1, 300),
               pte_make(MFN(0xfe000), MMU_WRITABLE));
    ck_assert_int_eq(updates(&admin, 1, 0, DOMID_IO), 0);
    put_update(&admin, 0, mmu_address(&admin, MMU_L1, 300), 0);
    ck_assert_int_eq(updates(&admin, 1, 0, DOMID_IO), 0);
}
END_TEST

START_TEST(test_mmuext_of_other_domains_is_for_the_privileged)
{
    put_ext(&g, 0, MMUEXT_PIN_L1_TABLE, admin.frame[DATA].n);
    ck_assert_int_eq(exts(&g, 1, 0, admin.d->id), -EPERM);
    ck_assert_int_eq(exts(&g, 1, 0, 99), -EPERM);
    ck_assert_int_eq(exts(&admin, 1, 0, 99), -ESRCH);
    ck_assert_int_eq(exts(&g, 1, 0, DOMID_SELF), -EINVAL);
    put_ext(&admin, 0, MMUEXT_PIN_L1_TABLE, g.frame[T1].n);
    put_ext(&admin, 1, MMUEXT_NEW_BASEPTR, admin.frame[MMU_L4].n);
    ck_assert_int_eq(exts(&admin, 2, done_va(), g.d->id), -EPERM);
    ck_assert_uint_eq(done_count(&admin), 1);
    ck_assert_uint_eq(typed(&g, T1), 1);
    put_ext(&admin, 0, MMUEXT_UNPIN_TABLE, g.frame[T1].n);
    ck_assert_int_eq(exts(&admin, 1, 0, g.d->id), 0);
    ck_assert_uint_eq(admin.d->refs, 1);
    ck_assert_uint_eq(g.d->refs, 1);
}
END_TEST

/*
 * A call of admin's that is cut short: one of its ids may be another domain's
 * when it goes on.
 */
static void expect_same_domain(hypercall_handler *handler, uint64_t domains)
{
    uint64_t args[5] = {mmu_va(MMU_ARGS), LONG_LIST, done_va(), domains};
    uint32_t done;

    mmu_guest_run(&admin);
    fake.slow_at = 1;
    ck_assert_int_ge(mmu_call_once(handler, args), 0);
    ck_assert(mmu_is_cut());
    done = done_count(&admin);
    ck_assert(done && done < LONG_LIST);
    memcpy(args, fake.restart_args, sizeof(args));
    g.d->serial++;
    ck_assert_int_eq(mmu_call_once(handler, args), -ESRCH);
    ck_assert(!mmu_is_cut());
    ck_assert_uint_eq(done_count(&admin), done);
    ck_assert_uint_eq(admin.d->refs, 1);
    ck_assert_uint_eq(g.d->refs, 1);
    g.d->serial--;
    ck_assert_int_eq(mmu_call(handler, args), 0);
    ck_assert_uint_eq(done_count(&admin), LONG_LIST);
}

START_TEST(test_mmuext_that_goes_on_means_the_same_domain)
{
    ck_assert_int_eq(pin(T1, 1), 0);
    for (unsigned i = 0; i < LONG_LIST; i++)
        put_ext(&admin, i, i % 2 ? MMUEXT_PIN_L1_TABLE : MMUEXT_UNPIN_TABLE,
                g.frame[T1].n);
    expect_same_domain(hc_mmuext_op, g.d->id);
}
END_TEST

/* Whether it owns the tables, what they map, or both. */
START_TEST(test_mmu_update_that_goes_on_means_the_same_domains)
{
    uint64_t tables = (g.d->id + 1ull) << 16;
    uint64_t domains[] = {g.d->id, tables | DOMID_SELF, tables | g.d->id};

    ck_assert_int_eq(pin(T1, 1), 0);
    for (unsigned i = 0; i < LONG_LIST; i++)
        put_update(&admin, i,
                   _i ? mmu_address(&g, T1, i)
                      : mmu_address(&admin, MMU_L1, 300 + i),
                   0);
    expect_same_domain(hc_mmu_update, domains[_i]);
}
END_TEST

START_TEST(test_mmuext_builds_foreign_tables)
{
    put_ext(&admin, 0, MMUEXT_PIN_L1_TABLE, g.frame[T1].n);
    put_ext(&admin, 1, MMUEXT_PIN_L1_TABLE, g.frame[T1 + 1].n);
    ck_assert_int_eq(exts(&admin, 2, 0, g.d->id), 0);
    ck_assert_uint_eq(typed(&g, T1), 1);
    put_ext(&admin, 0, MMUEXT_INVLPG_LOCAL, mmu_va(DATA));
    ck_assert_int_eq(exts(&admin, 1, 0, g.d->id), -EPERM);
    audit();
}
END_TEST

START_TEST(test_mmuext_pin_of_a_dying_domain_is_refused)
{
    domain_begin_death(g.d);
    put_ext(&admin, 0, MMUEXT_PIN_L1_TABLE, g.frame[T1].n);
    ck_assert_int_eq(exts(&admin, 1, 0, g.d->id), -EINVAL);
    ck_assert_uint_eq(typed(&g, T1), 0);
}
END_TEST

/* --- update_va_mapping --------------------------------------------------- */

START_TEST(test_update_va_mapping_sets_the_entry)
{
    uint64_t entry = mmu_entry(&g, DATA, MMU_WRITABLE);

    ck_assert_int_eq(mmu_map_va(&g, mmu_va(100), entry, 0), 0);
    ck_assert_uint_eq(mmu_page(&g, MMU_L1)[100], entry);
    ck_assert_uint_eq(typed(&g, DATA), 2);
    ck_assert_int_eq(mmu_map_va(&g, mmu_va(100) + 123, 0, 0), 0);
    ck_assert_uint_eq(typed(&g, DATA), 1);
}
END_TEST

START_TEST(test_update_va_mapping_refuses_addresses_without_l1)
{
    static const uint64_t bad[] = {
        0,
        BAD_VA,
        MMU_VA + (2ull << 20),
        MMU_VA + (1ull << 30),
        0x800000000000,
        0xffff7ffffffff000,
        HYPERVISOR_VIRT_START,
        HYPERVISOR_VIRT_END - 1,
        ~0ull,
    };

    for (unsigned i = 0; i < ARRAY_LEN(bad); i++)
        ck_assert_int_eq(
            mmu_map_va(&g, bad[i], mmu_entry(&g, DATA, MMU_READ_ONLY), 0),
            -EINVAL);
    ck_assert_int_eq(
        mmu_map_va(&g, mmu_va(100), mmu_entry(&g, MMU_L1, MMU_WRITABLE), 0),
        -EINVAL);
}
END_TEST

START_TEST(test_update_va_mapping_flushes_as_asked)
{
    uint64_t set = mmu_va(MMU_ARGS) + 64, before = fake.local_flushes;
    uint64_t va = mmu_va(100);

    ((uint64_t *)mmu_page(&g, MMU_ARGS))[8] = 0xf1;
    ck_assert_int_eq(mmu_map_va(&g, va, 0, UVMF_NONE), 0);
    ck_assert_int_eq(mmu_map_va(&g, va, 0, UVMF_ALL), 0);
    ck_assert_uint_eq(fake.local_flushes, before);
    ck_assert_int_eq(mmu_map_va(&g, va, 0, UVMF_TLB_FLUSH | UVMF_LOCAL), 0);
    ck_assert_uint_eq(fake.local_flushes, before + 1);
    ck_assert_int_eq(mmu_map_va(&g, va, 0, UVMF_INVLPG | UVMF_LOCAL), 0);
    ck_assert_uint_eq(fake.page_flushes, 1);
    ck_assert_uint_eq(fake.vcpus_flushed, 0);
    ck_assert_int_eq(mmu_map_va(&g, va, 0, UVMF_INVLPG | UVMF_ALL), 0);
    ck_assert_uint_eq(fake.vcpus_flushed, 1);
    fake.vcpus_flushed = 0;
    ck_assert_int_eq(mmu_map_va(&g, va, 0, UVMF_TLB_FLUSH | set), 0);
    ck_assert_uint_eq(fake.vcpus_flushed & 1, 1);
    ck_assert_int_eq(mmu_map_va(&g, va, 0, UVMF_TLB_FLUSH | BAD_VA), -EFAULT);
    ck_assert_int_eq(mmu_map_va(&g, va, mmu_entry(&g, T1, MMU_READ_ONLY) | 128,
                                UVMF_TLB_FLUSH),
                     -EINVAL);
}
END_TEST

START_TEST(test_update_va_mapping_otherdomain_checks_rights_and_owner)
{
    uint64_t args[5] = {mmu_va(100), mmu_entry(&admin, DATA, MMU_READ_ONLY), 0,
                        admin.d->id};

    ck_assert_int_eq(mmu_call(hc_update_va_mapping_otherdomain, args), -EPERM);
    args[3] = DOMID_SELF;
    ck_assert_int_eq(mmu_call(hc_update_va_mapping_otherdomain, args), -EINVAL);
    mmu_guest_run(&admin);
    args[3] = 99;
    ck_assert_int_eq(mmu_call(hc_update_va_mapping_otherdomain, args), -ESRCH);
    args[1] = mmu_entry(&g, DATA, MMU_WRITABLE);
    ck_assert_int_eq(mmu_call(hc_update_va_mapping, args), -EINVAL);
    args[3] = g.d->id;
    ck_assert_int_eq(mmu_call(hc_update_va_mapping_otherdomain, args), 0);
    ck_assert_uint_eq(typed(&g, DATA), 2);
    ck_assert_uint_eq(g.d->refs, 1);
}
END_TEST

/* --- mmuext_op ----------------------------------------------------------- */

START_TEST(test_mmuext_pin_twice_and_unpin_twice_are_refused)
{
    ck_assert_int_eq(pin(T1, 1), 0);
    ck_assert_int_eq(pin(T1, 1), -EINVAL);
    ck_assert_uint_eq(typed(&g, T1), 1);
    ck_assert_int_eq(mmu_ext(&g, MMUEXT_UNPIN_TABLE, g.frame[T1].n, 0), 0);
    ck_assert_int_eq(mmu_ext(&g, MMUEXT_UNPIN_TABLE, g.frame[T1].n, 0),
                     -EINVAL);
    ck_assert_int_eq(mmu_ext(&g, MMUEXT_UNPIN_TABLE, admin.frame[T1].n, 0),
                     -EINVAL);
    ck_assert_int_eq(mmu_ext(&g, MMUEXT_UNPIN_TABLE, ~0ull, 0), -EINVAL);
}
END_TEST

/* A second L4 that maps what the first does. */
static void make_second_root(void)
{
    memcpy(mmu_page(&g, T1), mmu_page(&g, MMU_L4), PAGE_SIZE);
}

START_TEST(test_mmuext_new_baseptr_changes_the_root)
{
    make_second_root();
    ck_assert_int_eq(mmu_ext(&g, MMUEXT_NEW_BASEPTR, g.frame[T1].n, 0), 0);
    ck_assert_uint_eq(g.v->kernel_root.n, g.frame[T1].n);
    ck_assert_uint_eq(fake.roots_changed, 1);
    ck_assert_uint_eq(typed(&g, MMU_L4), 0);
    ck_assert_uint_eq(typed(&g, MMU_L3), 1);
    ck_assert_int_eq(mmu_ext(&g, MMUEXT_NEW_BASEPTR, g.frame[T1].n, 0), 0);
    ck_assert_uint_eq(fake.roots_changed, 1);
    ck_assert_uint_eq(typed(&g, T1), 1);
}
END_TEST

START_TEST(test_mmuext_new_baseptr_refuses_what_is_no_root)
{
    static const uint64_t bad[] = {0, ~0ull, FAKE_FIRST_FRAME, 0xfee00,
                                   1ull << 40};

    for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
        ck_assert_int_eq(mmu_ext(&g, MMUEXT_NEW_BASEPTR, bad[i], 0), -EINVAL);
        if (bad[i])
            ck_assert_int_eq(mmu_ext(&g, MMUEXT_NEW_USER_BASEPTR, bad[i], 0),
                             -EINVAL);
    }
    ck_assert_int_eq(mmu_ext(&g, MMUEXT_NEW_BASEPTR, g.frame[MMU_L3].n, 0),
                     -EINVAL);
    ck_assert_int_eq(mmu_ext(&g, MMUEXT_NEW_BASEPTR, g.frame[DATA].n, 0),
                     -EINVAL);
    ck_assert_int_eq(mmu_ext(&g, MMUEXT_NEW_BASEPTR, admin.frame[MMU_L4].n, 0),
                     -EINVAL);
    ck_assert_uint_eq(g.v->kernel_root.n, g.frame[MMU_L4].n);
    ck_assert_uint_eq(fake.roots_changed, 0);
}
END_TEST

START_TEST(test_mmuext_new_user_baseptr_takes_none)
{
    make_second_root();
    ck_assert_int_eq(mmu_ext(&g, MMUEXT_NEW_USER_BASEPTR, g.frame[T1].n, 0), 0);
    ck_assert_uint_eq(g.v->user_root.n, g.frame[T1].n);
    ck_assert_uint_eq(typed(&g, T1), 1);
    audit();
    ck_assert_int_eq(mmu_ext(&g, MMUEXT_NEW_USER_BASEPTR, 0, 0), 0);
    ck_assert_uint_eq(g.v->user_root.n, MFN_INVALID.n);
    ck_assert_uint_eq(typed(&g, T1), 0);
    ck_assert_int_eq(mmu_ext(&g, MMUEXT_NEW_USER_BASEPTR, g.frame[MMU_L4].n, 0),
                     0);
    ck_assert_uint_eq(typed(&g, MMU_L4), 2);
}
END_TEST

START_TEST(test_mmuext_flushes)
{
    uint64_t set = mmu_va(MMU_ARGS) + 512, before = fake.local_flushes;

    mmu_page(&g, MMU_ARGS)[64] = ~0ull;
    ck_assert_int_eq(mmu_ext(&g, MMUEXT_TLB_FLUSH_LOCAL, 0, 0), 0);
    ck_assert_uint_eq(fake.local_flushes, before + 1);
    ck_assert_int_eq(mmu_ext(&g, MMUEXT_INVLPG_LOCAL, mmu_va(3), 0), 0);
    ck_assert_uint_eq(fake.page_flushes, 1);
    ck_assert_int_eq(mmu_ext(&g, MMUEXT_INVLPG_LOCAL, 0x800000000000, 0), 0);
    ck_assert_int_eq(mmu_ext(&g, MMUEXT_INVLPG_LOCAL, HYPERVISOR_VIRT_START, 0),
                     0);
    ck_assert_uint_eq(fake.page_flushes, 1);
    for (unsigned i = 0; i < 2; i++) {
        fake.vcpus_flushed = 0;
        ck_assert_int_eq(
            mmu_ext(&g, i ? MMUEXT_INVLPG_MULTI : MMUEXT_TLB_FLUSH_MULTI,
                    mmu_va(3), set),
            0);
        ck_assert_uint_eq(fake.vcpus_flushed & 1, 1);
        fake.vcpus_flushed = 0;
        ck_assert_int_eq(
            mmu_ext(&g, i ? MMUEXT_INVLPG_ALL : MMUEXT_TLB_FLUSH_ALL, 0, 0), 0);
        ck_assert_uint_eq(fake.vcpus_flushed, 1);
        ck_assert_int_eq(
            mmu_ext(&g, i ? MMUEXT_INVLPG_MULTI : MMUEXT_TLB_FLUSH_MULTI,
                    mmu_va(3), BAD_VA),
            -EFAULT);
    }
}
END_TEST

START_TEST(test_mmuext_cache_flush_is_for_domains_with_devices)
{
    ck_assert_int_eq(mmu_ext(&g, MMUEXT_FLUSH_CACHE, 0, 0), -EACCES);
    ck_assert_int_eq(mmu_ext(&g, MMUEXT_FLUSH_CACHE_GLOBAL, 0, 0), -EACCES);
    g.d->may_use_devices = true;
    ck_assert_int_eq(mmu_ext(&g, MMUEXT_FLUSH_CACHE, 0, 0), 0);
    ck_assert_int_eq(mmu_ext(&g, MMUEXT_FLUSH_CACHE_GLOBAL, 0, 0), 0);
    ck_assert_uint_eq(fake.cache_flushes, 2);
}
END_TEST

START_TEST(test_mmuext_set_ldt_and_unserved_commands)
{
    ck_assert_int_eq(mmu_ext(&g, MMUEXT_SET_LDT, mmu_va(3), 8192), 0);
    ck_assert_int_eq(mmu_ext(&g, MMUEXT_SET_LDT, mmu_va(3), 8193), -EINVAL);
    ck_assert_int_eq(mmu_ext(&g, MMUEXT_SET_LDT, mmu_va(3) + 8, 1), -EINVAL);
    ck_assert_int_eq(mmu_ext(&g, MMUEXT_MARK_SUPER, 0, 0), -EOPNOTSUPP);
    ck_assert_int_eq(mmu_ext(&g, MMUEXT_UNMARK_SUPER, 0, 0), -EOPNOTSUPP);
    ck_assert_int_eq(mmu_ext(&g, 14, 0, 0), -ENOSYS);
    ck_assert_int_eq(mmu_ext(&g, 16, g.frame[DATA].n, 0), -ENOSYS);
    ck_assert_int_eq(mmu_ext(&g, 17, g.frame[DATA].n, 0), -ENOSYS);
    ck_assert_int_eq(mmu_ext(&g, 21, 0, 0), -ENOSYS);
    ck_assert_int_eq(mmu_ext(&g, ~0u, 0, 0), -ENOSYS);
}
END_TEST

START_TEST(test_mmuext_lists_count_until_one_fails)
{
    put_ext(&g, 0, MMUEXT_PIN_L1_TABLE, g.frame[T1].n);
    put_ext(&g, 1, MMUEXT_UNPIN_TABLE, g.frame[T1].n);
    put_ext(&g, 2, MMUEXT_UNPIN_TABLE, g.frame[T1].n);
    ck_assert_int_eq(exts(&g, 3, done_va(), DOMID_SELF), -EINVAL);
    ck_assert_uint_eq(done_count(&g), 2);
    ck_assert_int_eq(exts(&g, 1, BAD_VA, DOMID_SELF), -EFAULT);
    ck_assert_int_eq(exts(&g, 0, 0, DOMID_SELF), 0);
}
END_TEST

/* A list of pins and unpins that is cut at any point. */
START_TEST(test_mmuext_cut_anywhere_counts_right)
{
    uint64_t args[5] = {mmu_va(MMU_ARGS), 6, done_va(), DOMID_SELF};
    unsigned calls = 1;

    mmu_page(&g, T2)[5] = mmu_entry(&g, T1, MMU_TABLE);
    for (unsigned i = 0; i < PT_ENTRIES; i++)
        mmu_page(&g, T1)[i] = mmu_entry(&g, DATA, MMU_WRITABLE);
    for (unsigned i = 0; i < 6; i++)
        put_ext(&g, i, i % 2 ? MMUEXT_UNPIN_TABLE : MMUEXT_PIN_L2_TABLE,
                g.frame[T2].n);
    fake.slow_at = (unsigned)_i;
    ck_assert_int_ge(mmu_call_once(hc_mmuext_op, args), 0);
    for (; mmu_is_cut(); calls++) {
        memcpy(args, fake.restart_args, sizeof(args));
        fake.slow_at = (unsigned)_i;
        ck_assert_int_ge(mmu_call_once(hc_mmuext_op, args), 0);
        ck_assert_uint_lt(calls, 400);
    }
    ck_assert_uint_eq(done_count(&g), 6);
    ck_assert_uint_eq(typed(&g, DATA), 1);
    ck_assert_uint_eq(typed(&g, T2), 0);
}
END_TEST

static void add_update_tests(TCase *t)
{
    tcase_add_test(t, test_mmu_update_stores_into_plain_pages);
    tcase_add_test(t, test_mmu_update_of_plain_page_preserves_bits_if_asked);
    tcase_add_test(t, test_mmu_update_of_a_former_table_makes_it_plain);
    tcase_add_test(t, test_mmu_update_refuses_what_is_not_the_callers);
    tcase_add_test(t, test_mmu_update_refuses_unknown_types);
    tcase_add_test(t, test_mmu_update_sets_m2p);
    tcase_add_test(t, test_mmu_update_counts_until_one_fails);
    tcase_add_test(t, test_mmu_update_with_bad_addresses_faults);
    tcase_add_loop_test(t, test_mmu_update_cut_anywhere_counts_right, 0, 52);
    tcase_add_test(t, test_mmu_update_of_other_domains_is_for_the_privileged);
    tcase_add_test(t, test_mmu_update_changes_rights);
    tcase_add_test(t, test_mmu_update_right_to_write_a_table_is_not_to_be_had);
    tcase_add_test(t, test_mmu_update_of_several_frames_in_turn);
    tcase_add_test(t, test_mmu_update_maps_foreign_frames_for_the_privileged);
    tcase_add_test(t, test_mmu_update_maps_foreign_tables_read_only);
    tcase_add_test(t, test_mmu_update_foreign_writable_mapping_bars_tables);
    tcase_add_test(t,
                   test_mmu_update_foreign_mapping_outlives_its_owners_memory);
    tcase_add_test(t, test_mmu_update_sets_m2p_of_foreign_frames);
    tcase_add_test(t, test_mmu_update_does_not_link_foreign_tables);
    tcase_add_test(t, test_mmu_update_writes_foreign_tables_for_the_privileged);
    tcase_add_test(t, test_mmu_update_for_io_means_the_callers_devices);
    tcase_add_test(t, test_mmuext_of_other_domains_is_for_the_privileged);
    tcase_add_test(t, test_mmuext_that_goes_on_means_the_same_domain);
    tcase_add_loop_test(t, test_mmu_update_that_goes_on_means_the_same_domains,
                        0, 3);
    tcase_add_test(t, test_mmuext_builds_foreign_tables);
    tcase_add_test(t, test_mmuext_pin_of_a_dying_domain_is_refused);
    tcase_add_test(t, test_update_va_mapping_sets_the_entry);
    tcase_add_test(t, test_update_va_mapping_refuses_addresses_without_l1);
    tcase_add_test(t, test_update_va_mapping_flushes_as_asked);
    tcase_add_test(t,
                   test_update_va_mapping_otherdomain_checks_rights_and_owner);
}

static void add_ext_tests(TCase *t)
{
    tcase_add_test(t, test_mmuext_pin_twice_and_unpin_twice_are_refused);
    tcase_add_test(t, test_mmuext_new_baseptr_changes_the_root);
    tcase_add_test(t, test_mmuext_new_baseptr_refuses_what_is_no_root);
    tcase_add_test(t, test_mmuext_new_user_baseptr_takes_none);
    tcase_add_test(t, test_mmuext_flushes);
    tcase_add_test(t, test_mmuext_cache_flush_is_for_domains_with_devices);
    tcase_add_test(t, test_mmuext_set_ldt_and_unserved_commands);
    tcase_add_test(t, test_mmuext_lists_count_until_one_fails);
    tcase_add_loop_test(t, test_mmuext_cut_anywhere_counts_right, 0, 40);
}

int main(void)
{
    Suite *s = suite_create("mmu_op");
    TCase *t = tcase_create("mmu_op");
    SRunner *r = srunner_create(s);
    int failed;

    tcase_add_checked_fixture(t, setup, audit);
    add_update_tests(t);
    add_ext_tests(t);
    suite_add_tcase(s, t);
    srunner_run_all(r, CK_ENV);
    failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
