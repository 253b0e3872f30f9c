/* SPDX-License-Identifier: MIT */
/*
 * What the boot loader hands over, by the Multiboot2 specification 2.0,
 * section 3.6. The parser reads a block of bytes and nothing else: no access
 * outside of it whatever it holds, no write. Strings and tables in the result
 * point into the block, which must outlive it.
 */
#pragma once

#include "x86/bytes.h"
#include "x86/memory_map.h"

#define BOOT_MAX_MODULES 16u

struct boot_module {
    uint64_t start, end; /* physical; equal when the loader talks nonsense */
    const char *command_line;
};

enum boot_screen {
    BOOT_SCREEN_UNKNOWN,
    BOOT_SCREEN_TEXT,     /* EGA text; width and height in characters */
    BOOT_SCREEN_GRAPHICS, /* direct colour */
};

struct boot_colour {
    uint8_t position, bits;
};

struct boot_framebuffer {
    enum boot_screen kind;
    uint64_t address;
    uint32_t pitch, width, height;
    uint8_t bits_per_pixel;
    struct boot_colour red, green, blue;
};

struct boot_info {
    const char *command_line; /* never NULL */
    unsigned module_count;
    struct boot_module modules[BOOT_MAX_MODULES];
    struct memory_map map;

    struct bytes rsdp; /* a copy of ACPI's root pointer, or empty */
    struct boot_framebuffer screen;
    bool is_efi;
    uint64_t efi_system_table; /* physical; 0: no 64-bit EFI */

    struct bytes efi_map, basic_memory; /* tags, for want of a map */
};

#define MULTIBOOT2_HEAD 8u /* bytes that tell the size of the whole block */

uint32_t multiboot2_size(const void *block);
must_check int multiboot2_parse(const void *block, size_t size,
                                struct boot_info *out);
