/* SPDX-License-Identifier: MIT */
/*
 * The wall clock: UTC at system time 0, which every domain finds in its
 * shared_info. Starts from the CMOS clock, which is dom0's afterwards, and is
 * what dom0 says from then on.
 */
#include "core/arch.h"
#include "core/domain.h"
#include "core/machine.h"
#include "core/spinlock.h"
#include "hypercall_abi/shared_info.h"

#include "x86/insn.h"
#include "x86/time.h"

/* The MC146818's registers hold a date of this century. */
#define CMOS_INDEX 0x70
#define CMOS_DATA 0x71
#define CMOS_STATUS 10
#define CMOS_FORMAT 11
#define FORMAT_24_HOURS 0x02
#define FORMAT_BINARY 0x04
#define HOUR_PM 0x80
#define CMOS_UPDATING 0x80    /* in 244 microseconds at the earliest if clear */
#define MAX_CMOS_POLLS 20000u /* an update takes 2 ms at most */

enum { SECOND = 0, MINUTE = 2, HOUR = 4, DAY = 7, MONTH = 8, YEAR = 9 };

static struct spinlock lock; /* also: copies in the domains */
static uint64_t start;       /* lock: nanoseconds from 1970 to system time 0 */

static uint8_t cmos_read(uint8_t reg)
{
    outb(CMOS_INDEX, reg);
    return inb(CMOS_DATA);
}

static unsigned number(unsigned value, uint8_t format)
{
    return format & FORMAT_BINARY ? value : (value >> 4) * 10 + (value & 0xf);
}

/* Of 12 hours, the first is called the twelfth. */
static unsigned hour(unsigned value, uint8_t format)
{
    return format & FORMAT_24_HOURS ? number(value, format)
                                    : number(value & ~HOUR_PM, format) % 12 +
                                          (value & HOUR_PM ? 12 : 0);
}

static void read_date(unsigned date[YEAR + 1])
{
    uint8_t format = cmos_read(CMOS_FORMAT);

    for (unsigned polls = 0; polls < MAX_CMOS_POLLS; polls++) {
        if (cmos_read(CMOS_STATUS) & CMOS_UPDATING)
            continue;
        for (uint8_t reg = SECOND; reg <= YEAR; reg++)
            date[reg] = reg == HOUR ? hour(cmos_read(reg), format)
                                    : number(cmos_read(reg), format);
        if (number(cmos_read(SECOND), format) == date[SECOND])
            return;
    }
}

/* Reads the CMOS clock, taken as UTC; after time_init. */
void wallclock_init(void)
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
    start = (minutes * 60 + date[SECOND]) * NSEC_PER_SEC - arch_now();
}

/*
 * Writes the clock into a domain's page, off by as much as its tools said. Of
 * what the guest left there only the parity of the version is used.
 */
void arch_domain_publish_clock(struct domain *d)
{
    struct shared_info *info = d->shared_info;
    uint64_t secs;
    uint32_t version;

    spin_lock(&lock);
    secs = start / NSEC_PER_SEC +
           (uint64_t)__atomic_load_n(&d->clock_offset, __ATOMIC_RELAXED);
    version = __atomic_load_n(&info->wc_version, __ATOMIC_RELAXED) & ~1u;
    __atomic_store_n(&info->wc_version, version + 1, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_RELEASE);
    __atomic_store_n(&info->wc_sec, (uint32_t)secs, __ATOMIC_RELAXED);
    __atomic_store_n(&info->wc_sec_hi, (uint32_t)(secs >> 32),
                     __ATOMIC_RELAXED);
    __atomic_store_n(&info->wc_nsec, (uint32_t)(start % NSEC_PER_SEC),
                     __ATOMIC_RELAXED);
    __atomic_store_n(&info->wc_version, version + 2, __ATOMIC_RELEASE);
    spin_unlock(&lock);
}

void machine_set_time(uint64_t secs, uint32_t nsecs, nsec_t system_time)
{
    struct domain *d = NULL;

    spin_lock(&lock);
    start = secs * NSEC_PER_SEC + nsecs - system_time;
    spin_unlock(&lock);
    for (domid_t id = 0; (d = domain_next_get(id)); domain_put(d)) {
        arch_domain_publish_clock(d);
        id = (domid_t)(d->id + 1);
    }
}
