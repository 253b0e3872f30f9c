/* SPDX-License-Identifier: MIT */
/*
 * Grant tables: setting up, mapping, copying, and what a granter who changes
 * its mind, a grantee who lies or a domain that ends can do to them.
 */
#include <check.h>
#include <stdlib.h>

#include "core/heap.h"
#include "core/pt_validate.h"
#include "grant_world.h"

static void setup(void)
{
    world_setup();
}

static void teardown(void)
{
    counts_check();
}

static uint64_t references(mfn_t mfn)
{
    return frame_lookup(mfn)->state & FRAME_COUNT_MASK;
}

/* --- set-up -------------------------------------------------------------- */

static struct gnttab_setup_table_args setup_args(domid_t dom, uint32_t frames)
{
    return (struct gnttab_setup_table_args){
        .dom = dom,
        .nr_frames = frames,
        .status = 99,
        .frame_list = {ARG_VA + PAGE_SIZE},
    };
}

static int setup_table(domid_t dom, uint32_t frames)
{
    struct gnttab_setup_table_args op = setup_args(dom, frames);

    ck_assert_int_eq(call_with(GNTTABOP_setup_table, &op), 0);
    return op.status;
}

static struct gnttab_query_size_args query_size(domid_t dom)
{
    struct gnttab_query_size_args op = {.dom = dom, .status = 99};

    ck_assert_int_eq(call_with(GNTTABOP_query_size, &op), 0);
    return op;
}

START_TEST(test_grant_setup_lists_frames_that_the_domain_may_map)
{
    const uint64_t *list = (const uint64_t *)data_page(grantee, 1);

    ck_assert_int_eq(setup_table(DOMID_SELF, 3), GNTST_okay);
    for (unsigned i = 0; i < 3; i++) {
        struct frame *f = frame_get(MFN(list[i]), grantee);

        ck_assert_ptr_nonnull(f);
        ck_assert_int_eq(frame_get_writable(f), 0);
        frame_put_writable(f);
        frame_put(f);
    }
    ck_assert_uint_eq(query_size(DOMID_SELF).nr_frames, 3);
}
END_TEST

START_TEST(test_grant_setup_never_shrinks)
{
    ck_assert_int_eq(setup_table(GRANTEE_ID, 4), GNTST_okay);
    ck_assert_int_eq(setup_table(GRANTEE_ID, 1), GNTST_okay);
    ck_assert_uint_eq(query_size(GRANTEE_ID).nr_frames, 4);
}
END_TEST

START_TEST(test_grant_setup_beyond_the_limit_is_refused)
{
    uint32_t most = query_size(DOMID_SELF).max_nr_frames;

    ck_assert_uint_eq(most, GRANT_FRAMES_LIMIT);
    ck_assert_int_eq(setup_table(DOMID_SELF, most + 1), GNTST_general_error);
    ck_assert_int_eq(setup_table(DOMID_SELF, ~0u), GNTST_general_error);
    ck_assert_uint_eq(query_size(DOMID_SELF).nr_frames, 1);
    grant_set_limits(grantee, 4, 1);
    ck_assert_int_eq(setup_table(DOMID_SELF, 5), GNTST_general_error);
    ck_assert_int_eq(setup_table(DOMID_SELF, 4), GNTST_okay);
    grant_set_limits(grantee, 0, 1);
    ck_assert_uint_eq(query_size(DOMID_SELF).max_nr_frames, 4);
    grant_set_limits(grantee, ~0u, ~0u);
    ck_assert_uint_eq(query_size(DOMID_SELF).max_nr_frames, most);
}
END_TEST

START_TEST(test_grant_setup_of_others_is_for_the_privileged)
{
    ck_assert_int_eq(setup_table(GRANTER_ID, 1), GNTST_permission_denied);
    ck_assert_int_eq(query_size(GRANTER_ID).status, GNTST_permission_denied);
    ck_assert_int_eq(setup_table(1234, 1), GNTST_permission_denied);
    grantee->is_privileged = true;
    ck_assert_int_eq(setup_table(1234, 1), GNTST_bad_domain);
    ck_assert_int_eq(query_size(DOMID_IO).status, GNTST_bad_domain);
    ck_assert_int_eq(setup_table(GRANTER_ID, 2), GNTST_okay);
    ck_assert_uint_eq(query_size(GRANTER_ID).nr_frames, 2);
}
END_TEST

START_TEST(test_grant_setup_with_a_bad_list_says_so)
{
    struct gnttab_setup_table_args op = setup_args(DOMID_SELF, 1);

    op.frame_list.va = BAD_VA;
    ck_assert_int_eq(call_with(GNTTABOP_setup_table, &op), 0);
    ck_assert_int_eq(op.status, GNTST_bad_virt_addr);
}
END_TEST

