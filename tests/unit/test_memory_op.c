/* SPDX-License-Identifier: MIT */
/* memory_op of a domain for itself and, for dom0, for others. */
#include <check.h>
#include <stdlib.h>

#include "core/domain.h"
#include "core/frame.h"
#include "core/grant.h"
#include "core/heap.h"
#include "core/hypercall.h"
#include "core/machine.h"
#include "core/pte.h"
#include "core/vcpu.h"
#include "host/arch_fake.h"
#include "hypercall_abi/memory.h"

#define DATA_VA 0x10000000ull
#define DATA_PAGES 4u
#define LIST_VA (DATA_VA + PAGE_SIZE)      /* of extents */
#define OTHER_VA (DATA_VA + 2 * PAGE_SIZE) /* a second list */
#define BAD_VA 0x20000000ull               /* not mapped */
#define LIMIT 1024u

static const struct e820_entry map[] = {
    {0, 0, 0x9f000, 0, E820_TYPE_RAM},
    {0x100000, 0, 0x1000000, 0, E820_TYPE_RAM},
    {0xfee00000, 0, 0x1000, 0, E820_TYPE_RESERVED},
};

const struct e820_entry *machine_e820 = map;
unsigned machine_e820_count = ARRAY_LEN(map);

static struct domain *d, *other;
static struct vcpu v;
static char *data; /* the guest's pages at DATA_VA */

static struct domain *make_domain(domid_t id)
{
    struct domain *made = domain_create(id, 1);

    ck_assert_ptr_nonnull(made);
    made->max_pages = LIMIT;
    made->owned_chunks = heap_zalloc(64);
    return made;
}

static void setup(void)
{
    mfn_t root;

    fake_boot(1);
    d = make_domain(5);
    other = make_domain(6);
    root = arch_frame_of(frames_alloc(0));
    data = frames_alloc(2);
    for (unsigned i = 0; i < DATA_PAGES; i++)
        ck_assert(fake_guest_map(root, DATA_VA + i * PAGE_SIZE,
                                 mfn_add(arch_frame_of(data), i),
                                 PTE_PRESENT | PTE_WRITE | PTE_USER));
    v = (struct vcpu){.domain = d, .kernel_root = root};
    pcpus[0].current = &v;
    pcpus[0].entered_at = fake.now;
    pcpus[0].need_resched = false;
}

static uint64_t *list(void)
{
    return (uint64_t *)(data + PAGE_SIZE);
}

static uint64_t *other_list(void)
{
    return (uint64_t *)(data + 2 * PAGE_SIZE);
}

static long call(uint64_t cmd, uint64_t arg)
{
    struct hc_args args = {.a = {cmd, arg}};

    return hc_memory_op(&v, &args);
}

static struct xenmem_reservation_args extents(uint64_t va, uint64_t count,
                                              uint32_t order)
{
    return (struct xenmem_reservation_args){
        .extent_start = {va},
        .nr_extents = count,
        .extent_order = order,
        .domid = DOMID_SELF,
    };
}

static long reserve(unsigned cmd, struct xenmem_reservation_args op)
{
    memcpy(data, &op, sizeof(op));
    return call(cmd, DATA_VA);
}

static long populate(uint64_t count, uint32_t order)
{
    return reserve(XENMEM_populate_physmap, extents(LIST_VA, count, order));
}

static long exchange(struct xenmem_exchange_args op)
{
    memcpy(data, &op, sizeof(op));
    return call(XENMEM_exchange, DATA_VA);
}

static uint64_t exchanged(void)
{
    struct xenmem_exchange_args op;

    memcpy(&op, data, sizeof(op));
    return op.nr_exchanged;
}

/* Fills the list with `count` pfns, populates them. */
static void own(uint64_t count)
{
    for (uint64_t i = 0; i < count; i++)
        list()[i] = 100 + i;
    ck_assert_int_eq(populate(count, 0), (long)count);
}

