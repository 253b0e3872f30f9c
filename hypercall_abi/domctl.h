/* SPDX-License-Identifier: MIT */
/*
 * domctl(struct xen_domctl *): how dom0's tools make, change and end domains.
 * dom0 only: -EPERM for others. -EACCES when interface_version is another
 * one, -ESRCH for a domain that does not exist, -ENOSYS for a command not
 * served, -EFAULT, -EINVAL. `domain` names the domain meant. Part of the
 * control ABI; docs/control-abi.md says what Mica serves of it.
 */
#pragma once

#include "hypercall_abi/abi.h"

#define XEN_DOMCTL_INTERFACE_VERSION 0x15u

enum {
    XEN_DOMCTL_createdomain = 1,
    XEN_DOMCTL_destroydomain = 2,
    XEN_DOMCTL_pausedomain = 3,
    XEN_DOMCTL_unpausedomain = 4,
    XEN_DOMCTL_getdomaininfo = 5,
    XEN_DOMCTL_setvcpuaffinity = 9,
    XEN_DOMCTL_shadow_op = 10, /* not served */
    XEN_DOMCTL_max_mem = 11,
    XEN_DOMCTL_setvcpucontext = 12,
    XEN_DOMCTL_getvcpucontext = 13,
    XEN_DOMCTL_getvcpuinfo = 14,
    XEN_DOMCTL_max_vcpus = 15,
    XEN_DOMCTL_scheduler_op = 16,
    XEN_DOMCTL_setdomainhandle = 17,
    XEN_DOMCTL_setdebugging = 18,
    XEN_DOMCTL_irq_permission = 19,
    XEN_DOMCTL_iomem_permission = 20,
    XEN_DOMCTL_ioport_permission = 21,
    XEN_DOMCTL_hypercall_init = 22,
    XEN_DOMCTL_settimeoffset = 24,
    XEN_DOMCTL_getvcpuaffinity = 25,
    XEN_DOMCTL_resumedomain = 27,  /* not served */
    XEN_DOMCTL_sendtrigger = 28,   /* not served */
    XEN_DOMCTL_subscribe = 29,     /* not served */
    XEN_DOMCTL_gethvmcontext = 33, /* not served */
    XEN_DOMCTL_sethvmcontext = 34, /* not served */
    XEN_DOMCTL_set_address_size = 35,
    XEN_DOMCTL_get_address_size = 36,
    XEN_DOMCTL_assign_device = 37,         /* not served */
    XEN_DOMCTL_bind_pt_irq = 38,           /* not served */
    XEN_DOMCTL_memory_mapping = 39,        /* not served */
    XEN_DOMCTL_ioport_mapping = 40,        /* not served */
    XEN_DOMCTL_set_ext_vcpucontext = 42,   /* not served */
    XEN_DOMCTL_get_ext_vcpucontext = 43,   /* not served */
    XEN_DOMCTL_test_assign_device = 45,    /* not served */
    XEN_DOMCTL_set_target = 46,            /* not served */
    XEN_DOMCTL_deassign_device = 47,       /* not served */
    XEN_DOMCTL_unbind_pt_irq = 48,         /* not served */
    XEN_DOMCTL_get_device_group = 50,      /* not served */
    XEN_DOMCTL_debug_op = 54,              /* not served */
    XEN_DOMCTL_gethvmcontext_partial = 55, /* not served */
    XEN_DOMCTL_vm_event_op = 56,           /* not served */
    XEN_DOMCTL_mem_sharing_op = 57,        /* not served */
    XEN_DOMCTL_gettscinfo = 59,            /* not served */
    XEN_DOMCTL_settscinfo = 60,
    XEN_DOMCTL_getpageframeinfo3 = 61,
    XEN_DOMCTL_setvcpuextstate = 62,     /* not served */
    XEN_DOMCTL_getvcpuextstate = 63,     /* not served */
    XEN_DOMCTL_set_access_required = 64, /* not served */
    XEN_DOMCTL_audit_p2m = 65,           /* not served */
    XEN_DOMCTL_set_virq_handler = 66,    /* not served */
    XEN_DOMCTL_set_broken_page_p2m = 67, /* not served */
    XEN_DOMCTL_setnodeaffinity = 68,
    XEN_DOMCTL_getnodeaffinity = 69,
    XEN_DOMCTL_cacheflush = 71,    /* not served */
    XEN_DOMCTL_get_vcpu_msrs = 72, /* not served */
    XEN_DOMCTL_set_vcpu_msrs = 73, /* not served */
    XEN_DOMCTL_setvnumainfo = 74,  /* not served */
    XEN_DOMCTL_psr_cmt_op = 75,    /* not served */
    XEN_DOMCTL_monitor_op = 77,    /* not served */
    XEN_DOMCTL_psr_alloc = 78,     /* not served */
    XEN_DOMCTL_soft_reset = 79,    /* not served */
    XEN_DOMCTL_vuart_op = 81,      /* not served */
    XEN_DOMCTL_get_cpu_policy = 82,
    XEN_DOMCTL_set_cpu_policy = 83,
    XEN_DOMCTL_vmtrace_op = 84,              /* not served */
    XEN_DOMCTL_get_paging_mempool_size = 85, /* not served */
    XEN_DOMCTL_set_paging_mempool_size = 86, /* not served */
    XEN_DOMCTL_gdbsx_guestmemio = 1000,
    XEN_DOMCTL_gdbsx_pausevcpu = 1001,
    XEN_DOMCTL_gdbsx_unpausevcpu = 1002,
    XEN_DOMCTL_gdbsx_domstatus = 1003,
    /* Mica's own: nobody else's number. */
    MICA_DOMCTL_set_kernel = 0x4d690001,
    MICA_DOMCTL_get_activity = 0x4d690002
};

