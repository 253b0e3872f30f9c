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

/* A list of requests that is worked off, perhaps in several calls. */
struct batch {
    unsigned nr;       /* the hypercall */
    guest_va list;     /* of the next request */
    uint64_t left;     /* requests */
    guest_va done_out; /* where the number done goes, or 0 */
    uint64_t foreign;  /* the fourth argument, as it came */
    uint32_t done;     /* since the call was first made */
    bool goes_on;      /* it has been made before */
    uint64_t serials;  /* others' domains, that a restart finds again */
    struct pt_context context;
    struct frame *held;  /* the frame of the last update, with a reference */
    bool has_references; /* to the domains of the context */
};

static void batch_put(struct batch *b)
{
    if (!b->has_references)
        return;
    domain_put(b->context.tables);
    domain_put(b->context.frames);
}

/* DOMID_IO names no owner: device frames are whoever's may map them. */
static uint64_t self_if_io(uint64_t id)
{
    return id == DOMID_IO ? DOMID_SELF : id;
}

/*
 * Whether the domains found are those of the call's start; one of them may have
 * ended since, and its id be another's. Who has an id later has a greater
 * serial, so the sum is the same for the same domains only.
 */
static int batch_check_serials(struct batch *b)
{
    uint64_t serials = b->context.tables->serial + b->context.frames->serial;

    if (b->goes_on && b->serials != serials)
        return refuse(-ESRCH, "domain %u or %u was another",
                      b->context.tables->id, b->context.frames->id);
    b->serials = serials;
    return 0;
}

static int batch_resolve_others(struct batch *b, struct domain *caller,
                                uint64_t tables, uint64_t frames)
{
    struct pt_context *c = &b->context;
    int error = domain_get_subject(caller, (domid_t)tables, &c->tables);

    if (error)
        return error;
    error = domain_get_subject(caller, (domid_t)frames, &c->frames);
    if (error) {
        domain_put(c->tables);
        return error;
    }
    b->has_references = true;
    error = batch_check_serials(b);
    if (error)
        batch_put(b);
    return error;
}

/*
 * The domains that a batch is about; the caller must be entitled to them. The
 * caller itself, by far the most frequent, needs no reference.
 */
static int batch_resolve(struct batch *b, struct domain *caller,
                         uint64_t tables, uint64_t frames)
{
    frames = self_if_io(frames);
    if (tables != DOMID_SELF || frames != DOMID_SELF)
        return batch_resolve_others(b, caller, tables, frames);
    b->context.tables = b->context.frames = caller;
    return 0;
}

static int batch_begin(struct batch *b, unsigned nr, const struct hc_args *args)
{
    b->nr = nr;
    b->list = HC_ARG_VA(args, 0);
    b->left = (uint32_t)args->a[1] & ~MMU_UPDATE_PREEMPTED;
    b->done_out = HC_ARG_VA(args, 2);
    b->foreign = args->a[3];
    b->done = 0;
    b->goes_on = args->a[1] & MMU_UPDATE_PREEMPTED;
    b->serials = args->a[4];
    b->held = NULL;
    b->has_references = false;
    if (b->goes_on && b->done_out.va &&
        copy_in(&b->done, b->done_out, sizeof(b->done)))
        return -EFAULT;
    return 0;
}

/* Empties the drain list, which nearly always is empty. */
static inline int drain(struct domain *d)
{
    return d->drain_head ? pt_drain(d) : 0;
}

/* Ends the call: for good, or for now when `error` is -ERESTART. */
static long batch_end(struct batch *b, struct vcpu *v, int error)
{
    struct hc_args rest = {{b->list.va, b->left | MMU_UPDATE_PREEMPTED,
                            b->done_out.va, b->foreign, b->serials}};

    batch_put(b);
    if (b->done_out.va && copy_out(b->done_out, &b->done, sizeof(b->done)))
        return -EFAULT;
    if (error == -ERESTART)
        return hypercall_restart(v, b->nr, &rest);
    return error;
}

static void let_go(struct frame **held)
{
    if (*held)
        frame_put(*held);
    *held = NULL;
}

/* Carries out one request, at `request`. */
typedef int serve_request(struct vcpu *v, struct batch *b, const void *request);

/*
 * Works off the list, whose requests have `size` bytes; asks whether the time
 * is up after each `at_once`, for which `chunk` has room.
 */
