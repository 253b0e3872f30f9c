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
#include "core/sub_op.h"
#include "core/vcpu.h"

#define BATCH_ENDINGS 32u /* mappings that end with one flush */
#define ARGUMENT_ROOM 64u
#define PARTS (GNTMAP_host_map | GNTMAP_device_map)
#define PTE_SOFTWARE_SHIFT 9 /* three bits for the guest */

/* What a call has done so far and is not finished with. */
struct batch {
    struct vcpu *v;
    bool must_flush;
    unsigned ended; /* mappings out of the page tables, still busy */
    struct grant_mapping *mappings[BATCH_ENDINGS];
    grant_handle_t handles[BATCH_ENDINGS];
};

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
                       const struct gnttab_unmap_grant_ref_args *op,
                       uint64_t new_addr)
{
    uint64_t bus_address = frame_mfn(m->hold.frame).n << PAGE_SHIFT;

    if (op->dev_bus_addr && op->dev_bus_addr != bus_address)
        return GNTST_bad_dev_addr;
    if (op->host_addr && m->flags & GNTMAP_host_map) {
        int status = unmap_host(b->v, m, op->host_addr, new_addr);

        if (status)
            return status;
        m->flags &= (uint16_t)~GNTMAP_host_map;
        b->must_flush = true;
    }
    if (op->dev_bus_addr)
        m->flags &= (uint16_t)~GNTMAP_device_map;
    return GNTST_okay;
}

/* With `new_addr` that one's entry takes the place. */
static int unmap(struct batch *b, const struct gnttab_unmap_grant_ref_args *op,
                 uint64_t new_addr)
{
    struct domain *d = b->v->domain;
    struct grant_mapping *m = grant_mapping_claim(d, op->handle);
    int status;

    if (!m)
        return refuse(GNTST_bad_handle, "grant handle %u", op->handle);
    status = unmap_parts(b, m, op, new_addr);
    if (m->flags & PARTS) {
        grant_mapping_publish(d, m);
        return status;
    }
    b->mappings[b->ended] = m;
    b->handles[b->ended++] = op->handle;
    if (b->ended == BATCH_ENDINGS)
        finish_endings(b);
    return status;
}

static int gnttabop_unmap_grant_ref(struct batch *b, void *arg)
{
    return unmap(b, arg, 0);
}

