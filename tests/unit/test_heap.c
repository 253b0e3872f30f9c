/* SPDX-License-Identifier: MIT */
/* The allocator of frames. The fake's RAM is frames 0x1000-0x2fff. */
#include <check.h>
#include <stdlib.h>

#include "core/frame.h"
#include "core/heap.h"
#include "host/arch_fake.h"

#define SLOTS 256

static void setup(void)
{
    fake_boot(2);
}

static bool failed(mfn_t mfn)
{
    return mfn_equal(mfn, MFN_INVALID);
}

START_TEST(test_heap_alloc_hands_out_the_highest_frames_first)
{
    ck_assert_uint_eq(heap_alloc(0, HEAP_ANY_ADDRESS).n, FAKE_LAST_FRAME);
    ck_assert_uint_eq(heap_alloc(0, HEAP_ANY_ADDRESS).n, FAKE_LAST_FRAME - 1);
}
END_TEST

START_TEST(test_heap_alloc_marks_frames_as_referenced_by_nobody)
{
    mfn_t first = heap_alloc(2, HEAP_ANY_ADDRESS);

    for (uint64_t i = 0; i < 4; i++) {
        const struct frame *f = frame_lookup(mfn_add(first, i));

        ck_assert_uint_eq(f->state, 1);
        ck_assert_uint_eq(f->owner, OWNER_NOBODY);
    }
}
END_TEST

START_TEST(test_heap_alloc_below_an_address_stays_below_it)
{
    mfn_t mfn;

    ck_assert(failed(heap_alloc(0, 24)));
    ck_assert(failed(heap_alloc(0, 12)));
    ck_assert(failed(heap_alloc(0, 0)));
    for (unsigned i = 0; i < 0x1000; i++) {
        mfn = heap_alloc(0, 25);
        ck_assert(mfn.n >= 0x1000 && mfn.n < 0x2000);
    }
    ck_assert(failed(heap_alloc(0, 25)));
    ck_assert(!failed(heap_alloc(0, 26)));
}
END_TEST

START_TEST(test_heap_alloc_of_an_order_is_aligned_to_it)
{
    for (unsigned order = 0; order <= 12; order++) {
        mfn_t mfn = heap_alloc(order, HEAP_ANY_ADDRESS);

        ck_assert(!failed(mfn));
        ck_assert_uint_eq(mfn.n & ((1ull << order) - 1), 0);
        heap_free(mfn, 1ull << order);
    }
    ck_assert(failed(heap_alloc(13, HEAP_ANY_ADDRESS)));
    ck_assert(failed(heap_alloc(HEAP_MAX_ORDER + 1, HEAP_ANY_ADDRESS)));
    ck_assert(failed(heap_alloc(~0u, HEAP_ANY_ADDRESS)));
}
END_TEST

START_TEST(test_heap_free_joins_what_was_split)
{
    static mfn_t taken[FAKE_FRAMES];

    for (unsigned i = 0; i < FAKE_FRAMES; i++)
        taken[i] = heap_alloc(0, HEAP_ANY_ADDRESS);
    ck_assert_uint_eq(heap_free_frames(), 0);
    ck_assert(failed(heap_alloc(0, HEAP_ANY_ADDRESS)));
    for (unsigned i = 0; i < FAKE_FRAMES; i++)
        heap_free(taken[(i * 2654435761u) % FAKE_FRAMES], 1);
    ck_assert_uint_eq(heap_free_frames(), FAKE_FRAMES);
    ck_assert(!failed(heap_alloc(12, HEAP_ANY_ADDRESS)));
    ck_assert(!failed(heap_alloc(12, HEAP_ANY_ADDRESS)));
}
END_TEST

START_TEST(test_heap_free_of_part_of_a_block_works)
{
    mfn_t first = heap_alloc(4, HEAP_ANY_ADDRESS);

    heap_free(mfn_add(first, 8), 8);
    heap_free(mfn_add(first, 4), 4);
    heap_free(first, 4);
    ck_assert_uint_eq(heap_free_frames(), FAKE_FRAMES);
}
END_TEST

START_TEST(test_heap_free_twice_panics)
{
    mfn_t first = heap_alloc(3, HEAP_ANY_ADDRESS);

    heap_free(first, 8);
    ck_assert_int_eq(FAKE_CATCH(heap_free(first, 8)), FAKE_PANIC);
}
END_TEST

START_TEST(test_heap_free_inside_a_free_block_panics)
{
    mfn_t first = heap_alloc(3, HEAP_ANY_ADDRESS);

    heap_free(first, 8);
    ck_assert_int_eq(FAKE_CATCH(heap_free(mfn_add(first, 5), 1)), FAKE_PANIC);
}
END_TEST

static void drop_reference_of_another_cpu(void)
{
    frame_table[FAKE_LAST_FRAME].state--;
    fake.on_spin = NULL;
}

