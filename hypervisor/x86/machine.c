/* SPDX-License-Identifier: MIT */
/*
 * The machine as dom0 sees and steers it: thin wrappers over the drivers, plus
 * the memory map and the firmware's leavings.
 */
#include "x86/machine.h"

#include "core/arch.h"
#include "core/domain.h"
#include "core/log.h"
#include "core/pcpu.h"
#include "core/pte.h"
#include "core/vcpu.h"

#include "x86/acpi.h"
#include "x86/apic.h"
#include "x86/cpu.h"
#include "x86/cpu_features.h"
#include "x86/insn.h"
#include "x86/ioapic.h"
#include "x86/ioport.h"
#include "x86/irq.h"
#include "x86/machine_early.h"
#include "x86/memory_layout.h"
#include "x86/msi.h"
#include "x86/paging.h"
#include "x86/power.h"
#include "x86/vcpu.h"
#include "x86/wallclock.h"

#define M2P_CHUNK_SHIFT 21
#define BIOS_SHIFT_FLAGS_AT 0x417u
#define EFI_SYSTEM_TABLE_SIZE 120u
#define EFI_SYSTEM_TABLE_SIGNATURE 0x5453595320494249ull
#define EFI_REVISION_AT 8u
#define EFI_FIRMWARE_REVISION_AT 32u
#define EFI_TABLE_COUNT_AT 104u
#define EFI_TABLES_AT 112u
#define MAX_COMMAND_LINE 4096u
#define MESSAGES_FIRST 0xfee00u /* frames */
#define MESSAGES_LAST 0xfeeffu
#define BUS_COMMANDS_FIRST 0xfd00000u
#define BUS_COMMANDS_LAST 0xfffffffu

const struct e820_entry *machine_e820;
unsigned machine_e820_count;
const char *machine_command_line = "";

static struct e820_entry e820[MEMORY_MAP_RANGES];
static char command_line_copy[MAX_COMMAND_LINE];
static bool booted_by_efi;
static uint8_t keyboard_flags;
static struct {
    uint64_t tables; /* 0: not known */
    uint32_t table_count;
    uint32_t revision, firmware_revision;
} efi;

static void fill_e820(const struct memory_map *map)
{
    for (unsigned i = 0; i < map->count; i++) {
        const struct memory_map_range *r = &map->ranges[i];
        uint64_t size = r->end - r->start;

        e820[i] = (struct e820_entry){
            .addr_lo = (uint32_t)r->start,
            .addr_hi = (uint32_t)(r->start >> 32),
            .size_lo = (uint32_t)size,
            .size_hi = (uint32_t)(size >> 32),
            .type = r->type,
        };
    }
    machine_e820 = e820;
    machine_e820_count = map->count;
}

/* The map with the pages reserved that no guest may map. */
static void describe_memory(const struct memory_map *found)
{
    static struct memory_map map; /* too large for a stack */
    const struct acpi_info *acpi = acpi_info();
    int error;

    memcpy(&map, found, sizeof(map));
    error = memory_map_add(&map, apic_base(), PAGE_SIZE, MEMORY_RESERVED);
    for (unsigned i = 0; !error && i < acpi->ioapic_count; i++)
        error = memory_map_add(&map, acpi->ioapics[i].address & PAGE_MASK,
                               PAGE_SIZE, MEMORY_RESERVED);
    if (error)
        log_warning("The memory map is too long to reserve Mica's devices");
    fill_e820(&map);
}

/* EFI's table of tables outlives the boot services; its address is physical. */
static void read_efi_table(uint64_t address)
{
    const uint8_t *table;
    uint64_t signature;

    if (!address)
        return;
    table = map_firmware(address, EFI_SYSTEM_TABLE_SIZE);
    memcpy(&signature, table, sizeof(signature));
    if (signature != EFI_SYSTEM_TABLE_SIGNATURE) {
        log_warning("The EFI system table is damaged, ignored");
        return;
    }
    memcpy(&efi.revision, table + EFI_REVISION_AT, 4);
    memcpy(&efi.firmware_revision, table + EFI_FIRMWARE_REVISION_AT, 4);
    memcpy(&efi.table_count, table + EFI_TABLE_COUNT_AT, 4);
    memcpy(&efi.tables, table + EFI_TABLES_AT, 8);
}

