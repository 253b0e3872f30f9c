/* SPDX-License-Identifier: MIT */
/*
 * What Mica needs of the firmware's static ACPI tables: processors, interrupt
 * controllers, timers, and the registers for reset and sleep. Tables are
 * read through map_firmware with bounds and checksums; one that is broken is
 * left out. Nothing changes after boot. The tables are described in the ACPI
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

struct acpi_info {
    unsigned cpu_count;
    struct acpi_cpu cpus[ACPI_MAX_CPUS];

    unsigned ioapic_count;
    struct acpi_ioapic ioapics[ACPI_MAX_IOAPICS];
    struct acpi_isa_irq isa[ACPI_ISA_IRQS];

    uint16_t pm1a_control, pm1b_control, reset; /* ports; 0: there is none */
    uint8_t reset_value;
    uint16_t pm_timer;     /* a port; 0: there is none */
    uint64_t hpet_address; /* 0: there is none */
};

#define ACPI_RSDP_SIZE 36 /* of revision 2; the first 20 are revision 1 */

void acpi_init(struct bytes rsdp);
const struct acpi_info *acpi_info(void);
const struct acpi_cpu *acpi_find_cpu(uint32_t apic_id);
