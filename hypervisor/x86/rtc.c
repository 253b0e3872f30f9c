/* SPDX-License-Identifier: MIT */
/*
 * The clock is an MC146818: registers 0 to 9 hold the date, in BCD unless
 * register B says otherwise, and are unsteady while register A's top bit is
 * set.
 */
#include "x86/rtc.h"

#include "core/spinlock.h"

#include "x86/insn.h"

#define PORT_INDEX 0x70
#define PORT_DATA 0x71
#define REG_SECONDS 0
#define REG_MINUTES 2
#define REG_HOURS 4
#define REG_DAY 7
#define REG_MONTH 8
#define REG_YEAR 9
#define REG_A 10
#define REG_A_UPDATING 0x80
#define REG_B 11
#define REG_B_BINARY 0x04
#define REG_B_24_HOURS 0x02
#define HOUR_PM 0x80
#define MAX_UPDATE_POLLS 20000u /* an update takes 2 ms at most */
#define MAX_ATTEMPTS 4u

static struct spinlock lock = SPINLOCK_INIT; /* the index port */

struct date {
    uint8_t second, minute, hour, day, month, year;
};

static uint8_t read_locked(uint8_t index)
{
    outb(PORT_INDEX, index & 0x7f);
    return inb(PORT_DATA);
}

/* A byte of the CMOS memory or clock; `index` is below 128. */
uint8_t rtc_cmos_read(uint8_t index)
{
    uint8_t value;

    spin_lock(&lock);
    value = read_locked(index);
    spin_unlock(&lock);
    return value;
}

/* Sets a byte of the CMOS memory or clock; `index` is below 128. */
void rtc_cmos_write(uint8_t index, uint8_t value)
{
    spin_lock(&lock);
    outb(PORT_INDEX, index & 0x7f);
    outb(PORT_DATA, value);
    spin_unlock(&lock);
}

static void wait_for_update(void)
{
    unsigned polls = MAX_UPDATE_POLLS;

    while (read_locked(REG_A) & REG_A_UPDATING && --polls)
        pause();
}

static struct date read_date(void)
{
    wait_for_update();
    return (struct date){
        .second = read_locked(REG_SECONDS),
        .minute = read_locked(REG_MINUTES),
        .hour = read_locked(REG_HOURS),
        .day = read_locked(REG_DAY),
        .month = read_locked(REG_MONTH),
        .year = read_locked(REG_YEAR),
    };
}

static uint8_t from_bcd(uint8_t value)
{
    return (uint8_t)((value >> 4) * 10 + (value & 0xf));
}

static void decode(struct date *d, uint8_t reg_b)
{
    bool is_pm = d->hour & HOUR_PM && !(reg_b & REG_B_24_HOURS);

    if (!(reg_b & REG_B_24_HOURS))
        d->hour &= (uint8_t)~HOUR_PM;
    if (!(reg_b & REG_B_BINARY)) {
        d->second = from_bcd(d->second);
        d->minute = from_bcd(d->minute);
        d->hour = from_bcd(d->hour);
        d->day = from_bcd(d->day);
        d->month = from_bcd(d->month);
        d->year = from_bcd(d->year);
    }
    if (!(reg_b & REG_B_24_HOURS))
        d->hour = (uint8_t)(d->hour % 12 + (is_pm ? 12 : 0));
}

/*
 * Days since 1970 by counting years from March, so that the leap day comes
 * last. The clock's two digits mean 1970 to 2069.
 */
static uint64_t days_since_1970(const struct date *d)
{
    unsigned month = d->month >= 1 && d->month <= 12 ? d->month : 1;
    unsigned year = d->year + (d->year >= 70 ? 1900u : 2000u);
    unsigned shifted_month = (month + 9) % 12; /* 0: March */
    uint64_t days;

    if (month <= 2)
        year--;
    days = 365ull * year + year / 4 - year / 100 + year / 400;
    days += (153 * shifted_month + 2) / 5 + (d->day ? d->day - 1u : 0);
    return days - 719468; /* 1 March of year 0 to 1 January 1970 */
}

/* The clock's date, taken as UTC, in seconds since 1970. */
uint64_t rtc_read_seconds(void)
{
    struct date first, second;

    spin_lock(&lock);
    second = read_date();
    for (unsigned i = 0; i < MAX_ATTEMPTS; i++) {
        first = second;
        second = read_date();
        if (!memcmp(&first, &second, sizeof(first)))
            break;
    }
    decode(&second, read_locked(REG_B));
    spin_unlock(&lock);
    return ((days_since_1970(&second) * 24 + second.hour) * 60 +
            second.minute) *
               60 +
           second.second;
}