START_TEST(test_grant_setup_and_query_of_bad_arguments_fault)
{
    ck_assert_int_eq(call(GNTTABOP_setup_table, BAD_VA, 1), -EFAULT);
    ck_assert_int_eq(call(GNTTABOP_query_size, BAD_VA, 1), -EFAULT);
}
END_TEST

START_TEST(test_grant_commands_not_served_are_refused)
{
    ck_assert_int_eq(call(GNTTABOP_dump_table, ARG_VA, 1), -ENOSYS);
    ck_assert_int_eq(call(GNTTABOP_transfer, ARG_VA, 1), -ENOSYS);
    ck_assert_int_eq(call(GNTTABOP_unmap_and_replace, ARG_VA, 1), -ENOSYS);
    ck_assert_int_eq(call(GNTTABOP_set_version, ARG_VA, 1), -ENOSYS);
    ck_assert_int_eq(call(GNTTABOP_get_status_frames, ARG_VA, 1), -ENOSYS);
    ck_assert_int_eq(call(GNTTABOP_swap_grant_ref, ARG_VA, 1), -ENOSYS);
    ck_assert_int_eq(call(13, ARG_VA, 1), -ENOSYS);
}
END_TEST

START_TEST(test_grant_array_that_is_bad_faults)
{
    static const unsigned commands[] = {
        GNTTABOP_map_grant_ref, GNTTABOP_unmap_grant_ref, GNTTABOP_copy};

    for (unsigned i = 0; i < ARRAY_LEN(commands); i++) {
        ck_assert_int_eq(call(commands[i], BAD_VA, 1), -EFAULT);
        ck_assert_int_eq(call(commands[i], ~0ull - 3, 1), -EFAULT);
        ck_assert_int_eq(call(commands[i], BAD_VA, 0), 0);
        ck_assert_int_eq(call(commands[i], ARG_VA, 1u << 31), -EINVAL);
    }
}
END_TEST

/* --- map ----------------------------------------------------------------- */

START_TEST(test_grant_map_sets_entry_flags_and_references)
{
    mfn_t mfn = data_frame(granter, 0);

    grant_page(GTF_permit_access);
    ck_assert_int_eq(map_at(MAP_VA, REF, MAP_RW | 5u << GNTMAP_guest_avail0),
                     GNTST_okay);
    ck_assert_uint_eq(mapped.dev_bus_addr, mfn.n << PAGE_SHIFT);
    ck_assert_uint_eq(*pte_at(MAP_VA),
                      pte_make(mfn, PTE_PRESENT | PTE_WRITE | PTE_USER |
                                        PTE_ACCESSED | PTE_DIRTY | PTE_NX |
                                        5u << 9));
    ck_assert_uint_eq(flags_of(REF), GTF_permit_access | IN_USE);
    ck_assert_int_eq(frame_unassign(frame_lookup(mfn), granter), -EBUSY);
    spin_lock(&granter->pt_lock);
    ck_assert_int_ne(pt_get_table(granter, mfn, 1), 0);
    spin_unlock(&granter->pt_lock);

    ck_assert_uint_eq(frame_audit(), 0);

    fake.vcpus_flushed = 0;
    ck_assert_int_eq(unmap_at(MAP_VA, mapped.handle), GNTST_okay);
    ck_assert_uint_eq(fake.vcpus_flushed & 3, 3); /* all of the grantee's */
    ck_assert_uint_eq(*pte_at(MAP_VA), 0);
    ck_assert_uint_eq(flags_of(REF), GTF_permit_access);
}
END_TEST

START_TEST(test_grant_map_readonly_sets_reading_only)
{
    grant_page(GTF_permit_access | GTF_readonly);
    ck_assert_int_eq(map_at(MAP_VA, REF, MAP_RW), GNTST_permission_denied);
    ck_assert_int_eq(map_at(MAP_VA, REF, MAP_RO), GNTST_okay);
    ck_assert(!(*pte_at(MAP_VA) & (PTE_WRITE | PTE_DIRTY)));
    ck_assert_uint_eq(flags_of(REF),
                      GTF_permit_access | GTF_readonly | GTF_reading);
    ck_assert_int_eq(unmap_at(MAP_VA, mapped.handle), GNTST_okay);
    ck_assert_uint_eq(flags_of(REF), GTF_permit_access | GTF_readonly);
}
END_TEST