static bool is_owned(uint64_t mfn)
{
    const struct frame *f = frame_lookup(MFN(mfn));

    return f && f->owner == d->id && f->state == (FRAME_ALLOCATED | 1);
}

START_TEST(test_memory_populate_gives_clean_frames_with_their_pfns)
{
    char *dirty = frames_alloc(0);

    memset(dirty, 0x77, PAGE_SIZE);
    frames_free(dirty, 0);
    own(3);
    for (unsigned i = 0; i < 3; i++) {
        const char *page = arch_frame_ptr(MFN(list()[i]));

        ck_assert(is_owned(list()[i]));
        ck_assert_uint_eq(fake_m2p(MFN(list()[i])), 100 + i);
        ck_assert_int_eq(page[0] | page[PAGE_SIZE - 1], 0);
    }
    ck_assert_uint_eq(d->page_count, 3);
}
END_TEST

START_TEST(test_memory_populate_of_an_order_is_in_a_row)
{
    list()[0] = 0x200;
    ck_assert_int_eq(populate(1, 4), 1);
    ck_assert_uint_eq(list()[0] % 16, 0);
    for (unsigned i = 0; i < 16; i++) {
        ck_assert(is_owned(list()[0] + i));
        ck_assert_uint_eq(fake_m2p(MFN(list()[0] + i)), 0x200 + i);
    }
}
END_TEST

START_TEST(test_memory_populate_stops_at_the_limit)
{
    uint64_t before = heap_free_frames();

    d->max_pages = 5;
    list()[0] = list()[1] = list()[2] = 7;
    ck_assert_int_eq(populate(3, 1), 2);
    ck_assert_uint_eq(d->page_count, 4);
    ck_assert_uint_eq(heap_free_frames(), before - 4);
}
END_TEST

START_TEST(test_memory_populate_below_an_address_stays_there)
{
    struct xenmem_reservation_args op = extents(LIST_VA, 1, 0);

    op.mem_flags = 25;
    ck_assert_int_eq(reserve(XENMEM_populate_physmap, op), 1);
    ck_assert_uint_lt(list()[0], 0x2000);
    op.mem_flags = 20;
    ck_assert_int_eq(reserve(XENMEM_populate_physmap, op), 0);
}
END_TEST

START_TEST(test_memory_populate_into_a_bad_list_changes_nothing)
{
    uint64_t before = heap_free_frames();

    ck_assert_int_eq(reserve(XENMEM_populate_physmap, extents(BAD_VA, 4, 0)),
                     0);
    list()[0] = UINT64_MAX;
    ck_assert_int_eq(populate(1, 0), 0);
    ck_assert_uint_eq(d->page_count, 0);
    ck_assert_uint_eq(heap_free_frames(), before);
}
END_TEST

START_TEST(test_memory_absurd_numbers_are_refused)
{
    ck_assert_int_eq(populate(1ull << 60, 0), -EINVAL);
    ck_assert_int_eq(populate(UINT64_MAX, 9), -EINVAL);
    ck_assert_int_eq(populate(1, 10), -EINVAL);
    ck_assert_int_eq(populate(1, UINT32_MAX), -EINVAL);
    ck_assert_int_eq(call(XENMEM_populate_physmap, BAD_VA), -EFAULT);
    ck_assert_int_eq(call(XENMEM_populate_physmap | 9 << 6, DATA_VA), -EINVAL);
    ck_assert_int_eq(call(63, DATA_VA), -ENOSYS);
}
END_TEST

START_TEST(test_memory_increase_gives_frames_of_no_pfn)
{
    uint64_t before = heap_free_frames();

    list()[0] = UINT64_MAX; /* no pfn, and not read */
    ck_assert_int_eq(
        reserve(XENMEM_increase_reservation, extents(LIST_VA, 1, 2)), 1);
    for (unsigned i = 0; i < 4; i++) {
        ck_assert(is_owned(list()[0] + i));
        ck_assert_uint_eq(fake_m2p(MFN(list()[0] + i)), UINT64_MAX);
    }
    ck_assert_int_eq(reserve(XENMEM_increase_reservation, extents(0, 2, 0)), 2);
    ck_assert_uint_eq(d->page_count, 6);
    ck_assert_int_eq(
        reserve(XENMEM_increase_reservation, extents(BAD_VA, 1, 0)), 0);
    ck_assert_uint_eq(d->page_count, 6);
    ck_assert_uint_eq(heap_free_frames(), before - 6);
}
END_TEST

