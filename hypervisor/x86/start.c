/* SPDX-License-Identifier: MIT */
/*
 * The start of Mica, on the boot processor: from the loader's information to
 * a running dom0. The order matters; each step says what it needs.
 */
#include "x86/start.h"

#include "core/arch.h"
#include "core/domain.h"
#include "core/heap.h"
#include "core/log.h"
#include "x86/acpi.h"
#include "x86/cpu.h"
#include "x86/ioport.h"
#include "x86/machine_early.h"
#include "x86/paging.h"
#include "x86/sides.h"
#include "x86/traps.h"

#define MICA_VERSION "0.1"

extern char boot_cpu_stack[];

_Noreturn void start(uint32_t information);

static struct boot_info boot;
static struct memory_range ram[MEMORY_MAP_RANGES];
static unsigned ram_count;
static uint64_t ram_kib;
/* What the loader put into RAM: modules, and its information, which stays. */
static struct memory_range busy[BOOT_MODULES + 1];

/* --- the command line ---------------------------------------------------- */

static struct options {
    struct cmdline_memory dom0_mem;
    struct cmdline_range dom0_vcpus, max_cpus;
    struct cmdline_serial serial[UART_COUNT];
    unsigned consoles, log, guest_log; /* sets: bits by the words' order */
    unsigned sides, reboot;
    bool noreboot;
} options = {
    .max_cpus = {1, MAX_PCPUS},
    .serial = {{115200, "8n1", 0x3f8, 4}, {115200, "8n1", 0x2f8, 3}},
    .consoles = 1 | CONSOLE_VGA,
    .log = 1 << LOG_SHOWN,
    .guest_log = 1 << LOG_SHOWN_OF_GUESTS,
};

/* Words to choose from stand in the order of the enumeration they mean. */
static const struct cmdline_option option_table[] = {
    CMDLINE_OPTION("dom0_mem", memory, options.dom0_mem,
                   "1G, -256M or 25%, then ,min:512M or ,max:2G"),
    CMDLINE_OPTION("dom0_max_vcpus", range, options.dom0_vcpus,
                   "4, 2-4, 2- or -4"),
    CMDLINE_OPTION("maxcpus", range, options.max_cpus, "4"),
    CMDLINE_OPTION("com1", serial, options.serial[0], "115200,8n1,0x3f8,4"),
    CMDLINE_OPTION("com2", serial, options.serial[1], "115200,8n1,0x2f8,3"),
    CMDLINE_OPTION("console", set, options.consoles, "com1/com2/vga/none"),
    CMDLINE_OPTION("loglvl", set, options.log, LOG_LEVEL_WORDS),
    CMDLINE_OPTION("guest_loglvl", set, options.guest_log, LOG_LEVEL_WORDS),
    CMDLINE_OPTION("sides", choice, options.sides, "lazy/isolated/classic"),
    CMDLINE_OPTION("reboot", choice, options.reboot, "acpi/kbd/pci/triple"),
    CMDLINE_OPTION("noreboot", bool, options.noreboot, "yes/no"),
    /* What distributions' entries have for the name of Mica's file. */
    {.name = "placeholder"},
    /* Xen's words about BIOS calls, in every distribution's UEFI entry. */
    {.name = "no-real-mode"},
    {.name = "edd"},
};

/* The highest one counts: what comes in masses is limited anyway. */
static unsigned levels_of(unsigned set)
{
    return 31 - (unsigned)__builtin_clz(set);
}

/* --- what the loader left ------------------------------------------------ */

static void read_information(uint32_t information)
{
    const void *block = phys_to_virt(information);
    const char *error = multiboot2_parse(block, multiboot2_size(block), &boot);

    if (error)
        panic("%s", error);
    for (unsigned i = 0; i < boot.map.count; i++) {
        const struct memory_map_range *r = &boot.map.ranges[i];

        if (r->type == MEMORY_RAM) {
            ram[ram_count++] = (struct memory_range){r->start, r->end};
            ram_kib += (r->end - r->start) >> 10;
        }
    }
    memcpy(busy, boot.modules, sizeof(boot.modules));
    busy[BOOT_MODULES].start = information;
    busy[BOOT_MODULES].end = information + multiboot2_size(block);
}

static void build_dom0(void)
{
    const struct memory_range *kernel = &boot.modules[BOOT_KERNEL];
    const struct memory_range *initrd = &boot.modules[BOOT_INITRD];
    struct dom0_options o = {
        .memory = options.dom0_mem,
        .vcpus = options.dom0_vcpus,
        .kernel = phys_to_virt(kernel->start),
        .kernel_size = kernel->end - kernel->start,
        .command_line = boot.kernel_command_line,
        .initrd = phys_to_virt(initrd->start),
        .initrd_size = initrd->end - initrd->start,
        .console_info = &boot.screen,
        .console_info_size = sizeof(boot.screen),
        .ram = ram,
        .ram_count = ram_count,
    };

    if (!boot.module_count)
        panic("No dom0 kernel: add a module2 line with a kernel after the "
              "multiboot2 line of the GRUB entry");
    dom0_build(&o);
    ioport_give_all(dom0);
    arch_domain_publish_clock(dom0);
}

/* --- the order of things ------------------------------------------------- */

static void start_machine(void)
{
    paging_init(ram, ram_count, busy, ARRAY_LEN(busy));
    if (options.consoles & CONSOLE_VGA && !boot.efi_system_table &&
        boot.screen.video_type == XEN_VGATYPE_TEXT_MODE_3)
        console_take_screen();
    log_info("memory: %lu MiB of RAM, %lu MiB free", ram_kib >> 10,
             heap_free_frames() >> (20 - PAGE_SHIFT));
    acpi_init(boot.rsdp);
    apic_init();
    irq_init();
    sides_init((enum sides)options.sides);
    cpu_init_this(0);
    time_init();
    power_init((enum power_way)options.reboot, options.noreboot);
    machine_describe(&boot);
    pcpu_set_online(0);
    smp_start(&boot.map, (unsigned)min_u64(options.max_cpus.max, MAX_PCPUS));
    paging_drop_identity();
    log_info("processors online: %u", pcpu_count);
}

/*
 * The first C code, on the boot stack: `information` is the physical address
 * of the Multiboot2 information, below 4 GiB.
 */
void start(uint32_t information)
{
    pcpu_count = 1;
    cpu_init_record(0, 0, boot_cpu_stack);
    /* With the usual settings, for bad news. */
    uart_init(options.consoles, options.serial);
    cpu_features_detect();
    read_information(information);
    cmdline_parse(boot.command_line, option_table, ARRAY_LEN(option_table));
    log_set_levels(levels_of(options.log), levels_of(options.guest_log));
    uart_init(options.consoles, options.serial);
    log_info("Mica, a paravirtualization hypervisor, " MICA_VERSION);
    log_info("command line: %s", boot.command_line);
    start_machine();
    /* The unpackers read a stack protector's canary at %fs:0x28. */
    wrmsr(MSR_FS_BASE, (uint64_t)&boot);
    uart_input_start(); /* typing goes to Mica at first */
    build_dom0();
    for (unsigned i = 0; i < BOOT_MODULES; i++)
        paging_release(busy[i].start, busy[i].end);
    paging_release_init();
    /* What Mica keeps for itself: all RAM that is neither dom0's nor free. */
    log_info("memory: kept %lu KiB",
             ram_kib - ((heap_free_frames() + dom0->page_count) << 2));
    console_give_to_dom0();
    if (vcpu_up(dom0->vcpus[0])) /* maybe on another pCPU, at once */
        panic("dom0 does not start");
    idle_loop();
}
