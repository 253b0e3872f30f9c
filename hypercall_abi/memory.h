/* SPDX-License-Identifier: MIT */
/*
 * memory_op(cmd | start_extent << MEMOP_EXTENT_SHIFT, arg). Any domain for
 * itself, with DOMID_SELF; another domid is for dom0 (-EPERM otherwise).
 * Common errors: -ENOSYS unknown command, -EFAULT, -EINVAL, -ESRCH no such
 * domain. Sub-operations that page out, share, trace or populate on demand
 * are not part of Mica: -ENOSYS. So are claims, for which the tools' library
 * takes that as consent.
 */
#pragma once

#include "hypercall_abi/abi.h"

#define MEMOP_EXTENT_SHIFT 6
#define MEMOP_CMD_MASK 0x3fu

enum {
    XENMEM_increase_reservation = 0,
    XENMEM_decrease_reservation = 1,
    XENMEM_maximum_ram_page = 2, /* no argument; the highest mfn of RAM */
    XENMEM_current_reservation = 3,
    XENMEM_maximum_reservation = 4,
    XENMEM_machphys_mfn_list = 5,
    XENMEM_populate_physmap = 6,
    XENMEM_add_to_physmap = 7,
    XENMEM_memory_map = 9,
    XENMEM_machine_memory_map = 10,
    XENMEM_exchange = 11,
    XENMEM_machphys_mapping = 12,
    XENMEM_set_memory_map = 13,
    XENMEM_maximum_gpfn = 14,
    XENMEM_remove_from_physmap = 15,
    XENMEM_set_pod_target = 16,
    XENMEM_get_pod_target = 17, /* not served */
    XENMEM_get_sharing_freed_pages = 18,
    XENMEM_get_sharing_shared_pages = 19,
    XENMEM_paging_op = 20,
    XENMEM_access_op = 21,
    XENMEM_sharing_op = 22,
    XENMEM_add_to_physmap_batch = 23,
    XENMEM_claim_pages = 24,
    XENMEM_machphys_compat_mfn_list = 25,
    XENMEM_get_vnumainfo = 26,
    XENMEM_reserved_device_memory_map = 27,
    XENMEM_acquire_resource = 28
};

/* xenmem_reservation_args.mem_flags. */
#define XENMEMF_ADDRESS_BITS_MASK 0xffu /* below 2^n; 0: anywhere */
#define XENMEMF_NODE_SHIFT 8            /* bits 15:8: node + 1 */
#define XENMEMF_populate_on_demand 0x10000u
#define XENMEMF_exact_node_request 0x20000u
#define XENMEMF_vnode 0x40000u

/*
 * XENMEM_increase_reservation: new frames; extent_start, unless NULL, gets
 * the first MFN of each extent.
 * XENMEM_decrease_reservation: gives up extents, first MFNs listed.
 * XENMEM_populate_physmap: new frames for the first pfns listed, which are
 * replaced by MFNs.
 * They return the number of extents done, which may be fewer than
 * asked for; an extent is 2^extent_order frames, naturally aligned.
 */
struct xenmem_reservation_args {
    guest_va extent_start; /* in:  uint64_t[nr_extents]; out: see above */
    uint64_t nr_extents;   /* in */
    uint32_t extent_order; /* in:  log2 of frames in an extent */
    uint32_t mem_flags;    /* in:  XENMEMF_* */
    domid_t domid;         /* in */
    uint16_t pad[3];
};
ABI_SIZE(struct xenmem_reservation_args, 32);
ABI_AT(struct xenmem_reservation_args, nr_extents, 8);
ABI_AT(struct xenmem_reservation_args, extent_order, 16);
ABI_AT(struct xenmem_reservation_args, mem_flags, 20);
ABI_AT(struct xenmem_reservation_args, domid, 24);
ABI_AT(struct xenmem_reservation_args, pad, 26);

/*
 * XENMEM_set_pod_target: how much of a domain's memory is populated on demand:
 * none, so the target means nothing. dom0. 0. XENMEM_get_pod_target: not
 * served.
 */
struct xenmem_pod_target_args {
    uint64_t target_pages;    /* in:  ignored */
    uint64_t tot_pages;       /* out: left as it is */
    uint64_t pod_cache_pages; /* out: left as it is */
    uint64_t pod_entries;     /* out: left as it is */
    domid_t domid;            /* in:  ignored */
    uint16_t pad[3];
};
ABI_SIZE(struct xenmem_pod_target_args, 40);
ABI_AT(struct xenmem_pod_target_args, tot_pages, 8);
ABI_AT(struct xenmem_pod_target_args, pod_cache_pages, 16);
ABI_AT(struct xenmem_pod_target_args, pod_entries, 24);
ABI_AT(struct xenmem_pod_target_args, domid, 32);
ABI_AT(struct xenmem_pod_target_args, pad, 34);

