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
#include "core/version.h"
#include "hypercall_abi/start_info.h"
#include "x86/acpi.h"
#include "x86/apic.h"
#include "x86/console.h"
#include "x86/cpu.h"
#include "x86/cpu_features.h"
#include "x86/debug_dumps.h"
#include "x86/insn.h"
#include "x86/ioapic.h"
#include "x86/ioport.h"
#include "x86/irq.h"
#include "x86/machine.h"
#include "x86/machine_early.h"
#include "x86/memory_layout.h"
#include "x86/msi.h"
#include "x86/multiboot2.h"
#include "x86/paging.h"
#include "x86/power.h"
#include "x86/sides.h"
#include "x86/smp.h"
#include "x86/time.h"
#include "x86/vga.h"
#include "x86/wallclock.h"

#define VGA_TEXT_COLUMNS 80
#define VGA_TEXT_ROWS 25
#define VGA_FONT_HEIGHT 16
#define LFB_UNIT_SHIFT 16

extern char boot_cpu_stack[];

_Noreturn void start(uint32_t information);

static struct boot_info boot;
static struct memory_range ram[MEMORY_MAP_RANGES];
static unsigned ram_count;

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

static void read_command_line(void)
{
    cmdline_parse(boot.command_line, option_table, ARRAY_LEN(option_table),
                  report_word);
    log_set_levels(options.log, options.guest_log);
}

/* --- what the loader left ------------------------------------------------ */

/* What a person can do about information that can't be used. */
static const char *explain_bad_information(int error)
{
    switch (error) {
    case -E2BIG:
        return "There are too many modules. Leave some of the module2 lines "
               "out of the GRUB entry.";
    case -ENOSPC:
        return "The firmware's map of memory has too many parts. Boot without "
               "UEFI, or update the firmware.";
    case -ENODATA:
        return "The loader gives no map of memory. Use GRUB 2's multiboot2 "
               "command.";
    default:
        return "The loader's information is damaged. Use GRUB 2's multiboot2 "
               "command.";
    }
}

static void read_information(uint32_t information)
{
    const void *block = phys_to_virt(information);
    int error = multiboot2_parse(block, multiboot2_size(block), &boot);

    if (error)
        panic("%s", explain_bad_information(error));
    for (unsigned i = 0; i < boot.map.count; i++)
        if (boot.map.ranges[i].type == MEMORY_RAM)
            ram[ram_count++] = (struct memory_range){boot.map.ranges[i].start,
                                                     boot.map.ranges[i].end};
}

/* All that the loader put into RAM and that is still to be read. */
static unsigned find_busy(struct memory_range *busy, uint32_t information)
{
    unsigned n = 0;

    busy[n++] = (struct memory_range){
        information, information + multiboot2_size(phys_to_virt(information))};
    for (unsigned i = 0; i < boot.module_count; i++)
        if (boot.modules[i].start < boot.modules[i].end)
            busy[n++] = (struct memory_range){boot.modules[i].start,
                                              boot.modules[i].end};
    return n;
}

/* --- dom0 ---------------------------------------------------------------- */

static void describe_graphics_screen(struct dom0_vga_console_info *info)
{
    const struct boot_framebuffer *s = &boot.screen;
    uint64_t size = (uint64_t)s->pitch * s->height;

    info->video_type = boot.is_efi ? XEN_VGATYPE_EFI_LFB : XEN_VGATYPE_VESA_LFB;
    info->u.vesa_lfb = (struct dom0_vga_vesa_lfb){
        .width = (uint16_t)s->width,
        .height = (uint16_t)s->height,
        .bytes_per_line = (uint16_t)s->pitch,
        .bits_per_pixel = s->bits_per_pixel,
        .lfb_base = (uint32_t)s->address,
        .ext_lfb_base = (uint32_t)(s->address >> 32),
        .lfb_size = (uint32_t)((size + 0xffff) >> LFB_UNIT_SHIFT),
        .red_pos = s->red.position,
        .red_size = s->red.bits,
        .green_pos = s->green.position,
        .green_size = s->green.bits,
        .blue_pos = s->blue.position,
        .blue_size = s->blue.bits,
    };
}

static void build_dom0(void)
{
    struct dom0_vga_console_info screen = {
        .video_type = XEN_VGATYPE_TEXT_MODE_3,
        .u.text_mode_3 = {.font_height = VGA_FONT_HEIGHT,
                          .rows = VGA_TEXT_ROWS,
                          .columns = VGA_TEXT_COLUMNS},
    };
    struct dom0_options o = {
        .memory = options.dom0_mem,
        .vcpus = options.dom0_vcpus,
        .console_info = &screen,
        .console_info_size = sizeof(screen),
        .ram = ram,
        .ram_count = ram_count,
    };

    if (!boot.module_count)
        panic("No dom0 kernel: add a module2 line with a kernel after the "
              "multiboot2 line of the GRUB entry");
    if (boot.screen.kind == BOOT_SCREEN_GRAPHICS)
        describe_graphics_screen(&screen);
    o.kernel = phys_to_virt(boot.modules[0].start);
    o.kernel_size = boot.modules[0].end - boot.modules[0].start;
    o.command_line = boot.modules[0].command_line;
    if (boot.module_count > 1) {
        o.initrd = phys_to_virt(boot.modules[1].start);
        o.initrd_size = boot.modules[1].end - boot.modules[1].start;
    }
    dom0_build(&o);
    if (ioport_domain_create(dom0))
        panic("No memory for dom0's I/O bitmap");
    arch_domain_publish_clock(dom0);
}

/* --- the order of things ------------------------------------------------- */

static bool has_text_screen(void)
{
    return boot.screen.kind == BOOT_SCREEN_TEXT ||
           (boot.screen.kind == BOOT_SCREEN_UNKNOWN && !boot.is_efi);
}

/*
 * The unpackers, which come from the distribution, read a stack protector's
 * canary at %fs:0x28.
 */
static void lend_canary(void)
{
    static uint64_t thread_block[8];

    wrmsr(MSR_FS_BASE, (uint64_t)thread_block);
}

static uint64_t ram_kib(void)
{
    uint64_t all = 0;

    for (unsigned i = 0; i < ram_count; i++)
        all += ram[i].end - ram[i].start;
    return all >> 10;
}

static void start_machine(uint32_t information)
{
    struct memory_range busy[BOOT_MAX_MODULES + 1];
    unsigned busy_count = find_busy(busy, information);

    paging_init(ram, ram_count, busy, busy_count);
    if (options.consoles & CONSOLE_VGA && has_text_screen())
        vga_init();
    log_info("memory: %lu MiB of RAM, %lu MiB free", ram_kib() >> 10,
             heap_free_frames() >> (20 - PAGE_SHIFT));
    acpi_init(boot.rsdp);
    apic_init();
    ioapic_init();
    irq_init();
    msi_init();
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
    read_command_line();
    console_init_serial(options.consoles, options.serial);
    log_info("Mica, a paravirtualization hypervisor, " MICA_VERSION);
    log_info("command line: %s", boot.command_line);
    start_machine(information);
    lend_canary();
    debug_dumps_init();
    console_input_start();
    build_dom0();
    for (unsigned i = 0; i < boot.module_count; i++)
        paging_release(boot.modules[i].start, boot.modules[i].end);
    paging_release(information,
                   information + multiboot2_size(phys_to_virt(information)));
    paging_release_init();
    /* What Mica keeps for itself: all RAM that is neither dom0's nor free. */
    log_info("memory: kept %lu KiB",
             ram_kib() - ((heap_free_frames() + dom0->page_count) << 2));
    console_give_to_dom0();
    idle_loop();
}
