/* SPDX-License-Identifier: MIT */
/*
 * A domain: its vCPUs, its memory accounting, its event channels and grants,
 * and what it may do. Domains are reference counted; the last reference of a
 * dying domain frees it. Being in the list is one reference.
 *
 * Locks of a domain: event_lock guards ports and VIRQ bindings, grant_lock
 * its grant table, pt_lock its mappings and each change of a frame's type to or
 * from a table or descriptor type and every write to such a frame; memory
 * accounting is under memory_lock. state_lock guards its state, pauses and
 * watchdogs; it nests inside those and outside the scheduler's and timers'.
 * core/spinlock.h has their order.
 */
#pragma once

#include "core/bitmap.h"
#include "core/evtchn.h"
#include "core/rangeset.h"
#include "core/sched.h"
#include "core/spinlock.h"
#include "core/timer.h"
#include "core/types.h"
#include "core/vcpu.h"
#include "hypercall_abi/abi.h"
#include "hypercall_abi/memory.h"
#include "hypercall_abi/shared_info.h"

#define WATCHDOG_ID 1u
#define E820_MAX_ENTRIES 128u
#define NO_SHUTDOWN_CODE (~0u)

struct arch_domain;
struct evtchn_table;
struct grant_table;
struct xen_domctl_getdomaininfo;

enum domain_state {
    DOMAIN_ALIVE,
    DOMAIN_SHUT_DOWN, /* its vCPUs don't run; shutdown_reason is set */
    DOMAIN_DYING,     /* being torn down */
};

struct domain {
    domid_t id;               /* const after create */
    uint64_t serial;          /* const after create: no other ever has it */
    bool is_privileged;       /* const after create: may administer Mica */
    bool may_use_devices;     /* const after build: device memory, caches */
    bool shares_lower_half;   /* const after build: its kernel lies high,
                                    its roots have equal lower halves */
    enum domain_state state;  /* atomic, state_lock */
    uint32_t shutdown_reason; /* state_lock: NO_SHUTDOWN_CODE: none yet */
    unsigned pause_count;     /* state_lock: pauses by the tools */
    unsigned teardown_step;   /* atomic, domctl lock: where the teardown is */
    uint64_t teardown_cursor; /* domctl lock: and which frame is next */
    struct timer watchdog;
    uint32_t refs;    /* atomic */
    uint8_t uuid[16]; /* tools change it, as a whole or not */

    /* What the tools said and only the tools hear of; domctl lock. */
    bool is_debugged;     /* by gdbsx */
    bool was_started;     /* its builder is done with it */
    int64_t clock_offset; /* atomic: seconds, added to its wall clock */

    struct spinlock state_lock;

    unsigned max_vcpus;            /* const after create */
    struct vcpu *vcpus[MAX_VCPUS]; /* atomic: made by number; once set, const
                                         until the domain is freed */
    uint32_t sched_weight;         /* atomic: of each vCPU */
    struct sched_cap cap;
    uint64_t pollers[BITMAP_WORDS(MAX_VCPUS)]; /* atomic: in SCHEDOP_poll */

    struct shared_info *shared_info; /* const after create */
    uint64_t vm_assist;              /* atomic: VMASST_TYPE bits */

    struct spinlock memory_lock;
    uint64_t page_count;    /* memory_lock to change */
    uint64_t max_pages;     /* memory_lock to change */
    uint64_t *owned_chunks; /* memory_lock: 2 MiB chunks with frames of d */
    uint64_t e820_count;    /* memory_lock */
    struct e820_entry e820[E820_MAX_ENTRIES]; /* memory_lock: what
                                                    XENMEM_memory_map shows */

    struct spinlock pt_lock;
    uint32_t drain_head; /* pt_lock: tables to be emptied; pt_validate.c */
    struct spinlock event_lock;
    struct evtchn_table *events; /* const after create */
    struct spinlock grant_lock;
    struct grant_table *grants;

    struct rangeset *io_frames; /* pt_lock to change: device frames it maps */
    uint64_t irqs[BITMAP_WORDS(MAX_PIRQS)]; /* atomic: pirqs it may bind */
    struct arch_domain *arch;               /* const after create */
};

extern struct domain *dom0; /* const after build */

/* domain.c */
struct domain *domain_create(domid_t id, unsigned max_vcpus);
void domain_put(struct domain *d);
struct domain *domain_find_get(domid_t id);
struct domain *domain_resolve_get(domid_t id);
must_check int domain_get_subject(struct domain *caller, domid_t id,
                                  struct domain **out);
struct domain *domain_next_get(domid_t from);
bool domain_exists(domid_t id);
unsigned domain_count(void);
void domain_shut_down(struct domain *d, uint32_t reason);
must_check int domain_set_watchdog(struct domain *d, uint32_t id,
                                   uint32_t seconds);
void domain_crash(struct domain *d, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
struct vcpu *domain_vcpu(const struct domain *d, uint64_t id);
void domain_for_each_vcpu(struct domain *d, void (*act)(struct vcpu *v));
void domain_pause(struct domain *d);
void domain_unpause(struct domain *d);
must_check int domain_end_death(struct domain *d);

/* version_op.c */
void domain_set_assists(struct domain *d, uint64_t wanted);

/* domctl.c */
void domain_fill_info(struct domain *d, struct xen_domctl_getdomaininfo *out);

/* domain_teardown.c */
void domain_begin_death(struct domain *d);
must_check int domain_release_events(struct domain *d);
must_check int domain_destroy(struct domain *d);

/* Each vCPU that there is, as `v`. */
#define domain_vcpus(v, d)                                                     \
    for (struct vcpu *v = domain_vcpu(d, 0); v; v = domain_vcpu(d, v->id + 1))

static inline bool domain_is_dying(const struct domain *d)
{
    return __atomic_load_n(&d->state, __ATOMIC_ACQUIRE) == DOMAIN_DYING;
}

/* One more reference, for a caller that has one or a lock that implies one. */
static inline void domain_get(struct domain *d)
{
    __atomic_fetch_add(&d->refs, 1, __ATOMIC_RELAXED);
}

static inline bool domain_has_assist(const struct domain *d, unsigned type)
{
    return __atomic_load_n(&d->vm_assist, __ATOMIC_RELAXED) >> type & 1;
}
