/* SPDX-License-Identifier: MIT */
/*
 * The machine's record of each pCPU, found from the stack pointer: a pCPU's
 * stack is aligned to its size, and its last bytes are struct stack_info.
 */
#pragma once

#define STACK_ORDER 2
#define STACK_SIZE (4096 << STACK_ORDER)
/* Room kept at the top of a stack: the guest's registers and stack_info. */
#define STACK_INFO_SIZE 192

#ifndef __ASSEMBLER__
#include "core/pcpu.h"
#include "hypercall_abi/abi.h"
#include "x86/gate.h"
#include "x86/regs.h"

struct stack_info;

/* A top-level table of the light side: a copy of one L4 frame of a guest. */
#define ROOT_PAGES 4
struct root_page {
    uint64_t *table;  /* const; its entries: sides_lock */
    uint64_t address; /* const: physical, of the table */
    mfn_t source;     /* sides_lock: the L4, or invalid */
};

/* const after boot: any selector, for a VERW before a guest runs; 0: none */
extern uint16_t verw_selector;

struct cpu {
    struct pcpu *core;            /* const after boot */
    unsigned id;                  /* const after boot */
    uint32_t apic_id;             /* const after boot */
    struct stack_info *stack;     /* const after boot */
    uint64_t gate;                /* const: address of the gate */
    uint64_t *gate_l1;            /* const: the L1 table that maps the gate */
    struct gate_const *constants; /* const: writable alias */
    struct gate_scratch *scratch; /* const: writable alias */
    struct tss *tss;              /* const: writable alias */
    uint64_t *own_gdt;            /* const: writable alias of Mica's GDT page */
    void *idt;                    /* const: writable alias */
    mfn_t loaded_root;            /* what CR3 holds on the full side */
    struct spinlock sides_lock;
    struct root_page roots[ROOT_PAGES];
    unsigned next_root;                 /* the one to fill next */
    const struct vcpu_info *shown_info; /* what the gate sees; or NULL */
    uint32_t flush_request; /* atomic: how many flushes others want */
    bool timer_is_due;      /* its interrupt came; timers_run must run */
    bool stacks_hold_own;   /* of the gate: an NMI has interrupted Mica */
    uint64_t last_domain;   /* serial: whose vCPU was loaded here last */
};

struct stack_info {
    struct regs regs; /* of the guest this pCPU was entered from */
    struct cpu *cpu;
    uint64_t pad;
};
_Static_assert(sizeof(struct stack_info) <= STACK_INFO_SIZE, "fits");
_Static_assert((sizeof(struct stack_info) - sizeof(struct regs)) % 16 == 0,
               "the processor aligns RSP0 to 16 bytes");

extern struct cpu cpus[MAX_PCPUS];

static inline struct stack_info *stack_info(void)
{
    uint64_t rsp;

    __asm__("mov %%rsp, %0" : "=r"(rsp));
    return (struct stack_info *)((rsp | (STACK_SIZE - 1)) + 1) - 1;
}

static inline struct cpu *this_cpu(void)
{
    return stack_info()->cpu;
}

/* The registers of the guest context that this pCPU was entered from. */
static inline struct regs *guest_regs(void)
{
    return &stack_info()->regs;
}

/* cpu.c */
void cpu_init_record(unsigned id, uint32_t apic_id, void *stack);
void cpu_init_this(unsigned id);
void cpu_set_rsp0(struct cpu *c, uint64_t address);
void cpu_set_gate_page(struct cpu *c, unsigned offset, mfn_t frame,
                       uint64_t flags);
void cpu_set_system_descriptor(struct cpu *c, unsigned selector, unsigned type,
                               uint64_t base, uint32_t limit);
#endif
