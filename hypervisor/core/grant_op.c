/* SPDX-License-Identifier: MIT */
/*
 * grant_table_op, and what a domain has mapped by it. Most commands work
 * through an array; each argument gets a status of its own. Unmapping goes in
 * two steps: entries leave the page tables one by one, and the frames behind
 * them are given up a batch at a time, after one flush for all.
 */
#include "hypercall_abi/grant_table.h"
#include "hypercall_abi/hypercall.h"

#include "core/arch.h"
#include "core/domain.h"
#include "core/frame.h"
#include "core/grant.h"
#include "core/guest_copy.h"
#include "core/heap.h"
#include "core/hypercall.h"
#include "core/log.h"
#include "core/pt_validate.h"
#include "core/vcpu.h"

#define BATCH_ENDINGS 32u /* mappings that end with one flush */
#define ARGUMENT_ROOM 64u
#define PTE_SOFTWARE_SHIFT 9 /* three bits for the guest */

/* What a call has done so far and is not finished with. */
struct batch {
    struct vcpu *v;
    unsigned ended; /* uses whose entries are out of the page tables */
    struct grant_hold endings[BATCH_ENDINGS];
};

/* --- mappings; with the pt_lock of who has them -------------------------- */

#define CHUNK_SIZE (GRANT_MAPS_PER_CHUNK * sizeof(struct grant_mapping))
_Static_assert(CHUNK_SIZE % PAGE_SIZE == 0, "no memory wasted");

static struct grant_mapping *mapping_at(const struct grant_table *t,
                                        grant_handle_t handle)
{
    uint64_t n = index_clamp(handle, t->map_count);

    if (handle >= t->map_count)
        return NULL;
    return &t->chunks[n / GRANT_MAPS_PER_CHUNK][n % GRANT_MAPS_PER_CHUNK];
}

/* A mapping for the caller to fill in, or NULL when there are too many. */
static struct grant_mapping *mapping_new(struct grant_table *t,
                                         grant_handle_t *handle)
{
    struct grant_mapping *m;

    if (t->free_map == t->map_count && t->map_count < t->max_maps) {
        m = heap_zalloc(CHUNK_SIZE);
        t->chunks[t->map_count / GRANT_MAPS_PER_CHUNK] = m;
        t->map_count += m ? GRANT_MAPS_PER_CHUNK : 0;
    }
    *handle = t->free_map;
    m = mapping_at(t, *handle);
    if (m)
        t->free_map += 1 + m->skip;
    return m;
}

/* Frees a mapping, whose hold is no more, or is the caller's. */
static void mapping_free(struct grant_table *t, grant_handle_t handle)
{
    struct grant_mapping *m = mapping_at(t, handle);

    m->hold.frame = NULL;
    m->skip = t->free_map - handle - 1;
    t->free_map = handle;
}

/* For the auditor: the references that mappings of `d` hold themselves. */
void grant_frame_refs(struct domain *d, frame_ref_visitor *visit, void *context)
{
    const struct grant_table *t = d->grants;

    for (grant_handle_t handle = 0; handle < t->map_count; handle++) {
        const struct grant_hold *h = &mapping_at(t, handle)->hold;

        if (h->frame)
            visit(context, frame_mfn(h->frame),
                  h->access == GRANT_WRITE ? FRAME_WRITABLE : FRAME_NONE);
    }
}

/*
 * Drops the translations that processors hold of mappings which are no longer
 * in the page tables of `d`, before what they map is given up.
 */
static void flush(struct domain *d)
{
    uint64_t vcpus[BITMAP_WORDS(MAX_VCPUS)];

    memset(vcpus, 0xff, sizeof(vcpus));
    arch_flush_vcpus(d, vcpus);
}

