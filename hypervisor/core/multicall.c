/* SPDX-License-Identifier: MIT */
/*
 * Several hypercalls in one. Entries run in order, each gets its own result.
 * A call that is cut short stores where it was in its entry, in the guest's
 * memory, and the multicall goes on there: what is finished never runs again.
 */
#include "core/guest_copy.h"
#include "core/hypercall.h"
#include "core/log.h"
#include "hypercall_abi/multicall.h"

#define ENTRY_SIZE sizeof(struct multicall_entry)

/* Writes back the `size` bytes at `offset` of the entry at `at`. */
static int store(guest_va at, size_t offset, const void *data, size_t size)
{
    return copy_out(guest_va_add(at, offset), data, size) ? -EFAULT : 0;
}

/* An entry that replaces the context of the others makes no sense. */
static long run_call(struct vcpu *v, uint64_t nr, const struct hc_args *args)
{
    if (nr == HC_multicall || nr == HC_iret)
        return refuse(-EINVAL, "hypercall %lu in a multicall", nr);
    return hypercall_dispatch(v, nr, args);
}

/* A call may go on as another one: the older forms of some do. */
static int store_rest(guest_va at, uint64_t nr, const struct hc_args *args)
{
    int error =
        store(at, offsetof(struct multicall_entry, op), &nr, sizeof(nr));

    return error ? error
                 : store(at, offsetof(struct multicall_entry, args), args->a,
                         sizeof(args->a));
}

static int run_entry(struct vcpu *v, guest_va at, bool *is_restarted)
{
    struct multicall_entry entry;
    struct hc_args args;

    if (copy_in(&entry, at, sizeof(entry)))
        return -EFAULT;
    memcpy(args.a, entry.args, sizeof(args.a));
    hypercall_entry_begin();
    entry.result = run_call(v, entry.op, &args);
    *is_restarted = hypercall_entry_end(&entry.op, &args);
    if (*is_restarted)
        return store_rest(at, entry.op, &args);
    return store(at, offsetof(struct multicall_entry, result), &entry.result,
                 sizeof(entry.result));
}

/* multicall(entries, count): 0, whatever the entries' own results. */
hot_path long hc_multicall(struct vcpu *v, const struct hc_args *args)
{
    guest_va at = HC_ARG_VA(args, 0);
    uint32_t left = (uint32_t)args->a[1];

    while (left > 0) {
        bool is_restarted;
        int error = run_entry(v, at, &is_restarted);

        if (error)
            return error;
        if (!is_restarted) {
            at = guest_va_add(at, ENTRY_SIZE);
            left--;
        }
        if (is_restarted || (left > 0 && hypercall_should_restart())) {
            struct hc_args rest = {.a = {at.va, left}};

            return hypercall_restart(v, HC_multicall, &rest);
        }
    }
    return 0;
}
