/* SPDX-License-Identifier: MIT */
/* Owners, counts and simple types of frames, and the auditor itself. */
#include <check.h>
#include <stdlib.h>

#include "core/frame.h"
#include "core/frame_audit.h"
#include "core/heap.h"
#include "core/pcpu.h"
#include "host/arch_fake.h"
#include "host/mmu_guest.h"
#include "hypercall_abi/mmu.h"

#define LIMIT 100u

static struct domain *d, *other;

static void setup(void)
{
    fake_boot(2);
    d = domain_create(3, 1);
    other = domain_create(4, 1);
    ck_assert(d && other);
    d->max_pages = other->max_pages = LIMIT;
}

static void audit(void)
{
    fake.console_echo = true;
    ck_assert_uint_eq(frame_audit(), 0);
}

static struct frame *give(struct domain *to)
{
    mfn_t mfn = heap_alloc(0, HEAP_ANY_ADDRESS);

    ck_assert_int_eq(frame_assign(mfn, 0, to), 0);
    return frame_lookup(mfn);
}

static uint64_t general(const struct frame *f)
{
    return f->state & FRAME_COUNT_MASK;
}

static uint64_t typed(const struct frame *f)
{
    return frame_type_count(f->state);
}

/* --- ownership ----------------------------------------------------------- */

START_TEST(test_frame_lookup_knows_ram_only)
{
    ck_assert_ptr_null(frame_lookup(MFN(0)));
    ck_assert_ptr_null(frame_lookup(MFN(FAKE_FIRST_FRAME - 1)));
    ck_assert_ptr_null(frame_lookup(MFN(FAKE_LAST_FRAME + 1)));
    ck_assert_ptr_null(frame_lookup(MFN(1ull << 52)));
    ck_assert_ptr_null(frame_lookup(MFN_INVALID));
    ck_assert_ptr_eq(frame_lookup(MFN(FAKE_FIRST_FRAME)),
                     &frame_table[FAKE_FIRST_FRAME]);
    ck_assert_uint_eq(frame_mfn(&frame_table[FAKE_LAST_FRAME]).n,
                      FAKE_LAST_FRAME);
}
END_TEST

START_TEST(test_frame_assign_gives_one_reference_each)
{
    mfn_t first = heap_alloc(4, HEAP_ANY_ADDRESS);

    ck_assert_int_eq(frame_assign(first, 4, d), 0);
    ck_assert_uint_eq(d->page_count, 16);
    for (unsigned i = 0; i < 16; i++) {
        struct frame *f = frame_lookup(mfn_add(first, i));

        ck_assert_uint_eq(f->state, FRAME_ALLOCATED | 1);
        ck_assert_uint_eq(frame_owner(f), d->id);
    }
}
END_TEST

START_TEST(test_frame_assign_stops_at_the_limit)
{
    mfn_t first = heap_alloc(6, HEAP_ANY_ADDRESS);
    mfn_t second = heap_alloc(6, HEAP_ANY_ADDRESS);

    ck_assert_int_eq(frame_assign(first, 6, d), 0);
    ck_assert_int_eq(frame_assign(second, 6, d), -E2BIG);
    ck_assert_uint_eq(d->page_count, 64);
    ck_assert_uint_eq(frame_owner(frame_lookup(second)), OWNER_NOBODY);
}
END_TEST

START_TEST(test_frame_unassign_gives_a_frame_back)
{
    struct frame *f = give(d);
    uint64_t free = heap_free_frames();

    arch_m2p_set(frame_mfn(f), 5);
    ck_assert_int_eq(frame_unassign(f, other), -EINVAL);
    ck_assert_int_eq(frame_unassign(f, d), 0);
    ck_assert_uint_eq(heap_free_frames(), free + 1);
    ck_assert_uint_eq(d->page_count, 0);
    ck_assert_uint_eq(frame_owner(f), OWNER_NOBODY);
    ck_assert_uint_eq(fake_m2p(frame_mfn(f)), ~0ull);
    ck_assert_int_eq(frame_unassign(f, d), -EINVAL);
}
END_TEST

