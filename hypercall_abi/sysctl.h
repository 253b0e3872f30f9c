/* SPDX-License-Identifier: MIT */
/*
 * sysctl(struct xen_sysctl *): what dom0's tools ask of the machine as a
 * whole. dom0 only: -EPERM for others. -EACCES when interface_version is
 * another one, -ENOSYS for a command not served, -EOPNOTSUPP for one that is
 * refused, -EFAULT, -EINVAL. Part of the control ABI; docs/control-abi.md
 * says what Mica serves of it.
 *
 * Lists are arrays of the caller's. Where the comment says so, address 0 asks
 * how long one would be.
 */
#pragma once

#include "hypercall_abi/abi.h"
#include "hypercall_abi/domctl.h"

#define XEN_SYSCTL_INTERFACE_VERSION 0x15u

enum {
    XEN_SYSCTL_readconsole = 1,
    XEN_SYSCTL_tbuf_op = 2, /* not served */
    XEN_SYSCTL_physinfo = 3,
    XEN_SYSCTL_sched_id = 4,
    XEN_SYSCTL_perfc_op = 5, /* not served */
    XEN_SYSCTL_getdomaininfolist = 6,
    XEN_SYSCTL_debug_keys = 7,
    XEN_SYSCTL_getcpuinfo = 8,
    XEN_SYSCTL_availheap = 9,        /* not served */
    XEN_SYSCTL_get_pmstat = 10,      /* not served */
    XEN_SYSCTL_cpu_hotplug = 11,     /* not served */
    XEN_SYSCTL_pm_op = 12,           /* not served */
    XEN_SYSCTL_page_offline_op = 14, /* not served */
    XEN_SYSCTL_lockprof_op = 15,     /* not served */
    XEN_SYSCTL_cputopoinfo = 16,
    XEN_SYSCTL_numainfo = 17,
    XEN_SYSCTL_cpupool_op = 18,
    XEN_SYSCTL_scheduler_op = 19,
    XEN_SYSCTL_coverage_op = 20, /* not served */
    XEN_SYSCTL_psr_cmt_op = 21,  /* not served */
    XEN_SYSCTL_pcitopoinfo = 22,
    XEN_SYSCTL_psr_alloc = 23,              /* not served */
    XEN_SYSCTL_get_cpu_levelling_caps = 25, /* not served */
    XEN_SYSCTL_get_cpu_featureset = 26,
    XEN_SYSCTL_livepatch_op = 27, /* not served */
    XEN_SYSCTL_get_cpu_policy = 29
};

/*
 * XEN_SYSCTL_readconsole: text of Mica's log, the oldest first. `index` counts
 * the bytes ever logged; text that is gone is skipped. To read on, call again
 * with `incremental` and the index returned, until count is 0. 0.
 */
struct xen_sysctl_readconsole {
    uint8_t clear;       /* in:  not 0: forget the log afterwards */
    uint8_t incremental; /* in:  not 0: start at index, else at the oldest */
    uint8_t pad0;
    uint8_t pad1;
    uint32_t index;  /* in, out: of the next byte */
    guest_va buffer; /* in:  char[count] */
    uint32_t count;  /* in: room; out: bytes written */
    uint32_t pad2;
};
ABI_SIZE(struct xen_sysctl_readconsole, 24);
ABI_AT(struct xen_sysctl_readconsole, incremental, 1);
ABI_AT(struct xen_sysctl_readconsole, pad0, 2);
ABI_AT(struct xen_sysctl_readconsole, pad1, 3);
ABI_AT(struct xen_sysctl_readconsole, index, 4);
ABI_AT(struct xen_sysctl_readconsole, buffer, 8);
ABI_AT(struct xen_sysctl_readconsole, count, 16);
ABI_AT(struct xen_sysctl_readconsole, pad2, 20);

/* xen_sysctl_physinfo.capabilities. */
#define XEN_SYSCTL_PHYSCAP_hvm 0x1u
#define XEN_SYSCTL_PHYSCAP_pv 0x2u
#define XEN_SYSCTL_PHYSCAP_directio 0x4u
#define XEN_SYSCTL_PHYSCAP_hap 0x8u
#define XEN_SYSCTL_PHYSCAP_shadow 0x10u
#define XEN_SYSCTL_PHYSCAP_iommu_hap_pt_share 0x20u
#define XEN_SYSCTL_PHYSCAP_vmtrace 0x40u
#define XEN_SYSCTL_PHYSCAP_vpmu 0x80u
#define XEN_SYSCTL_PHYSCAP_gnttab_v1 0x100u
#define XEN_SYSCTL_PHYSCAP_gnttab_v2 0x200u

