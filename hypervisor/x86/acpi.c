/* SPDX-License-Identifier: MIT */
/*
 * The parser of ACPI tables. Every table is read with its length checked
 * first: firmware aligns nothing and lies sometimes.
 */
#include "x86/acpi.h"

#include "core/log.h"

#include "x86/bytes.h"
#include "x86/machine_early.h"

#define HEADER_SIZE 36u
#define MAX_TABLE_SIZE (1u << 20)
#define MAX_ROOT_ENTRIES 256u

#define EBDA_SEGMENT_AT 0x40eu
#define EBDA_FIRST 0x80000u
#define EBDA_END 0xa0000u
#define EBDA_SCAN 1024u
#define BIOS_FIRST 0xe0000u
#define BIOS_END 0x100000u
#define RSDP1_SIZE 20u

#define MADT_ENTRIES 44u
#define MADT_CPU_ENABLED 1u
#define MADT_CPU_ONLINE_CAPABLE 2u
#define FADT_HAS_RESET (1u << 10)

static struct acpi_info info;

static bool sums_to_zero(struct bytes b)
{
    uint8_t sum = 0;

    for (size_t i = 0; i < b.size; i++)
        sum = (uint8_t)(sum + b.at[i]);
    return !sum;
}

/* A generic address structure. */
static struct acpi_register wide_register(struct bytes t, uint32_t offset)
{
    return (struct acpi_register){
        .space = bytes_8(t, offset),
        .address = bytes_64(t, offset + 4),
    };
}

/* The wide form of a register if the table has it, else the old port form. */
static struct acpi_register either_register(struct bytes t, uint32_t wide,
                                            uint32_t narrow)
{
    struct acpi_register r = wide_register(t, wide);

    if (r.address)
        return r;
    return (struct acpi_register){ACPI_SPACE_PORT, bytes_32(t, narrow)};
}

static void parse_fadt(struct bytes t)
{
    info.pm1a_control = either_register(t, 172, 64);
    info.pm1b_control = either_register(t, 184, 68);
    info.pm_timer = either_register(t, 208, 76);
    info.reset = wide_register(t, 116);
    info.reset_value = bytes_8(t, 128);
    info.has_reset = bytes_32(t, 112) & FADT_HAS_RESET && info.reset.address;
}

static void parse_hpet(struct bytes t)
{
    struct acpi_register r = wide_register(t, 40);

    if (r.space == ACPI_SPACE_MEMORY)
        info.hpet_address = r.address;
}

static void add_cpu(uint32_t apic_id, uint32_t acpi_id, uint32_t flags)
{
    if (!(flags & (MADT_CPU_ENABLED | MADT_CPU_ONLINE_CAPABLE)))
        return;
    if (apic_id == UINT32_MAX || acpi_find_cpu(apic_id))
        return;
    if (info.cpu_count == ACPI_MAX_CPUS) {
        info.cpus_left_out++;
        return;
    }
    info.cpus[info.cpu_count++] = (struct acpi_cpu){
        .apic_id = apic_id,
        .acpi_id = acpi_id,
        .is_enabled = flags & MADT_CPU_ENABLED,
    };
}

static void add_ioapic(uint8_t id, uint32_t address, uint32_t gsi_base)
{
    if (info.ioapic_count < ACPI_MAX_IOAPICS && address)
        info.ioapics[info.ioapic_count++] =
            (struct acpi_ioapic){id, address, gsi_base};
}

/* Flags: polarity in bits 1:0, trigger in 3:2; 0 is the ISA bus's, edge high */
static void add_override(uint8_t source, uint32_t gsi, uint16_t flags)
{
    if (source < ACPI_ISA_IRQS)
        info.isa[source] = (struct acpi_isa_irq){
            .gsi = gsi,
            .is_active_low = (flags & 3) == 3,
            .is_level = (flags >> 2 & 3) == 3,
        };
}

enum {
    MADT_LOCAL_APIC = 0,
    MADT_IOAPIC = 1,
    MADT_OVERRIDE = 2,
    MADT_LOCAL_X2APIC = 9,
};

