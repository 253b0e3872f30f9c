/* SPDX-License-Identifier: MIT */
/*
 * Local APICs. Destinations are physical APIC ids throughout, so neither
 * logical ids nor clusters are set up.
 */
#include "x86/apic.h"

#include "core/log.h"

#include "x86/acpi.h"
#include "x86/cpu.h"
#include "x86/cpu_features.h"
#include "x86/machine_early.h"
#include "x86/start.h"

/* Register numbers: address / 16 for memory, added to 0x800 for MSRs. */
enum apic_reg {
    REG_ID = 0x02,
    REG_TPR = 0x08,
    REG_EOI = 0x0b,
    REG_SPURIOUS = 0x0f,
    REG_ERROR_STATUS = 0x28,
    REG_ICR = 0x30,
    REG_ICR_HIGH = 0x31,
    REG_LVT_TIMER = 0x32,
    REG_LVT_LINT0 = 0x35,
    REG_LVT_LINT1 = 0x36,
    REG_LVT_ERROR = 0x37,
    REG_TIMER_INITIAL = 0x38,
    REG_TIMER_CURRENT = 0x39,
    REG_TIMER_DIVIDE = 0x3e,
};

#define BASE_ENABLE (1ul << 11)
#define BASE_X2APIC (1ul << 10)
#define BASE_FLAGS 0xffful

#define SPURIOUS_ENABLE 0x100u
#define LVT_MASKED (1u << 16)
#define LVT_TSC_DEADLINE (2u << 17)
#define DELIVER_NMI (4u << 8)
#define ICR_BUSY (1u << 12)
#define ICR_ASSERT (1u << 14)
#define ICR_TO_OTHERS (3u << 18)
#define DIVIDE_BY_1 0xbu

#define MAX_XAPIC_ID 254u
#define MAX_BUSY_POLLS 1000000u

#define PIC1_DATA 0x21
#define PIC2_DATA 0xa1
#define PIC_ALL_LINES 0xff

static bool use_x2apic;              /* const after apic_init */
static volatile uint32_t *registers; /* const after apic_init; xAPIC only */

static uint32_t reg_read(enum apic_reg reg)
{
    if (use_x2apic)
        return (uint32_t)rdmsr(MSR_X2APIC_FIRST + reg);
    return registers[reg * 4];
}

static void reg_write(enum apic_reg reg, uint32_t value)
{
    if (use_x2apic)
        wrmsr(MSR_X2APIC_FIRST + reg, value);
    else
        registers[reg * 4] = value;
}

static bool wants_x2apic(void)
{
    const struct acpi_info *acpi = acpi_info();
    bool is_wanted =
        rdmsr(MSR_APIC_BASE) & BASE_X2APIC || cpu_features()->hypervisor;

    for (unsigned i = 0; i < acpi->cpu_count; i++)
        is_wanted |= acpi->cpus[i].apic_id > MAX_XAPIC_ID;
    return is_wanted && cpu_features()->x2apic;
}

/*
 * Finds the APIC of the boot processor and decides for xAPIC or x2APIC. Needs
 * cpu_features_detect, acpi_init and map_device. Silences the PICs and sets up
 * the boot processor's APIC.
 */
void apic_init(void)
{
    /*
     * While the APIC still passes the PIC's interrupt on, or a request that
     * waits there already would be left hanging.
     */
    outb(PIC1_DATA, PIC_ALL_LINES);
    outb(PIC2_DATA, PIC_ALL_LINES);
    use_x2apic = wants_x2apic();
    if (!use_x2apic)
        registers = map_device(APIC_ADDRESS, PAGE_SIZE);
    apic_init_cpu();
    this_cpu()->apic_id = reg_read(REG_ID) >> (use_x2apic ? 0 : 24);
    log_info("Local APIC: %s, boot processor has id %u",
             use_x2apic ? "x2APIC" : "xAPIC", apic_id_of_cpu(0));
}

/*
 * Sets up the calling processor's APIC: its timer and the PIC masked, NMI and
 * errors open, every priority accepted. Other local sources are the firmware's.
 */
