/* SPDX-License-Identifier: MIT */
#include "clock.h"

static uint64_t scale(uint64_t ticks, int8_t shift, uint32_t mul)
{
    uint64_t product, high;

    ticks = shift < 0 ? ticks >> -shift : ticks << shift;
    __asm__("mulq %3"
            : "=a"(product), "=d"(high)
            : "0"(ticks), "r"((uint64_t)mul)
            : "cc");
    return product >> 32 | high << 32;
}

uint64_t system_time(void)
{
    const struct vcpu_time_info *t = &vcpu_info()->time;
    uint32_t version;
    uint64_t now;

    do {
        version = __atomic_load_n(&t->version, __ATOMIC_ACQUIRE);
        now = t->system_time + scale(rdtsc() - t->tsc_timestamp, t->tsc_shift,
                                     t->tsc_to_system_mul);
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
    } while (version & 1 || version != t->version);
    return now;
}
