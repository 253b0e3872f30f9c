/* SPDX-License-Identifier: MIT */
/*
 * Text from formats, the subset of C's that log.h lists. Nothing here keeps
 * state or takes a lock.
 */
#include "core/log.h"

#define WIDTH_MAX 4096 /* bounds padding */

struct sink {
    char *out;
    size_t size;
    size_t length; /* of the whole text, whether it fits or not */
};

/* What a conversion makes: a sign or 0x, and the rest. */
struct field {
    bool zeros; /* pads between the two, else blanks before */
    size_t width, length;
    const char *prefix, *text;
    char digits[20];
};

static void put(struct sink *s, char c)
{
    if (s->length + 1 < s->size)
        s->out[s->length] = c;
    s->length++;
}

static void put_field(struct sink *s, const struct field *f)
{
    size_t used = strlen(f->prefix) + f->length;

    for (; !f->zeros && used < f->width; used++)
        put(s, ' ');
    for (const char *p = f->prefix; *p; p++)
        put(s, *p);
    for (; used < f->width; used++)
        put(s, '0');
    for (size_t i = 0; i < f->length; i++)
        put(s, f->text[i]);
}

static void set_number(struct field *f, uint64_t value, unsigned base)
{
    char *end = f->digits + sizeof(f->digits), *at = end;

    do
        *--at = "0123456789abcdef"[value % base];
    while (value /= base);
    f->text = at;
    f->length = (size_t)(end - at);
}

/* Makes what the conversion behind a % says; its letter. */
static const char *convert(struct field *f, const char *fmt, va_list *args)
{
    bool is_alternate = false, is_long = false;
    uint64_t value;
    int64_t number;

    for (; *fmt == '0' || *fmt == '#'; fmt++)
        *(*fmt == '0' ? &f->zeros : &is_alternate) = true;
    for (; *fmt >= '0' && *fmt <= '9'; fmt++)
        f->width = min_u64(f->width * 10 + (size_t)(*fmt - '0'), WIDTH_MAX);
    for (; *fmt == 'l'; fmt++)
        is_long = true;
    switch (*fmt) {
    case 's':
        f->text = va_arg(*args, const char *);
        f->length = strlen(f->text);
        break;
    case 'd':
        number = is_long ? va_arg(*args, int64_t) : va_arg(*args, int);
        f->prefix = number < 0 ? "-" : "";
        set_number(f, number < 0 ? -(uint64_t)number : (uint64_t)number, 10);
        break;
    case 'u':
    case 'x':
        value = is_long ? va_arg(*args, uint64_t) : va_arg(*args, unsigned);
        f->prefix = is_alternate && value ? "0x" : "";
        set_number(f, value, *fmt == 'x' ? 16 : 10);
        break;
    default:
        ASSERT(*fmt == '%');
        f->text = fmt;
        f->length = *fmt != '\0';
    }
    return fmt;
}

/*
 * As C's vsnprintf: writes at most `size` bytes with the terminator, returns
 * the length that the whole text has.
 */
size_t format_va(char *out, size_t size, const char *fmt, va_list args)
{
    struct sink s = {.out = out, .size = size};
    va_list rest;

    va_copy(rest, args);
    for (; *fmt; fmt++) {
        struct field f = {.prefix = ""};

        if (*fmt == '%') {
            fmt = convert(&f, fmt + 1, &rest);
            put_field(&s, &f);
            if (!*fmt)
                break;
        } else {
            put(&s, *fmt);
        }
    }
    va_end(rest);
    if (size)
        out[min_u64(s.length, size - 1)] = '\0';
    return s.length;
}

/* As C's snprintf: see format_va. */
size_t format(char *out, size_t size, const char *fmt, ...)
{
    va_list args;
    size_t length;

    va_start(args, fmt);
    length = format_va(out, size, fmt, args);
    va_end(args);
    return length;
}
