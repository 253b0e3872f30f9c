/* SPDX-License-Identifier: MIT */
/*
 * Domains with real, validated page tables, for tests of the code that keeps
 * them so. Each has MMU_PAGES pages, all mapped in a row at MMU_VA: the
 * tables read-only, the rest writable.
 *
 *   fake_boot(1);
 *   mmu_guest_create(&g, 1);
 *   mmu_guest_run(&g);                        it is the current one
 *   r = mmu_update(&g, machine address, entry);
 *   r = mmu_ext(&g, MMUEXT_PIN_L1_TABLE, mfn, 0);
 *   mmu_guest_remap(&g, pfn, MMU_READ_ONLY);  before it becomes a table
 *
 * Calls may be cut short (fake.slow_at): the functions then issue them again
 * as a vCPU would, unless their names say once.
 */
#pragma once

#include "core/domain.h"
#include "core/hypercall.h"
#include "core/pte.h"
#include "core/vcpu.h"

#define MMU_PAGES 64u
#define MMU_VA 0xffff888000000000ull

/* Pages that have a purpose from the start. */
enum { MMU_L4, MMU_L3, MMU_L2, MMU_L1, MMU_ARGS, MMU_FREE };

#define MMU_READ_ONLY (PTE_PRESENT | PTE_USER)
#define MMU_WRITABLE (PTE_PRESENT | PTE_USER | PTE_WRITE)
#define MMU_TABLE (PTE_PRESENT | PTE_USER | PTE_WRITE)

struct mmu_guest {
    struct domain *d;
    struct vcpu *v;
    unsigned cpu;
    mfn_t frame[MMU_PAGES]; /* by pfn */
};

void mmu_guest_create(struct mmu_guest *g, domid_t id);
void mmu_guest_run(const struct mmu_guest *g);
bool mmu_guest_reset_root(struct mmu_guest *g);

/* To use a domain again: of all domains the tables first, then the memory. */
void mmu_guest_drop_tables(struct mmu_guest *g);
void mmu_guest_empty(struct mmu_guest *g);
void mmu_guest_fill(struct mmu_guest *g);

uint64_t *mmu_page(const struct mmu_guest *g, unsigned pfn);
struct frame *mmu_frame(const struct mmu_guest *g, unsigned pfn);
uint64_t mmu_address(const struct mmu_guest *g, unsigned pfn, unsigned index);
uint64_t mmu_entry(const struct mmu_guest *g, unsigned pfn, uint64_t flags);

static inline uint64_t mmu_va(unsigned pfn)
{
    return MMU_VA + (uint64_t)pfn * PAGE_SIZE;
}

long mmu_call_once(hypercall_handler *handler, const uint64_t *args);
long mmu_call(hypercall_handler *handler, const uint64_t *args);
long mmu_update_once(const struct mmu_guest *g, uint64_t ptr, uint64_t value);
long mmu_update(const struct mmu_guest *g, uint64_t ptr, uint64_t value);
long mmu_ext_once(const struct mmu_guest *g, unsigned cmd, uint64_t arg1,
                  uint64_t arg2);
long mmu_ext(const struct mmu_guest *g, unsigned cmd, uint64_t arg1,
             uint64_t arg2);
long mmu_map_va(const struct mmu_guest *g, uint64_t va, uint64_t entry,
                uint64_t flags);
long mmu_guest_remap(const struct mmu_guest *g, unsigned pfn, uint64_t flags);

/* Whether the last hypercall wants to be issued again. */
bool mmu_is_cut(void);