START_TEST(test_memory_decrease_gives_frames_back)
{
    uint64_t before = heap_free_frames();
    uint64_t first;

    own(4);
    first = list()[0];
    ck_assert_int_eq(
        reserve(XENMEM_decrease_reservation, extents(LIST_VA, 4, 0)), 4);
    ck_assert_uint_eq(d->page_count, 0);
    ck_assert_uint_eq(heap_free_frames(), before);
    ck_assert_uint_eq(fake_m2p(MFN(first)), UINT64_MAX);
}
END_TEST

START_TEST(test_memory_decrease_stops_at_what_is_not_ours)
{
    own(4);
    list()[2] = arch_frame_of(data).n;
    ck_assert_int_eq(
        reserve(XENMEM_decrease_reservation, extents(LIST_VA, 4, 0)), 2);
    list()[0] = list()[3];
    list()[1] = list()[3];
    ck_assert_int_eq(
        reserve(XENMEM_decrease_reservation, extents(LIST_VA, 2, 0)), 1);
    list()[0] = 0;
    ck_assert_int_eq(
        reserve(XENMEM_decrease_reservation, extents(LIST_VA, 1, 0)), 0);
    ck_assert_uint_eq(d->page_count, 1);
}
END_TEST

START_TEST(test_memory_decrease_of_a_frame_in_use_is_refused)
{
    own(1);
    ck_assert_int_eq(frame_get_writable(frame_lookup(MFN(list()[0]))), 0);
    ck_assert_int_eq(
        reserve(XENMEM_decrease_reservation, extents(LIST_VA, 1, 0)), 0);
    ck_assert_uint_eq(d->page_count, 1);
    frame_put_writable(frame_lookup(MFN(list()[0])));
}
END_TEST

START_TEST(test_memory_long_call_restarts_where_it_was)
{
    for (unsigned i = 0; i < 3; i++)
        list()[i] = 50 + i;
    pcpus[0].need_resched = true;
    ck_assert_int_eq(populate(3, 0), HC_memory_op);
    ck_assert_uint_eq(fake.restarts, 1);
    ck_assert_uint_eq(d->page_count, 1);
    pcpus[0].need_resched = false;
    ck_assert_int_eq(call(XENMEM_populate_physmap | 1 << 6, DATA_VA), 3);
    ck_assert_uint_eq(d->page_count, 3);
    ck_assert_uint_eq(fake_m2p(MFN(list()[2])), 52);
}
END_TEST

/* A call that has never asked has no clock yet. */
START_TEST(test_memory_first_extent_counts_for_the_time)
{
    for (unsigned i = 0; i < 3; i++)
        list()[i] = 50 + i;
    pcpus[0].entered_at = 0;
    fake.slow_at = 2;
    ck_assert_int_eq(populate(3, 0), HC_memory_op);
    ck_assert_uint_eq(d->page_count, 1);
}
END_TEST

/* Its id may be another's when a call for it goes on. */
START_TEST(test_memory_that_goes_on_means_the_same_domain)
{
    struct xenmem_reservation_args op = extents(LIST_VA, 3, 0);
    struct hc_args rest;

    d->is_privileged = true;
    op.domid = other->id;
    pcpus[0].need_resched = true;
    ck_assert_int_eq(reserve(XENMEM_populate_physmap, op), HC_memory_op);
    memcpy(rest.a, fake.restart_args, sizeof(rest.a));
    other->serial++;
    ck_assert_int_eq(hc_memory_op(&v, &rest), -ESRCH);
    ck_assert_uint_eq(other->refs, 1);
    ck_assert_uint_eq(other->page_count, 1);
    other->serial--;
    pcpus[0].need_resched = false;
    ck_assert_int_eq(hc_memory_op(&v, &rest), 3);
    ck_assert_uint_eq(other->page_count, 3);
}
END_TEST

