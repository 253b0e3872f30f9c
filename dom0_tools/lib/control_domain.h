/* SPDX-License-Identifier: MIT */
/*
 * Creating, steering and looking at domains: typed forms of the domain
 * controls. Conventions of error.h and control.h; a domain that does not
 * exist is EXIT_STATUS_NO_DOMAIN everywhere.
 */
#pragma once

#include "dom0_tools/lib/control.h"
#include "hypercall_abi/vcpu.h"

#define CONTROL_HANDLE_SIZE 16

/* Asks control_domain_create() to choose an id. */
#define CONTROL_ANY_DOMAIN 0u

struct control_domain_options {
    domid_t domain; /* the id wanted, or CONTROL_ANY_DOMAIN */
    uint8_t handle[CONTROL_HANDLE_SIZE]; /* a UUID */
    unsigned max_vcpus;                  /* at least 1 */
    unsigned max_ports;                  /* event channels; 0: the default */
    unsigned max_grant_frames;           /* 0: the default */
    unsigned max_maptrack_frames;        /* 0: the default */
};

/* What a domain is doing. More than one may be set. */
enum {
    CONTROL_DOMAIN_DYING = 1u << 0,    /* being destroyed */
    CONTROL_DOMAIN_SHUTDOWN = 1u << 1, /* has ended; see shutdown_code */
    CONTROL_DOMAIN_PAUSED = 1u << 2,   /* by a tool */
    CONTROL_DOMAIN_BLOCKED = 1u << 3,  /* waits for an event */
    CONTROL_DOMAIN_RUNNING = 1u << 4,  /* a vCPU is on a pCPU */
    CONTROL_DOMAIN_DEBUGGED = 1u << 5,
};

struct control_domain {
    domid_t domain;
    unsigned flags;         /* CONTROL_DOMAIN_* */
    unsigned shutdown_code; /* SHUTDOWN_* (sched.h) with ..._SHUTDOWN */
    uint64_t pages;         /* that it has now */
    uint64_t max_pages;     /* that it may have */
    uint64_t shared_info_frame;
    uint64_t cpu_time; /* ns, of all its vCPUs */
    unsigned online_vcpus;
    unsigned max_vcpus;
    unsigned cpupool;
    uint8_t handle[CONTROL_HANDLE_SIZE];
};

struct control_vcpu {
    bool is_online, is_blocked, is_running;
    uint64_t cpu_time; /* ns */
    unsigned cpu;      /* where it runs or last ran */
};

struct control_sched_params {
    unsigned weight; /* share under contention; 256 is the default */
    unsigned cap;    /* percent of one pCPU at most; 0: no limit */
};

/* A set of pCPUs or vCPUs: bit n % 8 of byte n / 8. */
struct control_cpu_set {
    uint8_t *bits; /* the caller's, (count + 7) / 8 bytes */
    unsigned count;
};

/* Creates an empty, paused domain without memory. 0 with *domain. */
int control_domain_create(struct control *c,
                          const struct control_domain_options *options,
                          domid_t *domain, struct error *e);

/*
 * Destroys a domain and waits until all it owned is given back, as far as
 * nobody has its memory mapped any more. A domain that is gone is success.
 */
int control_domain_destroy(struct control *c, domid_t domain, struct error *e);

/* Pauses count: as many unpauses let it run again. */
int control_domain_pause(struct control *c, domid_t domain, struct error *e);
int control_domain_unpause(struct control *c, domid_t domain, struct error *e);

/* Makes a domain shut down with a SHUTDOWN_* code, whether it wants or not. */
int control_domain_shutdown(struct control *c, domid_t domain, unsigned code,
                            struct error *e);

/* 0 with *info; -1 with EXIT_STATUS_NO_DOMAIN if there is none. */
int control_domain_info(struct control *c, domid_t domain,
                        struct control_domain *info, struct error *e);

/*
 * Up to `room` domains with ids from `first` up, in order. The number found,
 * or -1. Fewer than `room` means there are no more.
 */
int control_domain_list(struct control *c, domid_t first, unsigned room,
                        struct control_domain *list, struct error *e);

int control_domain_set_max_memory(struct control *c, domid_t domain,
                                  uint64_t kib, struct error *e);
int control_domain_set_max_vcpus(struct control *c, domid_t domain,
                                 unsigned count, struct error *e);
int control_domain_set_handle(struct control *c, domid_t domain,
                              const uint8_t handle[CONTROL_HANDLE_SIZE],
                              struct error *e);

/*
 * Tells what a kernel says of itself, before the domain first runs:
 * MICA_KERNEL_* (domctl.h).
 */
int control_domain_set_kernel(struct control *c, domid_t domain, uint32_t flags,
                              struct error *e);

/* What a domain has had the hypervisor do so far. */
struct control_activity {
    uint64_t hypercalls; /* that it has made */
    uint64_t events;     /* that it was sent */
};

int control_domain_activity(struct control *c, domid_t domain,
                            struct control_activity *activity, struct error *e);

/* Fills a frame of the domain with the hypercall stubs. */
int control_domain_fill_hypercall_page(struct control *c, domid_t domain,
                                       uint64_t frame, struct error *e);

/* What the guest's wall clock differs from the machine's by. */
int control_domain_set_time_offset(struct control *c, domid_t domain,
                                   int64_t seconds, struct error *e);

/* With debugging on, a breakpoint pauses the domain for its debugger. */
int control_domain_set_debugging(struct control *c, domid_t domain,
                                 bool is_debugged, struct error *e);

/* Lets a domain use, or no longer use, machine resources. `count` from
 * `first`: interrupt lines, device frames, I/O ports. */
int control_domain_permit_irq(struct control *c, domid_t domain, unsigned irq,
                              bool is_allowed, struct error *e);
int control_domain_permit_frames(struct control *c, domid_t domain,
                                 uint64_t first, uint64_t count,
                                 bool is_allowed, struct error *e);
int control_domain_permit_ports(struct control *c, domid_t domain,
                                unsigned first, unsigned count, bool is_allowed,
                                struct error *e);

int control_domain_get_sched(struct control *c, domid_t domain,
                             struct control_sched_params *params,
                             struct error *e);
int control_domain_set_sched(struct control *c, domid_t domain,
                             const struct control_sched_params *params,
                             struct error *e);

/* EXIT_STATUS_USAGE for a vCPU that the domain can't have. */
int control_vcpu_info(struct control *c, domid_t domain, unsigned vcpu,
                      struct control_vcpu *info, struct error *e);

/*
 * Where a vCPU must (hard) and should (soft) run. NULL leaves that part
 * alone. The set answers with what is in force, which may be less.
 */
int control_vcpu_get_affinity(struct control *c, domid_t domain, unsigned vcpu,
                              struct control_cpu_set *hard,
                              struct control_cpu_set *soft, struct error *e);
int control_vcpu_set_affinity(struct control *c, domid_t domain, unsigned vcpu,
                              struct control_cpu_set *hard,
                              struct control_cpu_set *soft, struct error *e);

/* All registers of a vCPU; the domain should be paused. */
int control_vcpu_get_context(struct control *c, domid_t domain, unsigned vcpu,
                             struct vcpu_guest_context *context,
                             struct error *e);
int control_vcpu_set_context(struct control *c, domid_t domain, unsigned vcpu,
                             const struct vcpu_guest_context *context,
                             struct error *e);
