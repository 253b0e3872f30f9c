/* SPDX-License-Identifier: MIT */
/*
 * System time from the TSC, the pCPUs' one-shot timers, and the guests' clock
 * pages. All pCPUs share one rate, and each has its own starting point, for
 * TSCs may turn out to differ.
 */
#include "x86/time.h"

#include "core/arch.h"
#include "core/log.h"
#include "core/vcpu.h"

#include "x86/apic.h"
#include "x86/cpu.h"
#include "x86/cpu_features.h"
#include "x86/insn.h"
#include "x86/time_scale.h"

#define SYNC_ROUNDS 32u
/* The one-shot timer is never set further ahead: keeps products in range. */
#define MAX_AHEAD (1000 * NSEC_PER_SEC)

static struct time_scale tsc_to_ns;   /* const after time_init; 0 before */
static struct time_scale ns_to_timer; /* const after time_init */
static uint64_t tsc_hz;               /* const after time_init */
static bool has_deadline;             /* const after time_init */

static uint64_t tsc_at_start[MAX_PCPUS]; /* per pCPU: its TSC at time 0 */
static bool tscs_differ;                 /* atomic; only ever set */

/* The conversation of two pCPUs that compare their TSCs. */
static struct {
    uint32_t request; /* atomic: a round's number */
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
    uint64_t apic_hz, timer_hz, start;
    const char *source = clock_source_measure(&tsc_hz, &apic_hz);

    has_deadline = cpu_features()->tsc_deadline;
    timer_hz = has_deadline ? tsc_hz : apic_hz;
    if (!timer_hz)
        panic("The local APIC's timer does not count");
    ns_to_timer = time_scale_make(NSEC_PER_SEC, timer_hz);
    start = rdtsc();
    for (unsigned i = 0; i < MAX_PCPUS; i++)
        tsc_at_start[i] = start;
    tsc_to_ns = time_scale_make(tsc_hz, NSEC_PER_SEC);
    apic_timer_setup();
    log_info("Time: TSC at %u.%03u MHz by %s%s, timer %s",
             (unsigned)(tsc_hz / 1000000), (unsigned)(tsc_hz / 1000 % 1000),
             source, cpu_features()->invariant_tsc ? ", invariant" : "",
             has_deadline ? "by TSC deadline" : "of the local APIC");
}

/*
 * The boot processor's half of comparing TSCs, to be called again and again
 * while the other is in time_sync_join.
 */
void time_sync_answer(void)
{
    uint32_t request = __atomic_load_n(&sync.request, __ATOMIC_ACQUIRE);

    if (request == sync.answer)
        return;
    sync.tsc = rdtsc_ordered();
    __atomic_store_n(&sync.answer, request, __ATOMIC_RELEASE);
}

/*
 * The new pCPU's half: finds out whether its TSC reads as the boot
 * processor's does, and corrects for the difference if not.
 */
void time_sync_join(void)
{
    uint64_t shortest = UINT64_MAX, ahead = 0;
    unsigned cpu = this_cpu()->id;
    bool is_same = true;

    for (unsigned i = 0; i < SYNC_ROUNDS; i++) {
        uint64_t before = rdtsc_ordered(), after;
        uint32_t round = sync.request + 1;

        __atomic_store_n(&sync.request, round, __ATOMIC_RELEASE);
        while (__atomic_load_n(&sync.answer, __ATOMIC_ACQUIRE) != round)
            pause();
        after = rdtsc_ordered();
        if (sync.tsc < before || sync.tsc > after)
            is_same = false;
        if (after - before < shortest) {
            shortest = after - before;
            ahead = before + shortest / 2 - sync.tsc;
        }
    }
    if (is_same)
        return;
    tsc_at_start[cpu] += ahead;
    __atomic_store_n(&tscs_differ, true, __ATOMIC_RELEASE);
    log_warning("TSC of processor %u is off by %ld cycles, corrected", cpu,
                (int64_t)ahead);
}

/*
 * Nanoseconds since time_init, 0 before it, on whichever pCPU it is read. Any
 * context.
 */
nsec_t arch_now(void)
{
    uint64_t tsc = rdtsc_ordered(), start = tsc_at_start[this_cpu()->id];

    return tsc > start ? time_scale_apply(tsc_to_ns, tsc - start) : 0;
}

/*
 * Interrupts the calling pCPU (VECTOR_TIMER) at `deadline`, at once when that
 * has passed, or never. A far deadline may be announced early: whoever serves
 * the interrupt looks at the time and arms again.
 */
void arch_timer_arm(nsec_t deadline)
{
    nsec_t now = arch_now();
    nsec_t ahead = deadline > now ? min_u64(deadline - now, MAX_AHEAD) : 0;

    if (deadline == NSEC_NEVER)
        apic_timer_set(0);
    else
        apic_timer_set(time_scale_apply(ns_to_timer, ahead) + 1 +
                       (has_deadline ? rdtsc() : 0));
}

/* Busy waiting; after time_init. */
void time_delay(nsec_t duration)
{
    nsec_t start = arch_now();

    while (arch_now() - start < duration)
        pause();
}

uint32_t arch_tsc_khz(void)
{
    return (uint32_t)(tsc_hz / 1000);
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
    __atomic_store_n(&t->tsc_timestamp, tsc_at_start[this_cpu()->id],
                     __ATOMIC_RELAXED);
    __atomic_store_n(&t->system_time, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&t->tsc_to_system_mul, tsc_to_ns.mul, __ATOMIC_RELAXED);
    __atomic_store_n(&t->tsc_shift, tsc_to_ns.shift, __ATOMIC_RELAXED);
    __atomic_store_n(&t->flags, flags, __ATOMIC_RELAXED);
    __atomic_store_n(&t->version, version + 2, __ATOMIC_RELEASE);
}
