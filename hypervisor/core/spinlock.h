/* SPDX-License-Identifier: MIT */
/*
 * Ticket locks. Mica runs with interrupts off from entry to exit, so one
 * kind is enough. A waiting CPU keeps serving other CPUs' flush requests
 * (arch_spin_wait), so that a holder may wait for an acknowledgement.
 *
 * Order, outermost first: a domain's event lock, its page-table lock, its grant
 * lock (of two of a kind the lower address first), heap, log; scheduler and
 * timer locks nest inside any of them but the heap's and the log's, the domain
 * list's inside any at all. docs/locking.md has the whole table.
 */
#pragma once

#include "core/arch.h"
#include "core/types.h"

struct spinlock {
    uint32_t next, serving;
};

#define SPINLOCK_INIT                                                          \
    {                                                                          \
        0, 0                                                                   \
    }

hot_path static inline void spin_lock(struct spinlock *l)
{
    uint32_t ticket = __atomic_fetch_add(&l->next, 1, __ATOMIC_RELAXED);

    while (__atomic_load_n(&l->serving, __ATOMIC_ACQUIRE) != ticket)
        arch_spin_wait();
}

/* Takes the lock if that needs no waiting; whether it did. */
static inline bool spin_trylock(struct spinlock *l)
{
    uint32_t ticket = __atomic_load_n(&l->serving, __ATOMIC_ACQUIRE);

    return __atomic_compare_exchange_n(&l->next, &ticket, ticket + 1, false,
                                       __ATOMIC_RELAXED, __ATOMIC_RELAXED);
}

hot_path static inline void spin_unlock(struct spinlock *l)
{
    __atomic_store_n(&l->serving, l->serving + 1, __ATOMIC_RELEASE);
}

/* Two of a kind, the one at the lower address first; they may be the same. */
static inline void spin_lock_both(struct spinlock *a, struct spinlock *b)
{
    spin_lock(a < b ? a : b);
    if (a != b)
        spin_lock(a < b ? b : a);
}

static inline void spin_unlock_both(struct spinlock *a, struct spinlock *b)
{
    spin_unlock(a);
    if (a != b)
        spin_unlock(b);
}
