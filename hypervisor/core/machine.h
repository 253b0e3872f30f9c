/* SPDX-License-Identifier: MIT */
/*
 * What the first domain may learn of the machine and do to it: the memory
 * map, the wall clock, sleep, processors, firmware, interrupts, port I/O.
 * hypervisor/x86 implements it, as it does core/arch.h, and validates what
 * depends on the machine; core has checked who asks and what can be checked
 * without knowing it. Nothing here follows a guest's pointers.
 *
 * Functions may be called on any pCPU; those that change something have a
 * lock of their own. Errors are -Exxx, and then nothing has changed.
 */
#pragma once

#include "core/types.h"
#include "hypercall_abi/abi.h"
#include "hypercall_abi/memory.h"
#include "hypercall_abi/physdev.h"
#include "hypercall_abi/platform.h"

struct vcpu;

/* The map that dom0 sees, with Mica's own device pages reserved in it. */
extern const struct e820_entry *machine_e820; /* const after boot */
extern unsigned machine_e820_count;           /* const after boot */

/* What the linker calls this build, *size bytes; 0 if it has no name. */
const void *machine_build_id(size_t *size);

/* Mica's own command line; never NULL. */
extern const char *machine_command_line; /* const after boot */

/* UTC was `secs` and `nsecs` (below 10^9) at `system_time`. */
void machine_set_time(uint64_t secs, uint32_t nsecs, nsec_t system_time);

/*
 * Sleep state S5 through the PM1 control registers, with these values. Does
 * not return unless the machine stays on; -EINVAL for other states.
 */
must_check int machine_acpi_sleep(unsigned state, uint16_t pm1a_control,
                                  uint16_t pm1b_control);

/* Of pCPU `cpu`, which is below pcpu_count; all ones: not known. */
void machine_cpu_ids(unsigned cpu, uint32_t *apic_id, uint32_t *acpi_id);

/* Where pCPU `cpu` is; the numbers of cores count within their socket. */
struct machine_place {
    uint32_t core, socket;
};
struct machine_place machine_cpu_place(unsigned cpu);

/*
 * What CPUID says: to Mica, or to a guest that uses all extended registers. A
 * leaf beyond the highest of its half is zero.
 */
enum machine_cpuid_view { MACHINE_CPUID_HOST, MACHINE_CPUID_GUEST };

struct machine_cpuid {
    uint32_t a, b, c, d;
};
struct machine_cpuid machine_cpuid(enum machine_cpuid_view view, uint32_t leaf,
                                   uint32_t subleaf);

/* Does what `key` does on Mica's own side of the console. */
void machine_press_key(char key);

/*
 * Answers XENPF_firmware_info from what the boot loader and firmware left;
 * guest addresses in *info stay as they are. -ESRCH: there is no such thing,
 * -ENOSYS: not served.
 */
must_check int machine_firmware_info(struct xenpf_firmware_info_args *info);

/* Register `reg` of the I/O APIC at `physbase`; dom0 gets to see no routes. */
must_check int machine_ioapic_read(uint64_t physbase, uint32_t reg,
                                   uint32_t *value);

/*
 * Physical interrupts beyond arch.h. A pirq below machine_gsi_count() is the
 * GSI of the same number, a higher one a message of a device.
 */
unsigned machine_gsi_count(void);
bool machine_pirq_needs_eoi(unsigned pirq);

/*
 * Writes the message of a device of segment 0 that *op asks for, masked, and
 * puts its pirq there. -ENODEV: no such device or capability, -EEXIST: it has
 * one, -ENOSPC: no vectors left, -ENXIO: an MSI-X table while the device's
 * memory is off, -EINVAL.
 */
must_check int machine_msi_map(struct physdev_map_pirq_args *op);

/* Ends machine_msi_map. -EINVAL for what is no message's pirq. */
int machine_msi_unmap(unsigned pirq);

/* Writes the messages of a device again, after it lost power. */
void machine_msi_restore(uint16_t device);

/* The virtual IOPL, 0 to 3, of the running vCPU `v`. */
void machine_set_iopl(struct vcpu *v, unsigned iopl);

/*
 * Ports that applications on the running vCPU `v` may use: bit n of the `count`
 * bits at `bitmap`, which the guest may change at any time, allows port n when
 * it is clear.
 */
void machine_set_iobitmap(struct vcpu *v, guest_va bitmap, unsigned count);