/* A bitmap of the caller's, least significant bit of byte 0 first. */
struct xenctl_bitmap {
    guest_va bitmap;  /* in:  its address */
    uint32_t nr_bits; /* in */
    uint32_t pad;
};
ABI_SIZE(struct xenctl_bitmap, 16);
ABI_AT(struct xenctl_bitmap, nr_bits, 8);
ABI_AT(struct xenctl_bitmap, pad, 12);

/* What the machine gives a domain: both 0 for a paravirtual one. */
struct xen_arch_domainconfig {
    uint32_t emulation_flags; /* in:  must be 0 */
    uint32_t misc_flags;      /* in:  must be 0 */
};
ABI_SIZE(struct xen_arch_domainconfig, 8);
ABI_AT(struct xen_arch_domainconfig, misc_flags, 4);

/* xen_domctl_createdomain.flags; those without a word are refused. */
#define XEN_DOMCTL_CDF_hvm 0x1u
#define XEN_DOMCTL_CDF_hap 0x2u
#define XEN_DOMCTL_CDF_s3_integrity 0x4u
#define XEN_DOMCTL_CDF_oos_off 0x8u /* ignored: no shadow tables */
#define XEN_DOMCTL_CDF_xs_domain 0x10u
#define XEN_DOMCTL_CDF_iommu 0x20u
#define XEN_DOMCTL_CDF_nested_virt 0x40u
#define XEN_DOMCTL_CDF_vpmu 0x80u

#define XEN_DOMCTL_GRANT_version_mask 0xfu /* of grant_opts: 1 */

/*
 * XEN_DOMCTL_createdomain: a paravirtual domain without vCPUs and memory,
 * paused once. A `domain` of 0 or from DOMID_FIRST_RESERVED up asks for any
 * free id, which then is in `domain`. 0; -EEXIST, -ENOMEM, -EINVAL.
 */
