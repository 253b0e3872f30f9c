/* SPDX-License-Identifier: MIT */
/*
 * Grant tables, version 1, and grant_table_op(cmd, array, count).
 *
 * A grant table is shared memory: its domain writes entries, the hypervisor
 * sets and clears the two "in use" flags. The array has count arguments of
 * the command; each gets its own status, a GNTST_* number, and the call
 * returns 0 when all were processed. Common errors of the call itself:
 * -ENOSYS unknown command, -EFAULT array unreadable or unwritable, -EINVAL
 * count out of range. Any domain; a `dom` other than DOMID_SELF or the caller
 * is for dom0, or for the grantee where a grant names it.
 */
#pragma once

#include "hypercall_abi/abi.h"

enum {
    GNTTABOP_map_grant_ref = 0,
    GNTTABOP_unmap_grant_ref = 1,
    GNTTABOP_setup_table = 2,
    GNTTABOP_dump_table = 3, /* debugging; not served */
    GNTTABOP_transfer = 4,
    GNTTABOP_copy = 5,
    GNTTABOP_query_size = 6,
    GNTTABOP_unmap_and_replace = 7,
    GNTTABOP_set_version = 8,
    GNTTABOP_get_status_frames = 9, /* version 2 only; not served */
    GNTTABOP_get_version = 10,
    GNTTABOP_swap_grant_ref = 11,
    GNTTABOP_cache_flush = 12
};

/* Status of one argument. */
enum {
    GNTST_okay = 0,
    GNTST_general_error = -1,
    GNTST_bad_domain = -2,
    GNTST_bad_gntref = -3,
    GNTST_bad_handle = -4,
    GNTST_bad_virt_addr = -5,
    GNTST_bad_dev_addr = -6,
    GNTST_no_device_space = -7,
    GNTST_permission_denied = -8,
    GNTST_bad_page = -9,
    GNTST_bad_copy_arg = -10,
    GNTST_address_too_big = -11,
    GNTST_eagain = -12, /* not now: ask again later */
    GNTST_no_space = -13
};

/* grant_entry_v1.flags: what the entry is ... */
#define GTF_invalid 0x0u
#define GTF_permit_access 0x1u
#define GTF_accept_transfer 0x2u
#define GTF_transitive 0x3u /* version 2 only */
#define GTF_type_mask 0x3u
/* ... for permit_access: readonly by the granter, two by the hypervisor ... */
#define GTF_readonly 0x4u
#define GTF_reading 0x8u  /* mapped */
#define GTF_writing 0x10u /* mapped and writable */
#define GTF_PWT 0x20u
#define GTF_PCD 0x40u
#define GTF_PAT 0x80u
#define GTF_sub_page 0x100u /* version 2 only */
/* ... for accept_transfer: both by the hypervisor. */
#define GTF_transfer_committed 0x4u
#define GTF_transfer_completed 0x8u

#define GNTTAB_NR_RESERVED_ENTRIES 8
#define GNTTAB_RESERVED_CONSOLE 0
#define GNTTAB_RESERVED_XENSTORE 1

/*
 * One grant. The domain ends it by exchanging flags for 0, which only
 * succeeds while neither reading nor writing is set. 512 to a frame.
 */
struct grant_entry_v1 {
    uint16_t flags; /* GTF_* */
    domid_t domid;  /* in:  the grantee */
    uint32_t frame; /* in:  MFN; transfer: the frame received */
};
ABI_SIZE(struct grant_entry_v1, 8);
ABI_AT(struct grant_entry_v1, domid, 2);
ABI_AT(struct grant_entry_v1, frame, 4);

#define GNTMAP_device_map 0x1u /* report a bus address */
#define GNTMAP_host_map 0x2u   /* map it for the caller */
#define GNTMAP_readonly 0x4u
#define GNTMAP_application_map 0x8u         /* user mode may use it */
#define GNTMAP_contains_pte 0x10u           /* host_addr is a PTE's address */
#define GNTMAP_guest_avail0 16              /* bit number: bits 16..18 ... */
#define GNTMAP_guest_avail_mask 0xffff0000u /* ... go to PTE bits 9..11 */