static int gnttabop_unmap_and_replace(struct batch *b, void *arg)
{
    const struct gnttab_unmap_and_replace_args *op = arg;
    struct gnttab_unmap_grant_ref_args plain = {
        .host_addr = op->host_addr,
        .handle = op->handle,
    };

    return unmap(b, &plain, op->new_addr);
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

static int gnttabop_map_grant_ref(struct batch *b, void *arg)
{
    struct gnttab_map_grant_ref_args *op = arg;
    struct domain *granter;
    int status;

    if (!(op->flags & PARTS))
        return refuse(GNTST_bad_gntref, "map flags %#x", op->flags);
    granter = domain_find_get(op->dom);
    if (!granter)
        return refuse(GNTST_bad_domain, "no domain %u", op->dom);
    status = map_from(b->v, granter, op);
    domain_put(granter);
    return status;
}

/* A caller that can't hear of its mapping does not get it. */
static void unmap_unheard(struct batch *b, const void *arg)
{
    const struct gnttab_map_grant_ref_args *op = arg;
    struct gnttab_unmap_grant_ref_args undo = {
        .host_addr = op->host_addr,
        .dev_bus_addr = op->dev_bus_addr,
        .handle = op->handle,
    };
    int status = unmap(b, &undo, 0);

    if (status)
        log_debug("d%u: lost grant handle %u: status %d", b->v->domain->id,
                  op->handle, status);
}

/* --- copy ---------------------------------------------------------------- */

/* Holds one side of a copy: granted, or the caller's own and of no granter. */
static int hold_side(struct domain *caller, const struct gnttab_copy_ptr *p,
                     bool is_granted, enum grant_access access,
                     struct grant_hold *h)
{
    struct domain *granter;
    int status;

    if (!is_granted) {
        *h = (struct grant_hold){.access = access};
        if (p->domid != DOMID_SELF && p->domid != caller->id)
            return refuse(GNTST_permission_denied, "copy: a frame of d%u",
                          p->domid);
        return grant_hold_frame(caller, MFN(p->u.gmfn), access, &h->frame);
    }
    granter = domain_resolve_get(p->domid);
    if (!granter)
        return refuse(GNTST_bad_domain, "no domain %u", p->domid);
    status = grant_hold(h, granter, p->u.ref, caller->id, access);
    domain_put(granter);
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

/* Frames change their owner by grants no more: the caller keeps its own. */
static int gnttabop_transfer(struct batch *b, void *arg)
{
    (void)b;
    (void)arg;
    return GNTST_general_error;
}

/* --- the table itself ---------------------------------------------------- */

/* The domain whose table a call is about, with a reference. GNTST_*. */
static int find_subject(const struct batch *b, domid_t id, struct domain **out)
{
    int error = domain_get_subject(b->v->domain, id, out);

    if (error == -EPERM)
        return GNTST_permission_denied;
    return error ? GNTST_bad_domain : GNTST_okay;
}

/* Grows the table to `count` frames and lists them. */
static int list_frames(struct domain *d, guest_va list, uint32_t count)
{
    mfn_t frame;

    if (count && grant_frame_at(d, count - 1, &frame))
        return refuse(GNTST_general_error, "%u grant frames for d%u", count,
                      d->id);
    for (uint32_t i = 0; i < count; i++) {
        if (grant_frame_at(d, i, &frame))
            return GNTST_general_error;
        if (copy_out(guest_va_add(list, i * sizeof(frame.n)), &frame.n,
                     sizeof(frame.n)))
            return GNTST_bad_virt_addr;
    }
    return GNTST_okay;
}

/* Bounded by the limit, so it needs no restart. */
static int gnttabop_setup_table(struct batch *b, void *arg)
{
    const struct gnttab_setup_table_args *op = arg;
    struct domain *d;
    int status = find_subject(b, op->dom, &d);

    if (status)
        return status;
    status = list_frames(d, op->frame_list, op->nr_frames);
    domain_put(d);
    return status;
}

static int gnttabop_query_size(struct batch *b, void *arg)
{
    struct gnttab_query_size_args *op = arg;
    struct domain *d;
    int status = find_subject(b, op->dom, &d);

    if (status)
        return status;
    grant_size(d, &op->nr_frames, &op->max_nr_frames);
    domain_put(d);
    return GNTST_okay;
}

/* --- batches ------------------------------------------------------------- */

/* Does one argument, which is copied out afterwards: its status. */
typedef int batch_step(struct batch *b, void *arg);

struct command {
    batch_step *step; /* NULL: no such command on an array */
    void (*undo)(struct batch *b, const void *arg); /* of step, or NULL */
    uint8_t size;                                   /* of an argument */
    uint8_t status; /* where in the argument it is */
    bool is_single; /* takes one argument */
};

#define COMMAND(name, undo, is_single)                                         \
    [GNTTABOP_##                                                               \
        name] = {gnttabop_##name, undo, sizeof(struct gnttab_##name##_args),   \
                 offsetof(struct gnttab_##name##_args, status), is_single}

static const struct command commands[] = {
    COMMAND(map_grant_ref, unmap_unheard, false),
    COMMAND(unmap_grant_ref, NULL, false),
    COMMAND(unmap_and_replace, NULL, false),
    COMMAND(copy, NULL, false),
    COMMAND(transfer, NULL, false),
    COMMAND(setup_table, NULL, true),
    COMMAND(query_size, NULL, true),
};

static int do_argument(struct batch *b, const struct command *c, guest_va at)
{
    uint64_t arg[ARGUMENT_ROOM / 8];
    int16_t status;

    ASSERT(c->size <= sizeof(arg));
    if (copy_in(arg, at, c->size))
        return -EFAULT;
    status = (int16_t)c->step(b, arg);
    memcpy((char *)arg + c->status, &status, sizeof(status));
    if (!copy_out(at, arg, c->size))
        return 0;
    if (c->undo && status == GNTST_okay)
        c->undo(b, arg);
    return -EFAULT;
}

/* Works through the arguments while there is time. */
static long run_batch(struct vcpu *v, const struct command *c,
                      const struct hc_args *args)
{
    struct batch b = {.v = v};
    struct hc_args rest = *args;
    int error = 0;

    rest.a[2] = (uint32_t)args->a[2];
    while (rest.a[2]) {
        error = do_argument(&b, c, HC_ARG_VA(&rest, 1));
        if (error)
            break;
        rest.a[1] += c->size;
        if (--rest.a[2] && hypercall_should_restart())
            break;
    }
    finish_endings(&b);
    if (error || !rest.a[2])
        return error;
    return hypercall_restart(v, HC_grant_table_op, &rest);
}

/* --- the version --------------------------------------------------------- */

static long gnttabop_set_version(struct sub_call *c, void *arg)
{
    struct gnttab_set_version_args *op = arg;
    uint32_t asked = op->version;

    op->version = 1;
    if (asked == 1)
        return 0;
    if (sub_op_answer(c))
        return -EFAULT;
    return refuse(asked == 2 ? -ENOSYS : -EINVAL, "grant table version %u",
                  asked);
}

static long gnttabop_get_version(struct sub_call *c, void *arg)
{
    struct gnttab_get_version_args *op = arg;

    (void)c;
    op->version = 1;
    return 0;
}

static long gnttabop_cache_flush(struct sub_call *c, void *arg)
{
    (void)c;
    (void)arg;
    return -EOPNOTSUPP;
}

/* dump_table, get_status_frames and swap_grant_ref are not served. */
static const struct sub_op ops[] = {
    [GNTTABOP_set_version] = {gnttabop_set_version,
                              sizeof(struct gnttab_set_version_args),
                              OP_ANSWERS},
    [GNTTABOP_get_version] = {gnttabop_get_version,
                              sizeof(struct gnttab_get_version_args),
                              OP_ANSWERS | OP_SUBJECT},
    [GNTTABOP_cache_flush] = {gnttabop_cache_flush, 0, 0},
};
static const struct sub_op_table table = {ops, ARRAY_LEN(ops),
                                          HC_grant_table_op};

/* grant_table_op(command, arguments, count) */
long hc_grant_table_op(struct vcpu *v, const struct hc_args *args)
{
    uint32_t cmd = (uint32_t)args->a[0], count = (uint32_t)args->a[2];
    const struct command *c = &commands[index_clamp(cmd, ARRAY_LEN(commands))];

    if (count > INT_MAX)
        return -EINVAL;
    if (cmd >= ARRAY_LEN(commands) || !c->step)
        return sub_op_run(&table, v, cmd, HC_ARG_VA(args, 1));
    if (c->is_single && count != 1)
        return -EINVAL;
    return run_batch(v, c, args);
}
