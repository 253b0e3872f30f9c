/* SPDX-License-Identifier: MIT */
/*
 * INIT, start-up, start-up, as chapter 9.4 of the Intel SDM, volume 3A, has
 * it. One processor is on its way at a time, so the trampoline page and what
 * else start-up shares need no lock.
 */
#include "x86/smp.h"

#include "core/heap.h"
#include "core/log.h"
#include "core/pcpu.h"

#include "x86/acpi.h"
#include "x86/apic.h"
#include "x86/cpu.h"
#include "x86/cpu_features.h"
#include "x86/insn.h"
#include "x86/machine_early.h"
#include "x86/paging.h"
#include "x86/smp_trampoline.h"
#include "x86/time.h"

#define LOW_PAGE_FIRST 0x1000u
#define LOW_PAGE_LAST 0x9e000u
#define INIT_DELAY (10 * NSEC_PER_MS)
#define STARTUP_DELAY (200 * NSEC_PER_US)
/* The host of a virtual machine may be busy with others for seconds. */
#define START_TIMEOUT (10 * NSEC_PER_SEC)

enum start_state {
    START_WAITING, /* for a sign of life */
    START_ALIVE,   /* the processor set itself up and wants to compare clocks */
    START_DONE,    /* it is on its own now */
};

static enum start_state state; /* atomic: of the processor on its way */

/* The C entry of a secondary processor, on its own stack. */
static _Noreturn void ap_main(void)
{
    unsigned cpu = this_cpu()->id;

    cpu_init_this(cpu);
    apic_init_cpu();
    time_init_cpu();
    __atomic_store_n(&state, START_ALIVE, __ATOMIC_RELEASE);
    time_sync_join(cpu);
    __atomic_store_n(&state, START_DONE, __ATOMIC_RELEASE);
    idle_loop();
}

/* A page of RAM that real mode reaches, from the top; 0 when there is none. */
static uint32_t find_low_page(const struct memory_map *map)
{
    for (uint32_t at = LOW_PAGE_LAST; at >= LOW_PAGE_FIRST; at -= PAGE_SIZE)
        if (memory_map_type(map, at, at + PAGE_SIZE) == MEMORY_RAM)
            return at;
    return 0;
}

static bool wait_for(enum start_state wanted, nsec_t timeout)
{
    nsec_t start = arch_now();

    while (__atomic_load_n(&state, __ATOMIC_ACQUIRE) < wanted) {
        if (arch_now() - start > timeout)
            return false;
        pause();
    }
    return true;
}

/* Virtual processors need no time to reset; the first ones took 10 ms. */
static void send_start(uint32_t apic_id, uint32_t page)
{
    apic_send_init(apic_id);
    if (!cpu_features()->hypervisor)
        time_delay(INIT_DELAY);
    apic_send_startup(apic_id, page >> PAGE_SHIFT);
    if (wait_for(START_ALIVE, STARTUP_DELAY))
        return;
    apic_send_startup(apic_id, page >> PAGE_SHIFT);
}

/*
 * Starts one processor as pCPU `cpu`. One that does not answer is stopped
 * again; its stack is not used for anything else, in case it wakes up late.
 */
static bool start_cpu(unsigned cpu, uint32_t apic_id, uint32_t page)
{
    struct smp_start_words *words =
        (void *)((uint8_t *)phys_to_virt(page) + SMP_WORDS_AT);
    uint8_t *stack = stack_alloc();

    if (!stack) {
        log_warning("No memory for the processor with APIC id %u", apic_id);
        return false;
    }
    cpu_init_record(cpu, apic_id, stack);
    apic_set_cpu_id(cpu, apic_id);
    memcpy(phys_to_virt(page), smp_trampoline,
           (size_t)(smp_trampoline_end - smp_trampoline));
    *words = (struct smp_start_words){
        .stack = (uint64_t)stack + STACK_SIZE - STACK_INFO_SIZE,
        .entry = (uint64_t)ap_main,
        .cr3 = idle_cr3(),
    };
    __atomic_store_n(&state, START_WAITING, __ATOMIC_RELEASE);
    send_start(apic_id, page);
    if (wait_for(START_ALIVE, START_TIMEOUT)) {
        time_sync_serve();
        if (wait_for(START_DONE, START_TIMEOUT))
            return true;
    }
    log_warning("The processor with APIC id %u does not start", apic_id);
    apic_send_init(apic_id);
    return false;
}

static void start_all(uint32_t page, unsigned max_cpus)
{
    const struct acpi_info *acpi = acpi_info();

    for (unsigned i = 0; i < acpi->cpu_count && pcpu_count < max_cpus; i++) {
        const struct acpi_cpu *c = &acpi->cpus[i];

        if (c->is_enabled && c->apic_id != apic_id_of_cpu(0) &&
            apic_can_reach(c->apic_id) &&
            start_cpu(pcpu_count, c->apic_id, page))
            pcpu_set_online(pcpu_count++);
    }
}

/*
 * Starts the machine's other processors, up to `max_cpus` in all; pcpu_count
 * grows from 1. Needs the identity mapping of low memory; the page borrowed
 * there gets its contents back.
 */
void smp_start(const struct memory_map *map, unsigned max_cpus)
{
    uint32_t page = find_low_page(map);
    void *saved;

    max_cpus = (unsigned)min_u64(max_cpus, MAX_PCPUS);
    if (acpi_info()->cpu_count <= 1 || max_cpus <= 1)
        return;
    saved = frames_alloc(0);
    if (!page || !saved) {
        log_warning("No memory below 640 KiB: only one processor is used");
        return;
    }
    memcpy(saved, phys_to_virt(page), PAGE_SIZE);
    start_all(page, max_cpus);
    memcpy(phys_to_virt(page), saved, PAGE_SIZE);
    frames_free(saved, 0);
    log_info("%u of %u processors are running", pcpu_count,
             acpi_info()->cpu_count);
}