/* GNTTABOP_map_grant_ref: maps a frame that another domain has granted. */
struct gnttab_map_grant_ref_args {
    uint64_t host_addr;    /* in:  address to map at, or of a PTE */
    uint32_t flags;        /* in:  GNTMAP_* */
    grant_ref_t ref;       /* in:  entry in dom's table */
    domid_t dom;           /* in:  the granter */
    int16_t status;        /* out: GNTST_* */
    grant_handle_t handle; /* out: names the mapping */
    uint64_t dev_bus_addr; /* out: machine address, for device_map */
};
ABI_SIZE(struct gnttab_map_grant_ref_args, 32);
ABI_AT(struct gnttab_map_grant_ref_args, flags, 8);
ABI_AT(struct gnttab_map_grant_ref_args, ref, 12);
ABI_AT(struct gnttab_map_grant_ref_args, dom, 16);
ABI_AT(struct gnttab_map_grant_ref_args, status, 18);
ABI_AT(struct gnttab_map_grant_ref_args, handle, 20);
ABI_AT(struct gnttab_map_grant_ref_args, dev_bus_addr, 24);

/*
 * GNTTABOP_unmap_grant_ref: ends a mapping; an address of 0 leaves that part
 * of it alone.
 */
struct gnttab_unmap_grant_ref_args {
    uint64_t host_addr;    /* in:  as mapped */
    uint64_t dev_bus_addr; /* in:  as mapped */
    grant_handle_t handle; /* in */
    int16_t status;        /* out: GNTST_* */
    uint16_t pad;
};
ABI_SIZE(struct gnttab_unmap_grant_ref_args, 24);
ABI_AT(struct gnttab_unmap_grant_ref_args, dev_bus_addr, 8);
ABI_AT(struct gnttab_unmap_grant_ref_args, handle, 16);
ABI_AT(struct gnttab_unmap_grant_ref_args, status, 20);
ABI_AT(struct gnttab_unmap_grant_ref_args, pad, 22);

/*
 * GNTTABOP_unmap_and_replace: as unmap, and new_addr's mapping moves to
 * host_addr, leaving nothing at new_addr.
 */
struct gnttab_unmap_and_replace_args {
    uint64_t host_addr;    /* in:  as mapped */
    uint64_t new_addr;     /* in:  0, or a mapping to take over */
    grant_handle_t handle; /* in */
    int16_t status;        /* out: GNTST_* */
    uint16_t pad;
};
ABI_SIZE(struct gnttab_unmap_and_replace_args, 24);
ABI_AT(struct gnttab_unmap_and_replace_args, new_addr, 8);
ABI_AT(struct gnttab_unmap_and_replace_args, handle, 16);
ABI_AT(struct gnttab_unmap_and_replace_args, status, 20);
ABI_AT(struct gnttab_unmap_and_replace_args, pad, 22);

/*
 * GNTTABOP_setup_table: grows a domain's table to nr_frames and lists its
 * frames. The count of this call is 1 (-EINVAL otherwise).
 */
struct gnttab_setup_table_args {
    domid_t dom; /* in */
    uint16_t pad0;
    uint32_t nr_frames; /* in:  up to max_nr_frames of query_size */
    int16_t status;     /* out: GNTST_* */
    uint16_t pad1[3];
    guest_va frame_list; /* in:  uint64_t[nr_frames], filled in */
};
ABI_SIZE(struct gnttab_setup_table_args, 24);
ABI_AT(struct gnttab_setup_table_args, pad0, 2);
ABI_AT(struct gnttab_setup_table_args, nr_frames, 4);
ABI_AT(struct gnttab_setup_table_args, status, 8);
ABI_AT(struct gnttab_setup_table_args, pad1, 10);
ABI_AT(struct gnttab_setup_table_args, frame_list, 16);

/* GNTTABOP_query_size: how big a table is. The count of this call is 1. */
struct gnttab_query_size_args {
    domid_t dom; /* in */
    uint16_t pad0;
    uint32_t nr_frames;     /* out: frames now */
    uint32_t max_nr_frames; /* out: frames at most */
    int16_t status;         /* out: GNTST_* */
    uint16_t pad1;
};
ABI_SIZE(struct gnttab_query_size_args, 16);
ABI_AT(struct gnttab_query_size_args, pad0, 2);
ABI_AT(struct gnttab_query_size_args, nr_frames, 4);
ABI_AT(struct gnttab_query_size_args, max_nr_frames, 8);
ABI_AT(struct gnttab_query_size_args, status, 12);
ABI_AT(struct gnttab_query_size_args, pad1, 14);

