/* SPDX-License-Identifier: MIT */
/*
 * grant_table_op. Most commands work through an array; each argument gets a
 * status of its own. Unmapping goes in two steps: entries leave the page
 * tables one by one, and the frames behind them are given up a batch at a
 * time, after one flush for all.
 */
#include "hypercall_abi/grant_table.h"
#include "hypercall_abi/hypercall.h"

#include "core/arch.h"
#include "core/domain.h"
#include "core/frame.h"
#include "core/grant.h"
#include "core/guest_copy.h"
#include "core/hypercall.h"
#include "core/log.h"
#include "core/pt_validate.h"
#include "core/vcpu.h"

#define BATCH_ENDINGS 32u /* mappings that end with one flush */
#define PARTS (GNTMAP_host_map | GNTMAP_device_map)
#define PTE_SOFTWARE_SHIFT 9 /* three bits for the guest */

/* An array of arguments that is worked off, perhaps in several calls. */
struct batch {
    struct vcpu *v;
    guest_va at;   /* the next argument */
    uint64_t left; /* arguments */
    bool must_flush;
    unsigned ended; /* mappings out of the page tables, still busy */
    struct grant_mapping *mappings[BATCH_ENDINGS];
    grant_handle_t handles[BATCH_ENDINGS];
};

/* Does one argument: 0 whatever its status, or -EFAULT. */
typedef int batch_step(struct batch *b);

/* Writes the status of the argument at `at`, whose structure is `type`. */
#define put_status(at, type, value)                                            \
    put_status_at(guest_va_add(at, offsetof(type, status)), value)

static int put_status_at(guest_va at, int value)
{
    int16_t status = (int16_t)value;

    return copy_out(at, &status, sizeof(status)) ? -EFAULT : 0;
}

/* --- the caller's page tables -------------------------------------------- */

/* An entry of an L1 table, with a reference to the table. */
struct slot {
    struct frame *table;
    unsigned index;
};

static int find_table(const struct vcpu *v, uint64_t address, uint32_t flags,
                      mfn_t *table, unsigned *index)
{
    struct walk w;

    if (flags & GNTMAP_contains_pte) {
        *table = MFN(address >> PAGE_SHIFT);
        *index = (address & (PAGE_SIZE - 1)) / sizeof(uint64_t);
        return address % sizeof(uint64_t) ? -EINVAL : 0;
    }
    if (!guest_va_is_usable(address))
        return -EINVAL;
    guest_walk(v->kernel_root, address, &w);
    if (w.level != 1)
        return -EINVAL;
    *table = w.table[1];
    *index = pt_index(address, 1);
    return 0;
}

/*
 * The entry that the guest means by `address`: a virtual one, or with
 * GNTMAP_contains_pte the machine address of the entry. Under the page-table
 * lock.
 */
static int find_slot(const struct vcpu *v, uint64_t address, uint32_t flags,
                     struct slot *s)
{
    mfn_t table;

    if (find_table(v, address, flags, &table, &s->index))
        return refuse(GNTST_bad_virt_addr, "no L1 entry at %#lx", address);
    s->table = frame_get(table, v->domain);
    if (!s->table)
        return refuse(GNTST_bad_virt_addr, "frame %#lx is not d%u's", table.n,
                      v->domain->id);
    if (frame_used_type(s->table) == FRAME_L1)
        return GNTST_okay;
    frame_put(s->table);
    return refuse(GNTST_bad_virt_addr, "frame %#lx is no L1 table", table.n);
}

static uint64_t slot_read(const struct slot *s)
{
    const uint64_t *entries = arch_frame_ptr(frame_mfn(s->table));

    return pte_read(&entries[s->index]);
}

/*
 * Stores `entry`, which takes references of its own to the frame, one of
 * `owner`. With the lock nothing but Accessed and Dirty can have changed since
 * slot_read.
 */
static int slot_write(const struct vcpu *v, const struct slot *s,
                      struct domain *owner, uint64_t entry)
{
    struct pt_context c = {.tables = v->domain, .frames = owner};