START_TEST(test_grant_map_twice_clears_flags_with_the_last)
{
    grant_handle_t first;

    grant_page(GTF_permit_access);
    ck_assert_int_eq(map_at(MAP_VA, REF, MAP_RO), GNTST_okay);
    first = mapped.handle;
    ck_assert_uint_eq(flags_of(REF), GTF_permit_access | GTF_reading);
    ck_assert_int_eq(map_at(MAP_VA + PAGE_SIZE, REF, MAP_RW), GNTST_okay);
    ck_assert_uint_eq(flags_of(REF), GTF_permit_access | IN_USE);
    ck_assert_int_eq(unmap_at(MAP_VA + PAGE_SIZE, mapped.handle), GNTST_okay);
    ck_assert_uint_eq(flags_of(REF), GTF_permit_access | GTF_reading);
    ck_assert_int_eq(unmap_at(MAP_VA, first), GNTST_okay);
    ck_assert_uint_eq(flags_of(REF), GTF_permit_access);
}
END_TEST

START_TEST(test_grant_map_by_entry_address)
{
    uint32_t flags =
        MAP_RW | GNTMAP_contains_pte | GNTMAP_application_map | 1u << 16;

    grant_page(GTF_permit_access);
    ck_assert_int_eq(map_at(pte_address(MAP_VA), REF, flags), GNTST_okay);
    ck_assert(mfn_equal(pte_frame(*pte_at(MAP_VA)), data_frame(granter, 0)));
    ck_assert_uint_eq(*pte_at(MAP_VA) & 0xe00, 0x200);
    ck_assert_int_eq(unmap_at(MAP_VA, mapped.handle), GNTST_bad_virt_addr);
    ck_assert_int_eq(unmap_at(pte_address(MAP_VA), mapped.handle), GNTST_okay);
    ck_assert_uint_eq(*pte_at(MAP_VA), 0);
}
END_TEST

START_TEST(test_grant_map_replaces_what_was_there)
{
    struct pt_context own = {grantee, grantee};
    struct frame *l1 = frame_lookup(MFN(pte_address(MAP_VA) >> PAGE_SHIFT));
    mfn_t mfn = data_frame(grantee, 5);

    spin_lock(&grantee->pt_lock);
    ck_assert_int_eq(pt_write_entry(&own, l1, pt_index(MAP_VA, 1), PT_STORE, 0,
                                    pte_make(mfn, PTE_PRESENT | PTE_WRITE)),
                     0);
    spin_unlock(&grantee->pt_lock);
    ck_assert_uint_eq(references(mfn), 2);
    grant_page(GTF_permit_access);
    ck_assert_int_eq(map_at(MAP_VA, REF, MAP_RW), GNTST_okay);
    ck_assert_uint_eq(references(mfn), 1);
    ck_assert_int_eq(unmap_at(MAP_VA, mapped.handle), GNTST_okay);
}
END_TEST

START_TEST(test_grant_map_at_bad_addresses_holds_nothing)
{
    uint64_t pte = pte_address(MAP_VA);
    uint64_t l2 = arch_frame_of(pte_at(MAP_VA)).n + 1;
    const struct {
        uint64_t address;
        uint32_t flags;
    } bad[] = {
        {BAD_VA, MAP_RW},
        {0x0000900000000000ull, MAP_RW},
        {0xffff800000000000ull, MAP_RW},
        {~0ull, MAP_RW},
        {pte + 1, MAP_RW | GNTMAP_contains_pte},
        {pte + 4, MAP_RW | GNTMAP_contains_pte},
        {0, MAP_RW | GNTMAP_contains_pte},
        {~0ull - 7, MAP_RW | GNTMAP_contains_pte},
        {data_frame(grantee, 1).n << PAGE_SHIFT, MAP_RW | GNTMAP_contains_pte},
        {data_frame(granter, 1).n << PAGE_SHIFT, MAP_RW | GNTMAP_contains_pte},
        {l2 << PAGE_SHIFT, MAP_RW | GNTMAP_contains_pte},
    };

    grant_page(GTF_permit_access);
    for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
        ck_assert_int_eq(map_at(bad[i].address, REF, bad[i].flags),
                         GNTST_bad_virt_addr);
        ck_assert_uint_eq(flags_of(REF), GTF_permit_access);
        counts_check();
    }
}
END_TEST

START_TEST(test_grant_map_of_revoked_ref_returns_bad_gntref)
{
    static const uint16_t types[] = {
        GTF_invalid,
        GTF_accept_transfer,
        GTF_transitive,
        GTF_invalid | IN_USE,
    };

    for (unsigned i = 0; i < ARRAY_LEN(types); i++) {
        grant_page(types[i]);
        ck_assert_int_eq(map_at(MAP_VA, REF, MAP_RO), GNTST_bad_gntref);
        ck_assert_uint_eq(flags_of(REF), types[i]);
    }
    ck_assert_uint_eq(*pte_at(MAP_VA), 0);
}
END_TEST

