/* SPDX-License-Identifier: MIT */
/*
 * Granters that change their entries at the wrong moment, grantees that make
 * random calls; for test_grant.c.
 */
#include <check.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#include "core/frame_audit.h"
#include "core/pt_validate.h"
#include "grant_world.h"

#define RACES 10000u

START_TEST(test_grant_entry_changed_while_mapped_changes_nothing_mapped)
{
    uint64_t *word = grant_page(GTF_permit_access);
    mfn_t mfn = data_frame(granter, 0), other = data_frame(granter, 1);
    grant_handle_t first, second;

    ck_assert_int_eq(map_at(MAP_VA, REF, MAP_RO), GNTST_okay);
    first = mapped.handle;
    grant(REF, GTF_permit_access, other);
    ck_assert_int_eq(map_at(MAP_VA + PAGE_SIZE, REF, MAP_RO), GNTST_okay);
    second = mapped.handle;
    ck_assert(mfn_equal(pte_frame(*pte_at(MAP_VA)), mfn));
    ck_assert(mfn_equal(pte_frame(*pte_at(MAP_VA + PAGE_SIZE)), other));
    ck_assert_uint_eq(flags_of(REF), GTF_permit_access | GTF_reading);
    ck_assert_int_eq(unmap_at(MAP_VA, first), GNTST_okay);
    ck_assert_uint_eq(flags_of(REF), GTF_permit_access | GTF_reading);
    *word = 0;
    ck_assert_int_eq(map_at(MAP_VA + 2 * PAGE_SIZE, REF, MAP_RO),
                     GNTST_bad_gntref);
    ck_assert_int_eq(unmap_at(MAP_VA + PAGE_SIZE, second), GNTST_okay);
    ck_assert_uint_eq(*word, 0);
}
END_TEST

/* The flags stay for as long as anybody uses the entry. */
START_TEST(test_grant_entry_of_two_grantees_is_in_use_until_the_last)
{
    struct grant_hold h, other;

    grant_page(GTF_permit_access);
    ck_assert_int_eq(grant_hold(&h, granter, REF, GRANTEE_ID, GRANT_WRITE),
                     GNTST_okay);
    set_entry(granter, REF, STRANGER_ID, data_frame(granter, 0));
    ck_assert_int_eq(grant_hold(&other, granter, REF, STRANGER_ID, GRANT_READ),
                     GNTST_okay);
    ck_assert_uint_eq(flags_of(REF), GTF_permit_access | GTF_reading);
    grant_drop(&h);
    ck_assert_uint_eq(flags_of(REF), GTF_permit_access | GTF_reading);
    grant_drop(&other);
    ck_assert_uint_eq(flags_of(REF), GTF_permit_access);
}
END_TEST

static bool stop_racing;
static unsigned broken_promises; /* uses of what was revoked */

/*
 * Whether a race is not over after `tries`: a busy computer may not have let
 * the other side run, so it also takes some luck. Check has a time limit.
 */
static bool goes_on(unsigned tries, unsigned enough, unsigned lucky)
{
    if (tries % 1024 == 1023)
        sched_yield();
    return tries < enough || !lucky;
}