    return pt_write_entry(&c, s->table, s->index, PT_STORE, 0, entry, NULL)
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

static bool entry_is_for(uint64_t entry, const struct grant_hold *h)
{
    uint64_t same = PTE_FRAME_MASK | PTE_PRESENT | PTE_WRITE;

    return !((entry ^ entry_for(h, 0)) & same);
}

static int map_host(const struct vcpu *v, const struct grant_hold *h,
                    uint64_t address, uint32_t flags)
{
    struct slot s;
    int status;

    spin_lock(&v->domain->pt_lock);
    status = find_slot(v, address, flags, &s);
    if (!status) {
        status = slot_write(v, &s, h->granter, entry_for(h, flags));
        frame_put(s.table);
    }
    spin_unlock(&v->domain->pt_lock);
    return status;
}

/* Moves the entry for `new_address` to slot `s`, or clears `s` if that is 0. */
static int replace_entry(const struct vcpu *v, const struct slot *s,
                         uint64_t new_address)
{
    struct slot from;
    int status;

    if (!new_address)
        return slot_write(v, s, v->domain, 0);
    status = find_slot(v, new_address, 0, &from);
    if (status)
        return status;
    status = slot_write(v, s, v->domain, slot_read(&from));
    if (!status)
        status = slot_write(v, &from, v->domain, 0);
    frame_put(from.table);
    return status;
}

static int unmap_host(const struct vcpu *v, const struct grant_mapping *m,
                      uint64_t address, uint64_t new_address)
{
    struct slot s;
    int status;

    if (new_address && m->flags & GNTMAP_contains_pte)
        return GNTST_general_error;
    spin_lock(&v->domain->pt_lock);
    status = find_slot(v, address, m->flags, &s);
    if (!status) {
        if (entry_is_for(slot_read(&s), &m->hold))
            status = replace_entry(v, &s, new_address);
        else
            status = refuse(GNTST_general_error, "%#lx does not map frame %#lx",
                            address, frame_mfn(m->hold.frame).n);
        frame_put(s.table);
    }
    spin_unlock(&v->domain->pt_lock);
    return status;
}

/* --- unmap --------------------------------------------------------------- */

struct unmap_request {
    uint64_t host_addr;
    uint64_t dev_bus_addr;
    uint64_t new_addr;
    grant_handle_t handle;
};

/* Gives up what the batch has unmapped, now that nobody can reach it. */
static void finish_endings(struct batch *b)
{
    struct domain *d = b->v->domain;

    if (b->must_flush)
        grant_flush(d);
    for (unsigned i = 0; i < b->ended; i++) {
        grant_drop(&b->mappings[i]->hold);
        grant_mapping_free(d, b->handles[i]);
    }
    b->must_flush = false;
    b->ended = 0;
}

/* Takes the parts that a request names away from busy mapping `m`. */
static int unmap_parts(struct batch *b, struct grant_mapping *m,
                       const struct unmap_request *r)
{
    uint64_t bus_address = frame_mfn(m->hold.frame).n << PAGE_SHIFT;

    if (r->dev_bus_addr && r->dev_bus_addr != bus_address)
        return GNTST_bad_dev_addr;
    if (r->host_addr && m->flags & GNTMAP_host_map) {
        int status = unmap_host(b->v, m, r->host_addr, r->new_addr);

        if (status)
            return status;
        m->flags &= (uint16_t)~GNTMAP_host_map;
        b->must_flush = true;
    }
    if (r->dev_bus_addr)
        m->flags &= (uint16_t)~GNTMAP_device_map;
    return GNTST_okay;
}

static int unmap(struct batch *b, const struct unmap_request *r)
{
    struct domain *d = b->v->domain;
    struct grant_mapping *m = grant_mapping_claim(d, r->handle);
    int status;

    if (!m)
        return refuse(GNTST_bad_handle, "grant handle %u", r->handle);
    status = unmap_parts(b, m, r);
    if (m->flags & PARTS) {
        grant_mapping_publish(d, m);
        return status;
    }
    b->mappings[b->ended] = m;
    b->handles[b->ended++] = r->handle;
    if (b->ended == BATCH_ENDINGS)
        finish_endings(b);
    return status;
}

static int unmap_grant_ref(struct batch *b)
{
    struct gnttab_unmap_grant_ref_args op;
    struct unmap_request r;

    if (copy_in(&op, b->at, sizeof(op)))
        return -EFAULT;
    r = (struct unmap_request){
        .host_addr = op.host_addr,
        .dev_bus_addr = op.dev_bus_addr,
        .handle = op.handle,
    };
    return put_status(b->at, struct gnttab_unmap_grant_ref_args, unmap(b, &r));
}

static int unmap_and_replace(struct batch *b)
{
    struct gnttab_unmap_and_replace_args op;
    struct unmap_request r;

    if (copy_in(&op, b->at, sizeof(op)))
        return -EFAULT;
    r = (struct unmap_request){
        .host_addr = op.host_addr,
        .new_addr = op.new_addr,
        .handle = op.handle,
    };
    return put_status(b->at, struct gnttab_unmap_and_replace_args,
                      unmap(b, &r));
}

/* --- map ----------------------------------------------------------------- */

/* Fills in reserved mapping `m`; GNTST_okay, or nothing is held. */
static int make_mapping(const struct vcpu *v, struct grant_mapping *m,
                        struct domain *granter,
                        const struct gnttab_map_grant_ref_args *op)
{
    enum grant_access access =
        op->flags & GNTMAP_readonly ? GRANT_READ : GRANT_WRITE;
    int status = grant_hold(&m->hold, granter, op->ref, v->domain->id, access);

    if (status)
        return status;
    m->flags = op->flags & (PARTS | GNTMAP_contains_pte);
    if (op->flags & GNTMAP_host_map)
        status = map_host(v, &m->hold, op->host_addr, op->flags);
    if (status)
        grant_drop(&m->hold);
    return status;
}

static int map_from(const struct vcpu *v, struct domain *granter,
                    struct gnttab_map_grant_ref_args *op)
{
    grant_handle_t handle;
    struct grant_mapping *m = grant_mapping_reserve(v->domain, &handle);
    int status;

