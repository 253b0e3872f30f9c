/* SPDX-License-Identifier: MIT */
/*
 * Mica's own address space: slots 256 to 271 of every L4 (memory_layout.h).
 * `idle_l4` is the master copy, live while no guest is. Entries of those
 * slots are fixed once paging_init returned, so copies never go stale; what
 * lies below them may change and is then seen in every address space at once.
 */
#pragma once

#include "core/pte.h"
#include "core/dom0_build.h"
#include "core/types.h"
#include "x86/machine_early.h"

#define OWN_RW (PTE_PRESENT | PTE_WRITE | PTE_ACCESSED | PTE_DIRTY | PTE_NX)
#define OWN_RO (PTE_PRESENT | PTE_ACCESSED | PTE_NX)
#define OWN_RX (PTE_PRESENT | PTE_ACCESSED)
#define OWN_DEVICE (OWN_RW | PTE_WRITE_THROUGH | PTE_CACHE_DISABLE)

/*
 * Takes stock of RAM and builds Mica's address space in it: `ram` are the
 * firmware's `ram_count` sorted, disjoint ranges; `busy` what the loader put
 * there that must survive. Fills frame table, M2P and heap. Called once.
 */
void paging_init(const struct memory_range *ram, unsigned ram_count,
                 const struct memory_range *busy, unsigned busy_count);

/* Removes the identity mapping that the start of processors needs. */
void paging_drop_identity(void);

/* Gives back memory that paging_init kept as busy. */
void paging_release(uint64_t start, uint64_t end);

void paging_release_init(void);

/* Maps `size` bytes at `va`, inside Mica's slots, to `physical`. */
void map_own(uint64_t va, uint64_t physical, uint64_t size, uint64_t flags);

/*
 * A zeroed stack of STACK_SIZE, aligned to that, above a page that is not
 * mapped; NULL without memory.
 */
void *stack_alloc(void);

/* The L1 table that covers `va`, made if it is missing. */
uint64_t *own_l1_table(uint64_t va);

extern uint64_t idle_l4[PT_ENTRIES];
