/* SPDX-License-Identifier: MIT */
/*
 * A machine made of arrays, so that core can be tested on any computer.
 *
 *   fake_boot(2);               two pCPUs, FAKE_FRAMES frames, all on the heap
 *   fake.cpu = 1;               the calls that follow come from pCPU 1
 *   fake.now += NSEC_PER_MS;    time stands still unless a test moves it
 *   fake_guest_map(root, ...);  page tables for core/guest_copy to walk
 *   FAKE_CATCH(hc_sched_op(v, &args));   returns how the machine ended
 *
 * RAM is the frames FAKE_FIRST_FRAME up to FAKE_LAST_FRAME; number 0 and small
 * numbers are no RAM, so that an uninitialised frame number is noticed. A
 * module that needs no frames may skip fake_boot. Boot once per process: Check
 * runs each test in a process of its own.
 */
#pragma once

#include <setjmp.h>

#include "core/arch.h"
#include "core/pcpu.h"
#include "core/spinlock.h"
#include "core/types.h"

#define FAKE_FRAMES 8192u
#define FAKE_FIRST_FRAME 0x1000u
#define FAKE_LAST_FRAME (FAKE_FIRST_FRAME + FAKE_FRAMES - 1)
#define FAKE_PIRQS 1024u

/* In the slots of an L4 table that are Mica's: a frame that no guest has. */
#define FAKE_OWN_SLOT (0x77ull << 12 | 1)

enum fake_end {
    FAKE_RUNS,
    FAKE_PANIC,
    FAKE_REBOOT,
    FAKE_POWER_OFF,
};

/* What a test sets, and what it can look at. */
struct fake {
    unsigned cpu; /* the pCPU that executes */
    nsec_t now;
    nsec_t spin_step;          /* arch_spin_wait adds this to `now` */
    void (*on_spin)(void);     /* and calls this, when set */
    nsec_t timer[MAX_PCPUS];   /* what arch_timer_arm was told last */
    unsigned kicks[MAX_PCPUS]; /* of pCPUs */
    unsigned vcpu_kicks;
    unsigned nmis;
    unsigned flushes;       /* arch_flush_since that had work to do */
    void (*on_flush)(void); /* called once by the next that has */
    unsigned local_flushes; /* that a guest asked for */
    unsigned page_flushes;  /* by arch_flush_page_local */
    unsigned cache_flushes;
    uint64_t vcpus_flushed; /* the set of the last arch_flush_vcpus */
    unsigned roots_changed;
    unsigned l4_changes;
    unsigned slow_at; /* the n-th arch_now from here on, unless 0, */
                      /* finds that a long time has gone by */
    unsigned time_published;
    unsigned restarts;
    unsigned restart_nr; /* of the last one, with its arguments */
    uint64_t restart_args[5];
    int fail_vcpu_create; /* what arch_vcpu_create returns */
    int fail_domain_create;
    int set_context_result;
    unsigned contexts_set;
    unsigned clocks_published;
    bool pirq_unmasked[FAKE_PIRQS];
    bool io_forbidden; /* every device frame is */
    bool io_read_only;
    bool console_echo; /* the log goes to stderr */
    const char *console_input;
    enum fake_end end;
    jmp_buf *catcher;
};

extern struct fake fake;

void fake_boot(unsigned cpus);
void *fake_frame(uint64_t index);
uint64_t fake_m2p(mfn_t mfn); /* what arch_m2p_set has set */
void fake_vcpu_hold_descriptors(struct vcpu *v, mfn_t mfn);
void fake_domain_keep_ports(struct domain *d, unsigned first, unsigned last);
bool fake_guest_map(mfn_t root, uint64_t va, mfn_t frame, uint64_t flags);

/* Runs a statement that may end the machine; a value of enum fake_end. */
#define FAKE_CATCH(statement)                                                  \
    ({                                                                         \
        jmp_buf here;                                                          \
        fake.end = FAKE_RUNS;                                                  \
        fake.catcher = &here;                                                  \
        if (!setjmp(here)) {                                                   \
            statement;                                                         \
        }                                                                      \
        fake.catcher = NULL;                                                   \
        fake.end;                                                              \
    })

static inline bool spin_is_locked(const struct spinlock *l)
{
    return l->next != l->serving;
}
