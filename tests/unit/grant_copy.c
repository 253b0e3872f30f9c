/* SPDX-License-Identifier: MIT */
/* Copies by grants, for test_grant.c. */
#include <check.h>

#include "grant_world.h"

static struct gnttab_copy_args copy_args(unsigned flags)
{
    struct gnttab_copy_args op = {
        .source = {.domid = GRANTER_ID, .offset = 100},
        .dest = {.domid = GRANTER_ID, .offset = 200},
        .len = 300,
        .flags = (uint16_t)flags,
        .status = 99,
    };

    op.source.u.ref = REF;
    op.dest.u.ref = REF + 1;
    if (!(flags & GNTCOPY_source_gref)) {
        op.source.u.gmfn = data_frame(grantee, 3).n;
        op.source.domid = DOMID_SELF;
    }
    if (!(flags & GNTCOPY_dest_gref)) {
        op.dest.u.gmfn = data_frame(grantee, 4).n;
        op.dest.domid = GRANTEE_ID;
    }
    return op;
}

static int copy(struct gnttab_copy_args *op)
{
    op->status = 99;
    ck_assert_int_eq(call_with(GNTTABOP_copy, op), 0);
    return op->status;
}

START_TEST(test_grant_copy_between_all_kinds_of_sides)
{
    grant(REF, GTF_permit_access | GTF_readonly, data_frame(granter, 0));
    grant(REF + 1, GTF_permit_access, data_frame(granter, 1));
    for (unsigned flags = 0; flags < 4; flags++) {
        struct gnttab_copy_args op = copy_args(flags);
        char *from = flags & GNTCOPY_source_gref ? data_page(granter, 0)
                                                 : data_page(grantee, 3);
        char *to = flags & GNTCOPY_dest_gref ? data_page(granter, 1)
                                             : data_page(grantee, 4);

        memset(from, 'a' + (int)flags, PAGE_SIZE);
        memset(to, '-', PAGE_SIZE);
        ck_assert_int_eq(copy(&op), GNTST_okay);
        for (unsigned i = 0; i < PAGE_SIZE; i++)
            ck_assert_int_eq(to[i],
                             i < 200 || i >= 500 ? '-' : (char)('a' + flags));
    }
    ck_assert_uint_eq(flags_of(REF), GTF_permit_access | GTF_readonly);
    ck_assert_uint_eq(flags_of(REF + 1), GTF_permit_access);
}
END_TEST

START_TEST(test_grant_copy_stays_within_pages)
{
    static const struct {
        uint16_t from, to, length;
        int status;
    } cases[] = {
        {0, 0, 4096, GNTST_okay},          {0, 0, 4097, GNTST_bad_copy_arg},
        {4095, 0, 1, GNTST_okay},          {4095, 0, 2, GNTST_bad_copy_arg},
        {0, 4095, 1, GNTST_okay},          {0, 4095, 2, GNTST_bad_copy_arg},
        {4096, 4096, 0, GNTST_okay},       {4097, 0, 0, GNTST_bad_copy_arg},
        {0, 4097, 0, GNTST_bad_copy_arg},  {65535, 0, 1, GNTST_bad_copy_arg},
        {0, 1, 65535, GNTST_bad_copy_arg}, {1, 0, 65535, GNTST_bad_copy_arg},
    };

    for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
        struct gnttab_copy_args op = copy_args(0);

        op.source.offset = cases[i].from;
        op.dest.offset = cases[i].to;
        op.len = cases[i].length;
        ck_assert_int_eq(copy(&op), cases[i].status);
    }
}
END_TEST

START_TEST(test_grant_copy_within_one_page_may_overlap)
{
    struct gnttab_copy_args op = copy_args(0);
    char *page = data_page(grantee, 3);

    op.dest.u.gmfn = op.source.u.gmfn;
    for (unsigned i = 0; i < PAGE_SIZE; i++)
        page[i] = (char)i;
    ck_assert_int_eq(copy(&op), GNTST_okay);
    for (unsigned i = 0; i < 300; i++)
        ck_assert_int_eq(page[200 + i], (char)(100 + i));
}
END_TEST

