/* SPDX-License-Identifier: MIT */
/*
 * The start of the secondary processors, one after the other, by the boot
 * processor. Each comes up in boot.S, sets itself up, compares clocks and
 * joins the scheduler. It is called by INIT, start-up, start-up, as chapter 9.4
 * of the Intel SDM, volume 3A, has it. One processor is on its way at a time,
 * so the trampoline and what else start-up shares need no lock.
 */
#include "core/log.h"

#include "x86/acpi.h"
#include "x86/apic.h"
#include "x86/cpu.h"
#include "x86/cpu_features.h"
#include "x86/machine_early.h"
#include "x86/paging.h"
#include "x86/start.h"
#include "x86/time.h"
#include "x86/traps.h"

#define LOW_MEMORY_END 0xa0000u
#define INIT_DELAY (10 * NSEC_PER_MS)
#define STARTUP_DELAY (200 * NSEC_PER_US)
/* The host of a virtual machine may be busy with others for seconds. */
#define START_TIMEOUT (10 * NSEC_PER_SEC)

static bool is_up; /* atomic: the processor on its way is on its own now */

/* boot.S: code to be copied; and where the next processor goes from it. */
#define SMP_TRAMPOLINE_SIZE 64
extern const uint8_t smp_trampoline[];
extern uint64_t start_stack, start_entry;

/* The C entry of a secondary processor, on its own stack. */
static _Noreturn void ap_main(void)
{
    unsigned cpu = this_cpu()->id;

    cpu_init_this(cpu);
    apic_init_cpu();
    apic_timer_setup();
    time_sync_join();
    __atomic_store_n(&is_up, true, __ATOMIC_RELEASE);
    idle_loop();
}

/* Virtual processors need no time to reset; the first ones took 10 ms. */
static void send_start(uint32_t apic_id, uint32_t page)
{
    apic_send_command(apic_id, APIC_INIT);
    if (!cpu_features()->hypervisor)
        time_delay(INIT_DELAY);
    apic_send_command(apic_id, APIC_STARTUP(page >> PAGE_SHIFT));
    time_delay(STARTUP_DELAY);
    apic_send_command(apic_id, APIC_STARTUP(page >> PAGE_SHIFT));
}

/*
 * Starts one processor as pCPU `cpu`. One that does not answer is stopped
 * again; its stack is not used for anything else, in case it wakes up late.
 */
static bool start_cpu(unsigned cpu, uint32_t apic_id, uint32_t page)
{
    const char *why = "needs an x2APIC";
    uint8_t *stack = NULL;
    nsec_t start;

    if (apic_is_reachable(apic_id)) {
        why = "finds no memory";
        stack = stack_alloc();
    }
    if (stack) {
        cpu_init_record(cpu, apic_id, stack);
        start_stack = (uint64_t)stack + STACK_SIZE - STACK_INFO_SIZE;
        start_entry = (uint64_t)ap_main;
        __atomic_store_n(&is_up, false, __ATOMIC_RELEASE);
        send_start(apic_id, page);
        for (start = arch_now(); arch_now() - start < START_TIMEOUT; pause()) {
            if (__atomic_load_n(&is_up, __ATOMIC_ACQUIRE))
                return true;
            time_sync_answer();
        }
        apic_send_command(apic_id, APIC_INIT);
        why = "does not start";
    }
    log_warning("The processor with APIC id %u %s", apic_id, why);
    return false;
}

/* The highest page of RAM that real mode reaches; 0 when there is none. */
static uint32_t find_low_page(const struct memory_map *map)
{
    const struct memory_map_range *r = map->ranges;
    uint64_t page = 0, end;

    for (; r < map->ranges + map->count; r++) {
        end = min_u64(r->end, LOW_MEMORY_END) & PAGE_MASK;
        if (r->type == MEMORY_RAM && r->start + PAGE_SIZE <= end)
            page = end - PAGE_SIZE;
    }
    return (uint32_t)page;
}

/*
 * Starts the machine's other processors, up to `max_cpus` in all; pcpu_count
 * grows from 1. Needs the identity mapping of low memory; the bytes borrowed
 * there get their contents back.
 */
void smp_start(const struct memory_map *map, unsigned max_cpus)
{
    const struct acpi_info *acpi = acpi_info();
    uint32_t page = find_low_page(map);
    uint8_t saved[SMP_TRAMPOLINE_SIZE], *low = phys_to_virt(page);

    if (!page) {
        log_warning("No memory below 640 KiB: only one processor is used");
        return;
    }
    memcpy(saved, low, sizeof(saved));
    memcpy(low, smp_trampoline, sizeof(saved));
    for (unsigned i = 0; i < acpi->cpu_count && pcpu_count < max_cpus; i++)
        if (acpi->cpus[i].apic_id != apic_id_of_cpu(0) &&
            start_cpu(pcpu_count, acpi->cpus[i].apic_id, page))
            pcpu_set_online(pcpu_count++);
    memcpy(low, saved, sizeof(saved));
}
