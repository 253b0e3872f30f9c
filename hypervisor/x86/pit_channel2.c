/* SPDX-License-Identifier: MIT */
/*
 * After the data sheet of Intel's 8254. Modes 0, 1 and 4 count down once and
 * go on below zero; 2, 3 and 5 are taken as periodic.
 */
#include "x86/pit_channel2.h"

#define PIT_HZ 1193182ull

#define ACCESS_LATCH 0
#define ACCESS_LOW 1
#define ACCESS_HIGH 2
#define PORT61_GATE 0x01
#define PORT61_SPEAKER 0x02
#define PORT61_REFRESH 0x10
#define PORT61_OUT 0x20

static uint64_t ticks_since_start(const struct pit_channel2 *p, nsec_t now)
{
    nsec_t elapsed = now > p->started ? now - p->started : 0;

    if (!p->is_counting || !(p->port61 & PORT61_GATE))
        return 0;
    return elapsed / NSEC_PER_SEC * PIT_HZ +
           elapsed % NSEC_PER_SEC * PIT_HZ / NSEC_PER_SEC;
}

static uint32_t period(const struct pit_channel2 *p)
{
    return p->reload ? p->reload : 65536;
}

static bool is_periodic(const struct pit_channel2 *p)
{
    return p->mode == 2 || p->mode == 3;
}

static uint16_t count_at(const struct pit_channel2 *p, nsec_t now)
{
    uint64_t ticks = ticks_since_start(p, now);

    if (is_periodic(p))
        ticks %= period(p);
    return (uint16_t)(period(p) - ticks);
}

static bool out_at(const struct pit_channel2 *p, nsec_t now)
{
    uint64_t ticks = ticks_since_start(p, now);

    if (is_periodic(p))
        return ticks % period(p) < period(p) / 2;
    return p->is_counting && ticks >= period(p);
}

/* A write to the PIT's command register, port 0x43. */
void pit2_write_command(struct pit_channel2 *p, uint8_t value, nsec_t now)
{
    unsigned channel = value >> 6; /* 3: read-back, of the count and others */
    unsigned access = value >> 4 & 3;
    bool wants_latch = channel == 2   ? access == ACCESS_LATCH
                       : channel == 3 ? (value & 0x28) == 0x08
                                      : false;

    if (wants_latch && !p->is_latched) {
        p->latch = count_at(p, now);
        p->is_latched = true;
    }
    if (wants_latch || channel != 2)
        return;
    p->access = (uint8_t)access;
    p->mode = value >> 1 & 7;
    if (p->mode > 5)
        p->mode -= 4; /* 6 and 7 are 2 and 3 */
    p->is_counting = p->is_latched = false;
    p->write_high_next = p->read_high_next = false;
}

static bool takes_high_byte(uint8_t access, bool *high_next)
{
    if (access == ACCESS_LOW || access == ACCESS_HIGH)
        return access == ACCESS_HIGH;
    *high_next = !*high_next;
    return !*high_next;
}

/* A write to channel 2's counter, port 0x42. */
void pit2_write_count(struct pit_channel2 *p, uint8_t value, nsec_t now)
{
    if (takes_high_byte(p->access, &p->write_high_next))
        p->reload = (uint16_t)((p->reload & 0xff) | value << 8);
    else
        p->reload = p->access == ACCESS_LOW
                        ? value
                        : (uint16_t)((p->reload & 0xff00) | value);
    if (p->write_high_next)
        return; /* counting starts with the second byte */
    p->is_counting = true;
    p->started = now;
}

/* A read of channel 2's counter, port 0x42. */
uint8_t pit2_read_count(struct pit_channel2 *p, nsec_t now)
{
    uint16_t count = p->is_latched ? p->latch : count_at(p, now);
    bool is_high = takes_high_byte(p->access, &p->read_high_next);

    if (!p->read_high_next)
        p->is_latched = false;
    return (uint8_t)(is_high ? count >> 8 : count);
}

/* A write to port 0x61; a rising gate starts the count. */
void pit2_write_port61(struct pit_channel2 *p, uint8_t value, nsec_t now)
{
    if (value & PORT61_GATE && !(p->port61 & PORT61_GATE))
        p->started = now;
    p->port61 =
        (p->port61 & PORT61_REFRESH) | (value & (PORT61_GATE | PORT61_SPEAKER));
}

/* A read of port 0x61; the error bits, 6 and 7, are never set. */
uint8_t pit2_read_port61(struct pit_channel2 *p, nsec_t now)
{
    p->port61 ^= PORT61_REFRESH;
    return p->port61 | (out_at(p, now) ? PORT61_OUT : 0);
}
