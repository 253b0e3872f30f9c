/* SPDX-License-Identifier: MIT */
/*
 * A reader of 64-bit x86 ELF executables that lie in memory. It trusts no
 * number in the file: elf_open() accepts only images whose loadable segments
 * and notes lie inside the buffer and don't wrap, and every later call hands
 * out copies or pointers within those bounds.
 *
 * No locks and no state but the caller's; the buffer must not change while
 * it is being read. Here and in what builds on it a check returns NULL, or
 * what is wrong: a constant sentence which reads well after "dom0 kernel: ".
 */
#pragma once

#include "core/types.h"

/* More program headers than this are refused; a kernel has about five. */
#define ELF_MAX_SEGMENTS 64u

enum elf_segment_type {
    ELF_SEGMENT_LOAD = 1,
    ELF_SEGMENT_NOTE = 4,
};

struct elf_image {
    const uint8_t *bytes; /* the whole file */
    size_t size;
    uint64_t entry;        /* e_entry, unchecked */
    uint64_t load_start;   /* lowest p_paddr of a loadable segment */
    uint64_t load_end;     /* end of the highest one */
    uint64_t headers;      /* file offset of the program headers */
    unsigned int segments; /* number of program headers */
};

struct elf_segment {
    uint64_t paddr;
    uint64_t memory_size;
    const uint8_t *data; /* its bytes in the file */
    uint64_t data_size;  /* never more than memory_size if loadable */
};

must_check const char *elf_open(struct elf_image *elf, const void *image,
                                size_t size);
bool elf_next_segment(const struct elf_image *elf, enum elf_segment_type type,
                      unsigned int *index, struct elf_segment *segment);
