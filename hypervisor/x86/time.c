/* SPDX-License-Identifier: MIT */
/*
 * System time from the TSC, the pCPUs' one-shot timers, and the guests' clock
 * pages. All pCPUs share one rate; when their TSCs turn out to differ, each
 * has its own starting point and a common high-water mark keeps time from
 * going back between them.
 */
#include "x86/time.h"

#include "core/arch.h"
#include "core/log.h"
#include "core/pcpu.h"
#include "core/vcpu.h"

#include "x86/apic.h"
#include "x86/clock_source.h"
#include "x86/cpu_features.h"
#include "x86/fence.h"
#include "x86/insn.h"
#include "x86/time_scale.h"

#define SYNC_ROUNDS 32u
#define SYNC_DONE UINT32_MAX
/* The one-shot timer is never set further ahead: keeps products in range. */
#define MAX_AHEAD (1000 * NSEC_PER_SEC)

static struct time_scale tsc_to_ns;  /* const after time_init */
static struct time_scale ns_to_tsc;  /* const after time_init */
static struct time_scale ns_to_apic; /* const after time_init */
static uint64_t tsc_hz;              /* const after time_init */
static bool has_deadline;            /* const after time_init */
static bool is_started;              /* const after time_init */

static uint64_t tsc_at_start[MAX_PCPUS]; /* per pCPU: its TSC at time 0 */
static bool tscs_differ;                 /* atomic; only ever set */
static uint64_t newest;                  /* atomic: the high-water mark */

/* The conversation of two pCPUs that compare their TSCs. */
static struct {
    uint32_t request; /* atomic: a round's number, or SYNC_DONE */
    uint32_t answer;  /* atomic: the round answered */
    uint64_t tsc;     /* the answer: valid once `answer` is written */
} sync;

static uint64_t rdtsc_ordered(void)
{
    lfence();
    return rdtsc();
}

/*
 * Measures the clocks and starts system time. On the boot processor, after
 * acpi_init and apic_init.
 */
void time_init(void)
{
    struct clock_rates rates;

    clock_source_measure(&rates);
    tsc_hz = rates.tsc_hz;
    tsc_to_ns = time_scale_make(tsc_hz, NSEC_PER_SEC);
    ns_to_tsc = time_scale_make(NSEC_PER_SEC, tsc_hz);
    has_deadline = cpu_features()->tsc_deadline;
    if (!has_deadline && !rates.apic_hz)
        panic("The local APIC's timer does not count");
    if (!has_deadline)
        ns_to_apic = time_scale_make(NSEC_PER_SEC, rates.apic_hz);
    for (unsigned i = 0; i < MAX_PCPUS; i++)
        tsc_at_start[i] = rdtsc();
    is_started = true;
    time_init_cpu();
    log_info("Time: TSC at %u.%03u MHz by %s%s, timer %s",
             (unsigned)(tsc_hz / 1000000), (unsigned)(tsc_hz / 1000 % 1000),
             rates.source, cpu_features()->invariant_tsc ? ", invariant" : "",
             has_deadline ? "by TSC deadline" : "of the local APIC");
}

/* Sets up the timer of the calling pCPU. */
void time_init_cpu(void)
{
    apic_timer_setup(has_deadline ? APIC_TIMER_DEADLINE : APIC_TIMER_ONE_SHOT);
}

/*
 * The boot processor's half of comparing TSCs: answers until the other side,
 * in time_sync_join, is done.
 */
void time_sync_serve(void)
{
    uint64_t start = rdtsc();
    uint32_t seen = 0;

    while (rdtsc() - start < tsc_hz) {
        uint32_t request = __atomic_load_n(&sync.request, __ATOMIC_ACQUIRE);

        if (request == SYNC_DONE)
            break;
        if (request == seen) {
            pause();
            continue;
        }
        sync.tsc = rdtsc_ordered();
        seen = request;
        __atomic_store_n(&sync.answer, request, __ATOMIC_RELEASE);
    }
    __atomic_store_n(&sync.answer, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&sync.request, 0, __ATOMIC_RELEASE);
}

/* One round; false when the other side does not answer. */
static bool ask(uint32_t round, uint64_t *before, uint64_t *theirs,
                uint64_t *after)
{
    *before = rdtsc_ordered();
    __atomic_store_n(&sync.request, round, __ATOMIC_RELEASE);
    while (__atomic_load_n(&sync.answer, __ATOMIC_ACQUIRE) != round) {
        if (rdtsc() - *before > tsc_hz)
            return false;
        pause();
    }
    *theirs = sync.tsc;
    *after = rdtsc_ordered();
    return true;
}

/*
 * The new pCPU's half: finds out whether its TSC reads as the boot
 * processor's does, and corrects for the difference if not.
 */
