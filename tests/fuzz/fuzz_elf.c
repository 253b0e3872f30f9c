/* SPDX-License-Identifier: MIT */
/*
 * The ELF reader and the Xen notes on arbitrary bytes. An odd first byte asks
 * for an image that gets past the header: the fixed fields are put in place
 * and the notes get a valid owner, so that no corpus is needed.
 */
#include <stdlib.h>

#include "core/kernel_image.h"

enum {
    HEADER = 64,
    PHDR = 56,
    IMAGE_MAX = 1 << 16,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void claim(bool claim_holds)
{
    if (!claim_holds)
        abort();
}

static void write_at(uint8_t *image, size_t at, uint64_t value, size_t width)
{
    memcpy(image + at, &value, width);
}

/* A note of at most 47 bytes at `at`; returns where the next one goes. */
static size_t make_note(uint8_t *image, size_t at, uint8_t type, uint8_t size)
{
    write_at(image, at, 4, 4);
    write_at(image, at + 4, size, 4);
    write_at(image, at + 8, type, 4);
    memcpy(image + at + 12, "Xen", 4);
    return at + 16 + ((size + 3u) & ~3u);
}

/* Headers whose numbers are small, in place of whatever the input had. */
static void make_headers(uint8_t *image, size_t notes, size_t size)
{
    memcpy(image, "\177ELF\2\1\1", 7);
    write_at(image, 16, 2, 2);
    write_at(image, 18, 62, 2);
    write_at(image, 24, image[24], 8);
    write_at(image, 32, HEADER, 8);
    write_at(image, 54, PHDR, 2);
    write_at(image, 56, 2 + image[56] % 2, 2);
    write_at(image, HEADER, 1, 4);
    write_at(image, HEADER + 8, image[HEADER + 8], 8);
    write_at(image, HEADER + 32, image[HEADER + 32], 8);
    write_at(image, HEADER + PHDR, 4, 4);
    write_at(image, HEADER + PHDR + 8, notes, 8);
    write_at(image, HEADER + PHDR + 32, size - notes, 8);
    write_at(image, HEADER + 2 * PHDR, image[HEADER + 2 * PHDR] & 1, 4);
}

/* A loadable segment, notes that every kernel has, then more of any kind. */
static void make_plausible(uint8_t *image, size_t size)
{
    size_t notes = HEADER + 3 * PHDR;
    size_t at;

    if (size < notes + 64)
        return;
    make_headers(image, notes, size);
    at = make_note(image, notes, 5, 8);
    memcpy(image + at - 8, "xen-3.0", 8);
    at = make_note(image, at, 8, 8);
    memcpy(image + at - 8, "generic", 8);
    while (at + 16 <= size)
        at = make_note(image, at, image[at + 8] % 20, image[at + 4] % 48);
}

static void check_segments(const struct elf_image *elf,
                           const struct elf_notes *notes, bool is_placed,
                           const struct kernel_layout *layout)
{
    struct elf_segment s;
    unsigned int index = 0;
    uint64_t start;

    while (elf_next_segment(elf, ELF_SEGMENT_LOAD, &index, &s)) {
        claim(s.data >= elf->bytes);
        claim(s.data_size <= elf->size);
        claim((size_t)(s.data - elf->bytes) <= elf->size - s.data_size);
        claim(s.data_size <= s.memory_size);
        claim(s.paddr >= elf->load_start);
        claim(s.memory_size <= elf->load_end - s.paddr);
        if (!is_placed)
            continue;
        start = layout->virt_base + s.paddr - notes->paddr_offset;
        claim(start >= layout->virt_start);
        claim(start + s.memory_size <= layout->virt_end);
    }
}

static void check_strings(const struct elf_notes *notes)
{
    claim(strnlen(notes->guest_os, ELF_NOTE_STRING) < ELF_NOTE_STRING);
    claim(strnlen(notes->xen_version, ELF_NOTE_STRING) < ELF_NOTE_STRING);
    claim(strnlen(notes->loader, ELF_NOTE_STRING) < ELF_NOTE_STRING);
}

static void check_image(const uint8_t *image, size_t size)
{
    struct elf_image elf;
    struct elf_notes notes;
    struct kernel_layout layout;
    bool is_placed = false;

    if (elf_open(&elf, image, size))
        return;
    if (!elf_notes_read(&notes, &elf)) {
        check_strings(&notes);
        is_placed = !kernel_layout(&layout, &elf, &notes);
    }
    check_segments(&elf, &notes, is_placed, &layout);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *image;

    if (size < 1 || size > IMAGE_MAX)
        return 0;
    image = malloc(size);
    memcpy(image, data + 1, size - 1);
    if (data[0] & 1)
        make_plausible(image, size - 1);
    check_image(image, size - 1);
    free(image);
    return 0;
}