/* XEN_SYSCTL_physinfo: the machine. 0. */
struct xen_sysctl_physinfo {
    uint32_t threads_per_core;  /* out */
    uint32_t cores_per_socket;  /* out */
    uint32_t nr_cpus;           /* out: online */
    uint32_t max_cpu_id;        /* out: the highest number of a pCPU */
    uint32_t nr_nodes;          /* out: 1 */
    uint32_t max_node_id;       /* out: 0 */
    uint32_t cpu_khz;           /* out: of the time stamp counter */
    uint32_t capabilities;      /* out: XEN_SYSCTL_PHYSCAP_* */
    uint32_t arch_capabilities; /* out: 0 */
    uint32_t pad;
    uint64_t total_pages;       /* out: RAM, Mica's own included */
    uint64_t free_pages;        /* out: for new domains */
    uint64_t scrub_pages;       /* out: 0: frames are cleaned when given */
    uint64_t outstanding_pages; /* out: 0 */
    uint64_t max_mfn;           /* out: the highest frame of RAM */
    uint32_t hw_cap[8];         /* out: the first words of the featureset */
};
ABI_SIZE(struct xen_sysctl_physinfo, 112);
ABI_AT(struct xen_sysctl_physinfo, cores_per_socket, 4);
ABI_AT(struct xen_sysctl_physinfo, nr_cpus, 8);
ABI_AT(struct xen_sysctl_physinfo, max_cpu_id, 12);
ABI_AT(struct xen_sysctl_physinfo, nr_nodes, 16);
ABI_AT(struct xen_sysctl_physinfo, max_node_id, 20);
ABI_AT(struct xen_sysctl_physinfo, cpu_khz, 24);
ABI_AT(struct xen_sysctl_physinfo, capabilities, 28);
ABI_AT(struct xen_sysctl_physinfo, arch_capabilities, 32);
ABI_AT(struct xen_sysctl_physinfo, pad, 36);
ABI_AT(struct xen_sysctl_physinfo, total_pages, 40);
ABI_AT(struct xen_sysctl_physinfo, free_pages, 48);
ABI_AT(struct xen_sysctl_physinfo, scrub_pages, 56);
ABI_AT(struct xen_sysctl_physinfo, outstanding_pages, 64);
ABI_AT(struct xen_sysctl_physinfo, max_mfn, 72);
ABI_AT(struct xen_sysctl_physinfo, hw_cap, 80);

/* XEN_SYSCTL_sched_id. 0. */
struct xen_sysctl_sched_id {
    uint32_t sched_id; /* out: XEN_SCHEDULER_CREDIT2 (domctl.h) */
};
ABI_SIZE(struct xen_sysctl_sched_id, 4);

/* XEN_SYSCTL_getdomaininfolist: the domains from a number up, by number. 0. */
struct xen_sysctl_getdomaininfolist {
    domid_t first_domain; /* in */
    uint16_t pad;
    uint32_t max_domains; /* in:  room in the list */
    guest_va buffer;      /* in:  struct xen_domctl_getdomaininfo[] */
    uint32_t num_domains; /* out: how many there are now */
    uint32_t pad2;
};
ABI_SIZE(struct xen_sysctl_getdomaininfolist, 24);
ABI_AT(struct xen_sysctl_getdomaininfolist, pad, 2);
ABI_AT(struct xen_sysctl_getdomaininfolist, max_domains, 4);
ABI_AT(struct xen_sysctl_getdomaininfolist, buffer, 8);
ABI_AT(struct xen_sysctl_getdomaininfolist, num_domains, 16);
ABI_AT(struct xen_sysctl_getdomaininfolist, pad2, 20);

/* XEN_SYSCTL_debug_keys: as if pressed on Mica's side of the console. 0. */
struct xen_sysctl_debug_keys {
    guest_va keys;    /* in:  char[nr_keys] */
    uint32_t nr_keys; /* in:  at most 64 */
    uint32_t pad;
};
ABI_SIZE(struct xen_sysctl_debug_keys, 16);
ABI_AT(struct xen_sysctl_debug_keys, nr_keys, 8);
ABI_AT(struct xen_sysctl_debug_keys, pad, 12);