START_TEST(test_grant_map_of_refs_beyond_the_table_returns_bad_gntref)
{
    ck_assert_int_eq(map_at(MAP_VA, 512, MAP_RO), GNTST_bad_gntref);
    ck_assert_int_eq(map_at(MAP_VA, ~0u, MAP_RO), GNTST_bad_gntref);
    ck_assert(!mfn_equal(table_frame(granter, 1), MFN_INVALID));
    grant(1023, GTF_permit_access, data_frame(granter, 0));
    ck_assert_int_eq(map_at(MAP_VA, 1023, MAP_RO), GNTST_okay);
    ck_assert_int_eq(unmap_at(MAP_VA, mapped.handle), GNTST_okay);
    ck_assert_int_eq(map_at(MAP_VA, 1024, MAP_RO), GNTST_bad_gntref);
}
END_TEST

START_TEST(test_grant_map_is_for_the_grantee_only)
{
    set_entry(granter, REF, STRANGER_ID, data_frame(granter, 0));
    ck_assert_int_eq(map_at(MAP_VA, REF, MAP_RO), GNTST_permission_denied);
    grantee->is_privileged = true;
    ck_assert_int_eq(map_at(MAP_VA, REF, MAP_RO), GNTST_permission_denied);
}
END_TEST

START_TEST(test_grant_map_from_no_domain_returns_bad_domain)
{
    struct gnttab_map_grant_ref_args op = {
        .host_addr = MAP_VA, .flags = MAP_RO, .ref = REF, .dom = 1234};

    ck_assert_int_eq(map_with(&op), GNTST_bad_domain);
    op.dom = DOMID_SELF;
    ck_assert_int_eq(map_with(&op), GNTST_bad_domain);
}
END_TEST

START_TEST(test_grant_map_of_bad_frames_is_refused)
{
    const struct {
        mfn_t mfn;
        int status;
    } bad[] = {
        {data_frame(grantee, 2), GNTST_bad_page},         /* not its own */
        {data_frame(stranger, 0), GNTST_bad_page},        /* nor this */
        {arch_frame_of(frames_alloc(0)), GNTST_bad_page}, /* Mica's */
        {MFN(3), GNTST_bad_page},                         /* no RAM */
        {MFN(UINT32_MAX), GNTST_bad_page},
        {table_frame(granter, 0), GNTST_bad_page}, /* lent by Mica */
        {arch_frame_of(granter->shared_info), GNTST_bad_page},
    };

    for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
        grant(REF, GTF_permit_access, bad[i].mfn);
        ck_assert_int_eq(map_at(MAP_VA, REF, MAP_RW), bad[i].status);
        ck_assert_int_eq(map_at(MAP_VA, REF, MAP_RO), bad[i].status);
        ck_assert_uint_eq(flags_of(REF), GTF_permit_access);
    }
    ck_assert_uint_eq(*pte_at(MAP_VA), 0);
}
END_TEST

START_TEST(test_grant_map_of_a_page_table_is_read_only_at_most)
{
    mfn_t mfn = data_frame(granter, 0);

    spin_lock(&granter->pt_lock);
    ck_assert_int_eq(pt_get_table(granter, mfn, 1), 0);
    spin_unlock(&granter->pt_lock);
    grant_page(GTF_permit_access);
    ck_assert_int_eq(map_at(MAP_VA, REF, MAP_RW), GNTST_bad_page);
    ck_assert_uint_eq(flags_of(REF), GTF_permit_access);
    ck_assert_int_eq(map_at(MAP_VA, REF, MAP_RO), GNTST_okay);
    ck_assert_int_eq(unmap_at(MAP_VA, mapped.handle), GNTST_okay);
    spin_lock(&granter->pt_lock);
    pt_put_table(granter, frame_lookup(mfn));
    ck_assert_int_eq(pt_drain(granter), 0);
    spin_unlock(&granter->pt_lock);
}
END_TEST

START_TEST(test_grant_map_without_an_entry_is_refused)
{
    grant_page(GTF_permit_access);
    ck_assert_int_eq(map_at(MAP_VA, REF, 0), GNTST_bad_gntref);
    ck_assert_int_eq(map_at(MAP_VA, REF, GNTMAP_readonly), GNTST_bad_gntref);
    ck_assert_int_eq(map_at(MAP_VA, REF, GNTMAP_device_map), GNTST_bad_gntref);
    ck_assert_uint_eq(flags_of(REF), GTF_permit_access);
}
END_TEST