/* --- extents larger than one call can zero ------------------------------- */

START_TEST(test_memory_of_a_guests_extent_is_never_on_the_way)
{
    list()[0] = 0x4000;
    pcpus[0].need_resched = true;
    ck_assert_int_eq(populate(1, 9), 1);
    ck_assert_uint_eq(fake.restarts, 0);
    ck_assert_uint_eq(d->page_count, 512);
}
END_TEST

START_TEST(test_memory_of_others_is_for_the_privileged)
{
    struct xenmem_reservation_args op = extents(LIST_VA, 1, 0);

    op.domid = other->id;
    ck_assert_int_eq(reserve(XENMEM_populate_physmap, op), -EPERM);
    d->is_privileged = true;
    ck_assert_int_eq(reserve(XENMEM_populate_physmap, op), 1);
    ck_assert_uint_eq(other->page_count, 1);
    *(domid_t *)data = other->id;
    ck_assert_int_eq(call(XENMEM_current_reservation, DATA_VA), 1);
    ck_assert_int_eq(call(XENMEM_maximum_reservation, DATA_VA), LIMIT);
    ck_assert_int_eq(reserve(XENMEM_decrease_reservation, op), 1);
    ck_assert_uint_eq(other->page_count, 0);
    op.domid = 99;
    ck_assert_int_eq(reserve(XENMEM_populate_physmap, op), -ESRCH);
    ck_assert_uint_eq(other->refs, 1);
}
END_TEST

START_TEST(test_memory_for_the_privileged_is_refused_unread)
{
    static const unsigned cmds[] = {
        XENMEM_set_memory_map,
        XENMEM_machine_memory_map,
    };

    for (unsigned i = 0; i < ARRAY_LEN(cmds); i++) {
        d->is_privileged = false;
        ck_assert_int_eq(call(cmds[i], BAD_VA), -EPERM);
        d->is_privileged = true;
        ck_assert_int_eq(call(cmds[i], BAD_VA), -EFAULT);
    }
}
END_TEST

START_TEST(test_memory_pod_target_is_no_memory_on_demand)
{
    ck_assert_int_eq(call(XENMEM_set_pod_target, DATA_VA), -EPERM);
    d->is_privileged = true;
    ck_assert_int_eq(call(XENMEM_set_pod_target, DATA_VA), 0);
    ck_assert_int_eq(call(XENMEM_get_pod_target, DATA_VA), -ENOSYS);
}
END_TEST

START_TEST(test_memory_acquire_resource_sends_to_the_older_way)
{
    ck_assert_int_eq(call(XENMEM_acquire_resource, DATA_VA), -EOPNOTSUPP);
    ck_assert_int_eq(call(XENMEM_add_to_physmap, DATA_VA), -ENOSYS);
    /* the tools' library takes this for consent */
    ck_assert_int_eq(call(XENMEM_claim_pages, DATA_VA), -ENOSYS);
}
END_TEST

static struct xenmem_exchange_args trade(uint64_t in, uint32_t in_order,
                                         uint64_t out, uint32_t out_order)
{
    return (struct xenmem_exchange_args){
        .in = extents(LIST_VA, in, in_order),
        .out = extents(OTHER_VA, out, out_order),
    };
}

