/* SPDX-License-Identifier: MIT */
/*
 * A virtual processor as core sees it: its life cycle, its place in the
 * scheduler, its vcpu_info page, its timers and its page-table roots. The
 * registers and all else that is the machine's hang off `arch`.
 *
 * Life cycle: allocated (down, no context) -> initialised -> up <-> down.
 * An up vCPU is runnable, running or blocked; pauses are counted on top.
 * core/sched.h says who may run when.
 */
#pragma once

#include "core/bitmap.h"
#include "core/prioq.h"
#include "core/timer.h"
#include "core/types.h"
#include "hypercall_abi/event_channel.h"
#include "hypercall_abi/shared_info.h"
#include "hypercall_abi/vcpu.h"

#define MAX_VCPUS 128u /* of one domain */

struct arch_vcpu;
struct domain;
struct multicall_entry;

enum vcpu_state {
    VCPU_DOWN,     /* not brought up, or taken down by the guest */
    VCPU_BLOCKED,  /* waits for an event, a poll or a time-out */
    VCPU_RUNNABLE, /* wants a pCPU; on a run queue unless paused or parked */
    VCPU_RUNNING,  /* is `current` of its pCPU and wants to stay it */
};

/* What guests may have a copy of in their memory. */
enum vcpu_area {
    AREA_RUNSTATE,
    AREA_TIME,
};

/* A value of vcpu.poll_port that is no port. */
#define POLL_ANY (~0u)

struct vcpu {
    unsigned id;            /* const after create */
    struct domain *domain;  /* const after create */
    struct arch_vcpu *arch; /* const after create */

    /* scheduling: guarded by the run_lock of pcpus[cpu] */
    enum vcpu_state state; /* atomic */
    bool initialised;      /* atomic: has a context */
    bool initialising;     /* atomic: is being given one */
    bool has_yielded;
    unsigned pause_count; /* runs only at zero */
    unsigned cpu;         /* atomic: whose run queue it belongs to */
    unsigned loaded_on;   /* atomic: pCPU with its registers, NO_PCPU */
    uint32_t weight;      /* its share, relative to others' */
    struct prioq_node run_node;
    uint64_t virtual_start; /* in the queue's virtual time */
    uint64_t virtual_deadline;
    int64_t bought;       /* of a capped domain's time; below 0: used beyond */
    int64_t parked_until; /* when that begins */
    nsec_t moved_at;      /* when it last moved to another queue */
    uint64_t affinity[BITMAP_WORDS(CONFIG_MAX_PCPUS)];
    uint64_t soft_affinity[BITMAP_WORDS(CONFIG_MAX_PCPUS)];

    /* the tools' own, domctl lock */
    unsigned debug_pauses; /* by gdbsx, of those in pause_count */

    /* runstate: written under run_lock by whoever changes the state */
    struct vcpu_runstate_info runstate;
    bool runstate_stale; /* atomic: to be published */
    uint64_t areas[2];   /* atomic: guest addresses registered, or 0 */

    /* events */
    struct vcpu_info *info;    /* atomic; Mica's own address; never NULL */
    mfn_t info_frame;          /* event lock; MFN_INVALID until registered */
    struct vcpu_info own_info; /* for ids without a place in shared_info */
    evtchn_port_t poll_port;   /* atomic: while among domain.pollers */
    evtchn_port_t virq_port[NR_VIRQS]; /* atomic, event lock; 0 when unbound */

    /* timers */
    struct timer singleshot;
    struct timer periodic;
    nsec_t period;           /* atomic: 0 when stopped */
    struct timer wake_timer; /* ends a poll, or the time that it is parked */

    /* how busy it keeps Mica, for the tools; they only grow */
    uint64_t hypercalls; /* atomic: its own to count */
    uint64_t events;     /* atomic */

    struct multicall_entry *entry; /* its own: that runs, and isn't cut short */

    /* page tables: guarded by the domain's page-table lock */
    mfn_t kernel_root; /* typed L4; MFN_INVALID before the first */
    mfn_t user_root;   /* typed L4 or MFN_INVALID */
};

static inline bool vcpu_is_up(const struct vcpu *v)
{
    return __atomic_load_n(&v->state, __ATOMIC_RELAXED) != VCPU_DOWN;
}

/* Its vcpu_info, wherever that is at the moment. Load once, use once. */
static inline struct vcpu_info *vcpu_info_of(const struct vcpu *v)
{
    return __atomic_load_n(&v->info, __ATOMIC_ACQUIRE);
}

/* Whether the guest is owed an upcall. */
static inline bool vcpu_has_event(const struct vcpu *v)
{
    const struct vcpu_info *info = vcpu_info_of(v);

    return __atomic_load_n(&info->evtchn_upcall_pending, __ATOMIC_RELAXED) &&
           !__atomic_load_n(&info->evtchn_upcall_mask, __ATOMIC_RELAXED);
}

/* mmu_op.c */
must_check int vcpu_change_root(struct vcpu *v, mfn_t *slot, mfn_t mfn);

/* vcpu.c */
struct vcpu *vcpu_create(struct domain *d, unsigned id);
void vcpu_destroy(struct vcpu *v);
void vcpu_release_info(struct vcpu *v);
must_check int vcpu_register_info(struct vcpu *v, mfn_t frame, unsigned offset);
must_check int vcpu_up(struct vcpu *v);
void vcpu_down(struct vcpu *v);
void vcpu_stop_timers(struct vcpu *v);
void vcpu_end_timers(struct vcpu *v);
void vcpu_set_period(struct vcpu *v, nsec_t period);
void vcpu_set_runstate(struct vcpu *v, int runstate, nsec_t now);
void vcpu_get_runstate(struct vcpu *v, struct vcpu_runstate_info *out);
must_check int vcpu_set_area(struct vcpu *v, enum vcpu_area area, uint64_t va);
void vcpu_runstate_publish(struct vcpu *v);
