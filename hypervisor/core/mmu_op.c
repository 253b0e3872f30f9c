/* SPDX-License-Identifier: MIT */
/*
 * The hypercalls that change page tables: mmu_update, update_va_mapping and
 * mmuext_op. Each holds the page-table lock of the domain whose tables it
 * changes, empties that domain's drain list before it starts and after it let
 * go of a table, and restarts where its arguments say.
 */
#include "core/arch.h"
#include "core/domain.h"
#include "core/frame.h"
#include "core/guest_copy.h"
#include "core/hypercall.h"
#include "core/log.h"
#include "core/pcpu.h"
#include "core/pt_validate.h"
#include "core/vcpu.h"
#include "hypercall_abi/hypercall.h"
#include "hypercall_abi/mmu.h"

#define UPDATES_AT_ONCE 16u /* that are copied in, and not interrupted */

/* Arguments of a call with a list of requests. */
enum { LIST, LEFT, DONE_OUT, DOMAINS };

/* A list of requests that is worked off, perhaps in several calls. */
struct batch {
    struct vcpu *v;
    unsigned nr;         /* the hypercall */
    struct hc_args args; /* with which it would go on */
    uint32_t done;       /* requests, since the call was first made */
    struct pt_context context;
    struct frame *held; /* the frame of the last update, with a reference */
};

static void context_put(const struct pt_context *c)
{
    domain_put(c->tables);
    domain_put(c->frames);
}

/* The domains that a call is about; the caller must be entitled to them. */
static int context_get(struct pt_context *c, struct domain *caller,
                       uint64_t tables, uint64_t frames)
{
    int error = domain_get_subject(caller, (domid_t)tables, &c->tables);

    if (error)
        return error;
    if (frames == DOMID_IO) /* no owner: device frames are who may map them */
        frames = DOMID_SELF;
    error = domain_get_subject(caller, (domid_t)frames, &c->frames);
    if (error)
        domain_put(c->tables);
    return error;
}

/*
 * What a call that goes on has in the upper half of LEFT: its domains may have
 * ended since it began, and their ids be others'. Who has an id later has a
 * greater serial, so the sum is the same for the same domains only.
 */
static uint64_t mark_of(const struct pt_context *c)
{
    return (c->tables->serial + c->frames->serial) << 32;
}

static int batch_begin(struct batch *b, struct vcpu *v, unsigned nr,
                       const struct hc_args *args, uint64_t tables,
                       uint64_t frames)
{
    bool goes_on = args->a[LEFT] & MMU_UPDATE_PREEMPTED;
    guest_va out = HC_ARG_VA(args, DONE_OUT);
    int error;

    *b = (struct batch){.v = v, .nr = nr, .args = *args};
    error = context_get(&b->context, v->domain, tables, frames);
    if (error)
        return error;
    if (goes_on && out.va && copy_in(&b->done, out, sizeof(b->done)))
        error = -EFAULT;
    else if (goes_on && (args->a[LEFT] ^ mark_of(&b->context)) >> 32)
        error = refuse(-ESRCH, "the domains of the call were others");
    if (error)
        context_put(&b->context);
    b->args.a[LEFT] = (uint32_t)args->a[LEFT] & ~MMU_UPDATE_PREEMPTED;
    return error;
}

/* Ends the call: for good, or for now when `error` is -ERESTART. */
static long batch_end(struct batch *b, int error)
{
    guest_va out = HC_ARG_VA(&b->args, DONE_OUT);

    b->args.a[LEFT] |= MMU_UPDATE_PREEMPTED | mark_of(&b->context);
    context_put(&b->context);
    if (out.va && copy_out(out, &b->done, sizeof(b->done)))
        return -EFAULT;
    return error == -ERESTART ? hypercall_restart(b->v, b->nr, &b->args)
                              : error;
}

/* Empties the drain list, which nearly always is empty. */
static inline int drain(struct domain *d)
{
    return d->drain_head ? pt_drain(d) : 0;
}

static void let_go(struct frame **held)
{
    if (*held)
        frame_put(*held);
    *held = NULL;
}

/* Carries out one request, at `request`. */
typedef int serve_request(struct batch *b, const void *request);

/*
 * Works off the list, whose requests have `size` bytes; asks whether the time
 * is up after each `at_once`, for which `chunk` has room.
 */
