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

/* Leaves the arguments of an entry where it has to go on. */
static int store_args(guest_va at, const struct hc_args *args)
{
    guest_va where = guest_va_add(at, offsetof(struct multicall_entry, args));

    return copy_out(where, args->a, sizeof(args->a)) ? -EFAULT : 0;
}

static int store_result(guest_va at, int64_t result)
{
    guest_va where = guest_va_add(at, offsetof(struct multicall_entry, result));

    return copy_out(where, &result, sizeof(result)) ? -EFAULT : 0;
}

/* An entry that replaces the context of the others makes no sense. */
static bool is_allowed(uint64_t nr)
{
    return nr != HC_multicall && nr != HC_iret;
}

static int run_entry(struct vcpu *v, guest_va at, bool *is_restarted)
{
    struct multicall_entry entry;
    struct hc_args args;
    int64_t result;

    *is_restarted = false;
    if (copy_in(&entry, at, sizeof(entry)))
        return -EFAULT;
    if (!is_allowed(entry.op))
        return store_result(at, refuse(-EINVAL, "hypercall %llu in a multicall",
                                       (unsigned long long)entry.op));
    memcpy(args.a, entry.args, sizeof(args.a));
    hypercall_entry_begin();
    result = hypercall_dispatch(v, entry.op, &args);
    *is_restarted = hypercall_entry_end(&args);
    return *is_restarted ? store_args(at, &args) : store_result(at, result);
}

/* multicall(entries, count): 0, whatever the entries' own results. */
long hc_multicall(struct vcpu *v, const struct hc_args *args)
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
