/* SPDX-License-Identifier: MIT */
/*
 * sched_op(cmd, arg). Any domain, unless a comment says otherwise; an unknown
 * command gives -ENOSYS, an unreadable argument -EFAULT.
 */
#pragma once

#include "hypercall_abi/abi.h"

enum {
    SCHEDOP_yield = 0, /* let others run; no argument; 0 */
    SCHEDOP_block = 1, /* unmask events, sleep until one; 0 */
    SCHEDOP_shutdown = 2,
    SCHEDOP_poll = 3,
    SCHEDOP_remote_shutdown = 4,
    SCHEDOP_shutdown_code = 5, /* not served */
    SCHEDOP_watchdog = 6,
    SCHEDOP_pin_override = 7
};

enum {
    SHUTDOWN_poweroff = 0,
    SHUTDOWN_reboot = 1,
    SHUTDOWN_suspend = 2, /* ready to be saved */
    SHUTDOWN_crash = 3,
    SHUTDOWN_watchdog = 4,   /* restart, a watchdog ran out */
    SHUTDOWN_soft_reset = 5, /* start anew without losing memory */
    SHUTDOWN_MAX = 5
};

#define SCHED_POLL_MAX_PORTS 128

/*
 * SCHEDOP_shutdown ends the domain, and comes back only from a suspend that is
 * cancelled: 1; its third argument, in rdx, is then the frame of start_info.
 * -EINVAL for an unknown reason.
 */
struct sched_shutdown_args {
    uint32_t reason; /* in:  SHUTDOWN_* */
};
ABI_SIZE(struct sched_shutdown_args, 4);

/*
 * SCHEDOP_poll: sleeps until one of the ports is pending, masked or not, or
 * the time has come. Does not touch the event mask, but needs no upcall.
 * 0; -EINVAL for too many ports or a bad one, -EFAULT.
 */
struct sched_poll_args {
    guest_va ports;    /* in:  evtchn_port_t[nr_ports] */
    uint32_t nr_ports; /* in:  0..SCHED_POLL_MAX_PORTS */
    uint32_t pad;
    uint64_t timeout; /* in:  absolute ns of system time, 0: none */
};
ABI_SIZE(struct sched_poll_args, 24);
ABI_AT(struct sched_poll_args, nr_ports, 8);
ABI_AT(struct sched_poll_args, pad, 12);
ABI_AT(struct sched_poll_args, timeout, 16);

/*
 * SCHEDOP_remote_shutdown: says that another domain has ended. dom0.
 * 0; -ESRCH for no such domain, -EPERM, -EINVAL.
 */
struct sched_remote_shutdown_args {
    domid_t domain_id; /* in:  not the caller */
    uint16_t pad;
    uint32_t reason; /* in:  SHUTDOWN_* */
};
ABI_SIZE(struct sched_remote_shutdown_args, 8);
ABI_AT(struct sched_remote_shutdown_args, pad, 2);
ABI_AT(struct sched_remote_shutdown_args, reason, 4);

/*
 * SCHEDOP_watchdog: with id 0, starts one and returns its id (above 0); with
 * an id, sets it anew, or stops it when timeout is 0: 0. A watchdog that runs
 * out ends the domain with SHUTDOWN_watchdog. -EINVAL for a bad id, -ENOSPC.
 */
struct sched_watchdog_args {
    uint32_t id;      /* in:  0, or what an earlier call returned */
    uint32_t timeout; /* in:  seconds from now */
};
ABI_SIZE(struct sched_watchdog_args, 8);
ABI_AT(struct sched_watchdog_args, timeout, 4);

/*
 * SCHEDOP_pin_override: ties the calling vCPU to a pCPU, a negative number
 * undoes it. dom0. 0; -EPERM, -EINVAL, -EBUSY, -ENOSYS where not served.
 */
struct sched_pin_override_args {
    int32_t pcpu; /* in */
};
ABI_SIZE(struct sched_pin_override_args, 4);
