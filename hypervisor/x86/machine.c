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
#include "x86/machine_early.h"
#include "x86/memory_layout.h"
#include "x86/paging.h"
#include "x86/vcpu.h"
#include "x86/wallclock.h"

#define BIOS_SHIFT_FLAGS_AT 0x417u
#define EFI_SYSTEM_TABLE_SIZE 120u
#define EFI_SYSTEM_TABLE_SIGNATURE 0x5453595320494249ull
#define EFI_REVISION_AT 8u
#define EFI_TABLE_COUNT_AT 104u
#define EFI_TABLES_AT 112u
#define MAX_COMMAND_LINE 4096u
#define MESSAGES_FIRST 0xfee00u /* frames */
#define MESSAGES_LAST 0xfeeffu
#define BUS_COMMANDS_FIRST 0xfd00000u
#define BUS_COMMANDS_LAST 0xfffffffu

unsigned machine_e820_count;

static struct e820_entry e820[MEMORY_MAP_RANGES];
const struct e820_entry *machine_e820 = e820;
static char command_line_copy[MAX_COMMAND_LINE];
const char *machine_command_line = command_line_copy;
static bool booted_by_efi;
static uint8_t keyboard_flags;
static uint64_t efi_tables; /* 0: not known */
static uint32_t efi_table_count, efi_revision;

/* The map with the pages reserved that no guest may map. */
static void describe_memory(const struct memory_map *found)
{
    static struct memory_map map; /* too large for a stack */
    const struct acpi_info *acpi = acpi_info();
    int error;

    map = *found;
    error = memory_map_add(&map, apic_base(), PAGE_SIZE, MEMORY_RESERVED);
    for (unsigned i = 0; !error && i < acpi->ioapic_count; i++)
        error = memory_map_add(&map, acpi->ioapics[i].address & PAGE_MASK,
                               PAGE_SIZE, MEMORY_RESERVED);
    if (error)
        log_warning("The memory map is too long to reserve Mica's devices");
    for (unsigned i = 0; i < map.count; i++) {
        const struct memory_map_range *r = &map.ranges[i];
        uint64_t size = r->end - r->start;

        e820[i] = (struct e820_entry){
            .addr_lo = (uint32_t)r->start,
            .addr_hi = (uint32_t)(r->start >> 32),
            .size_lo = (uint32_t)size,
            .size_hi = (uint32_t)(size >> 32),
            .type = r->type,
        };
    }
    machine_e820_count = map.count;
}

/* EFI's table of tables outlives the boot services; its address is physical. */
static void read_efi_table(uint64_t address)
{
    struct bytes t = {NULL, EFI_SYSTEM_TABLE_SIZE};

    if (!address)
        return;
    t.at = map_firmware(address, t.size);
    if (bytes_64(t, 0) != EFI_SYSTEM_TABLE_SIGNATURE) {
        log_warning("The EFI system table is damaged, ignored");
        return;
    }
    efi_revision = bytes_32(t, EFI_REVISION_AT);
    efi_table_count = bytes_32(t, EFI_TABLE_COUNT_AT);
    efi_tables = bytes_64(t, EFI_TABLES_AT);
}

/*
 * Takes over, before the loader's memory is reused, what dom0 will ask about.
 * After acpi_init, apic_init and paging_init.
 */
void machine_describe(const struct boot_info *boot)
{
    memcpy(command_line_copy, boot->command_line,
           strnlen(boot->command_line, MAX_COMMAND_LINE - 1));
    describe_memory(&boot->map);
    booted_by_efi = boot->is_efi;
    if (booted_by_efi)
        read_efi_table(boot->efi_system_table);
    else
        keyboard_flags = *(const uint8_t *)map_firmware(BIOS_SHIFT_FLAGS_AT, 1);
}

void machine_set_time(uint64_t secs, uint32_t nsecs, nsec_t system_time)
{
    struct domain *d = NULL;

    wallclock_set(secs, nsecs, system_time);
    for (domid_t id = 0; (d = domain_next_get(id)); domain_put(d)) {
        arch_domain_publish_clock(d);
        id = (domid_t)(d->id + 1);
    }
}

void machine_cpu_info(unsigned cpu, struct machine_cpu *out)
{
    struct cpuid_leaf vendor = cpuid(0, 0);
    const struct cpu_features *f = cpu_features();
    uint32_t apic_id = apic_id_of_cpu(cpu);
    const struct acpi_cpu *found = acpi_find_cpu(apic_id);

    *out = (struct machine_cpu){
        .apic_id = apic_id,
        .acpi_id = found ? found->acpi_id : ~0u,
        .family = f->family,
        .model = f->model,
        .stepping = f->stepping,
    };
    memcpy(out->vendor, &vendor.ebx, 4);
    memcpy(out->vendor + 4, &vendor.edx, 4);
    memcpy(out->vendor + 8, &vendor.ecx, 4);
}

static int efi_info(struct xenpf_firmware_info_args *info)
{
    if (!efi_tables)
        return -ENOSYS;
    switch (info->index) {
    case XEN_FW_EFI_VERSION:
        info->u.efi_version = efi_revision;
        return 0;
    case XEN_FW_EFI_CONFIG_TABLE:
        info->u.efi_cfg.addr = efi_tables;
        info->u.efi_cfg.nent = efi_table_count;
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

    if (mfn.n >> (f->physical_bits - PAGE_SHIFT))
        return true;
    if (mfn.n >= MESSAGES_FIRST && mfn.n <= MESSAGES_LAST)
        return true;
    if (f->is_amd && mfn.n >= BUS_COMMANDS_FIRST && mfn.n <= BUS_COMMANDS_LAST)
        return true;
    return mfn.n == apic_base() >> PAGE_SHIFT;
}

/* Whether a guest may only read: IO-APICs. */
bool arch_io_frame_is_read_only(mfn_t mfn)
{
    return ioapic_owns_frame(mfn);
}
