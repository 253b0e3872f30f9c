/* SPDX-License-Identifier: MIT */
/*
 * A pCPU's gate: everything that must be mapped while a guest runs. It lies
 * at GATE_BASE + pCPU * GATE_STRIDE in every address space; its code is one
 * text seen through many aliases, so it finds its data by displacement from
 * itself. Usable from assembly.
 *
 *   +0x00000  GDT: 14 pages of the guest's, then Mica's own, one unused
 *   +0x10000  LDT of the running vCPU, 16 pages
 *   +0x20000  code, 2 pages
 *   +0x22000  constants: read-only beside a guest
 *   +0x23000  scratch: entry stacks, the one writable page
 *   +0x24000  IDT
 *   +0x25000  TSS, at the end of a page, and its I/O bitmap, 2 pages
 *   +0x28000  the guest's own page that holds the vCPU's vcpu_info
 *
 * A guest kernel in ring 1 can read all of it and write scratch and its own
 * page. So ring 0 takes nothing from scratch that it did not store there
 * itself since it was entered, but for two words that matter to the guest
 * alone: `in_kernel` and `kernel_sp`.
 */
#pragma once

#define GATE_STRIDE 0x200000
#define GATE_GDT 0x00000
#define GATE_GDT_OWN 0x0e000
#define GATE_LDT 0x10000
#define GATE_CODE 0x20000
#define GATE_CONST 0x22000
#define GATE_SCRATCH 0x23000
#define GATE_IDT 0x24000
#define GATE_TSS 0x25000
#define GATE_VCPU_INFO 0x28000

#define GATE_STUB_BYTES 16 /* of the entry of each vector */

#define IO_BITMAP_BYTES 8192

#ifndef __ASSEMBLER__
#include "core/types.h"

/* The constants page; gate.S reads it, only Mica's full side writes it. */
struct gate_const {
    uint64_t stack;         /* top of Mica's stack: end of struct regs */
    uint64_t entry_syscall; /* entry.S, by absolute address */
    uint64_t entry_trap;
    uint64_t entry_ist;
    uint64_t exception_stack; /* top of the stack for NMI, #MC, #DF, #DB */
    uint64_t gate_stack;      /* top of the entry stack in the scratch page */
    uint64_t full_cr3;        /* the full side's tables */
    uint64_t light_cr3;       /* the root page */
    uint64_t vcpu_info;       /* where the gate sees it */
    uint64_t syscall_handler; /* of the guest kernel */
    uint32_t is_light;        /* a guest runs on the light side */
    uint32_t force_full;      /* the gate may not shortcut anything */
    uint32_t refill_returns;  /* guests' return predictions must go */
    uint32_t serves_kernel;   /* what runs on the full side is a kernel */
};

/*
 * The scratch page: words, the entry stack, and interrupt stacks (IST 1 to
 * 4) at its end.
 */
#define GATE_ENTRY_STACK_END 1024
#define GATE_IST_BYTES 768
struct gate_scratch {
    uint64_t guest_rsp; /* between the entry by SYSCALL and the next load */
    uint64_t kernel_sp; /* of the guest kernel, as stack_switch set it */
    uint32_t in_kernel; /* the vCPU is in its kernel */
    uint32_t unused;
    uint8_t stack[GATE_ENTRY_STACK_END - 24];
    uint8_t ist[4][GATE_IST_BYTES];
};
_Static_assert(sizeof(struct gate_scratch) == PAGE_SIZE, "one page");

struct tss {
    uint32_t reserved0;
    uint32_t rsp[6]; /* RSP0 to RSP2 as pairs of low and high */
    uint32_t reserved1[2];
    uint32_t ist[14]; /* IST1 to IST7 likewise */
    uint32_t reserved2[2];
    uint16_t reserved3;
    uint16_t io_bitmap_offset;
    uint8_t io_bitmap[IO_BITMAP_BYTES]; /* ioport.h */
};
_Static_assert(offsetof(struct tss, io_bitmap) == 104, "Intel SDM 3A, 8.7");

enum ist_stack { IST_NONE, IST_NMI, IST_MC, IST_DF, IST_DB, IST_COUNT };
#endif