START_TEST(test_memory_exchange_makes_a_row_of_single_frames)
{
    uint64_t before = heap_free_frames();

    own(64);
    other_list()[0] = 0x300;
    ck_assert_int_eq(exchange(trade(64, 0, 1, 6)), 0);
    ck_assert_uint_eq(exchanged(), 64);
    ck_assert_uint_eq(d->page_count, 64);
    ck_assert_uint_eq(heap_free_frames(), before - 64);
    ck_assert_uint_eq(other_list()[0] % 64, 0);
    for (unsigned i = 0; i < 64; i++) {
        ck_assert(is_owned(other_list()[0] + i));
        ck_assert_uint_eq(fake_m2p(MFN(other_list()[0] + i)), 0x300 + i);
    }
}
END_TEST

START_TEST(test_memory_exchange_at_the_limit_works)
{
    d->max_pages = 8;
    own(8);
    ck_assert_int_eq(exchange(trade(8, 0, 1, 3)), 0);
    ck_assert_uint_eq(d->page_count, 8);
}
END_TEST

START_TEST(test_memory_exchange_of_4_mib_is_for_the_privileged)
{
    list()[0] = 0x4000;
    list()[1] = 0x4200;
    ck_assert_int_eq(populate(2, 9), 2);
    ck_assert_int_eq(exchange(trade(2, 9, 1, 10)), -EINVAL);
    d->is_privileged = true;
    ck_assert_int_eq(exchange(trade(2, 9, 1, 11)), -EINVAL);
    other_list()[0] = 0x4000;
    ck_assert_int_eq(exchange(trade(2, 9, 1, 10)), 0);
    ck_assert_uint_eq(other_list()[0] % 1024, 0);
    ck_assert_uint_eq(d->page_count, 1024);
    ck_assert(is_owned(other_list()[0] + 1023));
}
END_TEST

START_TEST(test_memory_exchange_below_an_address_fails_as_a_whole)
{
    struct xenmem_exchange_args op = trade(2, 0, 1, 1);

    own(2);
    op.out.mem_flags = 18;
    ck_assert_int_eq(exchange(op), -ENOMEM);
    ck_assert_uint_eq(exchanged(), 0);
    ck_assert(is_owned(list()[0]) && is_owned(list()[1]));
    op.out.mem_flags = 25;
    ck_assert_int_eq(exchange(op), 0);
    ck_assert_uint_lt(other_list()[0], 0x2000);
}
END_TEST

static void expect_refused(struct xenmem_exchange_args op, long error)
{
    uint64_t pages = d->page_count, before = heap_free_frames();

    ck_assert_int_eq(exchange(op), error);
    ck_assert_uint_eq(exchanged(), op.nr_exchanged);
    ck_assert_uint_eq(d->page_count, pages);
    ck_assert_uint_eq(heap_free_frames(), before);
}

START_TEST(test_memory_exchange_of_bad_lists_changes_nothing)
{
    struct xenmem_exchange_args op;

    own(4);
    expect_refused(trade(4, 0, 1, 1), -EINVAL);
    expect_refused(trade(1ull << 62, 2, 1ull << 62, 2), -EINVAL);
    expect_refused(trade(2048, 0, 4, 9), -EINVAL);
    op = trade(4, 0, 4, 0);
    op.nr_exchanged = 2;
    expect_refused(op, -EINVAL);
    op = trade(4, 0, 4, 0);
    op.in.domid = 0;
    expect_refused(op, -EPERM);
    op = trade(4, 0, 4, 0);
    op.out.extent_start.va = BAD_VA;
    expect_refused(op, -EFAULT);
    list()[1] = list()[0];
    expect_refused(trade(4, 0, 4, 0), -EBUSY);
    list()[1] = arch_frame_of(data).n;
    expect_refused(trade(4, 0, 4, 0), -EINVAL);
}
END_TEST

START_TEST(test_memory_exchange_of_a_frame_in_use_is_refused)
{
    own(2);
    ck_assert_int_eq(frame_get_writable(frame_lookup(MFN(list()[1]))), 0);
    expect_refused(trade(2, 0, 2, 0), -EBUSY);
    frame_put_writable(frame_lookup(MFN(list()[1])));
    ck_assert_int_eq(exchange(trade(2, 0, 2, 0)), 0);
}
END_TEST