static inline long batch_run(struct batch *b, struct vcpu *v, void *chunk,
                             unsigned at_once, size_t size,
                             serve_request *serve)
{
    struct domain *d = b->context.tables;
    int error;

    spin_lock(&d->pt_lock);
    error = drain(d);
    while (!error && b->left) {
        size_t wanted = min_u64(b->left, at_once) * size;
        unsigned n =
            (unsigned)((wanted - copy_in(chunk, b->list, wanted)) / size);

        if (!n)
            error = -EFAULT;
        for (unsigned i = 0; i < n && !error; i++) {
            error = serve(v, b, (const char *)chunk + i * size);
            if (error)
                break;
            b->list = guest_va_add(b->list, size);
            b->left--;
            b->done++;
            error = drain(d);
        }
        if (!error && b->left && hypercall_should_restart())
            error = -ERESTART;
    }
    let_go(&b->held);
    spin_unlock(&d->pt_lock);
    return batch_end(b, v, error);
}

/* --- mmu_update ---------------------------------------------------------- */

static bool is_table_type(enum frame_type type)
{
    return type >= FRAME_L1 && type <= FRAME_L4;
}

/* A plain store into a frame that is no table; it stays writable meanwhile. */
out_of_line static int store_plain(struct frame *f, uint64_t ptr,
                                   enum pt_write how, uint64_t value)
{
    uint64_t *slot = arch_frame_ptr(frame_mfn(f));
    int error = frame_get_writable(f);

    if (error)
        return -EINVAL;
    slot += (ptr & (PAGE_SIZE - 1)) / sizeof(*slot);
    if (how == PT_PRESERVE_AD)
        value |= pte_read(slot) & (PTE_ACCESSED | PTE_DIRTY);
    pte_write(slot, value);
    frame_put_writable(f);
    return 0;
}

/*
 * Frame `mfn` of the context's, with a reference that stays in *held: most
 * requests of a list are about the table of the one before.
 */
static inline struct frame *hold(const struct pt_context *c,
                                 struct frame **held, mfn_t mfn)
{
    if (*held && mfn_equal(frame_mfn(*held), mfn))
        return *held;
    let_go(held);
    *held = frame_get(mfn, c->tables);
    return *held;
}

hot_path static int update_entry(const struct pt_context *c, uint64_t ptr,
                                 uint64_t value, enum pt_write how,
                                 struct frame **held)
{
    struct frame *f = hold(c, held, MFN(ptr >> PAGE_SHIFT));
    unsigned index = (ptr & (PAGE_SIZE - 1)) / sizeof(uint64_t);
    int error;

    if (!f)
        return refuse(-EINVAL, "frame %#lx is not d%u's", ptr >> PAGE_SHIFT,
                      c->tables->id);
    error = pt_settle(c->tables, f);
    if (error)
        return error;
    return is_table_type(frame_used_type(f))
               ? pt_write_entry(c, f, index, how, 0, value, NULL)
               : store_plain(f, ptr, how, value);
}

static int update_m2p(const struct pt_context *c, uint64_t ptr, uint64_t pfn)
{
    struct frame *f = frame_get(MFN(ptr >> PAGE_SHIFT), c->frames);

    if (!f)
        return -EINVAL;
    arch_m2p_set(frame_mfn(f), pfn);
    frame_put(f);
    return 0;
}

/* One request; *held is as for hold. */
hot_path static int do_update(const struct pt_context *c,
                              const struct mmu_update *u, struct frame **held)
{
    uint64_t ptr = u->ptr & ~7ull;

    switch (u->ptr & 7) {
    case MMU_NORMAL_PT_UPDATE:
    case MMU_PT_UPDATE_NO_TRANSLATE:
        return update_entry(c, ptr, u->val, PT_STORE, held);
    case MMU_PT_UPDATE_PRESERVE_AD:
        return update_entry(c, ptr, u->val, PT_PRESERVE_AD, held);
    case MMU_MACHPHYS_UPDATE:
        let_go(held);
        return update_m2p(c, ptr, u->val);
    default:
        return -ENOSYS;
    }
}

static inline int serve_update(struct vcpu *v, struct batch *b,
                               const void *request)
{
    (void)v;
    return do_update(&b->context, request, &b->held);
}

/* Whether `args` ask for one request of the caller's own, with no count out. */
static bool is_lone_request(const struct hc_args *args)
{
    return args->a[1] == 1 && !args->a[2] && args->a[3] == DOMID_SELF;
}

