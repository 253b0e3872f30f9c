/* SPDX-License-Identifier: MIT */
/*
 * Device interrupts. Vectors VECTOR_DEVICE_FIRST to VECTOR_DEVICE_LAST are
 * handed out one by one, the same on every pCPU. Two kinds of users: Mica's
 * own serial ports, and physical interrupts of dom0 ("pirqs"), which become
 * events. A pirq below machine_gsi_count() is the GSI of that
 * number; higher ones are messages (MSI).
 *
 * A level-triggered line of dom0 is masked from its delivery until dom0 says
 * it has served it. A lock guards all pirqs and the IO-APICs' registers; it is
 * not held while an event is raised.
 */
#pragma once

#include "core/types.h"

void irq_dispatch(unsigned vector);
must_check int irq_take_isa(unsigned irq);