START_TEST(test_memory_exchange_into_a_read_only_list_changes_nothing)
{
    own(2);
    ck_assert(fake_guest_map(v.kernel_root, OTHER_VA,
                             mfn_add(arch_frame_of(data), 2),
                             PTE_PRESENT | PTE_USER));
    expect_refused(trade(2, 0, 2, 0), -EFAULT);
}
END_TEST

START_TEST(test_memory_questions_get_real_numbers)
{
    own(3);
    *(domid_t *)data = DOMID_SELF;
    ck_assert_int_eq(call(XENMEM_current_reservation, DATA_VA), 3);
    ck_assert_int_eq(call(XENMEM_maximum_reservation, DATA_VA), LIMIT);
    ck_assert_int_eq(call(XENMEM_maximum_gpfn, DATA_VA), 0);
    d->shared_info->arch.max_pfn = 300;
    ck_assert_int_eq(call(XENMEM_maximum_gpfn, DATA_VA), 299);
    d->shared_info->arch.max_pfn = UINT64_MAX;
    ck_assert_int_ge(call(XENMEM_maximum_gpfn, DATA_VA), 0);
    ck_assert_int_eq(call(XENMEM_maximum_ram_page, 0), FAKE_LAST_FRAME);
    *(domid_t *)data = other->id;
    ck_assert_int_eq(call(XENMEM_current_reservation, DATA_VA), -EPERM);
}
END_TEST

static long ask_map(unsigned cmd, uint32_t room)
{
    struct xenmem_memory_map_args op = {
        .nr_entries = room,
        .buffer = {LIST_VA},
    };

    memcpy(data, &op, sizeof(op));
    return call(cmd, DATA_VA);
}

START_TEST(test_memory_machine_map_is_for_the_privileged)
{
    struct xenmem_memory_map_args op;

    ck_assert_int_eq(ask_map(XENMEM_machine_memory_map, 10), -EPERM);
    d->is_privileged = true;
    ck_assert_int_eq(ask_map(XENMEM_machine_memory_map, 2), -EINVAL);
    ck_assert_int_eq(ask_map(XENMEM_machine_memory_map, 10), 0);
    memcpy(&op, data, sizeof(op));
    ck_assert_uint_eq(op.nr_entries, 3);
    ck_assert_mem_eq(list(), map, sizeof(map));
}
END_TEST

START_TEST(test_memory_map_is_what_dom0_has_set_last)
{
    uint64_t free_frames;
    struct xenmem_set_memory_map_args op = {
        .domid = other->id,
        .map = {.nr_entries = 2, .buffer = {LIST_VA}},
    };

    ck_assert_int_eq(ask_map(XENMEM_memory_map, 10), -ENOSYS);
    memcpy(list(), map, sizeof(map));
    memcpy(data, &op, sizeof(op));
    ck_assert_int_eq(call(XENMEM_set_memory_map, DATA_VA), -EPERM);
    d->is_privileged = true;
    ck_assert_int_eq(call(XENMEM_set_memory_map, DATA_VA), 0);
    free_frames = heap_free_frames();
    op.map.nr_entries = 3;
    memcpy(data, &op, sizeof(op));
    ck_assert_int_eq(call(XENMEM_set_memory_map, DATA_VA), 0);
    ck_assert_uint_eq(heap_free_frames(), free_frames);
    memset(list(), 0, sizeof(map));
    v.domain = other;
    ck_assert_int_eq(ask_map(XENMEM_memory_map, 2), -EINVAL);
    ck_assert_int_eq(ask_map(XENMEM_memory_map, 3), 0);
    ck_assert_mem_eq(list(), map, sizeof(map));
}
END_TEST

START_TEST(test_memory_map_too_long_is_refused)
{
    struct xenmem_set_memory_map_args op = {
        .domid = other->id,
        .map = {.nr_entries = UINT32_MAX, .buffer = {LIST_VA}},
    };

    d->is_privileged = true;
    memcpy(data, &op, sizeof(op));
    ck_assert_int_eq(call(XENMEM_set_memory_map, DATA_VA), -EINVAL);
}
END_TEST