START_TEST(test_frame_unassign_refuses_frames_in_use)
{
    struct frame *f = give(d);
    static const uint64_t flags[] = {FRAME_PARTIAL, FRAME_PINNED,
                                     FRAME_CHANGING};

    ck_assert_ptr_eq(frame_get(frame_mfn(f), d), f);
    ck_assert_int_eq(frame_unassign(f, d), -EBUSY);
    frame_put(f);
    ck_assert_int_eq(frame_get_writable(f), 0);
    ck_assert_int_eq(frame_unassign(f, d), -EBUSY);
    frame_put_writable(f);
    for (unsigned i = 0; i < ARRAY_LEN(flags); i++) {
        f->state |= flags[i];
        ck_assert_int_eq(frame_unassign(f, d), -EBUSY);
        f->state &= ~flags[i];
    }
    ck_assert_int_eq(frame_unassign(f, d), 0);
}
END_TEST

START_TEST(test_frame_give_up_frees_what_nobody_uses)
{
    mfn_t first = heap_alloc(3, HEAP_ANY_ADDRESS);
    uint64_t free_frames = heap_free_frames();
    struct frame *used = &frame_table[first.n + 3];

    ck_assert_int_eq(frame_assign(first, 3, d), 0);
    ck_assert(frame_get_known(used, d));
    frame_give_up(mfn_add(first, 1), 6, d);
    ck_assert_uint_eq(d->page_count, 3);
    ck_assert_uint_eq(heap_free_frames(), free_frames + 5);
    frame_give_up(first, 8, d);
    ck_assert_uint_eq(d->page_count, 1);
    ck_assert_uint_eq(frame_owner(used), d->id);
    frame_put(used);
    ck_assert_uint_eq(d->page_count, 0);
    ck_assert_uint_eq(heap_free_frames(), free_frames + 8);
}
END_TEST

START_TEST(test_frame_next_owned_finds_each_once)
{
    struct frame *mine[20], *f;
    unsigned seen = 0;
    uint64_t cursor = 0;

    for (unsigned i = 0; i < 20; i++) {
        mine[i] = give(d);
        for (unsigned n = 0; n < 300; n += 100)
            ck_assert(!mfn_equal(heap_alloc(5, HEAP_ANY_ADDRESS), MFN_INVALID));
        give(other);
    }
    while (frame_next_owned(d, &cursor, &f)) {
        if (frame_type(f) == FRAME_SHARED)
            continue;
        ck_assert_uint_eq(frame_owner(f), d->id);
        ck_assert_uint_lt(seen, 20);
        ck_assert_ptr_eq(f, mine[19 - seen]); /* allocated from the top */
        seen++;
    }
    ck_assert_uint_eq(seen, 20);
}
END_TEST

/* --- general references -------------------------------------------------- */

START_TEST(test_frame_get_is_for_the_owner)
{
    struct frame *f = give(d);
    mfn_t own = heap_alloc(0, HEAP_ANY_ADDRESS);

    ck_assert_ptr_null(frame_get(frame_mfn(f), other));
    ck_assert_ptr_null(frame_get(own, d));
    ck_assert_ptr_null(frame_get(MFN(FAKE_FIRST_FRAME), d)); /* free */
    ck_assert_ptr_null(frame_get(MFN(FAKE_FIRST_FRAME + 1), d));
    ck_assert_ptr_null(frame_get(MFN(1), d));
    ck_assert_ptr_null(frame_get(MFN_INVALID, d));
    ck_assert_uint_eq(general(f), 1);
    ck_assert_ptr_eq(frame_get(frame_mfn(f), d), f);
    ck_assert_uint_eq(general(f), 2);
    frame_put(f);
}
END_TEST

START_TEST(test_frame_get_stops_before_the_counter_does)
{
    struct frame *f = give(d);
    uint64_t state = f->state;

    f->state = FRAME_ALLOCATED | (FRAME_COUNT_MASK - 2);
    ck_assert_ptr_eq(frame_get(frame_mfn(f), d), f);
    ck_assert_ptr_null(frame_get(frame_mfn(f), d));
    ck_assert_uint_eq(f->state, FRAME_ALLOCATED | (FRAME_COUNT_MASK - 1));
    f->state = state;
}
END_TEST

