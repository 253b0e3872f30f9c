/* SPDX-License-Identifier: MIT */
/*
 * The reader of kernels on arbitrary bytes. An odd first byte asks
 * for an image that gets past the header: the fixed fields are put in place
 * and the notes get a valid owner, so that no corpus is needed.
 */
#include <stdlib.h>

#include "core/kernel.h"

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
    write_at(image, HEADER + 24, image[HEADER + 24], 8);
    write_at(image, HEADER + 32, image[HEADER + 32], 8);
    write_at(image, HEADER + 40, 128 + image[HEADER + 40], 8);
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

static void check_image(const uint8_t *image, size_t size)
{
    struct kernel k;
    struct kernel_segment s;
    unsigned index = 0;

    if (kernel_open(&k, image, size))
        return;
    claim(k.start < k.end && k.end <= 1ull << 30);
    claim(k.virt_base + k.end > k.virt_base);
    claim(k.entry - k.virt_base < k.end);
    claim(strnlen(k.guest_os, KERNEL_NAME_ROOM) < KERNEL_NAME_ROOM);
    while (kernel_next_segment(&k, &index, &s)) {
        claim(s.data >= image && s.size <= size);
        claim((size_t)(s.data - image) <= size - s.size);
        claim(s.at >= k.start && s.at <= k.end && s.size <= k.end - s.at);
    }
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
