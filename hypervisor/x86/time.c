/* SPDX-License-Identifier: MIT */
/*
 * System time from the TSC, the pCPUs' one-shot timers, the guests' clock
 * pages, and the wall clock: UTC at system time 0, from the CMOS clock, which
 * is dom0's afterwards, and then what dom0 says. All pCPUs share one rate, and
 * each has its own starting point, for TSCs may turn out to differ.
 */
#include "x86/time.h"

#include "core/arch.h"
#include "core/domain.h"
#include "core/log.h"
#include "core/machine.h"

#include "x86/apic.h"
#include "x86/cpu.h"
#include "x86/cpu_features.h"
#include "x86/start.h"

#define SYNC_ROUNDS 32u
/* The one-shot timer is never set further ahead: keeps products in range. */
#define MAX_AHEAD (1000 * NSEC_PER_SEC)

/*
 * Conversion between two clocks' units the way the guest ABI's clock page
 * does it: out = (in shifted left by `shift`, right when negative) * mul / 2^32.
 */
struct time_scale {
    uint32_t mul;
    int8_t shift;
};

static struct time_scale tsc_to_ns;   /* const after time_init; 0 before */
static struct time_scale ns_to_timer; /* const after time_init */
static uint64_t tsc_hz;               /* const after time_init */

static uint64_t tsc_at_start[MAX_PCPUS]; /* per pCPU: its TSC at time 0 */
static bool tscs_differ;                 /* atomic; only ever set */

/* --- units --------------------------------------------------------------- */

/* From a clock of `from` Hz to one of `to` Hz; both 1 to 2^62. */
static struct time_scale make_scale(uint64_t from, uint64_t to)
{
    struct time_scale s = {0, 0};

    for (; to >= from; s.shift++) /* to / from is to come into [1/2, 1) */
        from <<= 1;
    for (; to < from - to; s.shift--)
        to <<= 1;
    for (; to >> 32; to >>= 1)
        from >>= 1;
    s.mul = (uint32_t)min_u64((to << 32) / from, UINT32_MAX);
    return s;
}

static uint64_t convert(struct time_scale s, uint64_t in)
{
    in = s.shift >= 0 ? in << s.shift : in >> -s.shift;
    return (uint64_t)(((unsigned __int128)in * s.mul) >> 32);
}

static uint64_t rdtsc_ordered(void)
{
    lfence();
    return rdtsc();
}

/* --- comparing TSCs ------------------------------------------------------ */

/* What two pCPUs tell each other: nothing asked, a question, or the answer. */
enum { SYNC_IDLE, SYNC_ASKED };
static uint64_t sync; /* atomic */

/*
 * The boot processor's half of comparing TSCs, to be called again and again
 * while the other is in time_sync_join.
 */
void time_sync_answer(void)
{
    if (__atomic_load_n(&sync, __ATOMIC_ACQUIRE) == SYNC_ASKED)
        __atomic_store_n(&sync, rdtsc_ordered(), __ATOMIC_RELEASE);
}

/*
 * The new pCPU's half: finds out whether its TSC reads as the boot
 * processor's does, and corrects for the difference if not.
 */
void time_sync_join(void)
{
    uint64_t shortest = UINT64_MAX, ahead = 0, before, after, answer;
    unsigned cpu = this_cpu()->id;
    bool is_same = true;

    for (unsigned i = 0; i < SYNC_ROUNDS; i++) {
        before = rdtsc_ordered();
        __atomic_store_n(&sync, SYNC_ASKED, __ATOMIC_RELEASE);
        while ((answer = __atomic_load_n(&sync, __ATOMIC_ACQUIRE)) ==
               SYNC_ASKED)
            pause();
        after = rdtsc_ordered();
        is_same &= before <= answer && answer <= after;
        if (after - before < shortest) {
            shortest = after - before;
            ahead = before + shortest / 2 - answer;
        }
    }
    if (is_same)
        return;
    tsc_at_start[cpu] += ahead;
    __atomic_store_n(&tscs_differ, true, __ATOMIC_RELEASE);
    log_warning("TSC of processor %u is off by %ld cycles, corrected", cpu,
                (int64_t)ahead);
}

/* --- system time --------------------------------------------------------- */

/*
 * Nanoseconds since time_init, 0 before it, on whichever pCPU it is read. Any
 * context.
 */