START_TEST(test_grant_map_of_own_grant)
{
    struct gnttab_map_grant_ref_args op = {
        .host_addr = MAP_VA, .flags = MAP_RW, .ref = REF, .dom = GRANTEE_ID};

    set_entry(grantee, REF, GRANTEE_ID, data_frame(grantee, 4));
    ck_assert_int_eq(map_with(&op), GNTST_okay);
    ck_assert_int_eq(unmap_at(MAP_VA, mapped.handle), GNTST_okay);
    ck_assert_uint_eq(grantee->refs, 1);
}
END_TEST

START_TEST(test_grant_map_that_cannot_be_answered_is_not_made)
{
    struct gnttab_map_grant_ref_args op = {
        .host_addr = MAP_VA, .flags = MAP_RW, .ref = REF, .dom = GRANTER_ID};

    grant_page(GTF_permit_access);
    memcpy(data_page(grantee, 0), &op, sizeof(op));
    *pte_at(ARG_VA) &= ~PTE_WRITE;
    ck_assert_int_eq(call(GNTTABOP_map_grant_ref, ARG_VA, 1), -EFAULT);
    *pte_at(ARG_VA) |= PTE_WRITE;
    ck_assert_uint_eq(*pte_at(MAP_VA), 0);
    ck_assert_uint_eq(flags_of(REF), GTF_permit_access);
}
END_TEST

START_TEST(test_grant_handles_run_out)
{
    unsigned most = GRANT_MAPS_PER_CHUNK;
    bool is_taken[GRANT_MAPS_PER_CHUNK] = {false};
    uint64_t entry;

    grant_set_limits(grantee, 1, 1);
    grant_page(GTF_permit_access);
    for (unsigned i = 0; i < most; i++) {
        ck_assert_int_eq(map_at(MAP_VA, REF, MAP_RO), GNTST_okay);
        ck_assert(mapped.handle < most && !is_taken[mapped.handle]);
        is_taken[mapped.handle] = true;
    }
    entry = *pte_at(MAP_VA);
    ck_assert_int_eq(map_at(MAP_VA, REF, MAP_RO), GNTST_no_device_space);
    for (unsigned i = 0; i < most; i++) {
        overwrite(MAP_VA, entry);
        ck_assert_int_eq(unmap_at(MAP_VA, i), GNTST_okay);
    }
    ck_assert_int_eq(map_at(MAP_VA, REF, MAP_RO), GNTST_okay);
    ck_assert_int_eq(unmap_at(MAP_VA, mapped.handle), GNTST_okay);
}
END_TEST

START_TEST(test_grant_long_batch_restarts_where_it_was)
{
    struct gnttab_map_grant_ref_args ops[8];

    grant_page(GTF_permit_access);
    for (unsigned i = 0; i < 8; i++)
        ops[i] = (struct gnttab_map_grant_ref_args){
            .host_addr = MAP_VA + i * PAGE_SIZE,
            .flags = MAP_RW,
            .ref = REF,
            .dom = GRANTER_ID,
            .status = 99,
        };
    pcpus[0].need_resched = true;
    call_bytes(GNTTABOP_map_grant_ref, ops, sizeof(ops), 8);
    pcpus[0].need_resched = false;
    ck_assert_uint_eq(fake.restarts, 1);
    ck_assert_int_eq(ops[0].status, GNTST_okay);
    ck_assert_int_eq(ops[1].status, 99);
    ck_assert_int_eq(call(GNTTABOP_map_grant_ref, ARG_VA + sizeof(ops[0]), 7),
                     0);
    memcpy(ops, data_page(grantee, 0), sizeof(ops));
    for (unsigned i = 0; i < 8; i++) {
        ck_assert_int_eq(ops[i].status, GNTST_okay);
        ck_assert_int_eq(unmap_at(MAP_VA + i * PAGE_SIZE, ops[i].handle),
                         GNTST_okay);
    }
}
END_TEST

/* --- unmap --------------------------------------------------------------- */

START_TEST(test_grant_unmap_with_a_wrong_handle_returns_bad_handle)
{
    ck_assert_int_eq(unmap_at(MAP_VA, 0), GNTST_bad_handle);
    grant_page(GTF_permit_access);
    ck_assert_int_eq(map_at(MAP_VA, REF, MAP_RW), GNTST_okay);
    ck_assert_int_eq(unmap_at(MAP_VA, mapped.handle + 1), GNTST_bad_handle);
    ck_assert_int_eq(unmap_at(MAP_VA, GRANT_MAPS_PER_CHUNK), GNTST_bad_handle);
    ck_assert_int_eq(unmap_at(MAP_VA, ~0u), GNTST_bad_handle);
    ck_assert_uint_eq(flags_of(REF), GTF_permit_access | IN_USE);
    ck_assert_int_eq(unmap_at(MAP_VA, mapped.handle), GNTST_okay);
    ck_assert_int_eq(unmap_at(MAP_VA, mapped.handle), GNTST_bad_handle);
}
END_TEST

