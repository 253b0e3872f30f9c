/* SPDX-License-Identifier: MIT */
/*
 * The image: a boot stage that runs where the loader put it, then Mica
 * proper, linked at IMAGE_BASE plus its physical address. Everything from
 * `init_start` to `init_end` is needed only until dom0 starts; its frames
 * then go to the heap.
 */
#include "x86/memory_layout.h"

#define LOAD_ADDRESS 0x200000
/* The unpackers, needed only until dom0 starts. */
#define ARCHIVES *liblzma.a:* *libzstd.a:* *libz.a:*
#define OWN(section) EXCLUDE_FILE(ARCHIVES) section

OUTPUT_FORMAT(elf64-x86-64)
OUTPUT_ARCH(i386:x86-64)
ENTRY(boot_entry)

PHDRS
{
    boot PT_LOAD FLAGS(7);
    text PT_LOAD FLAGS(5);
    data PT_LOAD FLAGS(6);
    init PT_LOAD FLAGS(7);
}

SECTIONS
{
    . = LOAD_ADDRESS;
    .boot : {
        KEEP(*(.boot.header))
        *(.boot .boot.*)
        . = ALIGN(4096);
    } :boot

    . += IMAGE_BASE;
    .text : AT(ADDR(.text) - IMAGE_BASE) {
        text_start = .;
        . = ALIGN(4096);
        gate_text_start = .;
        *(.gate.text)
        gate_text_end = .;
        . = ALIGN(4096);
        *(.text.hot .text.hot.*)
        *(OWN(.text) OWN(.text.*))
        . = ALIGN(16);
        text_end = .;
    } :text
    ASSERT(gate_text_end - gate_text_start <= 8192, "the gate has two pages")

    .rodata ALIGN(4096) : AT(ADDR(.rodata) - IMAGE_BASE) {
        *(OWN(.rodata) OWN(.rodata.*))
        . = ALIGN(8);
        fault_table_start = .;
        KEEP(*(.fault_table))
        fault_table_end = .;
        KEEP(*(.symbols))
    } :text
    .note.gnu.build-id : AT(ADDR(.note.gnu.build-id) - IMAGE_BASE) {
        build_id_start = .;
        *(.note.gnu.build-id)
        build_id_end = .;
    } :text

    .data ALIGN(4096) : AT(ADDR(.data) - IMAGE_BASE) {
        *(OWN(.data) OWN(.data.*))
        *(.got .got.plt)
    } :data
    .bss ALIGN(4096) : AT(ADDR(.bss) - IMAGE_BASE) {
        *(OWN(.bss) OWN(.bss.*) OWN(COMMON))
        . = ALIGN(4096);
    } :data

    .init ALIGN(4096) : AT(ADDR(.init) - IMAGE_BASE) {
        init_start = .;
        *(.text .text.* .rodata .rodata.* .data.rel.ro .data.rel.ro.*
          .data .data.*)
    } :init
    .init.bss ALIGN(64) : AT(ADDR(.init.bss) - IMAGE_BASE) {
        *(.bss .bss.* COMMON)
        . = ALIGN(4096);
        init_end = .;
    } :init
    image_end = .;
    idle_l4_physical = idle_l4 - IMAGE_BASE;

    malloc = libc_nothing;
    calloc = libc_nothing;
    free = libc_nothing;
    /* Weak in libzstd; at address 0 it would be out of reach of a call. */
    ZSTD_trace_decompress_begin = libc_nothing;
    ZSTD_trace_decompress_end = libc_nothing;

    /DISCARD/ : {
        *(.comment .note.GNU-stack .note.gnu.property .eh_frame
          .eh_frame_hdr .gnu.hash .dynamic .interp)
    }
}
