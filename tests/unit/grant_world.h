/* SPDX-License-Identifier: MIT */
/*
 * A granter and a grantee for test_grant.c: two domains with memory of their
 * own, and real, validated page tables for the grantee, who makes the calls.
 *
 *   world_setup();
 *   word = grant(9, GTF_permit_access, frame_of(granter, 0));
 *   ck_assert_int_eq(map_at(MAP_VA, 9, GNTMAP_host_map), GNTST_okay);
 */
#pragma once

#include "core/domain.h"
#include "core/frame.h"
#include "core/grant.h"
#include "core/hypercall.h"
#include "core/pte.h"
#include "core/vcpu.h"
#include "host/arch_fake.h"
#include "hypercall_abi/grant_table.h"

#define GRANTER_ID 7
#define GRANTEE_ID 3
#define STRANGER_ID 9
#define WORLD_PAGES 8u /* of data that each domain has */

#define ARG_VA 0xffff888000000000ull /* two pages of the grantee */
#define MAP_VA (ARG_VA + 0x10000)    /* 32 empty slots in the same L1 */
#define BAD_VA 0xffff888040000000ull /* no L1 table there */

#define REF 9u /* the entry most tests use */
#define MAP_RW GNTMAP_host_map
#define MAP_RO (GNTMAP_host_map | GNTMAP_readonly)
#define IN_USE (GTF_reading | GTF_writing)

extern struct domain *granter, *grantee, *stranger;
extern struct vcpu caller; /* of the grantee */

void world_setup(void);
mfn_t data_frame(const struct domain *d, unsigned index);
char *data_page(const struct domain *d, unsigned index);
mfn_t table_frame(struct domain *d, uint32_t index);
void set_entry(struct domain *d, grant_ref_t ref, domid_t to, mfn_t mfn);
uint64_t *grant(grant_ref_t ref, uint16_t flags, mfn_t mfn);
uint64_t *grant_page(uint16_t flags); /* the granter's first, as REF */
uint16_t flags_of(grant_ref_t ref);
uint64_t *pte_at(uint64_t va);
uint64_t pte_address(uint64_t va);

/* The calls. Arguments go to the page at ARG_VA and come back from it. */
long call(unsigned cmd, uint64_t arg, uint64_t count);
long call_bytes(unsigned cmd, void *args, size_t size, uint64_t count);
int map_with(struct gnttab_map_grant_ref_args *op);
int map_at(uint64_t address, grant_ref_t ref, uint32_t flags);
int unmap_at(uint64_t address, grant_handle_t handle);
int copy_grant_to_own(grant_ref_t ref, unsigned page);
extern struct gnttab_map_grant_ref_args mapped; /* by the last map_at */

#define call_with(cmd, op) call_bytes(cmd, op, sizeof(*(op)), 1)

/* What references there are to the frames of the three domains. */
void counts_note(void);
void counts_check(void);

/* The grantee clears an entry of its own, as if it knew of no grants. */
void overwrite(uint64_t va, uint64_t entry);

/* Empties and frees the grantee's page tables, as at the end of a domain. */
void drop_page_tables(void);

/* More tests of the suite. */
struct TCase;
void add_copy_tests(struct TCase *tc);
void add_race_tests(struct TCase *tc);
void add_random_tests(struct TCase *tc);