START_TEST(test_heap_free_waits_for_a_passing_reference)
{
    mfn_t mfn = heap_alloc(0, HEAP_ANY_ADDRESS);

    frame_table[mfn.n].state++;
    fake.on_spin = drop_reference_of_another_cpu;
    heap_free(mfn, 1);
    ck_assert_ptr_null(fake.on_spin);
    ck_assert_uint_eq(heap_free_frames(), FAKE_FRAMES);
}
END_TEST

START_TEST(test_heap_alloc_flushes_only_what_is_stale)
{
    mfn_t mfn = heap_alloc(0, HEAP_ANY_ADDRESS);
    unsigned before;

    frame_table[mfn.n].stamp = flush_clock_read();
    heap_free(mfn, 1);
    before = fake.flushes;
    ck_assert_uint_eq(heap_alloc(0, HEAP_ANY_ADDRESS).n, mfn.n);
    ck_assert_uint_eq(fake.flushes, before + 1);
    heap_free(mfn, 1);
    ck_assert_uint_eq(heap_alloc(0, HEAP_ANY_ADDRESS).n, mfn.n);
    ck_assert_uint_eq(fake.flushes, before + 1);
}
END_TEST

/* Whichever half of a block is the stale one, the block is. */
START_TEST(test_heap_joined_block_keeps_the_newest_stamp)
{
    for (unsigned stale = 0; stale < 2; stale++) {
        mfn_t pair = heap_alloc(1, HEAP_ANY_ADDRESS);
        unsigned before;

        frame_table[pair.n + stale].stamp = flush_clock_read();
        heap_free(pair, 1);
        heap_free(mfn_add(pair, 1), 1);
        before = fake.flushes;
        ck_assert_uint_eq(heap_alloc(1, HEAP_ANY_ADDRESS).n, pair.n);
        ck_assert_uint_eq(fake.flushes, before + 1);
        heap_free(pair, 2);
    }
}
END_TEST

START_TEST(test_heap_split_block_keeps_its_stamp_in_both_halves)
{
    mfn_t pair = heap_alloc(1, HEAP_ANY_ADDRESS);

    frame_table[pair.n].stamp = flush_clock_read() + 5;
    heap_free(pair, 2);
    for (unsigned i = 0; i < 2; i++) {
        unsigned before = fake.flushes;

        heap_alloc(0, HEAP_ANY_ADDRESS);
        ck_assert_uint_eq(fake.flushes, before + 1);
    }
}
END_TEST

START_TEST(test_heap_stamps_are_compared_across_the_wrap)
{
    mfn_t pair = heap_alloc(1, HEAP_ANY_ADDRESS);

    frame_table[pair.n].stamp = UINT32_MAX - 1;
    frame_table[pair.n + 1].stamp = 3;
    heap_free(pair, 2);
    for (unsigned i = 0; i < 2; i++)
        ck_assert_uint_eq(frame_table[heap_alloc(0, HEAP_ANY_ADDRESS).n].stamp,
                          3);
}
END_TEST

static bool is_zero(const void *ptr, size_t size)
{
    const char *bytes = ptr;

    for (size_t i = 0; i < size; i++)
        if (bytes[i])
            return false;
    return true;
}

START_TEST(test_heap_zalloc_is_zeroed_aligned_and_all_yours)
{
    static const size_t sizes[] = {0,    1,    16,   17,   100,   512,  513,
                                   1024, 2000, 2048, 2049, 12288, 70000};
    void *ptr[ARRAY_LEN(sizes)];

    for (unsigned round = 0; round < 2; round++) {
        for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
            ptr[i] = heap_zalloc(sizes[i]);
            ck_assert_ptr_nonnull(ptr[i]);
            ck_assert(is_zero(ptr[i], sizes[i]));
            ck_assert_uint_eq((uintptr_t)ptr[i] % PAGE_SIZE, 0);
            memset(ptr[i], 0xff, sizes[i]);
        }
        for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
            heap_zfree(ptr[i], sizes[i]);
    }
}
END_TEST

START_TEST(test_heap_zalloc_takes_no_more_pages_than_it_needs)
{
    void *ptr = heap_zalloc(5 * PAGE_SIZE);

    ck_assert_uint_eq(heap_free_frames(), FAKE_FRAMES - 5);
    heap_zfree(ptr, 5 * PAGE_SIZE);
    ck_assert_uint_eq(heap_free_frames(), FAKE_FRAMES);
}
END_TEST

START_TEST(test_heap_zalloc_of_too_much_returns_null)
{
    ck_assert_ptr_null(heap_zalloc(SIZE_MAX));
    ck_assert_ptr_null(heap_zalloc(1ull << 60));
    ck_assert_ptr_null(heap_zalloc(FAKE_FRAMES * PAGE_SIZE));
    ck_assert_uint_eq(heap_free_frames(), FAKE_FRAMES);
}
END_TEST