struct xen_sysctl_cpuinfo {
    uint64_t idletime; /* out: nanoseconds without a vCPU to run */
};
ABI_SIZE(struct xen_sysctl_cpuinfo, 8);

/* XEN_SYSCTL_getcpuinfo. 0. */
struct xen_sysctl_getcpuinfo {
    uint32_t max_cpus; /* in:  room in the list */
    uint32_t pad;
    guest_va info;    /* in:  struct xen_sysctl_cpuinfo[] */
    uint32_t nr_cpus; /* out: how many were written */
    uint32_t pad2;
};
ABI_SIZE(struct xen_sysctl_getcpuinfo, 24);
ABI_AT(struct xen_sysctl_getcpuinfo, pad, 4);
ABI_AT(struct xen_sysctl_getcpuinfo, info, 8);
ABI_AT(struct xen_sysctl_getcpuinfo, nr_cpus, 16);
ABI_AT(struct xen_sysctl_getcpuinfo, pad2, 20);

#define XEN_INVALID_CORE_ID (~0u)
#define XEN_INVALID_SOCKET_ID (~0u)
#define XEN_INVALID_NODE_ID (~0u)

struct xen_sysctl_cputopo {
    uint32_t core;   /* out: XEN_INVALID_CORE_ID: not online */
    uint32_t socket; /* out */
    uint32_t node;   /* out: 0 */
};
ABI_SIZE(struct xen_sysctl_cputopo, 12);
ABI_AT(struct xen_sysctl_cputopo, socket, 4);
ABI_AT(struct xen_sysctl_cputopo, node, 8);

/*
 * XEN_SYSCTL_cputopoinfo: where pCPUs are; a shorter list gets the first of
 * them. 0.
 */
struct xen_sysctl_cputopoinfo {
    uint32_t num_cpus; /* in: room; out: how many there are */
    uint32_t pad;
    guest_va cputopo; /* in:  struct xen_sysctl_cputopo[], or 0 */
};
ABI_SIZE(struct xen_sysctl_cputopoinfo, 16);
ABI_AT(struct xen_sysctl_cputopoinfo, pad, 4);
ABI_AT(struct xen_sysctl_cputopoinfo, cputopo, 8);

struct xen_sysctl_meminfo {
    uint64_t memsize; /* out: bytes */
    uint64_t memfree; /* out: bytes */
};
ABI_SIZE(struct xen_sysctl_meminfo, 16);
ABI_AT(struct xen_sysctl_meminfo, memfree, 8);

/* XEN_SYSCTL_numainfo: all memory is one node. 0. */
struct xen_sysctl_numainfo {
    uint32_t num_nodes; /* in: room; out: 1 */
    uint32_t pad;
    guest_va meminfo;  /* in:  struct xen_sysctl_meminfo[], or 0 */
    guest_va distance; /* in:  uint32_t[num_nodes squared], or 0 */
};
ABI_SIZE(struct xen_sysctl_numainfo, 24);
ABI_AT(struct xen_sysctl_numainfo, pad, 4);
ABI_AT(struct xen_sysctl_numainfo, meminfo, 8);
ABI_AT(struct xen_sysctl_numainfo, distance, 16);

/* XEN_SYSCTL_pcitopoinfo: the nodes of PCI devices, there being one. 0. */
struct xen_sysctl_pcitopoinfo {
    uint32_t num_devs; /* in, out: the first so many are done */
    uint32_t pad;
    guest_va devs;  /* not used */
    guest_va nodes; /* in:  uint32_t[], gets 0 each */
};
ABI_SIZE(struct xen_sysctl_pcitopoinfo, 24);
ABI_AT(struct xen_sysctl_pcitopoinfo, pad, 4);
ABI_AT(struct xen_sysctl_pcitopoinfo, devs, 8);
ABI_AT(struct xen_sysctl_pcitopoinfo, nodes, 16);

enum {
    XEN_SYSCTL_CPUPOOL_OP_CREATE = 1,  /* refused */
    XEN_SYSCTL_CPUPOOL_OP_DESTROY = 2, /* refused */
    XEN_SYSCTL_CPUPOOL_OP_INFO = 3,
    XEN_SYSCTL_CPUPOOL_OP_ADDCPU = 4, /* refused */
    XEN_SYSCTL_CPUPOOL_OP_RMCPU = 5,  /* refused */
    XEN_SYSCTL_CPUPOOL_OP_MOVEDOMAIN = 6,
    XEN_SYSCTL_CPUPOOL_OP_FREEINFO = 7
};
#define XEN_SYSCTL_CPUPOOL_PAR_ANY 0xffffffffu