/* Grants, revokes as Linux does, and keeps a secret in the revoked page. */
static void *honest_granter(void *argument)
{
    uint64_t *word = argument, closed = *word & ~0xffffull;
    uint64_t open = closed | GTF_permit_access;
    volatile char *page = data_page(granter, 0);

    while (!__atomic_load_n(&stop_racing, __ATOMIC_RELAXED)) {
        uint64_t expected = open;

        if (!__atomic_compare_exchange_n(word, &expected, closed, false,
                                         __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
            continue;
        *page = 's';
        for (unsigned i = 0; i < 50; i++)
            broken_promises +=
                __atomic_load_n(word, __ATOMIC_SEQ_CST) != closed;
        *page = 'p';
        __atomic_store_n(word, open, __ATOMIC_SEQ_CST);
    }
    return NULL;
}

START_TEST(test_grant_race_revoked_page_is_never_used)
{
    uint64_t *word = grant_page(GTF_permit_access);
    volatile const char *page = data_page(granter, 0);
    unsigned uses = 0;
    pthread_t thread;

    *data_page(granter, 0) = 'p';
    ck_assert_int_eq(pthread_create(&thread, NULL, honest_granter, word), 0);
    for (unsigned i = 0; goes_on(i, 10 * RACES, uses); i++) {
        struct grant_hold h;
        int status = grant_hold(&h, granter, REF, GRANTEE_ID, GRANT_READ);

        if (status == GNTST_okay) {
            if (*page != 'p')
                __atomic_fetch_add(&broken_promises, 1, __ATOMIC_RELAXED);
            grant_drop(&h);
            uses++;
        } else if (status != GNTST_bad_gntref) {
            ck_assert_int_eq(status, GNTST_general_error);
        }
    }
    __atomic_store_n(&stop_racing, true, __ATOMIC_RELAXED);
    pthread_join(thread, NULL);
    ck_assert_uint_eq(broken_promises, 0);
    ck_assert_uint_eq(flags_of(REF), GTF_permit_access);
}
END_TEST

/* Writes whatever it likes, whenever it likes. */
static void *hostile_granter(void *word)
{
    uint64_t frames[] = {data_frame(granter, 0).n, data_frame(granter, 1).n,
                         data_frame(grantee, 0).n, 0};
    unsigned seed = 1;

    while (!__atomic_load_n(&stop_racing, __ATOMIC_RELAXED)) {
        uint64_t r = (uint64_t)rand_r(&seed);
        uint64_t id = r & 3 ? GRANTEE_ID : STRANGER_ID;
        uint64_t flags = r >> 2 & 0xff;

        __atomic_store_n((uint64_t *)word,
                         frames[r >> 10 & 3] << 32 | id << 16 | flags,
                         __ATOMIC_RELAXED);
    }
    return NULL;
}

START_TEST(test_grant_race_hostile_granter_gets_its_counts_back)
{
    uint64_t *word = grant_page(GTF_permit_access);
    unsigned maps = 0;
    pthread_t thread;

    ck_assert_int_eq(pthread_create(&thread, NULL, hostile_granter, word), 0);
    for (unsigned i = 0; goes_on(i, RACES, maps); i++) {
        grant_handle_t first;

        if (map_at(MAP_VA, REF, MAP_RO) != GNTST_okay)
            continue;
        maps++;
        first = mapped.handle;
        if (map_at(MAP_VA + PAGE_SIZE, REF, MAP_RW) == GNTST_okay)
            ck_assert_int_eq(unmap_at(MAP_VA + PAGE_SIZE, mapped.handle),
                             GNTST_okay);
        ck_assert_int_eq(unmap_at(MAP_VA, first), GNTST_okay);
        (void)copy_grant_to_own(REF, 3);
    }
    __atomic_store_n(&stop_racing, true, __ATOMIC_RELAXED);
    pthread_join(thread, NULL);
}
END_TEST

/* --- random calls -------------------------------------------------------- */

#define REFS 6u
#define SLOTS 8u
#define LIVE_MAX 64u
#define STEPS 10000u

/* What the grantee has mapped, according to the answers it got. */
static struct live {
    bool is_live, is_writable;
    grant_ref_t ref;
} live[LIVE_MAX];

static unsigned seed = 7;

static unsigned random_below(unsigned bound)
{
    return (unsigned)rand_r(&seed) % bound;
}

static uint64_t random_slot(void)
{
    return MAP_VA + random_below(SLOTS) * PAGE_SIZE;
}

static void map_something(void)
{
    bool is_writable = random_below(2);
    grant_ref_t ref = REF + random_below(REFS + 1);
    uint32_t flags = GNTMAP_host_map | (is_writable ? 0 : GNTMAP_readonly);
    uint64_t at = random_slot();

    if (random_below(4) == 0) {
        at = pte_address(at);
        flags |= GNTMAP_contains_pte;
    }
    if (map_at(at, ref, flags) != GNTST_okay)
        return;
    ck_assert_uint_lt(ref, REF + REFS);
    ck_assert_uint_lt(mapped.handle, LIVE_MAX);
    ck_assert(!live[mapped.handle].is_live);
    live[mapped.handle] = (struct live){true, is_writable, ref};
}

static int unmap_somehow(uint64_t at, grant_handle_t handle)
{
    if (random_below(3) == 0)
        at = pte_address(at);
    return unmap_at(at, handle);
}

static void unmap_something(void)
{
    grant_handle_t handle = random_below(LIVE_MAX + 1);
    int status = unmap_somehow(random_slot(), handle);

    if (handle == LIVE_MAX || !live[handle].is_live)
        ck_assert_int_eq(status, GNTST_bad_handle);
    else if (status == GNTST_okay)
        live[handle].is_live = false;
}

static void do_something(void)
{
    switch (random_below(12)) {
    case 0:
        overwrite(random_slot(), 0);
        break;
    case 1:
        (void)copy_grant_to_own(REF + random_below(REFS), 3);
        break;
    case 2:
    case 3:
    case 4:
        map_something();
        break;
    default:
        unmap_something();
    }
}

static unsigned count_live(grant_ref_t ref, bool is_writable)
{
    unsigned count = 0;

    for (unsigned i = 0; i < LIVE_MAX; i++)
        count += live[i].is_live && live[i].ref == ref &&
                 live[i].is_writable == is_writable;
    return count;
}

static unsigned count_entries(mfn_t mfn, bool is_writable)
{
    unsigned count = 0;

    for (unsigned i = 0; i < SLOTS; i++) {
        uint64_t entry = *pte_at(MAP_VA + i * PAGE_SIZE);

        count += entry & PTE_PRESENT && mfn_equal(pte_frame(entry), mfn) &&
                 !(entry & PTE_WRITE) == !is_writable;
    }
    return count;
}

/* The flags tell the truth, and no mapping is without its handle. */
static void check_ref(unsigned i)
{
    unsigned readers = count_live(REF + i, false);
    unsigned writers = count_live(REF + i, true);
    uint16_t flags = GTF_permit_access;

    flags |= readers || writers ? GTF_reading : 0;
    flags |= writers ? GTF_writing : 0;
    ck_assert_uint_eq(flags_of(REF + i), flags);
    ck_assert_uint_le(count_entries(data_frame(granter, i), false), readers);
    ck_assert_uint_le(count_entries(data_frame(granter, i), true), writers);
}

START_TEST(test_grant_random_calls_leave_flags_and_counts_right)
{
    grant_set_limits(grantee, 1, 1);
    for (unsigned i = 0; i < REFS; i++)
        grant(REF + i, GTF_permit_access, data_frame(granter, i));
    for (unsigned step = 0; step < STEPS; step++) {
        unsigned count = 0;

        for (unsigned i = 0; i < REFS; i++)
            count += count_live(REF + i, false) + count_live(REF + i, true);
        if (count == LIVE_MAX)
            unmap_something();
        else
            do_something();
        for (unsigned i = 0; i < REFS; i++)
            check_ref(i);
        if (step % 1000 == 0)
            ck_assert_uint_eq(frame_audit(), 0);
    }
}
END_TEST

/* Adds the tests of this file. */
void add_race_tests(TCase *tc)
{
    tcase_add_test(
        tc, test_grant_entry_changed_while_mapped_changes_nothing_mapped);
    tcase_add_test(tc,
                   test_grant_entry_of_two_grantees_is_in_use_until_the_last);
    tcase_add_test(tc, test_grant_race_revoked_page_is_never_used);
    tcase_add_test(tc, test_grant_race_hostile_granter_gets_its_counts_back);
}

/* Those that leave a mess. */
void add_random_tests(TCase *tc)
{
    tcase_add_test(tc, test_grant_random_calls_leave_flags_and_counts_right);
}
