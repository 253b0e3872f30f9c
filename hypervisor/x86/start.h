/* SPDX-License-Identifier: MIT */
/*
 * The steps of the start that modules of the machine take once each, in the
 * order and with the needs that start.c gives, and what they are told.
 */
#pragma once

#include "core/cmdline.h"
#include "x86/multiboot2.h"

#define UART_COUNT 2u
/* Bits of a set of consoles; serial port n is bit n. */
#define CONSOLE_VGA (1u << UART_COUNT)

enum power_way {
    POWER_ACPI,
    POWER_KEYBOARD,
    POWER_CHIPSET,
    POWER_TRIPLE_FAULT,
};

void uart_init(unsigned set, const struct cmdline_serial *settings);
void cpu_features_detect(void);
void console_take_screen(void);
void apic_init(void);
void irq_init(void);
void time_init(void);
void power_init(enum power_way way, bool no_reboot);
void machine_describe(struct boot_info *boot);
void smp_start(const struct memory_map *map, unsigned max_cpus);
void uart_input_start(void);
void console_give_to_dom0(void);
