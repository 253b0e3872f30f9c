/* SPDX-License-Identifier: MIT */
/* Ordering instructions, for what the memory model of C does not cover. */
#pragma once

/* Waits until all earlier loads and stores are visible. */
static inline void mfence(void)
{
    __asm__ volatile("mfence" : : : "memory");
}

/* No later instruction starts before the earlier ones are done. */
static inline void lfence(void)
{
    __asm__ volatile("lfence" : : : "memory");
}