START_TEST(test_frame_put_of_the_last_reference_frees)
{
    struct frame *f = give(d);
    uint64_t free = heap_free_frames();

    ck_assert_ptr_eq(frame_get(frame_mfn(f), d), f);
    f->state -= FRAME_ALLOCATED; /* the domain has let go */
    frame_put(f);
    ck_assert_uint_eq(heap_free_frames(), free);
    frame_put(f);
    ck_assert_uint_eq(heap_free_frames(), free + 1);
    ck_assert_uint_eq(d->page_count, 0);
}
END_TEST

/* --- types --------------------------------------------------------------- */

START_TEST(test_frame_writable_references_come_and_go)
{
    struct frame *f = give(d);

    ck_assert_int_eq(frame_get_writable(f), 0);
    ck_assert_int_eq(frame_get_writable(f), 0);
    ck_assert_uint_eq(frame_used_type(f), FRAME_WRITABLE);
    ck_assert_uint_eq(typed(f), 2);
    ck_assert_uint_eq(general(f), 3);
    frame_put_writable(f);
    frame_put_writable(f);
    ck_assert_uint_eq(frame_used_type(f), FRAME_NONE);
    ck_assert_uint_eq(frame_type(f), FRAME_WRITABLE);
    ck_assert_uint_eq(general(f), 1);
}
END_TEST

static void become(struct frame *f, enum frame_type type)
{
    ck_assert_int_eq(frame_begin_change(f), 0);
    frame_end_change(f, type, (1ull << FRAME_TYPE_COUNT_SHIFT) + 1);
}

START_TEST(test_frame_in_use_keeps_its_type)
{
    struct frame *f = give(d);

    for (enum frame_type type = FRAME_L1; type <= FRAME_SEGDESC; type++) {
        become(f, type);
        ck_assert_uint_eq(frame_used_type(f), type);
        ck_assert_int_eq(frame_get_writable(f), -EBUSY);
        ck_assert_int_eq(frame_begin_change(f), -EBUSY);
        frame_put_typed(f);
        ck_assert_uint_eq(general(f), 1);
    }
    ck_assert_int_eq(frame_get_writable(f), 0);
    ck_assert_int_eq(frame_begin_change(f), -EBUSY);
    frame_put_writable(f);
}
END_TEST

START_TEST(test_frame_get_writable_of_takes_plain_ones_alone)
{
    struct frame *f = give(d);

    ck_assert(!frame_get_writable_of(f, d)); /* of no type yet */
    ck_assert_int_eq(frame_get_writable(f), 0);
    ck_assert(frame_get_writable_of(f, d));
    ck_assert_uint_eq(typed(f), 2);
    ck_assert_uint_eq(general(f), 3);
    frame_put_writable(f);
    f->owner = d->id + 1;
    ck_assert(!frame_get_writable_of(f, d));
    f->owner = d->id;
    f->state |= FRAME_CHANGING;
    ck_assert(!frame_get_writable_of(f, d));
    f->state &= ~FRAME_CHANGING;
    frame_put_writable(f);
    become(f, FRAME_L1);
    ck_assert(!frame_get_writable_of(f, d));
    ck_assert_uint_eq(general(f), 2);
    frame_put_typed(f);
}
END_TEST

START_TEST(test_frame_partial_keeps_its_type)
{
    struct frame *f = give(d);

    ck_assert_int_eq(frame_begin_change(f), 0);
    frame_end_change(f, FRAME_L2, FRAME_PARTIAL + 1);
    ck_assert_int_eq(frame_get_writable(f), -EBUSY);
    ck_assert_int_eq(frame_begin_change(f), -EBUSY);
    ck_assert_int_eq(frame_get_typed(f, FRAME_L2), -EAGAIN);
    f->state -= FRAME_PARTIAL;
    frame_put(f);
}
END_TEST