/* Ends the mappings of a domain without vCPUs, from the last on. */
int grant_release_mappings(struct domain *d)
{
    struct grant_table *t = d->grants;

    if (t->map_count)
        flush(d);
    while (t->map_count) {
        struct grant_mapping *m = mapping_at(t, t->map_count - 1);

        if (m->hold.frame)
            grant_drop(&m->hold);
        if (--t->map_count % GRANT_MAPS_PER_CHUNK == 0)
            heap_zfree(m, CHUNK_SIZE);
        if (hypercall_should_restart())
            return -ERESTART;
    }
    return 0;
}

/* --- the caller's page tables; with its pt_lock -------------------------- */

/* An entry of an L1 table. */
struct slot {
    struct frame *table;
    unsigned index;
};

/*
 * The entry that the guest means by `address`: a virtual one, or with
 * GNTMAP_contains_pte the machine address of the entry.
 */
static int find_slot(const struct vcpu *v, uint64_t address, uint32_t flags,
                     struct slot *s)
{
    struct walk w = {.level = 0};

    if (flags & GNTMAP_contains_pte) {
        s->table = address % sizeof(uint64_t)
                       ? NULL
                       : frame_lookup(MFN(address >> PAGE_SHIFT));
        s->index = address % PAGE_SIZE / sizeof(uint64_t);
    } else {
        if (guest_va_is_usable(address))
            guest_walk(v->kernel_root, address, &w);
        s->table = w.level == 1 ? frame_lookup(w.table[1]) : NULL;
        s->index = pt_index(address, 1);
    }
    if (s->table && frame_owner(s->table) == v->domain->id &&
        frame_used_type(s->table) == FRAME_L1)
        return GNTST_okay;
    return refuse(GNTST_bad_virt_addr, "no L1 entry of d%u at %#lx",
                  v->domain->id, address);
}

/*
 * Stores `entry`, which takes references of its own to the frame, one of
 * `owner`.
 */
static int slot_write(const struct vcpu *v, const struct slot *s,
                      struct domain *owner, uint64_t entry)
{
    struct pt_context c = {.tables = v->domain, .frames = owner};

    return pt_write_entry(&c, s->table, s->index, PT_STORE, 0, entry)
               ? GNTST_general_error
               : GNTST_okay;
}

/* Instructions are not run from others' pages. */
static uint64_t entry_for(const struct grant_hold *h, uint32_t flags)
{
    uint64_t software = flags >> GNTMAP_guest_avail0 & 7;
    uint64_t bits = PTE_PRESENT | PTE_USER | PTE_ACCESSED | PTE_NX |
                    software << PTE_SOFTWARE_SHIFT;

    if (h->access == GRANT_WRITE)
        bits |= PTE_WRITE | PTE_DIRTY;
    return pte_make(frame_mfn(h->frame), bits);
}

/* Nothing but Accessed, Dirty and the guest's own bits may have changed. */
static int clear_slot(const struct vcpu *v, const struct grant_mapping *m,
                      uint64_t address)
{
    uint64_t same = PTE_FRAME_MASK | PTE_PRESENT | PTE_WRITE;
    const uint64_t *entries;
    struct slot s;
    int status = find_slot(v, address, m->flags, &s);

    if (status)
        return status;
    entries = arch_frame_ptr(frame_mfn(s.table));
    if ((pte_read(&entries[s.index]) ^ entry_for(&m->hold, 0)) & same)
        return refuse(GNTST_general_error, "%#lx does not map frame %#lx",
                      address, frame_mfn(m->hold.frame).n);
    return slot_write(v, &s, v->domain, 0);
}

/* --- map and unmap ------------------------------------------------------- */

static int map(const struct vcpu *v, struct domain *granter,
               struct gnttab_map_grant_ref_args *op)
{
    enum grant_access access =
        op->flags & GNTMAP_readonly ? GRANT_READ : GRANT_WRITE;
    struct grant_table *t = v->domain->grants;
    struct grant_mapping *m;
    struct slot s;
    int status = find_slot(v, op->host_addr, op->flags, &s);