START_TEST(test_grant_copy_from_bad_sides_is_refused)
{
    struct gnttab_copy_args op = copy_args(0);

    op.source.domid = GRANTER_ID;
    op.source.u.gmfn = data_frame(granter, 0).n;
    ck_assert_int_eq(copy(&op), GNTST_permission_denied);
    op.source.domid = DOMID_SELF;
    ck_assert_int_eq(copy(&op), GNTST_bad_page);
    op.source.u.gmfn = ~0ull;
    ck_assert_int_eq(copy(&op), GNTST_bad_page);
    op = copy_args(GNTCOPY_source_gref);
    ck_assert_int_eq(copy(&op), GNTST_bad_gntref);
    op.source.domid = 1234;
    ck_assert_int_eq(copy(&op), GNTST_bad_domain);
    op = copy_args(GNTCOPY_source_gref);
    grant(REF, GTF_permit_access, data_frame(grantee, 3));
    ck_assert_int_eq(copy(&op), GNTST_bad_page);
    ck_assert_uint_eq(flags_of(REF), GTF_permit_access);
}
END_TEST

START_TEST(test_grant_copy_to_bad_sides_is_refused)
{
    struct gnttab_copy_args op = copy_args(GNTCOPY_dest_gref);
    uint64_t l1 = pte_address(MAP_VA) >> PAGE_SHIFT;

    grant(REF + 1, GTF_permit_access | GTF_readonly, data_frame(granter, 1));
    ck_assert_int_eq(copy(&op), GNTST_permission_denied);
    op = copy_args(0);
    op.dest.u.gmfn = l1;
    ck_assert_int_eq(copy(&op), GNTST_bad_page);
    op.source.u.gmfn = l1;
    op.dest.u.gmfn = data_frame(grantee, 4).n;
    ck_assert_int_eq(copy(&op), GNTST_okay);
    ck_assert_uint_eq(flags_of(REF + 1), GTF_permit_access | GTF_readonly);
}
END_TEST

START_TEST(test_grant_copy_from_own_grant_to_self)
{
    struct gnttab_copy_args op = copy_args(GNTCOPY_source_gref);

    op.source.domid = DOMID_SELF;
    set_entry(grantee, REF, GRANTEE_ID, data_frame(grantee, 5));
    memset(data_page(grantee, 5), 'x', PAGE_SIZE);
    ck_assert_int_eq(copy(&op), GNTST_okay);
    ck_assert_int_eq(data_page(grantee, 4)[200], 'x');
}
END_TEST

START_TEST(test_grant_copy_of_mapped_page_leaves_it_in_use)
{
    grant_page(GTF_permit_access);
    ck_assert_int_eq(map_at(MAP_VA, REF, MAP_RW), GNTST_okay);
    ck_assert_int_eq(copy_grant_to_own(REF, 3), GNTST_okay);
    ck_assert_uint_eq(flags_of(REF), GTF_permit_access | IN_USE);
    ck_assert_int_eq(unmap_at(MAP_VA, mapped.handle), GNTST_okay);
}
END_TEST

/* Adds the tests of this file. */
void add_copy_tests(TCase *tc)
{
    tcase_add_test(tc, test_grant_copy_between_all_kinds_of_sides);
    tcase_add_test(tc, test_grant_copy_stays_within_pages);
    tcase_add_test(tc, test_grant_copy_within_one_page_may_overlap);
    tcase_add_test(tc, test_grant_copy_from_bad_sides_is_refused);
    tcase_add_test(tc, test_grant_copy_to_bad_sides_is_refused);
    tcase_add_test(tc, test_grant_copy_from_own_grant_to_self);
    tcase_add_test(tc, test_grant_copy_of_mapped_page_leaves_it_in_use);
}
