/* SPDX-License-Identifier: MIT */
/* Memory and buffers (bytes.h). */
#include "dom0_tools/stored/bytes.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *or_give_up(void *memory)
{
    if (memory)
        return memory;
    fputs("stored: out of memory: ending; what was acknowledged is in the "
          "journal\n",
          stderr);
    exit(1);
}

/* See bytes.h. */
void *memory_get(size_t size)
{
    return or_give_up(calloc(1, size ? size : 1));
}

/* See bytes.h. */
void *memory_copy(const void *bytes, size_t size)
{
    char *copy = memory_get(size + 1);

    if (size)
        memcpy(copy, bytes, size);
    return copy;
}

/* See bytes.h. */
void bytes_put(struct bytes *b, const void *data, size_t size)
{
    if (!size)
        return;
    if (b->room - b->used < size) {
        b->room = (b->used + size) * 2;
        b->data = or_give_up(realloc(b->data, b->room));
    }
    memcpy(b->data + b->used, data, size);
    b->used += size;
}

/* See bytes.h. */
void bytes_put_u8(struct bytes *b, uint8_t number)
{
    bytes_put(b, &number, sizeof(number));
}

/* See bytes.h. */
void bytes_put_u16(struct bytes *b, uint16_t number)
{
    bytes_put(b, &number, sizeof(number));
}

/* See bytes.h. */
void bytes_put_u32(struct bytes *b, uint32_t number)
{
    bytes_put(b, &number, sizeof(number));
}

/* See bytes.h. */
void bytes_put_u64(struct bytes *b, uint64_t number)
{
    bytes_put(b, &number, sizeof(number));
}

/* See bytes.h. */
void bytes_put_block(struct bytes *b, const void *data, size_t size)
{
    bytes_put_u32(b, (uint32_t)size);
    bytes_put(b, data, size);
}

/* See bytes.h. */
void bytes_put_text(struct bytes *b, const char *text)
{
    bytes_put(b, text, strlen(text) + 1);
}

/* See bytes.h. */
void bytes_put_format(struct bytes *b, const char *format, ...)
{
    char text[512];
    va_list args;
    int size;

    va_start(args, format);
    size = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (size > 0)
        bytes_put(b, text,
                  (size_t)size < sizeof(text) ? (size_t)size
                                              : sizeof(text) - 1);
}

/* See bytes.h. */
void bytes_free(struct bytes *b)
{
    free(b->data);
    *b = (struct bytes){NULL, 0, 0};
}

/* See bytes.h. */
const void *reader_take(struct reader *r, size_t size)
{
    const void *data = r->data;

    if (r->is_short || size > r->left) {
        r->is_short = true;
        return NULL;
    }
    r->data += size;
    r->left -= size;
    return data;
}

static void take_number(struct reader *r, void *number, size_t size)
{
    const void *data = reader_take(r, size);

    if (data)
        memcpy(number, data, size);
}

/* See bytes.h. */
uint8_t reader_u8(struct reader *r)
{
    uint8_t number = 0;

    take_number(r, &number, sizeof(number));
    return number;
}

/* See bytes.h. */
uint16_t reader_u16(struct reader *r)
{
    uint16_t number = 0;

    take_number(r, &number, sizeof(number));
    return number;
}

/* See bytes.h. */
uint32_t reader_u32(struct reader *r)
{
    uint32_t number = 0;

    take_number(r, &number, sizeof(number));
    return number;
}

/* See bytes.h. */
uint64_t reader_u64(struct reader *r)
{
    uint64_t number = 0;

    take_number(r, &number, sizeof(number));
    return number;
}

/* See bytes.h. */
const void *reader_block(struct reader *r, size_t *size)
{
    const void *data;

    *size = reader_u32(r);
    data = reader_take(r, *size);
    if (!data)
        *size = 0;
    return data;
}