START_TEST(test_frame_get_typed_wants_a_user_of_that_type)
{
    struct frame *f = give(d);

    ck_assert_int_eq(frame_get_typed(f, FRAME_NONE), -EAGAIN);
    become(f, FRAME_SEGDESC);
    ck_assert_int_eq(frame_get_typed(f, FRAME_L1), -EAGAIN);
    ck_assert_int_eq(frame_get_typed(f, FRAME_WRITABLE), -EAGAIN);
    ck_assert_int_eq(frame_get_typed(f, FRAME_SEGDESC), 0);
    ck_assert_uint_eq(typed(f), 2);
    frame_put_typed(f);
    frame_put_typed(f);
    ck_assert_int_eq(frame_get_typed(f, FRAME_SEGDESC), -EAGAIN);
}
END_TEST

START_TEST(test_frame_counters_stop_before_they_overflow)
{
    struct frame *f = give(d);
    uint64_t state = f->state;

    ck_assert_int_eq(frame_get_writable(f), 0);
    f->state |= FRAME_TYPE_COUNT_MASK;
    ck_assert_int_eq(frame_get_writable(f), -ENOMEM);
    ck_assert_int_eq(frame_get_typed(f, FRAME_WRITABLE), -ENOMEM);
    f->state &= ~FRAME_TYPE_COUNT_MASK;
    f->state |= 1ull << FRAME_TYPE_COUNT_SHIFT;
    f->state |= FRAME_COUNT_MASK - 1;
    ck_assert_int_eq(frame_get_writable(f), -ENOMEM);
    f->state = state;
}
END_TEST

static struct frame *changing;

static void end_change_elsewhere(void)
{
    changing->state &= ~FRAME_CHANGING;
    fake.on_spin = NULL;
}

START_TEST(test_frame_users_wait_for_a_change_elsewhere)
{
    changing = give(d);
    for (unsigned i = 0; i < 3; i++) {
        changing->state |= FRAME_CHANGING;
        fake.on_spin = end_change_elsewhere;
        if (i == 0)
            ck_assert_int_eq(frame_get_writable(changing), 0);
        else if (i == 1)
            frame_put_writable(changing);
        else
            ck_assert_int_eq(frame_begin_change(changing), 0);
        ck_assert_ptr_null(fake.on_spin);
    }
    frame_end_change(changing, FRAME_NONE, 0);
}
END_TEST

/* While Mica waits, the frame becomes a table and ceases to be one. */
static void become_table_and_back(void)
{
    changing->state &= ~FRAME_CHANGING;
    fake.on_spin = NULL;
    become(changing, FRAME_L1);
    frame_put_typed(changing);
}

START_TEST(test_frame_flush_depends_on_the_type_it_has_in_the_end)
{
    unsigned before = fake.flushes;

    changing = give(d);
    changing->state |= FRAME_CHANGING;
    fake.on_spin = become_table_and_back;
    ck_assert_int_eq(frame_get_writable(changing), 0);
    ck_assert_uint_gt(fake.flushes, before);
    frame_put_writable(changing);
}
END_TEST

START_TEST(test_frame_fresh_needs_no_flush)
{
    struct frame *f = give(d);
    unsigned before = fake.flushes;

    ck_assert_int_eq(frame_get_writable(f), 0);
    frame_put_writable(f);
    ck_assert_int_eq(frame_get_writable(f), 0);
    frame_put_writable(f);
    ck_assert_uint_eq(fake.flushes, before);
}
END_TEST

START_TEST(test_frame_released_is_flushed_before_another_owner_gets_it)
{
    struct frame *f = give(d);
    mfn_t mfn = frame_mfn(f);
    uint32_t released;

    ck_assert_int_eq(frame_get_writable(f), 0);
    frame_put_writable(f);
    released = flush_clock_read();
    ck_assert_int_eq(frame_unassign(f, d), 0);
    ck_assert_uint_eq(heap_alloc(0, HEAP_ANY_ADDRESS).n, mfn.n);
    for (unsigned i = 0; i < 2; i++)
        ck_assert(!flush_is_needed(pcpus[i].flushed_at, released));
}
END_TEST

START_TEST(test_frame_flush_clock_wraps)
{
    ck_assert(flush_is_needed(5, 5));
    ck_assert(flush_is_needed(4, 5));
    ck_assert(!flush_is_needed(6, 5));
    ck_assert(flush_is_needed(~0u, 0));
    ck_assert(!flush_is_needed(0, ~0u));
    ck_assert(!flush_is_needed(0x80000004, 5));
}
END_TEST