nsec_t arch_now(void)
{
    uint64_t tsc = rdtsc_ordered(), start = tsc_at_start[this_cpu()->id];

    return tsc > start ? convert(tsc_to_ns, tsc - start) : 0;
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
    uint64_t ticks = convert(ns_to_timer, ahead) + 1;
    bool is_never = deadline == NSEC_NEVER;

    if (cpu_features()->tsc_deadline)
        wrmsr(MSR_TSC_DEADLINE, is_never ? 0 : rdtsc() + ticks);
    else
        apic_timer_set(is_never ? 0 : (uint32_t)min_u64(ticks, UINT32_MAX));
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
 * Mark what a guest reads meanwhile as being written, by the version beside
 * it, and as complete. The guest may have spoiled the page: of what it holds
 * only the parity of the version is used.
 */
static void begin_update(uint32_t *version)
{
    uint32_t old = __atomic_load_n(version, __ATOMIC_RELAXED);

    __atomic_store_n(version, (old & ~1u) + 1, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_RELEASE);
}

static void end_update(uint32_t *version)
{
    uint32_t old = __atomic_load_n(version, __ATOMIC_RELAXED);

    __atomic_store_n(version, (old | 1) + 1, __ATOMIC_RELEASE);
}

/*
 * Writes the clock page of `v` for the calling pCPU: call when `v` is loaded
 * here or its vcpu_info has moved.
 */
void arch_vcpu_time_publish(struct vcpu *v)
{
    struct vcpu_info *info = __atomic_load_n(&v->info, __ATOMIC_ACQUIRE);
    struct vcpu_time_info *t = &info->time;

    begin_update(&t->version);
    t->tsc_timestamp = tsc_at_start[this_cpu()->id];
    t->system_time = 0;
    t->tsc_to_system_mul = tsc_to_ns.mul;
    t->tsc_shift = tsc_to_ns.shift;
    t->flags = time_tsc_is_stable() ? XEN_PVCLOCK_TSC_STABLE_BIT : 0;
    end_update(&t->version);
}

/* --- the wall clock ------------------------------------------------------ */

/* The MC146818's registers hold a date of this century. */
#define CMOS_INDEX 0x70
#define CMOS_DATA 0x71
#define CMOS_STATUS 10
#define CMOS_FORMAT 11
#define FORMAT_24_HOURS 0x02
#define FORMAT_BINARY 0x04
#define HOUR_PM 0x80u
#define CMOS_UPDATING 0x80    /* in 244 microseconds at the earliest if clear */
#define MAX_CMOS_POLLS 20000u /* an update takes 2 ms at most */

enum { SECOND = 0, MINUTE = 2, HOUR = 4, DAY = 7, MONTH = 8, YEAR = 9 };

static struct spinlock lock;  /* also: copies in the domains */
static uint64_t utc_at_start; /* lock: nanoseconds from 1970 to system time 0 */

static unsigned cmos_read(uint8_t reg)
{
    outb(CMOS_INDEX, reg);
    return inb(CMOS_DATA);
}

static void read_date(unsigned date[YEAR + 1])
{
    unsigned format = cmos_read(CMOS_FORMAT), noon;

    for (unsigned polls = 0; polls < MAX_CMOS_POLLS; polls++) {
        if (cmos_read(CMOS_STATUS) & CMOS_UPDATING)
            continue;
        for (uint8_t reg = SECOND; reg <= YEAR; reg++)
            date[reg] = cmos_read(reg);
        if (cmos_read(SECOND) == date[SECOND])
            break;
    }
    noon = date[HOUR] & HOUR_PM ? 12 : 0;
    date[HOUR] &= ~HOUR_PM;
    for (unsigned i = SECOND; i <= YEAR && !(format & FORMAT_BINARY); i++)
        date[i] = (date[i] >> 4) * 10 + (date[i] & 0xf);
    if (!(format & FORMAT_24_HOURS))
        date[HOUR] = date[HOUR] % 12 + noon;
}

/* Starts from the CMOS clock, taken as UTC. */
static void start_wallclock(void)
{
    unsigned date[YEAR + 1] = {0};
    uint64_t years, days, minutes;

    read_date(date);
    /* Years begin in March here, so that the leap day comes last. */
    years = 2000u + date[YEAR] - (date[MONTH] <= 2);
    days = 365 * years + years / 4 - years / 100 + years / 400 +
           (153 * ((date[MONTH] + 9) % 12) + 2) / 5 + date[DAY] - 1;
    days -= 719468; /* 1 March of year 0 to 1 January 1970 */
    minutes = (days * 24 + date[HOUR]) * 60 + date[MINUTE];
    utc_at_start = (minutes * 60 + date[SECOND]) * NSEC_PER_SEC - arch_now();
}

/* Writes the clock into a domain's page, off by as much as its tools said. */
void arch_domain_publish_clock(struct domain *d)
{
    struct shared_info *info = d->shared_info;
    uint64_t secs;

    spin_lock(&lock);
    secs = utc_at_start / NSEC_PER_SEC +
           (uint64_t)__atomic_load_n(&d->clock_offset, __ATOMIC_RELAXED);
    begin_update(&info->wc_version);
    info->wc_sec = (uint32_t)secs;
    info->wc_sec_hi = (uint32_t)(secs >> 32);
    info->wc_nsec = (uint32_t)(utc_at_start % NSEC_PER_SEC);
    end_update(&info->wc_version);
    spin_unlock(&lock);
}

void machine_set_time(uint64_t secs, uint32_t nsecs, nsec_t system_time)
{
    struct domain *d = NULL;

    spin_lock(&lock);
    utc_at_start = secs * NSEC_PER_SEC + nsecs - system_time;
    spin_unlock(&lock);
    for (domid_t id = 0; (d = domain_next_get(id)); domain_put(d)) {
        arch_domain_publish_clock(d);
        id = (domid_t)(d->id + 1);
    }
}

/* Measures the clocks and starts system time. On the boot processor. */
void time_init(void)
{
    uint64_t apic_hz, timer_hz, start;
    const char *source = clock_source_measure(&tsc_hz, &apic_hz);

    timer_hz = cpu_features()->tsc_deadline ? tsc_hz : apic_hz;
    if (!timer_hz)
        panic("The local APIC's timer does not count");
    ns_to_timer = make_scale(NSEC_PER_SEC, timer_hz);
    start = rdtsc();
    for (unsigned i = 0; i < MAX_PCPUS; i++)
        tsc_at_start[i] = start;
    tsc_to_ns = make_scale(tsc_hz, NSEC_PER_SEC);
    apic_timer_setup();
    start_wallclock();
    log_info("Time: TSC at %u.%03u MHz by %s%s, timer %s",
             (unsigned)(tsc_hz / 1000000), (unsigned)(tsc_hz / 1000 % 1000),
             source, cpu_features()->invariant_tsc ? ", invariant" : "",
             cpu_features()->tsc_deadline ? "by TSC deadline"
                                          : "of the local APIC");
}
