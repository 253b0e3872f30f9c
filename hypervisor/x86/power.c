/* SPDX-License-Identifier: MIT */
/*
 * Reset and power-off. Only dom0, which interprets the firmware's code, knows
 * the values that switch the machine off: it names them when it asks for S5.
 */
#include "core/arch.h"
#include "core/log.h"
#include "core/machine.h"

#include "x86/acpi.h"
#include "x86/apic.h"
#include "x86/insn.h"
#include "x86/start.h"
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

static enum power_way preferred; /* const after power_init */
static bool stays_off;           /* const after power_init: noreboot */

static void reset(enum power_way way)
{
    static const struct descriptor_table nothing = {0, 0};
    unsigned polls = MAX_KEYBOARD_POLLS;

    switch (way) {
    case POWER_ACPI:
        if (acpi_info()->reset)
            outb(acpi_info()->reset, acpi_info()->reset_value);
        break;
    case POWER_KEYBOARD:
        while (inb(KEYBOARD_STATUS) & KEYBOARD_INPUT_FULL && --polls)
            pause();
        outb(KEYBOARD_STATUS, KEYBOARD_RESET);
        break;
    case POWER_CHIPSET:
        outb(RESET_CONTROL, 0x02);
        outb(RESET_CONTROL, RESET_HARD);
        break;
    case POWER_TRIPLE_FAULT:
        /* Without a usable IDT the processor shuts down, and boards reset. */
        lidt(&nothing);
        __builtin_trap();
    }
}

/*
 * Takes the way of resetting to try first and whether `noreboot` was given.
 */
void power_init(enum power_way way, bool no_reboot)
{
    stays_off = no_reboot;
    preferred = way;
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
    reset(preferred);
    /* Nothing comes back from the last one. */
    for (enum power_way way = POWER_ACPI;; way++) {
        time_delay(WAIT_FOR_RESET);
        reset(way);
    }
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
    uint16_t a = acpi_info()->pm1a_control, b = acpi_info()->pm1b_control;

    if (state != SLEEP_STATE_OFF)
        return -EINVAL;
    if (!a)
        return -ENODEV;
    log_info("Switching the machine off");
    /* First the type of sleep, then the bit that makes it so. */
    for (unsigned enable = 0; enable <= SLEEP_ENABLE; enable += SLEEP_ENABLE) {
        outw(a, (uint16_t)((pm1a & ~SLEEP_ENABLE) | enable));
        if (b)
            outw(b, (uint16_t)((pm1b & ~SLEEP_ENABLE) | enable));
    }
    time_delay(WAIT_FOR_RESET);
    return -EIO;
}