struct xen_domctl_createdomain {
    uint32_t ssidref;            /* in:  ignored */
    uint8_t handle[16];          /* in:  UUID */
    uint32_t flags;              /* in:  XEN_DOMCTL_CDF_* */
    uint32_t iommu_opts;         /* in:  must be 0 */
    uint32_t max_vcpus;          /* in:  1 to 128 */
    uint32_t max_evtchn_port;    /* in:  highest port it may have */
    int32_t max_grant_frames;    /* in:  negative: Mica's default */
    int32_t max_maptrack_frames; /* in:  negative: Mica's default */
    uint32_t grant_opts;         /* in:  grant table version */
    uint32_t vmtrace_size;       /* in:  must be 0 */
    uint32_t cpupool_id;         /* in:  must be 0 */
    struct xen_arch_domainconfig arch;
};
ABI_SIZE(struct xen_domctl_createdomain, 64);
ABI_AT(struct xen_domctl_createdomain, handle, 4);
ABI_AT(struct xen_domctl_createdomain, flags, 20);
ABI_AT(struct xen_domctl_createdomain, iommu_opts, 24);
ABI_AT(struct xen_domctl_createdomain, max_vcpus, 28);
ABI_AT(struct xen_domctl_createdomain, max_evtchn_port, 32);
ABI_AT(struct xen_domctl_createdomain, max_grant_frames, 36);
ABI_AT(struct xen_domctl_createdomain, max_maptrack_frames, 40);
ABI_AT(struct xen_domctl_createdomain, grant_opts, 44);
ABI_AT(struct xen_domctl_createdomain, vmtrace_size, 48);
ABI_AT(struct xen_domctl_createdomain, cpupool_id, 52);
ABI_AT(struct xen_domctl_createdomain, arch, 56);

#define XEN_DOMINF_dying 0x1u
#define XEN_DOMINF_hvm_guest 0x2u
#define XEN_DOMINF_shutdown 0x4u
#define XEN_DOMINF_paused 0x8u   /* by the tools */
#define XEN_DOMINF_blocked 0x10u /* all its vCPUs are */
#define XEN_DOMINF_running 0x20u /* one of its vCPUs is */
#define XEN_DOMINF_debugged 0x40u
#define XEN_DOMINF_xs_domain 0x80u
#define XEN_DOMINF_hap 0x100u
#define XEN_DOMINF_shutdownmask 255u /* of flags: SHUTDOWN_* */
#define XEN_DOMINF_shutdownshift 16u

#define XEN_INVALID_MAX_VCPU_ID (~0u) /* max_vcpu_id: it has no vCPU */

/* XEN_DOMCTL_getdomaininfo: the domain as it is now. 0; -ESRCH. */
struct xen_domctl_getdomaininfo {
    domid_t domain; /* out */
    uint16_t pad1;
    uint32_t flags;             /* out: XEN_DOMINF_* */
    uint64_t tot_pages;         /* out: frames it has */
    uint64_t max_pages;         /* out: frames it may have */
    uint64_t outstanding_pages; /* out: 0 */
    uint64_t shr_pages;         /* out: 0 */
    uint64_t paged_pages;       /* out: 0 */
    uint64_t shared_info_frame; /* out: MFN */
    uint64_t cpu_time;          /* out: nanoseconds all its vCPUs have run */
    uint32_t nr_online_vcpus;   /* out */
    uint32_t max_vcpu_id;       /* out */
    uint32_t ssidref;           /* out: 0 */
    uint8_t handle[16];         /* out: UUID */
    uint32_t cpupool;           /* out: 0 */
    uint8_t gpaddr_bits;        /* out: of a machine address */
    uint8_t pad2[7];
    struct xen_arch_domainconfig arch_config; /* out */
};
ABI_SIZE(struct xen_domctl_getdomaininfo, 112);
ABI_AT(struct xen_domctl_getdomaininfo, pad1, 2);
ABI_AT(struct xen_domctl_getdomaininfo, flags, 4);
ABI_AT(struct xen_domctl_getdomaininfo, tot_pages, 8);
ABI_AT(struct xen_domctl_getdomaininfo, max_pages, 16);
ABI_AT(struct xen_domctl_getdomaininfo, outstanding_pages, 24);
ABI_AT(struct xen_domctl_getdomaininfo, shr_pages, 32);
ABI_AT(struct xen_domctl_getdomaininfo, paged_pages, 40);
ABI_AT(struct xen_domctl_getdomaininfo, shared_info_frame, 48);
ABI_AT(struct xen_domctl_getdomaininfo, cpu_time, 56);
ABI_AT(struct xen_domctl_getdomaininfo, nr_online_vcpus, 64);
ABI_AT(struct xen_domctl_getdomaininfo, max_vcpu_id, 68);
ABI_AT(struct xen_domctl_getdomaininfo, ssidref, 72);
ABI_AT(struct xen_domctl_getdomaininfo, handle, 76);
ABI_AT(struct xen_domctl_getdomaininfo, cpupool, 92);
ABI_AT(struct xen_domctl_getdomaininfo, gpaddr_bits, 96);
ABI_AT(struct xen_domctl_getdomaininfo, pad2, 97);
ABI_AT(struct xen_domctl_getdomaininfo, arch_config, 104);

