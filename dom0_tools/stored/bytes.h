/* SPDX-License-Identifier: MIT */
/*
 * Memory, and buffers of bytes that grow as they are written and are read
 * with bounds. Numbers in buffers are little endian, as this machine has
 * them. Out of memory ends the daemon: its journal has everything.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Zeroed memory for free(). Never NULL. */
void *memory_get(size_t size);

/* A copy of `size` bytes, with a zero byte after them. */
void *memory_copy(const void *bytes, size_t size);

struct bytes {
    uint8_t *data;
    size_t used, room;
};

void bytes_put(struct bytes *b, const void *data, size_t size);
void bytes_put_u8(struct bytes *b, uint8_t number);
void bytes_put_u16(struct bytes *b, uint16_t number);
void bytes_put_u32(struct bytes *b, uint32_t number);
void bytes_put_u64(struct bytes *b, uint64_t number);

/* A size in 32 bits, then that many bytes. */
void bytes_put_block(struct bytes *b, const void *data, size_t size);

/* The text and its zero byte. */
void bytes_put_text(struct bytes *b, const char *text);

__attribute__((format(printf, 2, 3))) void bytes_put_format(struct bytes *b,
                                                            const char *format,
                                                            ...);

/* Forgets the contents and frees the memory. */
void bytes_free(struct bytes *b);

/* What is left to read; `is_short` once something was missing. */
struct reader {
    const uint8_t *data;
    size_t left;
    bool is_short;
};

/* The next `size` bytes; NULL and is_short if there are fewer. */
const void *reader_take(struct reader *r, size_t size);

/* The next number; 0 if it is not there. */
uint8_t reader_u8(struct reader *r);
uint16_t reader_u16(struct reader *r);
uint32_t reader_u32(struct reader *r);
uint64_t reader_u64(struct reader *r);

/* What bytes_put_block() wrote; NULL and *size 0 if it is not there. */
const void *reader_block(struct reader *r, size_t *size);