START_TEST(test_grant_unmap_where_it_is_not_mapped_is_refused)
{
    grant_page(GTF_permit_access);
    ck_assert_int_eq(map_at(MAP_VA, REF, MAP_RW), GNTST_okay);
    ck_assert_int_eq(unmap_at(MAP_VA + PAGE_SIZE, mapped.handle),
                     GNTST_general_error);
    ck_assert_int_eq(unmap_at(ARG_VA, mapped.handle), GNTST_general_error);
    ck_assert_int_eq(unmap_at(BAD_VA, mapped.handle), GNTST_bad_virt_addr);
    ck_assert_uint_eq(flags_of(REF), GTF_permit_access | IN_USE);
    ck_assert(*pte_at(MAP_VA) & PTE_PRESENT);
    ck_assert_int_eq(unmap_at(MAP_VA, mapped.handle), GNTST_okay);
}
END_TEST

/* Else the flag of the writable mapping would go while it is still there. */
START_TEST(test_grant_unmap_does_not_take_one_right_for_another)
{
    grant_handle_t reader;

    grant_page(GTF_permit_access);
    ck_assert_int_eq(map_at(MAP_VA, REF, MAP_RO), GNTST_okay);
    reader = mapped.handle;
    ck_assert_int_eq(map_at(MAP_VA + PAGE_SIZE, REF, MAP_RW), GNTST_okay);
    ck_assert_int_eq(unmap_at(MAP_VA, mapped.handle), GNTST_general_error);
    ck_assert_int_eq(unmap_at(MAP_VA + PAGE_SIZE, reader), GNTST_general_error);
    ck_assert_int_eq(unmap_at(MAP_VA + PAGE_SIZE, mapped.handle), GNTST_okay);
    ck_assert_int_eq(unmap_at(MAP_VA, reader), GNTST_okay);
}
END_TEST

START_TEST(test_grant_unmap_ignores_bits_that_others_set)
{
    grant_page(GTF_permit_access);
    ck_assert_int_eq(map_at(MAP_VA, REF, MAP_RO), GNTST_okay);
    *pte_at(MAP_VA) &= ~(PTE_ACCESSED | PTE_NX);
    *pte_at(MAP_VA) |= PTE_DIRTY | 0x600;
    ck_assert_int_eq(unmap_at(MAP_VA, mapped.handle), GNTST_okay);
}
END_TEST

/* The frame stays the granter's until the grantee unmaps or ends. */
START_TEST(test_grant_mapping_overwritten_by_its_owner_still_holds)
{
    grant_page(GTF_permit_access);
    ck_assert_int_eq(map_at(MAP_VA, REF, MAP_RW), GNTST_okay);
    overwrite(MAP_VA, 0);
    ck_assert_int_eq(unmap_at(MAP_VA, mapped.handle), GNTST_general_error);
    ck_assert_uint_eq(flags_of(REF), GTF_permit_access | IN_USE);
    ck_assert_uint_eq(frame_audit(), 0);
    ck_assert_int_eq(
        frame_unassign(frame_lookup(data_frame(granter, 0)), granter), -EBUSY);
    drop_page_tables();
    ck_assert_int_eq(grant_release_all(grantee), 0);
    ck_assert_uint_eq(flags_of(REF), GTF_permit_access);
}
END_TEST

START_TEST(test_grant_unmap_of_many_in_one_call)
{
    enum { MANY = 100 };
    static struct gnttab_unmap_grant_ref_args ops[MANY];

    grant_page(GTF_permit_access);
    for (unsigned i = 0; i < MANY; i++) {
        ck_assert_int_eq(map_at(MAP_VA + i * PAGE_SIZE, REF, MAP_RW),
                         GNTST_okay);
        ops[i].host_addr = MAP_VA + i * PAGE_SIZE;
        ops[i].handle = mapped.handle;
    }
    ops[50].handle = ~0u;
    ck_assert_int_eq(
        call_bytes(GNTTABOP_unmap_grant_ref, ops, sizeof(ops), MANY), 0);
    for (unsigned i = 0; i < MANY; i++)
        ck_assert_int_eq(ops[i].status,
                         i == 50 ? GNTST_bad_handle : GNTST_okay);
    ck_assert_uint_eq(flags_of(REF), GTF_permit_access | IN_USE);
    ck_assert_int_eq(unmap_at(MAP_VA + 50 * PAGE_SIZE, 50), GNTST_okay);
    ck_assert_uint_eq(flags_of(REF), GTF_permit_access);
}
END_TEST