/* Bits of an entry of getpageframeinfo3, above the frame number asked about. */
#define XEN_DOMCTL_PFINFO_LTAB_SHIFT 28u
#define XEN_DOMCTL_PFINFO_NOTAB 0x00000000u
#define XEN_DOMCTL_PFINFO_L1TAB 0x10000000u
#define XEN_DOMCTL_PFINFO_L2TAB 0x20000000u
#define XEN_DOMCTL_PFINFO_L3TAB 0x30000000u
#define XEN_DOMCTL_PFINFO_L4TAB 0x40000000u
#define XEN_DOMCTL_PFINFO_LTABTYPE_MASK 0x70000000u
#define XEN_DOMCTL_PFINFO_LPINTAB 0x80000000u /* pinned */
#define XEN_DOMCTL_PFINFO_BROKEN 0xd0000000u
#define XEN_DOMCTL_PFINFO_XALLOC 0xe0000000u
#define XEN_DOMCTL_PFINFO_XTAB 0xf0000000u /* not the domain's */
#define XEN_DOMCTL_PFINFO_LTAB_MASK 0xf0000000u

/*
 * XEN_DOMCTL_getpageframeinfo3: an array of uint64_t, each an MFN on the way
 * in and XEN_DOMCTL_PFINFO_* alone on the way out. 0; -E2BIG beyond 1024.
 */
struct xen_domctl_getpageframeinfo3 {
    uint64_t num; /* in */
    guest_va array;
};
ABI_SIZE(struct xen_domctl_getpageframeinfo3, 16);
ABI_AT(struct xen_domctl_getpageframeinfo3, array, 8);

/* XEN_DOMCTL_max_mem: how much the domain may have; it keeps what it has. */
struct xen_domctl_max_mem {
    uint64_t max_memkb; /* in:  KiB */
};
ABI_SIZE(struct xen_domctl_max_mem, 8);

/*
 * XEN_DOMCTL_setvcpucontext: the whole state of a vCPU, which is up if
 * VGCF_online is in its flags. 0; -EINVAL. XEN_DOMCTL_getvcpucontext: 0;
 * -ENODATA for a vCPU that has no state yet. Both: -ESRCH for no such vCPU.
 */
struct xen_domctl_vcpucontext {
    uint32_t vcpu; /* in */
    uint32_t pad;
    guest_va ctxt; /* in:  struct vcpu_guest_context */
};
ABI_SIZE(struct xen_domctl_vcpucontext, 16);
ABI_AT(struct xen_domctl_vcpucontext, pad, 4);
ABI_AT(struct xen_domctl_vcpucontext, ctxt, 8);

/* XEN_DOMCTL_getvcpuinfo. 0; -ESRCH for no such vCPU. */
struct xen_domctl_getvcpuinfo {
    uint32_t vcpu;   /* in */
    uint8_t online;  /* out: it is up */
    uint8_t blocked; /* out: it waits for an event */
    uint8_t running; /* out: it is on a pCPU */
    uint8_t pad;
    uint64_t cpu_time; /* out: nanoseconds it has run */
    uint32_t cpu;      /* out: its pCPU */
    uint32_t pad2;
};
ABI_SIZE(struct xen_domctl_getvcpuinfo, 24);
ABI_AT(struct xen_domctl_getvcpuinfo, online, 4);
ABI_AT(struct xen_domctl_getvcpuinfo, blocked, 5);
ABI_AT(struct xen_domctl_getvcpuinfo, running, 6);
ABI_AT(struct xen_domctl_getvcpuinfo, pad, 7);
ABI_AT(struct xen_domctl_getvcpuinfo, cpu_time, 8);
ABI_AT(struct xen_domctl_getvcpuinfo, cpu, 16);
ABI_AT(struct xen_domctl_getvcpuinfo, pad2, 20);

/*
 * XEN_DOMCTL_setnodeaffinity, XEN_DOMCTL_getnodeaffinity: there is one node,
 * number 0, whatever is set. 0.
 */