/*
 * XEN_SYSCTL_cpupool_op: all pCPUs and all domains are in pool 0. INFO tells
 * of it, FREEINFO which pCPUs are in none, MOVEDOMAIN knows one place. 0;
 * -ENOENT beyond pool 0, -EOPNOTSUPP for the others.
 */
struct xen_sysctl_cpupool_op {
    uint32_t op;                 /* in:  XEN_SYSCTL_CPUPOOL_OP_* */
    uint32_t cpupool_id;         /* in: INFO, MOVEDOMAIN; out: INFO */
    uint32_t sched_id;           /* out: INFO: XEN_SCHEDULER_* */
    uint32_t domid;              /* in:  MOVEDOMAIN */
    uint32_t cpu;                /* not used */
    uint32_t n_dom;              /* out: INFO: domains in it */
    struct xenctl_bitmap cpumap; /* in:  INFO, FREEINFO: gets the pCPUs */
};
ABI_SIZE(struct xen_sysctl_cpupool_op, 40);
ABI_AT(struct xen_sysctl_cpupool_op, cpupool_id, 4);
ABI_AT(struct xen_sysctl_cpupool_op, sched_id, 8);
ABI_AT(struct xen_sysctl_cpupool_op, domid, 12);
ABI_AT(struct xen_sysctl_cpupool_op, cpu, 16);
ABI_AT(struct xen_sysctl_cpupool_op, n_dom, 20);
ABI_AT(struct xen_sysctl_cpupool_op, cpumap, 24);

enum { XEN_SYSCTL_SCHEDOP_putinfo = 0, XEN_SYSCTL_SCHEDOP_getinfo = 1 };

/* Limits of ratelimit_us that are not 0. */
#define XEN_SYSCTL_SCHED_RATELIMIT_MIN 100u
#define XEN_SYSCTL_SCHED_RATELIMIT_MAX 500000u

struct xen_sysctl_credit2_schedule {
    uint32_t ratelimit_us; /* in, out: for how long who wakes up does not take
                              a processor from others; 0: need not wait */
};
ABI_SIZE(struct xen_sysctl_credit2_schedule, 4);

/*
 * XEN_SYSCTL_scheduler_op. 0; -EINVAL for another scheduler or a limit out of
 * range, -ESRCH.
 */
struct xen_sysctl_scheduler_op {
    uint32_t cpupool_id; /* in:  must be 0, else -ESRCH */
    uint32_t sched_id;   /* in:  XEN_SCHEDULER_CREDIT2 */
    uint32_t cmd;        /* in:  XEN_SYSCTL_SCHEDOP_* */
    uint32_t pad;
    union {
        struct xen_sysctl_credit2_schedule sched_credit2;
        uint64_t pad[2];
    } u;
};
ABI_SIZE(struct xen_sysctl_scheduler_op, 32);
ABI_AT(struct xen_sysctl_scheduler_op, sched_id, 4);
ABI_AT(struct xen_sysctl_scheduler_op, cmd, 8);
ABI_AT(struct xen_sysctl_scheduler_op, pad, 12);
ABI_AT(struct xen_sysctl_scheduler_op, u, 16);

/* XEN_SYSCTL_get_cpu_levelling_caps: how CPUID can be masked. Not served. */
struct xen_sysctl_cpu_levelling_caps {
    uint32_t caps;
};
ABI_SIZE(struct xen_sysctl_cpu_levelling_caps, 4);

enum {
    XEN_SYSCTL_cpu_featureset_raw = 0,
    XEN_SYSCTL_cpu_featureset_host = 1,
    XEN_SYSCTL_cpu_featureset_pv = 2,
    XEN_SYSCTL_cpu_featureset_hvm = 3, /* -EOPNOTSUPP */
    XEN_SYSCTL_cpu_featureset_pv_max = 4,
    XEN_SYSCTL_cpu_featureset_hvm_max = 5 /* -EOPNOTSUPP */
};

/*
 * The words of a featureset: registers of CPUID leaves. e: 0x80000000 plus,
 * D: 0xd, a to d: the register, a digit before it: the subleaf.
 */
