/* SPDX-License-Identifier: MIT */
/*
 * The machine and the hypervisor as a whole. Conventions of error.h and
 * control.h.
 */
#pragma once

#include "dom0_tools/lib/control.h"

struct control_version {
    unsigned major, minor;
    char extra[32];
    char compiler[64];
    char compiled_by[16];
    char compiled_at[32]; /* a host name */
    char compiled_on[32]; /* a date */
    char capabilities[1024];
    char changeset[64];
    char build_id[64];       /* in hexadecimal */
    char command_line[1024]; /* the hypervisor's own */
    uint64_t virt_start;     /* of its part of the address space */
    unsigned page_size;
};

struct control_machine {
    unsigned threads_per_core, cores_per_socket;
    unsigned cpus;    /* that are online */
    unsigned max_cpu; /* the highest number */
    unsigned nodes;
    unsigned cpu_khz;
    unsigned capabilities; /* XEN_SYSCTL_PHYSCAP_* of sysctl.h */
    uint64_t total_pages, free_pages, scrub_pages, outstanding_pages;
    uint32_t hardware_caps[8]; /* CPUID words, as the hypervisor sees them */
};

struct control_cpu_place {
    unsigned core, socket, node;
    bool is_present;
};

/* The pages of a new domain come from free_pages - outstanding_pages. */
int control_version(struct control *c, struct control_version *v,
                    struct error *e);
int control_machine(struct control *c, struct control_machine *m,
                    struct error *e);

/* Place of pCPUs 0 up to room - 1. The number of CPUs filled in, or -1. */
int control_cpu_places(struct control *c, struct control_cpu_place *places,
                       unsigned room, struct error *e);

/* Idle time in ns of pCPUs 0 up to room - 1. The number filled in, or -1. */
int control_cpu_idle_times(struct control *c, uint64_t *ns, unsigned room,
                           struct error *e);

/* The scheduler's number (XEN_SCHEDULER_* of sysctl.h). -1 on failure. */
int control_scheduler(struct control *c, struct error *e);

/* For how long a vCPU that wakes up leaves others their pCPU; 0: not at all. */
int control_rate_limit(struct control *c, unsigned *us, struct error *e);
int control_set_rate_limit(struct control *c, unsigned us, struct error *e);

/*
 * Reads the hypervisor's log: up to `size` bytes from *position on, a cursor
 * that starts at 0 and moves on. The number of bytes, 0 at the end, or -1.
 */
long control_read_log(struct control *c, uint32_t *position, char *text,
                      size_t size, struct error *e);

/* Empties the hypervisor's log. */
int control_clear_log(struct control *c, struct error *e);

/* Presses debug keys, as on the machine's console; the log has the answer. */
int control_debug_keys(struct control *c, const char *keys, struct error *e);