/* What was unmapped before the call failed is unmapped for good. */
START_TEST(test_grant_unmap_that_faults_finishes_what_it_began)
{
    struct gnttab_unmap_grant_ref_args op = {.host_addr = MAP_VA};
    uint64_t at = ARG_VA + 2 * PAGE_SIZE - sizeof(op);

    grant_page(GTF_permit_access);
    ck_assert_int_eq(map_at(MAP_VA, REF, MAP_RW), GNTST_okay);
    op.handle = mapped.handle;
    memcpy(data_page(grantee, 1) + PAGE_SIZE - sizeof(op), &op, sizeof(op));
    ck_assert_int_eq(call(GNTTABOP_unmap_grant_ref, at, 2), -EFAULT);
    ck_assert_uint_eq(flags_of(REF), GTF_permit_access);
    ck_assert_uint_eq(*pte_at(MAP_VA), 0);
}
END_TEST

/* --- the end ------------------------------------------------------------- */

static void kill(struct domain *d)
{
    __atomic_store_n(&d->state, DOMAIN_DYING, __ATOMIC_RELEASE);
}

START_TEST(test_grant_end_of_grantee_gives_everything_back)
{
    uint64_t before = heap_free_frames();

    for (unsigned i = 0; i < 20; i++)
        grant(REF + i, GTF_permit_access, data_frame(granter, i % 4));
    for (unsigned i = 0; i < 2 * GRANT_MAPS_PER_CHUNK; i++)
        ck_assert_int_eq(
            map_at(MAP_VA + i % 32 * PAGE_SIZE, REF + i % 20, MAP_RW),
            GNTST_okay);
    kill(grantee);
    drop_page_tables();
    pcpus[0].need_resched = true;
    ck_assert_int_eq(grant_release_all(grantee), -ERESTART);
    pcpus[0].need_resched = false;
    ck_assert_int_eq(grant_release_all(grantee), 0);
    for (unsigned i = 0; i < 20; i++)
        ck_assert_uint_eq(flags_of(REF + i), GTF_permit_access);
    for (unsigned i = 0; i < WORLD_PAGES; i++)
        ck_assert_uint_eq(references(data_frame(granter, i)), 1);
    ck_assert_uint_eq(granter->refs, 1);
    ck_assert_int_eq(grant_release_all(grantee), 0);
    ck_assert_uint_eq(frame_audit(), 0);
    ck_assert_uint_eq(heap_free_frames(), before + 2); /* its table */
    grant_destroy(grantee);
    ck_assert_ptr_null(grantee->grants);
}
END_TEST

START_TEST(test_grant_end_of_granter_leaves_mapped_frames)
{
    mfn_t mfn = data_frame(granter, 0);
    struct frame *f = frame_lookup(mfn);
    uint64_t pages;
    mfn_t gone;

    grant_page(GTF_permit_access);
    ck_assert_int_eq(map_at(MAP_VA, REF, MAP_RW), GNTST_okay);
    kill(granter);
    ck_assert_int_eq(grant_release_all(granter), 0);
    ck_assert_int_eq(grant_frame_at(granter, 0, &gone), -EINVAL);
    ck_assert_int_eq(frame_unassign(f, granter), -EBUSY);
    ck_assert_uint_eq(frame_audit(), 0);
    ck_assert(mfn_equal(pte_frame(*pte_at(MAP_VA)), mfn));

    pages = granter->page_count;
    ck_assert_int_eq(unmap_at(MAP_VA, mapped.handle), GNTST_okay);
    ck_assert_int_eq(frame_unassign(f, granter), 0);
    ck_assert_uint_eq(granter->page_count, pages - 1);
    ck_assert_uint_eq(granter->refs, 1);
    ck_assert_int_eq(map_at(MAP_VA, REF, MAP_RW), GNTST_bad_domain);
    ck_assert_uint_eq(frame_audit(), 0);
}
END_TEST

START_TEST(test_grant_end_waits_for_maps_of_the_table)
{
    struct frame *f = frame_get(table_frame(granter, 0), granter);

    ck_assert_ptr_nonnull(f);
    ck_assert_int_eq(grant_release_all(granter), -EBUSY);
    frame_put(f);
    ck_assert_int_eq(grant_release_all(granter), 0);
}
END_TEST

