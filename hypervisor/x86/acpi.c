/* SPDX-License-Identifier: MIT */
/*
 * The parser of ACPI tables. Every table is read with its length checked
 * first: firmware aligns nothing and lies sometimes. What a table or an entry
 * is too short for reads as zero (bytes.h).
 */
#include "x86/acpi.h"

#include "core/log.h"

#include "x86/machine_early.h"

#define HEADER_SIZE 36u
#define MAX_TABLE_SIZE (1u << 20)
#define MADT_ENTRIES 44u
#define MADT_CPU_ENABLED 1u
#define MADT_NO_APIC_ID 0xffu
#define FADT_HAS_RESET (1u << 10)
#define SPACE_MEMORY 0
#define SPACE_PORT 1

enum {
    MADT_LOCAL_APIC = 0,
    MADT_IOAPIC = 1,
    MADT_OVERRIDE = 2,
    MADT_LOCAL_X2APIC = 9,
};

static struct acpi_info info;

/* The port that a generic address structure names; 0: not one. */
static uint16_t get_port(struct bytes t, size_t offset)
{
    uint64_t address = bytes_64(t, offset + 4);

    return bytes_8(t, offset) == SPACE_PORT && address < 0xffff
               ? (uint16_t)address
               : 0;
}

/* A register that old tables have in a narrow form only. */
static uint16_t get_either_port(struct bytes t, size_t wide, size_t narrow)
{
    uint16_t port = get_port(t, wide);

    return port ? port : bytes_16(t, narrow);
}

static void parse_fadt(struct bytes t)
{
    info.pm1a_control = get_either_port(t, 172, 64);
    info.pm1b_control = get_either_port(t, 184, 68);
    if (bytes_32(t, 112) & FADT_HAS_RESET)
        info.reset = get_port(t, 116);
    info.pm_timer = get_either_port(t, 208, 76);
    info.reset_value = bytes_8(t, 128);
}

static void add_cpu(uint32_t apic_id, uint32_t acpi_id, uint32_t flags)
{
    if (!(flags & MADT_CPU_ENABLED) || apic_id == UINT32_MAX ||
        acpi_find_cpu(apic_id))
        return;
    if (info.cpu_count < ACPI_MAX_CPUS)
        info.cpus[info.cpu_count++] = (struct acpi_cpu){apic_id, acpi_id};
    else
        log_warning("A processor is beyond the %u Mica is built for",
                    ACPI_MAX_CPUS);
}

static void parse_madt_entry(struct bytes e)
{
    uint16_t flags; /* polarity in bits 1:0, trigger in 3:2; 0: edge, high */

    switch (bytes_8(e, 0)) {
    case MADT_LOCAL_APIC:
        if (bytes_8(e, 3) != MADT_NO_APIC_ID)
            add_cpu(bytes_8(e, 3), bytes_8(e, 2), bytes_32(e, 4));
        break;
    case MADT_LOCAL_X2APIC:
        add_cpu(bytes_32(e, 4), bytes_32(e, 12), bytes_32(e, 8));
        break;
    case MADT_IOAPIC:
        if (info.ioapic_count < ACPI_MAX_IOAPICS && bytes_32(e, 4))
            info.ioapics[info.ioapic_count++] = (struct acpi_ioapic){
                bytes_8(e, 2), bytes_32(e, 4), bytes_32(e, 8)};
        break;
    case MADT_OVERRIDE:
        flags = bytes_16(e, 8);
        if (bytes_8(e, 3) < ACPI_ISA_IRQS)
            info.isa[bytes_8(e, 3)] = (struct acpi_isa_irq){
                .gsi = bytes_32(e, 4),
                .is_active_low = (flags & 3) == 3,
                .is_level = (flags >> 2 & 3) == 3,
            };
        break;
    }
}

static void parse_madt(struct bytes t)
{
    uint8_t length;

    for (size_t at = MADT_ENTRIES; at + 2 <= t.size; at += length) {
        length = bytes_8(t, at + 1);
        if (length < 2 || length > t.size - at)
            return;
        parse_madt_entry(bytes_part(t, at, length));
    }
}

/* Nothing where `size` bytes at `address` cannot be. */
static struct bytes map(uint64_t address, size_t size)
{
    const uint8_t *bytes = NULL;
    uint64_t end;

    if (address && size && !add_overflows(address, size, &end))
        bytes = map_firmware(address, size);
    return (struct bytes){bytes, bytes ? size : 0};
}

/* A whole table; nothing when its length cannot be or its sum is wrong. */
static struct bytes map_table(uint64_t address)
{
    uint32_t size = bytes_32(map(address, HEADER_SIZE), 4);
    bool is_possible = size >= HEADER_SIZE && size <= MAX_TABLE_SIZE;
    struct bytes t = map(address, is_possible ? size : 0);
    uint8_t sum = 0;

    for (size_t i = 0; i < t.size; i++)
        sum = (uint8_t)(sum + t.at[i]);
    if (t.size && !sum)
        return t;
    if (address)
        log_warning("ACPI table at %#lx is broken, ignored", address);
    return (struct bytes){NULL, 0};
}

/* The first sound table with this signature; nothing if there is none. */
static struct bytes find_table(struct bytes root, size_t entry_size,
                               const char *signature)
{
    struct bytes head, t = {NULL, 0};
    uint64_t address;

    for (size_t at = HEADER_SIZE; !t.size && at + entry_size <= root.size;
         at += entry_size) {
        address = bytes_number(root, at, entry_size);
        head = map(address, HEADER_SIZE);
        if (head.size && !memcmp(head.at, signature, 4))
            t = map_table(address);
    }
    return t;
}

/*
 * Reads the tables, starting from the loader's copy of the root pointer; the
 * 64-bit root table is taken where there is a sound one. What a table that is
 * missing would say reads as zero.
 */
void acpi_init(struct bytes rsdp)
{
    bool is_wide = rsdp.size >= ACPI_RSDP_SIZE && bytes_8(rsdp, 15) >= 2;
    struct bytes root = map_table(is_wide ? bytes_64(rsdp, 24) : 0), hpet;
    size_t entry_size = root.size ? 8 : 4;

    if (!root.size)
        root = map_table(bytes_32(rsdp, 16));
    if (!root.size)
        log_warning("No ACPI tables found: one processor, no IO-APIC");
    memset(&info, 0, sizeof(info));
    for (unsigned i = 0; i < ACPI_ISA_IRQS; i++)
        info.isa[i].gsi = i;
    parse_madt(find_table(root, entry_size, "APIC"));
    parse_fadt(find_table(root, entry_size, "FACP"));
    hpet = find_table(root, entry_size, "HPET");
    if (bytes_8(hpet, 40) == SPACE_MEMORY)
        info.hpet_address = bytes_64(hpet, 44);
    log_info("ACPI: %u processors, %u IO-APICs, HPET %s", info.cpu_count,
             info.ioapic_count, info.hpet_address ? "present" : "absent");
}

/* What acpi_init found. */
const struct acpi_info *acpi_info(void)
{
    return &info;
}

/* The processor with this APIC id, or NULL. */
const struct acpi_cpu *acpi_find_cpu(uint32_t apic_id)
{
    for (unsigned i = 0; i < info.cpu_count; i++)
        if (info.cpus[i].apic_id == apic_id)
            return &info.cpus[i];
    return NULL;
}