static void copy_command_line(const char *line)
{
    size_t length = strnlen(line, MAX_COMMAND_LINE - 1);

    memcpy(command_line_copy, line, length);
    command_line_copy[length] = 0;
    machine_command_line = command_line_copy;
}

/*
 * Takes over, before the loader's memory is reused, what dom0 will ask about.
 * After acpi_init, apic_init and paging_init.
 */
void machine_describe(const struct boot_info *boot, const char *command_line)
{
    copy_command_line(command_line);
    describe_memory(&boot->map);
    booted_by_efi = boot->is_efi;
    if (booted_by_efi)
        read_efi_table(boot->efi_system_table);
    else
        keyboard_flags = *(const uint8_t *)map_firmware(BIOS_SHIFT_FLAGS_AT, 1);
}

/* The frame that one of the 512 entries from `l1` on maps, if in a row. */
static mfn_t frame_of_l1(const uint64_t *l1)
{
    mfn_t first = pte_frame(l1[0]);

    for (unsigned i = 0; i < PT_ENTRIES; i++)
        if (!(l1[i] & PTE_PRESENT) || pte_frame(l1[i]).n != first.n + i)
            return MFN_INVALID;
    return first;
}

mfn_t machine_m2p_frame(uint64_t index)
{
    uint64_t va = M2P_GUEST_BASE + (index << M2P_CHUNK_SHIFT);
    const uint64_t *table = idle_l4;

    if (index >= (M2P_GUEST_END - M2P_GUEST_BASE) >> M2P_CHUNK_SHIFT ||
        index << (M2P_CHUNK_SHIFT - 3) >= ram_end_frame())
        return MFN_INVALID;
    for (unsigned level = 4; level > 1; level--) {
        uint64_t entry = table[pt_index(va, level)];

        if (!(entry & PTE_PRESENT))
            return MFN_INVALID;
        if (entry & PTE_LARGE && level < 4)
            return mfn_add(pte_frame(entry),
                           level == 3 ? pt_index(va, 2) * PT_ENTRIES : 0);
        table = phys_to_virt(entry & PTE_FRAME_MASK);
    }
    return frame_of_l1(table);
}

void machine_set_time(uint64_t secs, uint32_t nsecs, nsec_t system_time)
{
    struct domain *d = NULL;

    wallclock_set(secs, nsecs, system_time);
    for (domid_t id = 0; (d = domain_next_get(id)); domain_put(d)) {
        wallclock_publish(d->shared_info);
        id = (domid_t)(d->id + 1);
    }
}

int machine_acpi_sleep(unsigned state, uint16_t pm1a_control,
                       uint16_t pm1b_control)
{
    return power_enter_sleep(pm1a_control, pm1b_control, state);
}

void machine_cpu_info(unsigned cpu, struct machine_cpu *out)
{
    struct cpuid_leaf vendor = cpuid(0, 0);
    const struct cpu_features *f = cpu_features();
    const struct acpi_info *acpi = acpi_info();

    *out = (struct machine_cpu){
        .apic_id = apic_id_of_cpu(cpu),
        .acpi_id = ~0u,
        .family = f->family,
        .model = f->model,
        .stepping = f->stepping,
    };
    memcpy(out->vendor, &vendor.ebx, 4);
    memcpy(out->vendor + 4, &vendor.edx, 4);
    memcpy(out->vendor + 8, &vendor.ecx, 4);
    for (unsigned i = 0; i < acpi->cpu_count; i++)
        if (acpi->cpus[i].apic_id == out->apic_id)
            out->acpi_id = acpi->cpus[i].acpi_id;
}

static int efi_info(struct xenpf_firmware_info_args *info)
{
    if (!efi.tables)
        return -ENOSYS;
    switch (info->index) {
    case XEN_FW_EFI_VERSION:
        info->u.efi_version = efi.revision;
        return 0;
    case XEN_FW_EFI_CONFIG_TABLE:
        info->u.efi_cfg.addr = efi.tables;
        info->u.efi_cfg.nent = efi.table_count;
        return 0;
    default:
        return -ESRCH;
    }
}

