/* SPDX-License-Identifier: MIT */
/*
 * Exceptions, segments and descriptors as a guest sees them: the trap table,
 * the hypervisor's selectors, the iret frame and the segment bases.
 */
#pragma once

#include "hypercall_abi/abi.h"

/*
 * The guest's GDT has up to 14 pages of its own; the hypervisor's entries
 * begin behind them.
 */
#define FIRST_RESERVED_GDT_PAGE 14
#define FIRST_RESERVED_GDT_BYTE 0xe000
#define FIRST_RESERVED_GDT_ENTRY 7168

/* Flat segments that are always there, RPL 3. */
#define FLAT_RING3_CS32 0xe023
#define FLAT_RING3_CS64 0xe033
#define FLAT_RING3_DS32 0xe02b
#define FLAT_RING3_DS64 0x0000
#define FLAT_RING3_SS32 0xe02b
#define FLAT_RING3_SS64 0xe02b
#define FLAT_KERNEL_CS FLAT_RING3_CS64
#define FLAT_KERNEL_DS FLAT_RING3_DS64
#define FLAT_KERNEL_SS FLAT_RING3_SS64
#define FLAT_USER_CS FLAT_RING3_CS64
#define FLAT_USER_DS FLAT_RING3_DS64
#define FLAT_USER_SS FLAT_RING3_SS64

#define TRAP_INFO_DPL_MASK 0x3u    /* who may use INT n: 1 kernel, 3 all */
#define TRAP_INFO_MASK_EVENTS 0x4u /* events are masked on entry */

/*
 * set_trap_table(struct trap_info *): the array ends with address 0 and is
 * merged into the calling vCPU's table; NULL empties the table.
 * 0; -EINVAL for an address that is not canonical, -EFAULT.
 */
struct trap_info {
    uint8_t vector; /* in:  0..255 */
    uint8_t flags;  /* in:  TRAP_INFO_* */
    uint16_t cs;    /* in:  code selector, taken with RPL 3 */
    uint32_t pad;
    uint64_t address; /* in:  entry point; 0 ends the array */
};
ABI_SIZE(struct trap_info, 16);
ABI_AT(struct trap_info, flags, 1);
ABI_AT(struct trap_info, cs, 2);
ABI_AT(struct trap_info, pad, 4);
ABI_AT(struct trap_info, address, 8);

/*
 * set_gdt(uint64_t *frames, entries): gives the calling vCPU a GDT of at most
 * FIRST_RESERVED_GDT_ENTRY entries in ceil(entries / 512) frames, which
 * become descriptor frames. 0; -EINVAL for too many entries or a frame that
 * cannot hold descriptors, -EFAULT.
 *
 * update_descriptor(machine address, descriptor): writes one descriptor,
 * 8-byte aligned, in a frame of the caller. 0; -EINVAL.
 */

/* set_segment_base(which, value). 0; -EINVAL for a bad base or which. */
enum {
    SEGBASE_FS = 0,
    SEGBASE_GS_USER = 1,    /* the base the kernel does not run with */
    SEGBASE_GS_KERNEL = 2,  /* the base the kernel runs with */
    SEGBASE_GS_USER_SEL = 3 /* a selector; a bad one loads null: 0 */
};

#define VGCF_in_syscall 0x100u

/*
 * What the iret hypercall finds on the kernel's stack. The call does not
 * return: the vCPU goes on at rip, in user mode when cs has RPL 3, in kernel
 * mode when it has RPL 0. An unreadable frame ends the domain.
 */
struct iret_context {
    uint64_t rax;
    uint64_t r11;
    uint64_t rcx;
    uint64_t flags; /* in:  VGCF_in_syscall: r11, rcx not kept */
    uint64_t rip;
    uint64_t cs;
    uint64_t rflags; /* in:  IF clear masks events */
    uint64_t rsp;
    uint64_t ss;
};
ABI_SIZE(struct iret_context, 72);
ABI_AT(struct iret_context, r11, 8);
ABI_AT(struct iret_context, rcx, 16);
ABI_AT(struct iret_context, flags, 24);
ABI_AT(struct iret_context, rip, 32);
ABI_AT(struct iret_context, cs, 40);
ABI_AT(struct iret_context, rflags, 48);
ABI_AT(struct iret_context, rsp, 56);
ABI_AT(struct iret_context, ss, 64);