/*
 * XENMEM_exchange: unmapped frames for frames of another shape. in lists
 * MFNs, out lists pfns that are replaced by MFNs; both cover the same number
 * of frames. All or nothing: 0 with nr_exchanged == in.nr_extents, or an
 * error with nr_exchanged == 0. -ENOMEM when memory has no such frames,
 * -EINVAL for extents that do not match, -EPERM for a foreign domid.
 */
struct xenmem_exchange_args {
    struct xenmem_reservation_args in;  /* in:  what the caller gives */
    struct xenmem_reservation_args out; /* in:  what it wants */
    uint64_t nr_exchanged; /* in: 0; out: extents of `in` exchanged */
};
ABI_SIZE(struct xenmem_exchange_args, 72);
ABI_AT(struct xenmem_exchange_args, out, 32);
ABI_AT(struct xenmem_exchange_args, nr_exchanged, 64);

/*
 * XENMEM_current_reservation, XENMEM_maximum_reservation: the result is the
 * number of pages the domain has, or may have.
 * XENMEM_maximum_gpfn: the result is the highest pfn in its M2P entries.
 */
struct xenmem_domain_args {
    domid_t domid; /* in */
};
ABI_SIZE(struct xenmem_domain_args, 2);

/*
 * XENMEM_machphys_mfn_list: the frames that hold the M2P table, one MFN per
 * 2 MiB of it. dom0. 0.
 */
struct xenmem_machphys_mfn_list_args {
    uint32_t max_extents; /* in:  room in the array */
    uint32_t pad0;
    guest_va extent_start; /* in:  uint64_t[max_extents], filled in */
    uint32_t nr_extents;   /* out: how many were stored */
    uint32_t pad1;
};
ABI_SIZE(struct xenmem_machphys_mfn_list_args, 24);
ABI_AT(struct xenmem_machphys_mfn_list_args, pad0, 4);
ABI_AT(struct xenmem_machphys_mfn_list_args, extent_start, 8);
ABI_AT(struct xenmem_machphys_mfn_list_args, nr_extents, 16);
ABI_AT(struct xenmem_machphys_mfn_list_args, pad1, 20);

/* XENMEM_machphys_mapping: where the caller sees the M2P table. 0. */
struct xenmem_machphys_mapping_args {
    uint64_t v_start; /* out: first byte */
    uint64_t v_end;   /* out: one past the last byte reserved */
    uint64_t max_mfn; /* out: last entry that exists */
};
ABI_SIZE(struct xenmem_machphys_mapping_args, 24);
ABI_AT(struct xenmem_machphys_mapping_args, v_end, 8);
ABI_AT(struct xenmem_machphys_mapping_args, max_mfn, 16);

enum {
    XENMAPSPACE_shared_info = 0,  /* the shared_info frame */
    XENMAPSPACE_grant_table = 1,  /* idx: frame of the grant table */
    XENMAPSPACE_gmfn = 2,         /* idx: a frame of the domain */
    XENMAPSPACE_gmfn_range = 3,   /* as gmfn, `size` of them */
    XENMAPSPACE_gmfn_foreign = 4, /* batch only */
    XENMAPSPACE_dev_mmio = 5      /* batch only */
};

/*
 * XENMEM_add_to_physmap: puts something at a pfn of a domain with a
 * translated memory map. Mica's domains have none: -EOPNOTSUPP.
 */
struct xenmem_add_to_physmap_args {
    domid_t domid;  /* in */
    uint16_t size;  /* in:  pages, for gmfn_range */
    uint32_t space; /* in:  XENMAPSPACE_* */
    uint64_t idx;   /* in:  by space */
    uint64_t gpfn;  /* in:  where */
};
ABI_SIZE(struct xenmem_add_to_physmap_args, 24);
ABI_AT(struct xenmem_add_to_physmap_args, size, 2);
ABI_AT(struct xenmem_add_to_physmap_args, space, 4);
ABI_AT(struct xenmem_add_to_physmap_args, idx, 8);
ABI_AT(struct xenmem_add_to_physmap_args, gpfn, 16);

/* XENMEM_add_to_physmap_batch: the same for many; errs gets 0 or -Exxx each. */
struct xenmem_add_to_physmap_batch_args {
    domid_t domid;  /* in */
    uint16_t space; /* in:  XENMAPSPACE_* */
    uint16_t size;  /* in:  elements in the arrays */
    union {
        domid_t foreign_domid; /* in:  for gmfn_foreign */
        uint16_t res0;         /* in:  otherwise: must be 0 */
    } u;
    guest_va idxs;  /* in:  uint64_t[size] */
    guest_va gpfns; /* in:  uint64_t[size] */
    guest_va errs;  /* in:  int32_t[size], filled in */
};
ABI_SIZE(struct xenmem_add_to_physmap_batch_args, 32);
ABI_AT(struct xenmem_add_to_physmap_batch_args, space, 2);
ABI_AT(struct xenmem_add_to_physmap_batch_args, size, 4);
ABI_AT(struct xenmem_add_to_physmap_batch_args, u, 6);
ABI_AT(struct xenmem_add_to_physmap_batch_args, idxs, 8);
ABI_AT(struct xenmem_add_to_physmap_batch_args, gpfns, 16);
ABI_AT(struct xenmem_add_to_physmap_batch_args, errs, 24);

