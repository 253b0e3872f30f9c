/* SPDX-License-Identifier: MIT */
/*
 * Local APICs. Destinations are physical APIC ids throughout, so neither
 * logical ids nor clusters are set up.
 */
#include "x86/apic.h"

#include "core/log.h"
#include "core/pcpu.h"

#include "x86/acpi.h"
#include "x86/cpu_features.h"
#include "x86/fence.h"
#include "x86/insn.h"
#include "x86/machine_early.h"
#include "x86/pic.h"

/* Register numbers: address / 16 for memory, added to 0x800 for MSRs. */
enum apic_reg {
    REG_ID = 0x02,
    REG_VERSION = 0x03,
    REG_TPR = 0x08,
    REG_EOI = 0x0b,
    REG_SPURIOUS = 0x0f,
    REG_ERROR_STATUS = 0x28,
    REG_ICR = 0x30,
    REG_ICR_HIGH = 0x31,
    REG_LVT_TIMER = 0x32,
    REG_LVT_THERMAL = 0x33,
    REG_LVT_COUNTERS = 0x34,
    REG_LVT_LINT0 = 0x35,
    REG_LVT_LINT1 = 0x36,
    REG_LVT_ERROR = 0x37,
    REG_TIMER_INITIAL = 0x38,
    REG_TIMER_CURRENT = 0x39,
    REG_TIMER_DIVIDE = 0x3e,
};

#define BASE_ENABLE (1ul << 11)
#define BASE_X2APIC (1ul << 10)
#define BASE_ADDRESS 0x000ffffffffff000ul

#define SPURIOUS_ENABLE 0x100u
#define LVT_MASKED (1u << 16)
#define LVT_TSC_DEADLINE (2u << 17)
#define DELIVER_NMI (4u << 8)
#define DELIVER_INIT (5u << 8)
#define DELIVER_STARTUP (6u << 8)
#define ICR_BUSY (1u << 12)
#define ICR_ASSERT (1u << 14)
#define ICR_TO_OTHERS (3u << 18)
#define DIVIDE_BY_1 0xbu

#define MAX_XAPIC_ID 254u
#define MAX_BUSY_POLLS 1000000u

static bool use_x2apic;              /* const after apic_init */
static uint64_t base_address;        /* const after apic_init */
static volatile uint32_t *registers; /* const after apic_init; xAPIC only */
static uint32_t cpu_ids[MAX_PCPUS];  /* written before the pCPU starts */

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

static bool wants_x2apic(uint64_t base)
{
    const struct acpi_info *acpi = acpi_info();
    bool is_wanted = base & BASE_X2APIC || cpu_features()->hypervisor;

    for (unsigned i = 0; i < acpi->cpu_count; i++)
        is_wanted |= acpi->cpus[i].apic_id > MAX_XAPIC_ID;
    return is_wanted && cpu_features()->x2apic;
}

/*
 * Finds the APIC of the boot processor and decides for xAPIC or x2APIC. Needs
 * cpu_features_detect, acpi_init and map_device. Silences the PICs and sets up
 * the boot processor's APIC as pCPU 0.
 */
void apic_init(void)
{
    uint64_t base = rdmsr(MSR_APIC_BASE);

    pic_disable();
    base_address = base & BASE_ADDRESS;
    use_x2apic = wants_x2apic(base);
    if (!use_x2apic)
        registers = map_device(base_address, PAGE_SIZE);
    apic_init_cpu();
    apic_set_cpu_id(0, apic_read_id());
    log_info("Local APIC: %s at %#llx, boot processor has id %u",
             use_x2apic ? "x2APIC" : "xAPIC", (unsigned long long)base_address,
             apic_id_of_cpu(0));
}

static void enable(void)
{
    uint64_t base =
        base_address | (rdmsr(MSR_APIC_BASE) & ~BASE_ADDRESS) | BASE_ENABLE;

    /* x2APIC can be entered from the enabled xAPIC only. */
    wrmsr(MSR_APIC_BASE, base);
    if (use_x2apic)
        wrmsr(MSR_APIC_BASE, base | BASE_X2APIC);
}

/*
 * Sets up the calling processor's APIC: all local sources masked but NMI and
 * errors, every priority accepted.
 */
void apic_init_cpu(void)
{
    unsigned last_lvt;

    enable();
    last_lvt = reg_read(REG_VERSION) >> 16 & 0xff;
    reg_write(REG_SPURIOUS, SPURIOUS_ENABLE | VECTOR_SPURIOUS);
    reg_write(REG_LVT_TIMER, LVT_MASKED | VECTOR_TIMER);
    if (last_lvt >= 4)
        reg_write(REG_LVT_COUNTERS, LVT_MASKED);
    if (last_lvt >= 5)
        reg_write(REG_LVT_THERMAL, LVT_MASKED);
    reg_write(REG_LVT_LINT0, LVT_MASKED);
    reg_write(REG_LVT_LINT1, DELIVER_NMI);
    reg_write(REG_LVT_ERROR, VECTOR_ERROR);
    reg_write(REG_ERROR_STATUS, 0);
    reg_write(REG_ERROR_STATUS, 0);
    reg_write(REG_TIMER_DIVIDE, DIVIDE_BY_1);
    reg_write(REG_TIMER_INITIAL, 0);
    apic_eoi();
    reg_write(REG_TPR, 0);
}