static void parse_madt_entry(struct bytes e)
{
    static const uint8_t sizes[] = {[MADT_LOCAL_APIC] = 8,
                                    [MADT_IOAPIC] = 12,
                                    [MADT_OVERRIDE] = 10,
                                    [MADT_LOCAL_X2APIC] = 16};
    uint8_t type = bytes_8(e, 0);

    if (type >= ARRAY_LEN(sizes) || e.size < sizes[type])
        return;
    if (type == MADT_LOCAL_APIC && bytes_8(e, 3) != 0xff)
        add_cpu(bytes_8(e, 3), bytes_8(e, 2), bytes_32(e, 4));
    else if (type == MADT_LOCAL_X2APIC)
        add_cpu(bytes_32(e, 4), bytes_32(e, 12), bytes_32(e, 8));
    else if (type == MADT_IOAPIC)
        add_ioapic(bytes_8(e, 2), bytes_32(e, 4), bytes_32(e, 8));
    else if (type == MADT_OVERRIDE && bytes_8(e, 2) == 0)
        add_override(bytes_8(e, 3), bytes_32(e, 4), bytes_16(e, 8));
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

static const struct parser {
    char signature[5];
    void (*parse)(struct bytes t);
} parsers[] = {
    {"APIC", parse_madt},
    {"FACP", parse_fadt},
    {"HPET", parse_hpet},
};

/* Nothing where `size` bytes at `address` cannot be. */
static struct bytes map(uint64_t address, size_t size)
{
    const uint8_t *bytes = NULL;
    uint64_t end;

    if (address && !add_overflows(address, size, &end))
        bytes = map_firmware(address, size);
    return (struct bytes){bytes, bytes ? size : 0};
}

static bool has_signature(struct bytes b, const char *signature)
{
    return b.size >= 4 && !memcmp(b.at, signature, 4);
}

/* A whole table; nothing when its length cannot be or its sum is wrong. */
static struct bytes map_table(uint64_t address)
{
    uint32_t size = bytes_32(map(address, HEADER_SIZE), 4);
    struct bytes nothing = {NULL, 0}, t = nothing;

    if (size >= HEADER_SIZE && size <= MAX_TABLE_SIZE)
        t = map(address, size);
    return sums_to_zero(t) ? t : nothing;
}

static bool parse_table(uint64_t address, const struct parser *p)
{
    struct bytes t = map_table(address);

    if (t.size)
        p->parse(t);
    else
        log_warning("ACPI table %s at %#llx is broken, ignored", p->signature,
                    (unsigned long long)address);
    return t.size;
}

/* A table that occurs twice is parsed once, as the first one. */
static bool parse_root(uint64_t address, const char *signature,
                       unsigned entry_size)
{
    struct bytes root = map_table(address);
    bool seen[ARRAY_LEN(parsers)] = {false};

    if (!has_signature(root, signature))
        return false;
    root = bytes_part(root, HEADER_SIZE, MAX_ROOT_ENTRIES * entry_size);
    for (size_t at = 0; at + entry_size <= root.size; at += entry_size) {
        uint64_t table = bytes_number(root, at, entry_size);
        struct bytes header = map(table, HEADER_SIZE);

        for (size_t i = 0; i < ARRAY_LEN(parsers); i++)
            if (!seen[i] && has_signature(header, parsers[i].signature))
                seen[i] = parse_table(table, &parsers[i]);
    }
    return true;
}

static bool rsdp_is_valid(struct bytes rsdp)
{
    return rsdp.size >= RSDP1_SIZE && !memcmp(rsdp.at, "RSD PTR ", 8) &&
           sums_to_zero(bytes_part(rsdp, 0, RSDP1_SIZE));
}

/* The XSDT is preferred where there is a sound one. */
static bool parse_from_rsdp(struct bytes rsdp)
{
    rsdp = bytes_part(rsdp, 0, ACPI_RSDP_SIZE);
    if (!rsdp_is_valid(rsdp))
        return false;
    if (rsdp.size == ACPI_RSDP_SIZE && bytes_8(rsdp, 15) >= 2 &&
        sums_to_zero(rsdp) && parse_root(bytes_64(rsdp, 24), "XSDT", 8))
        return true;
    return parse_root(bytes_32(rsdp, 16), "RSDT", 4);
}

/* Looks for the root pointer in [first, end), on 16-byte boundaries. */
static bool scan(uint32_t first, uint32_t end)
{
    struct bytes range = map(first, end - first);

    for (size_t at = 0; at < range.size; at += 16)
        if (parse_from_rsdp(bytes_part(range, at, ACPI_RSDP_SIZE)))
            return true;
    return false;
}

static bool scan_bios(void)
{
    uint32_t ebda = (uint32_t)bytes_16(map(EBDA_SEGMENT_AT, 2), 0) << 4;

    if (ebda >= EBDA_FIRST && ebda <= EBDA_END - EBDA_SCAN &&
        scan(ebda, ebda + EBDA_SCAN))
        return true;
    return scan(BIOS_FIRST, BIOS_END);
}

/*
 * Reads the tables, starting from the loader's copy of the root pointer
 * (empty when it gave none), else from where BIOSes put it.
 */
void acpi_init(struct bytes rsdp)
{
    memset(&info, 0, sizeof(info));
    for (unsigned i = 0; i < ACPI_ISA_IRQS; i++)
        info.isa[i].gsi = i;
    info.is_found = parse_from_rsdp(rsdp) || scan_bios();
    if (!info.is_found) {
        log_warning("No ACPI tables found: one processor, no IO-APIC");
        return;
    }
    if (info.cpus_left_out)
        log_warning("%u processors are beyond the %u Mica is built for",
                    info.cpus_left_out, ACPI_MAX_CPUS);
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