    if (!m)
        return GNTST_no_device_space;
    status = make_mapping(v, m, granter, op);
    if (status) {
        grant_mapping_free(v->domain, handle);
        return status;
    }
    op->handle = handle;
    op->dev_bus_addr = frame_mfn(m->hold.frame).n << PAGE_SHIFT;
    grant_mapping_publish(v->domain, m);
    return GNTST_okay;
}

static int map(const struct vcpu *v, struct gnttab_map_grant_ref_args *op)
{
    struct domain *granter;
    int status;

    if (!(op->flags & PARTS))
        return refuse(GNTST_bad_gntref, "map flags %#x", op->flags);
    granter = domain_find_get(op->dom);
    if (!granter)
        return refuse(GNTST_bad_domain, "no domain %u", op->dom);
    status = map_from(v, granter, op);
    domain_put(granter);
    return status;
}

/* A caller that can't hear of its mapping does not get it. */
static void unmap_unheard(struct batch *b,
                          const struct gnttab_map_grant_ref_args *op)
{
    struct unmap_request r = {
        .host_addr = op->host_addr,
        .dev_bus_addr = op->dev_bus_addr,
        .handle = op->handle,
    };
    int status = unmap(b, &r);

    if (status)
        log_debug("d%u: lost grant handle %u: status %d", b->v->domain->id,
                  op->handle, status);
}

static int map_grant_ref(struct batch *b)
{
    struct gnttab_map_grant_ref_args op;

    if (copy_in(&op, b->at, sizeof(op)))
        return -EFAULT;
    op.status = (int16_t)map(b->v, &op);
    if (!copy_out(b->at, &op, sizeof(op)))
        return 0;
    if (op.status == GNTST_okay)
        unmap_unheard(b, &op);
    return -EFAULT;
}

/* --- copy ---------------------------------------------------------------- */

/* One side of a copy: granted or the caller's own. */
struct copy_side {
    bool is_granted;
    struct grant_hold hold; /* of an own frame: only frame and access */
};

static int open_side(struct domain *caller, const struct gnttab_copy_ptr *p,
                     enum grant_access access, struct copy_side *side)
{
    struct domain *granter;
    int status;