enum {
    XEN_FEATURESET_1d = 0,
    XEN_FEATURESET_1c = 1,
    XEN_FEATURESET_e1d = 2,
    XEN_FEATURESET_e1c = 3,
    XEN_FEATURESET_Da1 = 4,
    XEN_FEATURESET_7b0 = 5,
    XEN_FEATURESET_7c0 = 6,
    XEN_FEATURESET_e7d = 7,
    XEN_FEATURESET_e8b = 8,
    XEN_FEATURESET_7d0 = 9,
    XEN_FEATURESET_7a1 = 10,
    XEN_FEATURESET_e21a = 11,
    XEN_FEATURESET_7b1 = 12
};
#define XEN_FEATURESET_WORDS 13

/*
 * XEN_SYSCTL_get_cpu_featureset. 0; -ENOBUFS when the list is shorter than
 * the set: it gets the first words then.
 */
struct xen_sysctl_cpu_featureset {
    uint32_t index;       /* in:  XEN_SYSCTL_cpu_featureset_* */
    uint32_t nr_features; /* in: room; out: words written, or there are */
    guest_va features;    /* in:  uint32_t[], or 0 */
};
ABI_SIZE(struct xen_sysctl_cpu_featureset, 16);
ABI_AT(struct xen_sysctl_cpu_featureset, nr_features, 4);
ABI_AT(struct xen_sysctl_cpu_featureset, features, 8);

enum {
    XEN_SYSCTL_cpu_policy_raw = 0,
    XEN_SYSCTL_cpu_policy_host = 1,
    XEN_SYSCTL_cpu_policy_pv_max = 2,
    XEN_SYSCTL_cpu_policy_hvm_max = 3, /* -EOPNOTSUPP */
    XEN_SYSCTL_cpu_policy_pv_default = 4,
    XEN_SYSCTL_cpu_policy_hvm_default = 5 /* -EOPNOTSUPP */
};

/*
 * XEN_SYSCTL_get_cpu_policy: what is seen of the processor. 0; -ENOBUFS for
 * too little room.
 */
struct xen_sysctl_cpu_policy {
    uint32_t index;     /* in:  XEN_SYSCTL_cpu_policy_* */
    uint32_t nr_leaves; /* in: room; out: written, or enough if there is none */
    uint32_t nr_msrs;   /* in, out: as nr_leaves */
    uint32_t rsvd;      /* in:  must be 0 */
    guest_va leaves;    /* in:  struct xen_cpuid_leaf[], or 0 */
    guest_va msrs;      /* in:  struct xen_msr_entry[], or 0 */
};
ABI_SIZE(struct xen_sysctl_cpu_policy, 32);
ABI_AT(struct xen_sysctl_cpu_policy, nr_leaves, 4);
ABI_AT(struct xen_sysctl_cpu_policy, nr_msrs, 8);
ABI_AT(struct xen_sysctl_cpu_policy, rsvd, 12);
ABI_AT(struct xen_sysctl_cpu_policy, leaves, 16);
ABI_AT(struct xen_sysctl_cpu_policy, msrs, 24);

struct xen_sysctl {
    uint32_t cmd;               /* in:  XEN_SYSCTL_* */
    uint32_t interface_version; /* in:  XEN_SYSCTL_INTERFACE_VERSION */
    union {
        struct xen_sysctl_readconsole readconsole;
        struct xen_sysctl_physinfo physinfo;
        struct xen_sysctl_sched_id sched_id;
        struct xen_sysctl_getdomaininfolist getdomaininfolist;
        struct xen_sysctl_debug_keys debug_keys;
        struct xen_sysctl_getcpuinfo getcpuinfo;
        struct xen_sysctl_cputopoinfo cputopoinfo;
        struct xen_sysctl_numainfo numainfo;
        struct xen_sysctl_pcitopoinfo pcitopoinfo;
        struct xen_sysctl_cpupool_op cpupool_op;
        struct xen_sysctl_scheduler_op scheduler_op;
        struct xen_sysctl_cpu_levelling_caps cpu_levelling_caps;
        struct xen_sysctl_cpu_featureset cpu_featureset;
        struct xen_sysctl_cpu_policy cpu_policy;
        uint64_t pad[16];
    } u; /* by cmd */
};
ABI_SIZE(struct xen_sysctl, 136);
ABI_AT(struct xen_sysctl, interface_version, 4);
ABI_AT(struct xen_sysctl, u, 8);