struct xen_domctl_nodeaffinity {
    struct xenctl_bitmap nodemap;
};
ABI_SIZE(struct xen_domctl_nodeaffinity, 16);

#define XEN_VCPUAFFINITY_HARD 0x1u  /* where it may run */
#define XEN_VCPUAFFINITY_SOFT 0x2u  /* where it likes to: kept, not used */
#define XEN_VCPUAFFINITY_FORCE 0x4u /* ignored */

/*
 * XEN_DOMCTL_setvcpuaffinity: where a vCPU must (hard) and should rather
 * (soft) run; also gives back the part that has effect.
 * XEN_DOMCTL_getvcpuaffinity: what was set. 0; -EINVAL for no online pCPU in
 * the hard one, -ESRCH.
 */
struct xen_domctl_vcpuaffinity {
    uint32_t vcpu;  /* in */
    uint32_t flags; /* in:  XEN_VCPUAFFINITY_*, the bitmaps meant */
    struct xenctl_bitmap cpumap_hard;
    struct xenctl_bitmap cpumap_soft;
};
ABI_SIZE(struct xen_domctl_vcpuaffinity, 40);
ABI_AT(struct xen_domctl_vcpuaffinity, flags, 4);
ABI_AT(struct xen_domctl_vcpuaffinity, cpumap_hard, 8);
ABI_AT(struct xen_domctl_vcpuaffinity, cpumap_soft, 24);

/*
 * XEN_DOMCTL_max_vcpus: makes the vCPUs, as many as createdomain said, all
 * down. 0, also when they are there; -EINVAL for another number, -ENOMEM.
 */
struct xen_domctl_max_vcpus {
    uint32_t max; /* in */
};
ABI_SIZE(struct xen_domctl_max_vcpus, 4);

enum {
    XEN_SCHEDULER_CREDIT = 5,
    XEN_SCHEDULER_CREDIT2 = 6, /* what Mica's answers to */
    XEN_SCHEDULER_ARINC653 = 7,
    XEN_SCHEDULER_RTDS = 8,
    XEN_SCHEDULER_NULL = 9
};

enum {
    XEN_DOMCTL_SCHEDOP_putinfo = 0,
    XEN_DOMCTL_SCHEDOP_getinfo = 1,
    XEN_DOMCTL_SCHEDOP_putvcpuinfo = 2, /* refused */
    XEN_DOMCTL_SCHEDOP_getvcpuinfo = 3  /* refused */
};

/* Not served. */
struct xen_domctl_sched_credit {
    uint16_t weight;
    uint16_t cap;
};
ABI_SIZE(struct xen_domctl_sched_credit, 4);
ABI_AT(struct xen_domctl_sched_credit, cap, 2);

struct xen_domctl_sched_credit2 {
    uint16_t weight; /* in, out: the share of each vCPU; in: 0 keeps it */
    uint16_t cap;    /* in, out: the most that all get together, in percent
                        of a processor; 0: no limit */
};
ABI_SIZE(struct xen_domctl_sched_credit2, 4);
ABI_AT(struct xen_domctl_sched_credit2, cap, 2);

/* Not served. */
struct xen_domctl_sched_rtds {
    uint32_t period;
    uint32_t budget;
    uint32_t flags;
};
ABI_SIZE(struct xen_domctl_sched_rtds, 12);
ABI_AT(struct xen_domctl_sched_rtds, budget, 4);
ABI_AT(struct xen_domctl_sched_rtds, flags, 8);

/* Not served. */
struct xen_domctl_sched_vcpus {
    guest_va vcpus;
    uint32_t nr_vcpus;
    uint32_t pad;
};
ABI_SIZE(struct xen_domctl_sched_vcpus, 16);
ABI_AT(struct xen_domctl_sched_vcpus, nr_vcpus, 8);
ABI_AT(struct xen_domctl_sched_vcpus, pad, 12);

/*
 * XEN_DOMCTL_scheduler_op: the domain's share of the processors. 0; -EINVAL
 * for another scheduler, a single vCPU's share, or a cap of more than 100 for
 * each vCPU.
 */
