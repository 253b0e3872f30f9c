/* SPDX-License-Identifier: MIT */
/*
 * What the boot loader hands over, by the Multiboot2 specification 2.0,
 * section 3.6. The parser reads a block of bytes and nothing else: no access
 * outside of it whatever it holds, no write. Strings and tables in the result
 * point into the block, which must outlive it.
 */
#pragma once

#include "core/dom0_build.h"
#include "hypercall_abi/start_info.h"
#include "x86/bytes.h"
#include "x86/memory_map.h"

enum boot_module_use { BOOT_KERNEL, BOOT_INITRD, BOOT_MODULES };

struct boot_info {
    const char *command_line, *kernel_command_line; /* never NULL */
    unsigned module_count;
    struct memory_range modules[BOOT_MODULES]; /* empty where there is none */
    struct memory_map map;

    struct bytes rsdp; /* a copy of ACPI's root pointer, or empty */
    struct dom0_vga_console_info screen;
    uint64_t efi_system_table; /* physical; 0: a BIOS */
};

#define MULTIBOOT2_HEAD 8u /* bytes that tell the size of the whole block */

uint32_t multiboot2_size(const void *block);
must_check const char *multiboot2_parse(const void *block, size_t size,
                                        struct boot_info *out);
