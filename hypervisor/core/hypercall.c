/* SPDX-License-Identifier: MIT */
/*
 * The table of hypercalls (hypercall.h), and several in one. The entries of a
 * multicall run in order, each gets its own result. One that is cut short
 * stores where it was in its entry, in the guest's memory, and the multicall
 * goes on there: what is finished never runs again.
 */
#include "core/hypercall.h"

#include "core/arch.h"
#include "core/guest_copy.h"
#include "core/log.h"
#include "core/vcpu.h"
#include "hypercall_abi/multicall.h"

static hypercall_handler *const handlers[HC_COUNT] = {
#define HYPERCALL(nr, name, count) [nr] = hc_##name,
#include "hypercall_abi/hypercalls.def"
#undef HYPERCALL
};

/*
 * Runs hypercall `nr` for the running vCPU; the result for its rax. -ENOSYS
 * for numbers without a row.
 */
hot_path long hypercall_dispatch(struct vcpu *v, uint64_t nr,
                                 const struct hc_args *args)
{
    uint64_t index = index_clamp(nr, HC_COUNT);

    if (nr >= HC_COUNT || !handlers[index])
        return -ENOSYS;
    __atomic_store_n(&v->hypercalls, v->hypercalls + 1, __ATOMIC_RELAXED);
    return handlers[index](v, args);
}

/* An entry that replaces the context of the others makes no sense. */
static long run_call(struct vcpu *v, const struct multicall_entry *entry)
{
    struct hc_args args;

    if (entry->op == HC_multicall || entry->op == HC_iret)
        return refuse(-EINVAL, "hypercall %lu in a multicall", entry->op);
    memcpy(args.a, entry->args, sizeof(args.a));
    return hypercall_dispatch(v, entry->op, &args);
}

/*
 * Runs the entry at `at` and stores its result, or if it is cut short what it
 * goes on with: maybe another call, for older forms of some do.
 */
static int run_entry(struct vcpu *v, guest_va at, bool *is_cut)
{
    size_t offset = 0, size = sizeof(struct multicall_entry);
    struct multicall_entry entry;
    long result;

    if (copy_in(&entry, at, sizeof(entry)))
        return -EFAULT;
    v->entry = &entry;
    result = run_call(v, &entry);
    *is_cut = !v->entry;
    v->entry = NULL;
    if (!*is_cut) {
        entry.result = result;
        offset = offsetof(struct multicall_entry, result);
        size = sizeof(entry.result);
    }
    at = guest_va_add(at, offset);
    return copy_out(at, (char *)&entry + offset, size) ? -EFAULT : 0;
}

/* multicall(entries, count): 0, whatever the entries' own results. */
hot_path long hc_multicall(struct vcpu *v, const struct hc_args *args)
{
    struct hc_args rest = {.a = {args->a[0], (uint32_t)args->a[1]}};

    while (rest.a[1] > 0) {
        bool is_cut;
        int error = run_entry(v, HC_ARG_VA(&rest, 0), &is_cut);

        if (error)
            return error;
        if (!is_cut) {
            rest.a[0] += sizeof(struct multicall_entry);
            rest.a[1]--;
        }
        if (is_cut || (rest.a[1] > 0 && hypercall_should_restart()))
            return hypercall_restart(v, HC_multicall, &rest);
    }
    return 0;
}
