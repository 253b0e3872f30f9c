/* SPDX-License-Identifier: MIT */
/* The domains of test_grant.c (grant_world.h). */
#include "grant_world.h"

#include <check.h>

#include "core/frame_audit.h"
#include "core/heap.h"
#include "core/pt_validate.h"

#define LEAF (PTE_PRESENT | PTE_WRITE | PTE_USER)

struct domain *granter, *grantee, *stranger;
struct vcpu caller;
struct gnttab_map_grant_ref_args mapped;

static struct {
    domid_t id;
    mfn_t frames[WORLD_PAGES];
} memories[3];

static char *arg_page;
static mfn_t tables[5]; /* of the grantee, by level */
static uint64_t noted[FAKE_FRAMES];

static mfn_t give_frame(struct domain *d)
{
    mfn_t mfn = arch_frame_of(frames_alloc(0));

    ck_assert_int_eq(frame_assign(mfn, 0, d), 0);
    return mfn;
}

static struct domain *make_domain(domid_t id, unsigned slot)
{
    struct domain *d = domain_create(id, 2);

    ck_assert_ptr_nonnull(d);
    d->max_pages = 64;
    memories[slot].id = id;
    for (unsigned i = 0; i < WORLD_PAGES; i++)
        memories[slot].frames[i] = give_frame(d);
    return d;
}

mfn_t data_frame(const struct domain *d, unsigned index)
{
    for (unsigned i = 0; i < ARRAY_LEN(memories); i++)
        if (memories[i].id == d->id)
            return memories[i].frames[index];
    ck_abort_msg("no such domain");
}

char *data_page(const struct domain *d, unsigned index)
{
    return arch_frame_ptr(data_frame(d, index));
}

static uint64_t *table(unsigned level)
{
    return arch_frame_ptr(tables[level]);
}

static void make_tables(void)
{
    for (unsigned level = 1; level <= 4; level++)
        tables[level] = give_frame(grantee);
    for (unsigned level = 2; level <= 4; level++)
        table(level)[pt_index(ARG_VA, level)] =
            pte_make(tables[level - 1], LEAF);
    for (unsigned i = 0; i < 2; i++)
        table(1)[i] = pte_make(data_frame(grantee, i), LEAF);
    arg_page = data_page(grantee, 0);
    spin_lock(&grantee->pt_lock);
    ck_assert_int_eq(pt_get_table(grantee, tables[4], 4), 0);
    frame_lookup(tables[4])->state |= FRAME_PINNED;
    spin_unlock(&grantee->pt_lock);
}

void world_setup(void)
{
    fake_boot(1);
    pcpus[0].need_resched = false;
    granter = make_domain(GRANTER_ID, 0);
    grantee = make_domain(GRANTEE_ID, 1);
    stranger = make_domain(STRANGER_ID, 2);
    make_tables();
    caller = (struct vcpu){.domain = grantee, .kernel_root = tables[4]};
    pcpus[0].current = &caller;
    counts_note();
}

mfn_t table_frame(struct domain *d, uint32_t index)
{
    mfn_t frame = MFN_INVALID;

    return grant_frame_at(d, index, &frame) ? MFN_INVALID : frame;
}

static uint64_t *entry_of(struct domain *d, grant_ref_t ref)
{
    return (uint64_t *)arch_frame_ptr(table_frame(d, ref / 512)) + ref % 512;
}

static uint64_t entry(uint16_t flags, domid_t to, mfn_t mfn)
{
    return mfn.n << 32 | (uint64_t)to << 16 | flags;
}

void set_entry(struct domain *d, grant_ref_t ref, domid_t to, mfn_t mfn)
{
    *entry_of(d, ref) = entry(GTF_permit_access, to, mfn);
}

uint64_t *grant(grant_ref_t ref, uint16_t flags, mfn_t mfn)
{
    uint64_t *word = entry_of(granter, ref);

    *word = entry(flags, GRANTEE_ID, mfn);
    return word;
}

uint64_t *grant_page(uint16_t flags)
{
    return grant(REF, flags, data_frame(granter, 0));
}

uint16_t flags_of(grant_ref_t ref)
{
    struct grant_entry_v1 *entries =
        arch_frame_ptr(table_frame(granter, ref / 512));

    return entries[ref % 512].flags;
}

uint64_t *pte_at(uint64_t va)
{
    return &table(1)[pt_index(va, 1)];
}

