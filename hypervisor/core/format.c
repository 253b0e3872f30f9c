/* SPDX-License-Identifier: MIT */
/*
 * Text from formats, the subset of C's that log.h lists. Nothing here keeps
 * state or takes a lock.
 */
#include "core/log.h"

struct sink {
    char *out;
    size_t size;
    size_t length; /* of the whole text, whether it fits or not */
};

struct conversion {
    bool zeros, alternate, is_long;
    size_t width;
};

#define FIELD_MAX 4096 /* bounds padding */

static void put(struct sink *s, char c)
{
    if (s->length + 1 < s->size)
        s->out[s->length] = c;
    s->length++;
}

/* One field: blanks, prefix, zeros, text, as the conversion wants them. */
static void put_field(struct sink *s, const struct conversion *c,
                      const char *prefix, const char *text, size_t length)
{
    size_t used = strlen(prefix) + length;

    for (; !c->zeros && used < c->width; used++)
        put(s, ' ');
    while (*prefix)
        put(s, *prefix++);
    for (; used < c->width; used++)
        put(s, '0');
    while (length-- > 0)
        put(s, *text++);
}

static void put_number(struct sink *s, const struct conversion *c,
                       uint64_t value, unsigned base, const char *prefix)
{
    char text[20], *end = text + sizeof(text), *at = end;

    do
        *--at = "0123456789abcdef"[value % base];
    while (value /= base);
    put_field(s, c, prefix, at, (size_t)(end - at));
}

/* What stands between a % and its letter; its end. */
static const char *parse(const char *fmt, struct conversion *c)
{
    for (; *fmt == '0' || *fmt == '#'; fmt++)
        *(*fmt == '0' ? &c->zeros : &c->alternate) = true;
    for (; *fmt >= '0' && *fmt <= '9'; fmt++)
        if (c->width < FIELD_MAX)
            c->width = c->width * 10 + (size_t)(*fmt - '0');
    for (; *fmt == 'l' || *fmt == 'z'; fmt++)
        c->is_long = true;
    return fmt;
}

static void convert(struct sink *s, const struct conversion *c, char letter,
                    va_list *args)
{
    const char *text;
    uint64_t value;
    int64_t number;

    switch (letter) {
    case 's':
        text = va_arg(*args, const char *);
        put_field(s, c, "", text, strlen(text));
        break;
    case 'c':
        put(s, (char)va_arg(*args, int));
        break;
    case 'd':
        number = c->is_long ? va_arg(*args, int64_t) : va_arg(*args, int);
        value = number < 0 ? -(uint64_t)number : (uint64_t)number;
        put_number(s, c, value, 10, number < 0 ? "-" : "");
        break;
    case 'p':
        put_number(s, c, (uintptr_t)va_arg(*args, void *), 16, "0x");
        break;
    case 'u':
    case 'x':
        value =
            c->is_long ? va_arg(*args, uint64_t) : va_arg(*args, unsigned int);
        put_number(s, c, value, letter == 'x' ? 16 : 10,
                   c->alternate && value ? "0x" : "");
        break;
    default:
        ASSERT(letter == '%');
        put(s, letter);
    }
}

/*
 * As C's vsnprintf: writes at most `size` bytes with the terminator, returns
 * the length that the whole text has.
 */
int format_va(char *out, size_t size, const char *fmt, va_list args)
{
    struct sink s = {.out = out, .size = size};
    va_list rest;

    va_copy(rest, args);
    for (; *fmt; fmt++) {
        struct conversion c = {0};

        if (*fmt != '%') {
            put(&s, *fmt);
            continue;
        }
        fmt = parse(fmt + 1, &c);
        if (!*fmt)
            break;
        convert(&s, &c, *fmt, &rest);
    }
    va_end(rest);
    if (size)
        out[min_u64(s.length, size - 1)] = '\0';
    return (int)s.length;
}

/* As C's snprintf: see format_va. */
int format(char *out, size_t size, const char *fmt, ...)
{
    va_list args;
    int length;

    va_start(args, fmt);
    length = format_va(out, size, fmt, args);
    va_end(args);
    return length;
}
