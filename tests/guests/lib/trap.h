/* SPDX-License-Identifier: MIT */
/*
 * Exceptions and callbacks of a test kernel. Whatever enters the kernel leaves
 * a record in `trap`. What happens next: a hook, if one is set, and the
 * interrupted code goes on; otherwise the innermost trap_try returns.
 */
#pragma once

#include "guest.h"
#include "hypercall_abi/callback.h"
#include "hypercall_abi/trap.h"

/* Vectors above those of the processor stand for callbacks. */
enum {
    ENTRY_NONE = -1,
    ENTRY_EVENT = 256,
    ENTRY_FAILSAFE = 257,
    ENTRY_SYSCALL = 258,
    ENTRY_SYSCALL32 = 259,
    ENTRY_SYSENTER = 260,
    ENTRY_COUNT = 261
};

enum {
    EXC_DE = 0,
    EXC_DB = 1,
    EXC_BP = 3,
    EXC_OF = 4,
    EXC_UD = 6,
    EXC_NM = 7,
    EXC_NP = 11,
    EXC_SS = 12,
    EXC_GP = 13,
    EXC_PF = 14,
    EXC_AC = 17
};

#define FLAG_CF 0x1ul
#define FLAG_FIXED 0x2ul
#define FLAG_ZF 0x40ul
#define FLAG_TF 0x100ul
#define FLAG_IF 0x200ul
#define FLAG_DF 0x400ul
#define FLAG_IOPL 0x3000ul
#define FLAG_NT 0x4000ul
#define FLAG_RF 0x10000ul
#define FLAG_VM 0x20000ul
#define FLAG_AC 0x40000ul
#define FLAG_ID 0x200000ul

/* Do the live selectors say that the kernel runs in ring 1? */
bool kernel_is_in_ring_1(void);

#define USER_CS_32 0xe023u
#define KERNEL_CS 0xe033u
#define KERNEL_SS 0xe02bu

/* The general registers, as the entry stub stores them. */
struct gprs {
    uint64_t r15, r14, r13, r12, r11, r10, r9, r8;
    uint64_t rbp, rdi, rsi, rdx, rcx, rbx, rax;
};

/* On the stack at entry, made by the stub and, from raw on, the hypervisor. */
struct entry_stack {
    struct gprs gprs;
    uint64_t rflags;
    uint64_t vector;
    uint64_t raw[11];
};

/* What the last entry looked like. */
struct trap_record {
    struct gprs gprs;   /* live at entry */
    uint64_t entry_rsp; /* address of raw[0] */
    uint64_t entry_rflags;
    uint16_t entry_cs, entry_ss;
    uint8_t entry_mask; /* event mask in the handler */
    uint64_t raw[11];   /* from the stack pointer up */
    /* The same, taken apart. */
    int vector;
    uint64_t rcx, r11, error_code, rip, rflags, rsp;
    uint64_t cs, ss; /* whole words */
    uint64_t cr2;
    uint64_t count; /* entries since the start */
};

extern struct trap_record trap;

/*
 * Called on an entry with the iret frame to go on with, which it may change;
 * false unwinds to trap_try after all.
 */
extern bool (*trap_hook)(struct entry_stack *stack, struct iret_context *back);

/* Calls f(arg); ENTRY_NONE when it returns, else the vector that ended it. */
int trap_try(void (*f)(uint64_t), uint64_t arg);

/* Everything about a context to enter by iret. */
struct context {
    struct gprs gprs; /* rax, rcx, r11: in the frame */
    struct iret_context frame;
};

/* Enters it. Comes back only through trap_try. */
void context_enter(uint64_t context);

/* As context_enter, through stub 23 of the hypercall page. */
void context_enter_by_page(uint64_t context);

/* A kernel context at rip, with a stack of its own and events masked. */
void context_kernel(struct context *c, uint64_t rip);

/* A user context at an address in the section .user. */
void context_user(struct context *c, const void *start);

/* The same in compatibility mode, at the lowest addresses. */
void context_user_32(struct context *c, const void *start);

void traps_init(void);
void trap_table_restore(void);
void callback_register(unsigned type, unsigned flags, uint64_t address);
void callbacks_restore(void);

/* The stub of a vector. */
uint64_t entry_stub(unsigned vector);

/* Upper ends of stacks. */
extern char kernel_stack_top[], trap_stack_top[], spare_stack_top[];