uint64_t pte_address(uint64_t va)
{
    return (tables[1].n << PAGE_SHIFT) + pt_index(va, 1) * sizeof(uint64_t);
}

long call(unsigned cmd, uint64_t arg, uint64_t count)
{
    struct hc_args args = {{cmd, arg, count}};

    pcpus[0].entered_at = fake.now;
    return hc_grant_table_op(&caller, &args);
}

long call_bytes(unsigned cmd, void *args, size_t size, uint64_t count)
{
    long result;

    ck_assert_uint_le(size, PAGE_SIZE);
    memcpy(arg_page, args, size);
    result = call(cmd, ARG_VA, count);
    memcpy(args, arg_page, size);
    return result;
}

int map_with(struct gnttab_map_grant_ref_args *op)
{
    op->status = 99;
    ck_assert_int_eq(call_with(GNTTABOP_map_grant_ref, op), 0);
    mapped = *op;
    return op->status;
}

int map_at(uint64_t address, grant_ref_t ref, uint32_t flags)
{
    struct gnttab_map_grant_ref_args op = {
        .host_addr = address,
        .flags = flags,
        .ref = ref,
        .dom = GRANTER_ID,
    };

    return map_with(&op);
}

int unmap_at(uint64_t address, grant_handle_t handle)
{
    struct gnttab_unmap_grant_ref_args op = {
        .host_addr = address,
        .handle = handle,
        .status = 99,
    };

    ck_assert_int_eq(call_with(GNTTABOP_unmap_grant_ref, &op), 0);
    return op.status;
}

int copy_grant_to_own(grant_ref_t ref, unsigned page)
{
    struct gnttab_copy_args op = {
        .source = {.u.ref = ref, .domid = GRANTER_ID},
        .dest = {.u.gmfn = data_frame(grantee, page).n, .domid = DOMID_SELF},
        .len = 1,
        .flags = GNTCOPY_source_gref,
        .status = 99,
    };

    ck_assert_int_eq(call_with(GNTTABOP_copy, &op), 0);
    return op.status;
}

void overwrite(uint64_t va, uint64_t entry)
{
    struct pt_context c = {grantee, granter};
    struct frame *l1 = frame_lookup(MFN(pte_address(va) >> PAGE_SHIFT));

    spin_lock(&grantee->pt_lock);
    ck_assert_int_eq(
        pt_write_entry(&c, l1, pt_index(va, 1), PT_STORE, 0, entry), 0);
    spin_unlock(&grantee->pt_lock);
}

static uint64_t counts_of(const struct frame *f)
{
    return f->state & (FRAME_COUNT_MASK | FRAME_TYPE_COUNT_MASK);
}

static bool is_domains(const struct frame *f)
{
    domid_t id = frame_owner(f);

    return id == GRANTER_ID || id == GRANTEE_ID || id == STRANGER_ID;
}

void counts_note(void)
{
    for (unsigned i = 0; i < FAKE_FRAMES; i++) {
        const struct frame *f = &frame_table[FAKE_FIRST_FRAME + i];

        noted[i] = is_domains(f) ? counts_of(f) : 0;
    }
    ck_assert_uint_lt(granter->refs, 4);
}

void counts_check(void)
{
    for (unsigned i = 0; i < FAKE_FRAMES; i++) {
        const struct frame *f = &frame_table[FAKE_FIRST_FRAME + i];

        if (noted[i])
            ck_assert_msg(counts_of(f) == noted[i],
                          "frame %#x: %#lx references, were %#lx",
                          FAKE_FIRST_FRAME + i, counts_of(f), noted[i]);
    }
    ck_assert_uint_eq(frame_audit(), 0);
    ck_assert_uint_eq(granter->refs, 1);
    ck_assert_uint_eq(granter->grant_lock.next, granter->grant_lock.serving);
    ck_assert_uint_eq(grantee->grant_lock.next, grantee->grant_lock.serving);
    ck_assert_uint_eq(grantee->pt_lock.next, grantee->pt_lock.serving);
}

void drop_page_tables(void)
{
    spin_lock(&grantee->pt_lock);
    frame_lookup(tables[4])->state &= ~FRAME_PINNED;
    pt_put_table(grantee, frame_lookup(tables[4]));
    ck_assert_int_eq(pt_drain(grantee), 0);
    spin_unlock(&grantee->pt_lock);
    caller.kernel_root = MFN_INVALID;
}
