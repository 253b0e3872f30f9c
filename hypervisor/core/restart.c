/* SPDX-License-Identifier: MIT */
/*
 * How long hypercalls make way (hypercall.h). A call on its own is issued
 * again by the vCPU itself; an entry of a multicall hands its arguments to
 * multicall.c, which keeps them in the guest's list.
 */
#include "core/hypercall.h"

#include "core/arch.h"
#include "core/guest_copy.h"
#include "core/pcpu.h"

/* How long a call may keep the pCPU from interrupts and other vCPUs. */
#define CALL_BUDGET (500 * NSEC_PER_US)

/* The multicall entry that runs on a pCPU. */
static struct entry {
    bool is_active;
    bool is_restarted;
    unsigned nr;         /* if is_restarted: the call with which */
    struct hc_args args; /* and the arguments with which it goes on */
} entries[MAX_PCPUS];

static struct entry *this_entry(void)
{
    return &entries[this_pcpu()->id];
}

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
    struct entry *entry = this_entry();

    if (entry->is_active) {
        entry->is_restarted = true;
        entry->nr = nr;
        entry->args = *args;
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

/* The call that follows, until hypercall_entry_end, is a multicall's entry. */
void hypercall_entry_begin(void)
{
    struct entry *entry = this_entry();

    entry->is_active = true;
    entry->is_restarted = false;
}

/*
 * Ends hypercall_entry_begin. Whether the call wants to be restarted: *nr and
 * *args then are what it goes on with, and its result means nothing.
 */
bool hypercall_entry_end(uint64_t *nr, struct hc_args *args)
{
    struct entry *entry = this_entry();

    entry->is_active = false;
    if (entry->is_restarted) {
        *nr = entry->nr;
        *args = entry->args;
    }
    return entry->is_restarted;
}
