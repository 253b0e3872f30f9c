/* SPDX-License-Identifier: MIT */
/* The page below 1 MiB where secondary processors start, as C sees it. */
#pragma once

#include "core/types.h"

extern const uint8_t smp_trampoline[], smp_trampoline_end[];

/* The words at the page's end that the code works with; filled before use. */
struct smp_start_words {
    uint64_t stack;          /* first stack pointer */
    uint64_t entry;          /* where to go in 64-bit mode */
    uint32_t cr3;            /* maps this page where it is, and Mica */
    uint32_t protected_mode; /* linear address of the code's next part */
    uint16_t protected_selector;
    uint16_t pad0;
    uint32_t long_mode;
    uint16_t long_selector;
    uint16_t gdt_limit;
    uint32_t gdt_base;
};

#define SMP_WORDS_AT 0xfc0 /* in the page; smp_trampoline.S has the same */

extern const uint8_t smp_trampoline_protected[], smp_trampoline_long[];
extern const uint8_t smp_trampoline_gdt[];

#define SMP_SELECTOR_CODE32 0x08
#define SMP_SELECTOR_CODE64 0x18
#define SMP_GDT_LIMIT (4 * 8 - 1)

_Static_assert(offsetof(struct smp_start_words, entry) == 8, "as in .S");
_Static_assert(offsetof(struct smp_start_words, cr3) == 16, "as in .S");
_Static_assert(offsetof(struct smp_start_words, protected_mode) == 20, ".S");
_Static_assert(offsetof(struct smp_start_words, long_mode) == 28, ".S");
_Static_assert(offsetof(struct smp_start_words, gdt_limit) == 34, ".S");
