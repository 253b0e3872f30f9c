/* SPDX-License-Identifier: MIT */
/*
 * event_channel_op(cmd, arg). Any domain acts on its own ports; a `dom` that
 * is neither DOMID_SELF nor the caller's id is for dom0, others get -EPERM.
 * Common errors: -ENOSYS unknown command, -EFAULT unreadable or unwritable
 * argument, -EINVAL port or number out of range, -ENOSPC no free port,
 * -ESRCH no such domain, -ENOENT no such vCPU.
 */
#pragma once

#include "hypercall_abi/abi.h"

enum {
    EVTCHNOP_bind_interdomain = 0,
    EVTCHNOP_bind_virq = 1,
    EVTCHNOP_bind_pirq = 2,
    EVTCHNOP_close = 3,
    EVTCHNOP_send = 4,
    EVTCHNOP_status = 5,
    EVTCHNOP_alloc_unbound = 6,
    EVTCHNOP_bind_ipi = 7,
    EVTCHNOP_bind_vcpu = 8,
    EVTCHNOP_unmask = 9,
    EVTCHNOP_reset = 10,
    EVTCHNOP_init_control = 11,
    EVTCHNOP_expand_array = 12,
    EVTCHNOP_set_priority = 13
};

/* The two-level ABI has this many ports, 0 .. 4095. */
#define EVTCHN_2L_NR_CHANNELS 4096

/* Virtual interrupts. V: one per vCPU; G: one per machine, for dom0. */
enum {
    VIRQ_TIMER = 0,      /* V  a timer of the vCPU has run out */
    VIRQ_DEBUG = 1,      /* V  print your state, please */
    VIRQ_CONSOLE = 2,    /* G  the console has input */
    VIRQ_DOM_EXC = 3,    /* G  a domain has ended or stopped */
    VIRQ_TBUF = 4,       /* G  the trace buffer has records */
    VIRQ_DEBUGGER = 6,   /* G  a domain stopped for its debugger */
    VIRQ_XENOPROF = 7,   /* V  profiling, not used */
    VIRQ_CON_RING = 8,   /* G  the console has output */
    VIRQ_PCPU_STATE = 9, /* G  a pCPU came or went */
    VIRQ_MEM_EVENT = 10, /* G  not used */
    VIRQ_ARGO = 11,      /* G  not used */
    VIRQ_ENOMEM = 12,    /* G  machine memory runs low */
    VIRQ_XENPMU = 13,    /* V  performance counter */
    VIRQ_ARCH_0 = 16,
    VIRQ_MCA = VIRQ_ARCH_0, /* G  machine-check record */
    VIRQ_ARCH_7 = 23,
    NR_VIRQS = 24
};

/*
 * EVTCHNOP_alloc_unbound: a port of `dom` that remote_dom may bind to.
 * -EPERM when dom is not the caller and the caller is not dom0.
 */
struct evtchn_alloc_unbound_args {
    domid_t dom;        /* in:  owner of the port */
    domid_t remote_dom; /* in:  who may bind, or DOMID_SELF */
    evtchn_port_t port; /* out: the new port */
};
ABI_SIZE(struct evtchn_alloc_unbound_args, 8);
ABI_AT(struct evtchn_alloc_unbound_args, remote_dom, 2);
ABI_AT(struct evtchn_alloc_unbound_args, port, 4);

/*
 * EVTCHNOP_bind_interdomain: a port joined to one that remote_dom has left
 * unbound for the caller. -EINVAL when there is none.
 */
struct evtchn_bind_interdomain_args {
    domid_t remote_dom; /* in:  may be the caller */
    uint16_t pad;
    evtchn_port_t remote_port; /* in:  unbound, for the caller */
    evtchn_port_t local_port;  /* out: the new port */
};
ABI_SIZE(struct evtchn_bind_interdomain_args, 12);
ABI_AT(struct evtchn_bind_interdomain_args, pad, 2);
ABI_AT(struct evtchn_bind_interdomain_args, remote_port, 4);
ABI_AT(struct evtchn_bind_interdomain_args, local_port, 8);

/*
 * EVTCHNOP_bind_virq: a port for a virtual interrupt. A global one belongs to
 * vCPU 0 (-EINVAL otherwise) and to dom0 (-EPERM otherwise). -EEXIST when the
 * caller has it already, -EBUSY when another domain has.
 */
struct evtchn_bind_virq_args {
    uint32_t virq;      /* in:  VIRQ_* */
    uint32_t vcpu;      /* in:  a vCPU of the caller */
    evtchn_port_t port; /* out: the new port */
};
ABI_SIZE(struct evtchn_bind_virq_args, 12);
ABI_AT(struct evtchn_bind_virq_args, vcpu, 4);
ABI_AT(struct evtchn_bind_virq_args, port, 8);

#define BIND_PIRQ__WILL_SHARE 0x1u /* others may bind it as well */

/*
 * EVTCHNOP_bind_pirq: a port for a physical interrupt that PHYSDEVOP_map_pirq
 * gave to the caller; notified on vCPU 0 at first. Domains with devices.
 * -EPERM for a pirq that is not the caller's, -EEXIST when it is bound.
 */
struct evtchn_bind_pirq_args {
    uint32_t pirq;      /* in */
    uint32_t flags;     /* in:  BIND_PIRQ__* */
    evtchn_port_t port; /* out: the new port */
};
ABI_SIZE(struct evtchn_bind_pirq_args, 12);
ABI_AT(struct evtchn_bind_pirq_args, flags, 4);
ABI_AT(struct evtchn_bind_pirq_args, port, 8);

