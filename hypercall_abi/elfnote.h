/* SPDX-License-Identifier: MIT */
/*
 * ELF notes, owner "Xen", with which a kernel says how it wants to be built.
 * A number may be 4 or 8 bytes wide; text is NUL-terminated.
 */
#pragma once

#include "hypercall_abi/abi.h"

enum {
    XEN_ELFNOTE_INFO = 0,
    XEN_ELFNOTE_ENTRY = 1,               /* virtual address to start at */
    XEN_ELFNOTE_HYPERCALL_PAGE = 2,      /* virtual address of a page to fill */
    XEN_ELFNOTE_VIRT_BASE = 3,           /* virtual address of pfn 0 */
    XEN_ELFNOTE_PADDR_OFFSET = 4,        /* subtracted from each p_paddr */
    XEN_ELFNOTE_XEN_VERSION = 5,         /* text, "xen-3.0" */
    XEN_ELFNOTE_GUEST_OS = 6,            /* text */
    XEN_ELFNOTE_GUEST_VERSION = 7,       /* text */
    XEN_ELFNOTE_LOADER = 8,              /* text, "generic" */
    XEN_ELFNOTE_PAE_MODE = 9,            /* text; for 32-bit kernels */
    XEN_ELFNOTE_FEATURES = 10,           /* text, names joined by '|' */
    XEN_ELFNOTE_BSD_SYMTAB = 11,         /* text, "yes" to load symbols */
    XEN_ELFNOTE_HV_START_LOW = 12,       /* lowest address not the kernel's */
    XEN_ELFNOTE_L1_MFN_VALID = 13,       /* pairs of mask and value */
    XEN_ELFNOTE_SUSPEND_CANCEL = 14,     /* 1: suspend may return 1 */
    XEN_ELFNOTE_INIT_P2M = 15,           /* virtual address for the p2m list */
    XEN_ELFNOTE_MOD_START_PFN = 16,      /* 1: initrd need not be mapped */
    XEN_ELFNOTE_SUPPORTED_FEATURES = 17, /* bit n: XENFEAT n */
    XEN_ELFNOTE_PHYS32_ENTRY = 18,       /* entry point for PVH */
    XEN_ELFNOTE_MAX = XEN_ELFNOTE_PHYS32_ENTRY
};
