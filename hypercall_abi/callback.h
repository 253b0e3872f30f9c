/* SPDX-License-Identifier: MIT */
/*
 * callback_op(cmd, arg) and nmi_op(cmd, arg): where a vCPU is entered when
 * something other than an exception happens. Both act on the calling vCPU,
 * except that event and failsafe entries of a new vCPU come with its context.
 * Any domain.
 */
#pragma once

#include "hypercall_abi/abi.h"

enum {
    CALLBACKTYPE_event = 0,    /* an event is pending; always masks events */
    CALLBACKTYPE_failsafe = 1, /* a segment register could not be loaded */
    CALLBACKTYPE_syscall = 2,  /* SYSCALL from 64-bit user mode */
    CALLBACKTYPE_sysenter_deprecated = 3,
    CALLBACKTYPE_nmi = 4,
    CALLBACKTYPE_sysenter = 5, /* SYSENTER from user mode */
    CALLBACKTYPE_syscall32 = 7 /* SYSCALL from 32-bit user mode */
};

#define CALLBACKF_mask_events 0x1u /* events are masked on entry */

enum { CALLBACKOP_register = 0, CALLBACKOP_unregister = 1 };

/*
 * CALLBACKOP_register. 0; -EINVAL for an address that is not canonical or is
 * the hypervisor's, -ENOSYS for an unknown type, -EFAULT.
 */
struct callback_register_args {
    uint16_t type;  /* in:  CALLBACKTYPE_* */
    uint16_t flags; /* in:  CALLBACKF_* */
    uint32_t pad;
    uint64_t address; /* in:  where to enter the guest kernel */
};
ABI_SIZE(struct callback_register_args, 16);
ABI_AT(struct callback_register_args, flags, 2);
ABI_AT(struct callback_register_args, pad, 4);
ABI_AT(struct callback_register_args, address, 8);

/*
 * CALLBACKOP_unregister. 0; -EINVAL for a type that cannot be given up,
 * -ENOSYS for an unknown type, -EFAULT.
 */
struct callback_unregister_args {
    uint16_t type; /* in:  CALLBACKTYPE_* */
    uint16_t pad;
};
ABI_SIZE(struct callback_unregister_args, 4);
ABI_AT(struct callback_unregister_args, pad, 2);

enum {
    XENNMI_register_callback = 0,
    XENNMI_unregister_callback = 1 /* no argument; always 0 */
};

/* Bits of arch_shared_info.nmi_reason: why the machine raised an NMI. */
#define XEN_NMIREASON_io_error 0x1u
#define XEN_NMIREASON_pci_serr 0x2u
#define XEN_NMIREASON_unknown 0x4u

/*
 * XENNMI_register_callback: for vCPU 0 alone. 0; -EINVAL for another vCPU or
 * a bad address, -EFAULT.
 */
struct xennmi_register_callback_args {
    uint64_t handler_address; /* in:  where to enter the guest kernel */
    uint64_t pad;
};
ABI_SIZE(struct xennmi_register_callback_args, 16);
ABI_AT(struct xennmi_register_callback_args, pad, 8);
