/* SPDX-License-Identifier: MIT */
/*
 * The local APIC of each processor, through memory (xAPIC) or MSRs (x2APIC);
 * all processors use the same way. Chapter 11 of the Intel SDM, volume 3, is
 * the reference. Every function acts on the APIC of the calling pCPU.
 */
#pragma once

#include "core/types.h"

#define APIC_ADDRESS 0xfee00000ul /* physical, of its page */

/* Vectors: exceptions to 0x1f, then devices, then Mica's own. */
#define VECTOR_DEVICE_FIRST 0x30
#define VECTOR_DEVICE_LAST 0xef
#define VECTOR_SOFTWARE 0x80 /* INT 0x80 of guests; never a device's */
#define VECTOR_KICK 0xfb     /* IPI: pass the scheduling point */
#define VECTOR_FLUSH 0xfc    /* IPI: a flush request waits */
#define VECTOR_TIMER 0xfd    /* the local timer came to its deadline */
#define VECTOR_ERROR 0xfe    /* the local APIC's; nobody's, so it is logged */
#define VECTOR_SPURIOUS 0xff /* withdrawn interrupt; wants no EOI */

/* Reset, to wait for: start in real mode at the first byte of a frame < 256 */
#define APIC_INIT (5u << 8)
#define APIC_STARTUP(frame) (6u << 8 | (frame))

void apic_init_cpu(void);
void apic_eoi(void);

uint32_t apic_id_of_cpu(unsigned cpu);
bool apic_is_reachable(uint32_t apic_id);

void apic_send_ipi(unsigned cpu, unsigned vector);
void apic_send_command(uint32_t apic_id, uint32_t command);
void apic_stop_others(void);

void apic_timer_setup(void);
void apic_timer_set(uint32_t ticks);
uint32_t apic_timer_count(void);