/* EVTCHNOP_bind_ipi: a port with which the caller interrupts its own vCPU. */
struct evtchn_bind_ipi_args {
    uint32_t vcpu;      /* in:  a vCPU of the caller */
    evtchn_port_t port; /* out: its new port */
};
ABI_SIZE(struct evtchn_bind_ipi_args, 8);
ABI_AT(struct evtchn_bind_ipi_args, port, 4);

/*
 * EVTCHNOP_close: frees a port; the other end of an interdomain channel
 * becomes unbound. -EINVAL for a port that is closed or is the hypervisor's.
 */
struct evtchn_close_args {
    evtchn_port_t port; /* in */
};
ABI_SIZE(struct evtchn_close_args, 4);

/*
 * EVTCHNOP_send: makes the other end of an interdomain port, or an IPI port
 * itself, pending. 0 also for an unbound port; -EINVAL for any other kind.
 */
struct evtchn_send_args {
    evtchn_port_t port; /* in */
};
ABI_SIZE(struct evtchn_send_args, 4);

enum {
    EVTCHNSTAT_closed = 0,
    EVTCHNSTAT_unbound = 1,
    EVTCHNSTAT_interdomain = 2,
    EVTCHNSTAT_pirq = 3,
    EVTCHNSTAT_virq = 4,
    EVTCHNSTAT_ipi = 5
};

struct evtchn_status_unbound {
    domid_t dom; /* out: who may bind, DOMID_SELF: the owner */
};
ABI_SIZE(struct evtchn_status_unbound, 2);

struct evtchn_status_interdomain {
    domid_t dom; /* out: owner of the other end */
    uint16_t pad;
    evtchn_port_t port; /* out: the other end */
};
ABI_SIZE(struct evtchn_status_interdomain, 8);
ABI_AT(struct evtchn_status_interdomain, pad, 2);
ABI_AT(struct evtchn_status_interdomain, port, 4);

/* EVTCHNOP_status: what a port is. -EPERM for another domain's port. */
struct evtchn_status_args {
    domid_t dom; /* in:  owner of the port */
    uint16_t pad;
    evtchn_port_t port; /* in */
    uint32_t status;    /* out: EVTCHNSTAT_* */
    uint32_t vcpu;      /* out: the vCPU it notifies */
    union {
        struct evtchn_status_unbound unbound;
        struct evtchn_status_interdomain interdomain;
        uint32_t pirq; /* out */
        uint32_t virq; /* out: VIRQ_* */
    } u;               /* out: by status */
};
ABI_SIZE(struct evtchn_status_args, 24);
ABI_AT(struct evtchn_status_args, pad, 2);
ABI_AT(struct evtchn_status_args, port, 4);
ABI_AT(struct evtchn_status_args, status, 8);
ABI_AT(struct evtchn_status_args, vcpu, 12);
ABI_AT(struct evtchn_status_args, u, 16);

/*
 * EVTCHNOP_bind_vcpu: moves a port to a vCPU. -EINVAL for IPIs and for
 * per-vCPU virtual interrupts, which stay where they were bound.
 */
struct evtchn_bind_vcpu_args {
    evtchn_port_t port; /* in */
    uint32_t vcpu;      /* in:  a vCPU of the caller */
};
ABI_SIZE(struct evtchn_bind_vcpu_args, 8);
ABI_AT(struct evtchn_bind_vcpu_args, vcpu, 4);

/* EVTCHNOP_unmask: clears the mask bit; a pending port notifies at once. */
struct evtchn_unmask_args {
    evtchn_port_t port; /* in */
};
ABI_SIZE(struct evtchn_unmask_args, 4);

/* EVTCHNOP_reset: closes every port of a domain. -EPERM for another's. */
struct evtchn_reset_args {
    domid_t dom; /* in */
};
ABI_SIZE(struct evtchn_reset_args, 2);

/*
 * EVTCHNOP_init_control: selects the FIFO ABI and places a vCPU's control
 * block. -ENOSYS where only the two-level ABI is served: the guest then uses
 * that one.
 */
struct evtchn_init_control_args {
    uint64_t control_gfn; /* in:  frame of the control block */
    uint32_t offset;      /* in:  bytes into it, a multiple of 8 */
    uint32_t vcpu;        /* in */
    uint8_t link_bits;    /* out: width of a link, in bits */
    uint8_t pad[7];
};
ABI_SIZE(struct evtchn_init_control_args, 24);
ABI_AT(struct evtchn_init_control_args, offset, 8);
ABI_AT(struct evtchn_init_control_args, vcpu, 12);
ABI_AT(struct evtchn_init_control_args, link_bits, 16);
ABI_AT(struct evtchn_init_control_args, pad, 17);

/* EVTCHNOP_expand_array: one more page of FIFO words. -ENOSYS as above. */
struct evtchn_expand_array_args {
    uint64_t array_gfn; /* in */
};
ABI_SIZE(struct evtchn_expand_array_args, 8);

#define EVTCHN_FIFO_PRIORITY_MAX 0
#define EVTCHN_FIFO_PRIORITY_DEFAULT 7
#define EVTCHN_FIFO_PRIORITY_MIN 15

/* EVTCHNOP_set_priority: for the FIFO ABI. -ENOSYS as above. */
struct evtchn_set_priority_args {
    evtchn_port_t port; /* in */
    uint32_t priority;  /* in:  0 (highest) .. 15 */
};
ABI_SIZE(struct evtchn_set_priority_args, 8);
ABI_AT(struct evtchn_set_priority_args, priority, 4);