struct xen_domctl_scheduler_op {
    uint32_t sched_id; /* in:  XEN_SCHEDULER_CREDIT2 */
    uint32_t cmd;      /* in:  XEN_DOMCTL_SCHEDOP_* */
    union {
        struct xen_domctl_sched_credit credit;
        struct xen_domctl_sched_credit2 credit2;
        struct xen_domctl_sched_rtds rtds;
        struct xen_domctl_sched_vcpus v;
    } u; /* by sched_id and cmd */
};
ABI_SIZE(struct xen_domctl_scheduler_op, 24);
ABI_AT(struct xen_domctl_scheduler_op, cmd, 4);
ABI_AT(struct xen_domctl_scheduler_op, u, 8);

/* XEN_DOMCTL_setdomainhandle. 0. */
struct xen_domctl_setdomainhandle {
    uint8_t handle[16]; /* in:  UUID */
};
ABI_SIZE(struct xen_domctl_setdomainhandle, 16);

/* XEN_DOMCTL_setdebugging: shown in the domain's info. 0. */
struct xen_domctl_setdebugging {
    uint8_t enable; /* in */
};
ABI_SIZE(struct xen_domctl_setdebugging, 1);

/*
 * What a domain may use of the machine. -EPERM for what the caller may not
 * use itself, -EINVAL for ranges that make no sense.
 */
struct xen_domctl_irq_permission {
    uint32_t pirq;        /* in */
    uint8_t allow_access; /* in:  0 takes it away */
    uint8_t pad[3];
};
ABI_SIZE(struct xen_domctl_irq_permission, 8);
ABI_AT(struct xen_domctl_irq_permission, allow_access, 4);
ABI_AT(struct xen_domctl_irq_permission, pad, 5);

struct xen_domctl_iomem_permission {
    uint64_t first_mfn;   /* in */
    uint64_t nr_mfns;     /* in:  at least 1 */
    uint8_t allow_access; /* in:  0 takes them away */
    uint8_t pad[7];
};
ABI_SIZE(struct xen_domctl_iomem_permission, 24);
ABI_AT(struct xen_domctl_iomem_permission, nr_mfns, 8);
ABI_AT(struct xen_domctl_iomem_permission, allow_access, 16);
ABI_AT(struct xen_domctl_iomem_permission, pad, 17);

struct xen_domctl_ioport_permission {
    uint32_t first_port;  /* in */
    uint32_t nr_ports;    /* in */
    uint8_t allow_access; /* in:  0 takes them away */
    uint8_t pad[3];
};
ABI_SIZE(struct xen_domctl_ioport_permission, 12);
ABI_AT(struct xen_domctl_ioport_permission, nr_ports, 4);
ABI_AT(struct xen_domctl_ioport_permission, allow_access, 8);
ABI_AT(struct xen_domctl_ioport_permission, pad, 9);

/* XEN_DOMCTL_hypercall_init: fills a frame of the domain with stubs. 0. */
struct xen_domctl_hypercall_init {
    uint64_t gmfn; /* in:  MFN, writable */
};
ABI_SIZE(struct xen_domctl_hypercall_init, 8);

/* XEN_DOMCTL_settimeoffset: added to UTC in the domain's wall clock. 0. */
struct xen_domctl_settimeoffset {
    int64_t time_offset_seconds; /* in */
};
ABI_SIZE(struct xen_domctl_settimeoffset, 8);

/* XEN_DOMCTL_set_address_size, get: bits of the kernel. 0; -EINVAL. */
struct xen_domctl_address_size {
    uint32_t size; /* in, out: 64 */
};
ABI_SIZE(struct xen_domctl_address_size, 4);

enum {
    XEN_TSC_MODE_DEFAULT = 0,        /* the processor's */
    XEN_TSC_MODE_ALWAYS_EMULATE = 1, /* refused */
    XEN_TSC_MODE_NEVER_EMULATE = 2   /* the processor's */
};

/* XEN_DOMCTL_settscinfo: it is never emulated. 0; -EOPNOTSUPP to do so. */
struct xen_domctl_tsc_info {
    uint32_t tsc_mode;    /* in:  XEN_TSC_MODE_* */
    uint32_t gtsc_khz;    /* ignored */
    uint32_t incarnation; /* ignored */
    uint32_t pad;
    uint64_t elapsed_nsec; /* ignored */
};
ABI_SIZE(struct xen_domctl_tsc_info, 24);
ABI_AT(struct xen_domctl_tsc_info, gtsc_khz, 4);
ABI_AT(struct xen_domctl_tsc_info, incarnation, 8);
ABI_AT(struct xen_domctl_tsc_info, pad, 12);
ABI_AT(struct xen_domctl_tsc_info, elapsed_nsec, 16);

