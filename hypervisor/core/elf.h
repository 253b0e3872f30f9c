/* SPDX-License-Identifier: MIT */
/*
 * A reader of 64-bit x86 ELF executables that lie in memory. It trusts no
 * number in the file: elf_open() accepts only images whose loadable segments
 * and notes lie inside the buffer, don't wrap and don't overlap, and every
 * later call hands out copies or pointers within those bounds.
 *
 * No locks and no state but the caller's; the buffer must not change while
 * it is being read. Functions that fail set *why to a constant sentence
 * which reads well after "dom0 kernel: ".
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

struct elf_note {
    uint32_t type;
    const char *owner; /* not always terminated */
    size_t owner_size;
    const uint8_t *value;
    size_t value_size;
};

/* A place in a sequence of notes. */
struct elf_note_cursor {
    const uint8_t *at;
    size_t left;
};

/* -ENOEXEC, with the reason in *why. */
static inline int elf_refuse(const char **why, const char *reason)
{
    *why = reason;
    return -ENOEXEC;
}

/* A row of a list of what may be wrong. */
struct elf_check {
    bool is_wrong;
    const char *reason;
};

#define ELF_REFUSE_ANY(checks, why)                                            \
    elf_refuse_any(checks, ARRAY_LEN(checks), why)
must_check int elf_refuse_any(const struct elf_check *checks, size_t count,
                              const char **why);
must_check int elf_open(struct elf_image *elf, const void *image, size_t size,
                        const char **why);
bool elf_next_segment(const struct elf_image *elf, enum elf_segment_type type,
                      unsigned int *index, struct elf_segment *segment);
struct elf_note_cursor elf_segment_notes(const struct elf_segment *segment);
must_check int elf_next_note(struct elf_note_cursor *cursor,
                             struct elf_note *note, const char **why);