static inline long batch_run(struct batch *b, void *chunk, unsigned at_once,
                             size_t size, serve_request *serve)
{
    struct domain *d = b->context.tables;
    uint64_t *a = b->args.a;
    int error;

    spin_lock(&d->pt_lock);
    error = drain(d);
    while (!error && a[LEFT]) {
        size_t wanted = min_u64(a[LEFT], at_once) * size;
        size_t missing = copy_in(chunk, HC_ARG_VA(&b->args, LIST), wanted);
        unsigned n = (unsigned)((wanted - missing) / size);

        if (!n)
            error = -EFAULT;
        for (unsigned i = 0; i < n && !error; i++) {
            error = serve(b, (const char *)chunk + i * size);
            if (error)
                break;
            a[LIST] += size;
            a[LEFT]--;
            b->done++;
            error = drain(d);
        }
        if (!error && a[LEFT] && hypercall_should_restart())
            error = -ERESTART;
    }
    let_go(&b->held);
    spin_unlock(&d->pt_lock);
    return batch_end(b, error);
}

/* --- mmu_update ---------------------------------------------------------- */

/* A plain store into a frame that is no table; it stays writable meanwhile. */
out_of_line static int store_plain(struct frame *f, unsigned index,
                                   enum pt_write how, uint64_t value)
{
    uint64_t *slot = (uint64_t *)arch_frame_ptr(frame_mfn(f)) + index;

    if (frame_get_writable(f))
        return -EINVAL;
    if (how == PT_PRESERVE_AD)
        value |= pte_read(slot) & (PTE_ACCESSED | PTE_DIRTY);
    pte_write(slot, value);
    frame_put_writable(f);
    return 0;
}

/*
 * Stores into an entry. The reference to its frame stays in *held: most
 * requests of a list are about the table of the one before.
 */
hot_path static int update_entry(const struct pt_context *c, uint64_t ptr,
                                 uint64_t value, enum pt_write how,
                                 struct frame **held)
{
    mfn_t mfn = MFN(ptr >> PAGE_SHIFT);
    unsigned index = (ptr & (PAGE_SIZE - 1)) / sizeof(uint64_t);
    struct frame *f = *held;
    int error;

    if (!f || !mfn_equal(frame_mfn(f), mfn)) {
        let_go(held);
        f = *held = frame_get(mfn, c->tables);
    }
    if (!f)
        return refuse(-EINVAL, "frame %#lx is not d%u's", mfn.n, c->tables->id);
    error = pt_settle(c->tables, f);
    if (error)
        return error;
    return frame_type_is_table(frame_used_type(f))
               ? pt_write_entry(c, f, index, how, 0, value)
               : store_plain(f, index, how, value);
}

static int update_m2p(const struct pt_context *c, mfn_t mfn, uint64_t pfn)
{
    struct frame *f = frame_get(mfn, c->frames);

    if (!f)
        return -EINVAL;
    arch_m2p_set(mfn, pfn);
    frame_put(f);
    return 0;
}

/* One request, MMU_NORMAL_PT_UPDATE or other; *held is as for update_entry. */
hot_path static int do_update(const struct pt_context *c,
                              const struct mmu_update *u, struct frame **held)
{
    unsigned kind = u->ptr & 7;
    enum pt_write how =
        kind == MMU_PT_UPDATE_PRESERVE_AD ? PT_PRESERVE_AD : PT_STORE;

    if (kind == MMU_MACHPHYS_UPDATE)
        return update_m2p(c, MFN(u->ptr >> PAGE_SHIFT), u->val);
    return kind > MMU_PT_UPDATE_NO_TRANSLATE
               ? -ENOSYS
               : update_entry(c, u->ptr, u->val, how, held);
}

static inline int serve_update(struct batch *b, const void *request)
{
    return do_update(&b->context, request, &b->held);
}

/* A lone update, such as a page fault takes, without the trappings of a list */
static inline long update_alone(struct vcpu *v, const struct pt_context *c,
                                const struct mmu_update *u, unsigned nr,
                                const struct hc_args *args)
{
    struct frame *held = NULL;
    int error;

    spin_lock(&c->tables->pt_lock);
    error = drain(c->tables);
    if (!error)
        error = do_update(c, u, &held);
    let_go(&held);
    if (!error)
        error = drain(c->tables);
    spin_unlock(&c->tables->pt_lock);
    return error == -ERESTART ? hypercall_restart(v, nr, args) : error;
}

out_of_line static long update_list(struct vcpu *v, const struct hc_args *args)
{
    struct mmu_update chunk[UPDATES_AT_ONCE];
    uint64_t table_owner = args->a[DOMAINS] >> 16 & 0xffff;
    struct batch b;
    int error = batch_begin(&b, v, HC_mmu_update, args,
                            table_owner ? table_owner - 1 : DOMID_SELF,
                            args->a[DOMAINS] & 0xffff);

    return error ? error
                 : batch_run(&b, chunk, UPDATES_AT_ONCE, sizeof(*chunk),
                             serve_update);
}