/* --- shared -------------------------------------------------------------- */

START_TEST(test_frame_shared_stays_micas)
{
    void *page = frames_alloc(0);
    mfn_t mfn = arch_frame_of(page);
    struct frame *f = frame_lookup(mfn);

    frame_share(mfn, d);
    ck_assert_ptr_eq(frame_get(mfn, d), f);
    ck_assert_ptr_null(frame_get(mfn, other));
    ck_assert_int_eq(frame_get_writable(f), 0);
    ck_assert_uint_eq(frame_used_type(f), FRAME_SHARED);
    ck_assert_int_eq(frame_unassign(f, d), -EINVAL);
    ck_assert_int_eq(frame_unshare(mfn, d), -EBUSY);
    frame_put(f);
    ck_assert_int_eq(frame_unshare(mfn, d), -EBUSY);
    frame_put_writable(f);
    audit();
    ck_assert_int_eq(frame_unshare(mfn, d), 0);
    ck_assert_uint_eq(frame_owner(f), OWNER_NOBODY);
    frames_free(page, 0);
}
END_TEST

/* --- the auditor --------------------------------------------------------- */

static struct mmu_guest g;

static void setup_audit(void)
{
    fake_boot(1);
    mmu_guest_create(&g, 3);
    mmu_guest_run(&g);
}

/* Changes something that must not be, and undoes it. */
static void spoil_at(uint64_t *where, uint64_t value, unsigned line)
{
    uint64_t was = *where;

    *where = value;
    ck_assert_msg(frame_audit() > 0, "line %u: not noticed", line);
    *where = was;
    ck_assert_uint_eq(frame_audit(), 0);
}

#define spoil(where, value) spoil_at(where, value, __LINE__)

START_TEST(test_audit_finds_wrong_counts_and_flags)
{
    static const unsigned pages[] = {MMU_L4, MMU_L3,   MMU_L2,
                                     MMU_L1, MMU_ARGS, 40};

    for (unsigned i = 0; i < ARRAY_LEN(pages); i++) {
        uint64_t *state = &mmu_frame(&g, pages[i])->state;

        spoil(state, *state + 1);
        spoil(state, *state - 1);
        spoil(state, *state + (1ull << FRAME_TYPE_COUNT_SHIFT));
        spoil(state, *state ^ FRAME_ALLOCATED);
        spoil(state, *state ^ FRAME_PINNED);
        spoil(state, *state ^ FRAME_CHANGING);
        spoil(state, *state ^ FRAME_PARTIAL);
        spoil(state, *state ^ 1ull << FRAME_TYPE_SHIFT);
    }
}
END_TEST

START_TEST(test_audit_finds_wrong_entries)
{
    uint64_t *l1 = mmu_page(&g, MMU_L1), *l2 = mmu_page(&g, MMU_L2);

    spoil(&l1[30], 0);
    spoil(&l1[30], mmu_entry(&g, 31, MMU_WRITABLE));
    spoil(&l1[30], mmu_entry(&g, 30, MMU_READ_ONLY));
    spoil(&l1[MMU_L1], mmu_entry(&g, MMU_L1, MMU_WRITABLE));
    spoil(&l1[300], mmu_entry(&g, 30, MMU_READ_ONLY));
    spoil(&l1[300], pte_make(MFN(FAKE_FIRST_FRAME), MMU_READ_ONLY));
    spoil(&l2[7], mmu_entry(&g, MMU_L1, MMU_TABLE));
    spoil(&l2[7], mmu_entry(&g, 30, MMU_TABLE));
    spoil(&l2[7], pte_make(MFN(1), MMU_TABLE));
    spoil(&l2[pt_index(MMU_VA, 2)], 0);
}
END_TEST

