/* SPDX-License-Identifier: MIT */
/*
 * Each counter is an opener, which tells its rate, a reader and a closer. A
 * reading is bracketed by two readings of the TSC and repeated; the tightest
 * bracket wins, so that an interruption by a host or by system management
 * does not spoil it.
 */
#include "x86/clock_source.h"

#include "core/log.h"

#include "x86/acpi.h"
#include "x86/apic.h"
#include "x86/insn.h"
#include "x86/machine_early.h"

#define WINDOWS_PER_SEC 25u
#define BRACKETS 8u
/* TSC cycles without progress after which a counter counts as dead. */
#define MAX_SILENCE (1ull << 33)

#define HPET_SIZE 0x400u
#define HPET_PERIOD 0x004u
#define HPET_CONFIG 0x010u
#define HPET_COUNTER 0x0f0u
#define HPET_ENABLE 1u
#define HPET_MIN_PERIOD 1000000u
#define HPET_MAX_PERIOD 100000000u
#define FEMTO_PER_SEC 1000000000000000ull

#define PM_TIMER_HZ 3579545u
#define PIT_HZ 1193182u
#define PIT_CHANNEL2 0x42
#define PIT_COMMAND 0x43
#define PIT_CHANNEL2_ONE_SHOT 0xb0
#define PIT_LATCH_CHANNEL2 0x80
#define SPEAKER 0x61
#define SPEAKER_GATE 0x01
#define SPEAKER_DATA 0x02

struct counter {
    const char *name;
    uint32_t mask;
    uint64_t (*open)(void); /* its rate in Hz, 0 when there is none */
    uint32_t (*read)(void);
    void (*close)(void);
};

struct sample {
    uint64_t tsc;
    uint32_t count, apic;
};

static volatile uint8_t *hpet;
static uint32_t hpet_config;
static uint8_t speaker;

static volatile uint32_t *hpet_reg(unsigned offset)
{
    return (volatile uint32_t *)(hpet + offset);
}

static uint64_t hpet_open(void)
{
    uint64_t address = acpi_info()->hpet_address;
    uint32_t period;

    if (!address)
        return 0;
    hpet = map_device(address, HPET_SIZE);
    period = *hpet_reg(HPET_PERIOD);
    if (period < HPET_MIN_PERIOD || period > HPET_MAX_PERIOD)
        return 0;
    hpet_config = *hpet_reg(HPET_CONFIG);
    *hpet_reg(HPET_CONFIG) = hpet_config | HPET_ENABLE;
    return FEMTO_PER_SEC / period;
}

static uint32_t hpet_read(void)
{
    return *hpet_reg(HPET_COUNTER);
}

static void hpet_close(void)
{
    *hpet_reg(HPET_CONFIG) = hpet_config;
}

static uint64_t pm_timer_open(void)
{
    const struct acpi_register *r = &acpi_info()->pm_timer;

    return acpi_is_port(r, 4) ? PM_TIMER_HZ : 0;
}

static uint32_t pm_timer_read(void)
{
    return inl((uint16_t)acpi_info()->pm_timer.address);
}

static void pm_timer_close(void)
{
}

/* Channel 2 counts down from 65535 once, which takes 55 ms. */
static uint64_t pit_open(void)
{
    speaker = inb(SPEAKER);
    outb(SPEAKER, (uint8_t)((speaker & ~SPEAKER_DATA) | SPEAKER_GATE));
    outb(PIT_COMMAND, PIT_CHANNEL2_ONE_SHOT);
    outb(PIT_CHANNEL2, 0xff);
    outb(PIT_CHANNEL2, 0xff);
    return PIT_HZ;
}

static uint32_t pit_read(void)
{
    uint32_t low;

    outb(PIT_COMMAND, PIT_LATCH_CHANNEL2);
    low = inb(PIT_CHANNEL2);
    return 0xffff - (low | (uint32_t)inb(PIT_CHANNEL2) << 8);
}

static void pit_close(void)
{
    outb(SPEAKER, speaker);
}

static const struct counter counters[] = {
    {"HPET", UINT32_MAX, hpet_open, hpet_read, hpet_close},
    {"ACPI timer", 0xffffff, pm_timer_open, pm_timer_read, pm_timer_close},
    {"PIT", 0xffff, pit_open, pit_read, pit_close},
};

static void take_sample(const struct counter *c, struct sample *out)
{
    uint64_t best = UINT64_MAX;

    for (unsigned i = 0; i < BRACKETS; i++) {
        uint64_t before = rdtsc();
        uint32_t count = c->read();
        uint32_t apic = apic_timer_count();
        uint64_t after = rdtsc();

        if (after - before >= best)
            continue;
        best = after - before;
        *out = (struct sample){before + best / 2, count, apic};
    }
}

/* Waits for `ticks` to pass; false for a counter that stands still. */
static bool wait_for_ticks(const struct counter *c, uint32_t first,
                           uint64_t ticks)
{
    uint64_t start = rdtsc();

    while (((c->read() - first) & c->mask) < ticks) {
        if (rdtsc() - start > MAX_SILENCE)
            return false;
        pause();
    }
    return true;
}

static bool measure(const struct counter *c, uint64_t hz,
                    struct clock_rates *out)
{
    uint64_t window = hz / WINDOWS_PER_SEC;
    struct sample first, last;
    uint32_t ticks;

    take_sample(c, &first);
    if (!wait_for_ticks(c, first.count, window))
        return false;
    take_sample(c, &last);
    ticks = (last.count - first.count) & c->mask;
    if (ticks < window / 2)
        return false;
    out->source = c->name;
    /* No overflow: at most MAX_SILENCE cycles, and no counter beyond 1 GHz. */
    out->tsc_hz = (last.tsc - first.tsc) * hz / ticks;
    out->apic_hz = (uint64_t)(first.apic - last.apic) * hz / ticks;
    return out->tsc_hz >= 1000000;
}

/*
 * Measures on the calling processor, whose APIC timer must be masked or
 * one-shot; takes some 40 ms. Panics when no counter works: without a clock
 * there is no scheduling.
 */
void clock_source_measure(struct clock_rates *out)
{
    for (size_t i = 0; i < ARRAY_LEN(counters); i++) {
        const struct counter *c = &counters[i];
        uint64_t hz = c->open();
        bool is_measured;

        if (!hz)
            continue;
        apic_timer_start(UINT32_MAX);
        is_measured = measure(c, hz, out);
        apic_timer_start(0);
        c->close();
        if (is_measured)
            return;
        log_warning("The %s does not count", c->name);
    }
    panic("No timer works: neither HPET nor ACPI timer nor PIT counts");
}
