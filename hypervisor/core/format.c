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
    bool left, zeros, alternate;
    size_t width;
    bool has_precision;
    size_t precision;
    unsigned longs; /* 0: int, else 64 bits */
};

#define FIELD_MAX 4096 /* bounds padding */

static void put(struct sink *s, char c)
{
    if (s->length + 1 < s->size)
        s->out[s->length] = c;
    s->length++;
}

static void put_times(struct sink *s, char c, size_t times)
{
    while (times-- > 0)
        put(s, c);
}

/* One field: blanks, prefix, zeros, text, as the conversion wants them. */
static void put_field(struct sink *s, const struct conversion *c,
                      const char *prefix, size_t zeros, const char *text,
                      size_t length)
{
    size_t used = strlen(prefix) + zeros + length;
    size_t blanks = c->width > used ? c->width - used : 0;

    if (!c->left)
        put_times(s, ' ', blanks);
    while (*prefix)
        put(s, *prefix++);
    put_times(s, '0', zeros);
    while (length-- > 0)
        put(s, *text++);
    if (c->left)
        put_times(s, ' ', blanks);
}

static void put_number(struct sink *s, const struct conversion *c,
                       uint64_t value, unsigned base, const char *digits,
                       const char *prefix)
{
    char text[24];
    size_t at = sizeof(text), length, zeros = 0, used;

    for (; value; value /= base)
        text[--at] = digits[value % base];
    length = sizeof(text) - at;
    if (c->has_precision)
        zeros = c->precision > length ? c->precision - length : 0;
    else if (length == 0)
        zeros = 1;
    used = strlen(prefix) + zeros + length;
    if (c->zeros && !c->left && !c->has_precision && c->width > used)
        zeros += c->width - used;
    put_field(s, c, prefix, zeros, text + at, length);
}

static void put_signed(struct sink *s, const struct conversion *c,
                       int64_t value)
{
    uint64_t magnitude = value < 0 ? -(uint64_t)value : (uint64_t)value;

    put_number(s, c, magnitude, 10, "0123456789", value < 0 ? "-" : "");
}

static void put_hex(struct sink *s, const struct conversion *c, uint64_t value,
                    char letter)
{
    const char *prefix = "";

    if (c->alternate && value)
        prefix = letter == 'X' ? "0X" : "0x";
    put_number(s, c, value, 16,
               letter == 'X' ? "0123456789ABCDEF" : "0123456789abcdef", prefix);
}

static void put_string(struct sink *s, const struct conversion *c,
                       const char *text)
{
    if (!text)
        text = "(null)";
    put_field(s, c, "", 0, text,
              c->has_precision ? strnlen(text, c->precision) : strlen(text));
}

static const char *parse_number(const char *fmt, size_t *number)
{
    *number = 0;
    for (; *fmt >= '0' && *fmt <= '9'; fmt++)
        if (*number < FIELD_MAX)
            *number = *number * 10 + (size_t)(*fmt - '0');
    return fmt;
}

static const char *parse_flags(const char *fmt, struct conversion *c)
{
    for (;; fmt++) {
        if (*fmt == '-')
            c->left = true;
        else if (*fmt == '0')
            c->zeros = true;
        else if (*fmt == '#')
            c->alternate = true;
        else
            return fmt;
    }
}

/* A va_list that functions can share by address, whatever type it is. */
struct arguments {
    va_list list;
};

static const char *parse_size(const char *fmt, struct arguments *args,
                              struct conversion *c)
{
    if (*fmt == '*') {
        int width = va_arg(args->list, int);

        c->left |= width < 0;
        c->width = width < 0 ? -(size_t)width : (size_t)width;
        fmt++;
    } else {
        fmt = parse_number(fmt, &c->width);
    }
    if (*fmt != '.')
        return fmt;
    if (*++fmt == '*') {
        int precision = va_arg(args->list, int);

        c->has_precision = precision >= 0;
        c->precision = (size_t)precision;
        return fmt + 1;
    }
    c->has_precision = true;
    return parse_number(fmt, &c->precision);
}

static uint64_t next_unsigned(const struct conversion *c,
                              struct arguments *args)
{
    if (c->longs)
        return va_arg(args->list, uint64_t);
    return va_arg(args->list, unsigned int);
}

static int64_t next_signed(const struct conversion *c, struct arguments *args)
{
    if (c->longs)
        return va_arg(args->list, int64_t);
    return va_arg(args->list, int);
}

static void put_character(struct sink *s, const struct conversion *c, int value)
{
    char text = (char)value;

    put_field(s, c, "", 0, &text, 1);
}

static void convert(struct sink *s, struct conversion *c, char letter,
                    struct arguments *args)
{
    switch (letter) {
    case 's':
        put_string(s, c, va_arg(args->list, const char *));
        break;
    case 'c':
        put_character(s, c, va_arg(args->list, int));
        break;
    case 'd':
    case 'i':
        put_signed(s, c, next_signed(c, args));
        break;
    case 'u':
        put_number(s, c, next_unsigned(c, args), 10, "0123456789", "");
        break;
    case 'x':
    case 'X':
        put_hex(s, c, next_unsigned(c, args), letter);
        break;
    case 'p':
        c->alternate = true;
        put_hex(s, c, (uintptr_t)va_arg(args->list, void *), 'x');
        break;
    default: /* also %% */
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
    struct arguments shared;

    va_copy(shared.list, args);
    while (*fmt) {
        struct conversion c = {0};

        if (*fmt != '%') {
            put(&s, *fmt++);
            continue;
        }
        fmt = parse_flags(fmt + 1, &c);
        fmt = parse_size(fmt, &shared, &c);
        for (; *fmt == 'l' || *fmt == 'z'; fmt++)
            c.longs++;
        if (!*fmt)
            break;
        convert(&s, &c, *fmt++, &shared);
    }
    va_end(shared.list);
    if (size)
        out[s.length < size ? s.length : size - 1] = '\0';
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
