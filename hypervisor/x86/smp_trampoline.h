/* SPDX-License-Identifier: MIT */
/* The page below 1 MiB where secondary processors start, as C sees it. */
#pragma once

#include "core/types.h"

extern const uint8_t smp_trampoline[], smp_trampoline_end[];

#define SMP_WORDS_AT 0xfc0 /* in the page; smp_trampoline.S has the same */

/* The words at the page's end that the code works with; filled before use. */
struct smp_start_words {
    uint64_t stack; /* first stack pointer */
    uint64_t entry; /* where to go in 64-bit mode */
    uint64_t cr3;   /* below 4 GiB; maps this page where it is, and Mica */
};