/* The lone update that a page fault takes, without the trappings of a list. */
static long update_alone(struct vcpu *v, const struct hc_args *args)
{
    struct pt_context own = {v->domain, v->domain};
    struct frame *held = NULL;
    struct mmu_update u;
    int error;

    if (copy_in(&u, HC_ARG_VA(args, 0), sizeof(u)))
        return -EFAULT;
    spin_lock(&v->domain->pt_lock);
    error = drain(v->domain);
    if (!error)
        error = do_update(&own, &u, &held);
    let_go(&held);
    if (!error)
        error = drain(v->domain);
    spin_unlock(&v->domain->pt_lock);
    return error == -ERESTART ? hypercall_restart(v, HC_mmu_update, args)
                              : error;
}

out_of_line static long update_list(struct vcpu *v, const struct hc_args *args)
{
    struct mmu_update chunk[UPDATES_AT_ONCE];
    uint64_t table_owner = args->a[3] >> 16 & 0xffff;
    struct batch b;
    int error = batch_begin(&b, HC_mmu_update, args);

    if (!error)
        error = batch_resolve(&b, v->domain,
                              table_owner ? table_owner - 1 : DOMID_SELF,
                              args->a[3] & 0xffff);
    return error ? error
                 : batch_run(&b, v, chunk, UPDATES_AT_ONCE, sizeof(*chunk),
                             serve_update);
}

/* mmu_update(requests, count, done, domains) */
hot_path long hc_mmu_update(struct vcpu *v, const struct hc_args *args)
{
    return is_lone_request(args) ? update_alone(v, args) : update_list(v, args);
}

/* --- update_va_mapping --------------------------------------------------- */

/* The vCPUs that a guest's bitmap names; bits beyond the last are dropped. */
static int read_vcpu_set(const struct domain *d, guest_va bitmap,
                         uint64_t *vcpus)
{
    size_t bytes = (d->max_vcpus + 7) / 8;

    memset(vcpus, 0, BITMAP_WORDS(MAX_VCPUS) * sizeof(uint64_t));
    return copy_in(vcpus, bitmap, bytes) ? -EFAULT : 0;
}

static void all_vcpus(const struct domain *d, uint64_t *vcpus)
{
    memset(vcpus, 0, BITMAP_WORDS(MAX_VCPUS) * sizeof(uint64_t));
    for (unsigned i = 0; i < d->max_vcpus; i++)
        bit_set(vcpus, i);
}

/* The flush that update_va_mapping asks for. */
static int flush_as_asked(struct vcpu *v, uint64_t va, uint64_t flags)
{
    uint64_t vcpus[BITMAP_WORDS(MAX_VCPUS)];
    uint64_t where = flags & ~UVMF_FLUSHTYPE_MASK;

    if (!(flags & UVMF_FLUSHTYPE_MASK))
        return 0;
    if (where == UVMF_LOCAL) {
        if ((flags & UVMF_FLUSHTYPE_MASK) == UVMF_INVLPG)
            arch_flush_page_local(va);
        else
            arch_flush_local();
        return 0;
    }
    if (where == UVMF_ALL)
        all_vcpus(v->domain, vcpus);
    else if (read_vcpu_set(v->domain, (guest_va){where}, vcpus))
        return -EFAULT;
    arch_flush_vcpus(v->domain, vcpus);
    return 0;
}

static int update_mapping(struct vcpu *v, const struct pt_context *c,
                          uint64_t va, uint64_t value)
{
    struct walk w;
    struct frame *f;
    int error = pt_drain(c->tables);

    if (error)
        return error;
    guest_walk(v->kernel_root, va, &w);
    if (w.level != 1)
        return refuse(-EINVAL, "no L1 table for %#lx", va);
    f = frame_get(w.table[1], c->tables);
    if (!f)
        return -EINVAL;
    if (frame_used_type(f) == FRAME_L1)
        error = pt_write_entry(c, f, pt_index(va, 1), PT_STORE, 0, value, NULL);
    else
        error = -EINVAL;
    frame_put(f);
    return error;
}

