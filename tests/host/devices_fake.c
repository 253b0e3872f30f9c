/* SPDX-License-Identifier: MIT */
/*
 * Interrupts, PCI devices and the command line of core/machine.h, for tests
 * that link the hypercalls about them without caring. A test that does care
 * defines these itself: they are weak.
 */
#include "core/machine.h"

#define WEAK __attribute__((weak))
#define FAKE_GSIS 24u

WEAK const char *machine_command_line = "";

WEAK const void *machine_build_id(size_t *size)
{
    *size = 0;
    return NULL;
}

WEAK unsigned machine_gsi_count(void)
{
    return FAKE_GSIS;
}

WEAK bool machine_pirq_needs_eoi(unsigned pirq)
{
    return pirq < FAKE_GSIS;
}

WEAK int machine_msi_map(struct physdev_map_pirq_args *op)
{
    op->pirq = FAKE_GSIS;
    return 0;
}

WEAK int machine_msi_unmap(unsigned pirq)
{
    (void)pirq;
    return -EINVAL;
}

WEAK void machine_msi_restore(uint16_t device)
{
    (void)device;
}

WEAK int machine_ioapic_read(uint64_t physbase, uint32_t reg, uint32_t *value)
{
    (void)physbase;
    (void)reg;
    *value = 0;
    return 0;
}

WEAK void machine_set_iopl(struct vcpu *v, unsigned iopl)
{
    (void)v;
    (void)iopl;
}

WEAK void machine_set_iobitmap(struct vcpu *v, guest_va bitmap, unsigned count)
{
    (void)v;
    (void)bitmap;
    (void)count;
}
