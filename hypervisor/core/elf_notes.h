/* SPDX-License-Identifier: MIT */
/*
 * What a paravirtual kernel says about itself in its ELF notes (owner "Xen").
 * After elf_notes_read() has found nothing wrong the kernel is one for the
 * 64-bit paravirtual interface, its strings are terminated and printable, and
 * no feature that it demands is one that Mica lacks.
 *
 * No locks; the result is the caller's own copy.
 */
#pragma once

#include "core/elf.h"

#define ELF_NOTE_STRING 32

struct elf_notes {
    uint64_t entry;            /* first instruction; e_entry if not noted */
    uint64_t virt_base;        /* virtual address of pfn 0 */
    uint64_t paddr_offset;     /* what to subtract from p_paddr */
    uint64_t hypercall_page;   /* virtual address, if has_hypercall_page */
    uint64_t init_p2m;         /* virtual address, if has_init_p2m */
    uint64_t features;         /* it can use these; bit n: XENFEAT n */
    uint64_t mod_start_is_pfn; /* not 0: the initrd needs no mapping */
    bool names_dom0;           /* among its features */
    bool has_hypercall_page;
    bool has_init_p2m;
    char guest_os[ELF_NOTE_STRING];
    char xen_version[ELF_NOTE_STRING];
    char loader[ELF_NOTE_STRING];
};

must_check const char *elf_notes_read(struct elf_notes *notes,
                                      const struct elf_image *elf);
bool elf_notes_can_be_dom0(const struct elf_notes *notes);
bool elf_notes_is_linux(const struct elf_notes *notes);