/* XEN_DOMCTL_gdbsx_guestmemio: reads or writes a paused domain's memory. */
struct xen_domctl_gdbsx_memio {
    uint64_t pgd3val; /* in:  ignored */
    uint64_t gva;     /* in:  an address of the domain's kernel */
    uint64_t uva;     /* in:  one of the caller's */
    uint32_t len;     /* in:  bytes */
    uint8_t gwr;      /* in:  0 reads, else writes */
    uint8_t pad[3];
    uint32_t remain; /* out: bytes left to copy */
    uint32_t pad2;
};
ABI_SIZE(struct xen_domctl_gdbsx_memio, 40);
ABI_AT(struct xen_domctl_gdbsx_memio, gva, 8);
ABI_AT(struct xen_domctl_gdbsx_memio, uva, 16);
ABI_AT(struct xen_domctl_gdbsx_memio, len, 24);
ABI_AT(struct xen_domctl_gdbsx_memio, gwr, 28);
ABI_AT(struct xen_domctl_gdbsx_memio, pad, 29);
ABI_AT(struct xen_domctl_gdbsx_memio, remain, 32);
ABI_AT(struct xen_domctl_gdbsx_memio, pad2, 36);

/* XEN_DOMCTL_gdbsx_pausevcpu, unpausevcpu. 0; -EINVAL, -ESRCH. */
struct xen_domctl_gdbsx_pauseunp_vcpu {
    uint32_t vcpu; /* in */
};
ABI_SIZE(struct xen_domctl_gdbsx_pauseunp_vcpu, 4);

/* XEN_DOMCTL_gdbsx_domstatus. 0. */
struct xen_domctl_gdbsx_domstatus {
    uint8_t paused; /* out */
    uint8_t pad[3];
    uint32_t vcpu_id; /* out: ~0: none stopped at a breakpoint */
    uint32_t vcpu_ev; /* out */
};
ABI_SIZE(struct xen_domctl_gdbsx_domstatus, 12);
ABI_AT(struct xen_domctl_gdbsx_domstatus, pad, 1);
ABI_AT(struct xen_domctl_gdbsx_domstatus, vcpu_id, 4);
ABI_AT(struct xen_domctl_gdbsx_domstatus, vcpu_ev, 8);

#define XEN_CPUID_NO_SUBLEAF 0xffffffffu
#define XEN_CPUID_INPUT_UNUSED 0xffffffffu

/* One answer of the CPUID instruction. */
struct xen_cpuid_leaf {
    uint32_t leaf;
    uint32_t subleaf; /* XEN_CPUID_NO_SUBLEAF where it does not matter */
    uint32_t a;
    uint32_t b;
    uint32_t c;
    uint32_t d;
};
ABI_SIZE(struct xen_cpuid_leaf, 24);
ABI_AT(struct xen_cpuid_leaf, subleaf, 4);
ABI_AT(struct xen_cpuid_leaf, a, 8);
ABI_AT(struct xen_cpuid_leaf, b, 12);
ABI_AT(struct xen_cpuid_leaf, c, 16);
ABI_AT(struct xen_cpuid_leaf, d, 20);

struct xen_msr_entry {
    uint32_t idx;
    uint32_t flags; /* in:  must be 0 */
    uint64_t val;
};
ABI_SIZE(struct xen_msr_entry, 16);
ABI_AT(struct xen_msr_entry, flags, 4);
ABI_AT(struct xen_msr_entry, val, 8);

/*
 * XEN_DOMCTL_get_cpu_policy: what guests see of the processor; address 0 asks
 * for the count. 0; -ENOBUFS. XEN_DOMCTL_set_cpu_policy: changes nothing. 0.
 */
