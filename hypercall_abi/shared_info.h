/* SPDX-License-Identifier: MIT */
/*
 * Memory that guest and hypervisor both write while the guest runs: the
 * shared_info page of a domain and the vcpu_info and clock of a vCPU. Nothing
 * in it can be trusted by the hypervisor; it keeps what matters elsewhere.
 */
#pragma once

#include "hypercall_abi/abi.h"

#define XEN_LEGACY_MAX_VCPUS 32         /* vCPUs with a place in shared_info */
#define XEN_PVCLOCK_TSC_STABLE_BIT 0x1u /* one clock for all vCPUs */
#define XEN_PVCLOCK_GUEST_STOPPED 0x2u  /* the domain was paused */

/*
 * The clock of one vCPU, written by the hypervisor alone. version is odd
 * while an update is under way: a reader repeats until it reads the same even
 * version before and after. With d = TSC - tsc_timestamp, shifted left by
 * tsc_shift (right when negative), the time is
 * system_time + (d * tsc_to_system_mul >> 32) nanoseconds.
 */
struct vcpu_time_info {
    uint32_t version;
    uint32_t pad0;
    uint64_t tsc_timestamp;     /* out: TSC when system_time was taken */
    uint64_t system_time;       /* out: nanoseconds since start */
    uint32_t tsc_to_system_mul; /* out: 2^-32 nanoseconds per shifted tick */
    int8_t tsc_shift;           /* out */
    uint8_t flags;              /* out: XEN_PVCLOCK_* */
    uint8_t pad1[2];
};
ABI_SIZE(struct vcpu_time_info, 32);
ABI_AT(struct vcpu_time_info, pad0, 4);
ABI_AT(struct vcpu_time_info, tsc_timestamp, 8);
ABI_AT(struct vcpu_time_info, system_time, 16);
ABI_AT(struct vcpu_time_info, tsc_to_system_mul, 24);
ABI_AT(struct vcpu_time_info, tsc_shift, 28);
ABI_AT(struct vcpu_time_info, flags, 29);
ABI_AT(struct vcpu_time_info, pad1, 30);

struct arch_vcpu_info {
    uint64_t cr2; /* out: address of the last page fault */
    uint64_t pad;
};
ABI_SIZE(struct arch_vcpu_info, 16);
ABI_AT(struct arch_vcpu_info, pad, 8);

/*
 * One vCPU's event state. The hypervisor sets evtchn_upcall_pending and bits
 * of evtchn_pending_sel, sets the mask when it makes an upcall and clears it
 * in SCHEDOP_block; the guest does the rest.
 */
struct vcpu_info {
    uint8_t evtchn_upcall_pending; /* some event may be pending */
    uint8_t evtchn_upcall_mask;    /* no upcall now */
    uint8_t pad[6];
    uint64_t evtchn_pending_sel; /* bit n: look at evtchn_pending[n] */
    struct arch_vcpu_info arch;
    struct vcpu_time_info time;
};
ABI_SIZE(struct vcpu_info, 64);
ABI_AT(struct vcpu_info, evtchn_upcall_mask, 1);
ABI_AT(struct vcpu_info, pad, 2);
ABI_AT(struct vcpu_info, evtchn_pending_sel, 8);
ABI_AT(struct vcpu_info, arch, 16);
ABI_AT(struct vcpu_info, time, 32);

/* For the tools: how to find the guest's p2m. Written by the guest. */
struct arch_shared_info {
    uint64_t max_pfn;                    /* in:  p2m entries */
    uint64_t pfn_to_mfn_frame_list_list; /* in:  frame; all ones: none */
    uint64_t nmi_reason;                 /* out: XEN_NMIREASON_* (callback.h) */
    uint64_t p2m_cr3;        /* in:  root that maps p2m_vaddr, 0: none */
    uint64_t p2m_vaddr;      /* in:  virtual address of the p2m */
    uint64_t p2m_generation; /* in:  odd while the p2m is rebuilt */
};
ABI_SIZE(struct arch_shared_info, 48);
ABI_AT(struct arch_shared_info, pfn_to_mfn_frame_list_list, 8);
ABI_AT(struct arch_shared_info, nmi_reason, 16);
ABI_AT(struct arch_shared_info, p2m_cr3, 24);
ABI_AT(struct arch_shared_info, p2m_vaddr, 32);
ABI_AT(struct arch_shared_info, p2m_generation, 40);

/*
 * The start of the shared_info page. evtchn_pending bits are set by the
 * hypervisor and cleared by the guest, evtchn_mask is the guest's. The wall
 * clock is UTC at system time 0, under the same odd/even rule as above.
 */
struct shared_info {
    struct vcpu_info vcpu_info[XEN_LEGACY_MAX_VCPUS];
    uint64_t evtchn_pending[64]; /* one bit per port */
    uint64_t evtchn_mask[64];    /* one bit per port */
    uint32_t wc_version;         /* out: odd while an update is under way */
    uint32_t wc_sec;             /* out: seconds since 1970, low half */
    uint32_t wc_nsec;            /* out: nanoseconds, 0..999999999 */
    uint32_t wc_sec_hi;          /* out: seconds since 1970, high half */
    struct arch_shared_info arch;
};
ABI_SIZE(struct shared_info, 3136);
ABI_AT(struct shared_info, evtchn_pending, 2048);
ABI_AT(struct shared_info, evtchn_mask, 2560);
ABI_AT(struct shared_info, wc_version, 3072);
ABI_AT(struct shared_info, wc_sec, 3076);
ABI_AT(struct shared_info, wc_nsec, 3080);
ABI_AT(struct shared_info, wc_sec_hi, 3084);
ABI_AT(struct shared_info, arch, 3088);