START_TEST(test_memory_m2p_is_where_the_abi_wants_it)
{
    struct xenmem_machphys_mapping_args op;

    ck_assert_int_eq(call(XENMEM_machphys_mapping, DATA_VA), 0);
    memcpy(&op, data, sizeof(op));
    ck_assert_uint_eq(op.v_start, 0xffff800000000000);
    ck_assert_uint_eq(op.v_end, 0xffff804000000000);
    ck_assert_uint_eq(op.max_mfn, FAKE_LAST_FRAME);
}
END_TEST

static void add_reservation_tests(TCase *tc)
{
    tcase_add_test(tc, test_memory_populate_gives_clean_frames_with_their_pfns);
    tcase_add_test(tc, test_memory_populate_of_an_order_is_in_a_row);
    tcase_add_test(tc, test_memory_populate_stops_at_the_limit);
    tcase_add_test(tc, test_memory_populate_below_an_address_stays_there);
    tcase_add_test(tc, test_memory_populate_into_a_bad_list_changes_nothing);
    tcase_add_test(tc, test_memory_absurd_numbers_are_refused);
    tcase_add_test(tc, test_memory_increase_gives_frames_of_no_pfn);
    tcase_add_test(tc, test_memory_decrease_gives_frames_back);
    tcase_add_test(tc, test_memory_decrease_stops_at_what_is_not_ours);
    tcase_add_test(tc, test_memory_decrease_of_a_frame_in_use_is_refused);
    tcase_add_test(tc, test_memory_long_call_restarts_where_it_was);
    tcase_add_test(tc, test_memory_first_extent_counts_for_the_time);
    tcase_add_test(tc, test_memory_that_goes_on_means_the_same_domain);
    tcase_add_test(tc, test_memory_of_a_guests_extent_is_never_on_the_way);
    tcase_add_test(tc, test_memory_of_others_is_for_the_privileged);
    tcase_add_test(tc, test_memory_for_the_privileged_is_refused_unread);
    tcase_add_test(tc, test_memory_pod_target_is_no_memory_on_demand);
    tcase_add_test(tc, test_memory_acquire_resource_sends_to_the_older_way);
}

static void add_exchange_tests(TCase *tc)
{
    tcase_add_test(tc, test_memory_exchange_makes_a_row_of_single_frames);
    tcase_add_test(tc, test_memory_exchange_at_the_limit_works);
    tcase_add_test(tc, test_memory_exchange_of_4_mib_is_for_the_privileged);
    tcase_add_test(tc, test_memory_exchange_below_an_address_fails_as_a_whole);
    tcase_add_test(tc, test_memory_exchange_of_bad_lists_changes_nothing);
    tcase_add_test(tc, test_memory_exchange_of_a_frame_in_use_is_refused);
    tcase_add_test(tc,
                   test_memory_exchange_into_a_read_only_list_changes_nothing);
}

static void add_question_tests(TCase *tc)
{
    tcase_add_test(tc, test_memory_questions_get_real_numbers);
    tcase_add_test(tc, test_memory_machine_map_is_for_the_privileged);
    tcase_add_test(tc, test_memory_map_is_what_dom0_has_set_last);
    tcase_add_test(tc, test_memory_map_too_long_is_refused);
    tcase_add_test(tc, test_memory_m2p_is_where_the_abi_wants_it);
}

int main(void)
{
    Suite *suite = suite_create("memory_op");
    TCase *tc = tcase_create("memory_op");
    SRunner *runner = srunner_create(suite);
    int failures;

    tcase_add_checked_fixture(tc, setup, NULL);
    add_reservation_tests(tc);
    add_exchange_tests(tc);
    add_question_tests(tc);
    suite_add_tcase(suite, tc);
    srunner_run_all(runner, CK_NORMAL);
    failures = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