/* The APIC id of the calling processor. */
uint32_t apic_read_id(void)
{
    uint32_t id = reg_read(REG_ID);

    return use_x2apic ? id : id >> 24;
}

/* Ends the service of the highest interrupt that is being served. */
void apic_eoi(void)
{
    reg_write(REG_EOI, 0);
}

/* Whether a processor with this id can be reached as the APICs are driven. */
bool apic_can_reach(uint32_t apic_id)
{
    return use_x2apic || apic_id <= MAX_XAPIC_ID;
}

/* The physical address of the APIC page, which no guest may map. */
uint64_t apic_base(void)
{
    return base_address;
}

/* Notes the APIC id of pCPU `cpu`, before it starts. */
void apic_set_cpu_id(unsigned cpu, uint32_t apic_id)
{
    __atomic_store_n(&cpu_ids[cpu], apic_id, __ATOMIC_RELEASE);
}

/* The APIC id of pCPU `cpu`. */
uint32_t apic_id_of_cpu(unsigned cpu)
{
    return __atomic_load_n(&cpu_ids[cpu], __ATOMIC_RELAXED);
}

/* x2APICs take a command at once. */
static void wait_for_icr(void)
{
    unsigned polls = MAX_BUSY_POLLS;

    while (!use_x2apic && reg_read(REG_ICR) & ICR_BUSY && --polls)
        pause();
}

/*
 * A write to an x2APIC MSR may overtake earlier stores, which the receiver
 * is to see; the xAPIC's page is uncached, so its stores stay in order.
 */
static void icr_write(uint32_t apic_id, uint32_t low)
{
    if (use_x2apic) {
        mfence();
        lfence();
        wrmsr(MSR_X2APIC_FIRST + REG_ICR, (uint64_t)apic_id << 32 | low);
        return;
    }
    wait_for_icr();
    reg_write(REG_ICR_HIGH, apic_id << 24);
    reg_write(REG_ICR, low);
}

/* Interrupts pCPU `cpu`, which may be the caller's. */
void apic_send_ipi(unsigned cpu, unsigned vector)
{
    icr_write(apic_id_of_cpu(cpu), ICR_ASSERT | vector);
}

/* Resets a processor; it then waits for apic_send_startup. */
void apic_send_init(uint32_t apic_id)
{
    icr_write(apic_id, ICR_ASSERT | DELIVER_INIT);
    wait_for_icr();
}

/* Starts a processor in real mode at the first byte of frame `page` < 256. */
void apic_send_startup(uint32_t apic_id, unsigned page)
{
    icr_write(apic_id, ICR_ASSERT | DELIVER_STARTUP | (page & 0xff));
    wait_for_icr();
}

/* Stops every other processor for good; for panics and power-off. */
void apic_stop_others(void)
{
    if (use_x2apic || registers)
        icr_write(0, ICR_TO_OTHERS | ICR_ASSERT | DELIVER_INIT);
}

/* Unmasks the calling processor's timer, stopped, in the given mode. */
void apic_timer_setup(enum apic_timer_mode mode)
{
    uint32_t bits = mode == APIC_TIMER_DEADLINE ? LVT_TSC_DEADLINE : 0;

    reg_write(REG_TIMER_INITIAL, 0);
    reg_write(REG_LVT_TIMER, bits | VECTOR_TIMER);
    /* The mode has to be in place before the first deadline is written. */
    mfence();
    lfence();
}

/* One-shot mode: interrupts after `ticks`, never when 0. */
void apic_timer_start(uint32_t ticks)
{
    reg_write(REG_TIMER_INITIAL, ticks);
}

/* One-shot mode: the ticks left. */
uint32_t apic_timer_count(void)
{
    return reg_read(REG_TIMER_CURRENT);
}

/* Deadline mode: interrupts when the TSC reaches `tsc`, never when 0. */
void apic_timer_set_deadline(uint64_t tsc)
{
    wrmsr(MSR_TSC_DEADLINE, tsc);
}

/* Serves VECTOR_ERROR: logs what the APIC reports. The caller sends the EOI. */
void apic_error_report(void)
{
    reg_write(REG_ERROR_STATUS, 0);
    log_warning("Local APIC %u reports errors 0x%x", apic_read_id(),
                reg_read(REG_ERROR_STATUS));
}
