/* SPDX-License-Identifier: MIT */
/*
 * The parser of ACPI tables. Every table is copied from by offset with its
 * length checked first: firmware aligns nothing and lies sometimes.
 */
#include "x86/acpi.h"

#include "core/log.h"

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
#define MADT_PCAT_COMPAT 1u
#define MADT_CPU_ENABLED 1u
#define MADT_CPU_ONLINE_CAPABLE 2u
#define FADT_TIMER_IS_32BIT (1u << 8)
#define FADT_HAS_RESET (1u << 10)

/* A table as mapped: `size` bytes are there and their sum is right. */
struct table {
    const uint8_t *bytes;
    uint32_t size;
};

static struct acpi_info info;

static uint16_t get16(const uint8_t *p)
{
    return (uint16_t)(p[0] | p[1] << 8);
}

static uint32_t get32(const uint8_t *p)
{
    return get16(p) | (uint32_t)get16(p + 2) << 16;
}

static uint64_t get64(const uint8_t *p)
{
    return get32(p) | (uint64_t)get32(p + 4) << 32;
}

/* Fields that lie beyond a table's end, in older revisions, read as zero. */
static uint32_t field(const struct table *t, uint32_t offset, unsigned bytes)
{
    uint32_t value = 0;

    for (unsigned i = 0; i < bytes; i++)
        if (offset + i < t->size)
            value |= (uint32_t)t->bytes[offset + i] << (8 * i);
    return value;
}

static uint64_t field64(const struct table *t, uint32_t offset)
{
    return field(t, offset, 4) | (uint64_t)field(t, offset + 4, 4) << 32;
}

static bool sums_to_zero(const uint8_t *bytes, size_t size)
{
    uint8_t sum = 0;

    for (size_t i = 0; i < size; i++)
        sum = (uint8_t)(sum + bytes[i]);
    return !sum;
}

/* A generic address structure. */
static struct acpi_register field_register(const struct table *t,
                                           uint32_t offset)
{
    return (struct acpi_register){
        .space = (uint8_t)field(t, offset, 1),
        .bits = (uint8_t)field(t, offset + 1, 1),
        .address = field64(t, offset + 4),
    };
}

/* The wide form of a register if the table has it, else the old port form. */
static struct acpi_register either_register(const struct table *t,
                                            uint32_t wide, uint32_t narrow,
                                            uint8_t bits)
{
    struct acpi_register r = field_register(t, wide);

    if (r.address)
        return r;
    return (struct acpi_register){
        .space = ACPI_SPACE_PORT,
        .bits = bits,
        .address = field(t, narrow, 4),
    };
}

static void parse_fadt(const struct table *t)
{
    info.sci = (uint16_t)field(t, 46, 2);
    info.fadt_flags = field(t, 112, 4);
    info.pm1a_control = either_register(t, 172, 64, 16);
    info.pm1b_control = either_register(t, 184, 68, 16);
    info.pm_timer = either_register(t, 208, 76, 32);
    info.pm_timer_is_32bit = info.fadt_flags & FADT_TIMER_IS_32BIT;
    info.reset = field_register(t, 116);
    info.reset_value = (uint8_t)field(t, 128, 1);
    info.has_reset = info.fadt_flags & FADT_HAS_RESET && info.reset.address;
}

static void parse_hpet(const struct table *t)
{
    struct acpi_register r = field_register(t, 40);

    if (!info.hpet_address && r.space == ACPI_SPACE_MEMORY)
        info.hpet_address = r.address;
}

static void parse_mcfg(const struct table *t)
{
    for (uint32_t at = HEADER_SIZE + 8; at + 16 <= t->size; at += 16) {
        const uint8_t *e = t->bytes + at;

        if (info.mcfg_count == ACPI_MAX_MCFGS)
            return;
        info.mcfgs[info.mcfg_count++] = (struct acpi_mcfg){
            .base = get64(e),
            .segment = get16(e + 8),
            .first_bus = e[10],
            .last_bus = e[11],
        };
    }
}

static bool cpu_is_known(uint32_t apic_id)
{
    for (unsigned i = 0; i < info.cpu_count; i++)
        if (info.cpus[i].apic_id == apic_id)
            return true;
    return false;
}

static void add_cpu(uint32_t apic_id, uint32_t acpi_id, uint32_t flags)
{
    if (!(flags & (MADT_CPU_ENABLED | MADT_CPU_ONLINE_CAPABLE)))
        return;
    if (apic_id == UINT32_MAX || cpu_is_known(apic_id))
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
    if (info.ioapic_count == ACPI_MAX_IOAPICS || !address)
        return;
    info.ioapics[info.ioapic_count++] = (struct acpi_ioapic){
        .id = id,
        .address = address,
        .gsi_base = gsi_base,
    };
}

/* Flags: polarity in bits 1:0, trigger in 3:2; 0 is the ISA bus's, edge high */
static void add_override(uint8_t source, uint32_t gsi, uint16_t flags)
{
    if (source >= ACPI_ISA_IRQS)
        return;
    info.isa[source] = (struct acpi_isa_irq){
        .gsi = gsi,
        .is_active_low = (flags & 3) == 3,
        .is_level = (flags >> 2 & 3) == 3,
    };
}

/* One MADT entry; `e` holds at least `length` bytes. */
static void parse_madt_entry(const uint8_t *e, unsigned length)
{
    switch (e[0]) {
    case 0: /* local APIC */
        if (length >= 8 && e[3] != 0xff)
            add_cpu(e[3], e[2], get32(e + 4));
        break;
    case 1: /* IO-APIC */
        if (length >= 12)
            add_ioapic(e[2], get32(e + 4), get32(e + 8));
        break;
    case 2: /* interrupt source override */
        if (length >= 10 && e[2] == 0)
            add_override(e[3], get32(e + 4), get16(e + 8));
        break;
    case 5: /* local APIC address override */
        if (length >= 12)
            info.lapic_address = get64(e + 4);
        break;
    case 9: /* local x2APIC */
        if (length >= 16)
            add_cpu(get32(e + 4), get32(e + 12), get32(e + 8));
        break;
    }
}