/* Whether `args` ask for one request of the caller's own, with no count out. */
static bool is_lone_request(const struct hc_args *args)
{
    return args->a[LEFT] == 1 && !args->a[DONE_OUT] &&
           args->a[DOMAINS] == DOMID_SELF;
}

/* mmu_update(requests, count, done, domains) */
hot_path long hc_mmu_update(struct vcpu *v, const struct hc_args *args)
{
    struct pt_context own = {v->domain, v->domain};
    struct mmu_update u;

    if (!is_lone_request(args))
        return update_list(v, args);
    if (copy_in(&u, HC_ARG_VA(args, LIST), sizeof(u)))
        return -EFAULT;
    return update_alone(v, &own, &u, HC_mmu_update, args);
}

/* --- update_va_mapping --------------------------------------------------- */

/* Flushes on the vCPUs in the guest's bitmap at `where`; UVMF_ALL is all. */
static int flush_vcpus(struct domain *d, uint64_t where)
{
    uint64_t vcpus[BITMAP_WORDS(MAX_VCPUS)];

    memset(vcpus, where == UVMF_ALL ? 0xff : 0, sizeof(vcpus));
    if (where != UVMF_ALL &&
        copy_in(vcpus, (guest_va){where}, (d->max_vcpus + 7) / 8))
        return -EFAULT;
    arch_flush_vcpus(d, vcpus);
    return 0;
}

/* The flush that update_va_mapping asks for. */
static int flush_as_asked(struct vcpu *v, uint64_t va, uint64_t flags)
{
    uint64_t kind = flags & UVMF_FLUSHTYPE_MASK;
    uint64_t where = flags & ~UVMF_FLUSHTYPE_MASK;

    if (kind && where != UVMF_LOCAL)
        return flush_vcpus(v->domain, where);
    if (kind == UVMF_INVLPG)
        arch_flush_page_local(va);
    else if (kind)
        arch_flush_local();
    return 0;
}

/*
 * The walk is done when the update begins, and may then be wrong: so it only
 * finds an address, as any that a guest may name.
 */
static long update_va(struct vcpu *v, unsigned nr, const struct hc_args *args,
                      domid_t foreign)
{
    struct mmu_update u = {.val = args->a[1]};
    uint64_t va = args->a[0];
    struct pt_context c;
    struct walk w;
    long result;

    if (!guest_va_is_usable(va))
        return -EINVAL;
    result = context_get(&c, v->domain, DOMID_SELF, foreign);
    if (result)
        return result;
    guest_walk(v->kernel_root, va, &w);
    u.ptr = w.table[w.level].n << PAGE_SHIFT | pt_index(va, 1) * sizeof(u.ptr);
    if (w.level == 1)
        result = update_alone(v, &c, &u, nr, args);
    else
        result = refuse(-EINVAL, "no L1 table for %#lx", va);
    context_put(&c);
    return result ? result : flush_as_asked(v, va, args->a[2]);
}

/* update_va_mapping(va, entry, flags) */
long hc_update_va_mapping(struct vcpu *v, const struct hc_args *args)
{
    return update_va(v, HC_update_va_mapping, args, DOMID_SELF);
}

/* update_va_mapping_otherdomain(va, entry, flags, domid) */
long hc_update_va_mapping_otherdomain(struct vcpu *v,
                                      const struct hc_args *args)
{
    return update_va(v, HC_update_va_mapping_otherdomain, args,
                     (domid_t)args->a[3]);
}

/* --- mmuext_op ----------------------------------------------------------- */

/* Whoever ends `d` takes its pins away later, with the lock held here. */
static int pin_table(struct domain *d, mfn_t mfn, unsigned level)
{
    struct frame *f;
    int error = domain_is_dying(d) ? -EINVAL : pt_get_table(d, mfn, level);

    if (error)
        return error;
    f = frame_lookup(mfn);
    if (__atomic_fetch_or(&f->state, FRAME_PINNED, __ATOMIC_SEQ_CST) &
        FRAME_PINNED) {
        pt_put_table(d, f);
        return refuse(-EINVAL, "frame %#lx is pinned already", mfn.n);
    }
    return 0;
}

static int unpin_table(struct domain *d, mfn_t mfn)
{
    struct frame *f = frame_get(mfn, d);
    int error = 0;

    if (!f)
        return -EINVAL;
    if (__atomic_fetch_and(&f->state, ~FRAME_PINNED, __ATOMIC_SEQ_CST) &
        FRAME_PINNED)
        pt_put_table(d, f);
    else
        error = refuse(-EINVAL, "frame %#lx is not pinned", mfn.n);
    frame_put(f);
    return error;
}

