/* SPDX-License-Identifier: MIT */
/* Ways to reset a machine, and the registers of sleep states. */
#include "x86/power.h"

#include "core/arch.h"
#include "core/log.h"

#include "x86/acpi.h"
#include "x86/apic.h"
#include "x86/debug_keys.h"
#include "x86/insn.h"
#include "x86/machine_early.h"
#include "x86/pci.h"
#include "x86/time.h"
#include "x86/words.h"

#define SLEEP_ENABLE (1u << 13)
#define SLEEP_STATE_OFF 5u

#define KEYBOARD_STATUS 0x64
#define KEYBOARD_INPUT_FULL 0x02
#define KEYBOARD_RESET 0xfe
#define RESET_CONTROL 0xcf9
#define RESET_HARD 0x06

#define MAX_KEYBOARD_POLLS 10000u
#define WAIT_FOR_RESET (200 * NSEC_PER_MS)

static volatile uint32_t *reset_memory; /* const after power_init */
static bool stays_off;                  /* const after power_init: noreboot */

static void reset_by_acpi(void)
{
    const struct acpi_info *acpi = acpi_info();
    const struct acpi_register *r = &acpi->reset;

    if (!acpi->has_reset)
        return;
    if (r->space == ACPI_SPACE_PORT && r->address <= 0xffff)
        outb((uint16_t)r->address, acpi->reset_value);
    else if (r->space == ACPI_SPACE_MEMORY && reset_memory)
        *(volatile uint8_t *)reset_memory = acpi->reset_value;
    else if (r->space == ACPI_SPACE_PCI)
        pci_write(
            (struct pci_address){.bus = 0,
                                 .devfn =
                                     (uint8_t)((r->address >> 32 & 0x1f) << 3 |
                                               (r->address >> 16 & 7))},
            r->address & 0xffff, 1, acpi->reset_value);
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

struct reset_way {
    const char *name;
    void (*reset)(void);
};

static const struct reset_way ways[] = {
    {"acpi", reset_by_acpi},
    {"kbd", reset_by_keyboard},
    {"pci", reset_by_chipset},
    {"triple", reset_by_triple_fault},
};

static const struct reset_way *preferred; /* const after power_init; or NULL */

static void prefer_way(const char *reboot)
{
    struct word w;

    while (word_next(&reboot, &w)) {
        const struct reset_way *found = NULL;

        for (size_t i = 0; i < ARRAY_LEN(ways); i++)
            if (word_is(&w, ways[i].name))
                found = &ways[i];
        if (!found && !word_is(&w, "efi") && !word_is(&w, "cold") &&
            !word_is(&w, "warm"))
            log_warning("reboot=%.*s: not one of acpi, kbd, pci, triple",
                        (int)w.length, w.text);
        if (found && !preferred)
            preferred = found;
    }
}

static void reboot_by_key(void)
{
    arch_reboot();
}

/*
 * Takes the value of reboot= (or NULL): the way to try first; and whether
 * `noreboot` was given. Needs acpi_init and map_device.
 */
void power_init(const char *reboot, bool no_reboot)
{
    const struct acpi_info *acpi = acpi_info();

    stays_off = no_reboot;
    prefer_way(reboot);
    if (acpi->has_reset && acpi->reset.space == ACPI_SPACE_MEMORY)
        reset_memory = map_device(acpi->reset.address, 4);
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
    if (preferred) {
        preferred->reset();
        time_delay(WAIT_FOR_RESET);
    }
    for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
        ways[i].reset();
        time_delay(WAIT_FOR_RESET);
    }
    halt_forever();
}

/*
 * Halts the machine for good. dom0's own power-off goes through
 * power_enter_sleep; without its values the machine cannot be switched off.
 */
_Noreturn void arch_power_off(void)
{
    log_error("The machine is halted. It is safe to switch it off");
    halt_forever();
}

static bool is_usable(const struct acpi_register *r)
{
    return r->space == ACPI_SPACE_PORT && r->address && r->address <= 0xfffe;
}

/* First the type of sleep, then the bit that makes it so. */
static void write_control(uint16_t pm1a, uint16_t pm1b)
{
    const struct acpi_info *acpi = acpi_info();

    outw((uint16_t)acpi->pm1a_control.address, pm1a);
    if (is_usable(&acpi->pm1b_control))
        outw((uint16_t)acpi->pm1b_control.address, pm1b);
}

/*
 * Enters S5 with the values that dom0 found for PM1a and PM1b control; does
 * not return when it works. Other states lose what Mica keeps in processors
 * and chips: -EINVAL. -ENODEV without the register, -EIO when it did nothing.
 */
int power_enter_sleep(uint16_t pm1a, uint16_t pm1b, uint32_t state)
{
    if (state != SLEEP_STATE_OFF)
        return -EINVAL;
    if (!is_usable(&acpi_info()->pm1a_control))
        return -ENODEV;
    log_info("Switching the machine off");
    write_control((uint16_t)(pm1a & ~SLEEP_ENABLE),
                  (uint16_t)(pm1b & ~SLEEP_ENABLE));
    write_control((uint16_t)(pm1a | SLEEP_ENABLE),
                  (uint16_t)(pm1b | SLEEP_ENABLE));
    time_delay(WAIT_FOR_RESET);
    return -EIO;
}
