/* SPDX-License-Identifier: MIT */
/*
 * vm_assist(cmd, type): switches a behaviour on or off for the whole domain.
 * Any domain. 0; -EINVAL for an unknown type, -ENOSYS for an unknown command.
 */
#pragma once

#include "hypercall_abi/abi.h"

enum { VMASST_CMD_enable = 0, VMASST_CMD_disable = 1 };

enum {
    VMASST_TYPE_4gb_segments = 0,         /* 32-bit guests; no effect */
    VMASST_TYPE_4gb_segments_notify = 1,  /* 32-bit guests; no effect */
    VMASST_TYPE_writable_pagetables = 2,  /* stores to L1 tables emulated */
    VMASST_TYPE_pae_extended_cr3 = 3,     /* 32-bit guests; no effect */
    VMASST_TYPE_architectural_iopl = 4,   /* frames show the virtual IOPL */
    VMASST_TYPE_runstate_update_flag = 5, /* XEN_RUNSTATE_UPDATE is used */
    VMASST_TYPE_m2p_strict = 32           /* no M2P for user mode */
};