    side->hold.access = access;
    if (!side->is_granted) {
        if (p->domid != DOMID_SELF && p->domid != caller->id)
            return refuse(GNTST_permission_denied, "copy: a frame of d%u",
                          p->domid);
        return grant_hold_frame(caller, MFN(p->u.gmfn), access,
                                &side->hold.frame);
    }
    granter = domain_resolve_get(p->domid);
    if (!granter)
        return refuse(GNTST_bad_domain, "no domain %u", p->domid);
    status = grant_hold(&side->hold, granter, p->u.ref, caller->id, access);
    domain_put(granter);
    return status;
}

static void close_side(const struct copy_side *side)
{
    if (side->is_granted)
        grant_drop(&side->hold);
    else
        grant_drop_frame(side->hold.frame, side->hold.access);
}

static char *byte_at(const struct copy_side *side, unsigned offset)
{
    return (char *)arch_frame_ptr(frame_mfn(side->hold.frame)) + offset;
}

static int copy(struct domain *caller, const struct gnttab_copy_args *op)
{
    struct copy_side source = {.is_granted = op->flags & GNTCOPY_source_gref};
    struct copy_side dest = {.is_granted = op->flags & GNTCOPY_dest_gref};
    int status;

    if ((unsigned)op->source.offset + op->len > PAGE_SIZE ||
        (unsigned)op->dest.offset + op->len > PAGE_SIZE)
        return refuse(GNTST_bad_copy_arg, "copy past the end of a page");
    status = open_side(caller, &op->source, GRANT_READ, &source);
    if (status)
        return status;
    status = open_side(caller, &op->dest, GRANT_WRITE, &dest);
    if (!status) {
        memmove(byte_at(&dest, op->dest.offset),
                byte_at(&source, op->source.offset), op->len);
        close_side(&dest);
    }
    close_side(&source);
    return status;
}

static int copy_grant(struct batch *b)
{
    struct gnttab_copy_args op;

    if (copy_in(&op, b->at, sizeof(op)))
        return -EFAULT;
    return put_status(b->at, struct gnttab_copy_args, copy(b->v->domain, &op));
}

/* Frames change their owner by grants no more: the caller keeps its own. */
static int refuse_transfer(struct batch *b)
{
    struct gnttab_transfer_args op;

    if (copy_in(&op, b->at, sizeof(op)))
        return -EFAULT;
    return put_status(b->at, struct gnttab_transfer_args, GNTST_general_error);
}

/* --- batches ------------------------------------------------------------- */

/* Works through the arguments, of `size` bytes each, while there is time. */
static long run_batch(struct vcpu *v, const struct hc_args *args,
                      batch_step *step, size_t size)
{
    struct batch b = {
        .v = v,
        .at = HC_ARG_VA(args, 1),
        .left = (uint32_t)args->a[2],
    };
    struct hc_args rest = {{args->a[0]}};
    int error = 0;

    while (b.left) {
        error = step(&b);
        if (error)
            break;
        b.at = guest_va_add(b.at, size);
        b.left--;
        if (b.left && hypercall_should_restart())
            break;
    }
    finish_endings(&b);
    if (error || !b.left)
        return error;
    rest.a[1] = b.at.va;
    rest.a[2] = b.left;
    return hypercall_restart(v, HC_grant_table_op, &rest);
}

/* --- the table itself ---------------------------------------------------- */

/* The domain whose table a call is about, with a reference. GNTST_*. */
static int find_subject(const struct domain *caller, domid_t id,
                        struct domain **out)
{
    *out = domain_resolve_get(id);
    if (!*out)
        return refuse(GNTST_bad_domain, "no domain %u", id);
    if (*out == caller || caller->is_privileged)
        return GNTST_okay;
    domain_put(*out);
    return refuse(GNTST_permission_denied, "domain %u is another", id);
}

static int list_frames(struct domain *d, guest_va list, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        uint64_t frame = grant_frame(d, i).n;

        if (copy_out(guest_va_add(list, i * sizeof(frame)), &frame,
                     sizeof(frame)))
            return GNTST_bad_virt_addr;
    }
    return GNTST_okay;
}