START_TEST(test_heap_zalloc_when_empty_returns_null)
{
    while (frames_alloc(0))
        ;
    ck_assert_ptr_null(heap_zalloc(64));
    ck_assert_ptr_null(heap_zalloc(5000));
}
END_TEST

START_TEST(test_heap_zfree_twice_panics)
{
    void *ptr = heap_zalloc(48);

    heap_zfree(ptr, 48);
    ck_assert_int_eq(FAKE_CATCH(heap_zfree(ptr, 48)), FAKE_PANIC);
}
END_TEST

START_TEST(test_heap_add_joins_neighbours_whatever_their_borders)
{
    static const unsigned cuts[] = {0, 1, 3, 10, 64, 1000, 1001, 4096};
    mfn_t first = heap_alloc(12, HEAP_ANY_ADDRESS);

    for (size_t i = 0; i + 1 < ARRAY_LEN(cuts); i++)
        heap_add(mfn_add(first, cuts[i]), cuts[i + 1] - cuts[i]);
    ck_assert_uint_eq(heap_free_frames(), FAKE_FRAMES);
    ck_assert_uint_eq(heap_alloc(12, HEAP_ANY_ADDRESS).n, first.n);
}
END_TEST

struct slot {
    mfn_t mfn;
    unsigned order;
    bool used;
};

static bool is_alone(const struct slot *slots, const struct slot *mine)
{
    for (size_t i = 0; i < SLOTS; i++) {
        const struct slot *s = &slots[i];

        if (s == mine || !s->used)
            continue;
        if (s->mfn.n + (1ull << s->order) > mine->mfn.n &&
            mine->mfn.n + (1ull << mine->order) > s->mfn.n)
            return false;
    }
    return true;
}

START_TEST(test_heap_random_blocks_never_overlap)
{
    static struct slot slots[SLOTS];
    uint64_t used = 0;

    srand(1);
    for (unsigned i = 0; i < 50000; i++) {
        struct slot *s = &slots[rand() % SLOTS];

        if (s->used) {
            heap_free(s->mfn, 1ull << s->order);
            used -= 1ull << s->order;
            s->used = false;
        } else {
            s->order = (unsigned)rand() % 8;
            s->mfn = heap_alloc(s->order, 20 + (unsigned)rand() % 10);
            s->used = !failed(s->mfn);
            if (s->used) {
                used += 1ull << s->order;
                ck_assert(is_alone(slots, s));
            }
        }
        ck_assert_uint_eq(heap_free_frames() + used, FAKE_FRAMES);
    }
}
END_TEST

static void add_buddy_tests(TCase *tc)
{
    tcase_add_test(tc, test_heap_alloc_hands_out_the_highest_frames_first);
    tcase_add_test(tc, test_heap_alloc_marks_frames_as_referenced_by_nobody);
    tcase_add_test(tc, test_heap_alloc_below_an_address_stays_below_it);
    tcase_add_test(tc, test_heap_alloc_of_an_order_is_aligned_to_it);
    tcase_add_test(tc, test_heap_free_joins_what_was_split);
    tcase_add_test(tc, test_heap_free_of_part_of_a_block_works);
    tcase_add_test(tc, test_heap_free_waits_for_a_passing_reference);
    tcase_add_test(tc, test_heap_alloc_flushes_only_what_is_stale);
    tcase_add_test(tc, test_heap_joined_block_keeps_the_newest_stamp);
    tcase_add_test(tc, test_heap_split_block_keeps_its_stamp_in_both_halves);
    tcase_add_test(tc, test_heap_stamps_are_compared_across_the_wrap);
    tcase_add_test(tc, test_heap_add_joins_neighbours_whatever_their_borders);
    tcase_add_test(tc, test_heap_random_blocks_never_overlap);
}

static void add_object_tests(TCase *tc)
{
    tcase_add_test(tc, test_heap_zalloc_is_zeroed_aligned_and_all_yours);
    tcase_add_test(tc, test_heap_zalloc_takes_no_more_pages_than_it_needs);
    tcase_add_test(tc, test_heap_zalloc_of_too_much_returns_null);
    tcase_add_test(tc, test_heap_zalloc_when_empty_returns_null);
}

/* Mica's own mistakes are looked for in debug builds. */
static void add_debug_tests(TCase *tc)
{
    tcase_add_test(tc, test_heap_free_twice_panics);
    tcase_add_test(tc, test_heap_free_inside_a_free_block_panics);
    tcase_add_test(tc, test_heap_zfree_twice_panics);
}

int main(void)
{
    Suite *suite = suite_create("heap");
    TCase *tc = tcase_create("heap");
    SRunner *runner = srunner_create(suite);
    int failures;

    tcase_add_checked_fixture(tc, setup, NULL);
    add_buddy_tests(tc);
    add_object_tests(tc);
    if (CONFIG_DEBUG)
        add_debug_tests(tc);
    suite_add_tcase(suite, tc);
    srunner_run_all(runner, CK_NORMAL);
    failures = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
