/* SPDX-License-Identifier: MIT */
/* Ways to reset a machine, and the registers of sleep states. */
#include "x86/power.h"

#include "core/arch.h"
#include "core/log.h"
#include "core/machine.h"

#include "x86/acpi.h"
#include "x86/apic.h"
#include "x86/debug_keys.h"
#include "x86/insn.h"
#include "x86/machine_early.h"
#include "x86/pci.h"
#include "x86/time.h"

#define SLEEP_ENABLE (1u << 13)
#define SLEEP_STATE_OFF 5u

#define KEYBOARD_STATUS 0x64
#define KEYBOARD_INPUT_FULL 0x02
#define KEYBOARD_RESET 0xfe
#define RESET_CONTROL 0xcf9
#define RESET_HARD 0x06

#define MAX_KEYBOARD_POLLS 10000u
#define WAIT_FOR_RESET (200 * NSEC_PER_MS)

static volatile uint8_t *reset_memory; /* const after power_init */
static enum power_way preferred;       /* const after power_init */
static bool stays_off;                 /* const after power_init: noreboot */

static void reset_by_acpi(void)
{
    const struct acpi_info *acpi = acpi_info();
    const struct acpi_register *r = &acpi->reset;
    uint16_t function =
        (uint16_t)((r->address >> 32 & 0x1f) << 3 | (r->address >> 16 & 7));

    if (!acpi->has_reset)
        return;
    if (acpi_is_port(r, 1))
        outb((uint16_t)r->address, acpi->reset_value);
    else if (reset_memory)
        *reset_memory = acpi->reset_value;
    else if (r->space == ACPI_SPACE_PCI)
        pci_write(function, r->address & 0xffff, 1, acpi->reset_value);
}

static void reset_by_keyboard(void)
{
    unsigned polls = MAX_KEYBOARD_POLLS;

    while (inb(KEYBOARD_STATUS) & KEYBOARD_INPUT_FULL && --polls)
        pause();
    outb(KEYBOARD_STATUS, KEYBOARD_RESET);
}

static void reset_by_chipset(void)
{
    outb(RESET_CONTROL, 0x02);
    outb(RESET_CONTROL, RESET_HARD);
}

/* An exception without a usable IDT: the processor shuts down, boards reset. */
static void reset_by_triple_fault(void)
{
    static const struct descriptor_table nothing = {0, 0};

    lidt(&nothing);
    __builtin_trap();
}

static void (*const ways[])(void) = {
    [POWER_ACPI] = reset_by_acpi,
    [POWER_KEYBOARD] = reset_by_keyboard,
    [POWER_CHIPSET] = reset_by_chipset,
    [POWER_TRIPLE_FAULT] = reset_by_triple_fault,
};

static void reboot_by_key(void)
{
    arch_reboot();
}

/*
 * Takes the way of resetting to try first and whether `noreboot` was given.
 * Needs acpi_init and map_device.
 */
void power_init(enum power_way way, bool no_reboot)
{
    const struct acpi_info *acpi = acpi_info();

    stays_off = no_reboot;
    preferred = way;
    if (acpi->has_reset && acpi->reset.space == ACPI_SPACE_MEMORY)
        reset_memory = map_device(acpi->reset.address, 1);
    debug_key_register('R', "reset the machine", reboot_by_key);
}

static _Noreturn void halt_forever(void)
{
    interrupts_off();
    apic_stop_others();
    for (;;)
        halt();
}

/* Resets the machine, trying every way; with `noreboot` it halts instead. */
_Noreturn void arch_reboot(void)
{
    interrupts_off();
    if (stays_off) {
        log_error("noreboot is set: the machine stays halted");
        halt_forever();
    }
    log_info("Resetting the machine");
    for (size_t i = 0; i <= ARRAY_LEN(ways); i++) {
        ways[i ? i - 1 : preferred]();
        time_delay(WAIT_FOR_RESET);
    }
    halt_forever();
}

/*
 * Halts the machine for good. dom0's own power-off goes through
 * machine_acpi_sleep; without its values the machine cannot be switched off.
 */
_Noreturn void arch_power_off(void)
{
    log_error("The machine is halted. It is safe to switch it off");
    halt_forever();
}

/*
 * Enters S5 with the values that dom0 found for PM1a and PM1b control; does
 * not return when it works. Other states lose what Mica keeps in processors
 * and chips: -EINVAL. -ENODEV without the register, -EIO when it did nothing.
 */
int machine_acpi_sleep(unsigned state, uint16_t pm1a, uint16_t pm1b)
{
    const struct acpi_register *a = &acpi_info()->pm1a_control;
    const struct acpi_register *b = &acpi_info()->pm1b_control;

    if (state != SLEEP_STATE_OFF)
        return -EINVAL;
    if (!acpi_is_port(a, 2))
        return -ENODEV;
    log_info("Switching the machine off");
    /* First the type of sleep, then the bit that makes it so. */
    for (unsigned enable = 0; enable <= SLEEP_ENABLE; enable += SLEEP_ENABLE) {
        outw((uint16_t)a->address, (uint16_t)((pm1a & ~SLEEP_ENABLE) | enable));
        if (acpi_is_port(b, 2))
            outw((uint16_t)b->address,
                 (uint16_t)((pm1b & ~SLEEP_ENABLE) | enable));
    }
    time_delay(WAIT_FOR_RESET);
    return -EIO;
}
