/* SPDX-License-Identifier: MIT */
/*
 * domctl and sysctl. A table says of each command what it wants; what all have
 * in common is done in one place: whether the caller may, copying the argument
 * in, finding the domain, going on after a restart, copying the answer out.
 *
 * Commands about a domain run under the domctl lock, outermost of all: so the
 * tools change one domain at a time, and what one command has paused no other
 * lets go. Only dom0's vCPUs take it, and no command waits for one of those.
 */
#pragma once

#include "core/hypercall.h"
#include "core/types.h"
#include "hypercall_abi/domctl.h"
#include "hypercall_abi/sysctl.h"

struct domain;
struct vcpu;

/* What a command wants of the domain it names, and leaves in the argument. */
enum {
    ANSWERS = 1,   /* the argument is copied out after 0 or -ENOBUFS */
    MACHINE = 2,   /* is about no domain, and runs without the lock */
    NO_DOMAIN = 4, /* looks for the domain itself */
    OTHERS = 8,    /* not for the caller's own domain */
    LIVING = 16,   /* not for one that is dying */
    VCPU = 32,     /* on the vCPU whose number its argument begins with */
    PAUSED = 64,   /* while nothing of the domain, another's, runs */
};

/* One call: the command, copied in, and what it names. */
struct control {
    struct vcpu *caller;
    struct domain *d; /* with a reference; NULL where none is to exist */
    struct vcpu *v;   /* the one of that domain which the argument names */
    uint64_t kept[2]; /* over a restart; 0 at first. [0] is the serial of *d */
    guest_va arg;     /* where the argument came from */
    union {
        struct xen_domctl op;
        struct xen_sysctl system;
    };
};

/* 0, -Exxx, or -ERESTART to be called again with the same argument. */
typedef long control_handler(struct control *c);

struct command {
    uint32_t number;
    control_handler *handler;
    unsigned flags;
};

must_check long control_run(struct vcpu *v, const struct hc_args *args,
                            unsigned nr, const struct command *commands,
                            size_t count);

/* domctl_vcpu.c */
control_handler domctl_setvcpucontext, domctl_getvcpucontext,
    domctl_getvcpuinfo, domctl_vcpuaffinity, domctl_scheduler_op,
    domctl_gdbsx_guestmemio, domctl_gdbsx_pausevcpu, domctl_gdbsx_unpausevcpu;
