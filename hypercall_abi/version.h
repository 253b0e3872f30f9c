/* SPDX-License-Identifier: MIT */
/*
 * xen_version(cmd, arg): what the hypervisor is. Any domain. -ENOSYS for an
 * unknown command, -EFAULT, -EPERM for what a domain need not know. Text is
 * NUL-terminated; the array lengths below are part of the ABI.
 */
#pragma once

#include "hypercall_abi/abi.h"

enum {
    XENVER_version = 0,      /* no argument; major << 16 | minor */
    XENVER_extraversion = 1, /* char[XENVER_EXTRAVERSION_LEN] */
    XENVER_compile_info = 2,
    XENVER_capabilities = 3, /* char[XENVER_CAPABILITIES_LEN] */
    XENVER_changeset = 4,    /* char[XENVER_CHANGESET_LEN] */
    XENVER_platform_parameters = 5,
    XENVER_get_features = 6,
    XENVER_pagesize = 7,     /* no argument; 4096 */
    XENVER_guest_handle = 8, /* uint8_t[XENVER_GUEST_HANDLE_LEN] */
    XENVER_commandline = 9,  /* char[XENVER_COMMANDLINE_LEN]; dom0 */
    XENVER_build_id = 10
};

#define XENVER_EXTRAVERSION_LEN 16
#define XENVER_CAPABILITIES_LEN 1024
#define XENVER_CHANGESET_LEN 64
#define XENVER_GUEST_HANDLE_LEN 16
#define XENVER_COMMANDLINE_LEN 1024

/* XENVER_compile_info. 0. */
struct xenver_compile_info_args {
    char compiler[64];       /* out */
    char compile_by[16];     /* out */
    char compile_domain[32]; /* out */
    char compile_date[32];   /* out */
};
ABI_SIZE(struct xenver_compile_info_args, 144);
ABI_AT(struct xenver_compile_info_args, compile_by, 64);
ABI_AT(struct xenver_compile_info_args, compile_domain, 80);
ABI_AT(struct xenver_compile_info_args, compile_date, 112);

/* XENVER_platform_parameters. 0. */
struct xenver_platform_parameters_args {
    uint64_t virt_start; /* out: HYPERVISOR_VIRT_START (mmu.h) */
};
ABI_SIZE(struct xenver_platform_parameters_args, 8);

/* XENVER_get_features. 0; -EINVAL for a submap that does not exist. */
struct xenver_get_features_args {
    uint32_t submap_idx; /* in:  32 features each; only 0 exists */
    uint32_t submap;     /* out: bit n: XENFEAT n */
};
ABI_SIZE(struct xenver_get_features_args, 8);
ABI_AT(struct xenver_get_features_args, submap, 4);

#define XENFEAT_NR_SUBMAPS 1

/* Bit numbers. */
enum {
    XENFEAT_writable_page_tables = 0,
    XENFEAT_writable_descriptor_tables = 1,
    XENFEAT_auto_translated_physmap = 2,
    XENFEAT_supervisor_mode_kernel = 3,
    XENFEAT_pae_pgdir_above_4gb = 4,
    XENFEAT_mmu_pt_update_preserve_ad = 5,
    XENFEAT_highmem_assist = 6,
    XENFEAT_gnttab_map_avail_bits = 7,
    XENFEAT_hvm_callback_vector = 8,
    XENFEAT_hvm_safe_pvclock = 9,
    XENFEAT_hvm_pirqs = 10,
    XENFEAT_dom0 = 11,
    XENFEAT_memory_op_vnode_supported = 13,
    XENFEAT_ARM_SMCCC_supported = 14,
    XENFEAT_linux_rsdp_unrestricted = 15,
    XENFEAT_not_direct_mapped = 16,
    XENFEAT_direct_mapped = 17
};

/*
 * XENVER_build_id: this head, followed by room for len bytes, which are
 * filled in. Returns the number of bytes, also for a NULL argument; -ENODATA
 * without a build id, -EINVAL for no room, -ENOBUFS for too little. dom0.
 */
struct xenver_build_id_args {
    uint32_t len; /* in:  bytes behind this structure, not 0 */
};
ABI_SIZE(struct xenver_build_id_args, 4);
