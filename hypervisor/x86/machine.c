/* SPDX-License-Identifier: MIT */
/*
 * The machine as dom0 sees and steers it: thin wrappers over the drivers, plus
 * the memory map and the firmware's leavings.
 */
#include "core/machine.h"

#include "core/arch.h"
#include "core/log.h"

#include "x86/acpi.h"
#include "x86/apic.h"
#include "x86/cpu_features.h"
#include "x86/ioport.h"
#include "x86/machine_early.h"
#include "x86/start.h"
#include "x86/vcpu.h"

#define EFI_SYSTEM_TABLE_SIZE 120u
#define EFI_REVISION_AT 8u
#define EFI_TABLE_COUNT_AT 104u
#define EFI_TABLES_AT 112u
#define MESSAGES_FIRST 0xfee00u /* frames */
#define MESSAGES 0x100u
#define BUS_COMMANDS_FIRST 0xfd00000u
#define BUS_COMMANDS 0x300000u

/* link.lds.S: an ELF note, of which the head and "GNU" take 16 bytes */
#define BUILD_ID_AT 16
extern const char build_id_start[], build_id_end[];

unsigned machine_e820_count;

static struct e820_entry e820[MEMORY_MAP_RANGES];
const struct e820_entry *machine_e820 = e820;
const char *machine_command_line;
/* EFI's system table, which outlives the boot services; empty: a BIOS. */
static struct bytes efi;

/* Reserves what no guest may map, lest dom0 puts devices there. */
static void describe_memory(struct memory_map *map)
{
    const struct acpi_info *acpi = acpi_info();
    int error = memory_map_add(map, APIC_ADDRESS, PAGE_SIZE, MEMORY_RESERVED);

    for (unsigned i = 0; !error && i < acpi->ioapic_count; i++)
        error = memory_map_add(map, acpi->ioapics[i].address & PAGE_MASK,
                               PAGE_SIZE, MEMORY_RESERVED);
    if (error)
        log_warning("The memory map is too long to reserve Mica's devices");
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
    machine_e820_count = map->count;
}

/*
 * Takes over what dom0 will ask about. After acpi_init, apic_init and
 * paging_init.
 */
void machine_describe(struct boot_info *boot)
{
    machine_command_line = boot->command_line;
    describe_memory(&boot->map);
    if (boot->efi_system_table)
        efi = (struct bytes){
            map_firmware(boot->efi_system_table, EFI_SYSTEM_TABLE_SIZE),
            EFI_SYSTEM_TABLE_SIZE};
}

const void *machine_build_id(size_t *size)
{
    *size = (size_t)(build_id_end - build_id_start) - BUILD_ID_AT;
    return build_id_start + BUILD_ID_AT;
}

void machine_cpu_ids(unsigned cpu, uint32_t *apic_id, uint32_t *acpi_id)
{
    const struct acpi_cpu *found = acpi_find_cpu(apic_id_of_cpu(cpu));

    *apic_id = apic_id_of_cpu(cpu);
    *acpi_id = found ? found->acpi_id : ~0u;
}

int machine_firmware_info(struct xenpf_firmware_info_args *info)
{
    if (info->type != XEN_FW_EFI_INFO || !efi.size)
        return -ENOSYS;
    switch (info->index) {
    case XEN_FW_EFI_VERSION:
        info->u.efi_version = bytes_32(efi, EFI_REVISION_AT);
        return 0;
    case XEN_FW_EFI_CONFIG_TABLE:
        info->u.efi_cfg.addr = bytes_64(efi, EFI_TABLES_AT);
        info->u.efi_cfg.nent = bytes_32(efi, EFI_TABLE_COUNT_AT);
        return 0;
    default:
        return -ESRCH;
    }
}

void machine_set_iopl(struct vcpu *v, unsigned iopl)
{
    v->arch->iopl = (uint8_t)(iopl & 3);
    ioport_mode_changed(v);
}

void machine_set_iobitmap(struct vcpu *v, guest_va bitmap, unsigned count)
{
    v->arch->io_bitmap = bitmap;
    v->arch->io_ports = count;
}

/*
 * Whether no guest may map the frame: interrupt controllers and the addresses
 * that are messages to them, AMD's range of bus commands, and numbers beyond
 * what the processor can address, which would fault in strange ways.
 */
bool arch_io_frame_is_forbidden(mfn_t mfn)
{
    const struct cpu_features *f = cpu_features();

    return mfn.n >> (f->physical_bits - PAGE_SHIFT) ||
           mfn.n - MESSAGES_FIRST < MESSAGES ||
           (f->is_amd && mfn.n - BUS_COMMANDS_FIRST < BUS_COMMANDS);
}

/* Whether a guest may only read: IO-APICs. */
bool arch_io_frame_is_read_only(mfn_t mfn)
{
    const struct acpi_info *acpi = acpi_info();

    for (unsigned i = 0; i < acpi->ioapic_count; i++)
        if (acpi->ioapics[i].address >> PAGE_SHIFT == mfn.n)
            return true;
    return false;
}