    if (status)
        return status;
    m = mapping_new(t, &op->handle);
    if (!m)
        return GNTST_no_device_space;
    status = grant_hold(&m->hold, granter, op->ref, v->domain->id, access);
    if (!status) {
        status = slot_write(v, &s, granter, entry_for(&m->hold, op->flags));
        if (status)
            grant_drop(&m->hold);
    }
    if (status) {
        mapping_free(t, op->handle);
        return status;
    }
    m->flags = op->flags;
    op->dev_bus_addr = frame_mfn(m->hold.frame).n << PAGE_SHIFT;
    return GNTST_okay;
}

/* Devices need no mapping of their own: their addresses are the machine's. */
static int gnttabop_map_grant_ref(struct batch *b, void *arg)
{
    struct gnttab_map_grant_ref_args *op = arg;
    struct domain *d = b->v->domain, *granter;
    int status;

    if (!(op->flags & GNTMAP_host_map))
        return refuse(GNTST_bad_gntref, "map flags %#x", op->flags);
    granter = domain_find_get(op->dom);
    if (!granter)
        return refuse(GNTST_bad_domain, "no domain %u", op->dom);
    spin_lock(&d->pt_lock);
    status = map(b->v, granter, op);
    spin_unlock(&d->pt_lock);
    domain_put(granter);
    return status;
}

/* Gives up what the batch has unmapped, now that nobody can reach it. */
static void finish_endings(struct batch *b)
{
    if (b->ended)
        flush(b->v->domain);
    while (b->ended)
        grant_drop(&b->endings[--b->ended]);
}

static int gnttabop_unmap_grant_ref(struct batch *b, void *arg)
{
    const struct gnttab_unmap_grant_ref_args *op = arg;
    struct domain *d = b->v->domain;
    struct grant_mapping *m;
    int status = GNTST_bad_handle;

    spin_lock(&d->pt_lock);
    m = mapping_at(d->grants, op->handle);
    if (m && m->hold.frame)
        status = clear_slot(b->v, m, op->host_addr);
    if (!status) {
        b->endings[b->ended++] = m->hold;
        mapping_free(d->grants, op->handle);
    }
    spin_unlock(&d->pt_lock);
    if (b->ended == BATCH_ENDINGS)
        finish_endings(b);
    return status;
}

/* --- copy ---------------------------------------------------------------- */

/* Holds one side of a copy: granted, or the caller's own and of no granter. */
static int hold_side(struct domain *caller, const struct gnttab_copy_ptr *p,
                     bool is_granted, enum grant_access access,
                     struct grant_hold *h)
{
    struct domain *owner = domain_resolve_get(p->domid);
    int status = GNTST_permission_denied;

    *h = (struct grant_hold){.access = access};
    if (!owner)
        return refuse(GNTST_bad_domain, "no domain %u", p->domid);
    if (is_granted)
        status = grant_hold(h, owner, p->u.ref, caller->id, access);
    else if (owner == caller)
        status = grant_hold_frame(owner, MFN(p->u.gmfn), access, &h->frame);
    domain_put(owner);
    return status;
}

static char *byte_at(const struct grant_hold *h, unsigned offset)
{
    return (char *)arch_frame_ptr(frame_mfn(h->frame)) + offset;
}

static int gnttabop_copy(struct batch *b, void *arg)
{
    const struct gnttab_copy_args *op = arg;
    struct domain *caller = b->v->domain;
    struct grant_hold source, dest;
    int status;

    if ((unsigned)op->source.offset + op->len > PAGE_SIZE ||
        (unsigned)op->dest.offset + op->len > PAGE_SIZE)
        return refuse(GNTST_bad_copy_arg, "copy past the end of a page");
    status = hold_side(caller, &op->source, op->flags & GNTCOPY_source_gref,
                       GRANT_READ, &source);
    if (status)
        return status;
    status = hold_side(caller, &op->dest, op->flags & GNTCOPY_dest_gref,
                       GRANT_WRITE, &dest);
    if (!status) {
        memmove(byte_at(&dest, op->dest.offset),
                byte_at(&source, op->source.offset), op->len);
        grant_drop(&dest);
    }
    grant_drop(&source);
    return status;
}