START_TEST(test_grant_tables_leave_no_memory_behind)
{
    uint64_t before;

    grant_destroy(stranger);
    before = heap_free_frames();
    for (unsigned i = 0; i < 50; i++) {
        ck_assert_int_eq(grant_create(stranger), 0);
        ck_assert(!mfn_equal(table_frame(stranger, 9), MFN_INVALID));
        ck_assert_int_eq(grant_release_all(stranger), 0);
        grant_destroy(stranger);
    }
    ck_assert_uint_eq(before, heap_free_frames());
    ck_assert_int_eq(grant_create(stranger), 0);
}
END_TEST

static void add_setup_tests(TCase *tc)
{
    tcase_add_test(tc, test_grant_setup_lists_frames_that_the_domain_may_map);
    tcase_add_test(tc, test_grant_setup_never_shrinks);
    tcase_add_test(tc, test_grant_setup_beyond_the_limit_is_refused);
    tcase_add_test(tc, test_grant_setup_of_others_is_for_the_privileged);
    tcase_add_test(tc, test_grant_setup_with_a_bad_list_says_so);
    tcase_add_test(tc, test_grant_setup_and_query_of_bad_arguments_fault);
    tcase_add_test(tc, test_grant_commands_not_served_are_refused);
    tcase_add_test(tc, test_grant_array_that_is_bad_faults);
}

static void add_map_tests(TCase *tc)
{
    tcase_add_test(tc, test_grant_map_sets_entry_flags_and_references);
    tcase_add_test(tc, test_grant_map_readonly_sets_reading_only);
    tcase_add_test(tc, test_grant_map_twice_clears_flags_with_the_last);
    tcase_add_test(tc, test_grant_map_by_entry_address);
    tcase_add_test(tc, test_grant_map_replaces_what_was_there);
    tcase_add_test(tc, test_grant_map_at_bad_addresses_holds_nothing);
    tcase_add_test(tc, test_grant_map_of_revoked_ref_returns_bad_gntref);
    tcase_add_test(tc,
                   test_grant_map_of_refs_beyond_the_table_returns_bad_gntref);
    tcase_add_test(tc, test_grant_map_is_for_the_grantee_only);
    tcase_add_test(tc, test_grant_map_from_no_domain_returns_bad_domain);
    tcase_add_test(tc, test_grant_map_of_bad_frames_is_refused);
    tcase_add_test(tc, test_grant_map_of_a_page_table_is_read_only_at_most);
    tcase_add_test(tc, test_grant_map_without_an_entry_is_refused);
    tcase_add_test(tc, test_grant_map_of_own_grant);
    tcase_add_test(tc, test_grant_map_that_cannot_be_answered_is_not_made);
    tcase_add_test(tc, test_grant_handles_run_out);
    tcase_add_test(tc, test_grant_long_batch_restarts_where_it_was);
}

static void add_unmap_tests(TCase *tc)
{
    tcase_add_test(tc, test_grant_unmap_with_a_wrong_handle_returns_bad_handle);
    tcase_add_test(tc, test_grant_unmap_where_it_is_not_mapped_is_refused);
    tcase_add_test(tc, test_grant_unmap_does_not_take_one_right_for_another);
    tcase_add_test(tc, test_grant_unmap_ignores_bits_that_others_set);
    tcase_add_test(tc, test_grant_unmap_of_many_in_one_call);
    tcase_add_test(tc, test_grant_unmap_that_faults_finishes_what_it_began);
}

static void add_end_tests(TCase *tc)
{
    add_random_tests(tc);
    tcase_add_test(tc, test_grant_mapping_overwritten_by_its_owner_still_holds);
    tcase_add_test(tc, test_grant_end_of_grantee_gives_everything_back);
    tcase_add_test(tc, test_grant_end_of_granter_leaves_mapped_frames);
    tcase_add_test(tc, test_grant_end_waits_for_maps_of_the_table);
    tcase_add_test(tc, test_grant_tables_leave_no_memory_behind);
}

int main(void)
{
    Suite *suite = suite_create("grant");
    TCase *tc = tcase_create("grant"), *ends = tcase_create("ends");
    SRunner *runner = srunner_create(suite);
    int failures;

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 60);
    add_setup_tests(tc);
    add_map_tests(tc);
    add_unmap_tests(tc);
    add_race_tests(tc);
    add_copy_tests(tc);
    suite_add_tcase(suite, tc);
    tcase_add_checked_fixture(ends, setup, NULL);
    add_end_tests(ends);
    suite_add_tcase(suite, ends);
    srunner_run_all(runner, CK_NORMAL);
    failures = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
