/* SPDX-License-Identifier: MIT */
/*
 * Channel 2 of the PIT and the bits of port 0x61 that belong to it, computed
 * from the time: enough for a kernel that measures its clocks. Nothing here
 * touches hardware. The caller locks.
 */
#pragma once

#include "core/types.h"

struct pit_channel2 {
    uint8_t access;  /* 1 low byte, 2 high byte, 3 low then high */
    uint8_t mode;    /* 0 to 5 */
    uint16_t reload; /* 0 stands for 65536 */
    uint16_t latch;
    bool is_counting;
    bool is_latched;
    bool write_high_next;
    bool read_high_next;
    uint8_t port61; /* gate, speaker, and refresh: toggles at each read */
    nsec_t started; /* when the count was loaded */
};

void pit2_write_command(struct pit_channel2 *p, uint8_t value, nsec_t now);
void pit2_write_count(struct pit_channel2 *p, uint8_t value, nsec_t now);
uint8_t pit2_read_count(struct pit_channel2 *p, nsec_t now);
void pit2_write_port61(struct pit_channel2 *p, uint8_t value, nsec_t now);
uint8_t pit2_read_port61(struct pit_channel2 *p, nsec_t now);
