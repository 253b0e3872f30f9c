/* SPDX-License-Identifier: MIT */
/*
 * Page tables: mmu_update, mmuext_op, update_va_mapping, and the window of
 * addresses that belongs to the hypervisor.
 */
#pragma once

#include "hypercall_abi/abi.h"

/* L4 slots 256..271; the machine-to-physical table comes first, read-only. */
#define HYPERVISOR_VIRT_START UINT64_C(0xffff800000000000)
#define HYPERVISOR_VIRT_END UINT64_C(0xffff880000000000)
#define MACH2PHYS_VIRT_START UINT64_C(0xffff800000000000)
#define MACH2PHYS_VIRT_END UINT64_C(0xffff804000000000)

/* mmu_update.ptr, bits 1:0. */
enum {
    MMU_NORMAL_PT_UPDATE = 0,      /* store val at machine address ptr */
    MMU_MACHPHYS_UPDATE = 1,       /* M2P entry of frame ptr >> 12 = val */
    MMU_PT_UPDATE_PRESERVE_AD = 2, /* as 0, keeping accessed and dirty */
    MMU_PT_UPDATE_NO_TRANSLATE = 3 /* as 0 */
};
#define MMU_UPDATE_TYPE_MASK 0x3u

/*
 * mmu_update(struct mmu_update *, count, uint32_t *done, foreign domain).
 * Works through the list until one fails; done, unless NULL, gets how many
 * were completed. Foreign domain: bits 15:0 the owner of the mapped frames,
 * bits 31:16 the owner of the tables plus 1, or 0 for the caller. Any domain
 * for itself; -EPERM without rights over the other. 0; -EINVAL for an entry
 * that cannot be allowed, -EFAULT, -ESRCH, -ENOSYS.
 */
struct mmu_update {
    uint64_t ptr; /* in:  machine address of a PTE | MMU_* */
    uint64_t val; /* in:  the new entry, or a pfn */
};
ABI_SIZE(struct mmu_update, 16);
ABI_AT(struct mmu_update, val, 8);

/* Bit 31 of the count of a call that was interrupted and goes on. */
#define MMU_UPDATE_PREEMPTED 0x80000000u

enum {
    MMUEXT_PIN_L1_TABLE = 0, /* mfn; -EINVAL when it is pinned */
    MMUEXT_PIN_L2_TABLE = 1,
    MMUEXT_PIN_L3_TABLE = 2,
    MMUEXT_PIN_L4_TABLE = 3,
    MMUEXT_UNPIN_TABLE = 4, /* mfn; -EINVAL when it is not pinned */
    MMUEXT_NEW_BASEPTR = 5, /* mfn: root for kernel mode */
    MMUEXT_TLB_FLUSH_LOCAL = 6,
    MMUEXT_INVLPG_LOCAL = 7,    /* linear_addr */
    MMUEXT_TLB_FLUSH_MULTI = 8, /* vcpumask */
    MMUEXT_INVLPG_MULTI = 9,    /* linear_addr, vcpumask */
    MMUEXT_TLB_FLUSH_ALL = 10,
    MMUEXT_INVLPG_ALL = 11,         /* linear_addr */
    MMUEXT_FLUSH_CACHE = 12,        /* -EACCES for domains without devices */
    MMUEXT_SET_LDT = 13,            /* linear_addr, nr_ents (0..8192) */
    MMUEXT_NEW_USER_BASEPTR = 15,   /* mfn: root for user mode, 0: none */
    MMUEXT_FLUSH_CACHE_GLOBAL = 18, /* as FLUSH_CACHE */
    MMUEXT_MARK_SUPER = 19,         /* -EOPNOTSUPP */
    MMUEXT_UNMARK_SUPER = 20        /* -EOPNOTSUPP */
};

/*
 * mmuext_op(struct mmuext_op *, count, uint32_t *done, foreign domain): as
 * mmu_update, with the frames' owner as foreign domain. -ENOSYS for an
 * unknown command, -EINVAL for a frame that cannot become what is asked.
 */
struct mmuext_op {
    uint32_t cmd; /* in:  MMUEXT_* */
    uint32_t pad;
    union {
        uint64_t mfn;         /* in */
        uint64_t linear_addr; /* in:  virtual address */
    } arg1;
    union {
        uint32_t nr_ents;  /* in:  LDT entries */
        guest_va vcpumask; /* in:  bitmap, one bit per vCPU */
        uint64_t src_mfn;  /* in:  of COPY_PAGE, which isn't served */
    } arg2;
};
ABI_SIZE(struct mmuext_op, 24);
ABI_AT(struct mmuext_op, pad, 4);
ABI_AT(struct mmuext_op, arg1, 8);
ABI_AT(struct mmuext_op, arg2, 16);

/*
 * update_va_mapping(va, PTE, flags) sets the L1 entry that maps va in the
 * current kernel root; update_va_mapping_otherdomain also names the owner of
 * the frame that the entry refers to. Flags: a flush (none, whole TLB, one
 * page) and where (this vCPU, all, or the vCPUs in a bitmap whose address,
 * 8-byte aligned, is ORed in). 0; -EINVAL when va has no L1 table or the
 * entry cannot be allowed, -EFAULT, -EPERM, -ESRCH.
 */
#define UVMF_NONE UINT64_C(0)
#define UVMF_TLB_FLUSH UINT64_C(1)
#define UVMF_INVLPG UINT64_C(2)
#define UVMF_FLUSHTYPE_MASK UINT64_C(3)
#define UVMF_MULTI UINT64_C(0) /* | address of the bitmap */
#define UVMF_LOCAL UINT64_C(0)
#define UVMF_ALL UINT64_C(4)