static void parse_madt(const struct table *t)
{
    info.lapic_address = field(t, 36, 4);
    info.has_pic = field(t, 40, 4) & MADT_PCAT_COMPAT;
    for (uint32_t at = MADT_ENTRIES; at + 2 <= t->size;) {
        unsigned length = t->bytes[at + 1];

        if (length < 2 || length > t->size - at)
            return;
        parse_madt_entry(t->bytes + at, length);
        at += length;
    }
}

static const struct parser {
    char signature[5];
    void (*parse)(const struct table *t);
} parsers[] = {
    {"APIC", parse_madt},
    {"FACP", parse_fadt},
    {"HPET", parse_hpet},
    {"MCFG", parse_mcfg},
};

/*
 * Maps a whole table. False when its address or length cannot be or its
 * checksum is wrong; the first byte's mapping is cheap, so look there first.
 */
static bool map_table(uint64_t address, struct table *t)
{
    const uint8_t *header;
    uint64_t end;

    if (!address || add_overflows(address, MAX_TABLE_SIZE, &end))
        return false;
    header = map_firmware(address, HEADER_SIZE);
    if (!header)
        return false;
    t->size = get32(header + 4);
    if (t->size < HEADER_SIZE || t->size > MAX_TABLE_SIZE)
        return false;
    t->bytes = map_firmware(address, t->size);
    return t->bytes && sums_to_zero(t->bytes, t->size);
}

static const struct parser *find_parser(uint64_t address)
{
    const uint8_t *header;
    uint64_t end;

    if (!address || add_overflows(address, HEADER_SIZE, &end))
        return NULL;
    header = map_firmware(address, HEADER_SIZE);
    for (size_t i = 0; header && i < ARRAY_LEN(parsers); i++)
        if (!memcmp(header, parsers[i].signature, 4))
            return &parsers[i];
    return NULL;
}

/* A table that occurs twice is parsed once, as the first one. */
static void parse_root(const struct table *root, unsigned entry_size)
{
    uint32_t count = (root->size - HEADER_SIZE) / entry_size;
    bool seen[ARRAY_LEN(parsers)] = {false};

    if (count > MAX_ROOT_ENTRIES)
        count = MAX_ROOT_ENTRIES;
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t *e = root->bytes + HEADER_SIZE + i * entry_size;
        uint64_t address = entry_size == 8 ? get64(e) : get32(e);
        const struct parser *p = find_parser(address);
        struct table t;

        if (!p || seen[p - parsers])
            continue;
        if (!map_table(address, &t)) {
            log_warning("ACPI table %s at %#llx is broken, ignored",
                        p->signature, (unsigned long long)address);
            continue;
        }
        seen[p - parsers] = true;
        p->parse(&t);
    }
}

static bool parse_root_at(uint64_t address, const char *signature,
                          unsigned entry_size)
{
    struct table root;

    if (!map_table(address, &root) || memcmp(root.bytes, signature, 4))
        return false;
    parse_root(&root, entry_size);
    return true;
}

static bool rsdp_is_valid(const uint8_t *rsdp, size_t size)
{
    return size >= RSDP1_SIZE && !memcmp(rsdp, "RSD PTR ", 8) &&
           sums_to_zero(rsdp, RSDP1_SIZE);
}

/* The XSDT is preferred where there is a sound one. */
static bool parse_from_rsdp(const uint8_t *rsdp, size_t size)
{
    if (!rsdp_is_valid(rsdp, size))
        return false;
    if (size >= ACPI_RSDP_SIZE && rsdp[15] >= 2 &&
        sums_to_zero(rsdp, ACPI_RSDP_SIZE) &&
        parse_root_at(get64(rsdp + 24), "XSDT", 8))
        return true;
    return parse_root_at(get32(rsdp + 16), "RSDT", 4);
}

/* Looks for the root pointer in [first, end), on 16-byte boundaries. */
static bool scan(uint32_t first, uint32_t end)
{
    const uint8_t *bytes = map_firmware(first, end - first);

    for (uint32_t at = 0; bytes && at + RSDP1_SIZE <= end - first; at += 16) {
        if (!rsdp_is_valid(bytes + at, RSDP1_SIZE))
            continue;
        info.rsdp = first + at;
        if (parse_from_rsdp(bytes + at, end - first - at))
            return true;
    }
    return false;
}

static bool scan_bios(void)
{
    const uint8_t *pointer = map_firmware(EBDA_SEGMENT_AT, 2);
    uint32_t ebda = pointer ? (uint32_t)get16(pointer) << 4 : 0;

    if (ebda >= EBDA_FIRST && ebda <= EBDA_END - EBDA_SCAN &&
        scan(ebda, ebda + EBDA_SCAN))
        return true;
    return scan(BIOS_FIRST, BIOS_END);
}

static void set_defaults(void)
{
    memset(&info, 0, sizeof(info));
    info.has_pic = true;
    for (unsigned i = 0; i < ACPI_ISA_IRQS; i++)
        info.isa[i].gsi = i;
}

/*
 * Reads the tables, starting from the loader's copy of the root pointer
 * (`rsdp_size` bytes; NULL when it gave none), else from where BIOSes put it.
 */
void acpi_init(const void *rsdp, size_t rsdp_size)
{
    set_defaults();
    info.is_found = rsdp && parse_from_rsdp(rsdp, rsdp_size);
    if (!info.is_found)
        info.is_found = scan_bios();
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
