/* SPDX-License-Identifier: MIT */
/*
 * Each counter is an opener, a reader and a rate. A reading is bracketed by
 * two readings of the TSC and repeated; the tightest bracket wins, so that an
 * interruption by a host or by system management does not spoil it.
 */
#include "x86/clock_source.h"

#include "core/log.h"

#include "x86/acpi.h"
#include "x86/apic.h"
#include "x86/insn.h"
#include "x86/machine_early.h"

#define WINDOW_NS 40000000ull
#define BRACKETS 8u
/* TSC cycles without progress after which a counter counts as dead. */
#define MAX_SILENCE (1ull << 33)
#define FEMTO_PER_NANO 1000000u

#define HPET_SIZE 0x400u
#define HPET_PERIOD 0x004u
#define HPET_CONFIG 0x010u
#define HPET_COUNTER 0x0f0u
#define HPET_ENABLE 1u
#define HPET_MAX_PERIOD 100000000u

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
    bool (*open)(void);
    uint32_t (*read)(void);
    void (*close)(void);
    uint32_t mask;
};

struct sample {
    uint64_t tsc;
    uint32_t count, apic;
};

static volatile uint8_t *hpet;
static uint32_t hpet_config;
static uint8_t speaker;
static uint64_t ticks_per_second; /* of the open counter, 0: use the period */
static uint32_t period_fs;        /* of the HPET */

static volatile uint32_t *hpet_reg(unsigned offset)
{
    return (volatile uint32_t *)(hpet + offset);
}

static bool hpet_open(void)
{
    uint64_t address = acpi_info()->hpet_address;

    if (!address)
        return false;
    hpet = map_device(address, HPET_SIZE);
    period_fs = *hpet_reg(HPET_PERIOD);
    if (!period_fs || period_fs > HPET_MAX_PERIOD)
        return false;
    ticks_per_second = 0;
    hpet_config = *hpet_reg(HPET_CONFIG);
    *hpet_reg(HPET_CONFIG) = hpet_config | HPET_ENABLE;
    return true;
}

static uint32_t hpet_read(void)
{
    return *hpet_reg(HPET_COUNTER);
}

static void hpet_close(void)
{
    *hpet_reg(HPET_CONFIG) = hpet_config;
}

static bool pm_timer_open(void)
{
    const struct acpi_register *r = &acpi_info()->pm_timer;

    ticks_per_second = PM_TIMER_HZ;
    return r->space == ACPI_SPACE_PORT && r->address && r->address <= 0xfffc;
}

static uint32_t pm_timer_read(void)
{
    return inl((uint16_t)acpi_info()->pm_timer.address);
}

static void close_nothing(void)
{
}

/* Channel 2 counts down from 65535 once, which takes 55 ms. */
static bool pit_open(void)
{
    ticks_per_second = PIT_HZ;
    speaker = inb(SPEAKER);
    outb(SPEAKER, (uint8_t)((speaker & ~SPEAKER_DATA) | SPEAKER_GATE));
    outb(PIT_COMMAND, PIT_CHANNEL2_ONE_SHOT);
    outb(PIT_CHANNEL2, 0xff);
    outb(PIT_CHANNEL2, 0xff);
    return true;
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
    {"HPET", hpet_open, hpet_read, hpet_close, UINT32_MAX},
    {"ACPI timer", pm_timer_open, pm_timer_read, close_nothing, 0xffffff},
    {"PIT", pit_open, pit_read, pit_close, 0xffff},
};

static uint64_t ticks_to_ns(uint32_t ticks)
{
    if (ticks_per_second)
        return ticks * NSEC_PER_SEC / ticks_per_second;
    return (uint64_t)ticks * period_fs / FEMTO_PER_NANO;
}

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
        out->tsc = before + best / 2;
        out->count = count;
        out->apic = apic;
    }
}

/* Waits until the window has passed; false for a counter that stands still. */
static bool wait_for_window(const struct counter *c, uint32_t first)
{
    uint64_t start = rdtsc();

    while (ticks_to_ns((c->read() - first) & c->mask) < WINDOW_NS) {
        if (rdtsc() - start > MAX_SILENCE)
            return false;
        pause();
    }
    return true;
}

/* Events per second, from events in `ns`, without overflow. */
static uint64_t rate(uint64_t events, uint64_t ns)
{
    uint64_t product;

    if (mul_overflows(events, NSEC_PER_SEC, &product))
        return events / ns * NSEC_PER_SEC;
    return product / ns;
}

static bool measure(const struct counter *c, struct clock_rates *out)
{
    struct sample first, last;
    uint64_t ns;

    take_sample(c, &first);
    if (!wait_for_window(c, first.count))
        return false;
    take_sample(c, &last);
    ns = ticks_to_ns((last.count - first.count) & c->mask);
    if (ns < WINDOW_NS / 2)
        return false;
    out->source = c->name;
    out->tsc_hz = rate(last.tsc - first.tsc, ns);
    out->apic_hz = rate(first.apic - last.apic, ns);
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
        bool is_measured;

        if (!c->open())
            continue;
        apic_timer_start(UINT32_MAX);
        is_measured = measure(c, out);
        apic_timer_start(0);
        c->close();
        if (is_measured)
            return;
        log_warning("The %s does not count", c->name);
    }
    panic("No timer works: neither HPET nor ACPI timer nor PIT counts");
}