START_TEST(test_audit_finds_wrong_roots_and_owners)
{
    struct frame *f = mmu_frame(&g, 40);
    domid_t owner = f->owner;

    spoil(&g.v->kernel_root.n, g.frame[40].n);
    spoil(&g.v->kernel_root.n, MFN_INVALID.n);
    spoil(&g.v->user_root.n, g.frame[MMU_L4].n);
    spoil(&g.v->info_frame.n, g.frame[40].n);
    spoil(&g.d->page_count, g.d->page_count + 1);
    f->owner = OWNER_NOBODY;
    ck_assert_uint_gt(frame_audit(), 0);
    f->owner = owner;
}
END_TEST

START_TEST(test_audit_finds_free_frames_in_use)
{
    struct frame *f = frame_lookup(MFN(FAKE_FIRST_FRAME + 5));

    ck_assert_uint_eq(f->state, 0);
    spoil(&f->state, 1);
}
END_TEST

/* With hardly any memory left it goes by small windows. */
START_TEST(test_audit_needs_only_a_frame)
{
    void *last = frames_alloc(0);

    ck_assert_ptr_nonnull(last);
    for (unsigned order = HEAP_MAX_ORDER + 1; order-- > 0;)
        while (!mfn_equal(heap_alloc(order, HEAP_ANY_ADDRESS), MFN_INVALID))
            continue;
    ck_assert_uint_gt(frame_audit(), 0); /* nothing at all is too little */
    frames_free(last, 0);
    ck_assert_uint_eq(frame_audit(), 0);
    spoil(&mmu_frame(&g, 40)->state, 7);
}
END_TEST

static void add_frame_tests(TCase *t)
{
    tcase_add_test(t, test_frame_lookup_knows_ram_only);
    tcase_add_test(t, test_frame_assign_gives_one_reference_each);
    tcase_add_test(t, test_frame_assign_stops_at_the_limit);
    tcase_add_test(t, test_frame_unassign_gives_a_frame_back);
    tcase_add_test(t, test_frame_unassign_refuses_frames_in_use);
    tcase_add_test(t, test_frame_give_up_frees_what_nobody_uses);
    tcase_add_test(t, test_frame_next_owned_finds_each_once);
    tcase_add_test(t, test_frame_get_is_for_the_owner);
    tcase_add_test(t, test_frame_get_stops_before_the_counter_does);
    tcase_add_test(t, test_frame_put_of_the_last_reference_frees);
    tcase_add_test(t, test_frame_writable_references_come_and_go);
    tcase_add_test(t, test_frame_in_use_keeps_its_type);
    tcase_add_test(t, test_frame_get_writable_of_takes_plain_ones_alone);
    tcase_add_test(t, test_frame_partial_keeps_its_type);
    tcase_add_test(t, test_frame_get_typed_wants_a_user_of_that_type);
    tcase_add_test(t, test_frame_counters_stop_before_they_overflow);
    tcase_add_test(t, test_frame_users_wait_for_a_change_elsewhere);
    tcase_add_test(t, test_frame_flush_depends_on_the_type_it_has_in_the_end);
    tcase_add_test(t, test_frame_fresh_needs_no_flush);
    tcase_add_test(t,
                   test_frame_released_is_flushed_before_another_owner_gets_it);
    tcase_add_test(t, test_frame_flush_clock_wraps);
    tcase_add_test(t, test_frame_shared_stays_micas);
}

static void add_audit_tests(TCase *t)
{
    tcase_add_test(t, test_audit_finds_wrong_counts_and_flags);
    tcase_add_test(t, test_audit_finds_wrong_entries);
    tcase_add_test(t, test_audit_finds_wrong_roots_and_owners);
    tcase_add_test(t, test_audit_finds_free_frames_in_use);
    tcase_add_test(t, test_audit_needs_only_a_frame);
}

int main(void)
{
    Suite *s = suite_create("frame");
    TCase *frames = tcase_create("frame"), *audits = tcase_create("audit");
    SRunner *r = srunner_create(s);
    int failed;

    tcase_add_checked_fixture(frames, setup, audit);
    add_frame_tests(frames);
    suite_add_tcase(s, frames);
    tcase_add_checked_fixture(audits, setup_audit, NULL);
    add_audit_tests(audits);
    suite_add_tcase(s, audits);
    srunner_run_all(r, CK_ENV);
    failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