/* XENMEM_remove_from_physmap: as add_to_physmap. */
struct xenmem_remove_from_physmap_args {
    domid_t domid; /* in */
    uint16_t pad[3];
    uint64_t gpfn; /* in */
};
ABI_SIZE(struct xenmem_remove_from_physmap_args, 16);
ABI_AT(struct xenmem_remove_from_physmap_args, pad, 2);
ABI_AT(struct xenmem_remove_from_physmap_args, gpfn, 8);

enum {
    E820_TYPE_RAM = 1,
    E820_TYPE_RESERVED = 2,
    E820_TYPE_ACPI = 3,
    E820_TYPE_NVS = 4,
    E820_TYPE_UNUSABLE = 5
};

/*
 * One entry of a memory map. The entries are 20 bytes apart and therefore
 * only 4-byte aligned: hence the halves.
 */
struct e820_entry {
    uint32_t addr_lo; /* first byte, physical */
    uint32_t addr_hi;
    uint32_t size_lo; /* bytes */
    uint32_t size_hi;
    uint32_t type; /* E820_TYPE_* */
};
ABI_SIZE(struct e820_entry, 20);
ABI_AT(struct e820_entry, addr_hi, 4);
ABI_AT(struct e820_entry, size_lo, 8);
ABI_AT(struct e820_entry, size_hi, 12);
ABI_AT(struct e820_entry, type, 16);

/*
 * XENMEM_memory_map: the map of the caller; -ENOSYS when it was given none.
 * XENMEM_machine_memory_map: the map of the machine; dom0, -EPERM otherwise.
 * Both: 0; -EINVAL for a buffer without room.
 */
struct xenmem_memory_map_args {
    uint32_t nr_entries; /* in: room in the buffer; out: entries */
    uint32_t pad;
    guest_va buffer; /* in:  struct e820_entry[], filled in */
};
ABI_SIZE(struct xenmem_memory_map_args, 16);
ABI_AT(struct xenmem_memory_map_args, pad, 4);
ABI_AT(struct xenmem_memory_map_args, buffer, 8);

/*
 * XENMEM_set_memory_map: the map that a domain will get. dom0. 0; -EPERM,
 * -EINVAL for too many entries.
 */
struct xenmem_set_memory_map_args {
    domid_t domid; /* in */
    uint16_t pad[3];
    struct xenmem_memory_map_args map; /* in:  nr_entries are read */
};
ABI_SIZE(struct xenmem_set_memory_map_args, 24);
ABI_AT(struct xenmem_set_memory_map_args, pad, 2);
ABI_AT(struct xenmem_set_memory_map_args, map, 8);

enum {
    XENMEM_resource_ioreq_server = 0,
    XENMEM_resource_grant_table = 1,
    XENMEM_resource_vmtrace_buf = 2
};
enum {
    XENMEM_resource_grant_table_id_shared = 0,
    XENMEM_resource_grant_table_id_status = 1
};

/*
 * XENMEM_acquire_resource: frames that belong to a domain's machinery, for
 * dom0 to map: those of its grant table, which grows as needed. With
 * frame_list NULL and nr_frames 0, nr_frames gets the size of the resource.
 * dom0. 0; -EOPNOTSUPP for a type not served, -EPERM, -EINVAL.
 */
struct xenmem_acquire_resource_args {
    domid_t domid;       /* in */
    uint16_t type;       /* in:  XENMEM_resource_* */
    uint32_t id;         /* in:  by type */
    uint32_t nr_frames;  /* in:  wanted; out: for a size query */
    uint32_t pad;        /* in:  must be 0 */
    uint64_t frame;      /* in:  the first one */
    guest_va frame_list; /* in:  uint64_t[nr_frames], filled in */
};
ABI_SIZE(struct xenmem_acquire_resource_args, 32);
ABI_AT(struct xenmem_acquire_resource_args, type, 2);
ABI_AT(struct xenmem_acquire_resource_args, id, 4);
ABI_AT(struct xenmem_acquire_resource_args, nr_frames, 8);
ABI_AT(struct xenmem_acquire_resource_args, pad, 12);
ABI_AT(struct xenmem_acquire_resource_args, frame, 16);
ABI_AT(struct xenmem_acquire_resource_args, frame_list, 24);