/*
 * Makes `mfn`, or MFN_INVALID for none, the root in `*slot`, which is one of
 * `v`'s. With the page-table lock of its domain; call pt_drain when done. 0, or
 * what pt_get_table says: then *slot is as it was.
 */
int vcpu_change_root(struct vcpu *v, mfn_t *slot, mfn_t mfn)
{
    mfn_t old = *slot;
    int error;

    if (mfn_equal(old, mfn))
        return 0;
    if (!mfn_equal(mfn, MFN_INVALID)) {
        error = pt_get_table(v->domain, mfn, 4);
        if (error)
            return error;
    }
    *slot = mfn;
    arch_vcpu_roots_changed(v);
    if (!mfn_equal(old, MFN_INVALID))
        pt_put_table(v->domain, frame_lookup(old));
    return 0;
}

/* NEW_BASEPTR and NEW_USER_BASEPTR; only for the latter 0 means none. */
static int new_root(struct vcpu *v, unsigned cmd, mfn_t mfn)
{
    if (mfn_equal(mfn, MFN_INVALID))
        return refuse(-EINVAL, "frame %#lx is no root", mfn.n);
    if (cmd == MMUEXT_NEW_BASEPTR)
        return vcpu_change_root(v, &v->kernel_root, mfn);
    return vcpu_change_root(v, &v->user_root, mfn.n ? mfn : MFN_INVALID);
}

static int flush_page(uint64_t va)
{
    if (guest_va_is_usable(va))
        arch_flush_page_local(va);
    return 0;
}

static int serve_ext(struct batch *b, const void *request)
{
    const struct mmuext_op *op = request;
    struct domain *d = b->context.tables;
    struct vcpu *v = b->v;
    mfn_t mfn = MFN(op->arg1.mfn);

    /* All but pins is for the caller's own vCPU and makes no sense else. */
    if (op->cmd > MMUEXT_UNPIN_TABLE && d != v->domain)
        return -EPERM;
    switch (op->cmd) {
    case MMUEXT_PIN_L1_TABLE:
    case MMUEXT_PIN_L2_TABLE:
    case MMUEXT_PIN_L3_TABLE:
    case MMUEXT_PIN_L4_TABLE:
        return pin_table(d, mfn, op->cmd - MMUEXT_PIN_L1_TABLE + 1);
    case MMUEXT_UNPIN_TABLE:
        return unpin_table(d, mfn);
    case MMUEXT_NEW_BASEPTR:
    case MMUEXT_NEW_USER_BASEPTR:
        return new_root(v, op->cmd, mfn);
    case MMUEXT_TLB_FLUSH_LOCAL:
        arch_flush_local();
        return 0;
    case MMUEXT_INVLPG_LOCAL:
        return flush_page(op->arg1.linear_addr);
    case MMUEXT_TLB_FLUSH_MULTI:
    case MMUEXT_INVLPG_MULTI:
        return flush_vcpus(d, op->arg2.vcpumask.va);
    case MMUEXT_TLB_FLUSH_ALL:
    case MMUEXT_INVLPG_ALL:
        return flush_vcpus(d, UVMF_ALL);
    case MMUEXT_FLUSH_CACHE:
    case MMUEXT_FLUSH_CACHE_GLOBAL:
        if (!d->may_use_devices)
            return -EACCES;
        arch_flush_cache();
        return 0;
    case MMUEXT_SET_LDT:
        return arch_vcpu_set_ldt(v, op->arg1.linear_addr, op->arg2.nr_ents);
    case MMUEXT_MARK_SUPER:
    case MMUEXT_UNMARK_SUPER:
        return -EOPNOTSUPP;
    default:
        return -ENOSYS;
    }
}

/*
 * A lone local flush, of which a kernel does many: it touches no table and
 * needs no lock. Whether `args` ask for one.
 */
static bool flush_alone(const struct hc_args *args)
{
    struct mmuext_op op;

    if (!is_lone_request(args) ||
        copy_in(&op, HC_ARG_VA(args, LIST), sizeof(op)))
        return false;
    if (op.cmd == MMUEXT_INVLPG_LOCAL)
        flush_page(op.arg1.linear_addr);
    else if (op.cmd == MMUEXT_TLB_FLUSH_LOCAL)
        arch_flush_local();
    else
        return false;
    return true;
}

/* mmuext_op(requests, count, done, domain) */
hot_path long hc_mmuext_op(struct vcpu *v, const struct hc_args *args)
{
    uint64_t owner = args->a[DOMAINS] & 0xffff;
    struct mmuext_op op;
    struct batch b;
    int error;

    if (flush_alone(args))
        return 0;
    error = batch_begin(&b, v, HC_mmuext_op, args, owner, owner);
    return error ? error : batch_run(&b, &op, 1, sizeof(op), serve_ext);
}
