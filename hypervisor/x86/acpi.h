/* SPDX-License-Identifier: MIT */
/*
 * What Mica needs of the firmware's static ACPI tables: processors, interrupt
 * controllers, timers, and the registers for reset and sleep. Tables are read
 * through map_firmware with bounds and checksums; one that is broken is left
 * out. Nothing changes after boot. The tables are described in the ACPI
 * specification 6.4, chapter 5.
 */
#pragma once

#include "x86/bytes.h"

#define ACPI_MAX_CPUS CONFIG_MAX_PCPUS
#define ACPI_MAX_IOAPICS 32
#define ACPI_ISA_IRQS 16

struct acpi_cpu {
    uint32_t apic_id;
    uint32_t acpi_id;
    bool is_enabled; /* false: a socket for hotplug */
};

struct acpi_ioapic {
    uint8_t id;
    uint32_t address;
    uint32_t gsi_base;
};

/* Where a legacy line arrives. */
struct acpi_isa_irq {
    uint32_t gsi;
    bool is_level;
    bool is_active_low;
};

enum acpi_space {
    ACPI_SPACE_MEMORY = 0,
    ACPI_SPACE_PORT = 1,
    ACPI_SPACE_PCI = 2,
};

struct acpi_register {
    uint8_t space;    /* enum acpi_space */
    uint64_t address; /* 0: there is none */
};

/* Whether `size` bytes of the register are I/O ports. */
static inline bool acpi_is_port(const struct acpi_register *r, unsigned size)
{
    return r->space == ACPI_SPACE_PORT && r->address &&
           r->address <= 0x10000 - size;
}

struct acpi_info {
    bool is_found; /* there are tables at all */

    unsigned cpu_count;
    unsigned cpus_left_out;
    struct acpi_cpu cpus[ACPI_MAX_CPUS];

    unsigned ioapic_count;
    struct acpi_ioapic ioapics[ACPI_MAX_IOAPICS];
    struct acpi_isa_irq isa[ACPI_ISA_IRQS];

    struct acpi_register pm1a_control, pm1b_control;
    struct acpi_register pm_timer;
    struct acpi_register reset;
    uint8_t reset_value;
    bool has_reset;

    uint64_t hpet_address; /* 0: there is none */
};

#define ACPI_RSDP_SIZE 36 /* of revision 2; the first 20 are revision 1 */

void acpi_init(struct bytes rsdp);
const struct acpi_info *acpi_info(void);
const struct acpi_cpu *acpi_find_cpu(uint32_t apic_id);
