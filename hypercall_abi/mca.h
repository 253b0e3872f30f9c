/* SPDX-License-Identifier: MIT */
/*
 * mca(struct xen_mc *): machine-check records for dom0. Only what its kernel
 * asks at boot. dom0: -EPERM for others. -EACCES when interface_version is
 * another one, -ENOSYS for a command not served, -EFAULT, -EINVAL.
 */
#pragma once

#include "hypercall_abi/abi.h"

#define XEN_MCA_INTERFACE_VERSION 0x01ecc003u

enum {
    XEN_MC_fetch = 1,
    XEN_MC_notifydomain = 2, /* not served */
    XEN_MC_physcpuinfo = 3,
    XEN_MC_msrinject = 4, /* not served */
    XEN_MC_mceinject = 5, /* not served */
    XEN_MC_inject_v2 = 6  /* not served */
};

/* xen_mc_fetch_args.flags. */
#define XEN_MC_NONURGENT 0x1u   /* in:  a corrected error */
#define XEN_MC_URGENT 0x2u      /* in:  any other */
#define XEN_MC_ACK 0x4u         /* in:  it has been dealt with */
#define XEN_MC_OK 0x0u          /* out: here is a record */
#define XEN_MC_FETCHFAILED 0x1u /* out */
#define XEN_MC_NODATA 0x2u      /* out: there is none */

/* XEN_MC_fetch: the next record, if any. 0, see flags. */
struct xen_mc_fetch_args {
    uint32_t flags; /* XEN_MC_*, in and out differ */
    uint32_t pad;
    uint64_t fetch_id; /* out: names the record; in: with ACK */
    guest_va data;     /* in:  struct mc_info, filled in */
};
ABI_SIZE(struct xen_mc_fetch_args, 24);
ABI_AT(struct xen_mc_fetch_args, pad, 4);
ABI_AT(struct xen_mc_fetch_args, fetch_id, 8);
ABI_AT(struct xen_mc_fetch_args, data, 16);

#define MC_NCAPS 7
#define MC_MSR_ARRAYSIZE 8

/* An MSR and its contents. */
struct mcinfo_msr {
    uint64_t reg;   /* out */
    uint64_t value; /* out */
};
ABI_SIZE(struct mcinfo_msr, 16);
ABI_AT(struct mcinfo_msr, value, 8);

/* One pCPU. */
struct mcinfo_logical_cpu {
    uint32_t mc_cpunr;              /* out: pCPU */
    uint32_t mc_chipid;             /* out: socket */
    uint16_t mc_coreid;             /* out */
    uint16_t mc_threadid;           /* out */
    uint32_t mc_apicid;             /* out */
    uint32_t mc_clusterid;          /* out */
    uint32_t mc_ncores;             /* out */
    uint32_t mc_ncores_active;      /* out */
    uint32_t mc_nthreads;           /* out */
    int32_t mc_cpuid_level;         /* out: highest CPUID leaf */
    uint32_t mc_family;             /* out */
    uint32_t mc_vendor;             /* out */
    uint32_t mc_model;              /* out */
    uint32_t mc_step;               /* out */
    char mc_vendorid[16];           /* out: NUL-terminated */
    char mc_brandid[64];            /* out: NUL-terminated */
    uint32_t mc_cpu_caps[MC_NCAPS]; /* out: CPUID feature words */
    uint32_t mc_cache_size;         /* out */
    uint32_t mc_cache_alignment;    /* out: bytes */
    int32_t mc_nmsrvals;            /* out: entries of the array below */
    uint32_t pad;
    struct mcinfo_msr mc_msrvalues[MC_MSR_ARRAYSIZE]; /* out */
};
ABI_SIZE(struct mcinfo_logical_cpu, 304);
ABI_AT(struct mcinfo_logical_cpu, mc_chipid, 4);
ABI_AT(struct mcinfo_logical_cpu, mc_coreid, 8);
ABI_AT(struct mcinfo_logical_cpu, mc_threadid, 10);
ABI_AT(struct mcinfo_logical_cpu, mc_apicid, 12);
ABI_AT(struct mcinfo_logical_cpu, mc_clusterid, 16);
ABI_AT(struct mcinfo_logical_cpu, mc_ncores, 20);
ABI_AT(struct mcinfo_logical_cpu, mc_ncores_active, 24);
ABI_AT(struct mcinfo_logical_cpu, mc_nthreads, 28);
ABI_AT(struct mcinfo_logical_cpu, mc_cpuid_level, 32);
ABI_AT(struct mcinfo_logical_cpu, mc_family, 36);
ABI_AT(struct mcinfo_logical_cpu, mc_vendor, 40);
ABI_AT(struct mcinfo_logical_cpu, mc_model, 44);
ABI_AT(struct mcinfo_logical_cpu, mc_step, 48);
ABI_AT(struct mcinfo_logical_cpu, mc_vendorid, 52);
ABI_AT(struct mcinfo_logical_cpu, mc_brandid, 68);
ABI_AT(struct mcinfo_logical_cpu, mc_cpu_caps, 132);
ABI_AT(struct mcinfo_logical_cpu, mc_cache_size, 160);
ABI_AT(struct mcinfo_logical_cpu, mc_cache_alignment, 164);
ABI_AT(struct mcinfo_logical_cpu, mc_nmsrvals, 168);
ABI_AT(struct mcinfo_logical_cpu, pad, 172);
ABI_AT(struct mcinfo_logical_cpu, mc_msrvalues, 176);

/* XEN_MC_physcpuinfo: the pCPUs; with info 0 only their number. 0. */
struct xen_mc_physcpuinfo_args {
    uint32_t ncpus; /* in:  room in the array; out: pCPUs */
    uint32_t pad;
    guest_va info; /* in:  struct mcinfo_logical_cpu[ncpus] */
};
ABI_SIZE(struct xen_mc_physcpuinfo_args, 16);
ABI_AT(struct xen_mc_physcpuinfo_args, pad, 4);
ABI_AT(struct xen_mc_physcpuinfo_args, info, 8);

struct xen_mc {
    uint32_t cmd;               /* in:  XEN_MC_* */
    uint32_t interface_version; /* in:  XEN_MCA_INTERFACE_VERSION */
    union {
        struct xen_mc_fetch_args mc_fetch;
        struct xen_mc_physcpuinfo_args mc_physcpuinfo;
        uint64_t pad[18];
    } u; /* by cmd */
};
ABI_SIZE(struct xen_mc, 152);
ABI_AT(struct xen_mc, interface_version, 4);
ABI_AT(struct xen_mc, u, 8);
