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
 *   +0x25000  TSS and its I/O bitmap, 3 pages
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
#define GATE_PAGES_USED 0x28

#define IO_BITMAP_BYTES 8192

#ifndef __ASSEMBLER__
#include "core/types.h"

/* The constants page; gate.S reads it, only Mica's full side writes it. */
struct gate_const {
    uint64_t stack;          /* top of Mica's stack: end of struct regs */
    uint64_t entry_syscall;  /* entry.S, by absolute address */
    uint64_t entry_sysenter;
    uint64_t entry_trap;
    uint64_t exception_stack; /* top of the stack for NMI, #MC, #DF */
    uint64_t full_cr3;
};

/* The scratch page. Its end is three interrupt stacks (IST 1 to 3). */
#define GATE_IST_BYTES 1024
struct gate_scratch {
    uint64_t guest_rsp;
    uint8_t unused[4096 - 8 - 3 * GATE_IST_BYTES];
    uint8_t ist[3][GATE_IST_BYTES];
};
_Static_assert(sizeof(struct gate_scratch) == PAGE_SIZE, "one page");

struct tss {
    uint32_t reserved0;
    uint32_t rsp[6];    /* RSP0 to RSP2 as pairs of low and high */
    uint32_t reserved1[2];
    uint32_t ist[14];   /* IST1 to IST7 likewise */
    uint32_t reserved2[2];
    uint16_t reserved3;
    uint16_t io_bitmap_offset;
    uint8_t io_bitmap[IO_BITMAP_BYTES];
    uint8_t io_bitmap_end; /* 0xff, as the processor wants it */
};
_Static_assert(offsetof(struct tss, io_bitmap) == 104, "Intel SDM 3A, 8.7");

enum ist_stack { IST_NONE, IST_NMI, IST_MC, IST_DF };
#endif