struct xen_domctl_cpu_policy {
    uint32_t nr_leaves;   /* in, out */
    uint32_t nr_msrs;     /* in, out */
    guest_va leaves;      /* in:  struct xen_cpuid_leaf[] */
    guest_va msrs;        /* in:  struct xen_msr_entry[] */
    uint32_t err_leaf;    /* not used */
    uint32_t err_subleaf; /* not used */
    uint32_t err_msr;     /* not used */
    uint32_t pad;
};
ABI_SIZE(struct xen_domctl_cpu_policy, 40);
ABI_AT(struct xen_domctl_cpu_policy, nr_msrs, 4);
ABI_AT(struct xen_domctl_cpu_policy, leaves, 8);
ABI_AT(struct xen_domctl_cpu_policy, msrs, 16);
ABI_AT(struct xen_domctl_cpu_policy, err_leaf, 24);
ABI_AT(struct xen_domctl_cpu_policy, err_subleaf, 28);
ABI_AT(struct xen_domctl_cpu_policy, err_msr, 32);
ABI_AT(struct xen_domctl_cpu_policy, pad, 36);

/* The kernel keeps the lower halves of its own and its user root equal. */
#define MICA_KERNEL_SHARES_LOWER_HALF 0x1u

/*
 * MICA_DOMCTL_set_kernel: what a builder has read of the kernel's ELF notes.
 * Once, before the domain first runs. 0; -EBUSY later, -EINVAL.
 */
struct mica_domctl_set_kernel {
    uint32_t flags; /* in:  MICA_KERNEL_* */
    uint32_t pad;   /* in:  must be 0 */
};
ABI_SIZE(struct mica_domctl_set_kernel, 8);
ABI_AT(struct mica_domctl_set_kernel, pad, 4);

/*
 * MICA_DOMCTL_get_activity: what a domain's vCPUs have had Mica do since they
 * were made. Both counts only grow. 0.
 */
struct mica_domctl_activity {
    uint64_t hypercalls; /* out: served; those of a multicall too */
    uint64_t events;     /* out: ports that became pending */
};
ABI_SIZE(struct mica_domctl_activity, 16);
ABI_AT(struct mica_domctl_activity, events, 8);

struct xen_domctl {
    uint32_t cmd;               /* in:  XEN_DOMCTL_* */
    uint32_t interface_version; /* in:  XEN_DOMCTL_INTERFACE_VERSION */
    domid_t domain;             /* in; createdomain: out */
    uint16_t pad[3];
    union {
        struct xen_domctl_createdomain createdomain;
        struct xen_domctl_getdomaininfo getdomaininfo;
        struct xen_domctl_getpageframeinfo3 getpageframeinfo3;
        struct xen_domctl_nodeaffinity nodeaffinity;
        struct xen_domctl_vcpuaffinity vcpuaffinity;
        struct xen_domctl_max_mem max_mem;
        struct xen_domctl_vcpucontext vcpucontext;
        struct xen_domctl_getvcpuinfo getvcpuinfo;
        struct xen_domctl_max_vcpus max_vcpus;
        struct xen_domctl_scheduler_op scheduler_op;
        struct xen_domctl_setdomainhandle setdomainhandle;
        struct xen_domctl_setdebugging setdebugging;
        struct xen_domctl_irq_permission irq_permission;
        struct xen_domctl_iomem_permission iomem_permission;
        struct xen_domctl_ioport_permission ioport_permission;
        struct xen_domctl_hypercall_init hypercall_init;
        struct xen_domctl_settimeoffset settimeoffset;
        struct xen_domctl_address_size address_size;
        struct xen_domctl_tsc_info tsc_info;
        struct xen_domctl_gdbsx_memio gdbsx_guest_memio;
        struct xen_domctl_gdbsx_pauseunp_vcpu gdbsx_pauseunp_vcpu;
        struct xen_domctl_gdbsx_domstatus gdbsx_domstatus;
        struct xen_domctl_cpu_policy cpu_policy;
        struct mica_domctl_set_kernel mica_set_kernel;
        struct mica_domctl_activity mica_activity;
        uint64_t pad[16];
    } u; /* by cmd */
};
ABI_SIZE(struct xen_domctl, 144);
ABI_AT(struct xen_domctl, interface_version, 4);
ABI_AT(struct xen_domctl, domain, 8);
ABI_AT(struct xen_domctl, pad, 10);
ABI_AT(struct xen_domctl, u, 16);
