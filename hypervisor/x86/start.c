/* SPDX-License-Identifier: MIT */
/*
 * The start of Mica, on the boot processor: from the loader's information to
 * a running dom0. The order matters; each step says what it needs.
 */
#include "core/arch.h"
#include "core/cmdline.h"
#include "core/dom0_build.h"
#include "core/domain.h"
#include "core/frame.h"
#include "core/heap.h"
#include "core/log.h"
#include "core/machine.h"
#include "core/pcpu.h"
#include "core/vcpu.h"
#include "x86/acpi.h"
#include "x86/apic.h"
#include "x86/console.h"
#include "x86/cpu.h"
#include "x86/cpu_features.h"
#include "x86/insn.h"
#include "x86/ioapic.h"
#include "x86/ioport.h"
#include "x86/irq.h"
#include "x86/machine.h"
#include "x86/machine_early.h"
#include "x86/multiboot2.h"
#include "x86/paging.h"
#include "x86/power.h"
#include "x86/sides.h"
#include "x86/smp.h"
#include "x86/time.h"
#include "x86/vga.h"

#define MICA_VERSION "0.1"

extern char boot_cpu_stack[];

_Noreturn void start(uint32_t information);

static struct boot_info boot;
static struct memory_range ram[MEMORY_MAP_RANGES];
static unsigned ram_count;
/* What the loader put into RAM: modules, and its information, which stays. */
static struct memory_range busy[BOOT_MODULES + 1];

/* --- the command line ---------------------------------------------------- */

static struct options {
    struct cmdline_memory dom0_mem;
    struct cmdline_range dom0_vcpus;
    struct cmdline_serial serial[UART_COUNT];
    uint64_t max_cpus;
    unsigned log, guest_log, consoles, sides, reboot;
    bool noreboot;
} options = {
    .serial = {{115200, 8, 'n', 1, 0x3f8, 4}, {115200, 8, 'n', 1, 0x2f8, 3}},
    .consoles = 1 | CONSOLE_VGA,
    .log = LOG_SHOWN,
    .guest_log = LOG_SHOWN_OF_GUESTS,
    .max_cpus = MAX_PCPUS,
};

static const char *const console_choices[] = {"com1", "com2", "vga", "none",
                                              NULL};

static const char *const reboot_choices[] = {
    [POWER_ACPI] = "acpi",
    [POWER_KEYBOARD] = "kbd",
    [POWER_CHIPSET] = "pci",
    [POWER_TRIPLE_FAULT] = "triple",
    NULL,
};

static const char *const sides_choices[] = {
    [SIDES_LAZY] = "lazy",
    [SIDES_ISOLATED] = "isolated",
    [SIDES_CLASSIC] = "classic",
    NULL,
};

#define OPTION(text, kind, ...)                                                \
    {                                                                          \
        .name = (text), .parse = cmdline_parse_##kind, __VA_ARGS__             \
    }

static const struct cmdline_option option_table[] = {
    OPTION("dom0_mem", memory, .target = &options.dom0_mem),
    OPTION("dom0_max_vcpus", range, .target = &options.dom0_vcpus),
    OPTION("com1", serial, .target = &options.serial[0]),
    OPTION("com2", serial, .target = &options.serial[1]),
    OPTION("console", set, .target = &options.consoles,
           .choices = console_choices),
    OPTION("loglvl", level, .target = &options.log),
    OPTION("guest_loglvl", level, .target = &options.guest_log),
    OPTION("reboot", choice, .target = &options.reboot,
           .choices = reboot_choices),
    OPTION("maxcpus", number, .target = &options.max_cpus, .min = 1,
           .max = MAX_PCPUS),
    OPTION("sides", choice, .target = &options.sides, .choices = sides_choices),
    OPTION("noreboot", bool, .target = &options.noreboot),
    /* Xen's words about BIOS calls, in every distribution's UEFI entry. */
    {.name = "no-real-mode"},
    {.name = "edd"},
};

static void report_word(const char *word, const char *why)
{
    log_warning("command line: %s: %s", word, why);
}

/* --- what the loader left ------------------------------------------------ */

static void read_information(uint32_t information)
{
    const void *block = phys_to_virt(information);
    const char *error = multiboot2_parse(block, multiboot2_size(block), &boot);

    if (error)
        panic("%s", error);
    for (unsigned i = 0; i < boot.map.count; i++)
        if (boot.map.ranges[i].type == MEMORY_RAM)
            ram[ram_count++] = (struct memory_range){boot.map.ranges[i].start,
                                                     boot.map.ranges[i].end};
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
    if (ioport_domain_create(dom0))
        panic("No memory for dom0's I/O bitmap");
    arch_domain_publish_clock(dom0);
}

/* --- the order of things ------------------------------------------------- */

static uint64_t ram_kib(void)
{
    uint64_t all = 0;

    for (unsigned i = 0; i < ram_count; i++)
        all += ram[i].end - ram[i].start;
    return all >> 10;
}

static void start_machine(void)
{
    paging_init(ram, ram_count, busy, ARRAY_LEN(busy));
    if (options.consoles & CONSOLE_VGA && !boot.efi_system_table &&
        boot.screen.video_type == XEN_VGATYPE_TEXT_MODE_3)
        vga_init();
    log_info("memory: %lu MiB of RAM, %lu MiB free", ram_kib() >> 10,
             heap_free_frames() >> (20 - PAGE_SHIFT));
    acpi_init(boot.rsdp);
    apic_init();
    ioapic_init();
    irq_init();
    sides_init((enum sides)options.sides);
    cpu_init_this(0);
    time_init();
    wallclock_init();
    power_init((enum power_way)options.reboot, options.noreboot);
    machine_describe(&boot);
    pcpu_set_online(0);
    smp_start(&boot.map, (unsigned)options.max_cpus);
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
    console_init_serial(options.consoles, options.serial);
    cpu_features_detect();
    read_information(information);
    cmdline_parse(boot.command_line, option_table, ARRAY_LEN(option_table),
                  report_word);
    log_set_levels(options.log, options.guest_log);
    console_init_serial(options.consoles, options.serial);
    log_info("Mica, a paravirtualization hypervisor, " MICA_VERSION);
    log_info("command line: %s", boot.command_line);
    start_machine();
    /* The unpackers read a stack protector's canary at %fs:0x28. */
    wrmsr(MSR_FS_BASE, (uint64_t)&boot);
    console_input_start();
    build_dom0();
    for (unsigned i = 0; i < BOOT_MODULES; i++)
        paging_release(busy[i].start, busy[i].end);
    paging_release_init();
    /* What Mica keeps for itself: all RAM that is neither dom0's nor free. */
    log_info("memory: kept %lu KiB",
             ram_kib() - ((heap_free_frames() + dom0->page_count) << 2));
    console_give_to_dom0();
    idle_loop();
}