/* --- the table itself ---------------------------------------------------- */

/* Finds the domain whose table is meant, with a reference. */
static int get_subject(const struct batch *b, domid_t id, struct domain **d)
{
    int error = domain_get_subject(b->v->domain, id, d);

    if (!error)
        return GNTST_okay;
    return error == -EPERM ? GNTST_permission_denied : GNTST_bad_domain;
}

/* Grows the table and lists it; the limit bounds that, it needs no restart. */
static int gnttabop_setup_table(struct batch *b, void *arg)
{
    const struct gnttab_setup_table_args *op = arg;
    struct domain *d;
    int status = get_subject(b, op->dom, &d);
    mfn_t frame;

    if (status)
        return status;
    for (uint32_t i = op->nr_frames; !status && i-- > 0;) {
        guest_va at = guest_va_add(op->frame_list, i * sizeof(frame.n));

        if (grant_frame_at(d, i, &frame))
            status =
                refuse(GNTST_general_error, "grant frame %u of d%u", i, d->id);
        else if (copy_out(at, &frame.n, sizeof(frame.n)))
            status = GNTST_bad_virt_addr;
    }
    domain_put(d);
    return status;
}

static int gnttabop_query_size(struct batch *b, void *arg)
{
    struct gnttab_query_size_args *op = arg;
    struct domain *d;
    int status = get_subject(b, op->dom, &d);

    if (status)
        return status;
    spin_lock(&d->grant_lock);
    op->nr_frames = d->grants->frame_count;
    op->max_nr_frames = d->grants->max_frames;
    spin_unlock(&d->grant_lock);
    domain_put(d);
    return GNTST_okay;
}

/* --- batches ------------------------------------------------------------- */

struct command {
    int (*step)(struct batch *b, void *arg); /* does one argument: its status */
    uint8_t size;                            /* of an argument */
    uint8_t status;                          /* where in the argument it is */
};

#define COMMAND(name)                                                          \
    [GNTTABOP_##name] = {gnttabop_##name, sizeof(struct gnttab_##name##_args), \
                         offsetof(struct gnttab_##name##_args, status)}

/* Without set_version guests use version 1. */
static const struct command commands[] = {
    COMMAND(map_grant_ref), COMMAND(unmap_grant_ref), COMMAND(copy),
    COMMAND(setup_table),   COMMAND(query_size),
};

/* Nothing is done for who can't hear of it. */
static int do_argument(struct batch *b, const struct command *c, guest_va at)
{
    uint64_t arg[ARGUMENT_ROOM / 8];
    int16_t status;

    ASSERT(c->size <= sizeof(arg));
    if (copy_in(arg, at, c->size) || copy_out(at, arg, c->size))
        return -EFAULT;
    status = (int16_t)c->step(b, arg);
    memcpy((char *)arg + c->status, &status, sizeof(status));
    return copy_out(at, arg, c->size) ? -EFAULT : 0;
}

/*
 * grant_table_op(command, arguments, count): works through the arguments while
 * there is time.
 */
long hc_grant_table_op(struct vcpu *v, const struct hc_args *args)
{
    uint32_t cmd = (uint32_t)args->a[0];
    const struct command *c = &commands[index_clamp(cmd, ARRAY_LEN(commands))];
    struct batch b = {.v = v};
    struct hc_args rest = *args;
    int error = 0;

    rest.a[2] = (uint32_t)args->a[2];
    if (rest.a[2] > INT_MAX)
        return -EINVAL;
    if (cmd >= ARRAY_LEN(commands) || !c->step)
        return -ENOSYS;
    while (rest.a[2] && !error) {
        error = do_argument(&b, c, HC_ARG_VA(&rest, 1));
        rest.a[1] += c->size;
        if (--rest.a[2] && !error && hypercall_should_restart())
            error = -ERESTART;
    }
    finish_endings(&b);
    return error == -ERESTART ? hypercall_restart(v, HC_grant_table_op, &rest)
                              : error;
}