/* GNTTABOP_transfer: gives a frame to a domain that awaits one. Refused. */
struct gnttab_transfer_args {
    uint64_t mfn;  /* in:  the caller's, not mapped */
    domid_t domid; /* in:  the receiver */
    uint16_t pad0;
    grant_ref_t ref; /* in:  its accept_transfer entry */
    int16_t status;  /* out: GNTST_* */
    uint16_t pad1[3];
};
ABI_SIZE(struct gnttab_transfer_args, 24);
ABI_AT(struct gnttab_transfer_args, domid, 8);
ABI_AT(struct gnttab_transfer_args, pad0, 10);
ABI_AT(struct gnttab_transfer_args, ref, 12);
ABI_AT(struct gnttab_transfer_args, status, 16);
ABI_AT(struct gnttab_transfer_args, pad1, 18);

#define GNTCOPY_source_gref 0x1u /* source names a grant */
#define GNTCOPY_dest_gref 0x2u   /* dest names a grant */

/* One end of a copy, which never crosses a page. */
struct gnttab_copy_ptr {
    union {
        grant_ref_t ref; /* in:  with the _gref flag */
        uint64_t gmfn;   /* in:  without: a frame of domid */
    } u;
    domid_t domid;   /* in:  owner of the frame */
    uint16_t offset; /* in:  bytes into the page, 0..4095 */
    uint32_t pad;
};
ABI_SIZE(struct gnttab_copy_ptr, 16);
ABI_AT(struct gnttab_copy_ptr, domid, 8);
ABI_AT(struct gnttab_copy_ptr, offset, 10);
ABI_AT(struct gnttab_copy_ptr, pad, 12);

/* GNTTABOP_copy: copies between frames of the caller and granted ones. */
struct gnttab_copy_args {
    struct gnttab_copy_ptr source; /* in */
    struct gnttab_copy_ptr dest;   /* in */
    uint16_t len;                  /* in:  bytes, offset + len up to 4096 */
    uint16_t flags;                /* in:  GNTCOPY_* */
    int16_t status;                /* out: GNTST_* */
    uint16_t pad;
};
ABI_SIZE(struct gnttab_copy_args, 40);
ABI_AT(struct gnttab_copy_args, dest, 16);
ABI_AT(struct gnttab_copy_args, len, 32);
ABI_AT(struct gnttab_copy_args, flags, 34);
ABI_AT(struct gnttab_copy_args, status, 36);
ABI_AT(struct gnttab_copy_args, pad, 38);

/*
 * GNTTABOP_set_version: one argument, not an array. -EINVAL for a version
 * that does not exist, -ENOSYS or -EBUSY for one that cannot be had.
 */
struct gnttab_set_version_args {
    uint32_t version; /* in: 1; out: the version in force */
};
ABI_SIZE(struct gnttab_set_version_args, 4);

/* GNTTABOP_get_version: one argument. -ESRCH, -EPERM for another domain's. */
struct gnttab_get_version_args {
    domid_t dom; /* in */
    uint16_t pad;
    uint32_t version; /* out */
};
ABI_SIZE(struct gnttab_get_version_args, 8);
ABI_AT(struct gnttab_get_version_args, pad, 2);
ABI_AT(struct gnttab_get_version_args, version, 4);

/* GNTTABOP_swap_grant_ref: exchanges two unused entries of the caller. */
struct gnttab_swap_grant_ref_args {
    grant_ref_t ref_a; /* in */
    grant_ref_t ref_b; /* in */
    int16_t status;    /* out: GNTST_* */
    uint16_t pad;
};
ABI_SIZE(struct gnttab_swap_grant_ref_args, 12);
ABI_AT(struct gnttab_swap_grant_ref_args, ref_b, 4);
ABI_AT(struct gnttab_swap_grant_ref_args, status, 8);
ABI_AT(struct gnttab_swap_grant_ref_args, pad, 10);

#define GNTTAB_CACHE_CLEAN 0x1u
#define GNTTAB_CACHE_INVAL 0x2u
#define GNTTAB_CACHE_SOURCE_GREF 0x80000000u

/* GNTTABOP_cache_flush: no status; the first failure is the call's result. */
struct gnttab_cache_flush_args {
    union {
        uint64_t dev_bus_addr; /* in */
        grant_ref_t ref;       /* in:  with SOURCE_GREF */
    } a;
    uint16_t offset; /* in:  bytes into the page */
    uint16_t length; /* in:  bytes, not past the page */
    uint32_t op;     /* in:  GNTTAB_CACHE_* */
};
ABI_SIZE(struct gnttab_cache_flush_args, 16);
ABI_AT(struct gnttab_cache_flush_args, offset, 8);
ABI_AT(struct gnttab_cache_flush_args, length, 10);
ABI_AT(struct gnttab_cache_flush_args, op, 12);