void time_sync_join(unsigned cpu)
{
    uint64_t before, theirs, after, shortest = UINT64_MAX, ahead = 0;
    bool is_same = true;

    for (uint32_t round = 1; round <= SYNC_ROUNDS; round++) {
        if (!ask(round, &before, &theirs, &after))
            break;
        if (theirs < before || theirs > after)
            is_same = false;
        if (after - before < shortest) {
            shortest = after - before;
            ahead = before + shortest / 2 - theirs;
        }
    }
    if (!is_same) {
        tsc_at_start[cpu] = tsc_at_start[0] + ahead;
        __atomic_store_n(&tscs_differ, true, __ATOMIC_RELEASE);
        log_warning("TSC of processor %u is off by %lld cycles, corrected", cpu,
                    (long long)ahead);
    }
    __atomic_store_n(&sync.request, SYNC_DONE, __ATOMIC_RELEASE);
}

static uint64_t own_start(void)
{
    if (!__atomic_load_n(&tscs_differ, __ATOMIC_RELAXED))
        return tsc_at_start[0];
    return tsc_at_start[this_pcpu()->id];
}

/* System time when the calling pCPU's TSC read `tsc`; 0 before the start. */
nsec_t time_at_tsc(uint64_t tsc)
{
    uint64_t start = own_start();

    if (!is_started || tsc < start)
        return 0;
    return time_scale_apply(tsc_to_ns, tsc - start);
}

/*
 * Nanoseconds since time_init, 0 before it; never goes back, on whichever
 * pCPU it is read. Any context.
 */
nsec_t arch_now(void)
{
    nsec_t now = time_at_tsc(rdtsc_ordered());
    nsec_t last = __atomic_load_n(&newest, __ATOMIC_RELAXED);

    if (!__atomic_load_n(&tscs_differ, __ATOMIC_RELAXED))
        return now;
    while (last < now)
        if (__atomic_compare_exchange_n(&newest, &last, now, true,
                                        __ATOMIC_RELAXED, __ATOMIC_RELAXED))
            return now;
    return last;
}

/* 0: never. */
static void set_timer(uint64_t value)
{
    if (has_deadline)
        apic_timer_set_deadline(value);
    else
        apic_timer_start((uint32_t)min_u64(value, UINT32_MAX));
}

/*
 * Interrupts the calling pCPU (VECTOR_TIMER) at `deadline`, at once when that
 * has passed, or never. A far deadline may be announced early: whoever serves
 * the interrupt looks at the time and arms again.
 */
void arch_timer_arm(nsec_t deadline)
{
    nsec_t now, ahead;

    if (deadline == NSEC_NEVER) {
        set_timer(0);
        return;
    }
    now = arch_now();
    ahead = deadline > now ? min_u64(deadline - now, MAX_AHEAD) : 0;
    set_timer(has_deadline ? rdtsc() + time_scale_apply(ns_to_tsc, ahead) + 1
                           : time_scale_apply(ns_to_apic, ahead) + 1);
}

/* Busy waiting; before time_init, when the rate is unknown, assumes 4 GHz. */
void time_delay(nsec_t duration)
{
    uint64_t start = rdtsc();
    uint64_t cycles =
        tsc_hz ? time_scale_apply(ns_to_tsc, duration) : duration * 4;

    while (rdtsc() - start < cycles)
        pause();
}

/* The measured rate of the TSC. */
uint32_t time_tsc_khz(void)
{
    return (uint32_t)(tsc_hz / 1000);
}

uint32_t arch_tsc_khz(void)
{
    return time_tsc_khz();
}

/*
 * Whether all pCPUs' TSCs agree and keep their rate, so that guests may read
 * one clock on all of their vCPUs. A hypervisor below us answers for its own.
 */
bool time_tsc_is_stable(void)
{
    return !__atomic_load_n(&tscs_differ, __ATOMIC_RELAXED) &&
           (cpu_features()->invariant_tsc || cpu_features()->hypervisor);
}

/*
 * Writes the clock page of `v` for the calling pCPU: call when `v` is loaded
 * here or its vcpu_info has moved. The page is the guest's to spoil, so
 * nothing of what it holds is believed but the parity of the version.
 */
void arch_vcpu_time_publish(struct vcpu *v)
{
    struct vcpu_info *info = __atomic_load_n(&v->info, __ATOMIC_ACQUIRE);
    struct vcpu_time_info *t = &info->time;
    uint32_t version = __atomic_load_n(&t->version, __ATOMIC_RELAXED) & ~1u;
    uint8_t flags = time_tsc_is_stable() ? XEN_PVCLOCK_TSC_STABLE_BIT : 0;

    __atomic_store_n(&t->version, version + 1, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_RELEASE);
    __atomic_store_n(&t->tsc_timestamp, own_start(), __ATOMIC_RELAXED);
    __atomic_store_n(&t->system_time, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&t->tsc_to_system_mul, tsc_to_ns.mul, __ATOMIC_RELAXED);
    __atomic_store_n(&t->tsc_shift, tsc_to_ns.shift, __ATOMIC_RELAXED);
    __atomic_store_n(&t->flags, flags, __ATOMIC_RELAXED);
    __atomic_store_n(&t->version, version + 2, __ATOMIC_RELEASE);
}
