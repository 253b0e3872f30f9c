/* SPDX-License-Identifier: MIT */
/*
 * The machine's counters of known rate, against which the rates of the TSC
 * and of the local APIC's timer are measured: the HPET, else the ACPI timer,
 * else the PIT. A reading is bracketed by two readings of the TSC and repeated;
 * the tightest bracket wins, so that an interruption by a host or by system
 * management does not spoil it.
 */
#include "core/log.h"

#include "x86/acpi.h"
#include "x86/apic.h"
#include "x86/insn.h"
#include "x86/machine_early.h"
#include "x86/time.h"

#define WINDOWS_PER_SEC 25u
#define BRACKETS 8u
#define MAX_TRIES 16u
/* TSC cycles after which a counter that makes no progress counts as dead. */
#define MAX_SILENCE (1ull << 33)

#define HPET_SIZE 0x400u
#define HPET_PERIOD (0x004u / 4)
#define HPET_CONFIG (0x010u / 4)
#define HPET_COUNTER (0x0f0u / 4)
#define HPET_ENABLE 1u
#define HPET_MIN_PERIOD 1000000u
#define HPET_MAX_PERIOD 100000000u
#define FEMTO_PER_SEC 1000000000000000ull

#define PM_TIMER_HZ 3579545u
#define PM_TIMER_MASK 0xffffffu /* all have 24 bits, some 32 */

#define PIT_HZ 1193182u
#define PIT_COUNT 0x40
#define PIT_COMMAND 0x43
#define PIT_PERIODIC 0x34 /* of channel 0, whose interrupt is masked */
#define PIT_LATCH 0x00

struct counter {
    const char *name;
    uint32_t mask;
    uint64_t (*open)(void); /* its rate in Hz, 0 when there is none */
    uint32_t (*read)(void);
};

struct sample {
    uint64_t tsc;
    uint32_t count, apic;
};

static volatile uint32_t *hpet;

static uint64_t hpet_open(void)
{
    uint64_t address = acpi_info()->hpet_address;
    uint32_t period;

    if (!address)
        return 0;
    hpet = map_device(address, HPET_SIZE);
    period = hpet[HPET_PERIOD];
    if (period < HPET_MIN_PERIOD || period > HPET_MAX_PERIOD)
        return 0;
    hpet[HPET_CONFIG] |= HPET_ENABLE;
    return FEMTO_PER_SEC / period;
}

static uint32_t hpet_read(void)
{
    return hpet[HPET_COUNTER];
}

static uint64_t pm_timer_open(void)
{
    return acpi_info()->pm_timer ? PM_TIMER_HZ : 0;
}

static uint32_t pm_timer_read(void)
{
    return inl(acpi_info()->pm_timer);
}

/* Counts down from 65536 again and again, which takes 55 ms. */
static uint64_t pit_open(void)
{
    outb(PIT_COMMAND, PIT_PERIODIC);
    outb(PIT_COUNT, 0);
    outb(PIT_COUNT, 0);
    return PIT_HZ;
}

static uint32_t pit_read(void)
{
    uint32_t low;

    outb(PIT_COMMAND, PIT_LATCH);
    low = inb(PIT_COUNT);
    return 0 - (low | (uint32_t)inb(PIT_COUNT) << 8);
}

static const struct counter counters[] = {
    {"HPET", UINT32_MAX, hpet_open, hpet_read},
    {"ACPI timer", PM_TIMER_MASK, pm_timer_open, pm_timer_read},
    {"PIT", 0xffff, pit_open, pit_read},
};

static struct sample take_sample(const struct counter *c)
{
    uint64_t best = UINT64_MAX;
    struct sample s = {0};

    for (unsigned i = 0; i < BRACKETS; i++) {
        uint64_t before = rdtsc();
        uint32_t count = c->read();
        uint32_t apic = apic_timer_count();
        uint64_t after = rdtsc();

        if (after - before >= best)
            continue;
        best = after - before;
        s = (struct sample){before + best / 2, count, apic};
    }
    return s;
}

/*
 * Watches a counter for a while; false for one that is not there or cannot be
 * followed. Two samples must not lie further apart than it takes to wrap. It
 * loses whole periods then, and its ticks seem longer than they are: those of
 * the PIT 2.4 times for one period, so that the gap is too long even so.
 */
static bool measure(const struct counter *c, uint64_t *tsc_hz,
                    uint64_t *apic_hz)
{
    uint64_t hz = c->open(), cycles = 0;

    for (unsigned i = 0; hz && i < MAX_TRIES && cycles < MAX_SILENCE; i++) {
        uint64_t ticks = 0, longest = 0;
        struct sample first, before, now;

        apic_timer_set(UINT32_MAX); /* anew, or it might run out meanwhile */
        first = now = take_sample(c);
        for (cycles = 0; ticks < hz / WINDOWS_PER_SEC && cycles < MAX_SILENCE;
             cycles = now.tsc - first.tsc) {
            before = now;
            now = take_sample(c);
            ticks += (now.count - before.count) & c->mask;
            longest = max_u64(longest, now.tsc - before.tsc);
        }
        if (cycles >= MAX_SILENCE || longest > cycles / ticks * (c->mask / 4))
            continue;
        /* No overflow: no counter beyond 1 GHz. */
        *tsc_hz = cycles * hz / ticks;
        *apic_hz = (first.apic - now.apic) * hz / ticks;
        return true;
    }
    if (hz)
        log_warning("The %s does not count", c->name);
    return false;
}

/*
 * Measures, in some 40 ms, the rates of the calling processor's TSC and of its
 * APIC's timer, which must be masked; 0 for one that does not count. Returns
 * what they were measured against. Panics when no counter works: without a
 * clock there is no scheduling.
 */
const char *clock_source_measure(uint64_t *tsc_hz, uint64_t *apic_hz)
{
    for (size_t i = 0; i < ARRAY_LEN(counters); i++)
        if (measure(&counters[i], tsc_hz, apic_hz))
            return counters[i].name;
    panic("No timer works: no HPET, ACPI timer or PIT counts");
}
