/* SPDX-License-Identifier: MIT */
/*
 * Dispatch of hypercalls, and the rule for long ones: a loop over a
 * guest-chosen count asks hypercall_should_restart() after each step, leaves
 * its progress in the arguments, and returns hypercall_restart(). This works
 * the same inside a multicall, whose entry then takes up the new arguments.
 */
#pragma once

#include "core/types.h"
#include "hypercall_abi/abi.h"
#include "hypercall_abi/hypercall.h"

struct vcpu;

struct hc_args {
    uint64_t a[5];
};

/*
 * A hypercall: its result, for the guest's rax. `v` is the running vCPU, in
 * its kernel, and made the call itself.
 */
typedef long hypercall_handler(struct vcpu *v, const struct hc_args *args);

/* hc_<name> of each row. */
#define HYPERCALL(nr, name, count) hypercall_handler hc_##name;
#include "hypercall_abi/hypercalls.def"
#undef HYPERCALL

long hypercall_dispatch(struct vcpu *v, uint64_t nr,
                        const struct hc_args *args);

/*
 * A call by address whose further arguments, in a restart, say where it was:
 * an address that no caller can mean tells restarts from calls.
 */
#define HC_GOES_ON (1ull << 62) /* flipped in the address */

bool hypercall_goes_on(struct hc_args *args);
bool hypercall_should_restart(void);
must_check long hypercall_restart(struct vcpu *v, unsigned nr,
                                  const struct hc_args *args);

#define HC_ARG_VA(args, i) ((guest_va){(args)->a[i]})