/* GNTTABOP_setup_table: bounded by the limit, so it needs no restart. */
static long setup_table(struct vcpu *v, guest_va arg)
{
    struct gnttab_setup_table_args op;
    struct domain *d;
    int status;

    if (copy_in(&op, arg, sizeof(op)))
        return -EFAULT;
    status = find_subject(v->domain, op.dom, &d);
    if (!status) {
        if (grant_grow(d, op.nr_frames))
            status = refuse(GNTST_general_error, "%u grant frames for d%u",
                            op.nr_frames, d->id);
        else
            status = list_frames(d, op.frame_list, op.nr_frames);
        domain_put(d);
    }
    return put_status(arg, struct gnttab_setup_table_args, status);
}

static long query_size(struct vcpu *v, guest_va arg)
{
    struct gnttab_query_size_args op;
    struct domain *d;

    if (copy_in(&op, arg, sizeof(op)))
        return -EFAULT;
    op.status = (int16_t)find_subject(v->domain, op.dom, &d);
    if (op.status == GNTST_okay) {
        grant_size(d, &op.nr_frames, &op.max_nr_frames);
        domain_put(d);
    }
    return copy_out(arg, &op, sizeof(op)) ? -EFAULT : 0;
}

static long set_version(guest_va arg)
{
    struct gnttab_set_version_args op;
    uint32_t asked;

    if (copy_in(&op, arg, sizeof(op)))
        return -EFAULT;
    asked = op.version;
    op.version = 1;
    if (copy_out(arg, &op, sizeof(op)))
        return -EFAULT;
    if (asked == 1)
        return 0;
    return refuse(asked == 2 ? -ENOSYS : -EINVAL, "grant table version %u",
                  asked);
}

static long get_version(struct vcpu *v, guest_va arg)
{
    struct gnttab_get_version_args op;
    struct domain *d;
    int status;

    if (copy_in(&op, arg, sizeof(op)))
        return -EFAULT;
    status = find_subject(v->domain, op.dom, &d);
    if (status)
        return status == GNTST_bad_domain ? -ESRCH : -EPERM;
    domain_put(d);
    op.version = 1;
    return copy_out(arg, &op, sizeof(op)) ? -EFAULT : 0;
}

/* grant_table_op(command, arguments, count) */
long hc_grant_table_op(struct vcpu *v, const struct hc_args *args)
{
    guest_va arg = HC_ARG_VA(args, 1);
    uint32_t count = (uint32_t)args->a[2];

    if (count > INT_MAX)
        return -EINVAL;
    switch ((uint32_t)args->a[0]) {
    case GNTTABOP_map_grant_ref:
        return run_batch(v, args, map_grant_ref,
                         sizeof(struct gnttab_map_grant_ref_args));
    case GNTTABOP_unmap_grant_ref:
        return run_batch(v, args, unmap_grant_ref,
                         sizeof(struct gnttab_unmap_grant_ref_args));
    case GNTTABOP_unmap_and_replace:
        return run_batch(v, args, unmap_and_replace,
                         sizeof(struct gnttab_unmap_and_replace_args));
    case GNTTABOP_copy:
        return run_batch(v, args, copy_grant, sizeof(struct gnttab_copy_args));
    case GNTTABOP_transfer:
        return run_batch(v, args, refuse_transfer,
                         sizeof(struct gnttab_transfer_args));
    case GNTTABOP_setup_table:
        return count == 1 ? setup_table(v, arg) : -EINVAL;
    case GNTTABOP_query_size:
        return count == 1 ? query_size(v, arg) : -EINVAL;
    case GNTTABOP_set_version:
        return set_version(arg);
    case GNTTABOP_get_version:
        return get_version(v, arg);
    case GNTTABOP_cache_flush:
        return -EOPNOTSUPP;
    default: /* dump_table, get_status_frames and swap_grant_ref as well */
        return -ENOSYS;
    }
}
