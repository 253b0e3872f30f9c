/* SPDX-License-Identifier: MIT */
/*
 * The registers of devices that send messages as interrupts (MSI and MSI-X).
 * Mica alone writes addresses, data and mask bits; dom0 switches the capability
 * on and off in configuration space. The caller (irq.c) locks.
 */
#pragma once

#include "core/types.h"

struct physdev_map_pirq_args;

/* Where a message is: the only one of an MSI capability, or one of MSI-X. */
struct msi {
    uint16_t device;
    uint8_t capability;       /* register */
    uint16_t data, mask;      /* MSI: registers; mask 0: there is none */
    volatile uint32_t *entry; /* MSI-X: address, address, data, control */
};

must_check int msi_find(const struct physdev_map_pirq_args *wanted,
                        struct msi *m);
void msi_write(const struct msi *m, uint8_t vector);
void msi_set_masked(const struct msi *m, bool is_masked);
