/* SPDX-License-Identifier: MIT */
/*
 * How long hypercalls make way (hypercall.h). A call on its own is issued
 * again by the vCPU itself; of an entry of a multicall the new arguments go
 * into that entry.
 */
#include "core/hypercall.h"

#include "core/arch.h"
#include "core/guest_copy.h"
#include "core/pcpu.h"
#include "core/vcpu.h"
#include "hypercall_abi/multicall.h"

/* How long a call may keep the pCPU from interrupts and other vCPUs. */
#define CALL_BUDGET (500 * NSEC_PER_US)

/*
 * Whether a long call should make way now. A caller has got at least one step
 * further since the guest issued the call, or it would never end. The clock
 * starts at the first question: most calls never ask.
 */
bool hypercall_should_restart(void)
{
    struct pcpu *cpu = this_pcpu();

    if (__atomic_load_n(&cpu->need_resched, __ATOMIC_RELAXED))
        return true;
    if (!cpu->entered_at) {
        cpu->entered_at = arch_now();
        return false;
    }
    return arch_now() - cpu->entered_at > CALL_BUDGET;
}

/*
 * Makes the running vCPU issue this call again, as hypercall `nr` with `args`.
 * The handler returns what this returns.
 */
long hypercall_restart(struct vcpu *v, unsigned nr, const struct hc_args *args)
{
    struct vcpu *caller =
        current_vcpu(); /* `v` may be whom the call is about */

    if (caller->entry) {
        caller->entry->op = nr;
        memcpy(caller->entry->args, args->a, sizeof(args->a));
        caller->entry = NULL;
    } else {
        arch_hypercall_restart(v, nr, args);
    }
    return (long)nr;
}

/*
 * Whether a call whose first argument is an address is the restart of one, with
 * HC_GOES_ON in that address, which then is as the caller gave it. The other
 * arguments are what the restart says, or what a kernel has made up.
 */
bool hypercall_goes_on(struct hc_args *args)
{
    uint64_t plain = args->a[0] ^ HC_GOES_ON;

    if (!va_is_canonical(plain))
        return false;
    args->a[0] = plain;
    return true;
}
