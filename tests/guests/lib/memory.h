/* SPDX-License-Identifier: MIT */
/*
 * Pages and page tables of a test kernel. Pages come from a pool inside the
 * image and are mapped RW at the start.
 */
#pragma once

#include "guest.h"
#include "hypercall_abi/mmu.h"

#define PTE_P 0x1ul
#define PTE_RW 0x2ul
#define PTE_US 0x4ul
#define PTE_PWT 0x8ul
#define PTE_PCD 0x10ul
#define PTE_A 0x20ul
#define PTE_D 0x40ul
#define PTE_PSE 0x80ul
#define PTE_G 0x100ul
#define PTE_NX (1ul << 63)
#define PTE_FRAME 0xffffffffff000ul

#define PTE_RO_PAGE (PTE_P | PTE_US | PTE_A)
#define PTE_RW_PAGE (PTE_P | PTE_RW | PTE_US | PTE_A | PTE_D)
#define PTE_TABLE (PTE_P | PTE_RW | PTE_US | PTE_A | PTE_D)

/* One page of user code, a stack and a page of data, see user_init. */
#define USER_BASE 0x8000000000ul
#define USER_STACK (USER_BASE + 0x10000)
#define USER_STACK_TOP (USER_STACK + 0x4000)
#define USER_DATA (USER_BASE + 0x20000)
#define USER_HOLE (USER_BASE + 0x30000)

extern char VIRT_BASE[];

void *page_alloc(void);
uint64_t mfn_of(const void *va);
uint64_t maddr_of(const void *va);

/* The page that maps a frame of this domain in the image. */
void *va_of_mfn(uint64_t mfn);

/* The current kernel root, and the address of the entry that maps va. */
uint64_t *root_table(void);
uint64_t *pte_of(uint64_t va, int level);

long page_map(const void *va, uint64_t pte);
long page_set_ro(const void *va);
long page_set_rw(const void *va);
long pte_write(const void *entry, uint64_t value);
long mmuext(unsigned cmd, uint64_t arg1, uint64_t arg2);

void memory_init(void);

/* Makes the user root; user code lies in the section .user. */
void user_init(void);
extern uint64_t user_root_mfn;
extern void *user_data_page, *user_stack_page, *user_root_page, *user_l3_page,
    *user_l1_page;

/* Where user mode finds something of the section .user. */
uint64_t user_address(const void *in_image);
