/* SPDX-License-Identifier: MIT */
/*
 * Page-table entries in the form that guests write and processors read
 * (Intel SDM 3A, 4.5). The one place with names for their bits.
 */
#pragma once

#include "core/types.h"

#define PTE_PRESENT (1ull << 0)
#define PTE_WRITE (1ull << 1)
#define PTE_USER (1ull << 2)
#define PTE_WRITE_THROUGH (1ull << 3)
#define PTE_CACHE_DISABLE (1ull << 4)
#define PTE_ACCESSED (1ull << 5)
#define PTE_DIRTY (1ull << 6)
#define PTE_LARGE (1ull << 7) /* L2, L3 */
#define PTE_PAT (1ull << 7)   /* L1 */
#define PTE_GLOBAL (1ull << 8)
#define PTE_NX (1ull << 63)

#define PTE_FRAME_MASK 0x000ffffffffff000ull
#define PTE_CACHE_BITS (PTE_WRITE_THROUGH | PTE_CACHE_DISABLE | PTE_PAT)

#define PT_ENTRIES 512u

static inline mfn_t pte_frame(uint64_t pte)
{
    return MFN((pte & PTE_FRAME_MASK) >> PAGE_SHIFT);
}

static inline uint64_t pte_make(mfn_t frame, uint64_t flags)
{
    return frame.n << PAGE_SHIFT | flags;
}

/* The index of `va` in its table of `level` (1 to 4). */
static inline unsigned pt_index(uint64_t va, unsigned level)
{
    return va >> (PAGE_SHIFT + 9 * (level - 1)) & (PT_ENTRIES - 1);
}

static inline uint64_t pte_read(const uint64_t *entry)
{
    return __atomic_load_n(entry, __ATOMIC_RELAXED);
}

static inline void pte_write(uint64_t *entry, uint64_t value)
{
    __atomic_store_n(entry, value, __ATOMIC_RELEASE);
}