static long update_va(struct vcpu *v, unsigned nr, const struct hc_args *args,
                      domid_t foreign)
{
    struct batch b = {.nr = nr};
    uint64_t va = args->a[0];
    int error;

    if (!guest_va_is_usable(va))
        return -EINVAL;
    error = batch_resolve(&b, v->domain, DOMID_SELF, foreign);
    if (error)
        return error;
    spin_lock(&b.context.tables->pt_lock);
    error = update_mapping(v, &b.context, va, args->a[1]);
    spin_unlock(&b.context.tables->pt_lock);
    batch_put(&b);
    if (error == -ERESTART)
        return hypercall_restart(v, nr, args);
    return error ? error : flush_as_asked(v, va, args->a[2]);
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

/* CLEAR_PAGE and COPY_PAGE; a copy also needs the frame it reads. */
static int fill_page(struct domain *d, mfn_t dst, const mfn_t *src)
{
    struct frame *to = frame_get(dst, d);
    struct frame *from = src ? frame_get(*src, d) : NULL;
    int error = -EINVAL;

    if (to && (!src || from) && !frame_get_writable(to)) {
        if (from)
            memcpy(arch_frame_ptr(dst), arch_frame_ptr(*src), PAGE_SIZE);
        else
            memset(arch_frame_ptr(dst), 0, PAGE_SIZE);
        frame_put_writable(to);
        error = 0;
    }
    if (from)
        frame_put(from);
    if (to)
        frame_put(to);
    return error;
}

static int flush_set(struct vcpu *v, guest_va bitmap)
{
    uint64_t vcpus[BITMAP_WORDS(MAX_VCPUS)];

    if (read_vcpu_set(v->domain, bitmap, vcpus))
        return -EFAULT;
    arch_flush_vcpus(v->domain, vcpus);
    return 0;
}

static int flush_all(struct vcpu *v)
{
    uint64_t vcpus[BITMAP_WORDS(MAX_VCPUS)];

    all_vcpus(v->domain, vcpus);
    arch_flush_vcpus(v->domain, vcpus);
    return 0;
}

static int flush_page(uint64_t va)
{
    if (guest_va_is_usable(va))
        arch_flush_page_local(va);
    return 0;
}

/* Operations on the caller's own vCPU, that make sense for nobody else. */
static int do_own_ext(struct vcpu *v, const struct mmuext_op *op)
{
    mfn_t mfn = MFN(op->arg1.mfn);

    switch (op->cmd) {
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
        return flush_set(v, op->arg2.vcpumask);
    case MMUEXT_TLB_FLUSH_ALL:
    case MMUEXT_INVLPG_ALL:
        return flush_all(v);
    case MMUEXT_FLUSH_CACHE:
    case MMUEXT_FLUSH_CACHE_GLOBAL:
        if (!v->domain->may_use_devices)
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

static int serve_ext(struct vcpu *v, struct batch *b, const void *request)
{
    const struct mmuext_op *op = request;
    struct domain *d = b->context.tables;
    mfn_t mfn = MFN(op->arg1.mfn), src = MFN(op->arg2.src_mfn);

    switch (op->cmd) {
    case MMUEXT_PIN_L1_TABLE:
    case MMUEXT_PIN_L2_TABLE:
    case MMUEXT_PIN_L3_TABLE:
    case MMUEXT_PIN_L4_TABLE:
        return pin_table(d, mfn, op->cmd - MMUEXT_PIN_L1_TABLE + 1);
    case MMUEXT_UNPIN_TABLE:
        return unpin_table(d, mfn);
    case MMUEXT_CLEAR_PAGE:
        return fill_page(d, mfn, NULL);
    case MMUEXT_COPY_PAGE:
        return fill_page(d, mfn, &src);
    default:
        return d == v->domain ? do_own_ext(v, op) : -EPERM;
    }
}

/*
 * A lone local flush, of which a kernel does many: it touches no table and
 * needs no lock. Whether `args` ask for one.
 */
static bool flush_alone(const struct hc_args *args)
{
    struct mmuext_op op;

    if (!is_lone_request(args) || copy_in(&op, HC_ARG_VA(args, 0), sizeof(op)))
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
    uint64_t owner = args->a[3] & 0xffff;
    struct mmuext_op op;
    struct batch b;
    int error;

    if (flush_alone(args))
        return 0;
    error = batch_begin(&b, HC_mmuext_op, args);
    if (!error)
        error = batch_resolve(&b, v->domain, owner, owner);
    return error ? error : batch_run(&b, v, &op, 1, sizeof(op), serve_ext);
}
