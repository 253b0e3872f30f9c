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
#define REG_A 10
#define REG_A_UPDATING 0x80
#define REG_B 11
#define REG_B_BINARY 0x04
#define REG_B_24_HOURS 0x02
#define HOUR_PM 0x80
#define MAX_UPDATE_POLLS 20000u /* an update takes 2 ms at most */
#define MAX_ATTEMPTS 4u

static struct spinlock lock = SPINLOCK_INIT; /* the index port */

enum { SECOND, MINUTE, HOUR, DAY, MONTH, YEAR, DATE_PARTS };

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

static void read_date(uint8_t date[DATE_PARTS])
{
    static const uint8_t registers[DATE_PARTS] = {
        [SECOND] = 0, [MINUTE] = 2, [HOUR] = 4,
        [DAY] = 7,    [MONTH] = 8,  [YEAR] = 9,
    };

    wait_for_update();
    for (unsigned i = 0; i < DATE_PARTS; i++)
        date[i] = read_locked(registers[i]);
}

static void decode(uint8_t date[DATE_PARTS], uint8_t reg_b)
{
    bool is_pm = date[HOUR] & HOUR_PM && !(reg_b & REG_B_24_HOURS);

    if (is_pm)
        date[HOUR] &= (uint8_t)~HOUR_PM;
    for (unsigned i = 0; i < DATE_PARTS && !(reg_b & REG_B_BINARY); i++)
        date[i] = (uint8_t)((date[i] >> 4) * 10 + (date[i] & 0xf));
    if (!(reg_b & REG_B_24_HOURS))
        date[HOUR] = (uint8_t)(date[HOUR] % 12 + (is_pm ? 12 : 0));
}

/*
 * Days since 1970 by counting years from March, so that the leap day comes
 * last. The clock's two digits mean 1970 to 2069.
 */
static uint64_t days_since_1970(const uint8_t date[DATE_PARTS])
{
    unsigned month = date[MONTH] >= 1 && date[MONTH] <= 12 ? date[MONTH] : 1;
    unsigned year = date[YEAR] + (date[YEAR] >= 70 ? 1900u : 2000u);
    unsigned shifted_month = (month + 9) % 12; /* 0: March */
    uint64_t days;

    if (month <= 2)
        year--;
    days = 365ull * year + year / 4 - year / 100 + year / 400;
    days += (153 * shifted_month + 2) / 5 + (date[DAY] ? date[DAY] - 1u : 0);
    return days - 719468; /* 1 March of year 0 to 1 January 1970 */
}

/* The clock's date, taken as UTC, in seconds since 1970. */
uint64_t rtc_read_seconds(void)
{
    uint8_t first[DATE_PARTS], date[DATE_PARTS];
    unsigned attempts = MAX_ATTEMPTS;

    spin_lock(&lock);
    do {
        read_date(first);
        read_date(date);
    } while (memcmp(first, date, sizeof(date)) && --attempts);
    decode(date, read_locked(REG_B));
    spin_unlock(&lock);
    return days_since_1970(date) * 86400 + date[HOUR] * 3600u +
           date[MINUTE] * 60u + date[SECOND];
}