void apic_init_cpu(void)
{
    uint64_t base =
        APIC_ADDRESS | (rdmsr(MSR_APIC_BASE) & BASE_FLAGS) | BASE_ENABLE;

    /* x2APIC can be entered from the enabled xAPIC only. */
    wrmsr(MSR_APIC_BASE, base);
    if (use_x2apic)
        wrmsr(MSR_APIC_BASE, base | BASE_X2APIC);
    reg_write(REG_SPURIOUS, SPURIOUS_ENABLE | VECTOR_SPURIOUS);
    reg_write(REG_LVT_TIMER, LVT_MASKED | VECTOR_TIMER);
    reg_write(REG_LVT_LINT0, LVT_MASKED);
    reg_write(REG_LVT_LINT1, DELIVER_NMI);
    reg_write(REG_LVT_ERROR, VECTOR_ERROR); /* comes once in a boot */
    reg_write(REG_ERROR_STATUS, 0);
    reg_write(REG_TIMER_DIVIDE, DIVIDE_BY_1);
    apic_eoi();
    reg_write(REG_TPR, 0);
}

/* Ends the service of the highest interrupt that is being served. */
void apic_eoi(void)
{
    reg_write(REG_EOI, 0);
}

/* The APIC id of pCPU `cpu`. */
uint32_t apic_id_of_cpu(unsigned cpu)
{
    return cpus[cpu].apic_id;
}

/* Whether a processor can be sent to: an xAPIC has 8 bits for its id. */
bool apic_is_reachable(uint32_t apic_id)
{
    return use_x2apic || apic_id <= MAX_XAPIC_ID;
}

/*
 * A write to an x2APIC MSR may overtake earlier stores, which the receiver
 * is to see; the xAPIC's page is uncached, so its stores stay in order. But it
 * takes a command only when the last one has left.
 */
static void icr_write(uint32_t apic_id, uint32_t low)
{
    unsigned polls = MAX_BUSY_POLLS;

    if (use_x2apic) {
        mfence();
        lfence();
        wrmsr(MSR_X2APIC_FIRST + REG_ICR, (uint64_t)apic_id << 32 | low);
        return;
    }
    while (reg_read(REG_ICR) & ICR_BUSY && --polls)
        pause();
    reg_write(REG_ICR_HIGH, apic_id << 24);
    reg_write(REG_ICR, low);
}

/* Interrupts pCPU `cpu`, which may be the caller's. */
void apic_send_ipi(unsigned cpu, unsigned vector)
{
    icr_write(apic_id_of_cpu(cpu), ICR_ASSERT | vector);
}

/* Sends APIC_INIT or APIC_STARTUP to the processor with this id. */
void apic_send_command(uint32_t apic_id, uint32_t command)
{
    icr_write(apic_id, ICR_ASSERT | command);
}

/* Stops every other processor for good; for panics and power-off. */
void apic_stop_others(void)
{
    if (use_x2apic || registers)
        icr_write(0, ICR_TO_OTHERS | ICR_ASSERT | APIC_INIT);
}

/*
 * Unmasks the calling processor's timer, stopped. It interrupts at the TSC's
 * value in MSR_TSC_DEADLINE where there is one, else by apic_timer_set.
 */
void apic_timer_setup(void)
{
    reg_write(REG_TIMER_INITIAL, 0);
    reg_write(REG_LVT_TIMER,
              (cpu_features()->tsc_deadline ? LVT_TSC_DEADLINE : 0) |
                  VECTOR_TIMER);
    /* The mode has to be in place before the first deadline is written. */
    mfence();
    lfence();
}

/* Has the timer interrupt after so many ticks of its own, or never when 0. */
void apic_timer_set(uint32_t ticks)
{
    reg_write(REG_TIMER_INITIAL, ticks);
}

/* The timer's own ticks that are left. */
uint32_t apic_timer_count(void)
{
    return reg_read(REG_TIMER_CURRENT);
}
