/* SPDX-License-Identifier: MIT */
/*
 * domctl. domctl.c has the table of commands, finds what a command is about,
 * and holds the domctl lock, outermost of all, while it runs: so the tools
 * change one domain at a time, and what one command has paused no other lets
 * go. Only dom0's vCPUs take it, and no command waits for one of those.
 */
#pragma once

#include "core/types.h"
#include "hypercall_abi/domctl.h"

struct domain;
struct vcpu;

/* One call: the command, copied in, and what it names. */
struct domctl {
    struct vcpu *caller;
    struct domain *d; /* with a reference; NULL where none is to exist */
    struct vcpu *v;   /* of a command on one vCPU */
    uint64_t serial;  /* of that domain; on a restart, which it was; else 0 */
    guest_va arg;     /* where *op came from */
    struct xen_domctl op;
};

/*
 * A command: 0, -Exxx, or -ERESTART to be called again with the same
 * argument. `op` is copied out after a 0 if the table says so.
 */
typedef long domctl_handler(struct domctl *c);

/* domctl_domain.c: what a domain has and is */
domctl_handler domctl_createdomain, domctl_max_vcpus, domctl_getdomaininfo,
    domctl_getpageframeinfo3, domctl_scheduler_op, domctl_mica_get_activity,
    domctl_irq_permission, domctl_iomem_permission, domctl_ioport_permission,
    domctl_hypercall_init;

/* domctl_vcpu.c: its vCPUs, and debugging it */
domctl_handler domctl_setvcpucontext, domctl_getvcpucontext, domctl_getvcpuinfo,
    domctl_setvcpuaffinity, domctl_getvcpuaffinity, domctl_gdbsx_guestmemio,
    domctl_gdbsx_pausevcpu, domctl_gdbsx_unpausevcpu;