int machine_firmware_info(struct xenpf_firmware_info_args *info)
{
    switch (info->type) {
    case XEN_FW_EFI_INFO:
        return efi_info(info);
    case XEN_FW_KBD_SHIFT_FLAGS:
        if (booted_by_efi || info->index)
            return -ESRCH;
        info->u.kbd_shift_flags = keyboard_flags;
        return 0;
    case XEN_FW_DISK_INFO:
    case XEN_FW_DISK_MBR_SIGNATURE:
    case XEN_FW_VBEDDC_INFO:
        return -ESRCH;
    default:
        return -ENOSYS;
    }
}

int machine_ioapic_read(uint64_t physbase, uint32_t reg, uint32_t *value)
{
    return ioapic_guest_read(physbase, reg, value);
}

unsigned machine_gsi_count(void)
{
    return irq_gsi_count();
}

bool machine_pirq_needs_eoi(unsigned pirq)
{
    return irq_pirq_needs_eoi(pirq);
}

int machine_msi_map(const struct machine_msi *msi, unsigned *pirq)
{
    struct pci_address a = {msi->segment, msi->bus, msi->devfn};

    if (msi->is_msix)
        return msi_map_x(a, msi->entry, msi->table_base, pirq);
    return msi_map(a, msi->count, pirq);
}

void machine_msi_unmap(unsigned pirq)
{
    if (msi_unmap(pirq))
        log_warning("pirq %u is to be unmapped, but is no message", pirq);
}

int machine_pci_device(uint16_t segment, uint8_t bus, uint8_t devfn,
                       bool is_present)
{
    struct pci_address a = {segment, bus, devfn};

    if (!is_present) {
        msi_device_remove(a);
        return 0;
    }
    if (!pci_exists(a))
        return -ENODEV;
    msi_device_add(a);
    return 0;
}

int machine_msi_restore(uint16_t segment, uint8_t bus, uint8_t devfn)
{
    struct pci_address a = {segment, bus, devfn};

    if (!pci_exists(a))
        return -ENODEV;
    msi_restore(a);
    return 0;
}

int machine_pci_window(uint64_t address, uint16_t segment, uint8_t first_bus,
                       uint8_t last_bus)
{
    const struct acpi_info *acpi = acpi_info();

    for (unsigned i = 0; i < acpi->mcfg_count; i++) {
        const struct acpi_mcfg *m = &acpi->mcfgs[i];

        if (m->base == address && m->segment == segment &&
            first_bus >= m->first_bus && last_bus <= m->last_bus)
            return 0;
    }
    return -ENODEV;
}

void machine_set_iopl(struct vcpu *v, unsigned iopl)
{
    v->arch->iopl = (uint8_t)(iopl & 3);
    this_cpu()->tss->io_bitmap_offset = ioport_bitmap_offset(v);
}

/*
 * Applications get ports all or none, by IOPL: there is one bitmap per domain,
 * and the domain's kernel needs it.
 */
int machine_set_iobitmap(struct vcpu *v, const uint64_t *bitmap, unsigned count)
{
    (void)v;
    (void)bitmap;
    return count ? -EOPNOTSUPP : 0;
}

/*
 * Whether no guest may map the frame: interrupt controllers and the addresses
 * that are messages to them, AMD's range of bus commands, and numbers beyond
 * what the processor can address, which would fault in strange ways.
 */
bool arch_io_frame_is_forbidden(mfn_t mfn)
{
    const struct cpu_features *f = cpu_features();

    if (mfn.n >> (f->physical_bits - PAGE_SHIFT))
        return true;
    if (mfn.n >= MESSAGES_FIRST && mfn.n <= MESSAGES_LAST)
        return true;
    if (f->is_amd && mfn.n >= BUS_COMMANDS_FIRST && mfn.n <= BUS_COMMANDS_LAST)
        return true;
    return mfn.n == apic_base() >> PAGE_SHIFT;
}

/* Whether a guest may only read: IO-APICs and tables of MSI-X messages. */
bool arch_io_frame_is_read_only(mfn_t mfn)
{
    return ioapic_owns_frame(mfn) || msi_frame_is_table(mfn);
}
